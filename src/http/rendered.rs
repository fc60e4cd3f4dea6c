//! Covers and grids as they were written last. Half of what resolving a pin costs is writing them, and
//! the same ones come again and again. A grid keeps its text. Of covers there are too many: one that comes for the first
//! time is written straight into its answer, and kept when it comes again, for in a country most pins are the only ones of
//! their covers.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::{Serialize, Serializer, ser};
use serde_json::value::{RawValue, to_raw_value};

use super::wire::{Audience, CoverOut, GridOut, Out};
use crate::crs::Crs;
use crate::domain::id::CoverId;
use crate::index::{CoverStamp, CoverView, Found, GridHit, GridInfo};
use crate::service::error::{Result, ServiceError};

/// Something that goes into an answer.
#[derive(Debug, Clone)]
pub enum Written {
    /// As JSON already.
    Text(Text),
    /// In degrees.
    Cover(Box<CoverView>),
    Grid(Arc<GridInfo>, Audience),
}

/// JSON that is shared by those who show it.
type Text = Arc<RawValue>;

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Cover(view) => {
                let shown = CoverOut::new(view, Out::default());
                shown.map_err(ser::Error::custom)?.serialize(serializer)
            }
            Self::Grid(grid, audience) => {
                let written =
                    grid.written[*audience as usize].get_or(|| to_raw_value(&GridOut::within(grid, *audience)));
                written.map_err(ser::Error::custom)?.serialize(serializer)
            }
        }
    }
}

fn write<T: Serialize>(shown: &T) -> Result<Text> {
    let text = to_raw_value(shown).map_err(|e| ServiceError::Internal(format!("an answer cannot be written: {e}")))?;
    Ok(text.into())
}

/// Texts beside what they were written of: one is good for as long as what is to be shown is the same.
struct Texts {
    sets: Box<[Set]>,
}

/// The newest first, without a text what came once; in the lock itself, so that there is one place to look at.
type Set = Mutex<[Option<(CoverStamp, Option<Text>)>; WAYS]>;

/// Texts of one set.
const WAYS: usize = 4;

impl Texts {
    fn new(sets: usize) -> Self {
        Self { sets: (0..sets).map(|_| Set::default()).collect() }
    }

    /// The text of `shown`; of what comes for the first time there is none.
    fn get(&self, shown: &CoverStamp, write: impl FnOnce() -> Result<Text>) -> Result<Option<Text>> {
        // The last bits of a UUIDv7 are random.
        let set = usize::try_from(shown.id.0.as_u128() % self.sets.len() as u128).unwrap_or(0);
        let mut set = self.sets[set].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = set.iter_mut().flatten().find(|(of, _)| of == shown) {
            if text.is_none() {
                *text = Some(write()?);
            }
            return Ok(text.clone());
        }
        // What came once gives way first.
        let has_no_text =
            |slot: &Option<(CoverStamp, Option<Text>)>| slot.as_ref().is_none_or(|(_, text)| text.is_none());
        let last = set.iter().rposition(has_no_text).unwrap_or(WAYS - 1);
        set[..=last].rotate_right(1);
        set[0] = Some((*shown, None));
        Ok(None)
    }
}

/// 32,768 covers of about 700 bytes each at most.
static COVERS: LazyLock<Texts> = LazyLock::new(|| Texts::new(8_192));

/// The cover in the coordinate system asked for.
pub(super) fn cover(view: &CoverView, out: Out) -> Result<Written> {
    write(&CoverOut::new(view, out)?).map(Written::Text)
}

/// A cover that was found, in the coordinate system asked for; `None` if it is not there.
pub(super) fn found(found: Found<'_>, out: Out) -> Option<(CoverId, Result<Written>)> {
    let stamp = found.stamp();
    if out.0 != Crs::Wgs84 {
        return Some((stamp.id, cover(&found.view()?, out)));
    }
    let view = || found.view().ok_or_else(|| ServiceError::Internal("a cover lies nowhere".to_owned()));
    let text = || write(&CoverOut::new(&view()?, out)?);
    let kept = COVERS.get(&stamp, text);
    let shown = kept.and_then(|kept| match kept {
        Some(text) => Ok(Written::Text(text)),
        None => Ok(Written::Cover(Box::new(view()?))),
    });
    Some((stamp.id, shown))
}

/// The grid with its distance.
pub(super) fn grid(hit: &GridHit, audience: Audience) -> Result<Written> {
    // In a sliver the distance is another each time.
    if hit.distance_m > 0.0 {
        return write(&GridOut::hit(hit, audience)).map(Written::Text);
    }
    Ok(Written::Grid(Arc::clone(&hit.grid), audience))
}
