//! Reading covers in pages and singly.

use crate::domain::actor::{self, Action, Actor, Resource};
use crate::domain::catalog::Category;
use crate::domain::cover::Status;
use crate::domain::id::{CoverCode, DistrictCode, OrgCode};
use crate::domain::organization::Organization;
use crate::domain::said::say;
use crate::index::CoverView;
use crate::service::Guli;
use crate::service::error::{Result, ServiceError};
use crate::service::moment::Moment;
use crate::store::covers::{self, Wanted, Word};
use crate::store::organizations;

/// Degrees beyond a box that memory is asked for.
const BORDER: f64 = 1e-7;

/// Covers that are read from memory under one lock.
const READ_TOGETHER: usize = 256;

/// Units that a word may name.
const UNITS_NAMED: i64 = 1_000;

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

impl Guli {
    /// The districts whose covers the caller may list: the one asked for, or all that are not hidden.
    pub fn cover_districts(&self, actor: &Actor, asked: Option<DistrictCode>) -> Result<Vec<DistrictCode>> {
        match asked {
            Some(district) => Ok(vec![district]),
            None => self.authorize_anywhere(actor, Action::ReadCovers, || say!("covers", "井盖")),
        }
    }

    /// What a word may mean in a district: the beginning of a code in either edition, a department's own number, a
    /// category, a unit.
    async fn meaning(&self, moment: &Moment, district: DistrictCode, word: &str) -> Result<Word> {
        // A code may be that of a removed record of a cover that stays.
        let code = word.parse().ok().filter(|code: &CoverCode| code.district() == district);
        let called = self.covers_called(moment, code.as_slice()).await?;
        let catalog = self.context.index.catalog(district).unwrap_or_default();
        let named = |category: &&Category| {
            category.name.contains(word) || category.name_en.to_lowercase().contains(&word.to_lowercase())
        };
        Ok(Word {
            external_id: word.to_owned(),
            codes: CoverCode::beginning_with(word),
            covers: called,
            categories: catalog.categories.values().filter(named).map(|category| category.code).collect(),
            units: organizations::named(&mut self.store.read().await?.conn(), district, word, UNITS_NAMED).await?,
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
        let mut words = Vec::with_capacity(asked_words.len());
        for word in asked_words {
            words.push(self.meaning(moment, district, word).await?);
        }
        let one_more = Wanted { limit: wanted.limit + 1, words, ..wanted.clone() };
        let mut reader = self.store.read().await?;
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

    /// One cover.
    pub fn cover(&self, actor: &Actor, moment: &Moment, code: CoverCode) -> Result<CoverView> {
        let hidden = || ServiceError::NotFound(say!("cover {code}", "井盖 {code}"));
        actor::authorize(actor, Action::ReadCovers, Resource::District(code.district()))
            .map_err(|r| ServiceError::refused(r, say!("cover {code}", "井盖 {code}")))?;
        let cover = moment.registry(self).cover(code).ok_or_else(hidden)?;
        if cover.status == Status::Removed {
            return Err(ServiceError::removed(code));
        }
        Ok(cover)
    }
}

/// Whether a grid is one of those that narrow a list, given as first and last; none narrow nothing.
pub fn is_in(grids: &[(u64, u64)], grid: Option<u64>) -> bool {
    grids.is_empty() || grid.is_some_and(|grid| grids.iter().any(|(first, last)| (*first..=*last).contains(&grid)))
}
