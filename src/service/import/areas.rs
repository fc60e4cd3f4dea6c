//! Areas, organisations and tables of a file: compared with what is there, written where they differ.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;

use super::few::{self, Compared, Says};
use super::{Counts, ImportFile, Outcome, log, note};
use crate::domain::catalog::{Catalog, Category};
use crate::domain::deadline::DamageRule;
use crate::domain::grid::District;
use crate::domain::id::{DistrictCode, OrgCode};
use crate::domain::organization::Organization;
use crate::service::edit::areas::regrid;
use crate::service::error::Result;
use crate::service::{Guli, load};
use crate::store::areas::{self, Area, Areas};
use crate::store::delivered::{self, Kind};
use crate::store::{Conn, Result as StoreResult, catalog, corrupt, head, organizations};

/// How many organisations are read at most.
const ORGANIZATIONS: i64 = 1_000_000;

impl Guli {
    /// All areas of a district.
    pub async fn all_areas(&self, district: DistrictCode) -> Result<Areas> {
        Ok(areas::all(&mut self.store.read().await?.conn(), district, None).await?)
    }

    /// All organisations.
    pub async fn all_organizations(&self) -> Result<Vec<Organization>> {
        Ok(organizations::list(&mut self.store.read().await?.conn(), "", ORGANIZATIONS).await?)
    }

    /// What was delivered to a district and removed here since: areas, and organisations.
    pub async fn removed_records(&self, district: DistrictCode) -> Result<(HashSet<u64>, HashSet<OrgCode>)> {
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let areas: HashSet<u64> = areas::removed(conn, district).await?.into_iter().map(|(code, _)| code).collect();
        let delivered = delivered::of(conn, district, Kind::Area).await?;
        let was_delivered = |code: &u64| delivered.contains_key(&code.to_string());
        let areas = areas.into_iter().filter(was_delivered).collect();
        let delivered = delivered::of(conn, district, Kind::Organization).await?;
        let codes: Vec<OrgCode> = delivered.keys().filter_map(|code| code.parse().ok()).collect();
        let removed = organizations::removed(conn, &codes).await?;
        Ok((areas, removed.iter().filter_map(|code| code.parse().ok()).collect()))
    }

    /// Compares a district with the one that is there.
    pub async fn compare_district(&self, district: District) -> Result<Compared<District>> {
        let known = self.district_records().await?.into_iter().find(|known| known.code == district.code);
        Ok(compare(vec![district], |district| known.as_ref().map(|known| known == district)))
    }

    /// Compares areas of one level with those that are there.
    pub async fn compare_areas(&self, district: DistrictCode, rows: &[Says<Area>]) -> Result<Compared<Area>> {
        Ok(few::areas(&mut self.store.read().await?.conn(), district, rows).await?)
    }

    /// Compares organisations with those that are there.
    pub async fn compare_organizations(
        &self,
        district: DistrictCode,
        rows: &[Says<Organization>],
    ) -> Result<Compared<Organization>> {
        Ok(few::organizations(&mut self.store.read().await?.conn(), district, rows).await?)
    }

    /// Writes a district; a new one gets the national tables and is served from here on.
    pub async fn write_district(&self, file: &ImportFile, district: District, counts: Counts) -> Result<()> {
        self.write(file, counts, Changed::District(district)).await
    }

    /// Writes what areas change of those that are there then, and loads their district anew.
    pub async fn write_areas(&self, file: &ImportFile, rows: Vec<Says<Area>>, counts: Counts) -> Result<()> {
        self.write(file, counts, Changed::Areas(rows)).await
    }

    /// Writes what organisations change of those that are there then, and loads their district anew.
    pub async fn write_organizations(
        &self,
        file: &ImportFile,
        rows: Vec<Says<Organization>>,
        counts: Counts,
    ) -> Result<()> {
        self.write(file, counts, Changed::Organizations(rows)).await
    }

    /// Compares lines of a district's tables with those that are there.
    pub fn compare_tables(&self, district: DistrictCode, lines: Vec<TableLine>) -> Compared<TableLine> {
        let catalog = self.context.index.catalog(district).unwrap_or_default();
        compare(lines, |line| match line {
            TableLine::Category(line) => catalog.categories.get(&line.code).map(|known| known == line),
            TableLine::Damage(line) => catalog.damage(line.code.as_str()).map(|known| known == line),
        })
    }

    /// Writes lines of a district's tables and loads the district anew.
    pub async fn write_tables(&self, file: &ImportFile, lines: Vec<TableLine>, counts: Counts) -> Result<()> {
        self.write(file, counts, Changed::Tables(lines)).await
    }

    async fn write(&self, file: &ImportFile, counts: Counts, changed: Changed) -> Result<()> {
        self.is_own(file.district)?;
        let (context, file) = (Arc::clone(&self.context), file.clone());
        let served = Arc::clone(&self.context);
        let work = self.writer.patiently(
            file.district,
            move |conn| {
                Box::pin(async move {
                    let conn = &mut conn.conn();
                    let district = file.district;
                    if let Changed::District(record) = &changed {
                        // Held before what it numbers is written; a new district begins with its first.
                        let seq = head::lock(conn, district).await?.map_or(0, |head| head.seq) + 1;
                        areas::put_district(conn, seq, record).await?;
                        head::create(conn, district).await?;
                        catalog::fill(conn, district, &Catalog::national()).await?;
                    }
                    let seq = log(&context.clock, conn, &file, json!(counts.rows)).await?;
                    let redraws = matches!(changed, Changed::Areas(_) | Changed::District(_));
                    put(conn, district, seq, changed).await?;
                    note(conn, &file, &counts, context.clock.now()).await?;
                    let record = areas::district(conn, district).await?;
                    let record = record.ok_or_else(|| corrupt("district", district))?;
                    let fresh = load::district(&context, conn, record).await?;
                    // Where outlines were redrawn, covers lie in other grids now.
                    if redraws {
                        regrid(conn, &fresh, seq).await?;
                    }
                    Ok((fresh, seq))
                })
            },
            move |(fresh, seq)| served.brought(fresh, seq),
        );
        Ok(work.await?)
    }
}

enum Changed {
    District(District),
    Areas(Vec<Says<Area>>),
    Organizations(Vec<Says<Organization>>),
    Tables(Vec<TableLine>),
}

/// Writes what is news to what is there now: somebody may have corrected it since it was compared.
async fn put(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, changed: Changed) -> StoreResult<()> {
    let (kind, said) = match changed {
        Changed::District(_) => return Ok(()),
        Changed::Tables(lines) => return put_lines(conn, district, &lines).await,
        Changed::Areas(rows) => {
            let Compared { changed, said, .. } = few::areas(conn, district, &rows).await?;
            areas::put(conn, district, seq, &changed).await?;
            (Kind::Area, said)
        }
        Changed::Organizations(rows) => {
            let Compared { changed, said, .. } = few::organizations(conn, district, &rows).await?;
            organizations::put(conn, seq, &changed).await?;
            (Kind::Organization, said)
        }
    };
    few::remember(conn, district, kind, seq, &said).await
}

/// Writes lines into the tables as they are now: memory may be behind what another server wrote.
async fn put_lines(conn: &mut Conn<'_>, district: DistrictCode, lines: &[TableLine]) -> StoreResult<()> {
    let mut catalog = catalog::read(conn, district).await?;
    for line in lines.iter().cloned() {
        match line {
            TableLine::Category(line) => drop(catalog.categories.insert(line.code, line)),
            TableLine::Damage(line) => match catalog.damages.iter_mut().find(|known| known.code == line.code) {
                Some(known) => *known = line,
                None => catalog.damages.push(line),
            },
        }
    }
    catalog::put(conn, district, &catalog).await
}

/// A line of one of a district's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableLine {
    Category(Category),
    Damage(DamageRule),
}

/// `same` compares a row with what is there; `None` where there is nothing.
fn compare<T>(rows: Vec<T>, mut same: impl FnMut(&mut T) -> Option<bool>) -> Compared<T> {
    let mut compared = Compared::with_room_for(rows.len());
    for mut row in rows {
        let outcome = match same(&mut row) {
            None => Outcome::Created,
            Some(false) => Outcome::Updated,
            Some(true) => Outcome::Unchanged,
        };
        compared.outcomes.push(Some(outcome));
        if outcome != Outcome::Unchanged {
            compared.changed.push(row);
        }
    }
    compared
}
