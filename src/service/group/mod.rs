//! One commit group: load what the commands need, decide each in order, write it all at once.

mod act;
mod growing;
mod report;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

pub(super) use growing::Growing;

use super::catch_up::CaughtUp;
use super::command::{Answer, Asked, Command, Idempotency, OrderView, What};
use super::error::{Result, ServiceError};
use super::reply::Reply;
use super::settle::{self, Settled};
use super::{Context, idempotent, orders as reading};
use crate::domain::actor::Actor;
use crate::domain::catalog::Catalog;
use crate::domain::id::{CoverId, DistrictCode, OrderCode};
use crate::domain::order::{Order, Rules};
use crate::domain::report::NewReport;
use crate::store::events::Event;
use crate::store::head::Head;
use crate::store::idempotency::{Kept, Slot};
use crate::store::orders::{Change, StoredOrder};
use crate::store::personal::{self, PersonalData, Purpose};
use crate::store::reports::{Accepted, StoredReport};
use crate::store::{self, Conn, Rows, StoreError, Writing, events, head, idempotency, orders, reports};

/// How long a reporter's name and phone are kept once the order is closed.
const REPORTER_KEPT: SignedDuration = SignedDuration::from_hours(180 * 24);
/// Ends the retention of an order's reporters at closing.
struct Closing(OrderCode);

/// What a group leaves to do once it is committed.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) changed: Vec<Order>,
    /// The first and last number that the group took; the last lies before the first where it took none.
    pub(super) events: (i64, i64),
    /// The head as the group left it.
    pub(super) head: Head,
}

/// What came of running a group.
pub(super) enum Ran<T> {
    Decided(T),
    /// The registry has changed so that the district must be loaded first.
    Behind,
}

/// Runs the group within an open transaction that holds the district's `head`. An error fails the whole group.
pub(super) async fn run(
    context: &Arc<Context>,
    conn: &mut Conn<'_>,
    writing: Writing,
    district: DistrictCode,
    mut head: Head,
    commands: &[Command],
) -> std::result::Result<Ran<(Vec<Answer>, Effects)>, StoreError> {
    // No order is decided on a registry that has changed since.
    if context.index.registry_seq(district) != Some(head.registry_seq.unsigned_abs())
        && context.catch_up_in_place(conn, district, &head).await? == CaughtUp::MustLoad
    {
        return Ok(Ran::Behind);
    }
    let before = head.seq;
    let now = head.advance(context.clock.now());
    let settled = settle_all(context, district, commands);
    let slots: Vec<&Slot> = commands.iter().filter_map(|c| c.idempotency.as_ref().map(|i| &i.slot)).collect();
    let kept = idempotency::find(conn, district, &slots).await?;
    let (mut covers, codes) = needed(context, commands, &settled);
    // With everything before this group in memory, a cover without an open order there has none.
    if context.progress.of(district) == Some(before) {
        covers.retain(|&cover| context.index.order_on(cover).is_some());
    }
    let loaded = orders::load(conn, district, &covers, &codes).await?;
    // Of other districts' units memory holds those that something here names already.
    let handed_to = commands.iter().filter_map(|command| match &command.what {
        What::Act(act) => act.asked.handed_to(),
        What::Report(_) => None,
    });
    context.introduce(conn, district, handed_to).await?;
    let mut group = Group::new(context, district, head, now, kept, loaded);
    let answers = group.decide_all(conn, commands, settled).await?;
    group.write(conn, writing).await?;
    Ok(Ran::Decided((answers, group.effects(before))))
}

/// What is settled of each report, in memory.
fn settle_all(context: &Context, district: DistrictCode, commands: &[Command]) -> Vec<Option<Result<Settled>>> {
    let settled = commands.iter().map(|command| match &command.what {
        What::Report(report) => Some(settled_here(context, district, &report.report)),
        What::Act(_) => None,
    });
    settled.collect()
}

/// Settles a report that was sent to this district. Should the registry have moved it to another one
/// meanwhile, whoever asks again is sent there.
fn settled_here(context: &Context, district: DistrictCode, report: &NewReport) -> Result<Settled> {
    let settled = settle::settle(&context.index, report)?;
    if settled.responsibility.grid.district() == district { Ok(settled) } else { Err(ServiceError::Unavailable) }
}

/// The covers whose open orders, and the orders which, the group must know.
fn needed(
    context: &Context,
    commands: &[Command],
    settled: &[Option<Result<Settled>>],
) -> (Vec<CoverId>, Vec<OrderCode>) {
    let reported = settled.iter().flatten().flatten().filter_map(|s| s.responsibility.cover.as_ref().map(|c| c.id));
    let identified = commands.iter().filter_map(|command| match &command.what {
        What::Act(act) => match act.asked {
            Asked::Identify { cover: Some(code), .. } => context.index.cover(code).map(|cover| cover.id),
            _ => None,
        },
        What::Report(_) => None,
    });
    let covers = reported.chain(identified);
    let codes = commands.iter().filter_map(|command| match &command.what {
        What::Report(report) => report.report.joins,
        What::Act(act) => Some(act.code),
    });
    (covers.collect(), codes.collect())
}

struct Working {
    /// As it was before this group; none of a new one.
    was: Option<StoredOrder>,
    order: Order,
    changed: bool,
}

struct Group {
    context: Arc<Context>,
    district: DistrictCode,
    catalog: Arc<Catalog>,
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

impl Group {
    fn new(
        context: &Arc<Context>,
        district: DistrictCode,
        head: Head,
        now: Timestamp,
        kept: Vec<Kept>,
        loaded: Vec<StoredOrder>,
    ) -> Self {
        let mut orders = BTreeMap::new();
        let mut by_cover = HashMap::new();
        for was in loaded {
            let mut order = was.order.clone();
            order.cover = settle::subject_by_id(&context.index, was.cover);
            if let Some(cover) = was.cover.filter(|_| order.status.is_open()) {
                // In order of their codes: the oldest, as the index has it. Records that were merged may each have had one.
                by_cover.entry(cover).or_insert(order.code);
            }
            orders.insert(order.code, Working { was: Some(was), order, changed: false });
        }
        Self {
            context: Arc::clone(context),
            district,
            catalog: context.index.catalog(district).unwrap_or_default(),
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

    fn rules(&self) -> Rules<'_> {
        Rules { catalog: &self.catalog, calendar: &self.context.calendar }
    }

    async fn decide_all(
        &mut self,
        conn: &mut Conn<'_>,
        commands: &[Command],
        settled: Vec<Option<Result<Settled>>>,
    ) -> std::result::Result<Vec<Answer>, StoreError> {
        let mut answers = Vec::with_capacity(commands.len());
        for (command, settled) in commands.iter().zip(settled) {
            answers.push(self.decide(conn, command, settled).await?);
        }
        Ok(answers)
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
        self.answer(command, done)
    }

    /// The answer to a command that was decided; it is kept for whoever asks again.
    fn answer(&mut self, command: &Command, done: Result<Reply>) -> std::result::Result<Answer, StoreError> {
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
        idempotent::replay(&self.context.seal, kept, asked).map(Some)
    }

    fn keep(&mut self, asked: Option<&Idempotency>, reply: &Reply) -> std::result::Result<(), StoreError> {
        if let Some(asked) = asked {
            let kept = idempotent::keep(&self.context.seal, asked, reply, self.now)?;
            self.kept.insert(kept.slot.clone(), kept.clone());
            self.new_replies.push(kept);
        }
        Ok(())
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

    /// The order with its reports and history, what this group adds included.
    async fn view(&self, conn: &mut Conn<'_>, order: Order) -> std::result::Result<OrderView, StoreError> {
        let subject = order.code.to_string();
        let mut history = events::of(conn, self.district, &subject, None, reading::SHOWN).await?;
        history.extend(self.events.iter().filter(|event| event.subject == subject).cloned());
        let mut stored = reports::of_order(conn, order.code, None, reading::SHOWN).await?;
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
        // The order may have been about another cover.
        let left = self.by_cover.iter().find(|(_, on_it)| **on_it == order.code).map(|(cover, _)| *cover);
        self.by_cover.retain(|_, on_it| *on_it != order.code);
        let now = order.cover.as_ref().filter(|_| order.status.is_open()).map(|cover| cover.id);
        if let Some(cover) = now {
            let oldest = self.by_cover.entry(cover).or_insert(order.code);
            *oldest = (*oldest).min(order.code);
        }
        let was = self.orders.remove(&order.code).and_then(|working| working.was);
        self.orders.insert(order.code, Working { was, order, changed: true });
        if let Some(cover) = left.filter(|left| Some(*left) != now) {
            let is_on = |order: &Order| order.status.is_open() && order.cover.as_ref().is_some_and(|on| on.id == cover);
            let next = self.orders.values().find(|working| is_on(&working.order));
            self.by_cover.extend(next.map(|working| (cover, working.order.code)));
        }
    }

    fn changes(&self) -> Vec<Change<'_>> {
        let changed = self.orders.values().filter(|w| w.changed);
        changed.map(|w| Change { was: w.was.as_ref(), order: &w.order }).collect()
    }

    /// What the group leaves in each table, but for the head.
    fn rows<'g>(&'g self, changes: &'g [Change<'g>]) -> [Rows<'g>; 7] {
        let [orders, past, tasks] = orders::rows(self.district, changes, self.now);
        let reports = reports::rows(self.district, &self.reports);
        let events = events::rows(self.district, &self.events);
        let personal = personal::rows(self.district, &self.personal);
        let replies = idempotency::rows(self.district, &self.new_replies);
        [orders, past, tasks, reports, events, personal, replies]
    }

    async fn write(&self, conn: &mut Conn<'_>, writing: Writing) -> std::result::Result<(), StoreError> {
        let changes = self.changes();
        let head = head::rows(self.district, &self.head);
        store::write(conn, writing, self.rows(&changes).into_iter().chain([head])).await?;
        for Closing(order) in &self.closing {
            personal::retain_until(conn, self.district, order.number(), self.now + REPORTER_KEPT).await?;
        }
        Ok(())
    }

    fn effects(self, before: i64) -> Effects {
        let (events, head) = ((before + 1, self.head.seq), self.head);
        Effects { changed: self.orders.into_values().filter(|w| w.changed).map(|w| w.order).collect(), events, head }
    }
}
