//! The few records of a run: areas, organisations, people, tables. Compared, and written where they differ.

use super::draft::{AreaDraft, Draft};
use super::field::Kind;
use super::profile::Profile;
use super::run::Tally;
use crate::domain::grid::District;
use crate::domain::organization::Organization;
use crate::service::Guli;
use crate::service::error::ServiceError;
use crate::service::import::areas::TableLine;
use crate::service::import::people::DutyRow;
use crate::service::import::{ImportFile, Outcome};
use crate::store::areas::Area;

/// Compares the drafts with the registry, counts, and writes what differs if `write`.
pub(super) async fn write_few(
    guli: &Guli,
    import: &ImportFile,
    profile: &Profile,
    drafts: &[&Draft],
    tally: &mut Tally,
    write: bool,
) -> Result<Vec<Outcome>, ServiceError> {
    let mut count = |outcomes: &[Outcome]| {
        outcomes.iter().for_each(|outcome| tally.counts.add(*outcome));
        tally.counts
    };
    match profile.kind {
        Kind::District => {
            let mut outcomes = Vec::new();
            for district in drafts.iter().filter_map(|draft| district(draft)) {
                let compared = guli.compare_district(district).await?;
                let counts = count(&compared.outcomes);
                outcomes.extend(compared.outcomes);
                for district in compared.changed.into_iter().filter(|_| write) {
                    guli.write_district(import, district, counts).await?;
                }
            }
            Ok(outcomes)
        }
        Kind::Organizations => {
            let rows = drafts.iter().filter_map(|draft| organization(draft)).collect();
            let compared = guli.compare_organizations(rows).await?;
            let counts = count(&compared.outcomes);
            if write && !compared.changed.is_empty() {
                guli.write_organizations(import, compared.changed, counts).await?;
            }
            Ok(compared.outcomes)
        }
        Kind::People => {
            let source = profile.source.as_ref().map(ToString::to_string).unwrap_or_default();
            let rows = drafts.iter().filter_map(|draft| duty(draft)).collect();
            let compared = guli.compare_people(import.district, &source, rows).await?;
            let counts = count(&compared.outcomes);
            if write && !compared.changed.is_empty() {
                guli.write_people(import, &source, compared.changed, counts).await?;
            }
            Ok(compared.outcomes)
        }
        Kind::Categories | Kind::Damages => {
            let compared = guli.compare_tables(import.district, lines(drafts));
            let counts = count(&compared.outcomes);
            if write && !compared.changed.is_empty() {
                guli.write_tables(import, compared.changed, counts).await?;
            }
            Ok(compared.outcomes)
        }
        Kind::Subdistricts | Kind::Communities | Kind::Grids | Kind::Covers => {
            let rows = drafts.iter().filter_map(|draft| area(draft)).collect();
            let compared = guli.compare_areas(import.district, rows).await?;
            let counts = count(&compared.outcomes);
            if write && !compared.changed.is_empty() {
                guli.write_areas(import, compared.changed, counts).await?;
            }
            Ok(compared.outcomes)
        }
    }
}

fn district(draft: &Draft) -> Option<District> {
    let Draft::District(AreaDraft { code, name, outline }) = draft else { return None };
    Some(District { code: *code, name: name.clone(), outline: outline.clone() })
}

fn lines(drafts: &[&Draft]) -> Vec<TableLine> {
    let line = |draft: &&Draft| match draft {
        Draft::Category(category) => Some(TableLine::Category(category.clone())),
        Draft::Damage(damage) => Some(TableLine::Damage(damage.clone())),
        _ => None,
    };
    drafts.iter().filter_map(line).collect()
}

fn area(draft: &Draft) -> Option<Area> {
    let (code, name, outline, supervising_department) = match draft {
        Draft::Subdistrict(area) => (area.code.number(), &area.name, &area.outline, None),
        Draft::Community(area) => (area.code.number(), &area.name, &area.outline, None),
        Draft::Grid(grid) => {
            let area = &grid.area;
            (area.code.number(), &area.name, &area.outline, grid.supervising_department.as_ref())
        }
        _ => return None,
    };
    Some(Area {
        code,
        name: name.clone(),
        supervising_department: supervising_department.map(ToString::to_string),
        outline: outline.clone(),
        version: 1,
    })
}

fn organization(draft: &Draft) -> Option<Organization> {
    let Draft::Organization(draft) = draft else { return None };
    Some(Organization {
        code: draft.code.clone(),
        name: draft.name.clone(),
        kind: draft.kind,
        credit_code: draft.credit_code.clone(),
        version: 1,
    })
}

fn duty(draft: &Draft) -> Option<DutyRow> {
    let Draft::Person(draft) = draft else { return None };
    Some(DutyRow {
        external_id: draft.external_id.clone(),
        name: draft.name.clone(),
        phone: draft.phone.clone(),
        organization: draft.organization.clone(),
        duty: draft.duty,
        area: draft.area.number(),
    })
}
