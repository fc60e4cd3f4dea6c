//! Who is calling (角色), and what they may do.

mod rights;

pub use rights::{Action, OrderFilter, Refusal, Resource, authorize};

use super::cover::words;
use super::id::{DistrictCode, GridCode, KeyId, OrgCode, SubdistrictCode};
use super::said::{Said, say};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeError(String);

impl From<ScopeError> for Said {
    fn from(ScopeError(got): ScopeError) -> Self {
        say!(
            "a scope looks like unit:370203-WAT01, grid:370203005001001, subdistrict:370203005 or district:370203, got {got:?}",
            "作用范围形如 unit:370203-WAT01、grid:370203005001001、subdistrict:370203005 或 district:370203，收到 {got:?}"
        )
    }
}

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
    /// The area as first and last grid number. A unit's scope is no area.
    fn grids(&self) -> Option<(u64, u64)> {
        match self {
            Self::Everywhere | Self::EveryGrid => Some((0, u64::MAX >> 1)),
            Self::District(code) => Some(range(code.number(), 9)),
            Self::Subdistrict(code) => Some(range(code.number(), 6)),
            Self::Grid(code) => Some((code.number(), code.number())),
            Self::Unit(_) | Self::EveryUnit => None,
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

    /// Whether an area, given by the digits of its code, and one of the caller's have ground in common.
    pub fn meets(&self, area: u64) -> bool {
        let digits = area.checked_ilog10().unwrap_or(0) + 1;
        let (first, last) = range(area, 15_u32.saturating_sub(digits));
        self.scopes.iter().filter_map(Scope::grids).any(|(from, to)| from <= last && first <= to)
    }

    /// Whether the caller's area is the whole district.
    pub fn holds_all(&self, district: DistrictCode) -> bool {
        self.scopes.iter().any(|scope| match scope {
            Scope::Everywhere | Scope::EveryGrid => true,
            Scope::District(code) => *code == district,
            _ => false,
        })
    }

    /// Whether one of the caller's scopes reaches into the district.
    pub fn reaches(&self, district: DistrictCode) -> bool {
        self.scopes.iter().any(|scope| scope.reaches(district))
    }
}

/// How much of somebody's name and phone is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    Hidden,
    /// The first character of the name, the last four of the phone.
    Masked,
    Full,
}

impl Privacy {
    /// What a role may see of officers and patrols (域: 角色).
    pub const fn of(role: Role) -> Self {
        match role {
            Role::GridLeader | Role::Officer | Role::Dispatcher => Self::Full,
            Role::Supervisor | Role::Admin => Self::Masked,
            _ => Self::Hidden,
        }
    }

    pub fn name(self, name: &str) -> Option<String> {
        match self {
            Self::Hidden => None,
            Self::Masked => Some(name.chars().take(1).chain("**".chars()).collect()),
            Self::Full => Some(name.to_owned()),
        }
    }

    pub fn phone(self, phone: &str) -> Option<String> {
        match self {
            Self::Hidden => None,
            Self::Masked => {
                let hidden = phone.chars().count().saturating_sub(4);
                Some(phone.chars().enumerate().map(|(i, c)| if i < hidden { '*' } else { c }).collect())
            }
            Self::Full => Some(phone.to_owned()),
        }
    }
}

/// First and last number of the codes that begin with `prefix` and have `digits` more.
fn range(prefix: u64, digits: u32) -> (u64, u64) {
    let span = 10u64.pow(digits);
    (prefix * span, prefix * span + span - 1)
}
