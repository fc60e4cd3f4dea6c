//! An action on an order: may it, can it, what does it mean.

use jiff::SignedDuration;
use serde_json::json;

use super::report::{CLOCKS_DIFFER, in_the_future};
use super::{Closing, Group};
use crate::domain::actor::{self, Actor, Resource};
use crate::domain::catalog::{CategoryCode, DamageCode};
use crate::domain::id::{CoverCode, CoverId, OrderCode};
use crate::domain::order::{Action, Assignee, Illegal, Order};
use crate::domain::said::say;
use crate::index::CoverView;
use crate::service::command::{ActCommand, Asked, Precondition};
use crate::service::error::{At, Result, ServiceError};
use crate::service::reply::Reply;
use crate::service::settle;
use crate::store::personal::Purpose;
use crate::store::{Conn, StoreError};

/// How long it is kept where a crew arrived.
const WHEREABOUTS_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How far from an order the cover of a named category may lie.
const IDENTIFY_REACH_M: f64 = 30.0;

impl Group {
    pub(super) async fn act(
        &mut self,
        conn: &mut Conn<'_>,
        actor: &Actor,
        command: &ActCommand,
    ) -> std::result::Result<Result<Reply>, StoreError> {
        if command.at.is_some_and(|at| at > self.now + CLOCKS_DIFFER) {
            return Ok(Err(ServiceError::invalid("/at", in_the_future())));
        }
        let (before, order) = match self.decide_act(actor, command) {
            Ok(decided) => decided,
            Err(refused) => return Ok(Err(refused)),
        };
        let data = act_data(actor, command, &before, &order);
        let reason = command.reason.as_ref().map(|text| text.as_str().to_owned());
        let kind = format!("work_order.{}", past(&command.asked));
        let feed = self.log(actor, &kind, &order, data, reason);
        if order.closed_at == Some(self.now) {
            self.closing.push(Closing(order.code));
        }
        if let Asked::Arrive { position: Some(position) } = &command.asked {
            let subject = format!("order:{}:{}", order.code.number(), self.head.seq);
            let record = json!({ "lon": position.lon(), "lat": position.lat() });
            self.remember(subject, Purpose::Whereabouts, Some(self.now + WHEREABOUTS_KEPT), &record)?;
        }
        self.put(order.clone());
        let view = self.view(conn, order).await?;
        let rendered = (command.render.0)(&view);
        Ok(Ok(rendered.reply(feed)))
    }

    /// The order as it was and as it becomes.
    fn decide_act(&self, actor: &Actor, command: &ActCommand) -> Result<(Order, Order)> {
        let code = command.code;
        let named = || say!("work order {code}", "工单 {code}");
        let hidden = || ServiceError::NotFound(named());
        let order = self.orders.get(&command.code).map(|w| w.order.clone()).ok_or_else(hidden)?;
        let kind = command.asked.kind();
        let owner = order.cover.as_ref().and_then(|cover| cover.owner.as_ref());
        let resource = Resource::Order { grid: order.grid, assignee: &order.assignee, owner };
        let refused = |r| ServiceError::refused(r, named());
        actor::authorize(actor, actor::Action::Act(kind), resource).map_err(refused)?;
        if command.on_behalf_of.is_some() {
            actor::authorize(actor, actor::Action::ActFor, resource).map_err(refused)?;
        }
        if command.at.is_some_and(|at| at < order.opened_at - CLOCKS_DIFFER) {
            let opened = order.opened_at;
            let detail = say!("the order was opened later, at {opened}", "早于工单的立案时间 {opened}");
            return Err(ServiceError::invalid("/at", detail));
        }
        if let Precondition::Version(version) = command.precondition
            && version != order.version
        {
            return Err(ServiceError::Stale { at: At::Header("If-Match"), current: order.version });
        }
        let from = order.status.as_str();
        if !order.allows(kind, self.rules()) {
            let illegal = Illegal::Now { action: kind, status: order.status };
            let legal = crate::service::orders::legal(actor, &order, self.rules());
            return Err(ServiceError::Illegal { detail: illegal.into(), status: from, legal });
        }
        let action = self.resolve_action(&order, &command.asked)?;
        let acted = order.clone().act(action, self.rules(), self.now).map_err(|illegal| match illegal {
            Illegal::UnknownDamage(_) => ServiceError::invalid("/damage", illegal),
            Illegal::Now { .. } => ServiceError::Illegal { detail: illegal.into(), status: from, legal: Vec::new() },
        })?;
        Ok((order, acted))
    }

    /// Turns codes into what they mean now.
    fn resolve_action(&self, order: &Order, asked: &Asked) -> Result<Action> {
        Ok(match asked {
            Asked::Accept => Action::Accept,
            Asked::Arrive { position } => Action::Arrive { position: *position },
            Asked::Secure { measure } => Action::Secure { measure: *measure },
            Asked::Repair { .. } => Action::Repair,
            Asked::Verify { passed } => Action::Verify { passed: *passed },
            Asked::Close => Action::Close,
            Asked::Identify { cover, category, damage } => self.identify(order, *cover, *category, damage.as_ref())?,
            Asked::Reassign { unit, due_at } => {
                if !self.context.knows(unit) {
                    let unit = unit.code();
                    return Err(ServiceError::invalid("/unit", say!("unit {unit} is not known", "没有单位 {unit}")));
                }
                if due_at.is_some_and(|due_at| due_at <= order.limits.repair_by.max(self.now)) {
                    let limit = order.limits.repair_by;
                    let detail = say!("an extension goes beyond the limit, {limit}", "延期应晚于现有时限 {limit}");
                    return Err(ServiceError::invalid("/due_at", detail));
                }
                Action::Reassign { unit: unit.clone(), due_at: *due_at }
            }
        })
    }

    fn identify(
        &self,
        order: &Order,
        cover: Option<CoverCode>,
        category: Option<CategoryCode>,
        damage: Option<&DamageCode>,
    ) -> Result<Action> {
        let named = self.identified(order, cover, category)?;
        if let Some(cover) = &named
            && let Some(other) = self.open_on(cover.id).filter(|code| *code != order.code)
        {
            let code = cover.code;
            let detail =
                say!("cover {code} already has the open work order {other}", "井盖 {code} 已有未结工单 {other}");
            return Err(ServiceError::invalid("/cover", detail));
        }
        // Another damage may be another's to act on: a missing cover is the owner's. What was handed
        // to somebody else than the registry says stays there.
        let index = &self.context.index;
        let by_registry =
            |cover: &CoverView| settle::responsibility(cover, &order.damage, order.grid).assignee == order.assignee;
        let own = || order.cover.as_ref().and_then(|cover| index.cover_by_id(cover.id)).filter(by_registry);
        let cover = named.or_else(own);
        let damage_now = damage.unwrap_or(&order.damage);
        let responsibility = cover.map(|cover| settle::responsibility(&cover, damage_now, order.grid));
        Ok(Action::Identify { responsibility, damage: damage.cloned() })
    }

    /// The cover that the patrol names, by its code or as the nearest of a category (认定小类).
    fn identified(
        &self,
        order: &Order,
        cover: Option<CoverCode>,
        category: Option<CategoryCode>,
    ) -> Result<Option<CoverView>> {
        let index = &self.context.index;
        if let Some(code) = cover {
            let cover = settle::named_cover(index, code)?;
            let distance = cover.position.distance_m(order.position);
            let elsewhere = cover.grid.as_ref().is_some_and(|grid| grid.code.district() != order.district);
            if elsewhere || distance > settle::PLATE_REACH_M {
                let detail = say!(
                    "cover {code} is {distance:.0} m away from the order (at most 200, and in its district)",
                    "井盖 {code} 距工单 {distance:.0} 米（最多 200 米，且须在同一行政区）"
                );
                return Err(ServiceError::invalid("/cover", detail));
            }
            return Ok(Some(cover));
        }
        let Some(category) = category else { return Ok(None) };
        let nearest = index.nearest_of(category, order.position, IDENTIFY_REACH_M, |_| false);
        nearest.map(|(cover, _)| Some(cover)).ok_or_else(|| {
            let detail = say!(
                "no cover of category {category} within 30 m of the order",
                "工单周围 30 米内没有小类 {category} 的井盖"
            );
            ServiceError::invalid("/category", detail)
        })
    }

    /// The open order on a cover, as this group leaves it.
    fn open_on(&self, cover: CoverId) -> Option<OrderCode> {
        let stored = || self.context.index.order_on(cover).map(|open| open.code);
        let open = self.by_cover.get(&cover).copied().or_else(stored)?;
        let is_open = self.orders.get(&open).is_none_or(|working| working.order.status.is_open());
        is_open.then_some(open)
    }
}

/// The name of the event that an action leaves.
fn past(asked: &Asked) -> &'static str {
    match asked {
        Asked::Accept => "accepted",
        Asked::Arrive { .. } => "arrived",
        Asked::Secure { .. } => "secured",
        Asked::Repair { .. } => "repaired",
        Asked::Verify { passed: true } => "verified",
        Asked::Verify { passed: false } => "rejected",
        Asked::Close => "closed",
        Asked::Identify { .. } => "identified",
        Asked::Reassign { .. } => "reassigned",
    }
}

/// What the event says besides who and when. No personal data.
fn act_data(actor: &Actor, command: &ActCommand, before: &Order, order: &Order) -> serde_json::Value {
    let mut data = json!({
        "action": command.asked.kind().as_str(), "from": before.status.as_str(), "to": order.status.as_str(), "role": actor.role.as_str(),
    });
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            data[name] = value.into();
        }
    };
    set("unit", actor.unit().map(ToString::to_string));
    set("on_behalf_of", command.on_behalf_of.as_ref().map(Assignee::code));
    set("note", command.note.as_ref().map(|text| text.as_str().to_owned()));
    set("happened_at", command.at.map(|at| at.to_string()));
    // Whoever loses it is told: see the feed.
    let owner = |order: &Order| order.cover.as_ref().and_then(|cover| cover.owner.clone());
    if order.assignee != before.assignee || owner(order) != owner(before) {
        set("assignee_before", Some(before.assignee.code()));
        set("grid_before", Some(before.grid.to_string()));
        set("owner_before", owner(before).map(|owner| owner.to_string()));
    }
    match &command.asked {
        Asked::Secure { measure } => set("measure", Some(measure.as_str().to_owned())),
        Asked::Repair { done, material } => {
            set("done", Some(done.as_str().to_owned()));
            set("material", material.as_ref().map(|text| text.as_str().to_owned()));
        }
        Asked::Identify { .. } => {
            set("cover", order.cover.as_ref().map(|cover| cover.code.to_string()));
            set("damage", Some(order.damage.to_string()));
            set("assignee", Some(order.assignee.code()));
        }
        Asked::Reassign { unit, due_at } => {
            set("assignee", Some(unit.code()));
            set("due_at", due_at.map(|at| at.to_string()));
        }
        _ => {}
    }
    data
}
