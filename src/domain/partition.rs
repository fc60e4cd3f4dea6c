//! Areas that share their ground without gap or overlap (网格无缝划分): what a change of outlines would leave.

use std::collections::HashSet;

use geo::orient::Direction;
use geo::{
    Area as _, BooleanOps as _, BoundingRect as _, Euclidean, GeodesicArea as _, Intersects as _, Length as _,
    LineString, MapCoords as _, MultiPolygon, Orient as _, Polygon, Validation as _, coord,
};

use super::edges::{Edges, edges};
use super::position::Metres;
use super::snap::noded;

/// Thinner than this on the average, in metres, is what rounding to 1e-8° leaves along an edge.
const THIN_M: f64 = 0.003;
/// The same where vertices are drawn to those that there are: what one place on an edge is beside it.
const FINE_M: f64 = 0.000_5;

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
        Self::wider(outline, THIN_M)
    }

    fn wider(outline: MultiPolygon<f64>, than: f64) -> Option<Self> {
        let outline = MultiPolygon::new(outline.into_iter().flat_map(|polygon| wider_than(polygon, than)).collect());
        (!outline.0.is_empty()).then(|| Self { square_metres: square_metres(&outline), outline })
    }

    /// Each of its polygons by itself.
    pub fn pieces(self) -> impl Iterator<Item = Self> {
        self.outline.into_iter().map(|polygon| {
            let outline = MultiPolygon::new(vec![polygon]);
            Self { square_metres: square_metres(&outline), outline }
        })
    }
}

/// The parts of a polygon that are wider on the average, without the thread that an overlay leaves along an edge, if one makes
/// it thin.
fn wider_than(polygon: Polygon<f64>, than: f64) -> Vec<Polygon<f64>> {
    if is_wider(&polygon, than) {
        return vec![polygon];
    }
    let mut edges = Edges::default();
    edges.add(&MultiPolygon::new(vec![polygon]), 1);
    edges.noded().pieces().into_iter().filter(|piece| is_wider(piece, than)).collect()
}

fn is_wider(polygon: &Polygon<f64>, than: f64) -> bool {
    let Some(first) = polygon.exterior().0.first() else { return false };
    let metres = Metres::at(first.y);
    let (x0, y0) = (first.x, first.y);
    let plane = polygon.map_coords(|at| {
        coord! {
            x: (at.x - x0) * metres.per_degree_east, y: (at.y - y0) * metres.per_degree_north,
        }
    });
    let edges = Euclidean.length(plane.exterior()) + plane.interiors().iter().map(|r| Euclidean.length(r)).sum::<f64>();
    2.0 * plane.unsigned_area() > than * edges
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

/// Ground that two outlines come to share, as finely as vertices fit: what they shared when they were as `were` is no news.
pub fn newly_shared(
    a: &MultiPolygon<f64>,
    b: &MultiPolygon<f64>,
    were: Option<(&MultiPolygon<f64>, &MultiPolygon<f64>)>,
) -> Option<Ground> {
    let shared = a.intersection(b);
    let news = match were {
        Some((a, b)) => shared.difference(&a.intersection(b)),
        None => shared,
    };
    Ground::wider(news, FINE_M)
}

/// The ground of `before` that is not in `after`, as finely as vertices fit.
pub fn newly_lost(before: &MultiPolygon<f64>, after: &MultiPolygon<f64>) -> Option<Ground> {
    Ground::wider(before.difference(after), FINE_M)
}

/// Whether the boxes around two outlines meet: only then the outlines may.
pub fn near(a: &MultiPolygon<f64>, b: &MultiPolygon<f64>) -> bool {
    a.bounding_rect().zip(b.bounding_rect()).is_some_and(|(a, b)| a.intersects(&b))
}

/// Whether two outlines are of the same ground, but for what rounding leaves.
pub fn is_same_ground(a: &MultiPolygon<f64>, b: &MultiPolygon<f64>) -> bool {
    a == b || (lost(a, b).is_none() && lost(b, a).is_none())
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
    let drawn = outline.difference(&union(given.iter().copied())).union(&union(taken.iter().copied()));
    if is_same_ground(outline, &drawn) {
        return None;
    }
    let after = settled(drawn)?;
    // Where all of them fit vertex by vertex, so does what they come to.
    let mut edges = Edges::default();
    edges.add(outline, 1);
    given.iter().for_each(|area| edges.add(area, -1));
    taken.iter().for_each(|area| edges.add(area, 1));
    // Between those that do not, slivers are left.
    let fits = edges.outline().map(wide).filter(|exact| exact.is_valid() && is_same_ground(exact, &after));
    Some(fits.unwrap_or(after))
}

/// Two outlines as one that lie beside each other, without the edges that both have: how long these are, in degrees, and what
/// the two come to. `None` where they have none in common, or it would be no outline.
pub fn joined(a: &MultiPolygon<f64>, b: &MultiPolygon<f64>) -> Option<(f64, MultiPolygon<f64>)> {
    let [of_a, of_b] = [noded(a, [b]), noded(b, [a])];
    let there: HashSet<_> = edges(&of_a).collect();
    let both = edges(&of_b).filter(|(from, to)| there.contains(&(*to, *from)));
    let along: f64 = both.map(|(from, to)| ((to.0 - from.0) as f64).hypot((to.1 - from.1) as f64) / 1e8).sum();
    if along <= CORNER {
        return None;
    }
    let mut sum = Edges::default();
    sum.add(&of_a, 1);
    sum.add(&of_b, 1);
    let fits = |joined: &MultiPolygon<f64>| {
        joined.is_valid()
            && lost(a, joined).is_none()
            && lost(b, joined).is_none()
            && lost(&joined.difference(a), b).is_none()
    };
    let joined = sum.outline().map(wide).filter(fits).or_else(|| exchange(a, &[], &[b]))?;
    Some((along, joined))
}

/// Edges shorter than this, in degrees, are a corner.
const CORNER: f64 = 1e-6;

/// The ground of a whole that none of its parts has, each connected piece with the vertices that it has there: those of
/// `left`, which lies where that ground is, where edges do not tell.
pub fn pieces<'a>(
    whole: &MultiPolygon<f64>,
    parts: impl IntoIterator<Item = &'a MultiPolygon<f64>>,
    left: &MultiPolygon<f64>,
) -> Vec<MultiPolygon<f64>> {
    // With every vertex on an edge in it, or what is left would have spikes along that edge.
    let mut edges = Edges::default();
    edges.add(whole, 1);
    parts.into_iter().for_each(|part| edges.add(part, -1));
    let mut pieces = Vec::new();
    for piece in wide(edges.noded().pieces()) {
        let piece = MultiPolygon::new(vec![piece]);
        if piece.is_valid() && lost(&piece, left).is_none() {
            pieces.push(piece);
        }
    }
    let rest = lost(left, &union(&pieces)).map(|rest| exact(rest.outline));
    let rest = rest.into_iter().flatten().map(|polygon| MultiPolygon::new(vec![polygon]));
    pieces.extend(rest.filter(geo::Validation::is_valid));
    pieces
}

/// An outline to 1e-8°, whatever rounding does to it: a corner may come across an edge. `None` where it is none then.
pub fn settled(outline: MultiPolygon<f64>) -> Option<MultiPolygon<f64>> {
    let mut settled = exact(outline);
    for _ in 0..REDRAWN {
        if settled.is_valid() {
            break;
        }
        settled = exact(settled.union(&MultiPolygon::new(Vec::new())));
    }
    settled.is_valid().then_some(settled)
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
    let rounded = wide(outline)
        .into_iter()
        .map(|polygon| Polygon::new(ring(polygon.exterior()), polygon.interiors().iter().map(ring).collect()));
    let rounded = MultiPolygon::new(rounded.collect()).orient(Direction::Default);
    if rounded.is_valid() {
        return rounded;
    }
    // An overlay goes around ground that touches itself in one ring, and rounding moves a corner across an edge.
    let mut edges = Edges::default();
    edges.add(&rounded, 1);
    edges.noded().outline().map_or(rounded, wide)
}

/// An outline without what is no ground and no hole.
fn wide(outline: MultiPolygon<f64>) -> MultiPolygon<f64> {
    let wide = outline.into_iter().flat_map(|polygon| wider_than(polygon, THIN_M)).map(|polygon| {
        let (exterior, holes) = polygon.into_inner();
        let holes = holes.into_iter().flat_map(|hole| wider_than(Polygon::new(hole, Vec::new()), THIN_M));
        Polygon::new(exterior, holes.map(|hole| hole.into_inner().0).collect())
    });
    MultiPolygon::new(wide.collect())
}

#[cfg(test)]
mod tests {
    use geo::Rect;
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

    #[test]
    fn neighbours_become_one_along_what_they_share() {
        let (west, east) = (rect(120.37, 36.11, 120.379, 36.13), rect(120.379, 36.115, 120.38, 36.13));
        let (along, both) = joined(&west, &east).unwrap();
        assert!((along - 0.015).abs() < 1e-9 && both.0.len() == 1 && both.0[0].exterior().0.len() == 8, "{both:?}");
        assert_eq!(joined(&west, &rect(120.379, 36.13, 120.38, 36.14)), None);
        let hole = rect(120.372, 36.112, 120.373, 36.113);
        let mut around = west.clone();
        around.0[0].interiors_push(hole.0[0].exterior().clone());
        assert!(joined(&around, &hole).unwrap().1.0[0].interiors().is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
        /// Where a neighbour has a vertex that the outline has not.
        #[test]
        fn what_is_exchanged_stays_an_outline(
            slope in -2_000_000..2_000_000_i64, x in 100_000..900_000_i64, (east, north) in (-90_000..90_000_i64, -90_000..90_000_i64),
        ) {
            is_exchanged(slope, x, east, north);
        }
    }

    /// Where rounding moves a corner of a hole, or of another part, across an edge.
    #[test]
    fn what_rounding_moves_across_an_edge_is_exchanged_too() {
        is_exchanged(-1_408_376, 171_239, -86_417, -29_648);
        is_exchanged(-807_750, 886_693, -68_831, -27_007);
        // An overlay leaves a thread along the edge that the new corner is beside.
        is_exchanged(-1_629_390, 121_433, 23_906, -38_994);
    }

    fn is_exchanged(slope: i64, x: i64, east: i64, north: i64) {
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
        assert_eq!(changed.is_some(), come.is_some() || lost(&before, &after).is_some());
        if let Some(changed) = changed {
            assert!(changed.is_valid(), "{changed:?}");
            assert_eq!(lost(&after, &changed), None, "all that was taken is in it");
            assert_eq!(overlap(&given, &changed), None, "nothing that was given is");
            assert_eq!(lost(&whole.difference(&before), &changed), None, "nor is anything else lost");
            assert_eq!(lost(&changed, &whole.union(&after)), None, "or come");
        }
    }

    #[test]
    fn news_are_told_from_a_millimetre_on_and_what_was_so_is_none() {
        let (west, east) = (rect(120.37, 36.11, 120.38, 36.13), rect(120.38, 36.11, 120.39, 36.13));
        let over = rect(120.379_999_98, 36.11, 120.39, 36.13);
        assert_eq!(overlap(&west, &over), None);
        assert!(newly_shared(&west, &over, None).is_some());
        assert!(newly_shared(&west, &over, Some((&west, &east))).is_some());
        assert_eq!(newly_shared(&west, &over, Some((&west, &over))), None);
        assert_eq!(newly_shared(&west, &east, None), None);
        assert_eq!(lost(&over, &east), None);
        assert!(newly_lost(&over, &east).is_some());
        assert_eq!(newly_lost(&east, &over), None);
    }

    #[test]
    fn ground_of_none_is_told_by_the_vertices_around_it() {
        let whole = rect(120.37, 36.11, 120.39, 36.13);
        let (west, east) = (rect(120.37, 36.11, 120.38, 36.13), rect(120.38, 36.12, 120.39, 36.13));
        let gap = whole.difference(&union([&west, &east]));
        // The western one has no vertex where the gap's corner is: it lies on the eastern one's.
        let found = pieces(&whole, [&west, &east], &gap);
        assert!(found.len() == 1 && found[0].0[0].exterior().0.len() == 5, "{found:?}");
        assert_eq!(newly_shared(&found[0], &union([&west, &east]), None), None);
        assert_eq!(newly_lost(&gap, &found[0]), None);
        // Nor has the whole one where the gap begins.
        let (west, east) = (rect(120.37, 36.11, 120.379, 36.13), rect(120.381, 36.11, 120.39, 36.13));
        let found = pieces(&whole, [&west, &east], &whole.difference(&union([&west, &east])));
        assert!(found.len() == 1 && found[0].0[0].exterior().0.len() == 5, "{found:?}");
        let closed = exchange(&west, &[], &[&found[0]]).unwrap();
        assert_eq!(newly_lost(&rect(120.37, 36.11, 120.381, 36.13), &closed), None, "{closed:?}");
        // Edges that cross tell nothing, but the ground is there.
        let slant = MultiPolygon::new(vec![Polygon::new(
            LineString::new(
                [(120.375, 36.11), (120.39, 36.125), (120.39, 36.11)].map(|(x, y)| coord! { x: x, y: y }).into(),
            ),
            Vec::new(),
        )]);
        let parts = [west, slant, rect(120.38, 36.125, 120.39, 36.13)];
        let gap = whole.difference(&union(&parts));
        let found = pieces(&whole, &parts, &gap);
        assert!(found.len() == 1 && found[0].is_valid() && lost(&gap, &found[0]).is_none(), "{found:?}");
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
