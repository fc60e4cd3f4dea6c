//! Reading the registry in pages: areas, organisations, people, covers.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{Result, ServiceError};
use super::moment::{Moment, Reach};
use super::{Guli, load};
use crate::domain::actor::{self, Action, Actor, Privacy, Resource};
use crate::domain::catalog::Category;
use crate::domain::cover::Cover;
use crate::domain::grid::Duty;
use crate::domain::id::{CoverCode, CoverId, DistrictCode, OrgCode, PersonId};
use crate::domain::organization::Organization;
use crate::domain::said::{Said, say};
use crate::index::CoverView;
use crate::store::areas::{self, Area, Level};
use crate::store::cover_history::{self, CoverState};
use crate::store::covers::{self, Wanted, Word};
use crate::store::events::{self, Event, REGRIDDED};
use crate::store::people::{self, Person, Standing};
use crate::store::personal::{self, Purpose};
use crate::store::{Conn, Result as StoreResult, head, organizations};

/// What is sealed of a person.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub name: Option<String>,
    pub phone: Option<String>,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contact(…)")
    }
}

/// A person with a name, for those who may see it.
#[derive(Clone)]
pub struct PersonRecord {
    pub id: String,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub organization: Option<OrgCode>,
    pub duties: Vec<Duty>,
    pub version: i64,
}

/// Degrees beyond a box that memory is asked for.
const BORDER: f64 = 1e-7;

/// Covers that are read from memory under one lock.
const READ_TOGETHER: usize = 256;

/// Units that a word may name.
const UNITS_NAMED: i64 = 1_000;

impl std::fmt::Debug for PersonRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonRecord({})", self.id)
    }
}

/// A page of covers.
#[derive(Debug)]
pub struct CoverPage {
    pub covers: Vec<CoverView>,
    /// How many were read for it, and the last of them.
    pub read: i64,
    pub end: Option<CoverCode>,
    /// Whether the district has more.
    pub more: bool,
}

/// A version of a cover, and the change that made it.
#[derive(Debug)]
pub struct CoverVersion {
    pub cover: Cover,
    pub event: Option<Event>,
    /// The import that made it, and the row there if that is known still.
    pub import: Option<(String, Option<i64>)>,
}

/// A person as the caller may see them, without duties yet.
pub(super) fn record_of(
    actor: &Actor,
    id: PersonId,
    (version, organization): Standing,
    record: &Contact,
) -> PersonRecord {
    let privacy = Privacy::of(actor.role);
    PersonRecord {
        id: id.to_string(),
        name: record.name.as_deref().and_then(|name| privacy.name(name)),
        phone: record.phone.as_deref().and_then(|phone| privacy.phone(phone)),
        version,
        organization,
        duties: Vec::new(),
    }
}

fn standing(person: Person) -> Standing {
    (person.version, person.organization)
}

impl Guli {
    /// Areas of one level within a district, sub-district or community; boundaries are public.
    pub async fn areas(
        &self,
        moment: &Moment,
        level: Level,
        within: u64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Area>> {
        let digits = within.ilog10() + 1;
        let district = DistrictCode::from_number(within / 10u64.pow(digits - 6))
            .ok_or_else(|| ServiceError::NotFound(say!("district {within}", "行政区 {within}")))?;
        self.serves(district)?;
        let mut reader = self.store.read().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let as_of = moment.change(district);
        Ok(areas::list(&mut reader.conn(), district, as_of, level.within(within), after, limit).await?)
    }

    /// One area by its code.
    pub async fn area(&self, moment: &Moment, district: DistrictCode, code: u64) -> Result<Area> {
        let hidden = || ServiceError::NotFound(say!("area {code}", "区域 {code}"));
        self.serves(district).map_err(|_| hidden())?;
        let mut reader = self.store.read().await?;
        let as_of = moment.change(district);
        let conn = &mut reader.conn();
        match areas::list(conn, district, as_of, (code, code), 0, 1).await?.pop() {
            Some(area) => Ok(area),
            None if as_of.is_none() && !areas::states(conn, district, code).await?.is_empty() => {
                Err(super::edit::areas::removed(code))
            }
            None => Err(hidden()),
        }
    }

    /// Every district served, with its outline.
    pub async fn district_records(&self) -> Result<Vec<crate::domain::grid::District>> {
        let mut reader = self.store.read().await?;
        Ok(areas::districts(&mut reader.conn()).await?)
    }

    /// Those of these districts, by rising code, that are served or were there, each with its version.
    pub async fn district_versions(
        &self,
        moment: &Moment,
        wanted: &[DistrictCode],
    ) -> Result<Vec<(crate::domain::grid::District, i64)>> {
        let mut reader = self.store.read().await?;
        if moment.instant().is_some() {
            let mut found = Vec::with_capacity(wanted.len());
            for code in wanted {
                found.extend(areas::district_at(&mut reader.conn(), *code, moment.change(*code)).await?);
            }
            return Ok(found);
        }
        let versions: std::collections::BTreeMap<DistrictCode, i64> =
            areas::district_versions(&mut reader.conn()).await?.into_iter().collect();
        let districts = areas::districts(&mut reader.conn()).await?.into_iter();
        let served = districts.filter(|district| {
            wanted.binary_search(&district.code).is_ok() && self.context.index.serves(district.code)
        });
        let with_version = served.map(|district| {
            let version = versions.get(&district.code).copied().unwrap_or(1);
            (district, version)
        });
        Ok(with_version.collect())
    }

    /// The numbers of the last events of districts, as the database has them.
    pub async fn last_events(&self, districts: &[DistrictCode]) -> Result<Vec<(DistrictCode, i64)>> {
        let mut reader = self.store.read().await?;
        Ok(head::of(&mut reader.conn(), districts).await?)
    }

    /// Organisations by code: now all of them; those of then as their districts had them, with those of cities and
    /// provinces as they are.
    pub async fn organizations(
        &self,
        actor: &Actor,
        as_of: Option<Timestamp>,
        district: Option<DistrictCode>,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Organization>> {
        self.authorize_anywhere(actor, Action::ReadOrganizations, || say!("organizations", "单位"))?;
        if let Some(district) = district {
            self.serves(district)?;
        }
        let moment = self.moment(as_of, district.map_or(Reach::Everywhere, Reach::District)).await?;
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        if let (Moment::Now, None) = (&moment, district) {
            return Ok(organizations::list(conn, after, i64::try_from(limit).unwrap_or(i64::MAX)).await?);
        }
        let mut found = BTreeMap::new();
        for district in district.map_or_else(|| self.districts(), |district| vec![district]) {
            let known = organizations::of_district(conn, district, moment.change(district)).await?.into_iter();
            found.extend(known.map(|organization| (organization.code.to_string(), organization)));
        }
        Ok(found.into_values().filter(|organization| organization.code.as_str() > after).take(limit).collect())
    }

    /// One organisation.
    pub async fn organization(
        &self,
        actor: &Actor,
        as_of: Option<Timestamp>,
        code: &OrgCode,
    ) -> Result<std::sync::Arc<Organization>> {
        self.authorize_anywhere(actor, Action::ReadOrganizations, || say!("organizations", "单位"))?;
        // Of cities and provinces no past is kept here.
        let as_of = as_of.filter(|_| self.serves(code.district()).is_ok());
        let moment = self.moment(as_of, Reach::District(code.district())).await?;
        if let Some(organization) = moment.organization(self, code) {
            return Ok(organization);
        }
        let mut reader = self.store.read().await?;
        let states = organizations::states(&mut reader.conn(), code).await?;
        // Of a district that is not served here memory holds only those that something here names.
        if let (Moment::Now, Some(last)) = (&moment, states.last().filter(|last| last.seq_to.is_none())) {
            return Ok(std::sync::Arc::new(last.organization.clone()));
        }
        let states = states.iter().map(|state| (state.seq_from, state.seq_to));
        let had_gone = moment.had_gone(code.district(), states);
        let hidden = || ServiceError::NotFound(say!("organization {code}", "单位 {code}"));
        Err(if had_gone { super::edit::organizations::removed(code) } else { hidden() })
    }

    fn authorize_anywhere(&self, actor: &Actor, action: Action, what: fn() -> Said) -> Result<Vec<DistrictCode>> {
        let mut allowed = Vec::new();
        let mut refused = actor::Refusal::Hidden;
        for district in self.districts() {
            match actor::authorize(actor, action, Resource::District(district)) {
                Ok(()) => allowed.push(district),
                Err(actor::Refusal::Hidden) => {}
                Err(other) => refused = other,
            }
        }
        if allowed.is_empty() { Err(ServiceError::refused(refused, what())) } else { Ok(allowed) }
    }

    /// Whether the caller may resolve more pins at once than anyone may.
    pub fn resolves_in_bulk(&self, actor: &Actor) -> bool {
        self.authorize_anywhere(actor, Action::ResolveInBulk, || say!("batches", "批量解析")).is_ok()
    }

    /// People with duties in the caller's areas, unsealed for who may read them; for whoever has the whole
    /// district also those without a duty. `only` asks for one of them. Of then are units and duties; names and phones
    /// have no past.
    pub async fn people(&self, actor: &Actor, moment: &Moment, only: Option<PersonId>) -> Result<Vec<PersonRecord>> {
        let districts = self.people_districts(actor, moment.instant())?;
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let mut found: BTreeMap<String, PersonRecord> = BTreeMap::new();
        for district in districts {
            if !moment.knows(district) {
                continue;
            }
            let sealed: HashMap<_, _> = personal::all(conn, district, Purpose::Duty).await?.into_iter().collect();
            let (mut persons, duties) = if let Some(change) = moment.change(district) {
                people::at(conn, district, change).await?
            } else {
                let people = people::of_district(conn, district).await?.into_iter();
                (people.map(|person| (person.id, standing(person))).collect(), people::duties(conn, district).await?)
            };
            persons.retain(|id, _| only.is_none_or(|only| only == *id));
            let mut held: BTreeMap<PersonId, Vec<Duty>> = BTreeMap::new();
            // Whoever stands for one grid has no business with the phones of all others.
            let mut on_duty = HashSet::new();
            for duty in duties.into_iter().filter(|duty| only.is_none_or(|only| only == duty.person)) {
                on_duty.insert(duty.person);
                if duty.area.parse().is_ok_and(|area| actor.meets(area)) {
                    held.entry(duty.person).or_default().push(duty);
                }
            }
            if actor.holds_all(district) {
                held.extend(persons.keys().filter(|id| !on_duty.contains(*id)).map(|id| (*id, Vec::new())));
            }
            for (id, duties) in held {
                // Of another district, with a duty in this one.
                let stands = match persons.remove(&id) {
                    Some(stands) => stands,
                    None => people::known(conn, id).await?.map_or((1, None), standing),
                };
                let record = load::unseal(&self.context, district, id, &sealed)?;
                let shown = record_of(actor, id, stands, &record);
                found.entry(id.to_string()).or_insert(shown).duties.extend(duties);
            }
        }
        // Personal data is read by a person with a key: that is worth a line.
        tracing::info!(key = %actor.log_name(), people = found.len(), "people's names and phones were read");
        Ok(found.into_values().collect())
    }

    /// The districts whose people the caller may read of, as they are or were.
    pub fn people_districts(&self, actor: &Actor, as_of: Option<Timestamp>) -> Result<Vec<DistrictCode>> {
        let action = if as_of.is_some() { Action::ReadPeoplePast } else { Action::ReadPeople };
        self.authorize_anywhere(actor, action, || say!("people", "人员"))
    }

    /// The districts whose covers the caller may list: the one asked for, or all that are not hidden.
    pub fn cover_districts(&self, actor: &Actor, asked: Option<DistrictCode>) -> Result<Vec<DistrictCode>> {
        match asked {
            Some(district) => Ok(vec![district]),
            None => self.authorize_anywhere(actor, Action::ReadCovers, || say!("covers", "井盖")),
        }
    }

    /// What a word may mean in a district: the beginning of a code in either edition, a department's own number, a
    /// category, a unit.
    async fn meaning(&self, conn: &mut Conn<'_>, district: DistrictCode, word: &str) -> StoreResult<Word> {
        let catalog = self.context.index.catalog(district).unwrap_or_default();
        let named = |category: &&Category| {
            category.name.contains(word) || category.name_en.to_lowercase().contains(&word.to_lowercase())
        };
        Ok(Word {
            external_id: word.to_owned(),
            codes: CoverCode::beginning_with(word),
            former: word.parse().ok(),
            categories: catalog.categories.values().filter(named).map(|category| category.code).collect(),
            units: organizations::named(conn, district, word, UNITS_NAMED).await?,
        })
    }

    /// At most `wanted.limit` covers by code of which all the words are said, as far as the caller's districts reach.
    pub async fn covers(
        &self,
        actor: &Actor,
        moment: &Moment,
        district: DistrictCode,
        wanted: &Wanted,
        asked_words: &[String],
    ) -> Result<CoverPage> {
        self.serves(district)?;
        actor::authorize(actor, Action::ReadCovers, Resource::District(district))
            .map_err(|r| ServiceError::refused(r, say!("district {district}", "行政区 {district}")))?;
        if let (Moment::Now, Some(bounds), []) = (moment, wanted.bounds, asked_words) {
            return Ok(self.covers_in(district, bounds, wanted));
        }
        let mut reader = self.store.read().await?;
        let mut words = Vec::with_capacity(asked_words.len());
        for word in asked_words {
            words.push(self.meaning(&mut reader.conn(), district, word).await?);
        }
        let one_more = Wanted { limit: wanted.limit + 1, words, ..wanted.clone() };
        let mut codes = covers::list(&mut reader.conn(), district, moment.change(district), &one_more).await?;
        let limit = usize::try_from(wanted.limit).unwrap_or(0);
        let more = codes.len() > limit;
        codes.truncate(limit);
        Ok(CoverPage {
            read: i64::try_from(codes.len()).unwrap_or(i64::MAX),
            end: codes.last().copied(),
            more,
            // What an import is just writing is in the database but not yet in the registry.
            covers: codes.into_iter().filter_map(|code| moment.registry(self).cover(code)).collect(),
        })
    }

    /// Those of a district within west, south, east, north: from memory.
    fn covers_in(&self, district: DistrictCode, [west, south, east, north]: [f64; 4], wanted: &Wanted) -> CoverPage {
        // Memory holds places to a hundredth of a millimetre: a little wider, and then exactly.
        let wider = [west - BORDER, south - BORDER, east + BORDER, north + BORDER];
        let mut codes = self.context.index.cover_codes(district, Some(wider));
        codes.retain(|code| {
            wanted.after.is_none_or(|after| *code > after)
                && (wanted.categories.is_empty() || wanted.categories.contains(&code.category()))
        });
        let limit = usize::try_from(wanted.limit).unwrap_or(0);
        let of = |asked: &[OrgCode], unit: Option<&Organization>| {
            asked.is_empty() || unit.is_some_and(|unit| asked.contains(&unit.code))
        };
        let admits = |cover: &CoverView| {
            let grid = cover.grid.as_ref().map(|grid| grid.code.number());
            (west..=east).contains(&cover.position.lon())
                && (south..=north).contains(&cover.position.lat())
                && of(&wanted.owners, cover.owner.as_deref())
                && of(&wanted.responsible_units, cover.responsible_unit.as_deref())
                && (wanted.statuses.is_empty() || wanted.statuses.contains(&cover.status))
                && is_in(&wanted.grids, grid)
        };
        let mut covers = Vec::with_capacity(limit + 1);
        for chunk in codes.chunks(READ_TOGETHER) {
            let found = self.context.index.covers_of(district, chunk).into_iter().filter(admits);
            covers.extend(found.take(limit + 1 - covers.len()));
            if covers.len() > limit {
                break;
            }
        }
        let more = covers.len() > limit;
        covers.truncate(limit);
        let read = i64::try_from(covers.len()).unwrap_or(i64::MAX);
        CoverPage { read, end: covers.last().map(|cover| cover.code), more, covers }
    }

    /// Every version of a cover, the oldest first; of a removed one too.
    pub async fn cover_history(&self, actor: &Actor, code: CoverCode) -> Result<Vec<CoverVersion>> {
        let district = code.district();
        actor::authorize(actor, Action::ReadCovers, Resource::District(district))
            .map_err(|r| ServiceError::refused(r, say!("cover {code}", "井盖 {code}")))?;
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let hidden = || ServiceError::NotFound(say!("cover {code}", "井盖 {code}"));
        let present = cover_history::present(conn, code).await?.ok_or_else(hidden)?;
        let states = cover_history::states(conn, district, present.cover.id).await?;
        let numbers: Vec<i64> = states.iter().map(|state| state.seq).collect();
        let events = events::numbered(conn, district, &numbers).await?;
        let mut events: HashMap<i64, Event> = events.into_iter().map(|e| (e.seq, e)).collect();
        own_events(conn, district, &states, &mut events).await?;
        let deliveries = cover_history::deliveries(conn, district, present.cover.id).await?;
        let versions = states.into_iter().map(|CoverState { cover, seq, source }| {
            let event = events.remove(&seq);
            let import = event.as_ref().filter(|event| event.kind == "import.applied").map(|event| &event.subject);
            let row = import.and_then(|import| {
                let delivered =
                    |(from, id, _): &&(String, uuid::Uuid, i64)| *from == source && id.to_string() == *import;
                deliveries.iter().find(delivered).map(|(_, _, row)| *row)
            });
            CoverVersion { import: import.cloned().map(|import| (import, row)), cover, event }
        });
        Ok(versions.collect())
    }

    /// The code that a cover has now which once had this one.
    pub async fn present_code(&self, actor: &Actor, former: CoverCode) -> Result<Option<CoverCode>> {
        actor::authorize(actor, Action::ReadCovers, Resource::District(former.district()))
            .map_err(|r| ServiceError::refused(r, say!("cover {former}", "井盖 {former}")))?;
        let mut reader = self.store.read().await?;
        Ok(cover_history::code_of_former(&mut reader.conn(), former).await?)
    }

    /// The code of the cover that one which was removed at a moment was a second record of, at last: that one may have been
    /// merged into another, and have got another code.
    pub async fn merged_into(&self, moment: &Moment, removed: CoverCode) -> Result<Option<CoverCode>> {
        let district = removed.district();
        let by = moment.change(district).unwrap_or(i64::MAX);
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let mut kept = None;
        // Ends: whatever a cover was merged into was there then, and so was merged later itself.
        loop {
            let code = kept.unwrap_or(removed);
            let id = match cover_history::present(conn, code).await? {
                Some(state) => Some(state.cover.id),
                None => cover_history::once_had(conn, code, by).await?,
            };
            let Some(id) = id else { break };
            let states = cover_history::states(conn, district, id).await?;
            let Some(state) = states.iter().rev().find(|state| state.seq <= by) else { break };
            kept = kept.map(|_| state.cover.code);
            match cover_history::merged_by(conn, district, state).await? {
                Some(next) => kept = Some(next),
                None => break,
            }
        }
        Ok(kept)
    }

    /// The code that a cover had at a moment which had had this one by then, removed or not: a code of later leads nowhere.
    pub async fn code_then(&self, actor: &Actor, moment: &Moment, former: CoverCode) -> Result<Option<CoverCode>> {
        let Some(change) = moment.change(former.district()) else {
            // What this server has not come to yet leads nowhere, least of all to itself.
            return Ok(self.present_code(actor, former).await?.filter(|code| *code != former));
        };
        actor::authorize(actor, Action::ReadCovers, Resource::District(former.district()))
            .map_err(|r| ServiceError::refused(r, say!("cover {former}", "井盖 {former}")))?;
        let id = cover_history::once_had(&mut self.store.read().await?.conn(), former, change).await?;
        let then = id.and_then(|id| moment.registry(self).cover_by_id(id)).map(|cover| cover.code);
        Ok(then.filter(|code| *code != former))
    }

    /// The covers that have these codes at a moment, or had them before. An unknown one is of an identity that nothing has.
    pub async fn covers_called(&self, moment: &Moment, codes: &[CoverCode]) -> Result<Vec<CoverId>> {
        let mut found = Vec::with_capacity(codes.len());
        for code in codes {
            if let Some(cover) = moment.registry(self).cover(*code) {
                found.push(cover.id);
                if cover.status == crate::domain::cover::Status::Removed {
                    let kept = self.merged_into(moment, *code).await?;
                    found.extend(kept.and_then(|kept| moment.registry(self).cover(kept)).map(|kept| kept.id));
                }
                continue;
            }
            let by = moment.change(code.district()).unwrap_or(i64::MAX);
            let former = cover_history::once_had(&mut self.store.read().await?.conn(), *code, by).await?;
            found.push(former.unwrap_or(CoverId(uuid::Uuid::nil())));
        }
        Ok(found)
    }

    /// The same for what must not be shown as it is.
    pub(super) async fn successor(&self, former: CoverCode) -> Result<Option<CoverCode>> {
        let present = {
            let mut reader = self.store.read().await?;
            cover_history::code_of_former(&mut reader.conn(), former).await?
        };
        let code = present.unwrap_or(former);
        Ok(self.merged_into(&Moment::Now, code).await?.or(present))
    }

    /// One cover.
    pub fn cover(&self, actor: &Actor, moment: &Moment, code: CoverCode) -> Result<CoverView> {
        let hidden = || ServiceError::NotFound(say!("cover {code}", "井盖 {code}"));
        actor::authorize(actor, Action::ReadCovers, Resource::District(code.district()))
            .map_err(|r| ServiceError::refused(r, say!("cover {code}", "井盖 {code}")))?;
        let cover = moment.registry(self).cover(code).ok_or_else(hidden)?;
        if cover.status == crate::domain::cover::Status::Removed {
            return Err(ServiceError::removed(code));
        }
        Ok(cover)
    }
}

/// Covers that came into another grid bear the number of the first event of what redrew the grids, and each has its own
/// further on: puts that in its place.
async fn own_events(
    conn: &mut Conn<'_>,
    district: DistrictCode,
    states: &[CoverState],
    events: &mut HashMap<i64, Event>,
) -> StoreResult<()> {
    for CoverState { cover, seq, .. } in states {
        let is_anothers = |event: &&mut Event| !event.kind.starts_with("cover.") && !event.kind.starts_with("import.");
        let Some(event) = events.get_mut(seq).filter(is_anothers) else { continue };
        let of_cover = events::of(conn, district, &cover.code.to_string(), None, i64::MAX).await?;
        let own = |own: &Event| own.kind == REGRIDDED && own.version == cover.version;
        if let Some(own) = of_cover.into_iter().find(own) {
            *event = own;
        }
    }
    Ok(())
}

/// Whether a grid is one of those that narrow a list, given as first and last; none narrow nothing.
pub fn is_in(grids: &[(u64, u64)], grid: Option<u64>) -> bool {
    grids.is_empty() || grid.is_some_and(|grid| grids.iter().any(|(first, last)| (*first..=*last).contains(&grid)))
}
