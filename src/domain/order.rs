//! Work orders (工单) and their walk: registered → dispatched → accepted → arrived → secured →
//! repaired → verified → closed (立案, 派遣, 接单, 到场, 控险, 修复, 核查, 结案).
//!
//! Transitions consume the order and give the next one, or say why not. They never read a clock.

use jiff::Timestamp;

use super::catalog::{Catalog, DamageCode};
use super::cover::words;
use super::deadline::{DamageRule, Limits, Target, WorkCalendar};
use super::id::{CommunityCode, CoverCode, CoverId, DistrictCode, GridCode, OrderCode, OrgCode, SubdistrictCode};
use super::position::{Position, Wgs84};
use super::task::{GUARD_LIMIT, Task, TaskKind, TaskStatus, VERIFY_LIMIT};

mod illegal;

pub use illegal::Illegal;

words! {
    /// Where an order stands; overdue is derived from its limits.
    Status {
        Registered = "registered", Dispatched = "dispatched", Accepted = "accepted", Arrived = "arrived",
        Secured = "secured", Repaired = "repaired", Verified = "verified", Closed = "closed",
        Suspended = "suspended", Cancelled = "cancelled",
    }
    /// What can be done to an order.
    ActionKind {
        Accept = "accept", Arrive = "arrive", Secure = "secure", Repair = "repair", Verify = "verify",
        Close = "close", Identify = "identify", Reassign = "reassign",
    }
    /// How a place was made safe.
    Measure { Sign = "sign", Fence = "fence", Guard = "guard", TemporaryCover = "temporary_cover" }
}

impl Status {
    /// Neither closed nor cancelled.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Cancelled)
    }

    /// Repaired, and not reopened since.
    pub const fn is_repaired(self) -> bool {
        matches!(self, Self::Repaired | Self::Verified | Self::Closed)
    }
}

/// Who must act: the cover's unit, or where there is none the grid or its sub-district.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Assignee {
    Unit(OrgCode),
    Grid(GridCode),
    Subdistrict(SubdistrictCode),
}

impl Assignee {
    /// The code on the wire and in the database.
    pub fn code(&self) -> String {
        match self {
            Self::Unit(code) => code.to_string(),
            Self::Grid(code) => code.to_string(),
            Self::Subdistrict(code) => code.to_string(),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Unit).ok().or_else(|| match text.len() {
            15 => text.parse().ok().map(Self::Grid),
            9 => text.parse().ok().map(Self::Subdistrict),
            _ => None,
        })
    }
}

/// The cover that an order is about, as far as an order needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub id: CoverId,
    pub code: CoverCode,
    /// 产权单位, for what departments may see.
    pub owner: Option<OrgCode>,
    pub in_carriageway: bool,
}

/// Whom a pin is given to, about what, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Responsibility {
    pub cover: Option<Subject>,
    pub assignee: Assignee,
    pub grid: GridCode,
    pub position: Position<Wgs84>,
}

/// A work order.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub code: OrderCode,
    pub version: u32,
    pub district: DistrictCode,
    pub grid: GridCode,
    pub cover: Option<Subject>,
    pub position: Position<Wgs84>,
    pub damage: DamageCode,
    pub assignee: Assignee,
    pub limits: Limits,
    pub status: Status,
    pub opened_at: Timestamp,
    pub secured_at: Option<Timestamp>,
    pub repaired_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    pub disputed: bool,
    pub level: u32,
    pub rework: u32,
    pub report_count: u32,
    /// The state of the registry that it was resolved at.
    pub registry_seq: u64,
    pub tasks: Vec<Task>,
}

/// What an action brings with it.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Accept,
    Arrive { position: Option<Position<Wgs84>> },
    Secure { measure: Measure },
    Repair,
    Verify { passed: bool },
    Close,
    Identify { responsibility: Option<Responsibility>, damage: Option<DamageCode> },
    Reassign { unit: Assignee, due_at: Option<Timestamp> },
}

impl Action {
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Accept => ActionKind::Accept,
            Self::Arrive { .. } => ActionKind::Arrive,
            Self::Secure { .. } => ActionKind::Secure,
            Self::Repair => ActionKind::Repair,
            Self::Verify { .. } => ActionKind::Verify,
            Self::Close => ActionKind::Close,
            Self::Identify { .. } => ActionKind::Identify,
            Self::Reassign { .. } => ActionKind::Reassign,
        }
    }
}

/// A district's rules, as far as orders need them.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    pub catalog: &'a Catalog,
    pub calendar: &'a WorkCalendar,
}

impl Rules<'_> {
    fn damage(&self, code: &DamageCode) -> Result<&DamageRule, Illegal> {
        self.catalog.damage(code.as_str()).ok_or_else(|| Illegal::UnknownDamage(code.clone()))
    }
}

/// What opens an order.
#[derive(Debug, Clone)]
pub struct Opening {
    pub code: OrderCode,
    pub damage: DamageCode,
    pub responsibility: Responsibility,
    pub registry_seq: u64,
}

impl Order {
    /// A new order, dispatched at once (立案 and 派遣 in one step).
    pub fn open(opening: Opening, rules: Rules<'_>, now: Timestamp) -> Result<Self, Illegal> {
        let limits = Limits::of(rules.damage(&opening.damage)?, now, rules.calendar);
        let Responsibility { cover, assignee, grid, position } = opening.responsibility;
        let mut order = Self {
            code: opening.code,
            version: 1,
            district: grid.district(),
            grid,
            cover,
            position,
            damage: opening.damage,
            assignee,
            limits,
            status: Status::Dispatched,
            opened_at: now,
            secured_at: None,
            repaired_at: None,
            closed_at: None,
            disputed: false,
            level: 0,
            rework: 0,
            report_count: 1,
            registry_seq: opening.registry_seq,
            tasks: Vec::new(),
        };
        order.decompose(rules, now)?;
        Ok(order)
    }

    /// A further report of the same thing: the more urgent damage, the earlier limits, and a
    /// dispute where the order claims to be repaired.
    pub fn join(mut self, damage: &DamageCode, rules: Rules<'_>, now: Timestamp) -> Result<Self, Illegal> {
        let (reported, own) = (rules.damage(damage)?, rules.damage(&self.damage)?);
        let before = (self.damage.clone(), self.limits, self.disputed);
        self.report_count += 1;
        if reported.urgency > own.urgency {
            self.damage = damage.clone();
        }
        if self.status.is_repaired() {
            self.dispute(now + super::deadline::PROMISE);
        } else {
            let due_at = self.due_at();
            self.limits = self.limits.earlier(Limits::of(reported, now, rules.calendar));
            // What had only to be safe by then must now be repaired by then: nothing falls due later for being worse.
            if self.limits.target == Target::Repair {
                self.limits.repair_by = self.limits.repair_by.min(due_at);
            }
            self.hurry();
            self.decompose(rules, now)?;
        }
        if before != (self.damage.clone(), self.limits, self.disputed) {
            self.version += 1;
        }
        Ok(self)
    }

    /// Whether the order's state lets this happen, whoever asks.
    pub fn allows(&self, action: ActionKind, rules: Rules<'_>) -> bool {
        use Status::{Accepted, Arrived, Dispatched, Registered, Repaired, Secured, Suspended, Verified};
        let needs_securing = rules.catalog.damage(self.damage.as_str()).is_none_or(|rule| rule.secure.is_some());
        match action {
            ActionKind::Accept => self.status == Dispatched,
            ActionKind::Arrive => self.status == Accepted,
            ActionKind::Secure => {
                self.secured_at.is_none() && matches!(self.status, Registered | Dispatched | Accepted | Arrived)
            }
            ActionKind::Repair => self.status == Secured || (self.status == Arrived && !needs_securing),
            ActionKind::Verify => self.status == Repaired || (self.status == Verified && self.disputed),
            ActionKind::Close => self.status == Verified && !self.disputed,
            ActionKind::Identify => self.status.is_open(),
            ActionKind::Reassign => {
                matches!(self.status, Registered | Dispatched | Accepted | Arrived | Secured | Suspended)
            }
        }
    }

    /// The same in another grid: boundaries were redrawn. What was the old grid's to do is the new one's.
    #[must_use]
    pub fn regrid(mut self, grid: GridCode) -> Self {
        let old = self.grid;
        let handed = |assignee: &Assignee| match assignee {
            Assignee::Grid(code) if *code == old => Assignee::Grid(grid),
            Assignee::Subdistrict(code) if *code == SubdistrictCode::of(CommunityCode::of(old)) => {
                Assignee::Subdistrict(SubdistrictCode::of(CommunityCode::of(grid)))
            }
            other => other.clone(),
        };
        self.assignee = handed(&self.assignee);
        for task in self.tasks.iter_mut().filter(|task| task.status == TaskStatus::Open) {
            task.assignee = handed(&task.assignee);
        }
        self.grid = grid;
        self.version += 1;
        self
    }

    /// The order after the action.
    pub fn act(mut self, action: Action, rules: Rules<'_>, now: Timestamp) -> Result<Self, Illegal> {
        let kind = action.kind();
        if !self.allows(kind, rules) {
            return Err(Illegal::Now { action: kind, status: self.status });
        }
        match action {
            Action::Accept => self.status = Status::Accepted,
            Action::Arrive { .. } => {
                self.status = if self.secured_at.is_some() { Status::Secured } else { Status::Arrived };
            }
            Action::Secure { .. } => self.secure(now),
            Action::Repair => self.repair(now),
            Action::Verify { passed: true } => {
                self.status = Status::Verified;
                self.disputed = false;
                self.finish(TaskKind::Verify);
            }
            Action::Verify { passed: false } => self.fail_verification(rules, now)?,
            Action::Close => {
                self.status = Status::Closed;
                self.closed_at = Some(now);
                self.cancel_open_tasks();
            }
            Action::Identify { responsibility, damage } => self.identify(responsibility, damage, rules, now)?,
            Action::Reassign { unit, due_at } => self.reassign(&unit, due_at),
        }
        self.version += 1;
        Ok(self)
    }

    /// `due_at` of the order as a whole.
    pub fn due_at(&self) -> Timestamp {
        self.limits.due_at(self.secured_at.is_some())
    }

    /// Whether it is past its limit; what is repaired has its clock stopped.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.repaired_at.unwrap_or(self.closed_at.unwrap_or(now)) > self.due_at()
    }

    /// Net seconds left; negative when over.
    pub fn seconds_left(&self, now: Timestamp) -> i64 {
        let until = self.repaired_at.or(self.closed_at).unwrap_or(now);
        self.due_at().duration_since(until).as_secs()
    }

    /// Somebody says that it is not repaired: the grid looks again, soon.
    fn dispute(&mut self, verify_by: Timestamp) {
        self.disputed = true;
        if self.open_tasks(TaskKind::Verify).next().is_none() {
            self.add_task(TaskKind::Verify, Assignee::Grid(self.grid), verify_by);
        }
        for task in self.open_tasks(TaskKind::Verify) {
            task.due_at = task.due_at.min(verify_by);
        }
    }

    /// Gives open tasks the order's own limits.
    fn hurry(&mut self) {
        let limits = self.limits;
        for task in self.open_tasks(TaskKind::Repair) {
            task.due_at = limits.repair_by;
        }
        if let Some(secure_by) = limits.secure_by {
            for task in self.open_tasks(TaskKind::Secure) {
                task.due_at = secure_by;
            }
        }
    }

    fn secure(&mut self, now: Timestamp) {
        self.secured_at = Some(now);
        if self.status == Status::Arrived {
            self.status = Status::Secured;
        }
        self.finish(TaskKind::Secure);
    }

    fn repair(&mut self, now: Timestamp) {
        self.status = Status::Repaired;
        self.repaired_at = Some(now);
        self.finish(TaskKind::Repair);
        self.finish(TaskKind::TrafficControl);
        self.finish(TaskKind::Guard);
        self.add_task(TaskKind::Verify, Assignee::Grid(self.grid), now + VERIFY_LIMIT);
    }

    fn fail_verification(&mut self, rules: Rules<'_>, now: Timestamp) -> Result<(), Illegal> {
        let fresh = Limits::of(rules.damage(&self.damage)?, now, rules.calendar);
        self.finish(TaskKind::Verify);
        self.status = Status::Accepted;
        self.rework += 1;
        self.repaired_at = None;
        self.disputed = false;
        // The promise was to the resident: only the repair gets a new limit.
        self.limits.repair_by = fresh.repair_by;
        self.add_task(TaskKind::Repair, self.assignee.clone(), fresh.repair_by);
        Ok(())
    }

    fn identify(
        &mut self,
        responsibility: Option<Responsibility>,
        damage: Option<DamageCode>,
        rules: Rules<'_>,
        now: Timestamp,
    ) -> Result<(), Illegal> {
        if let Some(damage) = damage {
            self.limits = self.limits_of(&damage, rules, now)?;
            self.damage = damage;
        }
        if let Some(Responsibility { cover, assignee, grid, position }) = responsibility {
            (self.cover, self.assignee, self.grid, self.position) = (cover, assignee, grid, position);
        }
        if !self.status.is_repaired() {
            // The tasks are resolved again; what was done stays done.
            self.tasks
                .iter_mut()
                .filter(|t| t.status == TaskStatus::Open)
                .for_each(|t| t.status = TaskStatus::Cancelled);
            self.decompose(rules, now)?;
        }
        Ok(())
    }

    /// The limits for another damage. They run from the opening, unless somebody gave the repair
    /// more or less time, or it began anew after a failed verification: that stays, but for what the
    /// damage asks for from now on.
    fn limits_of(&self, damage: &DamageCode, rules: Rules<'_>, now: Timestamp) -> Result<Limits, Illegal> {
        let (own, new) = (rules.damage(&self.damage)?, rules.damage(damage)?);
        let fresh = Limits::of(new, self.opened_at, rules.calendar);
        let is_own = self.limits.repair_by == Limits::of(own, self.opened_at, rules.calendar).repair_by;
        let repair_by = if is_own {
            fresh.repair_by
        } else {
            self.limits.repair_by.min(Limits::of(new, now, rules.calendar).repair_by)
        };
        Ok(Limits { promise_at: self.limits.promise_at, repair_by, ..fresh })
    }

    fn reassign(&mut self, unit: &Assignee, due_at: Option<Timestamp>) {
        self.status = Status::Dispatched;
        if let Some(due_at) = due_at {
            self.limits.repair_by = due_at;
        }
        let repair_by = self.limits.repair_by;
        self.assignee = unit.clone();
        for task in self.open_tasks(TaskKind::Repair) {
            task.assignee = unit.clone();
            task.due_at = repair_by;
        }
    }

    /// 任务分解: the tasks that the order needs and has not.
    fn decompose(&mut self, rules: Rules<'_>, now: Timestamp) -> Result<(), Illegal> {
        let urgency = rules.damage(&self.damage)?.urgency;
        let grid = Assignee::Grid(self.grid);
        let in_carriageway = self.cover.as_ref().is_some_and(|c| c.in_carriageway);
        let is_gas = self.cover.as_ref().is_some_and(|c| c.code.category().number() == 111);
        if self.secured_at.is_none()
            && let Some(secure_by) = self.limits.secure_by
        {
            self.need_task(TaskKind::Secure, grid.clone(), secure_by);
        }
        self.need_task(TaskKind::Repair, self.assignee.clone(), self.limits.repair_by);
        if in_carriageway && urgency >= 2 {
            self.need_task(TaskKind::TrafficControl, grid.clone(), now + GUARD_LIMIT);
        }
        if is_gas && urgency >= 3 {
            self.need_task(TaskKind::Guard, grid, now + GUARD_LIMIT);
        }
        Ok(())
    }

    /// Adds a task unless one of its kind is open or done; a repair that is done is none for what
    /// is open again.
    fn need_task(&mut self, kind: TaskKind, assignee: Assignee, due_at: Timestamp) {
        let counts = |task: &Task| match task.status {
            TaskStatus::Open => true,
            TaskStatus::Done => kind != TaskKind::Repair,
            TaskStatus::Cancelled => false,
        };
        if !self.tasks.iter().any(|task| task.kind == kind && counts(task)) {
            self.add_task(kind, assignee, due_at);
        }
    }

    fn add_task(&mut self, kind: TaskKind, assignee: Assignee, due_at: Timestamp) {
        let id = self.tasks.iter().map(|task| task.id).max().unwrap_or(0) + 1;
        self.tasks.push(Task { id, kind, assignee, status: TaskStatus::Open, due_at });
    }

    fn open_tasks(&mut self, kind: TaskKind) -> impl Iterator<Item = &mut Task> {
        self.tasks.iter_mut().filter(move |task| task.kind == kind && task.status == TaskStatus::Open)
    }

    fn finish(&mut self, kind: TaskKind) {
        self.open_tasks(kind).for_each(|task| task.status = TaskStatus::Done);
    }

    fn cancel_open_tasks(&mut self) {
        self.tasks.iter_mut().filter(|t| t.status == TaskStatus::Open).for_each(|t| t.status = TaskStatus::Cancelled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(catalog: &Catalog, calendar: &WorkCalendar, now: Timestamp) -> Order {
        let grid: GridCode = "370203005001001".parse().unwrap();
        let responsibility = Responsibility {
            cover: None,
            assignee: Assignee::Grid(grid),
            grid,
            position: Position::new(120.38, 36.12).unwrap(),
        };
        let code = "WO-370203-261123-00042-3".parse().unwrap();
        let damage = DamageCode::new("noisy").unwrap();
        let opening = Opening { code, damage, responsibility, registry_seq: 1 };
        Order::open(opening, Rules { catalog, calendar }, now).unwrap()
    }

    #[test]
    fn what_is_reported_again_after_its_verification_can_be_verified_again() {
        let (catalog, calendar) = (Catalog::national(), WorkCalendar::default());
        let rules = Rules { catalog: &catalog, calendar: &calendar };
        let now: Timestamp = "2026-11-24T02:00:00Z".parse().unwrap();
        let mut order = order(&catalog, &calendar, now);
        for action in [
            Action::Accept,
            Action::Arrive { position: None },
            Action::Secure { measure: Measure::Sign },
            Action::Repair,
            Action::Verify { passed: true },
        ] {
            order = order.act(action, rules, now).unwrap();
        }
        let order = order.join(&DamageCode::new("missing").unwrap(), rules, now).unwrap();
        assert!(order.disputed && !order.allows(ActionKind::Close, rules));
        let verify = order.tasks.iter().find(|t| t.kind == TaskKind::Verify && t.status == TaskStatus::Open).unwrap();
        assert_eq!(verify.due_at, now + super::super::deadline::PROMISE);
        let failed = order.act(Action::Verify { passed: false }, rules, now).unwrap();
        assert_eq!((failed.status, failed.damage.as_str()), (Status::Accepted, "missing"));
        assert_eq!(failed.limits.repair_by, now + super::super::deadline::PROMISE);
    }
}
