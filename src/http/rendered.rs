//! Covers and grids as they were written last. Half of what resolving a pin costs is writing them, and
//! the same ones come again and again.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::wire::{Audience, CoverOut, GridOut, Out};
use crate::crs::Crs;
use crate::domain::id::CoverId;
use crate::index::{CoverStamp, CoverView, Found, GridHit, GridInfo};
use crate::service::error::{Result, ServiceError};

/// Something as JSON.
#[derive(Debug, Clone)]
pub struct Written(Arc<RawValue>);

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

fn write<T: Serialize>(shown: &T) -> Result<Written> {
    let text = to_raw_value(shown).map_err(|e| ServiceError::Internal(format!("an answer cannot be written: {e}")))?;
    Ok(Written(text.into()))
}

/// Texts beside what they were written of: one is good for as long as what is to be shown is the same.
struct Texts<V> {
    sets: Box<[Set<V>]>,
}

/// The newest first; in the lock itself, so that there is one place to look at.
type Set<V> = Mutex<[Option<(V, Written)>; WAYS]>;

/// Texts of one set.
const WAYS: usize = 4;

impl<V: Clone + PartialEq> Texts<V> {
    fn new(sets: usize) -> Self {
        Self { sets: (0..sets).map(|_| Set::default()).collect() }
    }

    /// The text of `shown`, which `number` spreads over the sets.
    fn get(&self, number: u128, shown: &V, write: impl FnOnce() -> Result<Written>) -> Result<Written> {
        let set = usize::try_from(number % self.sets.len() as u128).unwrap_or(0);
        let mut set = self.sets[set].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = set.iter().flatten().find(|(of, _)| of == shown) {
            return Ok(text.clone());
        }
        let text = write()?;
        set.rotate_right(1);
        set[0] = Some((shown.clone(), text.clone()));
        Ok(text)
    }
}

/// 32,768 covers of about 700 bytes each at most.
static COVERS: LazyLock<Texts<CoverStamp>> = LazyLock::new(|| Texts::new(8_192));

/// 8,192 grids of about 700 bytes each at most, for each audience.
static GRIDS: LazyLock<Texts<(Arc<GridInfo>, Audience)>> = LazyLock::new(|| Texts::new(4_096));

/// The cover in the coordinate system asked for.
pub(super) fn cover(view: &CoverView, out: Out) -> Result<Written> {
    write(&CoverOut::new(view, out)?)
}

/// A cover that was found, in the coordinate system asked for; `None` if it is not there.
pub(super) fn found(found: Found<'_>, out: Out) -> Option<(CoverId, Result<Written>)> {
    let stamp = found.stamp();
    if out.0 != Crs::Wgs84 {
        return Some((stamp.id, cover(&found.view()?, out)));
    }
    let gone = || ServiceError::Internal("a cover lies nowhere".to_owned());
    let fresh = || cover(&found.view().ok_or_else(gone)?, out);
    // The last bits of a UUIDv7 are random.
    Some((stamp.id, COVERS.get(stamp.id.0.as_u128(), &stamp, fresh)))
}

/// The grid with its distance.
pub(super) fn grid(hit: &GridHit, audience: Audience) -> Result<Written> {
    let fresh = || write(&GridOut::hit(hit, audience));
    // In a sliver the distance is another each time.
    if hit.distance_m > 0.0 {
        return fresh();
    }
    GRIDS.get(hit.grid.code.number().into(), &(Arc::clone(&hit.grid), audience), fresh)
}
