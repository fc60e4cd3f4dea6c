//! Districts and their areas: sub-districts, communities, grids.

use std::collections::BTreeSet;

use geo::MultiPolygon;
use sha2::{Digest as _, Sha256};
use sqlx::QueryBuilder;

use super::insert::Insert;
use super::{Conn, Result, corrupt, each, wkb};
use crate::domain::grid::{Community, District, Grid, Subdistrict};
use crate::domain::id::{CommunityCode, DistrictCode, GridCode, OrgCode, SubdistrictCode};

/// A sub-district, community or grid as stored: the number of digits says which.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    pub code: u64,
    pub name: String,
    /// Grids only: the section that supervises.
    pub supervising_department: Option<String>,
    pub outline: MultiPolygon<f64>,
    pub version: i64,
}

/// The levels of areas below the district.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Subdistrict,
    Community,
    Grid,
}

impl Level {
    /// As paths and lists call the areas of it.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Subdistrict => "subdistricts",
            Self::Community => "communities",
            Self::Grid => "grids",
        }
    }

    /// The level that the digits of a code tell.
    pub fn of(code: u64) -> Self {
        match code.checked_ilog10().unwrap_or(0) {
            8 => Self::Subdistrict,
            11 => Self::Community,
            _ => Self::Grid,
        }
    }

    /// First and last code of the level within an area of any higher level, given by its digits.
    pub fn within(self, parent: u64) -> (u64, u64) {
        let digits = match self {
            Self::Subdistrict => 9,
            Self::Community => 12,
            Self::Grid => 15,
        };
        let span = 10u64.pow(digits - parent.ilog10() - 1);
        (parent * span, parent * span + span - 1)
    }

    /// The same of several; none of a whole district, which narrows nothing.
    pub fn within_all(self, parents: &[u64]) -> Vec<(u64, u64)> {
        parents.iter().filter(|&&parent| parent > 999_999).map(|&parent| self.within(parent)).collect()
    }

    /// The level of the areas that lie within one of this level.
    pub const fn below(self) -> Option<Self> {
        match self {
            Self::Subdistrict => Some(Self::Community),
            Self::Community => Some(Self::Grid),
            Self::Grid => None,
        }
    }
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    code: i64,
    name: String,
    supervising_department: Option<String>,
    outline: Vec<u8>,
    version: i64,
}

impl Row {
    fn read(self) -> Result<Area> {
        Ok(Area {
            code: self.code.unsigned_abs(),
            name: self.name,
            supervising_department: self.supervising_department,
            outline: wkb::read(&self.outline)?,
            version: self.version,
        })
    }
}

/// Every district in the database.
pub async fn districts(conn: &mut Conn<'_>) -> Result<Vec<District>> {
    const SQL: &str = "SELECT district, name, outline FROM district ORDER BY district";
    let rows: Vec<DistrictRow> = each!(conn, c => sqlx::query_as(SQL).fetch_all(c).await?);
    rows.into_iter().map(read_district).collect()
}

/// The codes of every district in the database.
pub async fn district_codes(conn: &mut Conn<'_>) -> Result<Vec<DistrictCode>> {
    const SQL: &str = "SELECT district FROM district ORDER BY district";
    let codes: Vec<i64> = each!(conn, c => sqlx::query_scalar(SQL).fetch_all(c).await?);
    codes.into_iter().map(read_code).collect()
}

/// One district.
pub async fn district(conn: &mut Conn<'_>, code: DistrictCode) -> Result<Option<District>> {
    Ok(district_at(conn, code, None).await?.map(|(district, _)| district))
}

/// One district with its version; as it is, or as it was after the event `as_of`.
pub async fn district_at(
    conn: &mut Conn<'_>,
    code: DistrictCode,
    as_of: Option<i64>,
) -> Result<Option<(District, i64)>> {
    let columns = "district, name, outline, version";
    let sql = format!("SELECT {columns} FROM {} WHERE district = $1", super::at("district", columns, as_of));
    let row: Option<(i64, String, Vec<u8>, i64)> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(code.as_i64()).fetch_optional(c).await?);
    row.map(|(code, name, outline, version)| Ok((read_district((code, name, outline))?, version))).transpose()
}

/// The outlines that districts once had.
pub async fn former_outlines(conn: &mut Conn<'_>) -> Result<Vec<District>> {
    const SQL: &str = "SELECT district, name, outline FROM district_version ORDER BY district, version";
    let rows: Vec<DistrictRow> = each!(conn, c => sqlx::query_as(SQL).fetch_all(c).await?);
    rows.into_iter().map(read_district).collect()
}

/// Every state of a district, in the form of an area's.
pub async fn district_states(conn: &mut Conn<'_>, code: DistrictCode) -> Result<Vec<AreaState>> {
    const SQL: &str = "SELECT district AS code, name, NULL AS supervising_department, outline, version, seq_from, seq_to \
        FROM district_version WHERE district = $1 UNION ALL \
        SELECT district, name, NULL, outline, version, seq_from, NULL FROM district WHERE district = $1 ORDER BY version";
    let rows: Vec<StateRow> = each!(conn, c => sqlx::query_as(SQL).bind(code.as_i64()).fetch_all(c).await?);
    rows.into_iter().map(StateRow::read).collect()
}

type DistrictRow = (i64, String, Vec<u8>);

fn read_code(code: i64) -> Result<DistrictCode> {
    DistrictCode::from_number(code.unsigned_abs()).ok_or_else(|| corrupt("a district", code))
}

fn read_district((code, name, outline): DistrictRow) -> Result<District> {
    Ok(District { code: read_code(code)?, name, outline: wkb::read(&outline)? })
}

/// The versions of the districts, by code.
pub async fn district_versions(conn: &mut Conn<'_>) -> Result<Vec<(DistrictCode, i64)>> {
    const SQL: &str = "SELECT district, version FROM district ORDER BY district";
    let rows: Vec<(i64, i64)> = each!(conn, c => sqlx::query_as(SQL).fetch_all(c).await?);
    rows.into_iter().map(|(district, version)| Ok((read_code(district)?, version))).collect()
}

/// Creates or changes a district; what it was goes to the past.
pub async fn put_district(conn: &mut Conn<'_>, seq: i64, district: &District) -> Result<()> {
    const PAST: &str = "INSERT INTO district_version (district, name, outline, version, seq_from, seq_to) \
        SELECT district, name, outline, version, seq_from, $2 FROM district WHERE district = $1";
    const SQL: &str = "INSERT INTO district (district, name, outline, version, seq_from) VALUES ($1, $2, $3, 1, $4) \
        ON CONFLICT (district) DO UPDATE SET name = excluded.name, outline = excluded.outline, \
        version = district.version + 1, seq_from = excluded.seq_from";
    let (code, outline) = (district.code.as_i64(), wkb::write(&district.outline)?);
    each!(&mut *conn, c => sqlx::query(PAST).bind(code).bind(seq).execute(c).await.map(drop)?);
    each!(conn, c => sqlx::query(SQL).bind(code).bind(district.name.as_str()).bind(outline.as_slice()).bind(seq)
        .execute(c).await.map(drop)?);
    Ok(())
}

const COLUMNS: &str = "code, name, supervising_department, outline, version";

/// The areas of one level, by code, after `after`; as they are, or as they were after the event `as_of`.
pub async fn list(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    as_of: Option<i64>,
    range: (u64, u64),
    after: u64,
    limit: i64,
) -> Result<Vec<Area>> {
    let from = super::at("area", &format!("district, {COLUMNS}"), as_of);
    let sql = format!(
        "SELECT {COLUMNS} FROM {from} WHERE district = $1 AND code BETWEEN $2 AND $3 AND code > $4 \
         ORDER BY code LIMIT $5"
    );
    let rows: Vec<Row> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64()).bind(range.0.cast_signed()).bind(range.1.cast_signed()).bind(after.cast_signed()).bind(limit)
        .fetch_all(c).await?);
    rows.into_iter().map(Row::read).collect()
}

/// All areas of a district, by level.
#[derive(Debug, Default)]
pub struct Areas {
    pub subdistricts: Vec<Subdistrict>,
    pub communities: Vec<Community>,
    pub grids: Vec<Grid>,
}

pub async fn all(conn: &mut Conn<'_>, district: DistrictCode, as_of: Option<i64>) -> Result<Areas> {
    let mut areas = Areas::default();
    for area in list(conn, district, as_of, (0, i64::MAX.unsigned_abs()), 0, i64::MAX).await? {
        let Area { code, name, supervising_department, outline, version } = area;
        if let Some(code) = SubdistrictCode::from_number(code) {
            areas.subdistricts.push(Subdistrict { code, name, outline, version });
        } else if let Some(code) = CommunityCode::from_number(code) {
            areas.communities.push(Community { code, name, outline, version });
        } else if let Some(code) = GridCode::from_number(code) {
            let supervising_department =
                supervising_department.map(|text| text.parse().map_err(|e| corrupt("a department", e))).transpose()?;
            areas.grids.push(Grid { code, name, supervising_department, outline, version });
        } else {
            return Err(corrupt("an area's code", code));
        }
    }
    Ok(areas)
}

/// The versions of areas that are there, by code.
pub async fn known(conn: &mut Conn<'_>, district: DistrictCode, codes: &[u64]) -> Result<Vec<Area>> {
    let mut found = Vec::new();
    for chunk in codes.chunks(super::ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "SELECT code, name, supervising_department, outline, version FROM area WHERE district = ",
            );
            sql.push_bind(district.as_i64()).push(" AND code IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|code| { list.push_bind(code.cast_signed()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for row in rows {
            found.push(row.read()?);
        }
    }
    Ok(found)
}

/// Writes areas as they now are; a superseded state goes to the past.
pub async fn put(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, areas: &[Area]) -> Result<()> {
    for chunk in areas.chunks(super::ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut past = QueryBuilder::<Db>::new(
                "INSERT INTO area_version (district, code, name, supervising_department, outline, version, seq_from, seq_to) \
                 SELECT district, code, name, supervising_department, outline, version, seq_from, ",
            );
            past.push_bind(seq).push(" FROM area WHERE district = ").push_bind(district.as_i64()).push(" AND code IN (");
            let mut list = past.separated(", ");
            chunk.iter().for_each(|area| { list.push_bind(area.code.cast_signed()); });
            past.push(") ON CONFLICT DO NOTHING");
            past.build().execute(c).await.map(drop)?;
        });
    }
    let outlined = areas.iter().map(|area| Ok((area, wkb::write(&area.outline)?))).collect::<Result<Vec<_>>>()?;
    Insert::into("area", district.as_i64(), &outlined)
        .integer("code", |(area, _)| area.code.cast_signed())
        .text("name", |(area, _)| area.name.as_str())
        .maybe_text("supervising_department", |(area, _)| area.supervising_department.as_deref())
        .bytes("outline", |(_, outline)| outline)
        .integer("version", |(area, _)| area.version)
        .integer("seq_from", |_| seq)
        .on_conflict(
            "(district, code) DO UPDATE SET name = excluded.name, \
             supervising_department = excluded.supervising_department, outline = excluded.outline, \
             version = excluded.version, seq_from = excluded.seq_from",
        )
        .rows()
        .write(conn)
        .await
}

/// Puts areas into the past: from the event `seq` on they are no more.
pub async fn remove(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, codes: &[u64]) -> Result<()> {
    for chunk in codes.chunks(super::ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut past = QueryBuilder::<Db>::new(format!(
                "INSERT INTO area_version (district, {COLUMNS}, seq_from, seq_to) SELECT district, {COLUMNS}, seq_from, "
            ));
            past.push_bind(seq).push(" FROM area WHERE district = ").push_bind(district.as_i64()).push(" AND code IN (");
            let mut list = past.separated(", ");
            chunk.iter().for_each(|code| { list.push_bind(code.cast_signed()); });
            past.push(")");
            past.build().execute(&mut *c).await.map(drop)?;
            let mut gone = QueryBuilder::<Db>::new("DELETE FROM area WHERE district = ");
            gone.push_bind(district.as_i64()).push(" AND code IN (");
            let mut list = gone.separated(", ");
            chunk.iter().for_each(|code| { list.push_bind(code.cast_signed()); });
            gone.push(")");
            gone.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// Every state of an area with the event that it is from, the oldest first, and the event that ended the last one.
pub async fn states(conn: &mut Conn<'_>, district: DistrictCode, code: u64) -> Result<Vec<AreaState>> {
    let sql = format!(
        "SELECT {COLUMNS}, seq_from, seq_to FROM area_version WHERE district = $1 AND code = $2 UNION ALL \
         SELECT {COLUMNS}, seq_from, NULL FROM area WHERE district = $1 AND code = $2 ORDER BY seq_from"
    );
    let rows: Vec<StateRow> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64()).bind(code.cast_signed()).fetch_all(c).await?);
    rows.into_iter().map(StateRow::read).collect()
}

/// The departments that supervise grids of a district, known or not: of how many, and the first of them.
pub async fn supervising(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<(OrgCode, i64, u64)>> {
    const SQL: &str = "SELECT supervising_department, count(*), min(code) FROM area \
        WHERE district = $1 AND code >= 100000000000000 AND supervising_department IS NOT NULL \
        GROUP BY supervising_department ORDER BY supervising_department";
    let rows: Vec<(String, i64, i64)> =
        each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).fetch_all(c).await?);
    let read = |(unit, grids, first): (String, i64, i64)| {
        Ok((unit.parse().map_err(|e| corrupt("a department", e))?, grids, first.unsigned_abs()))
    };
    rows.into_iter().map(read).collect()
}

/// The codes of the areas that an event changed: made, remade or removed.
pub async fn changed_by(conn: &mut Conn<'_>, district: DistrictCode, seq: i64) -> Result<Vec<u64>> {
    const SQL: &str = "SELECT code FROM area WHERE district = $1 AND seq_from = $2 UNION \
        SELECT code FROM area_version WHERE district = $1 AND (seq_from = $2 OR seq_to = $2) ORDER BY code";
    let codes: Vec<i64> =
        each!(conn, c => sqlx::query_scalar(SQL).bind(district.as_i64()).bind(seq).fetch_all(c).await?);
    Ok(codes.into_iter().map(i64::unsigned_abs).collect())
}

/// An area as it was from one event on, until another.
#[derive(Debug, Clone)]
pub struct AreaState {
    pub area: Area,
    pub seq_from: i64,
    /// `None` for the present.
    pub seq_to: Option<i64>,
}

#[derive(Debug, sqlx::FromRow)]
struct StateRow {
    #[sqlx(flatten)]
    row: Row,
    seq_from: i64,
    seq_to: Option<i64>,
}

impl StateRow {
    fn read(self) -> Result<AreaState> {
        Ok(AreaState { area: self.row.read()?, seq_from: self.seq_from, seq_to: self.seq_to })
    }
}

/// The states of areas that say what was delivered of them last, but for what was kept.
pub async fn as_delivered(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<Area>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT {COLUMNS}, seq_from FROM area WHERE district = $1 UNION ALL \
         SELECT {COLUMNS}, seq_from FROM area_version WHERE district = $1) AS state \
         JOIN delivered ON delivered.record = CAST(state.code AS TEXT) AND delivered.stands = state.seq_from \
         WHERE delivered.district = $1 AND delivered.kind = 'area'"
    );
    let rows: Vec<Row> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64()).fetch_all(c).await?);
    rows.into_iter().map(Row::read).collect()
}

/// What tells one outline from another.
pub fn outline_digest(outline: &MultiPolygon<f64>) -> Result<String> {
    Ok(super::digest_text(&Sha256::digest(wkb::write(outline)?)))
}

/// Codes and last versions of areas that were removed.
pub async fn removed(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<(u64, i64)>> {
    const SQL: &str = "SELECT code, max(version) FROM area_version WHERE district = $1 \
        AND code NOT IN (SELECT code FROM area WHERE district = $1) GROUP BY code";
    let rows: Vec<(i64, i64)> = each!(conn, c => sqlx::query_as(SQL).bind(district.as_i64()).fetch_all(c).await?);
    Ok(rows.into_iter().map(|(code, version)| (code.unsigned_abs(), version)).collect())
}

/// The codes of a range that areas have or had.
pub async fn codes_given(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    (first, last): (u64, u64),
) -> Result<BTreeSet<u64>> {
    const SQL: &str = "SELECT code FROM area WHERE district = $1 AND code BETWEEN $2 AND $3 UNION \
        SELECT code FROM area_version WHERE district = $1 AND code BETWEEN $2 AND $3";
    let codes: Vec<i64> = each!(conn, c => sqlx::query_scalar(SQL)
        .bind(district.as_i64()).bind(first.cast_signed()).bind(last.cast_signed()).fetch_all(c).await?);
    Ok(codes.into_iter().map(i64::unsigned_abs).collect())
}
