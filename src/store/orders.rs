//! Work orders and their tasks.

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};
use uuid::Uuid;

use super::insert::{Insert, Rows};
use super::{Conn, Result, corrupt, each};
use crate::domain::actor::OrderFilter;
use crate::domain::catalog::DamageCode;
use crate::domain::deadline::{Limits, Target};
use crate::domain::id::{CoverId, DistrictCode, GridCode, OrderCode};
use crate::domain::order::{Assignee, Order, Status};
use crate::domain::position::Position;
use crate::domain::task::{Task, TaskKind, TaskStatus};

const COLUMNS: &str = "number, version, status, grid, cover, lon, lat, damage, assignee, target, promise_at, secure_by, \
    repair_by, opened_at, secured_at, repaired_at, closed_at, disputed, level, rework, report_count, registry_seq, updated_at";

#[derive(Debug, Clone, sqlx::FromRow)]
struct Row {
    number: i64,
    version: i64,
    status: String,
    grid: i64,
    cover: Option<Vec<u8>>,
    lon: f64,
    lat: f64,
    damage: String,
    assignee: String,
    target: String,
    promise_at: i64,
    secure_by: Option<i64>,
    repair_by: i64,
    opened_at: i64,
    secured_at: Option<i64>,
    repaired_at: Option<i64>,
    closed_at: Option<i64>,
    disputed: i64,
    level: i64,
    rework: i64,
    report_count: i64,
    registry_seq: i64,
    updated_at: i64,
}

/// An order as stored: its cover is an identity, which the registry in memory turns into a
/// [`crate::domain::order::Subject`]; `order.cover` is always `None` here.
#[derive(Debug, Clone)]
pub struct StoredOrder {
    pub order: Order,
    pub cover: Option<CoverId>,
    pub updated_at: Timestamp,
}

fn instant(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|e| corrupt("an instant", e))
}

fn maybe_instant(micros: Option<i64>) -> Result<Option<Timestamp>> {
    micros.map(instant).transpose()
}

fn cover_id(bytes: &[u8]) -> Result<CoverId> {
    Uuid::from_slice(bytes).map(CoverId).map_err(|e| corrupt("a cover's id", e))
}

impl Row {
    fn read(self, district: DistrictCode) -> Result<StoredOrder> {
        let small = |value: i64| u32::try_from(value).map_err(|e| corrupt("a count", e));
        let order = Order {
            code: OrderCode::from_number(district, self.number)
                .ok_or_else(|| corrupt("an order's number", self.number))?,
            version: small(self.version)?,
            district,
            grid: GridCode::from_number(self.grid.unsigned_abs()).ok_or_else(|| corrupt("a grid", self.grid))?,
            cover: None,
            position: Position::new(self.lon, self.lat).map_err(|e| corrupt("a position", e))?,
            damage: DamageCode::new(&self.damage).ok_or_else(|| corrupt("a damage", &self.damage))?,
            assignee: Assignee::parse(&self.assignee).ok_or_else(|| corrupt("an assignee", &self.assignee))?,
            limits: Limits {
                target: Target::parse(&self.target).ok_or_else(|| corrupt("a target", &self.target))?,
                promise_at: instant(self.promise_at)?,
                secure_by: maybe_instant(self.secure_by)?,
                repair_by: instant(self.repair_by)?,
            },
            status: Status::parse(&self.status).ok_or_else(|| corrupt("a status", &self.status))?,
            opened_at: instant(self.opened_at)?,
            secured_at: maybe_instant(self.secured_at)?,
            repaired_at: maybe_instant(self.repaired_at)?,
            closed_at: maybe_instant(self.closed_at)?,
            disputed: self.disputed != 0,
            level: small(self.level)?,
            rework: small(self.rework)?,
            report_count: small(self.report_count)?,
            registry_seq: self.registry_seq.unsigned_abs(),
            tasks: Vec::new(),
        };
        let cover = self.cover.as_deref().map(cover_id).transpose()?;
        Ok(StoredOrder { order, cover, updated_at: instant(self.updated_at)? })
    }
}

#[derive(Debug, sqlx::FromRow)]
struct TaskRow {
    work_order: i64,
    id: i64,
    kind: String,
    assignee: String,
    status: String,
    due_at: i64,
}

impl TaskRow {
    fn read(self) -> Result<(i64, Task)> {
        let task = Task {
            id: u32::try_from(self.id).map_err(|e| corrupt("a task", e))?,
            kind: TaskKind::parse(&self.kind).ok_or_else(|| corrupt("a task", &self.kind))?,
            assignee: Assignee::parse(&self.assignee).ok_or_else(|| corrupt("an assignee", &self.assignee))?,
            status: TaskStatus::parse(&self.status).ok_or_else(|| corrupt("a task", &self.status))?,
            due_at: instant(self.due_at)?,
        };
        Ok((self.work_order, task))
    }
}

/// The open orders on any of these covers, and any order with one of these codes; with tasks.
pub async fn load(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    covers: &[CoverId],
    codes: &[OrderCode],
) -> Result<Vec<StoredOrder>> {
    let mut rows: Vec<Row> = Vec::new();
    if !codes.is_empty() {
        let found: Vec<Row> = each!(&mut *conn, c => {
            let mut sql = select::<Db>(district);
            sql.push(" AND number IN (");
            let mut list = sql.separated(", ");
            codes.iter().for_each(|code| { list.push_bind(code.number()); });
            sql.push(")");
            sql.build_query_as().fetch_all(c).await?
        });
        rows.extend(found);
    }
    if !covers.is_empty() {
        rows.extend(open_on(conn, district, covers).await?);
    }
    rows.sort_by_key(|row| row.number);
    rows.dedup_by_key(|row| row.number);
    let mut orders = rows.into_iter().map(|row| row.read(district)).collect::<Result<Vec<_>>>()?;
    attach_tasks(conn, district, &mut orders).await?;
    Ok(orders)
}

/// The open orders on any of these covers. `PostgreSQL` gets one statement for any number of them; `SQLite` is told the
/// index: without statistics it takes a district for ten rows and reads all of its orders.
async fn open_on(conn: &mut Conn<'_>, district: DistrictCode, covers: &[CoverId]) -> Result<Vec<Row>> {
    const OPEN: &str = "AND status NOT IN ('closed', 'cancelled')";
    let ids = covers.iter().map(|cover| cover.0.as_bytes().as_slice());
    match conn {
        Conn::Sqlite(c) => {
            let mut sql =
                QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM work_order INDEXED BY work_order_open"));
            sql.push(" WHERE district = ").push_bind(district.as_i64()).push(" ").push(OPEN).push(" AND cover IN (");
            let mut list = sql.separated(", ");
            ids.for_each(|id| {
                list.push_bind(id);
            });
            sql.push(")");
            Ok(sql.build_query_as().fetch_all(&mut **c).await?)
        }
        Conn::Postgres(c) => {
            // Not `cover = ANY($2)`: of a table that it knows nothing of, PostgreSQL looks through a district's orders
            // for them. `OFFSET` keeps this from becoming a join that does the same.
            let sql = format!(
                "SELECT found.* FROM unnest($2::bytea[]) AS asked (id) CROSS JOIN LATERAL \
                 (SELECT {COLUMNS} FROM work_order WHERE district = $1 AND cover = asked.id {OPEN} OFFSET 0) AS found"
            );
            let query = sqlx::query_as(AssertSqlSafe(sql)).bind(district.as_i64()).bind(ids.collect::<Vec<_>>());
            Ok(query.fetch_all(&mut **c).await?)
        }
    }
}

fn select<Db: sqlx::Database>(district: DistrictCode) -> QueryBuilder<Db>
where
    for<'q> i64: sqlx::Encode<'q, Db> + sqlx::Type<Db>,
{
    let mut sql = QueryBuilder::<Db>::new(format!("SELECT {COLUMNS} FROM work_order WHERE district = "));
    sql.push_bind(district.as_i64());
    sql
}

async fn attach_tasks(conn: &mut Conn<'_>, district: DistrictCode, orders: &mut [StoredOrder]) -> Result<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let rows: Vec<TaskRow> = each!(conn, c => {
        let mut sql = QueryBuilder::<Db>::new(
            "SELECT work_order, id, kind, assignee, status, due_at FROM task WHERE district = ",
        );
        sql.push_bind(district.as_i64()).push(" AND work_order IN (");
        let mut list = sql.separated(", ");
        orders.iter().for_each(|stored| { list.push_bind(stored.order.code.number()); });
        sql.push(") ORDER BY work_order, id");
        sql.build_query_as().fetch_all(c).await?
    });
    for row in rows {
        let (number, task) = row.read()?;
        // `orders` is sorted by number.
        if let Ok(at) = orders.binary_search_by_key(&number, |stored| stored.order.code.number()) {
            orders[at].order.tasks.push(task);
        }
    }
    Ok(())
}

/// Writes orders as they now are, new or known, with all their tasks.
pub fn rows<'o>(district: DistrictCode, orders: &[&'o Order], now: Timestamp) -> [Rows<'o>; 2] {
    let written = Insert::into("work_order", district.as_i64(), orders)
        .integer("number", |order| order.code.number())
        .integer("version", |order| i64::from(order.version))
        .text("status", |order| order.status.as_str())
        .integer("grid", |order| order.grid.number().cast_signed())
        .maybe_bytes("cover", |order| order.cover.as_ref().map(|cover| cover.id.0.as_bytes().as_slice()))
        .real("lon", |order| order.position.lon())
        .real("lat", |order| order.position.lat())
        .text("damage", |order| order.damage.as_str())
        .text("assignee", |order| order.assignee.code())
        .text("target", |order| order.limits.target.as_str())
        .integer("promise_at", |order| order.limits.promise_at.as_microsecond())
        .maybe_integer("secure_by", |order| order.limits.secure_by.map(Timestamp::as_microsecond))
        .integer("repair_by", |order| order.limits.repair_by.as_microsecond())
        .integer("due_at", |order| order.due_at().as_microsecond())
        .integer("opened_at", |order| order.opened_at.as_microsecond())
        .maybe_integer("secured_at", |order| order.secured_at.map(Timestamp::as_microsecond))
        .maybe_integer("repaired_at", |order| order.repaired_at.map(Timestamp::as_microsecond))
        .maybe_integer("closed_at", |order| order.closed_at.map(Timestamp::as_microsecond))
        .integer("disputed", |order| i64::from(order.disputed))
        .integer("level", |order| i64::from(order.level))
        .integer("rework", |order| i64::from(order.rework))
        .integer("report_count", |order| i64::from(order.report_count))
        .integer("registry_seq", |order| order.registry_seq.cast_signed())
        .integer("updated_at", |_| now.as_microsecond())
        .on_conflict(
            "(district, number) DO UPDATE SET version = excluded.version, status = excluded.status, \
             grid = excluded.grid, lon = excluded.lon, lat = excluded.lat, \
             cover = COALESCE(excluded.cover, work_order.cover), damage = excluded.damage, \
             assignee = excluded.assignee, target = excluded.target, promise_at = excluded.promise_at, \
             secure_by = excluded.secure_by, repair_by = excluded.repair_by, due_at = excluded.due_at, \
             secured_at = excluded.secured_at, repaired_at = excluded.repaired_at, closed_at = excluded.closed_at, \
             disputed = excluded.disputed, level = excluded.level, rework = excluded.rework, \
             report_count = excluded.report_count, registry_seq = excluded.registry_seq, \
             updated_at = excluded.updated_at",
        )
        .rows();
    let tasks: Vec<(i64, &Task)> =
        orders.iter().flat_map(|order| order.tasks.iter().map(|task| (order.code.number(), task))).collect();
    let tasks = Insert::into("task", district.as_i64(), &tasks)
        .integer("work_order", |(number, _)| *number)
        .integer("id", |(_, task)| i64::from(task.id))
        .text("kind", |(_, task)| task.kind.as_str())
        .text("assignee", |(_, task)| task.assignee.code())
        .text("status", |(_, task)| task.status.as_str())
        .integer("due_at", |(_, task)| task.due_at.as_microsecond())
        .on_conflict(
            "(district, work_order, id) DO UPDATE SET assignee = excluded.assignee, status = excluded.status, \
             due_at = excluded.due_at",
        )
        .rows();
    [written, tasks]
}

/// Every open order of a district, without tasks: what the index starts with.
pub async fn open(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Vec<StoredOrder>> {
    let rows: Vec<Row> = each!(conn, c => {
        let mut sql = select::<Db>(district);
        sql.push(" AND status NOT IN ('closed', 'cancelled')");
        sql.build_query_as().fetch_all(c).await?
    });
    rows.into_iter().map(|row| row.read(district)).collect()
}

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

/// Orders as wanted, without tasks.
pub async fn list(conn: &mut Conn<'_>, district: DistrictCode, wanted: &Wanted) -> Result<Vec<StoredOrder>> {
    let key = match wanted.sort {
        Sort::Code => "number",
        Sort::Due => "due_at",
        Sort::Updated => "updated_at",
    };
    let rows: Vec<Row> = each!(conn, c => {
        let mut sql = select::<Db>(district);
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
                    sql.push(" OR cover IN (SELECT id FROM cover WHERE district = ").push_bind(district.as_i64());
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
