//! What the registry knows of the covers at hand, and what a record comes to that was delivered before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;

use super::Row;
use super::check::{Holder, Near};
use super::draft::{CoverDraft, Draft};
use super::field::Field;
use super::finding::{Finding, FindingCode};
use super::profile::Profile;
use crate::domain::catalog::CategoryCode;
use crate::domain::cover::{self, Accuracy, Status};
use crate::domain::id::{CoverCode, CoverId, DistrictCode, OrgCode};
use crate::domain::merge::{self, Columns};
use crate::domain::position::{Position, Wgs84};
use crate::domain::said::{Said, say};
use crate::service::Guli;
use crate::service::error::ServiceError;
use crate::store::cover_history::CoverState;
use crate::store::imports::{Earlier, KnownRecord};

/// How near another department's cover of the category is looked for, in metres.
const NEAR_M: f64 = 1.0;

/// What the registry knows of the rows at hand, asked for a chunk at a time.
pub(super) struct Lookup<'r> {
    guli: &'r Arc<Guli>,
    handle: &'r Handle,
    /// Behind a lock because the checks that ask may run anywhere; nobody contends for it.
    chunk: Mutex<Chunk>,
}

#[derive(Default)]
struct Chunk {
    known: HashMap<String, KnownRecord>,
    /// Of those that say something else now, what they said and what the registry holds.
    earlier: HashMap<CoverId, Earlier>,
    /// `source/external id` of the covers that hold the chunk's codes, or once held them.
    sources: HashMap<CoverCode, String>,
    /// The cover of the row at hand, if it was imported before, and what the row says otherwise that counts.
    current: Option<(CoverId, Says)>,
}

impl Chunk {
    /// What a record said and what the registry holds, if it says something else now: of two rows of one record perhaps
    /// only one does.
    fn earlier_of(&self, row: &Row, draft: &CoverDraft) -> Option<&Earlier> {
        let known = self.known.get(&draft.external_id)?;
        self.earlier.get(&known.cover).filter(|_| known.digest != draft.digest(&row.silent))
    }
}

/// What a row says of a cover that was delivered before.
enum Says {
    Same,
    /// These columns anew.
    Else(Vec<&'static str>),
}

impl<'r> Lookup<'r> {
    pub(super) fn new(guli: &'r Arc<Guli>, handle: &'r Handle) -> Self {
        Self { guli, handle, chunk: Mutex::default() }
    }

    fn chunk(&self) -> MutexGuard<'_, Chunk> {
        self.chunk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for everything that a chunk of rows will need.
    pub(super) fn prepare(
        &self,
        district: Option<DistrictCode>,
        profile: &Profile,
        rows: &[Row],
    ) -> Result<(), ServiceError> {
        let (Some(district), Some(source)) = (district, &profile.source) else { return Ok(()) };
        let drafts = || rows.iter().filter_map(|row| row.draft.as_ref()).filter_map(cover);
        let ids: Vec<&str> = drafts().map(|draft| draft.external_id.as_str()).collect();
        // A code that is not in memory is held by nobody now.
        let index = &self.guli.context.index;
        let codes = drafts().filter_map(|draft| draft.code);
        let (held, free): (Vec<CoverCode>, Vec<CoverCode>) = codes.partition(|code| index.cover(*code).is_some());
        let known = self.handle.block_on(self.guli.known_records(district, source.as_str(), &ids))?;
        let mut sources = self.handle.block_on(self.guli.sources_of(district, &held))?;
        sources.extend(self.handle.block_on(self.guli.former_sources_of(district, &free))?);
        let says_else = |row: &Row| {
            let draft = row.draft.as_ref().and_then(cover)?;
            known.get(&draft.external_id).filter(|known| known.digest != draft.digest(&row.silent)).cloned()
        };
        let changed: Vec<KnownRecord> = rows.iter().filter_map(says_else).collect();
        let earlier = self.handle.block_on(self.guli.earlier_records(district, &changed))?;
        *self.chunk() = Chunk { known, earlier, sources, current: None };
        Ok(())
    }

    /// Says which record is checked next.
    pub(super) fn turn_to(&self, row: &Row) {
        let says = self.merged(row).map_or(Says::Same, |merged| Says::Else(merged.taken));
        let mut chunk = self.chunk();
        let draft = row.draft.as_ref().and_then(cover);
        chunk.current = draft.and_then(|draft| Some((chunk.known.get(&draft.external_id)?.cover, says)));
    }

    /// Whether what the row at hand says in a column is to count, or was said before.
    pub(super) fn takes(&self, column: &str) -> bool {
        match &self.chunk().current {
            None => true,
            Some((_, Says::Same)) => false,
            Some((_, Says::Else(taken))) => taken.contains(&column),
        }
    }

    pub(super) fn known(&self, external_id: &str) -> Option<KnownRecord> {
        self.chunk().known.get(external_id).cloned()
    }

    /// Who holds a code.
    pub(super) fn holder(&self, code: CoverCode) -> Option<Holder> {
        let chunk = self.chunk();
        let (source, external_id) = chunk.sources.get(&code)?.split_once('/')?;
        Some(Holder { source: source.to_owned(), external_id: external_id.to_owned() })
    }

    /// The nearest registered cover of the category that is not of the source.
    pub(super) fn nearest(
        &self,
        category: CategoryCode,
        at: Position<Wgs84>,
        source: Option<&OrgCode>,
    ) -> Option<Near> {
        let near = self.guli.context.index.covers_near(at, NEAR_M);
        // Of two, the one that came later is the duplicate: imported again, each row is told what it was told before.
        let is_other = |id: CoverId| match &self.chunk().current {
            Some((own, Says::Same)) => id < *own,
            Some((own, Says::Else(_))) => id != *own,
            None => true,
        };
        near.into_iter().filter(|(view, _)| view.category() == category && is_other(view.id)).find_map(
            |(view, metres)| {
                let asked = self.handle.block_on(self.guli.sources_of(view.code.district(), &[view.code]));
                let asked =
                    asked.inspect_err(|error| tracing::warn!(%error, "a neighbour's source is not known")).ok()?;
                let theirs = asked.get(&view.code)?.split_once('/')?.0.to_owned();
                let other = source.is_none_or(|source| source.as_str() != theirs);
                let code = view.code;
                other.then(|| Near { name: say!("{code} of {theirs}", "{theirs} 的 {code}"), metres })
            },
        )
    }

    /// What a record comes to that was delivered before and says something else now.
    pub(super) fn merged(&self, row: &Row) -> Option<Merged> {
        let draft = row.draft.as_ref().and_then(cover)?;
        let chunk = self.chunk();
        Some(Merged::of(draft, &row.silent, chunk.earlier_of(row, draft)?))
    }

    /// A record's code is for life: a file cannot change it, nor the category that it contains. What the registry made of
    /// them since is no contradiction.
    pub(super) fn contradiction(&self, row: &Row, profile: &Profile) -> Option<Finding> {
        let draft = row.draft.as_ref().and_then(cover)?;
        let chunk = self.chunk();
        let Earlier { present, said } = chunk.earlier_of(row, draft)?;
        let code = present.cover.code;
        let said_code = said.as_ref().map(|said| said.code);
        let said_category = said.as_ref().and_then(|said| said.columns.first()?.1.clone());
        let (field, detail) = match draft.code {
            Some(other) if other != code && Some(other) != said_code => {
                let detail = say!(
                    "this record was imported as {code}; its code cannot become {other}",
                    "该记录导入时的编码是 {code}，不能改为 {other}"
                );
                (Field::Code, detail)
            }
            None if draft.category != code.category() && Some(draft.category.to_string()) != said_category => {
                let field = if profile.has(Field::Category) { Field::Category } else { Field::Code };
                let category = draft.category;
                let detail = say!(
                    "this record was imported as {code}; its category cannot become {category}",
                    "该记录导入时的编码是 {code}，小类不能改为 {category}"
                );
                (field, detail)
            }
            _ => return None,
        };
        Some(Finding::new((row.row, row.line), FindingCode::CodeInvalid, Some(profile.label(field)), detail))
    }
}

pub(super) fn cover(draft: &Draft) -> Option<&CoverDraft> {
    match draft {
        Draft::Cover(draft) => Some(draft),
        _ => None,
    }
}

/// A record that was delivered before, merged into what the registry holds.
pub(super) struct Merged {
    pub(super) present: CoverState,
    /// What the cover is to be.
    pub(super) draft: cover::CoverDraft,
    /// What the record says, be it taken or not.
    pub(super) says: Columns,
    before: Option<Columns>,
    taken: Vec<&'static str>,
    overruled: Vec<&'static str>,
}

impl Merged {
    fn of(draft: &CoverDraft, silent: &[Field], Earlier { present, said }: &Earlier) -> Self {
        let ours = cover::CoverDraft::of(&present.cover);
        let (our_columns, before) = (merge::cover(&ours), said.as_ref().map(|said| said.columns.clone()));
        let mut wanted = draft.said();
        let mut says = merge::cover(&wanted);
        // Where nothing is known of what it said, it is taken as it is.
        if let Some(last) = &before {
            if silent.contains(&Field::Accuracy) {
                wanted.accuracy = accuracy_in(last).unwrap_or(wanted.accuracy);
                says = merge::cover(&wanted);
            }
            merge::unsaid(&mut says, &silent.iter().map(|field| field.as_str()).collect::<Vec<_>>(), last);
        }
        let merge = merge::merge(before.as_ref(), &says, &our_columns);
        let draft = merge::with_columns(ours, &merge.taken, &wanted);
        Self { present: present.clone(), draft, says, before, taken: merge.taken, overruled: merge.overruled }
    }

    /// Whether it was removed here, which a file does not take back.
    pub(super) fn stays_removed(&self) -> bool {
        self.present.cover.status == Status::Removed && self.draft.status == Status::Removed
    }

    /// Whether the registry stays as it is.
    pub(super) fn changes_nothing(&self) -> bool {
        self.draft == cover::CoverDraft::of(&self.present.cover)
    }

    /// What whoever imports should know of it.
    pub(super) fn warnings(&self, row: &Row, profile: &Profile) -> Vec<Finding> {
        let at = (row.row, row.line);
        if self.stays_removed() {
            let code = self.present.cover.code;
            let detail = say!("{code} was removed here since, and stays so", "{code} 此后已在此移除，保持移除");
            return vec![Finding::new(at, FindingCode::RemovedHere, None, detail)];
        }
        let ours = merge::cover(&cover::CoverDraft::of(&self.present.cover));
        let before = self.before.as_ref().unwrap_or(&ours);
        let overruled = |column: &&str| self.overruled.contains(column);
        let warned = self.says.iter().zip(&ours).zip(before).filter(|(((column, _), _), _)| overruled(column));
        warned
            .map(|(((column, now), (_, ours)), (_, before))| {
                let field = Field::parse(column).unwrap_or(profile.position_fields().0);
                let detail = corrected(before.as_deref(), ours.as_deref(), now.as_deref());
                Finding::new(at, FindingCode::OverwritesCorrection, Some(profile.label(field)), detail)
            })
            .collect()
    }
}

/// What is said of a correction that the file has changed.
pub(super) fn corrected(before: Option<&str>, ours: Option<&str>, now: Option<&str>) -> Said {
    let value = |value: Option<&str>| {
        value.map_or_else(|| say!("nothing", "空"), |value| Said::new(value.to_owned(), value.to_owned()))
    };
    say!(
        "corrected here from {before} to {ours}; the file has changed it to {now}",
        "此处已由 {before} 更正为 {ours}，文件又改为 {now}",
        before = value(before),
        ours = value(ours),
        now = value(now),
    )
}

/// The accuracy that stands with a position.
fn accuracy_in(columns: &Columns) -> Option<Accuracy> {
    let (_, position) = columns.iter().find(|(column, _)| *column == "position")?;
    Accuracy::parse(position.as_deref()?.rsplit(' ').next()?)
}
