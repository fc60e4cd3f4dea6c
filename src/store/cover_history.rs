//! The past of covers: one row for each superseded state, and the change that superseded it.

use std::collections::{BTreeSet, HashMap};

use sqlx::QueryBuilder;
use uuid::Uuid;

use super::covers::{FIELDS, Row, bind_fields};
use super::{Conn, ROWS_PER_STATEMENT, Result, corrupt, each};
use crate::domain::cover::{Cover, Status};
use crate::domain::id::{CoverCode, CoverId, DistrictCode, GridCode, OrgCode};

/// A cover as it was from the event `seq` on.
#[derive(Debug, Clone, PartialEq)]
pub struct CoverState {
    pub cover: Cover,
    pub seq: i64,
    /// The record that it came from, `source/external id`.
    pub source: String,
}

#[derive(Debug, sqlx::FromRow)]
struct StateRow {
    #[sqlx(flatten)]
    row: Row,
    seq_from: i64,
    source: String,
}

impl StateRow {
    fn read(self) -> Result<CoverState> {
        Ok(CoverState { cover: self.row.read()?, seq: self.seq_from, source: self.source })
    }
}

/// The cover with this code as the database has it now.
pub async fn present(conn: &mut Conn<'_>, code: CoverCode) -> Result<Option<CoverState>> {
    let row: Option<StateRow> = each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(format!(
            "SELECT code, id, version, seq_from, source, {FIELDS} FROM cover WHERE district = "
        ));
        sql.push_bind(code.district().as_i64()).push(" AND code = ").push_bind(code.number().cast_signed());
        sql.build_query_as().fetch_optional(c).await?
    });
    row.map(StateRow::read).transpose()
}

/// The code that a cover has now which once had this one.
pub async fn code_of_former(conn: &mut Conn<'_>, former: CoverCode) -> Result<Option<CoverCode>> {
    const SQL: &str = "SELECT code FROM cover WHERE district = $1 AND id IN \
        (SELECT id FROM cover_version WHERE district = $1 AND code = $2)";
    let code: Option<i64> = each!(conn, c => sqlx::query_scalar(SQL)
        .bind(former.district().as_i64()).bind(former.number().cast_signed()).fetch_optional(c).await?);
    code.map(|code| CoverCode::from_number(code.unsigned_abs()).ok_or_else(|| corrupt("a cover's code", code)))
        .transpose()
}

/// The cover that had this code in a state before its present one, which began by the event `by`.
pub async fn once_had(conn: &mut Conn<'_>, code: CoverCode, by: i64) -> Result<Option<CoverId>> {
    const SQL: &str = "SELECT id FROM cover_version WHERE district = $1 AND code = $2 AND seq_from <= $3 LIMIT 1";
    let id: Option<Vec<u8>> = each!(conn, c => sqlx::query_scalar(SQL)
        .bind(code.district().as_i64()).bind(code.number().cast_signed()).bind(by).fetch_optional(c).await?);
    id.map(|id| Uuid::from_slice(&id).map(CoverId).map_err(|e| corrupt("a cover's id", e))).transpose()
}

/// The cover that a removed one was merged into, as the event says that its state began with.
pub async fn merged_by(conn: &mut Conn<'_>, district: DistrictCode, state: &CoverState) -> Result<Option<CoverCode>> {
    if state.cover.status != Status::Removed {
        return Ok(None);
    }
    let event = super::events::numbered(conn, district, &[state.seq]).await?.pop();
    Ok(event.and_then(|event| event.merged_into()?.parse().ok()))
}

/// The codes that these covers have now, where they have other ones.
pub async fn successors(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    former: &[CoverCode],
) -> Result<HashMap<CoverCode, CoverCode>> {
    let mut found = HashMap::new();
    for chunk in former.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(i64, i64)> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "SELECT v.code, c.code FROM cover_version v JOIN cover c ON c.district = v.district AND c.id = v.id \
                 WHERE c.code <> v.code AND v.district = ",
            );
            sql.push_bind(district.as_i64()).push(" AND v.code IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|code| { list.push_bind(code.number().cast_signed()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for (before, now) in rows {
            let read =
                |code: i64| CoverCode::from_number(code.unsigned_abs()).ok_or_else(|| corrupt("a cover's code", code));
            found.insert(read(before)?, read(now)?);
        }
    }
    Ok(found)
}

/// Every state of a cover, the oldest first; the last is the present.
pub async fn states(conn: &mut Conn<'_>, district: DistrictCode, id: CoverId) -> Result<Vec<CoverState>> {
    let rows: Vec<StateRow> = each!(conn, c => {
        let columns = format!("code, id, version, seq_from, source, {FIELDS}");
        let mut sql = QueryBuilder::<Db>::new(format!("SELECT {columns} FROM cover_version WHERE district = "));
        sql.push_bind(district.as_i64()).push(" AND id = ").push_bind(id.0.as_bytes().to_vec());
        sql.push(format!(" UNION ALL SELECT {columns} FROM cover WHERE district = "));
        sql.push_bind(district.as_i64()).push(" AND id = ").push_bind(id.0.as_bytes().to_vec());
        sql.push(" ORDER BY version");
        sql.build_query_as().fetch_all(c).await?
    });
    rows.into_iter().map(StateRow::read).collect()
}

/// Puts what these covers are into the past, until the event `seq`; whoever calls it changes their present.
pub(super) async fn to_past(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, covers: &[CoverId]) -> Result<()> {
    each!(conn, c => {
        let mut past = QueryBuilder::<Db>::new(format!(
            "INSERT INTO cover_version (district, code, id, version, seq_from, source, seq_to, {FIELDS}) \
             SELECT district, code, id, version, seq_from, source, "
        ));
        past.push_bind(seq).push(format!(", {FIELDS} FROM cover WHERE district = "));
        past.push_bind(district.as_i64()).push(" AND id IN (");
        let mut list = past.separated(", ");
        covers.iter().for_each(|id| { list.push_bind(id.0.as_bytes().to_vec()); });
        past.push(")");
        past.build().execute(c).await.map(drop)?;
    });
    Ok(())
}

/// Writes the present of a new cover; [`replace`] that of one that is there.
pub async fn put(conn: &mut Conn<'_>, state: &CoverState) -> Result<()> {
    let cover = &state.cover;
    each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(format!(
            "INSERT INTO cover (district, code, id, version, seq_from, source, {FIELDS}) VALUES ("
        ));
        let mut row = sql.separated(", ");
        row.push_bind(cover.code.district().as_i64())
            .push_bind(cover.code.number().cast_signed())
            .push_bind(cover.id.0.as_bytes().to_vec())
            .push_bind(cover.version)
            .push_bind(state.seq)
            .push_bind(state.source.as_str());
        bind_fields!(row, cover);
        row.push_unseparated(")");
        sql.build().execute(c).await.map(drop)?;
    });
    Ok(())
}

/// Makes these states the present of covers that are there; what they are goes to the past.
pub async fn replace(conn: &mut Conn<'_>, district: DistrictCode, seq: i64, states: &[CoverState]) -> Result<()> {
    for chunk in states.chunks(ROWS_PER_STATEMENT) {
        let covers: Vec<CoverId> = chunk.iter().map(|state| state.cover.id).collect();
        to_past(conn, district, seq, &covers).await?;
        each!(&mut *conn, c => {
            let mut gone = QueryBuilder::<Db>::new("DELETE FROM cover WHERE district = ");
            gone.push_bind(district.as_i64()).push(" AND id IN (");
            let mut list = gone.separated(", ");
            chunk.iter().for_each(|state| { list.push_bind(state.cover.id.0.as_bytes().to_vec()); });
            gone.push(")");
            gone.build().execute(&mut *c).await.map(drop)?;
            let mut present = QueryBuilder::<Db>::new(format!(
                "INSERT INTO cover (district, code, id, version, seq_from, source, {FIELDS}) "
            ));
            present.push_values(chunk, |mut row, state| {
                let cover = &state.cover;
                row.push_bind(district.as_i64())
                    .push_bind(cover.code.number().cast_signed())
                    .push_bind(cover.id.0.as_bytes().to_vec())
                    .push_bind(cover.version)
                    .push_bind(state.seq)
                    .push_bind(state.source.as_str());
                bind_fields!(row, cover);
            });
            present.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// The numbers that the present states of these covers bear.
pub async fn numbers(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    covers: &[CoverCode],
) -> Result<Vec<(CoverCode, i64)>> {
    let mut found = Vec::new();
    for chunk in covers.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(i64, i64)> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "SELECT code, seq_from FROM cover WHERE district = ",
            );
            sql.push_bind(district.as_i64()).push(" AND code IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|code| { list.push_bind(code.number().cast_signed()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        for (code, seq) in rows {
            let code = CoverCode::from_number(code.unsigned_abs()).ok_or_else(|| corrupt("a cover's code", code))?;
            found.push((code, seq));
        }
    }
    Ok(found)
}

/// Puts covers into other grids, each as a new version from the event `seq` on.
pub async fn regrid(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    seq: i64,
    grid: Option<GridCode>,
    covers: &[CoverId],
) -> Result<()> {
    for chunk in covers.chunks(super::ROWS_PER_STATEMENT) {
        to_past(conn, district, seq, chunk).await?;
        each!(&mut *conn, c => {
            let mut present = QueryBuilder::<Db>::new("UPDATE cover SET version = version + 1, seq_from = ");
            present.push_bind(seq).push(", grid = ").push_bind(grid.map(|grid| grid.number().cast_signed()));
            present.push(" WHERE district = ").push_bind(district.as_i64()).push(" AND id IN (");
            let mut list = present.separated(", ");
            chunk.iter().for_each(|id| { list.push_bind(id.0.as_bytes().to_vec()); });
            present.push(")");
            present.build().execute(c).await.map(drop)?;
        });
    }
    Ok(())
}

/// Rows of imports: import and row number by source and external id, of one cover; of each delivery that said something else
/// than the one before, unless it was taken back.
pub async fn deliveries(conn: &mut Conn<'_>, district: DistrictCode, id: CoverId) -> Result<Vec<(String, Uuid, i64)>> {
    const SQL: &str = "SELECT source, external_id, import, row_number FROM cover_source WHERE district = $1 AND cover = $2 UNION \
         SELECT source, external_id, import, row_number FROM cover_source_version WHERE district = $1 AND cover = $2";
    let rows: Vec<(String, String, Vec<u8>, i64)> = each!(conn, c => sqlx::query_as(SQL)
        .bind(district.as_i64()).bind(id.0.as_bytes().to_vec()).fetch_all(c).await?);
    rows.into_iter()
        .map(|(source, external_id, import, row)| {
            let import = Uuid::from_slice(&import).map_err(|e| corrupt("an import's id", e))?;
            Ok((format!("{source}/{external_id}"), import, row))
        })
        .collect()
}

/// A cover that an event made what it is, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    pub id: CoverId,
    /// The version that the event made.
    pub made: i64,
    /// The present version.
    pub now: i64,
}

/// The covers that these events made, by code, with the version that they have now.
pub async fn made_by(conn: &mut Conn<'_>, district: DistrictCode, seqs: &[i64]) -> Result<Vec<Made>> {
    let mut found = Vec::new();
    for chunk in seqs.chunks(super::ROWS_PER_STATEMENT) {
        let rows: Vec<(Vec<u8>, i64, i64)> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "SELECT id, version, version AS present, code FROM cover WHERE district = ",
            );
            sql.push_bind(district.as_i64()).push(" AND seq_from IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|seq| { list.push_bind(*seq); });
            sql.push(
                ") UNION ALL SELECT past.id, past.version, cover.version AS present, cover.code \
                 FROM cover_version AS past JOIN cover ON cover.district = past.district AND cover.id = past.id \
                 WHERE past.district = ",
            );
            sql.push_bind(district.as_i64()).push(" AND past.seq_from IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|seq| { list.push_bind(*seq); });
            sql.push(") ORDER BY code");
            let rows: Vec<(Vec<u8>, i64, i64, i64)> = sql.build_query_as().fetch_all(c).await?;
            rows.into_iter().map(|(id, made, now, _)| (id, made, now)).collect()
        });
        for (id, made, now) in rows {
            let id = Uuid::from_slice(&id).map(CoverId).map_err(|e| corrupt("a cover's id", e))?;
            found.push(Made { id, made, now });
        }
    }
    Ok(found)
}

/// The owners and responsible units that covers had which these events superseded.
pub async fn units_before(conn: &mut Conn<'_>, district: DistrictCode, seqs: &[i64]) -> Result<Vec<OrgCode>> {
    let mut found = BTreeSet::new();
    for chunk in seqs.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(Option<String>, Option<String>)> = each!(&mut *conn, c => {
            let mut sql = QueryBuilder::<Db>::new(
                "SELECT DISTINCT owner, responsible_unit FROM cover_version WHERE status <> 'removed' AND district = ",
            );
            sql.push_bind(district.as_i64()).push(" AND seq_to IN (");
            let mut list = sql.separated(", ");
            chunk.iter().for_each(|seq| { list.push_bind(*seq); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        found.extend(rows.into_iter().flat_map(|(owner, unit)| [owner, unit]).flatten());
    }
    found.into_iter().map(|code| code.parse().map_err(|e| corrupt("a unit", e))).collect()
}

/// These covers as they are now, and as they were in the state that `is_then` of them.
pub async fn now_and_then<T: Clone + Sync>(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    covers: &[T],
    id: impl Fn(&T) -> CoverId + Sync,
    is_then: impl Fn(&T, &CoverState) -> bool + Sync,
) -> Result<Vec<(T, CoverState, Option<CoverState>)>> {
    let mut found = Vec::with_capacity(covers.len());
    for chunk in covers.chunks(ROWS_PER_STATEMENT) {
        let ids: Vec<CoverId> = chunk.iter().map(&id).collect();
        let mut present: HashMap<CoverId, CoverState> = HashMap::new();
        for state in of(conn, district, "cover", &ids).await? {
            present.insert(state.cover.id, state);
        }
        let mut past: HashMap<CoverId, Vec<CoverState>> = HashMap::new();
        for state in of(conn, district, "cover_version", &ids).await? {
            past.entry(state.cover.id).or_default().push(state);
        }
        found.extend(chunk.iter().filter_map(|cover| {
            let now = present.remove(&id(cover))?;
            let then = if is_then(cover, &now) {
                Some(now.clone())
            } else {
                past.remove(&id(cover)).into_iter().flatten().find(|state| is_then(cover, state))
            };
            Some((cover.clone(), now, then))
        }));
    }
    Ok(found)
}

/// All states of these covers in a table.
async fn of(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    table: &'static str,
    covers: &[CoverId],
) -> Result<Vec<CoverState>> {
    let rows: Vec<StateRow> = each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(format!(
            "SELECT code, id, version, seq_from, source, {FIELDS} FROM {table} WHERE district = "
        ));
        sql.push_bind(district.as_i64()).push(" AND id IN (");
        let mut list = sql.separated(", ");
        covers.iter().for_each(|id| { list.push_bind(id.0.as_bytes().to_vec()); });
        sql.push(")");
        sql.build_query_as().fetch_all(c).await?
    });
    rows.into_iter().map(StateRow::read).collect()
}
