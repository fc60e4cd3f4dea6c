//! Areas, organisations and tables of a file: compared with what is there, written where they differ.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use super::{Counts, ImportFile, Outcome, log, note};
use crate::domain::catalog::{Catalog, Category};
use crate::domain::deadline::DamageRule;
use crate::domain::grid::District;
use crate::domain::id::DistrictCode;
use crate::domain::organization::Organization;
use crate::service::edit::areas::regrid;
use crate::service::error::Result;
use crate::service::{Guli, load};
use crate::store::areas::{self, Area, Areas};
use crate::store::{Conn, Result as StoreResult, catalog, corrupt, head, organizations};

/// How many organisations are read at most.
const ORGANIZATIONS: i64 = 1_000_000;

/// Rows that were compared with what is there: an outcome each, and what is to be written.
#[derive(Debug)]
pub struct Compared<T> {
    pub outcomes: Vec<Outcome>,
    pub changed: Vec<T>,
}

impl Guli {
    /// All areas of a district.
    pub async fn all_areas(&self, district: DistrictCode) -> Result<Areas> {
        Ok(areas::all(&mut self.store.read().await?.conn(), district, None).await?)
    }

    /// All organisations.
    pub async fn all_organizations(&self) -> Result<Vec<Organization>> {
        Ok(organizations::list(&mut self.store.read().await?.conn(), "", ORGANIZATIONS).await?)
    }

    /// Compares a district with the one that is there.
    pub async fn compare_district(&self, district: District) -> Result<Compared<District>> {
        let known = self.district_records().await?.into_iter().find(|known| known.code == district.code);
        let outcome = outcome_of(known.as_ref().map(|known| *known == district));
        let changed = if outcome == Outcome::Unchanged { Vec::new() } else { vec![district] };
        Ok(Compared { outcomes: vec![outcome], changed })
    }

    /// Compares areas of one level with those that are there.
    pub async fn compare_areas(&self, district: DistrictCode, areas: Vec<Area>) -> Result<Compared<Area>> {
        let codes: Vec<u64> = areas.iter().map(|area| area.code).collect();
        let mut reader = self.store.read().await?;
        let known = areas::known(&mut reader.conn(), district, &codes).await?;
        let known: HashMap<u64, Area> = known.into_iter().map(|area| (area.code, area)).collect();
        let removed: HashMap<u64, i64> = areas::removed(&mut reader.conn(), district).await?.into_iter().collect();
        Ok(compare(areas, |area| {
            let Some(known) = known.get(&area.code) else {
                // One that was removed goes on after its removal.
                area.version = removed.get(&area.code).map_or(1, |last| last + 2);
                return None;
            };
            area.version = known.version;
            let same = known == area;
            area.version += 1;
            Some(same)
        }))
    }

    /// Compares organisations with those that are there.
    pub async fn compare_organizations(&self, organizations: Vec<Organization>) -> Result<Compared<Organization>> {
        let known: HashMap<_, _> = self.all_organizations().await?.into_iter().map(|o| (o.code.clone(), o)).collect();
        Ok(compare(organizations, |organization| {
            let known = known.get(&organization.code)?;
            organization.version = known.version;
            let same = known == organization;
            organization.version += 1;
            Some(same)
        }))
    }

    /// Writes a district; a new one gets the national tables and is served from here on.
    pub async fn write_district(&self, file: &ImportFile, district: District, counts: Counts) -> Result<()> {
        self.write(file, counts, Changed::District(district)).await
    }

    /// Writes areas and loads their district anew.
    pub async fn write_areas(&self, file: &ImportFile, areas: Vec<Area>, counts: Counts) -> Result<()> {
        self.write(file, counts, Changed::Areas(areas)).await
    }

    /// Writes organisations and loads their district anew.
    pub async fn write_organizations(
        &self,
        file: &ImportFile,
        organizations: Vec<Organization>,
        counts: Counts,
    ) -> Result<()> {
        self.write(file, counts, Changed::Organizations(organizations)).await
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
                        areas::put_district(conn, record).await?;
                        head::create(conn, district).await?;
                        catalog::fill(conn, district, &Catalog::national()).await?;
                    }
                    let seq = log(&context.clock, conn, &file, json!(counts.rows)).await?;
                    match &changed {
                        Changed::District(_) => {}
                        Changed::Areas(changed) => areas::put(conn, district, seq, changed).await?,
                        Changed::Organizations(changed) => organizations::put(conn, seq, changed).await?,
                        Changed::Tables(lines) => put_lines(conn, district, lines).await?,
                    }
                    note(conn, &file, &counts, context.clock.now()).await?;
                    let record = areas::district(conn, district).await?;
                    let record = record.ok_or_else(|| corrupt("district", district))?;
                    let fresh = load::district(&context, conn, record).await?;
                    // Where outlines were redrawn, covers lie in other grids now.
                    if matches!(changed, Changed::Areas(_) | Changed::District(_)) {
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
    Areas(Vec<Area>),
    Organizations(Vec<Organization>),
    Tables(Vec<TableLine>),
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

/// Whether a row is new (`None`), other than what is there, or the same.
fn outcome_of(same: Option<bool>) -> Outcome {
    match same {
        None => Outcome::Created,
        Some(false) => Outcome::Updated,
        Some(true) => Outcome::Unchanged,
    }
}

/// `same` compares a row with what is there and gives it the version that it would be written with.
fn compare<T>(rows: Vec<T>, mut same: impl FnMut(&mut T) -> Option<bool>) -> Compared<T> {
    let mut compared = Compared { outcomes: Vec::with_capacity(rows.len()), changed: Vec::new() };
    for mut row in rows {
        let outcome = outcome_of(same(&mut row));
        compared.outcomes.push(outcome);
        if outcome != Outcome::Unchanged {
            compared.changed.push(row);
        }
    }
    compared
}
