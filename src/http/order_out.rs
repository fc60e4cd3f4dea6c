//! Work orders as they go out.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::App;
use super::refs::Ref;
use super::wire::{Audience, GridOut, Out, PositionOut, centimetres};
use super::words;
use crate::domain::actor::{self, Actor, Resource};
use crate::domain::catalog::Catalog;
use crate::domain::id::{GridCode, ReportCode};
use crate::domain::order::{Assignee, Order, Rules, Subject};
use crate::domain::task::Task;
use crate::service::command::OrderView;
use crate::service::error::Result;
use crate::service::moment::Moment;
use crate::service::orders::{ListedOrder, legal};
use crate::store::events::Event;
use crate::store::reports::StoredReport;

/// The cover that an order is about.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderCoverOut {
    #[schema(examples("3702030103000123"))]
    pub code: String,
    pub category: Ref<'static>,
}

/// A task (任务) that an order is decomposed into.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskOut {
    /// Counts from 1 within the order.
    pub id: u32,
    #[schema(schema_with = words::task_kind)]
    pub kind: &'static str,
    pub assignee: Ref<'static>,
    #[schema(schema_with = words::task_status)]
    pub status: &'static str,
    pub due_at: Timestamp,
}

/// A work order (工单) without its lists.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkOrderSummary {
    #[schema(examples("WO-370203-261123-00042-3"))]
    pub code: String,
    /// Rises with status, cover, damage, unit and limits; the same as in `ETag`.
    pub version: u32,
    #[schema(schema_with = words::order_status)]
    pub status: &'static str,
    #[schema(examples("missing"))]
    pub damage: String,
    pub position: PositionOut,
    pub cover: Option<OrderCoverOut>,
    pub grid: GridOut<'static>,
    /// Who must act: a unit, or where there is none the grid or its sub-district.
    pub responsible_unit: Ref<'static>,
    pub due_at: Timestamp,
    /// First report + 30 minutes; never moves.
    pub promise_at: Timestamp,
    pub overdue: bool,
    /// Net; negative when over.
    pub seconds_left: i64,
    /// How often it was escalated (督办).
    pub level: u32,
    /// How often its verification failed (返工).
    pub rework: u32,
    /// Reported again after it was repaired.
    pub disputed: bool,
    pub opened_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub report_count: u32,
}

/// A line of the list of work orders.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkOrderItem {
    #[serde(flatten)]
    pub summary: WorkOrderSummary,
    /// What `sort=updated` goes by.
    pub updated_at: Timestamp,
    /// With `near`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f64>,
}

/// A report as its order shows it: without its reporter.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrderReportOut {
    #[schema(examples("RP-370203-261123-00042-3"))]
    pub code: String,
    pub created_at: Timestamp,
    /// When it was seen, if that was said.
    pub reported_at: Option<Timestamp>,
    #[schema(schema_with = words::channel)]
    pub channel: String,
    pub damage: String,
    pub description: Option<String>,
    pub position: PositionOut,
}

/// A photo.
#[derive(Debug, Serialize, ToSchema)]
pub struct PhotoOut {
    pub id: String,
    pub url: String,
}

/// Who did something: the role, and the unit that a key acts for.
#[derive(Debug, Serialize, ToSchema)]
pub struct ByOut {
    #[schema(schema_with = words::role)]
    pub role: String,
    pub unit: Option<Ref<'static>>,
}

/// What happened to an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryOut {
    /// Number of the event in the district's feed.
    pub seq: i64,
    pub at: Timestamp,
    /// `report`, or the action.
    #[schema(examples("arrive"))]
    pub action: String,
    /// The status before; null for a report.
    #[schema(schema_with = words::maybe_order_status)]
    pub from: Option<String>,
    #[schema(schema_with = words::maybe_order_status)]
    pub to: Option<String>,
    pub by: ByOut,
    pub on_behalf_of: Option<Ref<'static>>,
    pub reason: Option<String>,
    pub note: Option<String>,
    /// When it happened, as a crew that was offline says.
    pub happened_at: Option<String>,
    pub photos: Vec<PhotoOut>,
}

/// A work order (工单) with all that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkOrderOut {
    #[serde(flatten)]
    pub summary: WorkOrderSummary,
    pub tasks: Vec<TaskOut>,
    pub reports: Vec<OrderReportOut>,
    pub photos: Vec<PhotoOut>,
    pub history: Vec<HistoryOut>,
    /// What this caller may do now.
    #[schema(schema_with = words::legal)]
    pub legal: Vec<&'static str>,
}

/// Shows orders to one caller in one coordinate system, with the names of a moment.
#[derive(Debug, Clone)]
pub struct Shower {
    pub app: App,
    pub actor: Arc<Actor>,
    pub moment: Moment,
    pub out: Out,
}

impl Shower {
    fn audience(&self) -> Audience {
        if self.actor.is_anonymous() { Audience::Public } else { Audience::Staff }
    }

    fn catalog(&self, order: &Order) -> Arc<Catalog> {
        self.app.guli.context.index.catalog(order.district).unwrap_or_default()
    }

    /// Whether the caller may see all of an order.
    pub fn sees(&self, order: &Order) -> bool {
        let owner = order.cover.as_ref().and_then(|cover| cover.owner.as_ref());
        let resource = Resource::Order { grid: order.grid, assignee: &order.assignee, owner };
        actor::authorize(&self.actor, actor::Action::ReadOrder, resource).is_ok()
    }

    pub fn grid(&self, code: GridCode) -> GridOut<'static> {
        match self.moment.registry(&self.app.guli).grid(code) {
            Some(grid) => GridOut::new(&grid, self.audience()).into_owned(),
            None => GridOut::unknown(code),
        }
    }

    /// Who must act, with a name.
    pub fn assignee(&self, assignee: &Assignee) -> Ref<'static> {
        let index = self.moment.registry(&self.app.guli);
        let known = match assignee {
            Assignee::Unit(code) => {
                let unit = self.moment.organization(&self.app.guli, code);
                unit.map(|unit| Ref::organization(&unit).into_owned())
            }
            Assignee::Grid(code) => index.grid(*code).map(|grid| Ref::grid(&grid).into_owned()),
            Assignee::Subdistrict(code) => index.subdistrict(*code).map(|named| Ref::named(&named).into_owned()),
        };
        known.unwrap_or_else(|| Ref::nameless(assignee.code()))
    }

    fn assignee_by_code(&self, code: &str) -> Ref<'static> {
        Assignee::parse(code).map_or_else(|| Ref::nameless(code.to_owned()), |assignee| self.assignee(&assignee))
    }

    pub fn cover(&self, cover: &Subject, catalog: &Catalog) -> OrderCoverOut {
        let category = cover.code.category();
        OrderCoverOut {
            code: cover.code.to_string(),
            category: Ref::new(category, catalog.category_name(category)).into_owned(),
        }
    }

    /// The cover of an order, with the names of its district.
    pub fn cover_of(&self, order: &Order) -> Option<OrderCoverOut> {
        let catalog = self.catalog(order);
        order.cover.as_ref().map(|cover| self.cover(cover, &catalog))
    }

    pub fn tasks(&self, tasks: &[Task]) -> Vec<TaskOut> {
        tasks
            .iter()
            .map(|task| TaskOut {
                id: task.id,
                kind: task.kind.as_str(),
                assignee: self.assignee(&task.assignee),
                status: task.status.as_str(),
                due_at: task.due_at,
            })
            .collect()
    }

    fn summary(&self, order: &Order, now: Timestamp) -> Result<WorkOrderSummary> {
        Ok(WorkOrderSummary {
            code: order.code.to_string(),
            version: order.version,
            status: order.status.as_str(),
            damage: order.damage.to_string(),
            position: self.out.position(order.position)?,
            cover: self.cover_of(order),
            grid: self.grid(order.grid),
            responsible_unit: self.assignee(&order.assignee),
            due_at: order.due_at(),
            promise_at: order.limits.promise_at,
            overdue: order.is_overdue(now),
            seconds_left: order.seconds_left(now),
            level: order.level,
            rework: order.rework,
            disputed: order.disputed,
            opened_at: order.opened_at,
            closed_at: order.closed_at,
            report_count: order.report_count,
        })
    }

    /// A line of a list.
    pub fn item(&self, listed: &ListedOrder, now: Timestamp) -> Result<WorkOrderItem> {
        let summary = self.summary(&listed.order, now)?;
        Ok(WorkOrderItem { summary, updated_at: listed.updated_at, distance_m: listed.distance_m.map(centimetres) })
    }

    fn report(&self, order: &Order, report: &StoredReport) -> Result<OrderReportOut> {
        let position = crate::domain::position::Position::new(report.lon, report.lat).unwrap_or(order.position);
        Ok(OrderReportOut {
            code: ReportCode::from_number(order.district, report.number)
                .map(|code| code.to_string())
                .unwrap_or_default(),
            created_at: instant(report.created_at),
            reported_at: report.reported_at.map(instant),
            channel: report.channel.clone(),
            damage: report.damage.clone(),
            description: report.description.clone(),
            position: self.out.position(position)?,
        })
    }

    fn history(&self, event: &Event) -> HistoryOut {
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        let whom = |name: &str| data[name].as_str().map(|code| self.assignee_by_code(code));
        HistoryOut {
            seq: event.seq,
            at: event.at(),
            action: text("action").unwrap_or_else(|| event.kind.clone()),
            from: text("from"),
            to: text("to"),
            by: ByOut { role: text("role").unwrap_or_else(|| "resident".to_owned()), unit: whom("unit") },
            on_behalf_of: whom("on_behalf_of"),
            reason: event.reason.clone(),
            note: text("note"),
            happened_at: text("happened_at"),
            photos: Vec::new(),
        }
    }

    /// The whole order.
    pub fn whole(&self, view: &OrderView) -> Result<WorkOrderOut> {
        let order = &view.order;
        let catalog = self.catalog(order);
        let rules = Rules { catalog: &catalog, calendar: &self.app.guli.context.calendar };
        Ok(WorkOrderOut {
            summary: self.summary(order, view.now)?,
            tasks: self.tasks(&order.tasks),
            reports: view.reports.iter().map(|report| self.report(order, report)).collect::<Result<_>>()?,
            photos: Vec::new(),
            history: view.history.iter().map(|event| self.history(event)).collect(),
            legal: legal(&self.actor, order, rules),
        })
    }
}

/// An instant as the database keeps it.
pub fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}
