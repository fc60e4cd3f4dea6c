//! Covers: the present, and reading them in bulk.

use std::collections::HashSet;

use futures_util::TryStreamExt as _;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, Result, corrupt, dialect, each};
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::{Accuracy, Cover, LoadClass, Material, Place, Shape, Spec, Status};
use crate::domain::id::{CoverCode, CoverId, DistrictCode, GridCode, ImportId, OrgCode};
use crate::domain::position::Position;

/// The columns that say what a cover is, in `cover`, `cover_version` and `cover_stage` alike.
pub(super) const FIELDS: &str = "owner, responsible_unit, lon, lat, accuracy, status, shape, opening_mm, \
    opening_width_mm, depth_mm, material, load_class, place, installed, grid";

/// Binds the columns of [`FIELDS`].
macro_rules! bind_fields {
    ($row:ident, $cover:expr) => {{
        let cover: &Cover = $cover;
        let spec = &cover.spec;
        $row.push_bind(cover.owner.as_ref().map(|code| code.as_str()))
            .push_bind(cover.responsible_unit.as_ref().map(|code| code.as_str()))
            .push_bind(cover.position.lon())
            .push_bind(cover.position.lat())
            .push_bind(cover.accuracy.as_str())
            .push_bind(cover.status.as_str())
            .push_bind(spec.shape.map(|word| word.as_str()))
            .push_bind(spec.opening_mm.map(i64::from))
            .push_bind(spec.opening_width_mm.map(i64::from))
            .push_bind(spec.depth_mm.map(i64::from))
            .push_bind(spec.material.map(|word| word.as_str()))
            .push_bind(spec.load_class.map(|word| word.as_str()))
            .push_bind(spec.place.map(|word| word.as_str()))
            .push_bind(spec.installed.map(i64::from))
            .push_bind(cover.grid.map(|grid| grid.number().cast_signed()));
    }};
}
pub(super) use bind_fields;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    code: i64,
    id: Vec<u8>,
    version: i64,
    owner: Option<String>,
    responsible_unit: Option<String>,
    lon: f64,
    lat: f64,
    accuracy: String,
    status: String,
    shape: Option<String>,
    opening_mm: Option<i64>,
    opening_width_mm: Option<i64>,
    depth_mm: Option<i64>,
    material: Option<String>,
    load_class: Option<String>,
    place: Option<String>,
    installed: Option<i64>,
    grid: Option<i64>,
}

fn word<T>(what: &'static str, text: Option<&str>, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
    text.map(|text| parse(text).ok_or_else(|| corrupt(what, text))).transpose()
}

fn small(value: Option<i64>) -> Result<Option<u16>> {
    value.map(|value| u16::try_from(value).map_err(|e| corrupt("a length", e))).transpose()
}

impl Row {
    pub(super) fn read(self) -> Result<Cover> {
        Ok(Cover {
            id: Uuid::from_slice(&self.id).map(CoverId).map_err(|e| corrupt("a cover's id", e))?,
            code: CoverCode::from_number(self.code.unsigned_abs())
                .ok_or_else(|| corrupt("a cover's code", self.code))?,
            owner: word("an owner", self.owner.as_deref(), |text| text.parse().ok())?,
            responsible_unit: word("a unit", self.responsible_unit.as_deref(), |text| text.parse().ok())?,
            position: Position::new(self.lon, self.lat).map_err(|e| corrupt("a position", e))?,
            accuracy: Accuracy::parse(&self.accuracy).ok_or_else(|| corrupt("an accuracy", &self.accuracy))?,
            status: Status::parse(&self.status).ok_or_else(|| corrupt("a status", &self.status))?,
            spec: Spec {
                shape: word("a shape", self.shape.as_deref(), Shape::parse)?,
                opening_mm: small(self.opening_mm)?,
                opening_width_mm: small(self.opening_width_mm)?,
                depth_mm: small(self.depth_mm)?,
                material: word("a material", self.material.as_deref(), Material::parse)?,
                load_class: word("a load class", self.load_class.as_deref(), LoadClass::parse)?,
                place: word("a place", self.place.as_deref(), Place::parse)?,
                installed: small(self.installed)?,
            },
            grid: self
                .grid
                .map(|grid| GridCode::from_number(grid.unsigned_abs()).ok_or_else(|| corrupt("a grid", grid)))
                .transpose()?,
            version: self.version,
        })
    }
}

/// Gives every cover of a district to `take`, in no order and without holding them all; as they are, or
/// as they were after the event `as_of`.
pub async fn each_of(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    as_of: Option<i64>,
    take: impl FnMut(Cover),
) -> Result<()> {
    read_each(conn, district, as_of, 0, take).await
}

/// Gives every cover of a district that changed after an event to `take`, as it now is.
pub async fn changed_since(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    seq: i64,
    take: impl FnMut(Cover),
) -> Result<()> {
    read_each(conn, district, None, seq, take).await
}

async fn read_each(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    as_of: Option<i64>,
    since: i64,
    mut take: impl FnMut(Cover),
) -> Result<()> {
    each!(conn, c => {
        let columns = format!("code, id, version, {FIELDS}");
        let from = super::at("cover", &format!("district, seq_from, {columns}"), as_of);
        let mut sql = QueryBuilder::<Db>::new(format!("SELECT {columns} FROM {from} WHERE district = "));
        sql.push_bind(district.as_i64());
        if since > 0 {
            sql.push(" AND seq_from > ").push_bind(since);
        }
        let mut query = sql.build_query_as::<Row>();
        // Read once at the start: nothing of it is worth a place among the prepared statements.
        query = query.persistent(false);
        let mut rows = query.fetch(c);
        while let Some(row) = rows.try_next().await? {
            take(row.read()?);
        }
    });
    Ok(())
}

/// What a list of covers is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// First and last grid number: a parent area, or one grid.
    pub grids: Vec<(u64, u64)>,
    /// west, south, east, north in degrees.
    pub bounds: Option<[f64; 4]>,
    /// Empty lists narrow nothing.
    pub categories: Vec<CategoryCode>,
    pub owners: Vec<OrgCode>,
    pub responsible_units: Vec<OrgCode>,
    pub statuses: Vec<Status>,
    /// All of these are said of the cover.
    pub words: Vec<Word>,
    /// The last code already given.
    pub after: Option<CoverCode>,
    pub limit: i64,
}

/// A word, and what it may mean in a district.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// As departments number their covers.
    pub external_id: String,
    /// Codes that begin so.
    pub codes: Option<(u64, u64)>,
    /// Covers that have or had this code.
    pub covers: Vec<CoverId>,
    /// Categories that are called so.
    pub categories: Vec<CategoryCode>,
    /// Owners and responsible units that are called so.
    pub units: Vec<String>,
}

/// The codes of covers as wanted, by code. Removed ones are not listed.
pub async fn list(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    as_of: Option<i64>,
    wanted: &Wanted,
) -> Result<Vec<CoverCode>> {
    let from = super::at("cover", "district, id, code, status, grid, lon, lat, owner, responsible_unit", as_of);
    let numbers: Vec<i64> = each!(conn, c => {
        let mut sql =
            QueryBuilder::<Db>::new(format!("SELECT code FROM {from} WHERE status <> 'removed' AND district = "));
        sql.push_bind(district.as_i64());
        if !wanted.grids.is_empty() {
            sql.push(" AND (1 = 0");
            for (from, to) in &wanted.grids {
                sql.push(" OR grid BETWEEN ").push_bind(from.cast_signed());
                sql.push(" AND ").push_bind(to.cast_signed());
            }
            sql.push(")");
        }
        if let Some([west, south, east, north]) = wanted.bounds {
            sql.push(" AND lon BETWEEN ").push_bind(west).push(" AND ").push_bind(east);
            sql.push(" AND lat BETWEEN ").push_bind(south).push(" AND ").push_bind(north);
        }
        if !wanted.categories.is_empty() {
            sql.push(" AND (1 = 0");
            for category in &wanted.categories {
                let (first, last) = codes_of(district, *category);
                sql.push(" OR code BETWEEN ").push_bind(first.cast_signed());
                sql.push(" AND ").push_bind(last.cast_signed());
            }
            sql.push(")");
        }
        for word in &wanted.words {
            sql.push(" AND (id IN (SELECT cover FROM cover_source WHERE district = ").push_bind(district.as_i64());
            sql.push(" AND external_id = ").push_bind(word.external_id.as_str()).push(")");
            let categories = word.categories.iter().map(|category| codes_of(district, *category));
            for (first, last) in categories.chain(word.codes) {
                sql.push(" OR code BETWEEN ").push_bind(first.cast_signed());
                sql.push(" AND ").push_bind(last.cast_signed());
            }
            for cover in &word.covers {
                sql.push(" OR id = ").push_bind(cover.0.as_bytes().to_vec());
            }
            for unit in &word.units {
                sql.push(" OR owner = ").push_bind(unit.as_str());
                sql.push(" OR responsible_unit = ").push_bind(unit.as_str());
            }
            sql.push(")");
        }
        let statuses: Vec<&str> = wanted.statuses.iter().map(|status| status.as_str()).collect();
        let owners: Vec<&str> = wanted.owners.iter().map(OrgCode::as_str).collect();
        let units: Vec<&str> = wanted.responsible_units.iter().map(OrgCode::as_str).collect();
        for (column, values) in [("status", statuses), ("owner", owners), ("responsible_unit", units)] {
            if !values.is_empty() {
                sql.push(" AND ").push(column).push(" IN (");
                let mut list = sql.separated(", ");
                for value in values {
                    list.push_bind(value.to_owned());
                }
                sql.push(")");
            }
        }
        if let Some(after) = wanted.after {
            sql.push(" AND code > ").push_bind(after.number().cast_signed());
        }
        sql.push(" ORDER BY code LIMIT ").push_bind(wanted.limit);
        sql.build_query_scalar().fetch_all(c).await?
    });
    numbers
        .into_iter()
        .map(|number| CoverCode::from_number(number.unsigned_abs()).ok_or_else(|| corrupt("a cover's code", number)))
        .collect()
}

/// First and last code of a category in a district.
pub(super) fn codes_of(district: DistrictCode, category: CategoryCode) -> (u64, u64) {
    let first = (district.number() * 10_000 + u64::from(category.number())) * 1_000_000;
    (first, first + 999_999)
}

/// Where the covers of staged rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// Before they are applied, in the stage: all of them are new.
    New,
    /// After they were applied, in the registry: some had an earlier version.
    Applied,
}

/// The covers of staged rows from `first` to `last`.
pub async fn of_stage(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    (first, last): (u64, u64),
    staged: Staged,
) -> Result<Vec<Cover>> {
    let (from, close) = match staged {
        Staged::New => (
            format!("SELECT code, id, CAST(1 AS BIGINT) AS version, {FIELDS} FROM cover_stage WHERE seen IS NULL AND "),
            "",
        ),
        Staged::Applied => (
            format!("SELECT code, id, version, {FIELDS} FROM cover WHERE id IN (SELECT id FROM cover_stage WHERE "),
            ") AND district = ",
        ),
    };
    let rows: Vec<Row> = each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(from);
        sql.push("district = ").push_bind(district.as_i64())
            .push(" AND import = ").push_bind(import.0.as_bytes().to_vec())
            .push(" AND row_number BETWEEN ").push_bind(first.cast_signed())
            .push(" AND ").push_bind(last.cast_signed())
            .push(close);
        if staged == Staged::Applied {
            sql.push_bind(district.as_i64());
        }
        sql.build_query_as().fetch_all(c).await?
    });
    rows.into_iter().map(Row::read).collect()
}

/// The versions of covers.
pub async fn versions(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    ids: &[CoverId],
) -> Result<std::collections::HashMap<CoverId, i64>> {
    let mut versions = std::collections::HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(super::ROWS_PER_STATEMENT) {
        let rows: Vec<(Vec<u8>, i64)> = each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new("SELECT id, version FROM cover WHERE district = ");
            sql.push_bind(district.as_i64()).push(" AND id IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|id| { list.push_bind(id.0.as_bytes().to_vec()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for (id, version) in rows {
            versions.insert(Uuid::from_slice(&id).map(CoverId).map_err(|e| corrupt("a cover's id", e))?, version);
        }
    }
    Ok(versions)
}

/// Where covers came from: `source/external id` by code.
pub async fn sources(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    codes: &[CoverCode],
) -> Result<Vec<(CoverCode, String)>> {
    sources_in(conn, ("cover", "INDEXED BY sqlite_autoindex_cover_2"), district, codes).await
}

async fn sources_in(
    conn: &mut Conn<'_>,
    (table, index): (&'static str, &'static str),
    district: DistrictCode,
    codes: &[CoverCode],
) -> Result<Vec<(CoverCode, String)>> {
    let mut found = Vec::new();
    let index = dialect::by(conn, index);
    for chunk in codes.chunks(super::ROWS_PER_STATEMENT) {
        let rows: Vec<(i64, String)> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(format!("SELECT code, source FROM {table} {index} WHERE district = "));
            sql.push_bind(district.as_i64()).push(" AND code IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|code| { list.push_bind(code.number().cast_signed()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for (number, source) in rows {
            let code =
                CoverCode::from_number(number.unsigned_abs()).ok_or_else(|| corrupt("a cover's code", number))?;
            found.push((code, source));
        }
    }
    Ok(found)
}

/// Where covers came from that had these codes in the past.
pub async fn former_sources(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    codes: &[CoverCode],
) -> Result<Vec<(CoverCode, String)>> {
    const ANY: &str = "SELECT district FROM cover_version WHERE district = $1 LIMIT 1";
    let any: Option<i64> = each!(conn, c => sqlx::query_scalar(ANY).bind(district.as_i64()).fetch_optional(c).await?);
    if any.is_none() {
        return Ok(Vec::new());
    }
    sources_in(conn, ("cover_version", "INDEXED BY cover_version_code"), district, codes).await
}

/// Those of these codes that covers have or once had.
pub async fn given(conn: &mut Conn<'_>, district: DistrictCode, codes: &[CoverCode]) -> Result<HashSet<CoverCode>> {
    let mut given = sources(conn, district, codes).await?;
    given.extend(former_sources(conn, district, codes).await?);
    Ok(given.into_iter().map(|(code, _)| code).collect())
}

/// The highest sequence that covers of a category have or once had: none is given twice.
pub async fn last_sequence(conn: &mut Conn<'_>, district: DistrictCode, category: CategoryCode) -> Result<u32> {
    const SQL: &str = "SELECT max(last) FROM (\
        SELECT max(code) AS last FROM cover WHERE district = $1 AND code BETWEEN $2 AND $3 UNION ALL \
        SELECT max(code) AS last FROM cover_version WHERE district = $1 AND code BETWEEN $2 AND $3) AS given";
    let (first, end) = codes_of(district, category);
    let last: Option<i64> = each!(conn, c => sqlx::query_scalar(SQL)
        .bind(district.as_i64())
        .bind(first.cast_signed())
        .bind(end.cast_signed())
        .fetch_one(c)
        .await?);
    Ok(last.map_or(0, |last| u32::try_from(last.unsigned_abs() - first).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::domain::catalog::CategoryCode;
    use crate::store::{DatabaseUrl, Store};

    /// Many codes are looked up one by one, however many covers there are.
    #[tokio::test]
    async fn codes_are_found_without_reading_all_covers() {
        const COVERS: u32 = 20_000;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::sqlite(&dir.path().join("guli.db")), None).await.unwrap();
        let mut writer = store.write().await.unwrap();
        let Conn::Sqlite(file) = writer.conn() else { panic!("another database") };
        let sql = format!(
            "WITH RECURSIVE one (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM one WHERE n < {COVERS}) \
             INSERT INTO cover (district, code, id, lon, lat, accuracy, status, version, seq_from, source) \
             SELECT 370203, 3702030103000000 + n, randomblob(16), 120.3, 36.1, 'A', 'in_service', 1, 1, 's/' || n FROM one"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *file).await.unwrap();
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        file.lock_handle().await.unwrap().set_progress_handler(10, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            true
        });
        let (district, storm) = (DistrictCode::from_number(370_203).unwrap(), CategoryCode::from_number(103).unwrap());
        let codes: Vec<_> = (1..=400).map(|n| CoverCode::new(district, storm, 50 * n).unwrap()).collect();
        let found = sources(&mut Conn::Sqlite(file), district, &codes).await.unwrap();
        assert_eq!(found.len(), codes.len());
        assert!(steps.load(Ordering::Relaxed) < 2_000, "{} times ten steps", steps.load(Ordering::Relaxed));
    }
}
