//! A report joins an open order or opens one.

use jiff::SignedDuration;
use serde_json::json;

use super::Group;
use crate::domain::actor::Actor;
use crate::domain::id::{OrderCode, ReportCode};
use crate::domain::order::{Opening, Order};
use crate::domain::report::Reporter;
use crate::domain::said::{Said, say};
use crate::service::command::{ReportCommand, ReportOutcome};
use crate::service::error::{Result, ServiceError};
use crate::service::reply::Reply;
use crate::service::settle::Settled;
use crate::service::token_hash;
use crate::store::StoreError;
use crate::store::personal::Purpose;
use crate::store::reports::Accepted;

/// How far a phone's clock may be ahead.
pub(super) const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// What is said of an instant that no clock has come to.
pub(super) fn in_the_future() -> Said {
    say!("it lies in the future", "该时间在将来")
}

impl Group {
    pub(super) fn report(
        &mut self,
        actor: &Actor,
        command: &ReportCommand,
        settled: Settled,
    ) -> std::result::Result<Result<Reply>, StoreError> {
        let report = &command.report;
        if report.reported_at.is_some_and(|at| at > self.now + CLOCKS_DIFFER) {
            return Ok(Err(ServiceError::invalid("/reported_at", in_the_future())));
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
        self.take(command, code, order.code, &settled)?;
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
        Ok(Ok((command.render.0)(&outcome).reply(feed)))
    }

    /// Takes what was reported, and apart from it who did.
    fn take(
        &mut self,
        command: &ReportCommand,
        code: ReportCode,
        order: OrderCode,
        settled: &Settled,
    ) -> std::result::Result<(), StoreError> {
        let report = &command.report;
        if let Some(reporter) = &report.reporter {
            let record = reporter_record(reporter);
            self.remember(format!("report:{}", code.number()), Purpose::Reporter, None, &record)?;
        }
        self.reports.push(Accepted {
            code,
            token_hash: token_hash(&command.token),
            work_order: order,
            at: report.place.pin().map_or(settled.responsibility.position, |pin| pin.position()),
            accuracy_m: report.place.pin().map(|pin| pin.accuracy_m()),
            cover: settled.responsibility.cover.as_ref().map(|cover| cover.id),
            category: report.category,
            damage: report.damage.clone(),
            description: report.description.as_ref().map(|text| text.as_str().to_owned()),
            channel: report.channel,
            reported_at: report.reported_at,
            created_at: self.now,
        });
        Ok(())
    }

    /// The open order that a report joins: the one it names, else the one on its cover.
    fn order_to_join(&self, command: &ReportCommand, settled: &Settled) -> Result<Option<OrderCode>> {
        let open = |code: &OrderCode| self.orders.get(code).is_some_and(|w| w.order.status.is_open());
        if let Some(code) = command.report.joins {
            if !self.orders.contains_key(&code) {
                let detail = say!("work order {code} does not exist", "工单 {code} 不存在");
                return Err(ServiceError::invalid("/joins", detail));
            }
            if open(&code) {
                return Ok(Some(code));
            }
        }
        let on_cover = settled.responsibility.cover.as_ref().and_then(|cover| self.by_cover.get(&cover.id));
        Ok(on_cover.copied().filter(open))
    }
}

/// What is sealed of who reported.
fn reporter_record(reporter: &Reporter) -> serde_json::Value {
    json!({
        "name": reporter.name.as_ref().map(crate::domain::text::Text::as_str),
        "phone": reporter.phone.as_ref().map(crate::domain::phone::Phone::as_str),
        "language": reporter.language.as_ref().map(crate::domain::text::Text::as_str),
    })
}
