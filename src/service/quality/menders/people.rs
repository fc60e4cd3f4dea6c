//! Since when people stand for what they stand for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::since;
use crate::domain::grid::DutyKind;
use crate::domain::id::{DistrictCode, OrgCode, PersonId};
use crate::store::people::{self, PersonState};
use crate::store::{Conn, Result as StoreResult, organizations};

/// The people of a district, as far as they are asked for: an import brings a leader to every grid at once.
pub(super) struct People {
    district: DistrictCode,
    /// By the code of their grid.
    leaders: Option<HashMap<String, Vec<PersonId>>>,
    members: Option<HashMap<OrgCode, Vec<PersonId>>>,
    states: HashMap<PersonId, Vec<PersonState>>,
}

impl People {
    pub(super) fn new(district: DistrictCode) -> Self {
        Self { district, leaders: None, members: None, states: HashMap::new() }
    }

    /// When the last of its leaders came to stand for a grid.
    pub(super) async fn leader_came(&mut self, conn: &mut Conn<'_>, grid: u64) -> StoreResult<Option<i64>> {
        let leaders = match self.leaders.take() {
            Some(leaders) => leaders,
            None => leaders(conn, self.district).await?,
        };
        let leads = (DutyKind::GridLeader, grid);
        let mut last = None;
        for person in leaders.get(&grid.to_string()).into_iter().flatten() {
            last = last.max(self.turned(conn, *person, |state| state.duties().contains(&leads)).await?);
        }
        self.leaders = Some(leaders);
        Ok(last)
    }

    /// When a person got the duties that they have, or went.
    pub(super) async fn placed(&mut self, conn: &mut Conn<'_>, id: &str) -> StoreResult<Option<i64>> {
        let Ok(id) = id.parse().map(PersonId) else { return Ok(None) };
        let district = self.district;
        let here = |state: &&PersonState| state.district == Some(district);
        let Some(last) = self.states(conn, id).await?.last().filter(here) else { return Ok(None) };
        if last.seq_to.is_some() {
            return Ok(last.seq_to);
        }
        let duties = last.duties();
        self.turned(conn, id, |state| state.duties() == duties).await
    }

    /// When an organisation got the telephone that it has, or went; else when the last of its people came to it.
    pub(super) async fn reached(&mut self, conn: &mut Conn<'_>, code: &OrgCode) -> StoreResult<Option<i64>> {
        // What belongs to another district changes in that one's feed.
        if code.district() == self.district {
            let states = organizations::states(conn, code).await?;
            if let Some(gone) = states.last().and_then(|last| last.seq_to) {
                return Ok(Some(gone));
            }
            let has_phone = |state: &organizations::OrganizationState| state.organization.phone.is_some();
            if let Some(seq) = since(&states, |state| (state.seq_from, has_phone(state))) {
                return Ok(Some(seq));
            }
        }
        let members = match self.members.take() {
            Some(members) => members,
            None => members(conn, self.district).await?,
        };
        let mut last = None;
        for person in members.get(code).into_iter().flatten() {
            let belongs = |state: &PersonState| state.organization.as_ref() == Some(code);
            last = last.max(self.turned(conn, *person, belongs).await?);
        }
        self.members = Some(members);
        Ok(last)
    }

    /// The event since which something is so of a person of this district.
    async fn turned(
        &mut self,
        conn: &mut Conn<'_>,
        id: PersonId,
        is_so: impl Fn(&PersonState) -> bool + Send,
    ) -> StoreResult<Option<i64>> {
        let district = self.district;
        let states = self.states(conn, id).await?;
        let is_here = states.last().is_some_and(|last| last.district == Some(district));
        Ok(if is_here { since(states, |state| (state.seq_from, is_so(state))) } else { None })
    }

    async fn states(&mut self, conn: &mut Conn<'_>, id: PersonId) -> StoreResult<&[PersonState]> {
        Ok(match self.states.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(people::states(conn, id).await?),
        })
    }
}

async fn leaders(conn: &mut Conn<'_>, district: DistrictCode) -> StoreResult<HashMap<String, Vec<PersonId>>> {
    let mut leaders: HashMap<_, Vec<_>> = HashMap::new();
    let duties = people::duties(conn, district).await?.into_iter();
    for duty in duties.filter(|duty| duty.kind == DutyKind::GridLeader) {
        leaders.entry(duty.area).or_default().push(duty.person);
    }
    Ok(leaders)
}

async fn members(conn: &mut Conn<'_>, district: DistrictCode) -> StoreResult<HashMap<OrgCode, Vec<PersonId>>> {
    let mut members: HashMap<_, Vec<_>> = HashMap::new();
    for person in people::of_district(conn, district).await? {
        if let Some(unit) = person.organization {
            members.entry(unit).or_default().push(person.id);
        }
    }
    Ok(members)
}
