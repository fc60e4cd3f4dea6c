//! Outlines as integers: point in polygon, exactly, and what is drawn of them.

use geo::{BoundingRect as _, MultiPolygon};

use super::frame::{Box32, Frame, Ruler, Spot};

/// Where a spot lies to an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Outside,
    /// Within one unit (1e-8°, about 1 mm) of an edge: the middle of an edge, rounded, is hardly
    /// ever collinear with its ends.
    Edge,
    Inside,
}

/// A closed ring.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) spots: Box<[Spot]>,
    /// Whether it is a hole in the last ring before it that is none.
    pub(super) hole: bool,
    /// How far south and north each [`RUN`] of edges reaches, one unit more: most runs are passed by at once.
    runs: Box<[(i32, i32)]>,
}

/// The rings of a multipolygon, outer and inner alike: a valid multipolygon is what an odd
/// number of them enclose.
#[derive(Debug)]
pub(super) struct Area {
    rings: Box<[Ring]>,
    low: Spot,
    high: Spot,
}

/// Edges of a run.
const RUN: usize = 16;

impl Ring {
    fn new(spots: Box<[Spot]>, hole: bool) -> Self {
        let reach = |run: &[Spot]| {
            let low = run.iter().map(|spot| spot.y).min().unwrap_or(0);
            let high = run.iter().map(|spot| spot.y).max().unwrap_or(0);
            (low.saturating_sub(1), high.saturating_add(1))
        };
        let starts = (0..spots.len().saturating_sub(1)).step_by(RUN);
        let runs = starts.map(|start| reach(&spots[start..spots.len().min(start + RUN + 1)])).collect();
        Self { spots, hole, runs }
    }

    fn edges(&self) -> impl Iterator<Item = (Spot, Spot)> {
        self.spots.windows(2).map(|pair| (pair[0], pair[1]))
    }

    /// The edges of the runs that reach this far north.
    fn edges_at(&self, y: i32) -> impl Iterator<Item = (Spot, Spot)> {
        let near = self.runs.iter().enumerate().filter(move |(_, (low, high))| (*low..=*high).contains(&y));
        near.flat_map(|(run, _)| {
            let end = self.spots.len().min((run + 1) * RUN + 1);
            self.spots[run * RUN..end].windows(2).map(|pair| (pair[0], pair[1]))
        })
    }
}

impl Area {
    /// `None` when the outline is empty or reaches further than 10° from the frame's origin.
    pub(super) fn new(outline: &MultiPolygon<f64>, frame: Frame) -> Option<Self> {
        let rings = outline.iter().flat_map(|polygon| {
            let holes = polygon.interiors().iter().map(|ring| (ring, true));
            std::iter::once((polygon.exterior(), false)).chain(holes)
        });
        let rings = rings.map(|(ring, hole)| {
            // Not collected: a vector that has grown keeps, cut to size, the block that it had grown to.
            let mut spots = Vec::with_capacity(ring.0.len());
            for c in ring.coords() {
                spots.push(frame.spot(c.x, c.y)?);
            }
            Some(Ring::new(spots.into_boxed_slice(), hole))
        });
        let rect = outline.bounding_rect()?;
        Some(Self {
            rings: rings.collect::<Option<_>>()?,
            low: frame.spot(rect.min().x, rect.min().y)?,
            high: frame.spot(rect.max().x, rect.max().y)?,
        })
    }

    pub(super) fn envelope(&self) -> Box32 {
        Box32::from_corners(self.low.corner(), self.high.corner())
    }

    fn edges(&self) -> impl Iterator<Item = (Spot, Spot)> {
        self.rings.iter().flat_map(Ring::edges)
    }

    pub(super) fn rings(&self) -> &[Ring] {
        &self.rings
    }

    /// The south-west and north-east corners.
    pub(super) fn corners(&self) -> (Spot, Spot) {
        (self.low, self.high)
    }

    /// A spot inside, away from the edges where that is easily had: in the middle of the widest crossing of
    /// three lines from west to east, at the half and the quarters of the height. The same for the same outline.
    pub(super) fn label(&self) -> Spot {
        let (low, height) = (i64::from(self.low.y), i64::from(self.high.y) - i64::from(self.low.y));
        let mut widest = (0, self.low);
        for quarters in [2, 1, 3] {
            let y = low + height * quarters / 4;
            // An edge counts with its lower end and without its upper one, so a line through a corner is cut once.
            let cut = self.edges().filter(|(a, b)| (i64::from(a.y) > y) != (i64::from(b.y) > y));
            let mut cuts: Vec<i64> = cut
                .map(|(a, b)| {
                    let (dx, dy) = difference(a, b);
                    i64::from(a.x) + dx * (y - i64::from(a.y)) / dy
                })
                .collect();
            cuts.sort_unstable();
            for pair in cuts.chunks_exact(2) {
                let middle = i64::midpoint(pair[0], pair[1]);
                if pair[1] - pair[0] > widest.0
                    && let (Ok(x), Ok(y)) = (i32::try_from(middle), i32::try_from(y))
                {
                    widest = (pair[1] - pair[0], Spot { x, y });
                }
            }
        }
        widest.1
    }

    pub(super) fn side(&self, p: Spot) -> Side {
        let out = |low: i32, p: i32, high: i32| p < low.saturating_sub(1) || p > high.saturating_add(1);
        if out(self.low.x, p.x, self.high.x) || out(self.low.y, p.y, self.high.y) {
            return Side::Outside;
        }
        let mut inside = false;
        for (a, b) in self.rings.iter().flat_map(|ring| ring.edges_at(p.y)) {
            // A ray to the east passes by edges that end above, below or west of the spot.
            let (low, high) = if a.y < b.y { (a.y, b.y) } else { (b.y, a.y) };
            if p.y < low - 1 || p.y > high + 1 || p.x > a.x.max(b.x) + 1 {
                continue;
            }
            let straddles = (a.y > p.y) != (b.y > p.y);
            if p.x < a.x.min(b.x) - 1 {
                inside ^= straddles;
                continue;
            }
            if touches(a, b, p) {
                return Side::Edge;
            }
            inside ^= straddles && ((cross(a, b, p) > 0) == (b.y > a.y));
        }
        if inside { Side::Inside } else { Side::Outside }
    }

    /// Metres to the nearest edge from the ruler's spot.
    pub(super) fn distance_m(&self, ruler: &Ruler) -> f64 {
        let squared = self.edges().map(|(a, b)| {
            let (ax, ay) = ruler.metres_to(a);
            let (bx, by) = ruler.metres_to(b);
            let (dx, dy) = (bx - ax, by - ay);
            let along = -(ax * dx + ay * dy) / (dx * dx + dy * dy).max(f64::MIN_POSITIVE);
            let along = along.clamp(0.0, 1.0);
            let (x, y) = (ax + along * dx, ay + along * dy);
            x * x + y * y
        });
        squared.fold(f64::INFINITY, f64::min).sqrt()
    }
}

fn difference(a: Spot, b: Spot) -> (i64, i64) {
    (i64::from(b.x) - i64::from(a.x), i64::from(b.y) - i64::from(a.y))
}

/// Twice the signed area of the triangle. Spots lie within 10° of the origin, so differences are
/// below 2e9 and two products below 8e18: no overflow.
fn cross(a: Spot, b: Spot, p: Spot) -> i64 {
    let ((dx, dy), (px, py)) = (difference(a, b), difference(a, p));
    dx * py - dy * px
}

/// Whether the spot lies within one unit of the edge.
fn touches(a: Spot, b: Spot, p: Spot) -> bool {
    let ((dx, dy), (px, py), (qx, qy)) = (difference(a, b), difference(a, p), difference(b, p));
    let (length2, along) = (dx * dx + dy * dy, dx * px + dy * py);
    if along <= 0 {
        px * px + py * py <= 1
    } else if along >= length2 {
        qx * qx + qy * qy <= 1
    } else {
        let area = i128::from(cross(a, b, p));
        area * area <= i128::from(length2)
    }
}
