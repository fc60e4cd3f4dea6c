//! Every cover of a district, kept as it is written: an unchanged layer is a copy, and after a change only the
//! pieces that it touched are written anew.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use super::encode::{self, Encoded};
use super::row::Row;
use super::{Ask, Format, Layer};
use crate::domain::id::{CoverCode, DistrictCode};
use crate::index::{CoverVersion, Index, NamesStamp};
use crate::service::error::Result;

/// Sequence numbers that share a piece: a new cover lands in the piece of its number and moves no other.
const RUN: u32 = 1_000;
/// Most bytes that are kept; what does not fit is written each time.
const MOST: usize = 64 << 20;

/// Covers of one category with neighbouring numbers, written.
#[derive(Debug, Clone)]
struct Kept {
    first: CoverCode,
    /// Of the codes, versions and names that it was written from.
    mark: u64,
    encoded: Encoded,
}

/// A district's covers as they were at one state of its registry.
#[derive(Debug)]
struct District {
    state: State,
    /// By code.
    pieces: Vec<Kept>,
    size: usize,
}

/// What a district's pieces were written from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    seq: u64,
    names: NamesStamp,
}

/// How many layers are known by name.
const NAMES: usize = 4_096;

/// The covers of all districts, in each format that was asked for, as far as there is room.
#[derive(Debug, Default)]
pub struct Cache {
    districts: Mutex<HashMap<(DistrictCode, Format), Arc<District>>>,
    /// What names the content of a layer of this stamp.
    names: Mutex<HashMap<String, String>>,
}

impl Cache {
    /// What named the content of a layer of this stamp.
    pub fn name(&self, stamp: &str) -> Option<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).get(stamp).cloned()
    }

    pub fn put_name(&self, stamp: &str, name: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES {
            names.clear();
        }
        names.insert(stamp.to_owned(), name.to_owned());
    }

    fn get(&self, key: (DistrictCode, Format)) -> Option<Arc<District>> {
        self.districts.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    fn put(&self, key: (DistrictCode, Format), district: District) {
        let mut districts = self.districts.lock().unwrap_or_else(PoisonError::into_inner);
        districts.remove(&key);
        let size: usize = districts.values().map(|kept| kept.size).sum();
        if size + district.size <= MOST {
            districts.insert(key, Arc::new(district));
        }
    }
}

/// The covers of some districts on their way out of the cache.
#[derive(Debug)]
pub(super) struct Cached {
    cache: Arc<Cache>,
    ask: Ask,
    districts: VecDeque<DistrictCode>,
    now: Option<Running>,
}

/// A district in the middle of its pieces.
#[derive(Debug)]
enum Running {
    /// As it is kept.
    Copy { kept: Arc<District>, at: usize },
    /// To be compared with what is kept, piece by piece.
    Renew(Renewal),
}

#[derive(Debug)]
struct Renewal {
    district: DistrictCode,
    state: State,
    old: Option<Arc<District>>,
    covers: VecDeque<CoverVersion>,
    pieces: Vec<Kept>,
}

impl Cached {
    pub(super) fn new(cache: Arc<Cache>, format: Format, districts: Vec<DistrictCode>) -> Self {
        Self { cache, ask: Ask::whole(Layer::Covers, format), districts: districts.into(), now: None }
    }

    /// The next piece.
    pub(super) fn next(&mut self, index: &Index) -> Result<Option<Encoded>> {
        loop {
            match &mut self.now {
                None => {
                    let Some(district) = self.districts.pop_front() else { return Ok(None) };
                    self.now = self.begin(district, index);
                }
                Some(Running::Copy { kept, at }) => {
                    if let Some(piece) = kept.pieces.get(*at) {
                        *at += 1;
                        return Ok(Some(piece.encoded.clone()));
                    }
                    self.now = None;
                }
                Some(Running::Renew(renewal)) => {
                    if let Some(encoded) = renewal.next(&self.ask, index)? {
                        return Ok(Some(encoded));
                    }
                    self.end();
                }
            }
        }
    }

    fn begin(&self, district: DistrictCode, index: &Index) -> Option<Running> {
        // The count first: the covers are of this state or a later one, which the next export finds out.
        let seq = index.registry_seq(district)?;
        let old = self.cache.get((district, self.ask.format));
        let names = index.names_stamp(district)?;
        match old {
            Some(kept) if kept.state == (State { seq, names }) => Some(Running::Copy { kept, at: 0 }),
            old => {
                let (names, covers) = index.cover_versions(district)?;
                let (state, covers) = (State { seq, names }, covers.into());
                Some(Running::Renew(Renewal { district, state, old, covers, pieces: Vec::new() }))
            }
        }
    }

    fn end(&mut self) {
        if let Some(Running::Renew(Renewal { district, state, pieces, .. })) = self.now.take() {
            let size = pieces.iter().map(|piece| piece.encoded.bytes.len()).sum();
            self.cache.put((district, self.ask.format), District { state, pieces, size });
        }
    }
}

impl Renewal {
    fn next(&mut self, ask: &Ask, index: &Index) -> Result<Option<Encoded>> {
        let Some(first) = self.covers.front().map(|cover| cover.code) else { return Ok(None) };
        let run = |code: CoverCode| (code.category(), code.sequence() / RUN);
        let end = self.covers.partition_point(|cover| run(cover.code) <= run(first));
        let covers: Vec<_> = self.covers.drain(..end).collect();
        let mark = self.mark(&covers);
        let old = self.old.as_ref().and_then(|old| {
            let at = old.pieces.binary_search_by_key(&first, |piece| piece.first).ok()?;
            old.pieces.get(at).filter(|piece| piece.mark == mark)
        });
        let encoded = if let Some(old) = old {
            old.encoded.clone()
        } else {
            let codes: Vec<_> = covers.iter().map(|cover| cover.code).collect();
            let found = index.covers_of(self.district, &codes).into_iter();
            encode::rows(ask, &found.map(|cover| Row::Cover(Box::new(cover))).collect::<Vec<_>>())?
        };
        self.pieces.push(Kept { first, mark, encoded: encoded.clone() });
        Ok(Some(encoded))
    }

    fn mark(&self, covers: &[CoverVersion]) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.state.names, covers).hash(&mut hasher);
        hasher.finish()
    }
}
