//! The bytes of a tile: Mapbox Vector Tile 2.1, which is a small part of protocol buffers.
//!
//! Field numbers are those of `vector_tile.proto` in
//! <https://github.com/mapbox/vector-tile-spec/tree/master/2.1>. What a library would do in general is here the
//! little that a tile needs, written straight into its place.

use super::place::{EXTENT, Spot};

/// Length-delimited fields of a message.
const LENGTHS: u8 = 2;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        #[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 128")]
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u8, value: &[u8]) {
    out.push(field << 3 | LENGTHS);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A property's value in its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value(u32);

/// A layer in the making.
#[derive(Debug)]
pub(super) struct Layer {
    name: &'static str,
    keys: &'static [&'static str],
    features: Vec<u8>,
    count: usize,
    values: Vec<u8>,
    value_count: u32,
    /// Of the feature in the making.
    tags: Vec<u8>,
    geometry: Vec<u8>,
    at: Spot,
}

impl Layer {
    pub(super) fn new(name: &'static str, keys: &'static [&'static str]) -> Self {
        let (features, values, tags, geometry) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { name, keys, features, count: 0, values, value_count: 0, tags, geometry, at: (0, 0) }
    }

    /// Makes room for so many features of which each has a value of its own.
    pub(super) fn expect(&mut self, features: usize) {
        self.features.reserve(features * 40);
        self.values.reserve(features * 24);
    }

    fn next_value(&mut self) -> Value {
        self.value_count += 1;
        Value(self.value_count - 1)
    }

    /// Adds a text; who needs one twice keeps what this gives.
    pub(super) fn text(&mut self, text: &str) -> Value {
        // The value's only member is its text, with a key and a length of its own.
        let length = 1 + width(text.len() as u64) + text.len();
        self.values.push(4 << 3 | LENGTHS);
        varint(&mut self.values, length as u64);
        bytes(&mut self.values, 1, text.as_bytes());
        self.next_value()
    }

    pub(super) fn flag(&mut self, flag: bool) -> Value {
        self.values.extend_from_slice(&[4 << 3 | LENGTHS, 2, 7 << 3, u8::from(flag)]);
        self.next_value()
    }

    /// Gives the feature in the making a property: the `key`-th of the layer's keys.
    pub(super) fn tag(&mut self, key: u8, value: Value) {
        self.tags.push(key);
        varint(&mut self.tags, value.0.into());
    }

    fn go(&mut self, spot: Spot) {
        for (to, from) in [(spot.0, self.at.0), (spot.1, self.at.1)] {
            let by = to - from;
            varint(&mut self.geometry, u64::from((by << 1 ^ by >> 31).cast_unsigned()));
        }
        self.at = spot;
    }

    /// Ends the feature in the making as a point.
    pub(super) fn point(&mut self, id: Option<u64>, at: Spot) {
        self.geometry.push(MOVE | 1 << 3);
        self.go(at);
        self.end(id, 1);
    }

    /// Adds a ring of at least three corners, not closed, to the feature in the making.
    pub(super) fn ring(&mut self, ring: &[Spot]) {
        let [first, rest @ ..] = ring else { return };
        self.geometry.push(MOVE | 1 << 3);
        self.go(*first);
        varint(&mut self.geometry, u64::from(LINE) | (rest.len() as u64) << 3);
        rest.iter().for_each(|&spot| self.go(spot));
        self.geometry.push(CLOSE | 1 << 3);
    }

    /// Whether a ring was added.
    pub(super) fn has_rings(&self) -> bool {
        !self.geometry.is_empty()
    }

    /// Ends the feature in the making as the polygons of its rings.
    pub(super) fn polygons(&mut self, id: Option<u64>) {
        self.end(id, 3);
    }

    fn end(&mut self, id: Option<u64>, kind: u64) {
        let (tags, geometry) = (&self.tags, &self.geometry);
        let length = id.map_or(0, |id| 1 + width(id))
            + 3
            + width(tags.len() as u64)
            + tags.len()
            + 1
            + width(geometry.len() as u64)
            + geometry.len();
        let out = &mut self.features;
        out.push(2 << 3 | LENGTHS);
        varint(out, length as u64);
        if let Some(id) = id {
            number(out, 1, id);
        }
        bytes(out, 2, tags);
        number(out, 3, kind);
        bytes(out, 4, geometry);
        self.tags.clear();
        self.geometry.clear();
        (self.at, self.count) = ((0, 0), self.count + 1);
    }

    /// The bytes of a tile with this layer; none without a feature.
    pub(super) fn finish(self) -> Vec<u8> {
        if self.count == 0 {
            return Vec::new();
        }
        let mut head = Vec::new();
        number(&mut head, 15, 2);
        bytes(&mut head, 1, self.name.as_bytes());
        let mut tail = Vec::new();
        self.keys.iter().for_each(|key| bytes(&mut tail, 3, key.as_bytes()));
        let mut extent = Vec::new();
        number(&mut extent, 5, u64::from(EXTENT.unsigned_abs()));
        let parts = [&head, &self.features, &tail, &self.values, &extent];
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut tile = Vec::with_capacity(length + 8);
        tile.push(3 << 3 | LENGTHS);
        varint(&mut tile, length as u64);
        parts.iter().for_each(|part| tile.extend_from_slice(part));
        tile
    }
}

/// Commands of a geometry; the bits above the third say how often.
const MOVE: u8 = 1;
const LINE: u8 = 2;
const CLOSE: u8 = 7;

/// Bytes of a number.
fn width(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_wide_as_they_say() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 1 << 34, u64::MAX] {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(out.len(), width(value), "{value}");
        }
    }

    /// The example of section 4.3.5 of the specification: the ring (3 6) (8 12) (20 34).
    #[test]
    fn a_ring_is_written_as_the_specification_has_it() {
        let mut layer = Layer::new("a", &["k"]);
        let value = layer.text("v");
        layer.tag(0, value);
        layer.ring(&[(3, 6), (8, 12), (20, 34)]);
        assert_eq!(layer.geometry, [9, 6, 12, 18, 10, 12, 24, 44, 15]);
        layer.polygons(Some(300));
        let tile = layer.finish();
        let feature = [0x12, 20, 8, 0xac, 2, 0x12, 2, 0, 0, 0x18, 3, 0x22, 9, 9, 6, 12, 18, 10, 12, 24, 44, 15];
        let expected = [
            &[0x1a, 38, 0x78, 2, 0x0a, 1, b'a'][..],
            &feature,
            &[0x1a, 1, b'k', 0x22, 3, 0x0a, 1, b'v', 0x28, 0x80, 0x20],
        ];
        let expected = expected.concat();
        assert_eq!(usize::from(expected[1]), expected.len() - 2);
        assert_eq!(tile, expected);
        assert!(Layer::new("a", &[]).finish().is_empty());
    }
}
