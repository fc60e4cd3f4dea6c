//! What a commit writes of orders.

use jiff::Timestamp;
use serde_json::json;

use super::StoredOrder;
use crate::domain::id::DistrictCode;
use crate::domain::order::Order;
use crate::domain::task::Task;
use crate::store::insert::{Insert, Rows};

/// An order as it becomes, and as it was if it is not new.
#[derive(Debug, Clone, Copy)]
pub struct Change<'o> {
    pub was: Option<&'o StoredOrder>,
    pub order: &'o Order,
}

/// The columns that an order has in the present and in the past.
fn columns<'r, 'o: 'r, T>(insert: Insert<'r, 'o, T>, order: impl Fn(&'r T) -> &'o Order + Copy) -> Insert<'r, 'o, T> {
    insert
        .integer("number", move |row| order(row).code.number())
        .integer("version", move |row| i64::from(order(row).version))
        .text("status", move |row| order(row).status.as_str())
        .integer("grid", move |row| order(row).grid.number().cast_signed())
        .real("lon", move |row| order(row).position.lon())
        .real("lat", move |row| order(row).position.lat())
        .text("damage", move |row| order(row).damage.as_str())
        .text("assignee", move |row| order(row).assignee.code())
        .text("target", move |row| order(row).limits.target.as_str())
        .integer("promise_at", move |row| order(row).limits.promise_at.as_microsecond())
        .maybe_integer("secure_by", move |row| order(row).limits.secure_by.map(Timestamp::as_microsecond))
        .integer("repair_by", move |row| order(row).limits.repair_by.as_microsecond())
        .integer("due_at", move |row| order(row).due_at().as_microsecond())
        .integer("opened_at", move |row| order(row).opened_at.as_microsecond())
        .maybe_integer("secured_at", move |row| order(row).secured_at.map(Timestamp::as_microsecond))
        .maybe_integer("repaired_at", move |row| order(row).repaired_at.map(Timestamp::as_microsecond))
        .maybe_integer("closed_at", move |row| order(row).closed_at.map(Timestamp::as_microsecond))
        .integer("disputed", move |row| i64::from(order(row).disputed))
        .integer("level", move |row| i64::from(order(row).level))
        .integer("rework", move |row| i64::from(order(row).rework))
        .integer("report_count", move |row| i64::from(order(row).report_count))
        .integer("registry_seq", move |row| order(row).registry_seq.cast_signed())
}

/// Writes orders as they become with all their tasks, and into the past what they were. A new one has no past.
pub fn rows<'o>(district: DistrictCode, changes: &[Change<'o>], now: Timestamp) -> [Rows<'o>; 3] {
    let written = columns(Insert::into("work_order", district.as_i64(), changes), |change| change.order)
        .maybe_bytes("cover", |change| change.order.cover.as_ref().map(|cover| cover.id.0.as_bytes().as_slice()))
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
    let superseded: Vec<&StoredOrder> = changes.iter().filter_map(|change| change.was).collect();
    let past = columns(Insert::into("work_order_version", district.as_i64(), &superseded), |was| &was.order)
        .maybe_bytes("cover", |was| was.cover.as_ref().map(|cover| cover.0.as_bytes().as_slice()))
        .integer("updated_at", |was| was.updated_at.as_microsecond())
        .integer("superseded_at", |_| now.as_microsecond())
        .text("tasks", |was| tasks_text(&was.order.tasks))
        .rows();
    let tasks: Vec<(i64, &Task)> = changes
        .iter()
        .flat_map(|Change { order, .. }| order.tasks.iter().map(|task| (order.code.number(), task)))
        .collect();
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
    [written, past, tasks]
}

/// Tasks as the past keeps them.
fn tasks_text(tasks: &[Task]) -> String {
    let tasks = tasks.iter().map(|task| {
        json!([task.id, task.kind.as_str(), task.assignee.code(), task.status.as_str(), task.due_at.as_microsecond()])
    });
    tasks.collect::<serde_json::Value>().to_string()
}
