//! What a caller may do about a finding: what the requests themselves would be asked, asked before they are sent.

use super::{Found, Mend, Mended, owner, unit};
use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::id::{CoverCode, DistrictCode};
use crate::domain::quality::{Deed, State};
use crate::service::Guli;
use crate::store::events::REGRIDDED;

impl Guli {
    /// What `actor` may do about a finding as it now is.
    pub fn may(&self, actor: &Actor, found: &Found) -> Vec<Deed> {
        let may = |deed: &Deed| match deed {
            Deed::Mend => found.finding.mend.as_ref().is_some_and(|mend| self.may_mend(actor, found.district, mend)),
            Deed::Accept => found.state == State::Open && found.may_be_ruled_by(actor),
            Deed::Reopen => found.state == State::Accepted && found.may_be_ruled_by(actor),
            Deed::Undo => self.to_undo(found).is_some_and(|(code, _)| self.may_edit_cover(actor, code)),
        };
        Deed::ALL.iter().copied().filter(may).collect()
    }

    /// The version of a cover that mended a finding about it, where that can be taken back: nothing stands on it. What closed a
    /// gap or ended an overlap of grids cannot, for no edit of areas may leave one.
    pub fn to_undo(&self, found: &Found) -> Option<(CoverCode, i64)> {
        let Mended { change, is_own, .. } = found.mended.as_ref()?;
        let change =
            change.as_ref().filter(|event| *is_own && event.kind.starts_with("cover.") && event.kind != REGRIDDED)?;
        let cover = self.context.index.cover(change.subject.parse().ok()?)?;
        (cover.version == change.version).then_some((cover.code, cover.version))
    }

    fn may_mend(&self, actor: &Actor, district: DistrictCode, mend: &Mend) -> bool {
        match mend {
            Mend::Merge(code, _) | Mend::SetOwner(code, _) | Mend::SetCategory(code, _) => {
                self.may_edit_cover(actor, *code)
            }
            Mend::Redraw(_) => actor::authorize(actor, Action::EditAreas, Resource::District(district)).is_ok(),
        }
    }

    fn may_edit_cover(&self, actor: &Actor, code: CoverCode) -> bool {
        self.context.index.cover(code).is_some_and(|cover| {
            let resource = Resource::Cover { district: code.district(), owner: owner(&cover), unit: unit(&cover) };
            actor::authorize(actor, Action::EditCover, resource).is_ok()
        })
    }
}

impl Found {
    pub(in crate::service) fn resource(&self) -> Resource<'_> {
        Resource::Finding { district: self.district, units: &self.finding.units }
    }

    fn may_be_ruled_by(&self, actor: &Actor) -> bool {
        actor::authorize(actor, Action::RuleOnFinding, self.resource()).is_ok()
    }
}
