//! The quality check of the registry (数据质量): what is wrong with it, where, and what would mend it.
//!
//! Everything is found anew from the index when the registry has changed, and kept until it changes again. The database
//! keeps what was found, until something mends it and from then on, and what somebody said of it.

mod areas;
mod covers;
mod gaps;
mod life;
mod may;
mod menders;
mod runs;
mod units;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use self::covers::Covers;
use self::units::{Callable, Named};
use super::error::{Result, ServiceError};
use super::{Guli, keys};
use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::catalog::CategoryCode;
pub use crate::domain::finding::{Place, Subject};
use crate::domain::id::{CoverCode, DistrictCode, GridCode, OrgCode};
use crate::domain::quality::{Rule, State};
use crate::domain::said::{Said, say};
use crate::index::{CoverView, NamesStamp};
use crate::store::events::{self, Event};
use crate::store::quality::Ruling;
use crate::store::{self, Conn, Result as StoreResult, organizations, people};

/// The edit that would mend it.
#[derive(Debug, Clone, PartialEq)]
pub enum Mend {
    /// A cover, and the one that it is a second record of.
    Merge(CoverCode, CoverCode),
    SetOwner(CoverCode, OrgCode),
    /// Which gives it another code too.
    SetCategory(CoverCode, CategoryCode),
    /// All in one call.
    Redraw(Vec<Redrawn>),
}

/// A grid with the outline that closes a gap or ends an overlap.
#[derive(Debug, Clone, PartialEq)]
pub struct Redrawn {
    /// With the version that was looked at; `None` of a new one.
    pub code: Option<(GridCode, i64)>,
    pub name: String,
    pub supervising_department: Option<OrgCode>,
    pub outline: geo::MultiPolygon<f64>,
}

/// Something that is wrong, or may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// 16 hexadecimal digits, the same for the same rule and subjects.
    pub id: String,
    pub rule: Rule,
    pub subjects: Vec<Subject>,
    pub place: Option<Place>,
    pub detail: Said,
    pub mend: Option<Mend>,
    /// The organisations whose things these are.
    pub units: Vec<OrgCode>,
}

impl Finding {
    fn new(rule: Rule, subjects: Vec<Subject>, place: Option<Place>, detail: Said) -> Self {
        let mut finding = Self { id: String::new(), rule, subjects, place, detail, mend: None, units: Vec::new() };
        finding.id = finding.identity("");
        finding
    }

    /// `part` tells apart what has the same rule and subjects.
    fn identity(&self, part: &str) -> String {
        let mut text = self.rule.as_str().to_owned();
        for (kind, code) in self.subjects.iter().map(Subject::named) {
            text.extend(["\u{1f}", kind, ":", &code]);
        }
        if !part.is_empty() {
            text.extend(["\u{1f}", part]);
        }
        let hash = keys::hash(text.as_bytes());
        hash[..8].iter().fold(String::new(), |id, byte| id + &format!("{byte:02x}"))
    }

    /// Where it stands in the list of its district: by rule, then by the codes of its subjects.
    pub fn order(&self) -> (Rule, String, String) {
        let codes: Vec<String> = self.subjects.iter().map(|subject| subject.named().1).collect();
        (self.rule, codes.join(","), self.id.clone())
    }

    /// Who may not know of people learns of no identity either.
    fn is_for(&self, reads_people: bool) -> bool {
        reads_people || self.rule != Rule::PersonWithoutArea
    }

    fn mended_by(mut self, mend: Option<Mend>) -> Self {
        self.mend = mend;
        self
    }

    fn of_units<'a>(mut self, units: impl IntoIterator<Item = Option<&'a OrgCode>>) -> Self {
        self.units.extend(units.into_iter().flatten().cloned());
        self.units.sort();
        self.units.dedup();
        self
    }
}

fn owner(cover: &CoverView) -> Option<&OrgCode> {
    cover.owner.as_ref().map(|owner| &owner.code)
}

fn unit(cover: &CoverView) -> Option<&OrgCode> {
    cover.responsible_unit.as_ref().map(|unit| &unit.code)
}

fn about(rule: Rule, cover: &CoverView, detail: Said) -> Finding {
    let finding = Finding::new(rule, vec![Subject::Cover(cover.code)], Some(Place::At(cover.position)), detail);
    finding.of_units([owner(cover), unit(cover)])
}

/// A finding as it is listed.
#[derive(Debug, Clone)]
pub struct Found {
    pub district: DistrictCode,
    pub finding: Arc<Finding>,
    pub state: State,
    /// What was said of it last.
    pub ruling: Option<Ruled>,
    /// Of what is mended.
    pub mended: Option<Mended>,
}

/// What somebody said of a finding last, and the event that tells who.
#[derive(Debug, Clone)]
pub struct Ruled {
    pub ruling: Ruling,
    pub event: Option<Event>,
}

impl Ruled {
    pub(in crate::service) async fn read(
        conn: &mut Conn<'_>,
        district: DistrictCode,
        ruling: Ruling,
    ) -> StoreResult<Self> {
        let event = events::of(conn, district, &ruling.id, None, 1).await?.pop();
        Ok(Self { ruling, event })
    }
}

/// What mended a finding.
#[derive(Debug, Clone)]
pub struct Mended {
    pub at: Timestamp,
    /// The change since which it is no more; `None` where it is not known which that was.
    pub change: Option<Event>,
    /// Whether that changed one of its subjects.
    is_own: bool,
}

/// Which names and which change of the registry something was found in.
type Stamp = (NamesStamp, Option<u64>);

type Findings = Arc<Vec<Arc<Finding>>>;

impl Mended {
    /// Who may not know of people is not told which of them it was.
    fn hide_people(&mut self) {
        self.change.take_if(|event| event.kind.starts_with("person."));
    }
}

/// Findings of a district, and the registry that they were found in.
#[derive(Debug)]
struct Kept {
    stamp: Stamp,
    /// The units that are named there, and whether somebody could be called: some are of other districts, whose changes
    /// are in other feeds.
    units: Named,
    callable: Callable,
    findings: Findings,
    /// Whether the database knows of them.
    is_stored: bool,
}

/// What was found last. Held while a district is checked, so that whoever asks meanwhile waits for that answer.
#[derive(Debug, Default)]
pub(super) struct Checked(tokio::sync::Mutex<HashMap<DistrictCode, Kept>>);

impl Guli {
    /// What is wrong in the district asked for, or in all that the caller may read, by district, rule and subjects.
    pub async fn findings(&self, actor: &Actor, asked: Option<DistrictCode>) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for district in self.cover_districts(actor, asked)? {
            found.extend(self.findings_in(actor, district).await?);
        }
        Ok(found)
    }

    /// What was wrong there and is no more, in the same order.
    pub async fn mended(&self, actor: &Actor, asked: Option<DistrictCode>) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        for district in self.cover_districts(actor, asked)? {
            let reads_people = self.reads_findings(actor, district)?;
            self.check(district).await?;
            let mended = self.mended_in(district).await?.into_iter();
            let mut mended: Vec<Found> = mended.filter(|found| found.finding.is_for(reads_people)).collect();
            if !reads_people {
                mended.iter_mut().filter_map(|found| found.mended.as_mut()).for_each(Mended::hide_people);
            }
            mended.sort_by_cached_key(|found| found.finding.order());
            found.append(&mut mended);
        }
        Ok(found)
    }

    /// One finding.
    pub async fn finding(&self, actor: &Actor, id: &str) -> Result<Found> {
        let is_it = |found: &Found| found.finding.id == id;
        if let Some(found) = self.findings(actor, None).await?.into_iter().find(is_it) {
            return Ok(found);
        }
        let mended = self.mended(actor, None).await?.into_iter().find(is_it);
        mended.ok_or_else(|| ServiceError::NotFound(say!("finding {id}", "质检问题 {id}")))
    }

    /// Whether who may read findings of a district may read those of people too.
    fn reads_findings(&self, actor: &Actor, district: DistrictCode) -> Result<bool> {
        let hidden = |refusal| ServiceError::refused(refusal, say!("district {district}", "行政区 {district}"));
        self.serves(district)?;
        actor::authorize(actor, Action::ReadCovers, Resource::District(district)).map_err(hidden)?;
        Ok(actor::authorize(actor, Action::ReadPeople, Resource::District(district)).is_ok())
    }

    async fn findings_in(&self, actor: &Actor, district: DistrictCode) -> Result<Vec<Found>> {
        let reads_people = self.reads_findings(actor, district)?;
        let findings = self.check(district).await?;
        let mut reader = self.store.read().await?;
        let mut rulings = rulings(&mut reader.conn(), district).await?;
        let shown = findings.iter().filter(|finding| finding.is_for(reads_people));
        let found = shown.map(|finding| {
            let ruling = rulings.remove(&finding.id);
            let state = ruling.as_ref().map_or(State::Open, |ruled: &Ruled| ruled.ruling.state);
            Found { district, finding: Arc::clone(finding), state, ruling, mended: None }
        });
        Ok(found.collect())
    }

    /// The findings of a district as it is now, which the database is told of.
    async fn check(&self, district: DistrictCode) -> Result<Findings> {
        let (stamp, findings, is_stored) = self.looked_at(district).await?;
        // Without the lock: the district's lane may be busy, and nobody else's check waits for it.
        if !is_stored && self.keep(district, stamp.1, &findings).await {
            let mut checked = self.checked.0.lock().await;
            if let Some(kept) = checked.get_mut(&district).filter(|kept| kept.stamp == stamp) {
                kept.is_stored = true;
            }
        }
        Ok(findings)
    }

    /// The findings of a district as it is now, the registry that they are of, and whether the database knows of them.
    async fn looked_at(&self, district: DistrictCode) -> Result<(Stamp, Findings, bool)> {
        let gone = || ServiceError::NotFound(say!("district {district}", "行政区 {district}"));
        let mut checked = self.checked.0.lock().await;
        // The stamp first: what changes while it is looked at is looked at again.
        let index = &self.context.index;
        let stamp = (index.names_stamp(district).ok_or_else(gone)?, index.registry_seq(district));
        if let Some(kept) = checked.get(&district).filter(|kept| kept.stamp == stamp) {
            let mut reader = self.store.read().await?;
            if organizations::callable(&mut reader.conn(), kept.units.codes()).await? == kept.callable {
                return Ok((stamp, Arc::clone(&kept.findings), kept.is_stored));
            }
        }
        let context = Arc::clone(&self.context);
        let looked = tokio::task::spawn_blocking(move || {
            (covers::check(&context.index, district), areas::outlines(&context.index, district))
        });
        let failed = |error| ServiceError::Internal(format!("the quality check ended early: {error}"));
        let (Covers { mut findings, near, mut units }, outlines) = looked.await.map_err(failed)?;
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let pairs: Vec<CoverCode> = near.iter().flat_map(|pair| [pair.a.code, pair.b.code]).collect();
        let sources: BTreeMap<CoverCode, String> =
            store::covers::sources(conn, district, &pairs).await?.into_iter().collect();
        let duties = people::duties(conn, district).await?;
        let idle = people::idle(conn, district).await?;
        for (department, grids, first) in store::areas::supervising(conn, district).await? {
            units.by_grids(department, grids, first);
        }
        let callable = organizations::callable(conn, units.codes()).await?;
        drop(reader);
        let context = Arc::clone(&self.context);
        let looked = tokio::task::spawn_blocking(move || {
            findings.extend(near.iter().filter_map(|pair| pair.finding(&sources)));
            findings.extend(areas::check_outlines(district, &outlines));
            findings.extend(areas::check_people(district, &outlines, &duties, &idle));
            findings.extend(units.check(&callable, &context.index, &outlines));
            findings.sort_by_cached_key(Finding::order);
            (findings.into_iter().map(Arc::new).collect::<Vec<_>>(), units, callable)
        });
        let (findings, units, callable) = looked.await.map_err(failed)?;
        let findings = Arc::new(findings);
        let kept = Kept { stamp, units, callable, findings: Arc::clone(&findings), is_stored: false };
        checked.insert(district, kept);
        Ok((stamp, findings, false))
    }
}

/// What was said of a district's findings, by their identity.
async fn rulings(conn: &mut Conn<'_>, district: DistrictCode) -> StoreResult<HashMap<String, Ruled>> {
    let rulings = store::quality::rulings(conn, district).await?;
    let ids: Vec<&str> = rulings.iter().map(|ruling| ruling.id.as_str()).collect();
    let last = events::last_on(conn, district, &ids).await?;
    let numbers: Vec<i64> = last.values().copied().collect();
    let events = events::numbered(conn, district, &numbers).await?.into_iter();
    let mut events: HashMap<String, Event> = events.map(|event| (event.subject.clone(), event)).collect();
    let ruled = rulings.into_iter().map(|ruling| {
        let event = events.remove(&ruling.id);
        (ruling.id.clone(), Ruled { ruling, event })
    });
    Ok(ruled.collect())
}
