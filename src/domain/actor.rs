//! Who is calling, and what they may do (角色, 权限).
//!
//! [`authorize`] is the only place that says yes; whatever it does not name is refused.

use super::cover::words;
use super::id::{DistrictCode, GridCode, KeyId, OrgCode, SubdistrictCode};
use super::order::{ActionKind, Assignee};

words! {
    /// Roles (角色).
    Role {
        /// 居民: anyone without a key.
        Resident = "resident",
        /// 巡治员
        Patrol = "patrol",
        /// 网格长
        GridLeader = "grid_leader",
        /// 养护班组
        Crew = "crew",
        /// 处级, 科级干部
        Officer = "officer",
        /// 综合执法队员
        Enforcement = "enforcement",
        /// 民警
        Police = "police",
        /// 交警
        Traffic = "traffic",
        /// 指挥中心坐席
        Dispatcher = "dispatcher",
        /// 区督查
        Supervisor = "supervisor",
        /// 责任科室, 主管部门
        Department = "department",
        /// 规划
        Planner = "planner",
        /// 接口
        Integration = "integration",
        /// 管理员
        Admin = "admin",
    }
}

/// Where a key holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every district served.
    Everywhere,
    District(DistrictCode),
    Subdistrict(SubdistrictCode),
    Grid(GridCode),
    Unit(OrgCode),
    /// Every grid; only the demo has such a key.
    EveryGrid,
    /// Every unit; only the demo has such a key.
    EveryUnit,
}

/// Why a scope cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a scope looks like unit:370203-WAT01, grid:370203005001001, subdistrict:370203005 or district:370203, got {0:?}"
)]
pub struct ScopeError(String);

impl std::str::FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let error = || ScopeError(text.to_owned());
        match text.split_once(':') {
            None if text == "everywhere" => Some(Self::Everywhere),
            Some(("unit", "*")) => Some(Self::EveryUnit),
            Some(("grid", "*")) => Some(Self::EveryGrid),
            Some(("unit", code)) => code.parse().ok().map(Self::Unit),
            Some(("grid", code)) => code.parse().ok().map(Self::Grid),
            Some(("subdistrict", code)) => code.parse().ok().map(Self::Subdistrict),
            Some(("district", code)) => code.parse().ok().map(Self::District),
            _ => None,
        }
        .ok_or_else(error)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Everywhere => f.write_str("everywhere"),
            Self::District(code) => write!(f, "district:{code}"),
            Self::Subdistrict(code) => write!(f, "subdistrict:{code}"),
            Self::Grid(code) => write!(f, "grid:{code}"),
            Self::Unit(code) => write!(f, "unit:{code}"),
            Self::EveryGrid => f.write_str("grid:*"),
            Self::EveryUnit => f.write_str("unit:*"),
        }
    }
}

impl Scope {
    /// Whether something of this grid lies in the scope. A unit's scope is no area.
    fn covers_grid(&self, grid: GridCode) -> bool {
        match self {
            Self::Everywhere | Self::EveryGrid => true,
            Self::District(code) => grid.district() == *code,
            Self::Subdistrict(code) => grid.number() / 1_000_000 == code.number(),
            Self::Grid(code) => grid == *code,
            Self::Unit(_) | Self::EveryUnit => false,
        }
    }

    fn covers_unit(&self, unit: &OrgCode) -> bool {
        match self {
            Self::EveryUnit => true,
            Self::Unit(code) => code == unit,
            _ => false,
        }
    }

    /// Whether the scope reaches into the district at all.
    pub fn reaches(&self, district: DistrictCode) -> bool {
        match self {
            Self::Everywhere | Self::EveryGrid | Self::EveryUnit => true,
            Self::District(code) => *code == district,
            Self::Subdistrict(code) => code.district() == district,
            Self::Grid(code) => code.district() == district,
            Self::Unit(code) => code.district() == district,
        }
    }
}

/// A caller: a role, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `None` for anonymous callers and for the system itself.
    pub key: Option<KeyId>,
    pub role: Role,
    pub name: String,
    pub scopes: Vec<Scope>,
}

impl Actor {
    /// Anyone without a key.
    pub fn anonymous() -> Self {
        Self { key: None, role: Role::Resident, name: String::new(), scopes: Vec::new() }
    }

    pub fn is_anonymous(&self) -> bool {
        self.key.is_none()
    }

    /// How the event log names the caller: never by a person's name.
    pub fn log_name(&self) -> String {
        self.key.map_or_else(|| "anonymous".to_owned(), |key| format!("key:{key}"))
    }

    /// The unit that the caller acts for, where its scope names exactly one.
    pub fn unit(&self) -> Option<&OrgCode> {
        let mut units = self.scopes.iter().filter_map(|scope| match scope {
            Scope::Unit(code) => Some(code),
            _ => None,
        });
        units.next().filter(|_| units.next().is_none())
    }

    fn reaches(&self, district: DistrictCode) -> bool {
        self.scopes.iter().any(|scope| scope.reaches(district))
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// One cover, or covers in bulk.
    ReadCovers,
    ReadOrganizations,
    ReadPeople,
    ReadOrders,
    /// One order's own lists: tasks, reports, history.
    ReadOrder,
    Act(ActionKind),
    /// To act in the name of somebody else, which is recorded.
    ActFor,
    Import,
    ManageKeys,
    /// Batches beyond what anonymous callers may resolve.
    ResolveInBulk,
}

/// What an action is upon.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    District(DistrictCode),
    Order { grid: GridCode, assignee: &'a Assignee, owner: Option<&'a OrgCode> },
    System,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No key where one is needed: 401.
    Unauthenticated,
    /// Not the caller's to know of: 404.
    Hidden,
    /// Visible, but not the caller's to do: 403.
    Forbidden,
}

/// Whether `actor` may do `action` to `resource`. Deny by default.
pub fn authorize(actor: &Actor, action: Action, resource: Resource<'_>) -> Result<(), Refusal> {
    if actor.is_anonymous() {
        return Err(Refusal::Unauthenticated);
    }
    match resource {
        Resource::System => allow(actor.role == Role::Admin),
        Resource::District(district) => {
            if actor.role != Role::Admin && !actor.reaches(district) {
                return Err(Refusal::Hidden);
            }
            allow(may_in_district(actor.role, action))
        }
        Resource::Order { grid, assignee, owner } => {
            if !sees_order(actor, grid, assignee, owner) {
                return Err(Refusal::Hidden);
            }
            match action {
                Action::ReadOrder => Ok(()),
                Action::Act(kind) => allow(may_act(actor, kind, grid, assignee)),
                Action::ActFor => allow(matches!(actor.role, Role::Dispatcher | Role::Admin)),
                _ => Err(Refusal::Forbidden),
            }
        }
    }
}

fn allow(yes: bool) -> Result<(), Refusal> {
    if yes { Ok(()) } else { Err(Refusal::Forbidden) }
}

fn may_in_district(role: Role, action: Action) -> bool {
    match action {
        Action::ReadCovers | Action::ReadOrganizations | Action::ResolveInBulk | Action::ReadOrders => {
            role != Role::Resident
        }
        Action::ReadPeople => matches!(
            role,
            Role::GridLeader | Role::Officer | Role::Dispatcher | Role::Supervisor | Role::Department | Role::Admin
        ),
        Action::Import => role == Role::Admin,
        Action::ReadOrder | Action::Act(_) | Action::ActFor | Action::ManageKeys => false,
    }
}

fn in_area(actor: &Actor, grid: GridCode) -> bool {
    actor.scopes.iter().any(|scope| scope.covers_grid(grid))
}

fn sees_order(actor: &Actor, grid: GridCode, assignee: &Assignee, owner: Option<&OrgCode>) -> bool {
    let of_unit = |unit: &OrgCode| actor.scopes.iter().any(|scope| scope.covers_unit(unit));
    match actor.role {
        Role::Resident => false,
        Role::Admin => true,
        Role::Crew => matches!(assignee, Assignee::Unit(unit) if of_unit(unit)),
        Role::Department => {
            in_area(actor, grid)
                || owner.is_some_and(of_unit)
                || matches!(assignee, Assignee::Unit(unit) if of_unit(unit))
        }
        // As its key says: what a list shows it, it may open.
        Role::Integration => in_area(actor, grid) || matches!(assignee, Assignee::Unit(unit) if of_unit(unit)),
        Role::Patrol
        | Role::GridLeader
        | Role::Officer
        | Role::Enforcement
        | Role::Police
        | Role::Traffic
        | Role::Dispatcher
        | Role::Supervisor
        | Role::Planner => in_area(actor, grid),
    }
}

/// The table of who does what (domain: 流程), dispatchers and administrators besides.
fn may_act(actor: &Actor, kind: ActionKind, grid: GridCode, assignee: &Assignee) -> bool {
    let grid_side = in_area(actor, grid);
    // An order without a unit is the grid's or the sub-district's own to handle.
    let own = match assignee {
        Assignee::Unit(unit) => actor.role == Role::Crew && actor.scopes.iter().any(|scope| scope.covers_unit(unit)),
        Assignee::Grid(_) => matches!(actor.role, Role::Patrol | Role::GridLeader) && grid_side,
        Assignee::Subdistrict(_) => matches!(actor.role, Role::Officer | Role::Patrol | Role::GridLeader) && grid_side,
    };
    if matches!(actor.role, Role::Dispatcher | Role::Admin) {
        return true;
    }
    match kind {
        ActionKind::Accept | ActionKind::Arrive | ActionKind::Repair => own,
        ActionKind::Secure => {
            own || (matches!(actor.role, Role::Patrol | Role::GridLeader | Role::Enforcement) && grid_side)
        }
        ActionKind::Verify | ActionKind::Identify => matches!(actor.role, Role::Patrol | Role::GridLeader) && grid_side,
        ActionKind::Close => actor.role == Role::GridLeader && grid_side,
        ActionKind::Reassign => actor.role == Role::Officer && grid_side,
    }
}

/// Which orders a list may show: the filter that goes into the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderFilter {
    All,
    /// Only those that these units must act on, or that lie in these areas given as ranges of
    /// grid numbers (first, last).
    Of {
        units: Vec<OrgCode>,
        every_unit: bool,
        grids: Vec<(u64, u64)>,
    },
}

impl OrderFilter {
    /// What `actor` may see in a list of orders of a district.
    pub fn of(actor: &Actor) -> Self {
        if actor.role == Role::Admin || actor.scopes.iter().any(|s| matches!(s, Scope::Everywhere)) {
            return Self::All;
        }
        let (mut units, mut every_unit, mut grids) = (Vec::new(), false, Vec::new());
        for scope in &actor.scopes {
            match scope {
                Scope::Everywhere | Scope::EveryGrid => grids.push((0, u64::MAX >> 1)),
                Scope::District(code) => grids.push(range(code.number(), 9)),
                Scope::Subdistrict(code) => grids.push(range(code.number(), 6)),
                Scope::Grid(code) => grids.push((code.number(), code.number())),
                Scope::Unit(code) => units.push(code.clone()),
                Scope::EveryUnit => every_unit = true,
            }
        }
        if actor.role == Role::Crew {
            grids.clear();
        }
        Self::Of { units, every_unit, grids }
    }

    /// The same rule for an order in memory.
    pub fn admits(&self, grid: GridCode, assignee: &Assignee) -> bool {
        match self {
            Self::All => true,
            Self::Of { units, every_unit, grids } => {
                grids.iter().any(|&(from, to)| (from..=to).contains(&grid.number()))
                    || matches!(assignee, Assignee::Unit(unit) if *every_unit || units.contains(unit))
            }
        }
    }
}

/// First and last number of the codes that begin with `prefix` and have `digits` more.
fn range(prefix: u64, digits: u32) -> (u64, u64) {
    let span = 10u64.pow(digits);
    (prefix * span, prefix * span + span - 1)
}
