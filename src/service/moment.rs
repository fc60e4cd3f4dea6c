//! The registry at a moment: now, or as it was. Its time is that of the commits, so an instant names the
//! last event before it, and what was answered then is answered again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use geo::{Intersects as _, Rect, coord};
use jiff::Timestamp;

use super::error::{Result, ServiceError};
use super::{Context, Guli, load};
use crate::domain::id::{CoverId, DistrictCode, OrgCode};
use crate::domain::organization::Organization;
use crate::domain::position::{Position, Wgs84};
use crate::domain::said::say;
use crate::index::{CoverView, DistrictIndex, Index};
use crate::store::orders::Then;
use crate::store::{Conn, Result as StoreResult, areas, events, head};

/// Districts of the past that are kept in memory for who asks again.
const KEPT: usize = 4;

/// Degrees around a pin within which its covers are.
const AROUND: f64 = 0.01;

/// Most districts that one question about the past is read for.
const MOST: usize = 32;

/// When to read the registry.
#[derive(Debug, Clone)]
pub enum Moment {
    Now,
    Then(Arc<Past>),
}

/// The registry as it was.
#[derive(Debug)]
pub struct Past {
    instant: Timestamp,
    index: Index,
    /// The last change of each district's registry by then.
    changes: BTreeMap<DistrictCode, i64>,
    /// The last event of each district by then.
    events: BTreeMap<DistrictCode, i64>,
}

/// What of the past is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Reach<'d> {
    District(DistrictCode),
    Districts(&'d [DistrictCode]),
    Near(Position<Wgs84>),
    Everywhere,
}

/// Districts as they were, the last used at the end.
#[derive(Debug, Default)]
pub(super) struct PastDistricts(Mutex<VecDeque<(i64, Arc<DistrictIndex>)>>);

impl PastDistricts {
    fn get(&self, district: DistrictCode, change: i64) -> Option<Arc<DistrictIndex>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(seq, index)| *seq == change && index.code() == district)?;
        let found = kept.remove(at)?;
        let index = Arc::clone(&found.1);
        kept.push_back(found);
        Some(index)
    }

    /// Forgets them: what the past does not keep, names of people, changed.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn keep(&self, change: i64, index: Arc<DistrictIndex>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((change, index));
    }
}

impl Moment {
    pub fn registry<'a>(&'a self, guli: &'a Guli) -> &'a Index {
        match self {
            Self::Now => &guli.context.index,
            Self::Then(past) => &past.index,
        }
    }

    /// The event that a district's rows are read after; `None` now.
    pub(super) fn change(&self, district: DistrictCode) -> Option<i64> {
        match self {
            Self::Now => None,
            // A district that was not there yet had no rows.
            Self::Then(past) => Some(past.changes.get(&district).copied().unwrap_or(0)),
        }
    }

    /// Whether a district was asked about and there.
    pub(super) fn knows(&self, district: DistrictCode) -> bool {
        match self {
            Self::Now => true,
            Self::Then(past) => past.changes.contains_key(&district),
        }
    }

    /// Whether something had been there and was removed, by the first and last change of each of its states.
    pub(super) fn had_gone(&self, district: DistrictCode, states: impl Iterator<Item = (i64, Option<i64>)>) -> bool {
        let by = self.change(district).unwrap_or(i64::MAX);
        let last = states.take_while(|(from, _)| *from <= by).last();
        last.and_then(|(_, to)| to).is_some_and(|to| to <= by)
    }

    /// The instant; `None` now.
    pub fn instant(&self) -> Option<Timestamp> {
        match self {
            Self::Now => None,
            Self::Then(past) => Some(past.instant),
        }
    }

    /// What a district's orders are read after; `None` now.
    pub(super) fn orders(&self, district: DistrictCode) -> Option<Then> {
        self.instant().zip(self.change(district)).map(|(instant, change)| Then { instant, change })
    }

    /// The number of a district's last event by then; `None` now, and before its first.
    pub fn last_event(&self, district: DistrictCode) -> Option<i64> {
        match self {
            Self::Now => None,
            Self::Then(past) => past.events.get(&district).copied(),
        }
    }

    /// A cover; one of a district that was not asked about is today's.
    pub(super) fn cover(&self, guli: &Guli, id: CoverId) -> Option<CoverView> {
        let registry = self.registry(guli);
        let today = || guli.context.index.cover_by_id(id).filter(|cover| !registry.serves(cover.code.district()));
        registry.cover_by_id(id).or_else(today)
    }

    /// An organisation; one of a district that was not asked about is today's.
    pub fn organization(&self, guli: &Guli, code: &OrgCode) -> Option<Arc<Organization>> {
        let registry = self.registry(guli);
        let today = || guli.context.index.organization(code).filter(|_| !registry.serves(code.district()));
        registry.organization(code).or_else(today)
    }
}

impl Guli {
    /// The moment `as_of`, for what is asked about; `None` is now.
    pub async fn moment(&self, as_of: Option<Timestamp>, reach: Reach<'_>) -> Result<Moment> {
        match as_of {
            None => Ok(Moment::Now),
            // Apart: reading a whole district takes a future of many kilobytes, which every other answer would carry.
            Some(instant) => Box::pin(self.then(instant, reach)).await,
        }
    }

    async fn then(&self, instant: Timestamp, reach: Reach<'_>) -> Result<Moment> {
        if instant > self.context.clock.now() {
            return Err(ServiceError::parameter("as_of", say!("{instant} is still to come", "{instant} 尚未到来")));
        }
        let mut reader = self.store.read().await?;
        let conn = &mut reader.conn();
        let asked = match reach {
            Reach::District(district) => vec![district],
            Reach::Districts(districts) => districts.to_vec(),
            Reach::Near(at) => self.once_near(conn, at).await?,
            Reach::Everywhere => self.districts(),
        };
        if asked.len() > MOST {
            let detail = say!(
                "{MOST} districts at once at most: narrow it to one",
                "一次最多 {MOST} 个行政区：请缩小到其中一个"
            );
            return Err(ServiceError::parameter("as_of", detail));
        }
        let (changes, events) = (BTreeMap::new(), BTreeMap::new());
        let mut past = Past { instant, index: Index::default(), changes, events };
        for district in &asked {
            let head = head::read(conn, *district).await?.map_or(0, |head| head.seq);
            let last = events::last_before(conn, *district, instant, head).await?;
            if let Some((change, index)) = self.past(conn, *district, last).await? {
                past.changes.insert(*district, change);
                past.events.insert(*district, last);
                past.index.replace(index);
            }
        }
        if past.changes.is_empty() && !asked.is_empty() {
            let detail = say!("the registry began after {instant}", "登记库在 {instant} 之后才建立");
            return Err(ServiceError::parameter("as_of", detail));
        }
        Ok(Moment::Then(Arc::new(past)))
    }

    /// The districts that a place may lie in or close to, by their outlines of today and of before.
    async fn once_near(&self, conn: &mut Conn<'_>, at: Position<Wgs84>) -> StoreResult<Vec<DistrictCode>> {
        let mut near = self.context.index.districts_near(at);
        let corner = |by: f64| coord! { x: at.lon() + by, y: at.lat() + by };
        let around = Rect::new(corner(-AROUND), corner(AROUND));
        // Few districts have ever had another outline.
        let once = areas::former_outlines(conn)
            .await?
            .into_iter()
            .filter(|district| self.context.index.serves(district.code) && district.outline.intersects(&around));
        near.extend(once.map(|district| district.code));
        near.sort_unstable();
        near.dedup();
        Ok(near)
    }

    /// A district as it was after an event, with the last change by then; `None` before its first.
    async fn past(
        &self,
        conn: &mut Conn<'_>,
        district: DistrictCode,
        last: i64,
    ) -> StoreResult<Option<(i64, Arc<DistrictIndex>)>> {
        let Some(change) = events::last_of_registry(conn, district, last).await? else { return Ok(None) };
        if let Some(kept) = self.context.past.get(district, change) {
            return Ok(Some((change, kept)));
        }
        let Some((record, _)) = areas::district_at(conn, district, Some(change)).await? else {
            return Ok(None);
        };
        let context: &Context = &self.context;
        let index = Arc::new(load::district_at(context, conn, record, Some(change)).await?);
        self.context.past.keep(change, Arc::clone(&index));
        Ok(Some((change, index)))
    }
}
