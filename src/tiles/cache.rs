//! Tiles as they were drawn last, while there is room.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Layer, Part, Tile};

/// Bytes that are kept at most, packed copies counted as if they did not pack.
const MOST: usize = 64 << 20;
/// What an entry costs besides its bytes.
const ENTRY: usize = 512;

/// A tile as it goes out.
#[derive(Debug)]
pub struct Drawn {
    bytes: Bytes,
    tag: String,
    packed: OnceLock<Bytes>,
}

impl Drawn {
    /// Bytes, with the tag that follows from them.
    pub fn new(bytes: Vec<u8>) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Self { tag: format!("{:016x}", hasher.finish()), bytes: bytes.into(), packed: OnceLock::new() }
    }

    /// The layer in Mapbox Vector Tile 2.1; empty where nothing is to be seen.
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The same, packed with gzip, once.
    pub fn gzip(&self) -> Bytes {
        let pack = || {
            let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing to memory does not fail.
            let _ = std::io::Write::write_all(&mut packer, &self.bytes);
            packer.finish().map(Bytes::from).unwrap_or_default()
        };
        self.packed.get_or_init(pack).clone()
    }

    /// Names the content: what draws the same has the same.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

/// Layer, tile, and what the caller sees of which district.
type Key = (Layer, Tile, u64);

#[derive(Debug)]
struct Kept {
    /// What it was drawn from.
    parts: Vec<Part>,
    drawn: Arc<Drawn>,
}

/// Two generations: when the young one has filled its half, it becomes the old one, and what of that nobody
/// asked for meanwhile goes.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Key, Kept>,
    old: HashMap<Key, Kept>,
    /// Of the young.
    size: usize,
}

impl Generations {
    fn put(&mut self, key: Key, kept: Kept) {
        self.size += 2 * kept.drawn.bytes.len() + ENTRY;
        if let Some(before) = self.young.insert(key, kept) {
            self.size -= 2 * before.drawn.bytes.len() + ENTRY;
        }
        if self.size > MOST / 2 {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Generations>);

fn key(layer: Layer, tile: Tile, parts: &[Part]) -> Key {
    let mut hasher = DefaultHasher::new();
    parts.iter().for_each(|part| (part.district, part.detail).hash(&mut hasher));
    (layer, tile, hasher.finish())
}

impl Cache {
    /// The tile as drawn from these very parts.
    pub(super) fn get(&self, layer: Layer, tile: Tile, parts: &[Part]) -> Option<Arc<Drawn>> {
        let key = key(layer, tile, parts);
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = generations.young.get(&key) {
            return (kept.parts == parts).then(|| Arc::clone(&kept.drawn));
        }
        let kept = generations.old.remove(&key).filter(|kept| kept.parts == parts)?;
        let drawn = Arc::clone(&kept.drawn);
        generations.put(key, kept);
        Some(drawn)
    }

    pub(super) fn put(&self, layer: Layer, tile: Tile, parts: Vec<Part>, drawn: &Arc<Drawn>) {
        let key = key(layer, tile, &parts);
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.put(key, Kept { parts, drawn: Arc::clone(drawn) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_within_its_room() {
        let cache = Cache::default();
        let tile = |x| Tile::new(10, x, 0).unwrap();
        let drawn = Arc::new(Drawn::new(vec![0; 1 << 20]));
        for x in 0..200 {
            cache.put(Layer::Grids, tile(x), Vec::new(), &drawn);
            // What is asked for again and again outlives the rest.
            assert!(cache.get(Layer::Grids, tile(0), &[]).is_some(), "{x}");
        }
        let kept = (0..200).filter(|x| cache.get(Layer::Grids, tile(*x), &[]).is_some()).count();
        assert!((10..=32).contains(&kept), "{kept}");
        assert!(cache.get(Layer::Covers, tile(0), &[]).is_none());
    }

    #[test]
    fn a_tag_names_the_content() {
        let (one, two) = (Drawn::new(b"one".to_vec()), Drawn::new(b"two".to_vec()));
        assert!(one.tag() != two.tag() && one.tag() == Drawn::new(b"one".to_vec()).tag());
    }
}
