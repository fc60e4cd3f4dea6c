//! Whose records a file may bring.

use super::Row;
use super::draft::Draft;
use super::field::{Field, Kind};
use super::finding::{Finding, FindingCode};
use super::profile::Profile;
use super::run::Run;
use crate::domain::actor::{self, Action, Resource};
use crate::domain::said::say;

impl Run<'_> {
    /// Whose records they are stands in each of them for good: it must be somebody whom the registry knows.
    pub(super) fn unknown_source(&self, profile: &Profile) -> Option<Row> {
        // Where its district is not here, that is what is said.
        self.district?;
        let source = profile.source.as_ref().filter(|_| matches!(profile.kind, Kind::Covers | Kind::People))?;
        let detail = say!("organization {source} does not exist", "单位 {source} 不存在");
        let finding = Finding::new((0, 1), FindingCode::ParentMissing, Some("source"), detail);
        (!self.checker.knows(source)).then(|| Row::of_file(vec![finding]))
    }

    /// A department brings no other's covers, as it may not enter them.
    pub(super) fn permit(&self, row: &mut Row, profile: &Profile) {
        let (Some(actor), Some(Draft::Cover(draft)), Some(district)) = (&self.request.actor, &row.draft, self.district)
        else {
            return;
        };
        let (owner, unit) = (draft.owner.as_ref(), draft.responsible_unit.as_ref());
        if actor::authorize(actor, Action::EditCover, Resource::Cover { district, owner, unit }).is_err() {
            let detail = say!(
                "neither its owner nor its responsible unit is a unit of this key",
                "权属单位和责任单位都不是此密钥的单位"
            );
            let column = profile.column(Field::Owner);
            row.findings.push(Finding::new((row.row, row.line), FindingCode::NotPermitted, column, detail));
            row.draft = None;
        }
    }
}
