//! Work orders and their tasks.

use jiff::Timestamp;
use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite};
use uuid::Uuid;

use super::{Conn, Result, corrupt, each};
use crate::domain::catalog::DamageCode;
use crate::domain::deadline::{Limits, Target};
use crate::domain::id::{CoverId, DistrictCode, GridCode, OrderCode};
use crate::domain::order::{Assignee, Order, Status};
use crate::domain::position::Position;
use crate::domain::task::{Task, TaskKind, TaskStatus};

mod list;
mod write;

pub use list::{Sort, Then, Wanted, list, places};
pub use write::{Change, rows};

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

/// A state that is past, with the tasks of then.
#[derive(Debug, sqlx::FromRow)]
struct PastRow {
    #[sqlx(flatten)]
    row: Row,
    tasks: String,
}

impl PastRow {
    fn read(self, district: DistrictCode) -> Result<StoredOrder> {
        let number = self.row.number;
        let tasks: Vec<(i64, String, String, String, i64)> =
            serde_json::from_str(&self.tasks).map_err(|e| corrupt("an order's tasks", e))?;
        let mut stored = self.row.read(district)?;
        for (id, kind, assignee, status, due_at) in tasks {
            stored.order.tasks.push(TaskRow { work_order: number, id, kind, assignee, status, due_at }.read()?.1);
        }
        Ok(stored)
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
            let mut sql = select::<Db>(district, None);
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

/// The orders of a district as they are, or as they were at an instant.
fn select<Db: sqlx::Database>(district: DistrictCode, then: Option<Timestamp>) -> QueryBuilder<Db>
where
    for<'q> i64: sqlx::Encode<'q, Db> + sqlx::Type<Db>,
{
    select_columns(COLUMNS, district, then)
}

/// Some columns of them.
fn select_columns<Db: sqlx::Database>(
    columns: &str,
    district: DistrictCode,
    then: Option<Timestamp>,
) -> QueryBuilder<Db>
where
    for<'q> i64: sqlx::Encode<'q, Db> + sqlx::Type<Db>,
{
    let from = match then.map(Timestamp::as_microsecond) {
        None => "work_order".to_owned(),
        Some(at) => format!(
            "(SELECT district, due_at, {COLUMNS} FROM work_order WHERE updated_at <= {at} UNION ALL \
             SELECT district, due_at, {COLUMNS} FROM work_order_version WHERE updated_at <= {at} AND superseded_at > {at}) \
             AS work_order"
        ),
    };
    let mut sql = QueryBuilder::<Db>::new(format!("SELECT {columns} FROM {from} WHERE district = "));
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

/// Every order of a district that is open, or was at an instant, without tasks: what the index starts with.
pub async fn open(conn: &mut Conn<'_>, district: DistrictCode, then: Option<Timestamp>) -> Result<Vec<StoredOrder>> {
    let rows: Vec<Row> = each!(conn, c => {
        let mut sql = select::<Db>(district, then);
        sql.push(" AND status NOT IN ('closed', 'cancelled')");
        sql.build_query_as().fetch_all(c).await?
    });
    rows.into_iter().map(|row| row.read(district)).collect()
}

/// An order as it was at an instant before its last change, if that is kept.
pub async fn past(conn: &mut Conn<'_>, code: OrderCode, instant: Timestamp) -> Result<Option<StoredOrder>> {
    let sql = format!(
        "SELECT {COLUMNS}, tasks FROM work_order_version \
         WHERE district = $1 AND number = $2 AND updated_at <= $3 AND superseded_at > $3"
    );
    let found: Option<PastRow> = each!(conn, c => sqlx::query_as(AssertSqlSafe(sql))
        .bind(code.district().as_i64()).bind(code.number()).bind(instant.as_microsecond()).fetch_optional(c).await?);
    found.map(|past| past.read(code.district())).transpose()
}

/// The instant from which on the past of every order of a district is kept.
pub async fn kept_since(conn: &mut Conn<'_>, district: DistrictCode) -> Result<Timestamp> {
    const SQL: &str = "SELECT orders_since FROM district_head WHERE district = $1";
    let since: Option<i64> = each!(conn, c => sqlx::query_scalar(SQL).bind(district.as_i64()).fetch_optional(c).await?);
    instant(since.unwrap_or(0))
}
