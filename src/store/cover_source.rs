//! What records of covers said last, and what they had said before an import said something else of them.

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, each};
use crate::domain::id::{CoverId, DistrictCode, ImportId};

/// The columns of a record that each delivery says anew.
const SAID: &str = "digest, original_x, original_y, original_crs, import, row_number, stands, kept";
const KEY: &str = "district, source, external_id, cover";

/// Keeps what records of these covers said before an import says something else of them.
pub(super) async fn keep(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    covers: &[CoverId],
) -> Result<()> {
    each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(format!(
            "INSERT INTO cover_source_version ({KEY}, {SAID}, superseded_by) SELECT {KEY}, {SAID}, "
        ));
        sql.push_bind(import.0.as_bytes().as_slice());
        sql.push(" FROM cover_source WHERE district = ").push_bind(district.as_i64()).push(" AND cover IN ");
        push_list(&mut sql, covers);
        sql.push(" ON CONFLICT DO NOTHING");
        sql.build().execute(c).await.map(drop)?;
    });
    Ok(())
}

/// The same of the covers of staged rows from `first` to `last`.
pub async fn keep_of_stage(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    (first, last): (u64, u64),
) -> Result<()> {
    let sql = format!(
        "INSERT INTO cover_source_version ({KEY}, {SAID}, superseded_by) SELECT {KEY}, {SAID}, $2 FROM cover_source \
         WHERE district = $1 AND cover IN (SELECT id FROM cover_stage WHERE district = $1 AND import = $2 \
         AND row_number BETWEEN $3 AND $4 AND seen IS NOT NULL) ON CONFLICT DO NOTHING"
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
    rows.iter().map(|id| Uuid::from_slice(id).map(CoverId).map_err(|e| corrupt("a cover's id", e))).collect()
}

/// What records of these covers had said before an import is what they said last again; where another import has said
/// something since, it is what they had said before that one.
pub async fn restore(conn: &mut Conn<'_>, district: DistrictCode, import: ImportId, covers: &[CoverId]) -> Result<()> {
    let columns = SAID.split(", ").map(|column| format!("{column} = before.{column}")).collect::<Vec<_>>().join(", ");
    for chunk in covers.chunks(ROWS_PER_STATEMENT) {
        for said in ["cover_source_version", "cover_source"] {
            each!(&mut *conn, c => {
                let mut sql = QueryBuilder::<Db>::new(format!(
                    "UPDATE {said} SET {columns} FROM cover_source_version AS before WHERE {said}.district = before.district \
                     AND {said}.source = before.source AND {said}.external_id = before.external_id \
                     AND {said}.import = before.superseded_by AND before.district = "
                ));
                sql.push_bind(district.as_i64()).push(" AND before.superseded_by = ");
                sql.push_bind(import.0.as_bytes().as_slice()).push(" AND before.cover IN ");
                push_list(&mut sql, chunk);
                sql.build().execute(c).await.map(drop)?;
            });
        }
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("DELETE FROM cover_source_version WHERE district = ");
            sql.push_bind(district.as_i64()).push(" AND superseded_by = ");
            sql.push_bind(import.0.as_bytes().as_slice()).push(" AND cover IN ");
            push_list(&mut sql, chunk);
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// Of covers that an import changed before it was kept what their records had said: how they stand since an event is what
/// they said last.
pub async fn stand(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    import: ImportId,
    seq: i64,
    covers: &[CoverId],
) -> Result<()> {
    for chunk in covers.chunks(ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new("UPDATE cover_source SET digest = ");
            sql.push_bind(UNKNOWN).push(", stands = ").push_bind(seq);
            sql.push(" WHERE district = ").push_bind(district.as_i64());
            sql.push(" AND import = ").push_bind(import.0.as_bytes().as_slice()).push(" AND cover IN ");
            push_list(&mut sql, chunk);
            sql.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// Forgets what records of these covers said: delivered again, all of it is taken.
pub async fn forget(conn: &mut Conn<'_>, district: DistrictCode, covers: &[CoverId]) -> Result<()> {
    for chunk in covers.chunks(ROWS_PER_STATEMENT) {
        each!(&mut *conn, c => {
            let mut before = QueryBuilder::<Db>::new(
                "DELETE FROM cover_source_version WHERE (district, source, external_id) IN \
                 (SELECT district, source, external_id FROM cover_source WHERE district = ",
            );
            before.push_bind(district.as_i64()).push(" AND cover IN ");
            push_list(&mut before, chunk);
            before.push(")").build().execute(&mut *c).await.map(drop)?;
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
