//! Where areas do not share out an outline exactly (接缝): ground of two, ground of none.
//!
//! Areas that share it out have every inner edge twice, once in each direction, and every outer one as the outline
//! has it. Where edges do not cancel out, and nowhere else, something may be wrong; only there is ground measured.

use geo::algorithm::orient::{Direction, Orient as _};
use geo::{BooleanOps as _, MultiPolygon, Rect, coord, unary_union};

use super::edges::{Edges, degrees};
use super::partition::{Ground, lost, overlap};

/// What is wrong with a set of areas.
#[derive(Debug, Default)]
pub struct Seams {
    /// Ground of two areas, by their places in the list.
    pub overlaps: Vec<(usize, usize, Ground)>,
    /// Ground of the outline in no area, one connected piece each.
    pub gaps: Vec<Ground>,
}

/// Room around a window, in degrees, so that nothing ends at its edge; a decimetre.
const ROOM: f64 = 1e-6;

/// Finds them.
pub fn seams(outline: &MultiPolygon<f64>, areas: &[MultiPolygon<f64>]) -> Seams {
    let mut found = Seams::default();
    let boxes: Vec<Option<Rect>> = areas.iter().map(geo::BoundingRect::bounding_rect).collect();
    for window in windows(outline, areas) {
        let (min, max) = (window.min(), window.max());
        let window = Rect::new(min - coord! { x: ROOM, y: ROOM }, max + coord! { x: ROOM, y: ROOM });
        let near: Vec<(usize, Rect)> = boxes
            .iter()
            .enumerate()
            .filter_map(|(k, area)| Some((k, (*area)?)))
            .filter(|(_, b)| meet(b, &window))
            .collect();
        for (at, (a, first)) in near.iter().enumerate() {
            for (b, second) in &near[at + 1..] {
                let shared = common(first, second).is_some_and(|shared| meet(&shared, &window));
                if shared && let Some(ground) = overlap(&areas[*a], &areas[*b]) {
                    found.overlaps.push((*a, *b, ground));
                }
            }
        }
        // The union counts which way rings go.
        let oriented: Vec<_> = near.iter().map(|(k, _)| areas[*k].orient(Direction::Default)).collect();
        let all = unary_union(&oriented);
        let here = outline.intersection(&MultiPolygon::new(vec![window.to_polygon()]));
        found.gaps.extend(lost(&here, &all).into_iter().flat_map(Ground::pieces));
    }
    found.overlaps.sort_by_key(|(a, b, _)| (*a, *b));
    found.overlaps.dedup_by_key(|(a, b, _)| (*a, *b));
    found
}

/// Boxes that hold every place whose number of areas is wrong, none meeting another. The border of such a place is made
/// of edges that nothing cancels, each meeting the next, so a box around edges that meet holds all of it.
fn windows(outline: &MultiPolygon<f64>, areas: &[MultiPolygon<f64>]) -> Vec<Rect> {
    let mut sum = Edges::default();
    areas.iter().for_each(|area| sum.add(area, 1));
    sum.add(outline, -1);
    let mut windows: Vec<Rect> = Vec::new();
    for (a, b, _) in sum.left() {
        let mut window = Rect::new(degrees(a), degrees(b));
        while let Some(at) = windows.iter().position(|other| meet(other, &window)) {
            window = around(&windows.swap_remove(at), &window);
        }
        windows.push(window);
    }
    // What holds them is filled in no order.
    windows.sort_by(|a, b| a.min().x.total_cmp(&b.min().x).then(a.min().y.total_cmp(&b.min().y)));
    windows
}

fn meet(a: &Rect, b: &Rect) -> bool {
    a.min().x <= b.max().x && b.min().x <= a.max().x && a.min().y <= b.max().y && b.min().y <= a.max().y
}

fn around(a: &Rect, b: &Rect) -> Rect {
    let low = coord! { x: a.min().x.min(b.min().x), y: a.min().y.min(b.min().y) };
    Rect::new(low, coord! { x: a.max().x.max(b.max().x), y: a.max().y.max(b.max().y) })
}

/// The ground of both boxes.
fn common(a: &Rect, b: &Rect) -> Option<Rect> {
    let low = coord! { x: a.min().x.max(b.min().x), y: a.min().y.max(b.min().y) };
    let high = coord! { x: a.max().x.min(b.max().x), y: a.max().y.min(b.max().y) };
    (low.x < high.x && low.y < high.y).then(|| Rect::new(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(west: f64, south: f64, east: f64, north: f64) -> MultiPolygon<f64> {
        MultiPolygon::new(vec![Rect::new(coord! { x: west, y: south }, coord! { x: east, y: north }).to_polygon()])
    }

    fn check(what: &str, areas: &[MultiPolygon<f64>], overlaps: &[(usize, usize)], gaps: usize) -> Seams {
        let found = seams(&rect(120.37, 36.11, 120.39, 36.13), areas);
        let pairs: Vec<_> = found.overlaps.iter().map(|(a, b, _)| (*a, *b)).collect();
        assert_eq!((&*pairs, found.gaps.len()), (overlaps, gaps), "{what}");
        found
    }

    #[test]
    fn neighbours_fit_and_what_does_not_is_measured() {
        let (west, east) = (rect(120.37, 36.11, 120.38, 36.13), rect(120.38, 36.11, 120.39, 36.13));
        check("two halves", &[west.clone(), east.clone()], &[], 0);
        let mut other_way = west.clone();
        other_way.0[0].exterior_mut(|ring| ring.0.reverse());
        check("whichever way a ring goes", &[other_way, east.clone()], &[], 0);
        let quarters = [west.clone(), rect(120.38, 36.11, 120.39, 36.12), rect(120.38, 36.12, 120.39, 36.13)];
        check("a corner in the middle of the neighbour's edge", &quarters, &[], 0);
        check("a millimetre off", &[west.clone(), rect(120.380_000_01, 36.11, 120.39, 36.13)], &[], 0);
        let wide = rect(120.379, 36.11, 120.39, 36.13);
        let found = check("a strip twice", &[west.clone(), wide.clone()], &[(0, 1)], 0);
        assert!((found.overlaps[0].2.square_metres - 199_880.0).abs() < 300.0);
        let found = check("a strip of nobody", &[west.clone(), rect(120.381, 36.11, 120.39, 36.13)], &[], 1);
        assert!((found.gaps[0].square_metres - 199_880.0).abs() < 300.0);
        check("the same twice", &[west.clone(), east.clone(), west.clone()], &[(0, 2)], 0);
        let inner = rect(120.372, 36.112, 120.373, 36.113);
        check("one within another", &[west.clone(), east, inner], &[(0, 2)], 0);
        let mut ring = rect(120.37, 36.11, 120.39, 36.13);
        ring.0[0].interiors_push(rect(120.372, 36.112, 120.373, 36.113).0[0].exterior().clone());
        check("a hole that another fills", &[ring.clone(), rect(120.372, 36.112, 120.373, 36.113)], &[], 0);
        check("a hole that nobody fills", &[ring], &[], 1);
        check("nothing at all", &[], &[], 1);
        let holes = [west, rect(120.382, 36.11, 120.384, 36.13), rect(120.386, 36.11, 120.39, 36.13)];
        check("two pieces of nobody", &holes, &[], 2);
    }

    /// Two layers, each without a seam of its own: no edge of theirs is loose but those of the outer border.
    #[test]
    fn layers_that_fit_in_themselves_lie_on_each_other_all_the_same() {
        let layers = [
            rect(120.37, 36.11, 120.38, 36.13),
            rect(120.38, 36.11, 120.39, 36.13),
            rect(120.37, 36.11, 120.39, 36.12),
            rect(120.37, 36.12, 120.39, 36.13),
        ];
        check("two layers", &layers, &[(0, 2), (0, 3), (1, 2), (1, 3)], 0);
    }
}
