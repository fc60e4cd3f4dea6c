//! One commit group: load what the commands need, decide each in order, write it all at once.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Context;
use super::command::{ActCommand, Answer, Asked, Command, Idempotency, OrderView, ReportCommand, ReportOutcome, What};
use super::error::{Result, ServiceError};
use super::reply::Reply;
use super::settle::{self, Settled};
use crate::domain::actor::{self, Actor, Resource};
use crate::domain::catalog::Catalog;
use crate::domain::id::{CoverId, DistrictCode, OrderCode, ReportCode};
use crate::domain::order::{Action, Assignee, Illegal, Opening, Order, Rules};
use crate::domain::report::Reporter;
use crate::store::events::Event;
use crate::store::head::Head;
use crate::store::idempotency::{Kept, Slot};
use crate::store::orders::StoredOrder;
use crate::store::personal::{self, PersonalData, Purpose};
use crate::store::reports::{Accepted, StoredReport};
use crate::store::{Conn, StoreError, events, head, idempotency, orders, reports};

/// How long a reply is kept for who asks again.
const REPLY_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a reporter's name and phone are kept once the order is closed.
const REPORTER_KEPT: SignedDuration = SignedDuration::from_hours(180 * 24);
/// How far a phone's clock may be ahead.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);
/// How long it is kept where a crew arrived.
const WHEREABOUTS_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How far from an order the cover of a named category may lie.
const IDENTIFY_REACH_M: f64 = 30.0;
/// Ends the retention of an order's reporters at closing.
struct Closing(OrderCode);

/// What a group leaves to do once it is committed.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub(super) changed: Vec<Order>,
}

/// Runs the group within an open transaction. An error fails the whole group.
pub(super) async fn run(
    context: &Context,
    conn: &mut Conn<'_>,
    district: DistrictCode,
    commands: &[Command],
) -> std::result::Result<(Vec<Answer>, Effects), StoreError> {
    let mut head = head::lock(conn, district).await?.ok_or(StoreError::Duplicate("no head of the district"))?;
    context.catch_up(conn, district, &head).await?;
    let now = head.advance(context.clock.now());
    let settled: Vec<Option<Result<Settled>>> = commands
        .iter()
        .map(|command| match &command.what {
            What::Report(report) => Some(settle::settle(&context.index, &report.report)),
            What::Act(_) => None,
        })
        .collect();
    let slots: Vec<&Slot> = commands.iter().filter_map(|c| c.idempotency.as_ref().map(|i| &i.slot)).collect();
    let kept = idempotency::find(conn, district, &slots).await?;
    let (covers, codes) = needed(commands, &settled);
    let loaded = orders::load(conn, district, &covers, &codes).await?;
    let catalog = context.index.catalog(district).unwrap_or_default();
    let mut group = Group::new(context, district, &catalog, head, now, kept, loaded);
    let mut answers = Vec::with_capacity(commands.len());
    for (command, settled) in commands.iter().zip(settled) {
        answers.push(group.decide(conn, command, settled).await?);
    }
    group.write(conn).await?;
    Ok((answers, Effects { changed: group.changed() }))
}

/// The covers whose open orders, and the orders which, the group must know.
fn needed(commands: &[Command], settled: &[Option<Result<Settled>>]) -> (Vec<CoverId>, Vec<OrderCode>) {
    let covers = settled.iter().flatten().flatten().filter_map(|s| s.responsibility.cover.as_ref().map(|c| c.id));
    let codes = commands.iter().filter_map(|command| match &command.what {
        What::Report(report) => report.report.joins,
        What::Act(act) => Some(act.code),
    });
    (covers.collect(), codes.collect())
}

struct Working {
    order: Order,
    changed: bool,
}

struct Group<'a> {
    context: &'a Context,
    district: DistrictCode,
    catalog: &'a Catalog,
    head: Head,
    now: Timestamp,
    kept: HashMap<Slot, Kept>,
    new_replies: Vec<Kept>,
    orders: BTreeMap<OrderCode, Working>,
    by_cover: HashMap<CoverId, OrderCode>,
    reports: Vec<Accepted>,
    events: Vec<Event>,
    personal: Vec<PersonalData>,
    closing: Vec<Closing>,
}

impl<'a> Group<'a> {
    fn new(
        context: &'a Context,
        district: DistrictCode,
        catalog: &'a Catalog,
        head: Head,
        now: Timestamp,
        kept: Vec<Kept>,
        loaded: Vec<StoredOrder>,
    ) -> Self {
        let mut orders = BTreeMap::new();
        let mut by_cover = HashMap::new();
        for StoredOrder { mut order, cover, .. } in loaded {
            order.cover = settle::subject_by_id(&context.index, cover);
            if let Some(cover) = cover.filter(|_| order.status.is_open()) {
                by_cover.insert(cover, order.code);
            }
            orders.insert(order.code, Working { order, changed: false });
        }
        Self {
            context,
            district,
            catalog,
            head,
            now,
            kept: kept.into_iter().filter(|k| k.expires > now).map(|k| (k.slot.clone(), k)).collect(),
            new_replies: Vec::new(),
            orders,
            by_cover,
            reports: Vec::new(),
            events: Vec::new(),
            personal: Vec::new(),
            closing: Vec::new(),
        }
    }

    fn rules(&self) -> Rules<'a> {
        Rules { catalog: self.catalog, calendar: &self.context.calendar }
    }

    /// Decides one command. A refusal is an answer; only a failing database is an error.
    async fn decide(
        &mut self,
        conn: &mut Conn<'_>,
        command: &Command,
        settled: Option<Result<Settled>>,
    ) -> std::result::Result<Answer, StoreError> {
        if let Some(answer) = self.replay(command.idempotency.as_ref())? {
            return Ok(answer);
        }
        let done = match (&command.what, settled) {
            (What::Report(report), Some(Ok(settled))) => self.report(&command.actor, report, settled)?,
            (What::Report(_), Some(Err(refused))) => Err(refused),
            (What::Report(_), None) => Err(ServiceError::Internal("a report was not settled".to_owned())),
            (What::Act(act), _) => self.act(conn, &command.actor, act).await?,
        };
        Ok(match done {
            Ok(reply) => {
                self.keep(command.idempotency.as_ref(), &reply)?;
                Answer::Done(reply)
            }
            Err(refused) => Answer::Refused(refused),
        })
    }

    /// The answer of an earlier request under the same key.
    fn replay(&self, asked: Option<&Idempotency>) -> std::result::Result<Option<Answer>, StoreError> {
        let Some((asked, kept)) = asked.and_then(|asked| Some((asked, self.kept.get(&asked.slot)?))) else {
            return Ok(None);
        };
        if kept.body_hash != asked.body_hash {
            return Ok(Some(Answer::Refused(ServiceError::IdempotencyMismatch)));
        }
        let bytes = self.context.seal.open_sealed(&asked.slot.place(), &kept.sealed_reply)?;
        Reply::from_bytes(&bytes).map(|reply| Some(Answer::Replayed(reply)))
    }

    fn keep(&mut self, asked: Option<&Idempotency>, reply: &Reply) -> std::result::Result<(), StoreError> {
        if let Some(Idempotency { slot, body_hash }) = asked {
            let sealed_reply = self.context.seal.seal(&slot.place(), &reply.to_bytes())?;
            let kept = Kept { slot: slot.clone(), body_hash: *body_hash, sealed_reply, expires: self.now + REPLY_KEPT };
            self.kept.insert(slot.clone(), kept.clone());
            self.new_replies.push(kept);
        }
        Ok(())
    }

    fn report(
        &mut self,
        actor: &Actor,
        command: &ReportCommand,
        settled: Settled,
    ) -> std::result::Result<Result<Reply>, StoreError> {
        let report = &command.report;
        if report.reported_at.is_some_and(|at| at > self.now + CLOCKS_DIFFER) {
            return Ok(Err(ServiceError::invalid("/reported_at", "it lies in the future")));
        }
        let target = match self.order_to_join(command, &settled) {
            Ok(target) => target,
            Err(refused) => return Ok(Err(refused)),
        };
        let (day, counter) = self.head.next_of_day(self.now, &self.context.calendar);
        let code = ReportCode::new(self.district, day, counter);
        let order = match target {
            Some(order) => self.orders[&order].order.clone().join(&report.damage, self.rules(), self.now),
            None => Order::open(
                Opening {
                    code: OrderCode::new(self.district, day, counter),
                    grid: settled.grid,
                    position: settled.position,
                    damage: report.damage.clone(),
                    responsibility: settled.responsibility.clone(),
                    registry_seq: settled.registry_seq,
                },
                self.rules(),
                self.now,
            ),
        };
        let order = match order {
            Ok(order) => order,
            Err(illegal) => return Ok(Err(ServiceError::invalid("/damage", illegal))),
        };
        let merged = target.is_some();
        let kind = if merged { "work_order.joined" } else { "work_order.opened" };
        let data = json!({
            "action": "report", "report": code.to_string(), "damage": report.damage.as_str(),
            "channel": report.channel.as_str(), "to": order.status.as_str(), "role": actor.role.as_str(),
        });
        let feed = self.log(actor, kind, &order, data, None);
        if let Some(reporter) = &report.reporter {
            let record = reporter_record(reporter);
            self.remember(format!("report:{}", code.number()), Purpose::Reporter, None, &record)?;
        }
        self.reports.push(Accepted {
            code,
            token_hash: super::token_hash(&command.token),
            work_order: order.code,
            at: report.place.pin().map_or(settled.position, |pin| pin.position()),
            accuracy_m: report.place.pin().map(|pin| pin.accuracy_m()),
            cover: settled.responsibility.cover.as_ref().map(|cover| cover.id),
            category: report.category,
            damage: report.damage.clone(),
            description: report.description.as_ref().map(|text| text.as_str().to_owned()),
            channel: report.channel,
            reported_at: report.reported_at,
            created_at: self.now,
        });
        let outcome = ReportOutcome {
            code,
            token: command.token.clone(),
            created_at: self.now,
            order: order.clone(),
            merged,
            matched: settled.matched,
            candidates: settled.candidates,
        };
        self.put(order);
        let rendered = (command.render.0)(&outcome);
        Ok(Ok(Reply {
            status: rendered.status,
            location: rendered.location,
            etag: rendered.etag,
            feed,
            body: rendered.body,
        }))
    }

    /// The open order that a report joins: the one it names, else the one on its cover.
    fn order_to_join(&self, command: &ReportCommand, settled: &Settled) -> Result<Option<OrderCode>> {
        let open = |code: &OrderCode| self.orders.get(code).is_some_and(|w| w.order.status.is_open());
        if let Some(code) = command.report.joins {
            if !self.orders.contains_key(&code) {
                return Err(ServiceError::invalid("/joins", format!("work order {code} does not exist")));
            }
            if open(&code) {
                return Ok(Some(code));
            }
        }
        let on_cover = settled.responsibility.cover.as_ref().and_then(|cover| self.by_cover.get(&cover.id));
        Ok(on_cover.copied().filter(open))
    }

    /// Seals personal data, to be written with the group.
    fn remember(
        &mut self,
        subject: String,
        purpose: Purpose,
        retain_until: Option<Timestamp>,
        record: &serde_json::Value,
    ) -> std::result::Result<(), StoreError> {
        let place = personal::place(self.district, &subject, purpose);
        let sealed = self.context.seal.seal(&place, record.to_string().as_bytes())?;
        self.personal.push(PersonalData { subject, purpose, retain_until, sealed });
        Ok(())
    }

    async fn act(
        &mut self,
        conn: &mut Conn<'_>,
        actor: &Actor,
        command: &ActCommand,
    ) -> std::result::Result<Result<Reply>, StoreError> {
        let (order, from) = match self.decide_act(actor, command) {
            Ok(decided) => decided,
            Err(refused) => return Ok(Err(refused)),
        };
        let data = act_data(actor, command, from, &order);
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
        Ok(Ok(Reply {
            status: rendered.status,
            location: rendered.location,
            etag: rendered.etag,
            feed,
            body: rendered.body,
        }))
    }

    fn decide_act(&self, actor: &Actor, command: &ActCommand) -> Result<(Order, &'static str)> {
        let hidden = || ServiceError::NotFound(format!("work order {}", command.code));
        let order = self.orders.get(&command.code).map(|w| w.order.clone()).ok_or_else(hidden)?;
        let kind = command.asked.kind();
        let owner = order.cover.as_ref().and_then(|cover| cover.owner.as_ref());
        let resource = Resource::Order { grid: order.grid, assignee: &order.assignee, owner };
        let refused = |r| ServiceError::refused(r, format!("work order {}", command.code));
        actor::authorize(actor, actor::Action::Act(kind), resource).map_err(refused)?;
        if command.on_behalf_of.is_some() {
            actor::authorize(actor, actor::Action::ActFor, resource).map_err(refused)?;
        }
        if let super::command::Precondition::Version(version) = command.precondition
            && version != order.version
        {
            return Err(ServiceError::Stale { current: order.version });
        }
        let from = order.status.as_str();
        if !order.allows(kind, self.rules()) {
            let illegal = Illegal::Now { action: kind, status: order.status };
            let legal = super::orders::legal(actor, &order, self.rules());
            return Err(ServiceError::Illegal { detail: illegal.to_string(), status: from, legal });
        }
        let action = self.resolve_action(&order, &command.asked)?;
        order.act(action, self.rules(), self.now).map(|order| (order, from)).map_err(|illegal| match illegal {
            Illegal::UnknownDamage(_) => ServiceError::invalid("/damage", illegal),
            Illegal::Now { .. } => {
                ServiceError::Illegal { detail: illegal.to_string(), status: from, legal: Vec::new() }
            }
        })
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
                    return Err(ServiceError::invalid("/unit", format!("unit {} is not known", unit.code())));
                }
                if due_at.is_some_and(|due_at| due_at <= self.now) {
                    return Err(ServiceError::invalid("/due_at", "an extension lies in the future"));
                }
                Action::Reassign { unit: unit.clone(), due_at: *due_at }
            }
        })
    }

    fn identify(
        &self,
        order: &Order,
        cover: Option<crate::domain::id::CoverCode>,
        category: Option<crate::domain::catalog::CategoryCode>,
        damage: Option<&crate::domain::catalog::DamageCode>,
    ) -> Result<Action> {
        let damage_now = damage.unwrap_or(&order.damage);
        let index = &self.context.index;
        let cover = match (cover, category) {
            (Some(code), _) => Some(settle::named_cover(index, code)?),
            // 认定小类: of the covers here, the one of this category that the pin most likely means.
            (None, Some(category)) => {
                let nearest = index.nearest_of(category, order.position, IDENTIFY_REACH_M, |_| false);
                Some(nearest.map(|(cover, _)| cover).ok_or_else(|| {
                    ServiceError::invalid(
                        "/category",
                        format!("no cover of category {category} within 30 m of the order"),
                    )
                })?)
            }
            (None, None) => None,
        };
        if let Some(cover) = &cover {
            let taken =
                self.by_cover.get(&cover.id).copied().or_else(|| index.order_on(cover.id).map(|open| open.code));
            if let Some(other) = taken.filter(|code| *code != order.code) {
                let detail = format!("cover {} already has the open work order {other}", cover.code);
                return Err(ServiceError::invalid("/cover", detail));
            }
        }
        let responsibility = cover.map(|cover| settle::responsibility(&cover, damage_now, order.grid));
        Ok(Action::Identify { responsibility, damage: damage.cloned() })
    }

    /// The order with its reports and history, what this group adds included.
    async fn view(&self, conn: &mut Conn<'_>, order: Order) -> std::result::Result<OrderView, StoreError> {
        let subject = order.code.to_string();
        let mut history = events::of(conn, self.district, &subject).await?;
        history.extend(self.events.iter().filter(|event| event.subject == subject).cloned());
        let mut stored = reports::of_order(conn, order.code).await?;
        stored.extend(self.reports.iter().filter(|r| r.work_order == order.code).map(StoredReport::from));
        Ok(OrderView { order, reports: stored, history, now: self.now })
    }

    fn log(
        &mut self,
        actor: &Actor,
        kind: &str,
        order: &Order,
        data: serde_json::Value,
        reason: Option<String>,
    ) -> String {
        let seq = self.head.next_seq();
        self.events.push(Event {
            seq,
            at: self.now.as_microsecond(),
            actor: actor.log_name(),
            kind: kind.to_owned(),
            subject: order.code.to_string(),
            version: i64::from(order.version),
            data: data.to_string(),
            reason,
        });
        format!("{}:{seq}", self.district)
    }

    fn put(&mut self, order: Order) {
        if let Some(cover) = &order.cover {
            if order.status.is_open() {
                self.by_cover.insert(cover.id, order.code);
            } else {
                self.by_cover.remove(&cover.id);
            }
        }
        self.orders.insert(order.code, Working { order, changed: true });
    }

    async fn write(&mut self, conn: &mut Conn<'_>) -> std::result::Result<(), StoreError> {
        let changed: Vec<&Order> = self.orders.values().filter(|w| w.changed).map(|w| &w.order).collect();
        orders::save(conn, self.district, &changed, self.now).await?;
        reports::insert(conn, self.district, &self.reports).await?;
        events::append(conn, self.district, &self.events).await?;
        personal::put(conn, self.district, &self.personal).await?;
        idempotency::keep(conn, self.district, &self.new_replies).await?;
        for Closing(order) in &self.closing {
            personal::retain_until(conn, self.district, order.number(), self.now + REPORTER_KEPT).await?;
        }
        head::save(conn, self.district, &self.head).await
    }

    fn changed(self) -> Vec<Order> {
        self.orders.into_values().filter(|w| w.changed).map(|w| w.order).collect()
    }
}

/// What is sealed of who reported.
fn reporter_record(reporter: &Reporter) -> serde_json::Value {
    json!({
        "name": reporter.name.as_ref().map(super::super::domain::text::Text::as_str),
        "phone": reporter.phone.as_ref().map(super::super::domain::text::Text::as_str),
        "language": reporter.language.as_ref().map(super::super::domain::text::Text::as_str),
    })
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
fn act_data(actor: &Actor, command: &ActCommand, from: &str, order: &Order) -> serde_json::Value {
    let mut data = json!({
        "action": command.asked.kind().as_str(), "from": from, "to": order.status.as_str(), "role": actor.role.as_str(),
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
