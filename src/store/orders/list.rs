//! Lists of orders.

use jiff::Timestamp;

use super::{Row, StoredOrder, select};
use crate::domain::actor::OrderFilter;
use crate::domain::id::{CoverId, DistrictCode, GridCode};
use crate::domain::order::Status;
use crate::store::{Conn, Result, at, each};

/// In which order a list comes; ties by code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Code,
    Due,
    Updated,
}

/// What a list of orders is narrowed to. Empty lists narrow nothing.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub visible: OrderFilter,
    pub statuses: Vec<Status>,
    pub assignees: Vec<String>,
    pub grids: Vec<GridCode>,
    pub covers: Vec<CoverId>,
    pub damages: Vec<String>,
    /// Only those due before this instant and not repaired by then.
    pub overdue_at: Option<Timestamp>,
    pub not_overdue_at: Option<Timestamp>,
    pub updated_after: Option<Timestamp>,
    pub opened_after: Option<Timestamp>,
    /// west, south, east, north in degrees: a superset of what `near` asks for.
    pub bounds: Option<[f64; 4]>,
    pub sort: Sort,
    /// Sort value and number of the last one already given.
    pub after: Option<(i64, i64)>,
    pub limit: i64,
}

/// An instant of the past, and the last change of a district's registry by then.
#[derive(Debug, Clone, Copy)]
pub struct Then {
    pub instant: Timestamp,
    pub change: i64,
}

/// Orders as wanted, without tasks; as they are, or as they were.
pub async fn list(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    then: Option<Then>,
    wanted: &Wanted,
) -> Result<Vec<StoredOrder>> {
    let key = match wanted.sort {
        Sort::Code => "number",
        Sort::Due => "due_at",
        Sort::Updated => "updated_at",
    };
    let covers = at("cover", "district, id, owner", then.map(|then| then.change));
    let rows: Vec<Row> = each!(conn, c => {
        let mut sql = select::<Db>(district, then.map(|then| then.instant));
        match &wanted.visible {
            OrderFilter::All => {}
            OrderFilter::Of { grids, assignees, every_unit, owners } => {
                sql.push(" AND (1 = 0");
                for (from, to) in grids {
                    sql.push(" OR grid BETWEEN ").push_bind(from.cast_signed()).push(" AND ").push_bind(to.cast_signed());
                }
                if *every_unit {
                    sql.push(" OR assignee LIKE '%-%'");
                }
                for unit in assignees {
                    sql.push(" OR assignee = ").push_bind(unit.to_string());
                }
                for owner in owners {
                    sql.push(" OR cover IN (SELECT id FROM ").push(&covers);
                    sql.push(" WHERE district = ").push_bind(district.as_i64());
                    sql.push(" AND owner = ").push_bind(owner.to_string()).push(")");
                }
                sql.push(")");
            }
        }
        if !wanted.statuses.is_empty() {
            sql.push(" AND status IN (");
            let mut list = sql.separated(", ");
            wanted.statuses.iter().for_each(|status| { list.push_bind(status.as_str()); });
            sql.push(")");
        }
        for (column, values) in [("assignee", &wanted.assignees), ("damage", &wanted.damages)] {
            if !values.is_empty() {
                sql.push(" AND ").push(column).push(" IN (");
                let mut list = sql.separated(", ");
                values.iter().for_each(|value| { list.push_bind(value.clone()); });
                sql.push(")");
            }
        }
        if !wanted.grids.is_empty() {
            sql.push(" AND grid IN (");
            let mut list = sql.separated(", ");
            wanted.grids.iter().for_each(|grid| { list.push_bind(grid.number().cast_signed()); });
            sql.push(")");
        }
        if !wanted.covers.is_empty() {
            sql.push(" AND cover IN (");
            let mut list = sql.separated(", ");
            wanted.covers.iter().for_each(|cover| { list.push_bind(cover.0.as_bytes().to_vec()); });
            sql.push(")");
        }
        for (condition, at) in [
            (" AND COALESCE(repaired_at, closed_at, $NOW) > due_at", wanted.overdue_at),
            (" AND COALESCE(repaired_at, closed_at, $NOW) <= due_at", wanted.not_overdue_at),
            (" AND updated_at > $NOW", wanted.updated_after),
            (" AND opened_at > $NOW", wanted.opened_after),
        ] {
            if let (Some(at), Some((head, tail))) = (at, condition.split_once("$NOW")) {
                sql.push(head).push_bind(at.as_microsecond()).push(tail);
            }
        }
        if let Some([west, south, east, north]) = wanted.bounds {
            sql.push(" AND lon BETWEEN ").push_bind(west).push(" AND ").push_bind(east);
            sql.push(" AND lat BETWEEN ").push_bind(south).push(" AND ").push_bind(north);
        }
        if let Some((value, number)) = wanted.after {
            sql.push(" AND (").push(key).push(" > ").push_bind(value);
            sql.push(" OR (").push(key).push(" = ").push_bind(value).push(" AND number > ").push_bind(number).push("))");
        }
        sql.push(" ORDER BY ").push(key).push(", number LIMIT ").push_bind(wanted.limit);
        sql.build_query_as().fetch_all(c).await?
    });
    rows.into_iter().map(|row| row.read(district)).collect()
}
