//! Imports: rows are staged where nobody sees them, then applied by set statements.

use jiff::Timestamp;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::covers::{FIELDS, bind_fields};
use super::{Conn, Result, corrupt, each};
use crate::domain::cover::Cover;
use crate::domain::id::{CoverId, DistrictCode, ImportId};

/// Rows of one staging statement: 25 columns each stay below `SQLite`'s 32,766 parameters.
pub const STAGED_PER_STATEMENT: usize = 1_000;

/// One cover of a file, with its identity settled: an existing one's, or a new one.
#[derive(Debug, Clone)]
pub struct StagedCover {
    pub row: u64,
    pub source: String,
    pub external_id: String,
    pub digest: [u8; 16],
    pub original: (f64, f64),
    pub original_crs: &'static str,
    /// Whether the cover is in the registry and gets another version.
    pub known: bool,
    pub cover: Cover,
}

/// What is known of a record that was imported before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownRecord {
    pub cover: CoverId,
    pub digest: [u8; 16],
}

/// The records that a source has delivered before: external id → cover and digest.
pub async fn known(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    source: &str,
    external_ids: &[&str],
) -> Result<Vec<(String, KnownRecord)>> {
    let mut found = Vec::new();
    for chunk in external_ids.chunks(STAGED_PER_STATEMENT) {
        let rows: Vec<(String, Vec<u8>, Vec<u8>)> = each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new("SELECT external_id, cover, digest FROM cover_source WHERE district = ");
            sql.push_bind(district.as_i64()).push(" AND source = ").push_bind(source).push(" AND external_id IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|id| { list.push_bind(*id); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for (external_id, cover, digest) in rows {
            let cover = Uuid::from_slice(&cover).map(CoverId).map_err(|e| corrupt("a cover's id", e))?;
            let digest = digest.try_into().map_err(|_| corrupt("a digest", &external_id))?;
            found.push((external_id, KnownRecord { cover, digest }));
        }
    }
    Ok(found)
}

/// Begins an import, unless it has begun.
pub async fn begin(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    profile: &str,
    file: &str,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO import (district, id, profile, file, state, started_at, counts) \
                       VALUES ($1, $2, $3, $4, 'staging', $5, '{}') ON CONFLICT DO NOTHING";
    each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(profile).bind(file).bind(now.as_microsecond())
        .execute(c).await.map(drop)?);
    Ok(())
}

/// Stages a chunk of covers.
pub async fn stage(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId, rows: &[StagedCover]) -> Result<()> {
    for chunk in rows.chunks(STAGED_PER_STATEMENT) {
        each!(conn, c => {
            let mut sql = QueryBuilder::<Db>::new(format!(
                "INSERT INTO cover_stage (district, import, row_number, source, external_id, digest, original_x, original_y, \
                 original_crs, code, id, {FIELDS}) "
            ));
            sql.push_values(chunk, |mut row, staged| {
                row.push_bind(district.as_i64())
                    .push_bind(id.0.as_bytes().as_slice())
                    .push_bind(staged.row.cast_signed())
                    .push_bind(staged.source.as_str())
                    .push_bind(staged.external_id.as_str())
                    .push_bind(staged.digest.as_slice())
                    .push_bind(staged.original.0)
                    .push_bind(staged.original.1)
                    .push_bind(staged.original_crs)
                    .push_bind(staged.cover.code.number().cast_signed())
                    .push_bind(staged.cover.id.0.as_bytes().as_slice());
                bind_fields!(row, &staged.cover);
            });
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// Sets the state of an import; from `applying` on it is finished even after a crash.
pub async fn set_state(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    state: &str,
    counts: &str,
) -> Result<()> {
    const SQL: &str = "UPDATE import SET state = $3, counts = $4 WHERE district = $1 AND id = $2";
    each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(state).bind(counts)
        .execute(c).await.map(drop)?);
    Ok(())
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

/// An import as noted.
#[derive(Debug, Clone)]
pub struct NotedImport {
    pub district: DistrictCode,
    pub id: ImportId,
    pub profile: String,
    pub file: String,
    pub counts: String,
}

/// Imports in a state.
pub async fn in_state(conn: &mut Conn<'_>, state: &str) -> Result<Vec<NotedImport>> {
    let districts = super::areas::district_codes(conn).await?;
    let mut rows: Vec<(i64, Vec<u8>, String, String, String)> = Vec::new();
    for chunk in districts.chunks(STAGED_PER_STATEMENT) {
        let found: Vec<_> = each!(&mut *conn, c => {
            let mut sql =
                QueryBuilder::<Db>::new("SELECT district, id, profile, file, counts FROM import WHERE district IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|district| { list.push_bind(district.as_i64()); });
            sql.push(") AND state = ").push_bind(state).push(" ORDER BY district, id");
            sql.build_query_as().fetch_all(c).await?
        });
        rows.extend(found);
    }
    rows.into_iter()
        .map(|(district, id, profile, file, counts)| {
            let district =
                DistrictCode::from_number(district.unsigned_abs()).ok_or_else(|| corrupt("a district", district))?;
            let id = Uuid::from_slice(&id).map(ImportId).map_err(|e| corrupt("an import's id", e))?;
            Ok(NotedImport { district, id, profile, file, counts })
        })
        .collect()
}

/// What happens to a cover that is there already.
fn on_known_cover() -> String {
    let fields = FIELDS.split(',').map(|f| format!("{0} = excluded.{0}", f.trim())).collect::<Vec<_>>().join(", ");
    format!(
        " ON CONFLICT (district, id) DO UPDATE SET version = cover.version + 1, {fields}, \
         seq_from = excluded.seq_from, source = excluded.source WHERE cover.seq_from < excluded.seq_from"
    )
}

/// What happens to a record that was delivered before.
const ON_KNOWN_SOURCE: &str = " ON CONFLICT (district, source, external_id) DO UPDATE SET digest = excluded.digest, \
    original_x = excluded.original_x, original_y = excluded.original_y, original_crs = excluded.original_crs, \
    import = excluded.import, row_number = excluded.row_number";

/// Makes rows the present without staging them; superseded states go to the past.
pub async fn write(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    seq: i64,
    rows: &[StagedCover],
) -> Result<()> {
    for chunk in rows.chunks(STAGED_PER_STATEMENT) {
        let known: Vec<CoverId> = chunk.iter().filter(|row| row.known).map(|row| row.cover.id).collect();
        if !known.is_empty() {
            super::cover_history::to_past(conn, district, seq, &known).await?;
        }
        each!(&mut *conn, c => {
            let mut present = QueryBuilder::<Db>::new(format!(
                "INSERT INTO cover (district, code, id, version, seq_from, source, {FIELDS}) "
            ));
            present.push_values(chunk, |mut row, staged| {
                row.push_bind(district.as_i64())
                    .push_bind(staged.cover.code.number().cast_signed())
                    .push_bind(staged.cover.id.0.as_bytes().as_slice())
                    .push_bind(1_i64)
                    .push_bind(seq)
                    .push_bind(format!("{}/{}", staged.source, staged.external_id));
                bind_fields!(row, &staged.cover);
            });
            present.push(on_known_cover());
            present.build().execute(&mut *c).await.map(drop)?;
            let mut sources = QueryBuilder::<Db>::new(
                "INSERT INTO cover_source (district, source, external_id, cover, digest, original_x, original_y, \
                 original_crs, import, row_number) ",
            );
            sources.push_values(chunk, |mut row, staged| {
                row.push_bind(district.as_i64())
                    .push_bind(staged.source.as_str())
                    .push_bind(staged.external_id.as_str())
                    .push_bind(staged.cover.id.0.as_bytes().as_slice())
                    .push_bind(staged.digest.as_slice())
                    .push_bind(staged.original.0)
                    .push_bind(staged.original.1)
                    .push_bind(staged.original_crs)
                    .push_bind(id.0.as_bytes().as_slice())
                    .push_bind(staged.row.cast_signed());
            });
            sources.push(ON_KNOWN_SOURCE);
            sources.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

const STAGED: &str = "district = $1 AND import = $2 AND row_number BETWEEN $3 AND $4";

/// Puts the states that staged rows from `first` to `last` will supersede into the past.
/// Doing it again changes nothing.
pub async fn keep_past(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    seq: i64,
    rows: (u64, u64),
) -> Result<()> {
    let past = format!(
        "INSERT INTO cover_version (district, code, id, version, seq_from, source, seq_to, {FIELDS}) \
         SELECT district, code, id, version, seq_from, source, $5, {FIELDS} FROM cover \
         WHERE district = $1 AND seq_from < $5 AND id IN (SELECT id FROM cover_stage WHERE {STAGED}) ON CONFLICT DO NOTHING"
    );
    over_rows(conn, past, district, id, seq, rows).await
}

/// Makes the staged rows from `first` to `last` the present. Doing it again changes nothing.
pub async fn apply(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    id: ImportId,
    seq: i64,
    rows: (u64, u64),
) -> Result<()> {
    let present = format!(
        "INSERT INTO cover (district, code, id, version, seq_from, source, {FIELDS}) \
         SELECT district, code, id, 1, $5, source || '/' || external_id, {FIELDS} FROM cover_stage WHERE {STAGED}{}",
        on_known_cover()
    );
    let source = format!(
        "INSERT INTO cover_source (district, source, external_id, cover, digest, original_x, original_y, original_crs, import, \
         row_number) SELECT district, source, external_id, id, digest, original_x, original_y, original_crs, import, row_number \
         FROM cover_stage WHERE {STAGED} AND $5 > 0{ON_KNOWN_SOURCE}"
    );
    over_rows(conn, present, district, id, seq, rows).await?;
    over_rows(conn, source, district, id, seq, rows).await
}

/// Runs a statement over the staged rows from `first` to `last`.
async fn over_rows(
    conn: &mut Conn<'_>,
    sql: String,
    district: DistrictCode,
    id: ImportId,
    seq: i64,
    (first, last): (u64, u64),
) -> Result<()> {
    each!(conn, c => sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64())
        .bind(id.0.as_bytes().as_slice())
        .bind(first.cast_signed())
        .bind(last.cast_signed())
        .bind(seq)
        .execute(c)
        .await
        .map(drop)?);
    Ok(())
}

/// Forgets staged rows up to `last`, after they were applied or when the import is given up.
pub async fn unstage(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId, last: u64) -> Result<()> {
    const SQL: &str = "DELETE FROM cover_stage WHERE district = $1 AND import = $2 AND row_number <= $3";
    each!(conn, c => sqlx::query(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).bind(last.cast_signed())
        .execute(c).await.map(drop)?);
    Ok(())
}

/// First and last staged row, if any is left.
pub async fn staged_range(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId) -> Result<Option<(u64, u64)>> {
    const SQL: &str = "SELECT min(row_number), max(row_number) FROM cover_stage WHERE district = $1 AND import = $2";
    let (first, last): (Option<i64>, Option<i64>) = each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).fetch_one(c).await?);
    Ok(first.zip(last).map(|(first, last)| (first.unsigned_abs(), last.unsigned_abs())))
}

/// An import as noted, with its state.
pub async fn find(conn: &mut Conn<'_>, district: DistrictCode, id: ImportId) -> Result<Option<(NotedImport, String)>> {
    const SQL: &str = "SELECT profile, file, counts, state FROM import WHERE district = $1 AND id = $2";
    let row: Option<(String, String, String, String)> = each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().as_slice()).fetch_optional(c).await?);
    Ok(row.map(|(profile, file, counts, state)| (NotedImport { district, id, profile, file, counts }, state)))
}

/// Forgets what records said that these covers came from: delivered again, they are taken again.
pub async fn forget_digests(conn: &mut Conn<'_>, district: DistrictCode, covers: &[CoverId]) -> Result<()> {
    for chunk in covers.chunks(super::ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("UPDATE cover_source SET digest = ");
            sql.push_bind([0_u8; 16].as_slice()).push(" WHERE district = ").push_bind(district.as_i64());
            sql.push(" AND cover IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|cover| { list.push_bind(cover.0.as_bytes().as_slice()); });
            sql.push(")");
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}
