//! Rings cut to a tile and its margin, on integers.
//!
//! Corners are rounded first and cut after, and where an edge meets the border follows from its two ends alone,
//! whichever comes first: what two areas share they share afterwards too. Nothing is simplified but corners that
//! have become one. The cutting is Sutherland and Hodgman's, one border after the other; what it leaves along a
//! border lies in the margin, which is not seen.

use super::place::{EXTENT, Spot};

/// A corner in units of the tile, not yet cut.
type Far = (i64, i64);

/// Cuts rings; keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    from: Vec<Far>,
    to: Vec<Far>,
    ring: Vec<Spot>,
}

/// A border of the tile: the axis it crosses, where, and on which side of it the tile lies.
#[derive(Debug, Clone, Copy)]
enum Border {
    West(i64),
    East(i64),
    North(i64),
    South(i64),
}

impl Border {
    fn keeps(self, (x, y): Far) -> bool {
        match self {
            Self::West(at) => x >= at,
            Self::East(at) => x <= at,
            Self::North(at) => y >= at,
            Self::South(at) => y <= at,
        }
    }

    /// Where the edge between two corners on either side meets the border, to the nearest unit.
    fn meets(self, a: Far, b: Far) -> Far {
        match self {
            Self::West(at) | Self::East(at) => (at, along(a, b, at)),
            Self::North(at) | Self::South(at) => (along((a.1, a.0), (b.1, b.0), at), at),
        }
    }
}

/// The second coordinate of the line from `a` to `b` where the first is `at`, which lies between theirs.
fn along(a: Far, b: Far, at: i64) -> i64 {
    // A neighbour has the edge the other way round and must come to the same.
    let (a, b) = if a.0 < b.0 { (a, b) } else { (b, a) };
    let (run, rise) = (i128::from(b.0 - a.0), i128::from(b.1 - a.1));
    let twice = 2 * i128::from(at - a.0) * rise;
    let rounded = (twice + run).div_euclid(2 * run);
    a.1 + i64::try_from(rounded).unwrap_or(0)
}

impl Cutter {
    /// The part of a closed ring that lies in the tile or within the margin beside it, not closed, clockwise as
    /// seen where y points down if it is outer and the other way round if it is a hole; `None` if no ground is left.
    pub(super) fn cut(&mut self, ring: impl Iterator<Item = Far>, margin: i32, hole: bool) -> Option<&[Spot]> {
        let (low, high) = (i64::from(-margin), i64::from(EXTENT + margin));
        self.from.clear();
        self.from.extend(ring);
        if self.from.first() == self.from.last() {
            self.from.pop();
        }
        for border in [Border::West(low), Border::East(high), Border::North(low), Border::South(high)] {
            if self.from.iter().all(|&corner| border.keeps(corner)) {
                continue;
            }
            self.to.clear();
            let mut before = *self.from.last()?;
            for &corner in &self.from {
                if border.keeps(corner) != border.keeps(before) {
                    self.to.push(border.meets(before, corner));
                }
                if border.keeps(corner) {
                    self.to.push(corner);
                }
                before = corner;
            }
            std::mem::swap(&mut self.from, &mut self.to);
        }
        self.tidy();
        let area: i64 =
            self.edges().map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1)).sum();
        if area == 0 {
            return None;
        }
        if (area > 0) == hole {
            self.ring.reverse();
        }
        Some(&self.ring)
    }

    fn edges(&self) -> impl Iterator<Item = (Spot, Spot)> {
        self.ring.iter().zip(self.ring.iter().cycle().skip(1)).map(|(&a, &b)| (a, b))
    }

    /// Leaves out corners that repeat the one before, and spikes without ground: there and straight back again.
    fn tidy(&mut self) {
        let ring = &mut self.ring;
        ring.clear();
        for &(x, y) in &self.from {
            // What is left lies in the tile or its margin.
            let (Ok(x), Ok(y)) = (i32::try_from(x), i32::try_from(y)) else { continue };
            push(ring, (x, y));
        }
        while let [first, second, .., before, last] = ring[..] {
            if first == last {
                ring.pop();
            } else if second == last {
                ring.remove(0);
            } else if first == before {
                ring.pop();
            } else {
                break;
            }
        }
        if ring.len() < 3 {
            ring.clear();
        }
    }
}

fn push(ring: &mut Vec<Spot>, spot: Spot) {
    match ring[..] {
        [.., last] if last == spot => {}
        [.., before, _] if before == spot => {
            ring.pop();
        }
        _ => ring.push(spot),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const MARGIN: i32 = 64;

    fn cut(ring: &[Far], hole: bool) -> Option<Vec<Spot>> {
        Cutter::default().cut(ring.iter().copied(), MARGIN, hole).map(<[Spot]>::to_vec)
    }

    /// Twice the area where y points down: positive is clockwise as seen.
    fn area(ring: &[Spot]) -> i64 {
        let next = ring.iter().cycle().skip(1);
        ring.iter().zip(next).map(|(a, b)| i64::from(a.0) * i64::from(b.1) - i64::from(b.0) * i64::from(a.1)).sum()
    }

    #[test]
    fn what_lies_within_stays_as_it_is() {
        let clockwise = [(10, 10), (20, 10), (20, 20), (10, 20), (10, 10)];
        assert_eq!(cut(&clockwise, false).unwrap(), [(10, 10), (20, 10), (20, 20), (10, 20)]);
        let mut other = clockwise;
        other.reverse();
        assert!(area(&cut(&other, false).unwrap()) == 200 && area(&cut(&clockwise, true).unwrap()) == -200);
        assert!(area(&cut(&other, true).unwrap()) == -200);
    }

    #[test]
    fn what_covers_the_tile_becomes_the_tile() {
        let all = cut(&[(-9_000, -9_000), (9_000, -9_000), (9_000, 9_000), (-9_000, 9_000)], false).unwrap();
        let mut corners = all.clone();
        corners.sort_unstable();
        assert_eq!(corners, [(-64, -64), (-64, 4_160), (4_160, -64), (4_160, 4_160)]);
        assert_eq!(area(&all), 2 * 4_224 * 4_224);
        assert_eq!(cut(&[(5_000, 0), (6_000, 0), (6_000, 100)], false), None);
    }

    #[test]
    fn rings_without_ground_are_dropped_and_spikes_cut_off() {
        for flat in [&[(1, 1), (1, 1), (1, 1)][..], &[(1, 1), (9, 1), (5, 1)], &[(1, 1), (5, 5)], &[]] {
            assert_eq!(cut(flat, false), None, "{flat:?}");
        }
        let spiked = [(0, 0), (10, 0), (10, 5), (30, 5), (10, 5), (10, 10), (10, 10), (0, 10), (0, 0)];
        assert_eq!(cut(&spiked, false).unwrap(), [(0, 0), (10, 0), (10, 5), (10, 10), (0, 10)]);
        let spike_at_the_seam = [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0), (-5, 0)];
        assert_eq!(cut(&spike_at_the_seam, false).unwrap(), [(0, 0), (10, 0), (10, 10), (0, 10)]);
    }

    fn corner() -> impl Strategy<Value = Far> {
        (-20_000i64..24_000, -20_000i64..24_000)
    }

    proptest! {
        #[test]
        fn what_is_cut_lies_in_the_tile_and_its_margin(ring in prop::collection::vec(corner(), 3..30), hole: bool) {
            if let Some(ring) = cut(&ring, hole) {
                prop_assert!(ring.iter().all(|&(x, y)| (-64..=4_160).contains(&x) && (-64..=4_160).contains(&y)));
                prop_assert!(ring.len() >= 3 && (area(&ring) < 0) == hole && area(&ring) != 0);
                prop_assert!(ring.windows(2).all(|pair| pair[0] != pair[1]) && ring.first() != ring.last());
            }
        }

        /// Two areas on either side of a crooked line: what of it is in the tile is in both.
        #[test]
        fn neighbours_share_what_they_shared(line in prop::collection::vec(-3_000i64..7_000, 2..20)) {
            let line: Vec<Far> = (-3i64..).map(|step| step * 700).zip(line).map(|(y, x)| (x, y)).collect();
            let (top, bottom) = (line[0].1, line[line.len() - 1].1);
            let west: Vec<Far> = line.iter().copied().chain([(-9_000, bottom), (-9_000, top)]).collect();
            let east: Vec<Far> = line.iter().rev().copied().chain([(13_000, top), (13_000, bottom)]).collect();
            let inside = |ring: &Option<Vec<Spot>>| {
                let ring = ring.clone().unwrap_or_default();
                let seen = |&(x, y): &Spot| (-63..4_160).contains(&x) && (-63..4_160).contains(&y);
                ring.into_iter().filter(seen).collect::<HashSet<_>>()
            };
            let (west, east) = (cut(&west, false), cut(&east, false));
            let borders = [i32::try_from(top).unwrap(), i32::try_from(bottom).unwrap()];
            // Ends of the line but for it are the areas' own corners.
            let (west, east) = (inside(&west), inside(&east));
            let own = |spot: &Spot| borders.contains(&spot.1);
            prop_assert!(west.symmetric_difference(&east).all(own), "{west:?} {east:?}");
        }
    }
}
