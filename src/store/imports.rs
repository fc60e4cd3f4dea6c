//! Imports: what is noted of them, and what is known of the records that they brought.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::cover_history::{self, CoverState};
use super::{Conn, ROWS_PER_STATEMENT, Result, StoreError, corrupt, delivered, each};
use crate::domain::cover::{Cover, CoverDraft};
use crate::domain::id::{CoverCode, CoverId, DistrictCode, ImportId};
use crate::domain::merge::{self, Columns};

/// What is known of a record that was imported before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRecord {
    pub cover: CoverId,
    pub digest: [u8; 16],
    /// The event that the state is from which says what the record said, but for what was kept; `None` where nothing is
    /// known of that.
    stands: Option<i64>,
    kept: Option<String>,
}

/// What a record of a cover said last, and what the registry holds.
#[derive(Debug, Clone)]
pub struct Earlier {
    pub present: CoverState,
    /// `None` where nothing is known of it.
    pub said: Option<Said>,
}

/// What a record of a cover said.
#[derive(Debug, Clone)]
pub struct Said {
    /// The code that it named; the registry's, where it named none.
    pub code: CoverCode,
    pub columns: Columns,
}

/// The records that a source has delivered before, by external id.
pub async fn known(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    source: &str,
    external_ids: &[&str],
) -> Result<Vec<(String, KnownRecord)>> {
    type Row = (String, Vec<u8>, Vec<u8>, Option<i64>, Option<String>);
    let mut found = Vec::new();
    for chunk in external_ids.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "SELECT external_id, cover, digest, stands, kept FROM cover_source WHERE district = ",
            );
            sql.push_bind(district.as_i64()).push(" AND source = ").push_bind(source).push(" AND external_id IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|id| { list.push_bind(*id); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for (external_id, cover, digest, stands, kept) in rows {
            let cover = Uuid::from_slice(&cover).map(CoverId).map_err(|e| corrupt("a cover's id", e))?;
            let digest = digest.try_into().map_err(|_| corrupt("a digest", &external_id))?;
            found.push((external_id, KnownRecord { cover, digest, stands, kept }));
        }
    }
    Ok(found)
}

/// What records said last, and what the registry holds, by cover.
pub async fn earlier(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    records: &[KnownRecord],
) -> Result<HashMap<CoverId, Earlier>> {
    let is_said = |record: &KnownRecord, state: &CoverState| record.stands == Some(state.seq);
    let states = cover_history::now_and_then(conn, district, records, |record| record.cover, is_said).await?;
    let mut earlier = HashMap::with_capacity(states.len());
    for (record, present, then) in states {
        let said = then.map(|then| said(&then.cover, record.kept.as_deref())).transpose()?;
        earlier.insert(record.cover, Earlier { present, said });
    }
    Ok(earlier)
}

/// What a record said of a cover that stands so, but for what was kept.
pub fn said(cover: &Cover, kept: Option<&str>) -> Result<Said> {
    let kept = delivered::columns(kept)?;
    let named = kept.iter().find(|(column, _)| column == CODE).and_then(|(_, code)| code.as_deref());
    let code = named.map_or(Ok(cover.code), |code| code.parse().map_err(|e| corrupt("a cover's code", e)))?;
    Ok(Said { code, columns: merge::overlaid(merge::cover(&CoverDraft::of(cover)), &kept) })
}

/// Where a code is kept that the registry has given up since.
const CODE: &str = "code";

/// What a record says otherwise than the cover that it is of: its columns, and its code where it names one.
pub fn kept(says: &Columns, code: Option<CoverCode>, cover: &Cover) -> Option<String> {
    let stands = merge::cover(&CoverDraft::of(cover));
    let mut kept: Columns =
        says.iter().zip(&stands).filter(|(says, stands)| says != stands).map(|(says, _)| says.clone()).collect();
    kept.extend(code.filter(|code| *code != cover.code).map(|code| (CODE, Some(code.to_string()))));
    delivered::text(kept)
}

/// An import as it is noted.
#[derive(Debug, Clone)]
pub struct NotedImport {
    pub district: DistrictCode,
    pub id: ImportId,
    pub profile: String,
    pub file: String,
    /// What its records are: `covers`, `grids`, …
    pub kind: String,
    /// Who sent it, as the log names them.
    pub actor: String,
    /// `staging`, `applying`, `applied`, `rejected`, `abandoned`, `failed`, `undoing`, `undone`
    pub state: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// As JSON.
    pub counts: String,
}

const COLUMNS: &str = "district, id, profile, file, kind, actor, state, started_at, ended_at, counts";

#[derive(Debug, sqlx::FromRow)]
struct Row {
    district: i64,
    id: Vec<u8>,
    profile: String,
    file: String,
    kind: String,
    actor: String,
    state: String,
    started_at: i64,
    ended_at: Option<i64>,
    counts: String,
}

impl Row {
    fn read(self) -> Result<NotedImport> {
        let Self { district, id, profile, file, kind, actor, state, started_at, ended_at, counts } = self;
        let district =
            DistrictCode::from_number(district.unsigned_abs()).ok_or_else(|| corrupt("a district", district))?;
        let id = Uuid::from_slice(&id).map_err(|e| corrupt("an import's id", e))?;
        let instant = |at| Timestamp::from_microsecond(at).map_err(|e| corrupt("an instant", e));
        let ended_at = ended_at.map(instant).transpose()?;
        // Of what stored nothing older databases did not note when it began; its id says it.
        let begun = id.get_timestamp().filter(|_| started_at == 0).map(|at| at.to_unix());
        let begun = begun
            .and_then(|(seconds, nanos)| Some(i64::try_from(seconds).ok()? * 1_000_000 + i64::from(nanos) / 1_000));
        let started_at = instant(begun.unwrap_or(started_at))?;
        Ok(NotedImport { district, id: ImportId(id), profile, file, kind, actor, state, started_at, ended_at, counts })
    }
}

/// Notes an import, unless it is noted.
pub async fn begin(conn: &mut Conn<'_>, import: &NotedImport) -> Result<()> {
    let sql = format!(
        "INSERT INTO import ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING"
    );
    let NotedImport { district, id, profile, file, kind, actor, state, started_at, ended_at, counts } = import;
    each!(conn, c => sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(profile).bind(file).bind(kind).bind(actor)
        .bind(state).bind(started_at.as_microsecond()).bind(ended_at.map(Timestamp::as_microsecond)).bind(counts)
        .execute(c).await.map(drop)?);
    Ok(())
}

/// Sets the state of an import; from `applying` on it is finished even after a crash. `ended`: with this it is over. One
/// that another process has given up stays so: what it had staged is gone.
pub async fn set_state(
    conn: &mut Conn<'_>,
    (district, id): (DistrictCode, ImportId),
    state: &str,
    counts: &str,
    ended: Option<Timestamp>,
) -> Result<()> {
    const SQL: &str = "UPDATE import SET state = $3, counts = $4, ended_at = COALESCE($5, ended_at) \
                       WHERE district = $1 AND id = $2 AND state <> 'abandoned'";
    let set = each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(state).bind(counts)
        .bind(ended.map(Timestamp::as_microsecond))
        .execute(c).await?.rows_affected());
    let given_up = || StoreError::Setup(format!("import {id} was given up by another process: import the file again"));
    if set == 0 { Err(given_up()) } else { Ok(()) }
}

/// Keeps what became of a file; `actor` is who sent it, as the log names them.
pub async fn put_report(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    actor: &str,
    report: &str,
) -> Result<()> {
    const SQL: &str = "INSERT INTO import_report (district, id, actor, report) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (district, id) DO UPDATE SET report = excluded.report";
    each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(actor).bind(report)
        .execute(c).await.map(drop)?);
    Ok(())
}

/// What became of a file: who sent it, and the report.
pub async fn report(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId) -> Result<Option<(String, String)>> {
    const SQL: &str = "SELECT actor, report FROM import_report WHERE district = $1 AND id = $2";
    Ok(each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).fetch_optional(c).await?))
}

/// Imports in a state.
pub async fn in_state(conn: &mut Conn<'_>, state: &str) -> Result<Vec<NotedImport>> {
    let districts = super::areas::district_codes(conn).await?;
    let mut rows: Vec<Row> = Vec::new();
    for chunk in districts.chunks(ROWS_PER_STATEMENT) {
        let found: Vec<Row> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(format!("SELECT {COLUMNS} FROM import WHERE district IN ("));
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|district| { list.push_bind(district.as_i64()); });
            sql.push(") AND state = ").push_bind(state).push(" ORDER BY district, id");
            sql.build_query_as().fetch_all(c).await?
        });
        rows.extend(found);
    }
    rows.into_iter().map(Row::read).collect()
}

/// An import as noted.
pub async fn find(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId) -> Result<Option<NotedImport>> {
    let sql = format!("SELECT {COLUMNS} FROM import WHERE district = $1 AND id = $2");
    let row: Option<Row> = each!(conn, c => sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).fetch_optional(c).await?);
    row.map(Row::read).transpose()
}

/// What a list of imports is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Districts of which all imports are listed.
    pub all_of: Vec<DistrictCode>,
    /// Districts of which only those of `actor` are.
    pub own_of: Vec<DistrictCode>,
    pub actor: String,
    pub profile: Option<String>,
    /// An empty list narrows nothing.
    pub states: Vec<&'static str>,
    /// The last one already given.
    pub before: Option<ImportId>,
    pub limit: i64,
}

/// Imports as wanted, the newest first.
pub async fn list(conn: &mut Conn<'_>, wanted: &Wanted) -> Result<Vec<NotedImport>> {
    let rows: Vec<Row> = each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(format!("SELECT {COLUMNS} FROM import WHERE (1 = 0"));
        for (districts, own) in [(&wanted.all_of, false), (&wanted.own_of, true)] {
            if districts.is_empty() {
                continue;
            }
            sql.push(" OR (district IN (");
            let mut list = sql.separated(", ");
            districts.iter().for_each(|district| { list.push_bind(district.as_i64()); });
            sql.push(")");
            if own {
                sql.push(" AND actor = ").push_bind(wanted.actor.as_str());
            }
            sql.push(")");
        }
        sql.push(")");
        if let Some(profile) = &wanted.profile {
            sql.push(" AND profile = ").push_bind(profile.as_str());
        }
        if !wanted.states.is_empty() {
            sql.push(" AND state IN (");
            let mut list = sql.separated(", ");
            wanted.states.iter().for_each(|state| { list.push_bind(*state); });
            sql.push(")");
        }
        if let Some(before) = wanted.before {
            sql.push(" AND id < ").push_bind(before.0.as_bytes().to_vec());
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(wanted.limit);
        sql.build_query_as().fetch_all(c).await?
    });
    rows.into_iter().map(Row::read).collect()
}
