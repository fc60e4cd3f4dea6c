//! The few records of a run: areas, organisations, people, tables. Compared, and written where they differ.

use super::Row;
use super::draft::{AreaDraft, Draft};
use super::field::{Field, Kind};
use super::finding::{Finding, FindingCode};
use super::lookup::corrected;
use super::overlaps::{Outlines, Refused, refused};
use super::profile::Profile;
use super::report::Tally;
use super::run::{Mode, OnError, Request};
use crate::domain::grid::District;
use crate::domain::id::DistrictCode;
use crate::domain::organization::Organization;
use crate::domain::partition::is_same_ground;
use crate::domain::phone::Phone;
use crate::domain::said::say;
use crate::service::Guli;
use crate::service::error::ServiceError;
use crate::service::import::areas::TableLine;
use crate::service::import::few::{Compared, Note, Says};
use crate::service::import::people::DutyRow;
use crate::service::import::{ImportFile, Outcome};
use crate::store::areas::Area;

/// The rows of a file, with what is to be known of them.
pub(super) struct Few<'f> {
    pub(super) guli: &'f Guli,
    pub(super) request: &'f Request,
    pub(super) profile: &'f Profile,
    pub(super) rows: &'f mut [Row],
    pub(super) tally: &'f mut Tally,
}

impl Few<'_> {
    /// Compares the rows with the registry, counts, and writes what differs unless the file is refused; what becomes of
    /// each good row.
    pub(super) async fn write(mut self, import: &ImportFile) -> Result<Vec<Outcome>, ServiceError> {
        let (guli, district) = (self.guli, import.district);
        match self.profile.kind {
            Kind::District => {
                let mut outcomes = Vec::new();
                for says in self.says(district_of) {
                    let compared = guli.compare_district(says.record).await?;
                    let (of, write) = self.settle(&compared);
                    outcomes.extend(of);
                    for district in compared.changed.into_iter().filter(|_| write) {
                        guli.write_district(import, district, self.tally.counts).await?;
                    }
                }
                Ok(outcomes)
            }
            Kind::Organizations => {
                let rows = self.says(organization);
                let (outcomes, write) = self.settle(&guli.compare_organizations(district, &rows).await?);
                if write {
                    guli.write_organizations(import, rows, self.tally.counts).await?;
                }
                Ok(outcomes)
            }
            Kind::People => {
                let source = self.profile.source.as_ref().map(ToString::to_string).unwrap_or_default();
                let rows = self.says(duty);
                let (outcomes, write) = self.settle(&guli.compare_people(district, &source, &rows).await?);
                if write {
                    guli.write_people(import, &source, rows, self.tally.counts).await?;
                }
                Ok(outcomes)
            }
            Kind::Categories | Kind::Damages => {
                let lines = self.says(line).into_iter().map(|says| says.record).collect();
                let compared = guli.compare_tables(district, lines);
                let (outcomes, write) = self.settle(&compared);
                if write {
                    guli.write_tables(import, compared.changed, self.tally.counts).await?;
                }
                Ok(outcomes)
            }
            Kind::Subdistricts | Kind::Communities | Kind::Grids | Kind::Covers => {
                if self.profile.kind == Kind::Grids {
                    let changed = guli.compare_areas(district, &self.says(area)).await?.changed;
                    self.reject_overlaps(district, changed).await?;
                }
                let rows = self.says(area);
                let (outcomes, write) = self.settle(&guli.compare_areas(district, &rows).await?);
                if write {
                    guli.write_areas(import, rows, self.tally.counts).await?;
                }
                Ok(outcomes)
            }
        }
    }

    /// Rejects grids that would have ground in common with another.
    async fn reject_overlaps(&mut self, district: DistrictCode, changed: Vec<Area>) -> Result<(), ServiceError> {
        let present = self.guli.all_areas(district).await?.grids;
        let present: Outlines = present.into_iter().map(|grid| (grid.code.number(), grid.outline)).collect();
        // A grid that is only named otherwise keeps the ground that it has, be it another's too.
        let keeps = |area: &Area| present.get(&area.code).is_some_and(|before| is_same_ground(before, &area.outline));
        let redrawn = changed.into_iter().filter(|area| !keeps(area));
        let redrawn: Outlines = redrawn.map(|area| (area.code, area.outline)).collect();
        let records = self.guli.district_records().await?;
        let record = records.into_iter().find(|record| record.code == district);
        let Some(record) = record.filter(|_| !redrawn.is_empty()) else { return Ok(()) };
        for Refused { gives, keeps, square_metres: size } in refused(&record.outline, &present, redrawn) {
            let is_it = |row: &&mut Row| row.draft.as_ref().and_then(area).is_some_and(|area| area.code == gives);
            let Some(row) = self.rows.iter_mut().find(is_it) else { continue };
            let detail = say!("{size:.1} m² of it belong to grid {keeps}", "其中 {size:.1} 平方米属于网格 {keeps}");
            let finding = Finding::new((row.row, row.line), FindingCode::GridOverlaps, Some("geometry"), detail);
            self.tally.add(row, finding);
        }
        Ok(())
    }

    /// What the good rows say.
    fn says<T>(&self, read: fn(&Draft) -> Option<T>) -> Vec<Says<T>> {
        let says = |row: &Row| {
            let silent = row.silent.iter().map(|field| field.as_str()).collect();
            Some(Says { record: read(row.draft.as_ref()?)?, silent })
        };
        self.rows.iter().filter_map(says).collect()
    }

    /// Tells what is to be known of the rows and counts what becomes of them; whether anything is to be written.
    fn settle<T>(&mut self, compared: &Compared<T>) -> (Vec<Outcome>, bool) {
        let good: Vec<usize> = (0..self.rows.len()).filter(|place| self.rows[*place].draft.is_some()).collect();
        for (place, note) in &compared.notes {
            if let Some(row) = good.get(*place).and_then(|place| self.rows.get_mut(*place)) {
                let finding = finding(row, note, self.profile);
                self.tally.add(row, finding);
            }
        }
        let outcomes: Vec<Outcome> = compared.outcomes.iter().copied().flatten().collect();
        outcomes.iter().for_each(|outcome| self.tally.counts.add(*outcome));
        let refused = self.tally.counts.rejected > 0 && self.request.on_error == OnError::RefuseFile;
        (outcomes, self.request.mode == Mode::Apply && !refused && compared.is_news())
    }
}

fn finding(row: &Row, note: &Note, profile: &Profile) -> Finding {
    let (code, column, detail) = match note {
        Note::StaysRemoved => (
            FindingCode::RemovedHere,
            None,
            say!("removed here since it was delivered last, and stays so", "上次送交后已在此移除，保持移除"),
        ),
        Note::Missing { column, what } => (
            FindingCode::ParentMissing,
            Some(*column),
            say!("{what} was removed here", "{what}已在此移除", what = what.clone()),
        ),
        Note::Overruled { column, before, ours, now } => {
            let detail = match [before, ours, now].map(Option::as_deref) {
                // Of people nothing is quoted, and of outlines there is nothing to quote.
                [None, None, None] => say!(
                    "corrected here since it was delivered last; the file has changed it",
                    "上次送交后已在此更正，文件又作了改动"
                ),
                _ if *column == OUTLINE => say!(
                    "redrawn here since it was delivered last; the file has redrawn it",
                    "上次送交后已在此重划，文件又重划了边界"
                ),
                [before, ours, now] => corrected(before, ours, now),
            };
            (FindingCode::OverwritesCorrection, Some(*column), detail)
        }
    };
    let label = column.map(|column| match Field::parse(column) {
        Some(field) => profile.label(field),
        None => "geometry",
    });
    Finding::new((row.row, row.line), code, label, detail)
}

/// The column of an area's outline, which is no field of its own.
const OUTLINE: &str = "outline";

fn district_of(draft: &Draft) -> Option<District> {
    let Draft::District(AreaDraft { code, name, outline }) = draft else { return None };
    Some(District { code: *code, name: name.clone(), outline: outline.clone() })
}

fn line(draft: &Draft) -> Option<TableLine> {
    match draft {
        Draft::Category(category) => Some(TableLine::Category(category.clone())),
        Draft::Damage(damage) => Some(TableLine::Damage(damage.clone())),
        _ => None,
    }
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
        phone: draft.phone.clone().map(Phone::into_string),
        version: 1,
    })
}

fn duty(draft: &Draft) -> Option<DutyRow> {
    let Draft::Person(draft) = draft else { return None };
    Some(DutyRow {
        external_id: draft.external_id.clone(),
        name: draft.name.clone(),
        phone: draft.phone.clone().map(Phone::into_string),
        organization: draft.organization.clone(),
        duty: draft.duty,
        area: draft.area.number(),
    })
}
