//! What records of covers said last, and what they had said before an import said something else of them.

use std::collections::HashSet;

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, each};
use crate::domain::id::{CoverId, DistrictCode, ImportId};

/// The columns of a record that each delivery says anew.
const SAID: &str = "digest, original_x, original_y, original_crs, import, row_number, stands, kept";
const KEY: &str = "district, source, external_id, cover";

/// Keeps what these records of a source said before an import says something else of them.
pub(super) async fn keep<'a>(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    source: &str,
    external_ids: impl Iterator<Item = &'a str> + Send,
) -> Result<()> {
    each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(format!(
            "INSERT INTO cover_source_version ({KEY}, {SAID}, superseded_by) SELECT {KEY}, {SAID}, "
        ));
        sql.push_bind(import.0.as_bytes().as_slice());
        sql.push(" FROM cover_source WHERE district = ").push_bind(district.as_i64());
        sql.push(" AND source = ").push_bind(source).push(" AND external_id IN (");
        let mut list = sql.separated(", ");
        external_ids.for_each(|id| { list.push_bind(id); });
        sql.push(") ON CONFLICT DO NOTHING");
        sql.build().execute(c).await.map(drop)?;
    });
    Ok(())
}

/// The same of staged rows from `first` to `last`.
pub async fn keep_of_stage(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    (first, last): (u64, u64),
) -> Result<()> {
    let said = SAID.split(", ").map(|column| format!("said.{column}")).collect::<Vec<_>>().join(", ");
    // A cross join has SQLite, which has not counted the tables, begin with the few that are staged.
    let sql = format!(
        "INSERT INTO cover_source_version ({KEY}, {SAID}, superseded_by) \
         SELECT said.district, said.source, said.external_id, said.cover, {said}, $2 \
         FROM cover_stage AS staged CROSS JOIN cover_source AS said WHERE staged.district = $1 AND staged.import = $2 \
         AND staged.row_number BETWEEN $3 AND $4 AND staged.seen IS NOT NULL AND said.district = $1 \
         AND said.source = staged.source AND said.external_id = staged.external_id ON CONFLICT DO NOTHING"
    );
    each!(conn, c => sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(district.as_i64()).bind(import.0.as_bytes().as_slice()).bind(first.cast_signed()).bind(last.cast_signed())
        .execute(c).await.map(drop)?);
    Ok(())
}

/// Covers of which an import said something else than was said before, and that was not taken back yet.
pub async fn superseded_by(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    limit: u64,
) -> Result<Vec<CoverId>> {
    const SQL: &str =
        "SELECT DISTINCT cover FROM cover_source_version WHERE district = $1 AND superseded_by = $2 LIMIT $3";
    let rows: Vec<Vec<u8>> = each!(conn, c => sqlx::query_scalar(SQL)
        .bind(district.as_i64()).bind(import.0.as_bytes().as_slice()).bind(limit.cast_signed()).fetch_all(c).await?);
    ids(&rows)
}

fn ids(rows: &[Vec<u8>]) -> Result<Vec<CoverId>> {
    rows.iter().map(|id| Uuid::from_slice(id).map(CoverId).map_err(|e| corrupt("a cover's id", e))).collect()
}

/// What records of these covers had said before an import is what they said last again; where another import has said
/// something since, it is what they had said before that one. Gives those of which something was kept.
pub async fn restore(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    covers: &[CoverId],
) -> Result<HashSet<CoverId>> {
    let excluded =
        SAID.split(", ").map(|column| format!("{column} = excluded.{column}")).collect::<Vec<_>>().join(", ");
    let (district, import) = (district.as_i64(), import.0.as_bytes().as_slice());
    let mut kept = HashSet::new();
    for chunk in covers.chunks(ROWS_PER_STATEMENT) {
        let found: Vec<Vec<u8>> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("SELECT cover FROM cover_source_version WHERE district = ");
            sql.push_bind(district).push(" AND superseded_by = ").push_bind(import).push(" AND cover IN ");
            push_list(&mut sql, chunk);
            sql.build_query_scalar().fetch_all(c).await?
        });
        if found.is_empty() {
            continue;
        }
        kept.extend(ids(&found)?);
        each!(&mut *conn, c => {
            let before = "FROM cover_source_version AS before WHERE before.district = later.district \
                AND before.cover = later.cover AND before.source = later.source \
                AND before.external_id = later.external_id AND before.superseded_by = later.import";
            let mut later = QueryBuilder::<Db>::new(format!(
                "UPDATE cover_source_version AS later SET ({SAID}) = (SELECT {SAID} {before}) \
                 WHERE EXISTS (SELECT 1 {before}) AND later.district = "
            ));
            later.push_bind(district).push(" AND later.import = ").push_bind(import).push(" AND later.cover IN ");
            push_list(&mut later, chunk);
            later.build().execute(&mut *c).await.map(drop)?;
            let mut last = QueryBuilder::<Db>::new(format!(
                "INSERT INTO cover_source ({KEY}, {SAID}) SELECT {KEY}, {SAID} FROM cover_source_version WHERE district = "
            ));
            last.push_bind(district).push(" AND superseded_by = ").push_bind(import).push(" AND cover IN ");
            push_list(&mut last, chunk);
            last.push(format!(" ON CONFLICT (district, source, external_id) DO UPDATE SET {excluded} WHERE cover_source.import = "));
            last.push_bind(import).build().execute(&mut *c).await.map(drop)?;
            let mut gone = QueryBuilder::<Db>::new("DELETE FROM cover_source_version WHERE district = ");
            gone.push_bind(district).push(" AND superseded_by = ").push_bind(import).push(" AND cover IN ");
            push_list(&mut gone, chunk);
            gone.build().execute(c).await.map(drop)?;
        });
    }
    Ok(kept)
}

/// Of covers that an import changed before it was kept what their records had said: how they stand since an event is what
/// they said last.
pub async fn stand(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, covers: &[CoverId]) -> Result<()> {
    for chunk in covers.chunks(ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("UPDATE cover_source SET digest = ");
            sql.push_bind(UNKNOWN).push(", stands = ").push_bind(seq);
            sql.push(" WHERE district = ").push_bind(district.as_i64()).push(" AND cover IN ");
            push_list(&mut sql, chunk);
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// What an import said of these covers stays what was said last: it is not taken back.
pub async fn let_stand(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    covers: &[CoverId],
) -> Result<()> {
    for chunk in covers.chunks(ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("DELETE FROM cover_source_version WHERE district = ");
            sql.push_bind(district.as_i64()).push(" AND superseded_by = ").push_bind(import.0.as_bytes().as_slice());
            push_list(sql.push(" AND cover IN "), chunk);
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// Forgets what records of these covers said: delivered again, all of it is taken.
pub async fn forget(conn: &mut Conn<'_>, district: DistrictCode, covers: &[CoverId]) -> Result<()> {
    for chunk in covers.chunks(ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut before = QueryBuilder::<Db>::new("DELETE FROM cover_source_version WHERE district = ");
            before.push_bind(district.as_i64()).push(" AND cover IN ");
            push_list(&mut before, chunk);
            before.build().execute(&mut *c).await.map(drop)?;
            let mut last = QueryBuilder::<Db>::new("UPDATE cover_source SET digest = ");
            last.push_bind(UNKNOWN).push(", stands = NULL WHERE district = ").push_bind(district.as_i64());
            last.push(" AND cover IN ");
            push_list(&mut last, chunk);
            last.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// The digest of a record that says something else whatever it says.
const UNKNOWN: &[u8] = &[0; 16];

fn push_list<Db: sqlx::Database>(sql: &mut QueryBuilder<Db>, covers: &[CoverId])
where
    Vec<u8>: for<'a> sqlx::Encode<'a, Db> + sqlx::Type<Db>,
{
    let mut list = sql.push("(").separated(", ");
    for cover in covers {
        list.push_bind(cover.0.as_bytes().to_vec());
    }
    sql.push(")");
}
