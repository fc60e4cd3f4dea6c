use std::collections::HashSet;

use geo::{Area as _, BooleanOps as _, LineString, MultiPolygon, Polygon, Rect, Validation as _, coord};
use proptest::prelude::*;

use super::*;

const MARGIN: i32 = 64;

/// The rings that are left of an exterior and its holes.
fn cut(rings: &[Vec<Far>]) -> Vec<Vec<Spot>> {
    let rings = rings.iter().zip(0..).map(|(ring, place)| (place > 0, ring.iter().copied()));
    Cutter::default().cut(rings, MARGIN).map(<[Spot]>::to_vec).collect()
}

fn cut_one(ring: &[Far]) -> Vec<Vec<Spot>> {
    cut(&[ring.to_vec()])
}

fn rectangle((west, north): Far, (east, south): Far) -> Vec<Far> {
    vec![(west, north), (east, north), (east, south), (west, south)]
}

fn edges(ring: &[Spot]) -> impl Iterator<Item = (Spot, Spot)> {
    ring.iter().zip(ring.iter().cycle().skip(1)).map(|(&a, &b)| (a, b))
}

/// What the format forbids of rings, but for edges that cross.
fn fault(rings: &[Vec<Spot>]) -> Option<String> {
    if rings.first().is_some_and(|ring| twice_area(ring) < 0) {
        return Some("a hole in nothing".to_owned());
    }
    let mut walked = HashSet::new();
    for ring in rings {
        if ring.len() < 3 || twice_area(ring) == 0 || ring.iter().collect::<HashSet<_>>().len() < ring.len() {
            return Some(format!("{ring:?} meets itself"));
        }
        for (a, b) in edges(ring) {
            let on = |&&(x, y): &&Spot| {
                let across = (x - a.0) * (b.1 - a.1) - (y - a.1) * (b.0 - a.0);
                let along = (x - a.0) * (x - b.0) + (y - a.1) * (y - b.1);
                across == 0 && along < 0
            };
            if let Some(corner) = rings.iter().flatten().find(on) {
                return Some(format!("{corner:?} lies on {a:?} {b:?}"));
            }
            if !walked.insert((a, b)) || walked.contains(&(b, a)) {
                return Some(format!("{a:?} {b:?} is walked twice"));
            }
        }
    }
    None
}

fn line(ring: impl IntoIterator<Item = Far>) -> LineString<f64> {
    ring.into_iter().map(|(x, y)| coord! { x: x as f64, y: y as f64 }).collect()
}

/// Rings as the format has them, as polygons.
fn polygons(rings: &[Vec<Spot>]) -> MultiPolygon<f64> {
    let mut polygons: Vec<Polygon<f64>> = Vec::new();
    for ring in rings {
        let line = line(ring.iter().map(|&(x, y)| (x.into(), y.into())));
        match polygons.last_mut() {
            Some(polygon) if twice_area(ring) < 0 => polygon.interiors_push(line),
            _ => polygons.push(Polygon::new(line, Vec::new())),
        }
    }
    MultiPolygon::new(polygons)
}

#[test]
fn what_lies_within_stays_as_it_is() {
    let clockwise = vec![(10, 10), (20, 10), (20, 20), (10, 20), (10, 10)];
    let expected = [vec![(10, 10), (20, 10), (20, 20), (10, 20)]];
    assert_eq!(cut_one(&clockwise), expected);
    let mut other = clockwise.clone();
    other.reverse();
    assert_eq!(twice_area(&cut_one(&other)[0]), 200);
    for hole in [clockwise, other] {
        let rings = cut(&[rectangle((0, 0), (30, 30)), hole]);
        assert_eq!(rings.iter().map(|ring| twice_area(ring)).collect::<Vec<_>>(), [1_800, -200]);
    }
}

#[test]
fn what_covers_the_tile_becomes_the_tile() {
    let around = rectangle((-9_000, -9_000), (9_000, 9_000));
    let [all] = &mut cut_one(&around)[..] else { panic!() };
    assert_eq!(twice_area(all), 2 * 4_224 * 4_224);
    all.sort_unstable();
    assert_eq!(*all, [(-64, -64), (-64, 4_160), (4_160, -64), (4_160, 4_160)]);
    assert!(cut_one(&rectangle((5_000, 0), (6_000, 100))).is_empty());
    // Nor is there ground in a hole around the tile.
    assert!(cut(&[around.clone(), rectangle((-8_000, -8_000), (8_000, 8_000))]).is_empty());
    // And what goes around it without covering it leaves nothing of its ways along the border.
    let ring: Vec<Far> = vec![(-9_000, -9_000), (9_000, -9_000), (9_000, 9_000), (-9_000, 9_000), (-9_000, 0)];
    let back = [(-8_000, 0), (-8_000, 8_000), (8_000, 8_000), (8_000, -8_000), (-9_000, -8_000)];
    assert!(cut_one(&[ring, back.to_vec()].concat()).is_empty());
    // A hole inside stays one.
    assert_eq!(cut(&[around, rectangle((10, 10), (20, 20))]).iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
}

#[test]
fn rings_without_ground_are_dropped_and_spikes_cut_off() {
    for flat in [&[(1, 1), (1, 1), (1, 1)][..], &[(1, 1), (9, 1), (5, 1)], &[(1, 1), (5, 5)], &[]] {
        assert!(cut_one(flat).is_empty(), "{flat:?}");
    }
    let spiked = [(0, 0), (10, 0), (10, 5), (30, 5), (10, 5), (10, 10), (10, 10), (0, 10), (0, 0)];
    assert_eq!(cut_one(&spiked), [[(0, 0), (10, 0), (10, 5), (10, 10), (0, 10)]]);
    let spike_at_the_seam = [(0, 0), (10, 0), (10, 10), (0, 10), (0, 0), (-5, 0)];
    assert_eq!(cut_one(&spike_at_the_seam), [[(0, 0), (10, 0), (10, 10), (0, 10)]]);
}

#[test]
fn what_comes_in_several_times_becomes_several_rings() {
    // A comb: its back is behind the eastern border, its teeth reach in.
    let mut teeth = vec![(5_000, 0)];
    for tooth in 0..4 {
        let (top, bottom) = (200 * tooth, 200 * tooth + 100);
        teeth.extend([(4_900, top), (100, top), (100, bottom), (4_900, bottom)]);
    }
    teeth.push((5_000, 700));
    let rings = cut_one(&teeth);
    assert_eq!((rings.len(), fault(&rings)), (4, None), "{rings:?}");
    assert!(rings.iter().all(|ring| ring.len() == 4 && twice_area(ring) == 2 * 100 * 4_060));
}

#[test]
fn a_hole_on_the_border_opens_its_ring() {
    let around = rectangle((-500, -500), (6_000, 6_000));
    let rings = cut(&[around.clone(), rectangle((-300, 1_500), (500, 2_000))]);
    assert_eq!((rings.len(), rings[0].len(), fault(&rings)), (1, 8, None), "{rings:?}");
    // One from border to border parts it, and each part has the holes that are in it.
    let across = rectangle((1_000, -300), (1_100, 5_000));
    let rings = cut(&[around, across, rectangle((9, 9), (20, 20))]);
    let areas: Vec<_> = rings.iter().map(|ring| twice_area(ring) / 2).collect();
    assert_eq!((areas, fault(&rings)), (vec![1_064 * 4_224, -121, 3_060 * 4_224], None));
}

#[test]
fn what_rounding_brings_together_is_drawn_apart() {
    // Two squares that meet in a corner.
    let eight = [(0, 0), (10, 0), (10, 10), (20, 10), (20, 20), (10, 20), (10, 10), (0, 10)];
    let rings = cut_one(&eight);
    assert_eq!((rings.len(), fault(&rings)), (2, None), "{rings:?}");
    // Bays whose mouth has closed: corner to corner, and corner to edge.
    let corners = vec![(0, 0), (20, 0), (20, 20), (0, 20), (0, 10), (5, 15), (15, 10), (5, 5), (0, 10)];
    let edge = [(0, 20), (0, 10), (6, 10), (8, 14), (12, 8), (8, 4), (4, 4), (3, 10), (1, 4)];
    for bay in [corners, [&[(0, 0), (20, 0), (20, 20)][..], &edge].concat()] {
        let rings = cut_one(&bay);
        assert_eq!((rings.len(), fault(&rings)), (2, None), "{rings:?}");
        assert!(polygons(&rings).is_valid(), "{rings:?}");
    }
    // A hole that has come to lie along its ring, and parts that lie against each other, which are one.
    let rings = cut(&[rectangle((0, 0), (20, 20)), rectangle((0, 5), (5, 10))]);
    assert_eq!((rings.len(), rings[0].len(), fault(&rings)), (1, 8, None), "{rings:?}");
    let parts = [rectangle((0, 0), (10, 10)), rectangle((10, 0), (20, 10))];
    let parts = parts.iter().map(|ring| (false, ring.iter().copied()));
    let rings: Vec<_> = Cutter::default().cut(parts, MARGIN).map(<[Spot]>::to_vec).collect();
    assert_eq!((rings.len(), rings[0].len(), twice_area(&rings[0])), (1, 6, 400));
}

#[test]
fn a_cutter_forgets_what_it_cut() {
    let touching = vec![(0, 0), (9, 0), (9, 9), (18, 9), (18, 18), (9, 18), (9, 9), (0, 9)];
    let areas = [rectangle((0, 0), (9, 9)), touching, rectangle((0, 0), (9, 9)), rectangle((9, 9), (18, 18))];
    let mut cutter = Cutter::default();
    for area in areas {
        let again: Vec<_> =
            cutter.cut([(false, area.iter().copied())].into_iter(), MARGIN).map(<[Spot]>::to_vec).collect();
        assert_eq!(again, cut_one(&area));
    }
}

fn corner() -> impl Strategy<Value = Far> {
    (-20_000i64..24_000, -20_000i64..24_000)
}

/// An area of which every corner is seen from its middle, and perhaps a hole in it of the same shape.
fn star() -> impl Strategy<Value = Vec<Vec<Far>>> {
    let middle = (-1_000.0..5_000.0, -1_000.0..5_000.0);
    let corners = prop::collection::vec((300.0..9_000.0, 0.0..0.5), 3..24);
    (middle, corners, prop::option::of(0.2..0.8)).prop_map(|(middle, corners, hole): ((f64, f64), Vec<_>, _)| {
        let turn = std::f64::consts::TAU / corners.len() as f64;
        let ring = |scale: f64| {
            let corners = (0..).map(f64::from).zip(&corners);
            let corners = corners.map(|(place, (radius, shift))| {
                let (sin, cos) = ((place + shift) * turn).sin_cos();
                #[expect(clippy::cast_possible_truncation, reason = "some thousands")]
                let at = |middle: f64, share: f64| (middle + share * radius * scale).round() as i64;
                (at(middle.0, cos), at(middle.1, sin))
            });
            corners.collect()
        };
        std::iter::once(1.0).chain(hole).map(ring).collect()
    })
}

proptest! {
    #[test]
    fn what_is_cut_lies_in_the_tile_and_its_margin(rings in prop::collection::vec(prop::collection::vec(corner(), 3..30), 1..3)) {
        let rings = cut(&rings);
        for ring in &rings {
            prop_assert!(ring.iter().all(|&(x, y)| (-64..=4_160).contains(&x) && (-64..=4_160).contains(&y)));
        }
    }

    #[test]
    fn what_is_cut_is_valid_and_all_that_is_in_sight(area in star()) {
        let rings = cut(&area);
        prop_assert_eq!(fault(&rings), None);
        let cut = polygons(&rings);
        prop_assert!(cut.is_valid(), "{:?}", cut);
        let whole = Polygon::new(line(area[0].clone()), area[1..].iter().cloned().map(line).collect());
        let (low, high) = (f64::from(-MARGIN), f64::from(EXTENT + MARGIN));
        let sight = Rect::new(coord! { x: low, y: low }, coord! { x: high, y: high }).to_polygon();
        let expected = whole.intersection(&sight).unsigned_area();
        // Half a unit at one end of each edge that is cut.
        let edges = area.iter().map(Vec::len).sum::<usize>() as f64;
        prop_assert!((cut.unsigned_area() - expected).abs() <= edges * 2.0 * high, "{expected} {cut:?}");
    }

    /// Two areas on either side of a crooked line: what of it is in the tile is in both, and nothing between them.
    #[test]
    fn neighbours_share_what_they_shared(line in prop::collection::vec(-3_000i64..7_000, 2..20)) {
        let line: Vec<Far> = (-3i64..).map(|step| step * 700).zip(line).map(|(y, x)| (x, y)).collect();
        let (top, bottom) = (line[0].1, line[line.len() - 1].1);
        let west: Vec<Far> = line.iter().copied().chain([(-9_000, bottom), (-9_000, top)]).collect();
        let east: Vec<Far> = line.iter().rev().copied().chain([(13_000, top), (13_000, bottom)]).collect();
        let (west, east) = (cut_one(&west), cut_one(&east));
        prop_assert_eq!((fault(&west), fault(&east)), (None, None));
        let ground = |rings: &[Vec<Spot>]| rings.iter().map(|ring| twice_area(ring)).sum::<i64>();
        prop_assert_eq!(ground(&west) + ground(&east), 2 * (bottom.min(4_160) + 64).max(0) * 4_224);
        let inside = |rings: &[Vec<Spot>]| {
            let seen = |&&(x, y): &&Spot| (-63..4_160).contains(&x) && (-63..4_160).contains(&y);
            rings.iter().flatten().filter(seen).copied().collect::<HashSet<_>>()
        };
        // Ends of the line but for it are the areas' own corners.
        let own = |spot: &Spot| i64::from(spot.1) == bottom;
        prop_assert!(inside(&west).symmetric_difference(&inside(&east)).all(own), "{west:?} {east:?}");
    }
}
