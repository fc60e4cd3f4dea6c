//! Areas that share their ground without gap or overlap (网格无缝划分): what a change of outlines would leave.

use geo::orient::Direction;
use geo::{
    Area as _, BooleanOps as _, Euclidean, GeodesicArea as _, Length as _, LineString, MapCoords as _, MultiPolygon,
    Orient as _, Polygon, Validation as _, coord,
};

use super::edges::Edges;
use super::position::Metres;

/// Thinner than this on the average, in metres, is what rounding to 1e-8° leaves along an edge.
const THIN_M: f64 = 0.003;

/// A piece of ground.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    pub outline: MultiPolygon<f64>,
    /// On the ellipsoid.
    pub square_metres: f64,
}

impl Ground {
    /// The parts of an outline that are wider than what rounding leaves; `None` if there are none.
    fn of(outline: MultiPolygon<f64>) -> Option<Self> {
        let wide: Vec<_> = outline.into_iter().filter(is_wide).collect();
        if wide.is_empty() {
            return None;
        }
        let outline = MultiPolygon::new(wide);
        Some(Self { square_metres: square_metres(&outline), outline })
    }

    /// Each of its polygons by itself.
    pub fn pieces(self) -> impl Iterator<Item = Self> {
        self.outline.into_iter().map(|polygon| {
            let outline = MultiPolygon::new(vec![polygon]);
            Self { square_metres: square_metres(&outline), outline }
        })
    }
}

fn is_wide(polygon: &Polygon<f64>) -> bool {
    let Some(first) = polygon.exterior().0.first() else { return false };
    let metres = Metres::at(first.y);
    let (x0, y0) = (first.x, first.y);
    let plane = polygon.map_coords(|at| {
        coord! {
            x: (at.x - x0) * metres.per_degree_east, y: (at.y - y0) * metres.per_degree_north,
        }
    });
    let edges = Euclidean.length(plane.exterior()) + plane.interiors().iter().map(|r| Euclidean.length(r)).sum::<f64>();
    2.0 * plane.unsigned_area() > THIN_M * edges
}

/// The area of an outline on the ellipsoid, in m².
pub fn square_metres(outline: &MultiPolygon<f64>) -> f64 {
    outline.geodesic_area_unsigned()
}

/// The ground that two outlines share.
pub fn overlap(a: &MultiPolygon<f64>, b: &MultiPolygon<f64>) -> Option<Ground> {
    Ground::of(a.intersection(b))
}

/// The ground of `before` that is not in `after`.
pub fn lost(before: &MultiPolygon<f64>, after: &MultiPolygon<f64>) -> Option<Ground> {
    Ground::of(before.difference(after))
}

/// All outlines as one.
pub fn union<'a>(outlines: impl IntoIterator<Item = &'a MultiPolygon<f64>>) -> MultiPolygon<f64> {
    outlines.into_iter().fold(MultiPolygon::new(Vec::new()), |all, outline| all.union(outline))
}

/// An outline that gives some areas and takes some, of the same ground perhaps; `None` where it is left as it was, or cannot
/// be drawn to 1e-8°.
pub fn exchange(
    outline: &MultiPolygon<f64>,
    given: &[&MultiPolygon<f64>],
    taken: &[&MultiPolygon<f64>],
) -> Option<MultiPolygon<f64>> {
    let mut after = exact(outline.difference(&union(given.iter().copied())).union(&union(taken.iter().copied())));
    // Rounding may have moved a corner across an edge.
    for _ in 0..REDRAWN {
        if after.is_valid() {
            break;
        }
        after = exact(after.union(&MultiPolygon::new(Vec::new())));
    }
    if !after.is_valid() {
        return None;
    }
    let is_same = |a: &MultiPolygon<f64>, b: &MultiPolygon<f64>| lost(a, b).is_none() && lost(b, a).is_none();
    if is_same(outline, &after) {
        return None;
    }
    // Where all of them fit vertex by vertex, so does what they come to.
    let mut edges = Edges::default();
    edges.add(outline, 1);
    given.iter().for_each(|area| edges.add(area, -1));
    taken.iter().for_each(|area| edges.add(area, 1));
    Some(edges.outline().filter(|exact| exact.is_valid() && is_same(exact, &after)).unwrap_or(after))
}

/// How often an outline is drawn again that rounding made invalid: once has always done.
const REDRAWN: usize = 3;

/// An outline to 1e-8°, as it is kept, without the slivers that rounding leaves: they are no ground, and no holes.
fn exact(outline: MultiPolygon<f64>) -> MultiPolygon<f64> {
    let round = |degrees: f64| (degrees * 1e8).round() / 1e8;
    let ring = |ring: &LineString<f64>| {
        let mut ring = ring.map_coords(|at| coord! { x: round(at.x), y: round(at.y) });
        ring.0.dedup();
        ring
    };
    let wide = outline.into_iter().filter(is_wide).map(|polygon| {
        let (exterior, holes) = polygon.into_inner();
        let holes = holes.into_iter().map(|hole| Polygon::new(hole, Vec::new())).filter(is_wide);
        Polygon::new(ring(&exterior), holes.map(|hole| ring(hole.exterior())).collect())
    });
    MultiPolygon::new(wide.collect()).orient(Direction::Default)
}

#[cfg(test)]
mod tests {
    use geo::{BoundingRect as _, Rect};
    use proptest::prelude::*;

    use super::*;

    fn rect(west: f64, south: f64, east: f64, north: f64) -> MultiPolygon<f64> {
        MultiPolygon::new(vec![Rect::new(coord! { x: west, y: south }, coord! { x: east, y: north }).to_polygon()])
    }

    #[test]
    fn neighbours_share_an_edge_and_no_ground() {
        let (west, east) = (rect(120.37, 36.11, 120.38, 36.13), rect(120.38, 36.11, 120.39, 36.13));
        assert_eq!(overlap(&west, &east), None);
        assert_eq!(lost(&union([&west, &east]), &rect(120.37, 36.11, 120.39, 36.13)), None);
        // An edge that is a millimetre off.
        assert_eq!(overlap(&west, &rect(120.379_999_99, 36.11, 120.39, 36.13)), None);
    }

    #[test]
    fn an_outline_gives_and_takes() {
        let whole = rect(120.37, 36.11, 120.39, 36.13);
        let (before, after) = (rect(120.38, 36.11, 120.39, 36.12), rect(120.38, 36.11, 120.385, 36.12));
        let less = exchange(&whole, &[&before], &[&after]).unwrap();
        assert!(lost(&whole, &less).is_some() && lost(&less, &whole).is_none());
        assert_eq!(lost(&whole, &union([&less, &rect(120.385, 36.11, 120.39, 36.12)])), None);
        // Its vertices stay where they are.
        assert_eq!(less.0[0].exterior().0.len(), 7);
        // An edge within it is none of its own.
        let (west, east) = (rect(120.38, 36.11, 120.386, 36.12), rect(120.386, 36.11, 120.39, 36.12));
        assert_eq!(exchange(&whole, &[&before], &[&west, &east]), None);
    }

    proptest! {
        /// Where a neighbour has a vertex that the outline has not.
        #[test]
        fn what_is_exchanged_stays_an_outline(
            slope in -2_000_000..2_000_000_i64, x in 100_000..900_000_i64, (east, north) in (-90_000..90_000_i64, -90_000..90_000_i64),
        ) {
            let at = |x: i64, y: i64| coord! { x: (12_037_000_000 + x) as f64 / 1e8, y: (3_611_000_000 + y) as f64 / 1e8 };
            let area = |corners: &[geo::Coord<f64>]| {
                MultiPolygon::new(vec![Polygon::new(LineString::new(corners.to_vec()), Vec::new())])
            };
            let (width, high) = (1_000_000, 5_000_000);
            let y = x * slope / width;
            let whole = area(&[at(0, 0), at(width, slope), at(width, high), at(0, high)]);
            let before = area(&[at(0, 0), at(x, y), at(x, high), at(0, high)]);
            let after = area(&[at(0, 0), at(x + east, y + north), at(x, high), at(0, high)]);
            let (given, come) = (before.difference(&after), lost(&after, &whole));
            let changed = exchange(&whole, &[&before], &[&after]);
            prop_assert_eq!(changed.is_some(), come.is_some() || lost(&before, &after).is_some());
            if let Some(changed) = changed {
                prop_assert!(changed.is_valid(), "{:?}", changed);
                prop_assert_eq!(lost(&after, &changed), None, "all that was taken is in it");
                prop_assert_eq!(overlap(&given, &changed), None, "nothing that was given is");
                prop_assert_eq!(lost(&whole.difference(&before), &changed), None, "nor is anything else lost");
                prop_assert_eq!(lost(&changed, &whole.union(&after)), None, "or come");
            }
        }
    }

    /// Rounding of the overlay moves corners by less than a micrometre.
    fn assert_is(ground: &Ground, expected: &MultiPolygon<f64>) {
        let (found, expected) = (ground.outline.bounding_rect().unwrap(), expected.bounding_rect().unwrap());
        let off = (found.min() - expected.min(), found.max() - expected.max());
        assert!([off.0.x, off.0.y, off.1.x, off.1.y].iter().all(|off| off.abs() < 1e-10), "{found:?} {expected:?}");
    }

    #[test]
    fn ground_that_two_want_is_found_and_measured() {
        let (west, east) = (rect(120.37, 36.11, 120.381, 36.13), rect(120.38, 36.11, 120.39, 36.13));
        let shared = overlap(&west, &east).unwrap();
        assert_is(&shared, &rect(120.38, 36.11, 120.381, 36.13));
        // 0.001° of longitude are 90.06 m here, 0.02° of latitude 2,219.4 m.
        assert!((shared.square_metres - 199_880.0).abs() < 300.0, "{}", shared.square_metres);
        assert_is(&lost(&west, &east).unwrap(), &rect(120.37, 36.11, 120.38, 36.13));
    }
}
