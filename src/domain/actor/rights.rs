//! What who is calling may do (权限). [`authorize`] is the only place that says yes; whatever it does not name is refused.

use super::{Actor, Role, Scope};
use crate::domain::id::{DistrictCode, GridCode, OrgCode};
use crate::domain::order::{ActionKind, Assignee};
use crate::domain::said::{Said, say};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// One cover, or covers in bulk.
    ReadCovers,
    ReadOrganizations,
    ReadPeople,
    /// Who people were and what they stood for: of a district as a whole.
    ReadPeoplePast,
    ReadOrders,
    /// One order's own lists: tasks, reports, history.
    ReadOrder,
    Act(ActionKind),
    /// To act in the name of somebody else, which is recorded.
    ActFor,
    /// To create, change or remove a cover.
    EditCover,
    /// To say of a finding of the quality check that it may stay so.
    RuleOnFinding,
    /// To redraw, name, create or remove areas.
    EditAreas,
    /// To create, change or remove organisations.
    EditOrganizations,
    /// To say who people are and what they stand for.
    EditPeople,
    /// To import files of any kind.
    Import,
    /// To import outlines of areas.
    ImportAreas,
    /// To import one's own covers: a question about one of them.
    ImportCovers,
    /// Batches beyond what anonymous callers may resolve.
    ResolveInBulk,
}

impl Action {
    /// Whether it concerns what units, grids and people of a district have in common: edges, names, duties.
    const fn is_of_the_whole(self) -> bool {
        matches!(
            self,
            Self::EditAreas
                | Self::EditOrganizations
                | Self::EditPeople
                | Self::Import
                | Self::ImportAreas
                | Self::ReadPeoplePast
        )
    }

    /// Whose it is to do, for those who may not.
    pub fn who_may(self) -> Said {
        match self {
            Self::EditCover | Self::ImportCovers => say!(
                "a department's key of the cover's owner or responsible unit may, or an administrator's",
                "需要该井盖产权单位或责任单位的部门密钥，或管理员密钥"
            ),
            Self::EditAreas | Self::ImportAreas => say!(
                "a planner's or an administrator's key of the whole district may",
                "需要作用于整个行政区的规划或管理员密钥"
            ),
            Self::EditOrganizations | Self::EditPeople | Self::Import => {
                say!("an administrator's key of the district may", "需要该行政区的管理员密钥")
            }
            Self::RuleOnFinding => say!(
                "a planner's or an administrator's key of the whole district may, or a department's of the unit concerned",
                "需要作用于整个行政区的规划或管理员密钥，或所涉单位的部门密钥"
            ),
            Self::ReadPeople => say!(
                "grid leaders, officers, dispatchers, supervisors, departments and administrators may",
                "网格长、干部、坐席、督查、部门和管理员可以"
            ),
            // Whoever stands for one grid has no business with the pasts of all others.
            Self::ReadPeoplePast => say!(
                "the same roles' keys of the whole district may that people themselves are read with",
                "需要能查看人员且作用于整个行政区的密钥"
            ),
            Self::ActFor => say!("a dispatcher may", "指挥中心坐席可以"),
            Self::Act(kind) => who_acts(kind),
            Self::ReadCovers | Self::ReadOrganizations | Self::ResolveInBulk | Self::ReadOrders | Self::ReadOrder => {
                say!("any key of the district may", "需要该行政区的密钥")
            }
        }
    }
}

/// The same as [`may_act`], in words.
fn who_acts(kind: ActionKind) -> Said {
    match kind {
        ActionKind::Accept | ActionKind::Arrive | ActionKind::Repair => {
            say!("those whom the order is given to may, or a dispatcher", "该工单的处置方或指挥中心坐席可以")
        }
        ActionKind::Secure => say!(
            "those whom the order is given to may, patrols, grid leaders and enforcement officers of its grid, or a dispatcher",
            "该工单的处置方、所在网格的巡治员、网格长、综合执法队员或指挥中心坐席可以"
        ),
        ActionKind::Verify | ActionKind::Identify => say!(
            "patrols and the grid leader of its grid may, or a dispatcher",
            "所在网格的巡治员、网格长或指挥中心坐席可以"
        ),
        ActionKind::Close => {
            say!("the grid leader of its grid may, or a dispatcher", "所在网格的网格长或指挥中心坐席可以")
        }
        ActionKind::Reassign => {
            say!("an officer of its sub-district may, or a dispatcher", "所在街道的干部或指挥中心坐席可以")
        }
    }
}

/// What an action is upon.
#[derive(Debug, Clone, Copy)]
pub enum Resource<'a> {
    District(DistrictCode),
    Cover {
        district: DistrictCode,
        owner: Option<&'a OrgCode>,
        unit: Option<&'a OrgCode>,
    },
    Order {
        grid: GridCode,
        assignee: &'a Assignee,
        owner: Option<&'a OrgCode>,
    },
    /// What the quality check found about things of these units.
    Finding {
        district: DistrictCode,
        units: &'a [OrgCode],
    },
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No key where one is needed: 401.
    Unauthenticated,
    /// Not the caller's to know of: 404.
    Hidden,
    /// Visible, but not the caller's to do: 403.
    Forbidden(Action),
}

/// Whether `actor` may do `action` to `resource`. Deny by default.
pub fn authorize(actor: &Actor, action: Action, resource: Resource<'_>) -> Result<(), Refusal> {
    if actor.is_anonymous() {
        return Err(Refusal::Unauthenticated);
    }
    match resource {
        Resource::District(district) => {
            // A unit may have orders in any district.
            let of_unit = action == Action::ReadOrders && actor.scopes.iter().any(|s| matches!(s, Scope::Unit(_)));
            if !actor.reaches(district) && !of_unit {
                return Err(Refusal::Hidden);
            }
            // What belongs to the district as a whole is no smaller scope's to change.
            let yes = may_in_district(actor.role, action) && (!action.is_of_the_whole() || actor.holds_all(district));
            allow(yes, action)
        }
        Resource::Cover { district, owner, unit } => {
            if !actor.reaches(district) {
                return Err(Refusal::Hidden);
            }
            let own = || {
                let units = owner.into_iter().chain(unit);
                units.into_iter().any(|unit| actor.scopes.iter().any(|scope| scope.covers_unit(unit)))
            };
            let yes = match (action, actor.role) {
                (Action::EditCover | Action::ImportCovers, Role::Admin) => true,
                (Action::EditCover | Action::ImportCovers, Role::Department | Role::Integration) => own(),
                _ => false,
            };
            allow(yes, action)
        }
        Resource::Finding { district, units } => {
            if !actor.reaches(district) {
                return Err(Refusal::Hidden);
            }
            let own = || units.iter().any(|unit| actor.scopes.iter().any(|scope| scope.covers_unit(unit)));
            let yes = match (action, actor.role) {
                (Action::RuleOnFinding, Role::Admin | Role::Planner) => actor.holds_all(district),
                (Action::RuleOnFinding, Role::Department) => own(),
                _ => false,
            };
            allow(yes, action)
        }
        Resource::Order { grid, assignee, owner } => {
            if !OrderFilter::of(actor).admits(grid, assignee, owner) {
                return Err(Refusal::Hidden);
            }
            match action {
                Action::ReadOrder => Ok(()),
                Action::Act(kind) => allow(may_act(actor, kind, grid, assignee), action),
                Action::ActFor => allow(actor.role == Role::Dispatcher, action),
                _ => Err(Refusal::Forbidden(action)),
            }
        }
    }
}

fn allow(yes: bool, action: Action) -> Result<(), Refusal> {
    if yes { Ok(()) } else { Err(Refusal::Forbidden(action)) }
}

fn may_in_district(role: Role, action: Action) -> bool {
    match action {
        Action::ReadCovers | Action::ReadOrganizations | Action::ResolveInBulk | Action::ReadOrders => {
            role != Role::Resident
        }
        Action::ReadPeople | Action::ReadPeoplePast => matches!(
            role,
            Role::GridLeader | Role::Officer | Role::Dispatcher | Role::Supervisor | Role::Department | Role::Admin
        ),
        Action::EditAreas => matches!(role, Role::Planner | Role::Admin),
        Action::Import | Action::EditOrganizations | Action::EditPeople => role == Role::Admin,
        Action::ImportAreas => matches!(role, Role::Planner | Role::Admin),
        Action::ReadOrder
        | Action::Act(_)
        | Action::ActFor
        | Action::EditCover
        | Action::ImportCovers
        | Action::RuleOnFinding => false,
    }
}

fn in_area(actor: &Actor, grid: GridCode) -> bool {
    actor.scopes.iter().filter_map(Scope::grids).any(|(from, to)| (from..=to).contains(&grid.number()))
}

/// The table of who does what (domain: 流程), dispatchers besides.
fn may_act(actor: &Actor, kind: ActionKind, grid: GridCode, assignee: &Assignee) -> bool {
    let grid_side = in_area(actor, grid);
    // An order without a unit is the grid's or the sub-district's own to handle.
    let own = match assignee {
        Assignee::Unit(unit) => actor.role == Role::Crew && actor.scopes.iter().any(|scope| scope.covers_unit(unit)),
        Assignee::Grid(_) => matches!(actor.role, Role::Patrol | Role::GridLeader) && grid_side,
        Assignee::Subdistrict(_) => matches!(actor.role, Role::Officer | Role::Patrol | Role::GridLeader) && grid_side,
    };
    if actor.role == Role::Dispatcher {
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

/// Which orders a caller may see: the filter that goes into the query of a list, and decides on a
/// single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderFilter {
    All,
    /// Those that one of these is true of.
    Of {
        /// Areas that they lie in, as ranges of grid numbers (first, last).
        grids: Vec<(u64, u64)>,
        /// Units that must act on them.
        assignees: Vec<OrgCode>,
        /// Whatever unit must act on them.
        every_unit: bool,
        /// Units that own their covers.
        owners: Vec<OrgCode>,
    },
}

impl OrderFilter {
    /// What `actor` may see: a crew what is given to its unit; a department or
    /// another system what lies in its area, is given to it, or is about its covers; everybody else what lies in their area.
    pub fn of(actor: &Actor) -> Self {
        let areas = || actor.scopes.iter().filter_map(Scope::grids).collect::<Vec<_>>();
        let units = || {
            actor.scopes.iter().filter_map(|scope| match scope {
                Scope::Unit(code) => Some(code.clone()),
                _ => None,
            })
        };
        let (mut grids, mut assignees, mut owners) = (Vec::new(), Vec::new(), Vec::new());
        match actor.role {
            Role::Resident => {}
            Role::Crew => assignees = units().collect(),
            _ if actor.scopes.contains(&Scope::Everywhere) => return Self::All,
            Role::Department | Role::Integration => {
                grids = areas();
                assignees = units().collect();
                owners.clone_from(&assignees);
            }
            _ => grids = areas(),
        }
        let every_unit = actor.role == Role::Crew && actor.scopes.contains(&Scope::EveryUnit);
        Self::Of { grids, assignees, every_unit, owners }
    }

    /// The same rule for one order.
    pub fn admits(&self, grid: GridCode, assignee: &Assignee, owner: Option<&OrgCode>) -> bool {
        match self {
            Self::All => true,
            Self::Of { grids, assignees, every_unit, owners } => {
                grids.iter().any(|&(from, to)| (from..=to).contains(&grid.number()))
                    || matches!(assignee, Assignee::Unit(unit) if *every_unit || assignees.contains(unit))
                    || owner.is_some_and(|owner| owners.contains(owner))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::KeyId;

    #[test]
    fn the_edges_of_a_district_are_no_smaller_scopes_to_move() {
        let district = "370203".parse().unwrap();
        for (role, scope, may) in [
            (Role::Planner, "everywhere", true),
            (Role::Planner, "district:370203", true),
            (Role::Planner, "subdistrict:370203026", false),
            (Role::Planner, "grid:370203026003005", false),
            (Role::Planner, "unit:370203-WAT01", false),
            (Role::Admin, "district:370203", true),
            (Role::Department, "district:370203", false),
        ] {
            let actor = actor(role, &[scope]);
            for action in [Action::EditAreas, Action::ImportAreas] {
                let said = authorize(&actor, action, Resource::District(district));
                let expected = if may { Ok(()) } else { Err(Refusal::Forbidden(action)) };
                assert_eq!(said, expected, "{role:?} {scope}");
            }
            let finding = Resource::Finding { district, units: &[] };
            assert_eq!(authorize(&actor, Action::RuleOnFinding, finding).is_ok(), may, "{role:?} {scope}");
        }
    }

    /// Roles as those texts name them that say whose a thing is to do.
    const NAMES: [(Role, &str); 10] = [
        (Role::Patrol, "patrol"),
        (Role::GridLeader, "grid leader"),
        (Role::Crew, "given to"),
        (Role::Officer, "officer"),
        (Role::Enforcement, "enforcement"),
        (Role::Dispatcher, "dispatcher"),
        (Role::Supervisor, "supervisor"),
        (Role::Department, "department"),
        (Role::Planner, "planner"),
        (Role::Admin, "administrator"),
    ];

    #[test]
    fn whoever_is_refused_is_not_told_to_be_one_who_may_and_the_others_are() {
        let district: DistrictCode = "370203".parse().unwrap();
        let grid: GridCode = "370203005001001".parse().unwrap();
        let assignee = Assignee::Unit("370203-WAT02".parse().unwrap());
        let order = Resource::Order { grid, assignee: &assignee, owner: None };
        let finding = Resource::Finding { district, units: &[] };
        let of = Resource::District(district);
        let acts = ActionKind::ALL.iter().map(|kind| (Action::Act(*kind), order));
        let others = [
            (Action::ReadPeople, of),
            (Action::EditAreas, of),
            (Action::ImportAreas, of),
            (Action::EditOrganizations, of),
            (Action::EditPeople, of),
            (Action::Import, of),
            (Action::RuleOnFinding, finding),
            (Action::ActFor, order),
        ];
        for (action, resource) in acts.chain(others) {
            let said = action.who_may().english.replace("enforcement officer", "enforcement");
            for (role, name) in NAMES {
                // Units of a finding's own are another question.
                if (action, role) == (Action::RuleOnFinding, Role::Department) {
                    continue;
                }
                let actor = actor(role, &["everywhere", "unit:370203-WAT02"]);
                let may = authorize(&actor, action, resource);
                assert!(matches!(may, Ok(()) | Err(Refusal::Forbidden(_))), "{action:?} {role:?}");
                assert_eq!(said.contains(name), may.is_ok(), "{action:?} {role:?}: {said}");
            }
        }
    }

    #[test]
    fn the_past_of_people_is_for_whoever_has_the_whole_of_the_district() {
        let of = Resource::District("370203".parse().unwrap());
        for (role, scope, may) in [
            (Role::GridLeader, "grid:370203005001001", false),
            (Role::Officer, "subdistrict:370203005", false),
            (Role::Dispatcher, "district:370203", true),
            (Role::Planner, "district:370203", false),
        ] {
            let said = authorize(&actor(role, &[scope]), Action::ReadPeoplePast, of);
            let expected = if may { Ok(()) } else { Err(Refusal::Forbidden(Action::ReadPeoplePast)) };
            assert_eq!(said, expected, "{role:?} {scope}");
        }
    }

    fn actor(role: Role, scopes: &[&str]) -> Actor {
        let scopes = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        Actor { key: Some(KeyId(uuid::Uuid::nil())), role, name: String::new(), scopes }
    }

    /// One order in grid 370203005001001, given to WAT02, about a cover of WAT01.
    #[test]
    fn who_sees_an_order() {
        let grid: GridCode = "370203005001001".parse().unwrap();
        let (assignee, owner) = (Assignee::Unit("370203-WAT02".parse().unwrap()), "370203-WAT01".parse().unwrap());
        for (role, scope, sees) in [
            (Role::Resident, "everywhere", false),
            (Role::Admin, "everywhere", true),
            (Role::Admin, "district:370203", true),
            (Role::Admin, "district:370202", false),
            (Role::Crew, "unit:370203-WAT02", true),
            (Role::Crew, "unit:370203-WAT01", false),
            (Role::Crew, "unit:*", true),
            (Role::Department, "unit:370203-WAT01", true),
            (Role::Department, "unit:370203-WAT03", false),
            (Role::Department, "subdistrict:370203005", true),
            (Role::Integration, "unit:370203-WAT02", true),
            (Role::Integration, "unit:370203-WAT03", false),
            (Role::Dispatcher, "unit:370203-WAT02", false),
            (Role::Dispatcher, "district:370203", true),
            (Role::GridLeader, "grid:370203005001001", true),
            (Role::GridLeader, "grid:370203005001002", false),
            (Role::Officer, "subdistrict:370203006", false),
            (Role::Supervisor, "everywhere", true),
        ] {
            let actor = actor(role, &[scope]);
            assert_eq!(OrderFilter::of(&actor).admits(grid, &assignee, Some(&owner)), sees, "{role:?} {scope}");
            let resource = Resource::Order { grid, assignee: &assignee, owner: Some(&owner) };
            assert_eq!(authorize(&actor, Action::ReadOrder, resource).is_ok(), sees, "{role:?} {scope}");
        }
    }

    #[test]
    fn a_grid_leader_meets_the_areas_around_the_grid() {
        let leader = actor(Role::GridLeader, &["grid:370203005001001"]);
        for (area, meets) in [
            (370_203_005_001_001, true),
            (370_203_005_001_002, false),
            (370_203_005_001, true),
            (370_203_005, true),
            (370_203_006, false),
        ] {
            assert_eq!(leader.meets(area), meets, "{area}");
        }
    }

    #[test]
    fn an_administrator_of_one_district_is_none_of_another() {
        let admin = actor(Role::Admin, &["district:370203"]);
        let of = |code: &str| Resource::District(code.parse().unwrap());
        assert_eq!(authorize(&admin, Action::ReadPeople, of("370203")), Ok(()));
        assert_eq!(authorize(&admin, Action::ReadPeople, of("370202")), Err(Refusal::Hidden));
    }
}
