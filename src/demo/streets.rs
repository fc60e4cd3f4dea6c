//! Where covers can lie: places along the streets, each nearer to its own street than to others.

use super::areas::{Areas, Class};
use super::mesh::pairs;
use super::plane::{Point, count, distance, minus, plus, to_piece, unit};
use super::rng::Rng;
use super::utilities::{Along, Utility};

/// A street between two junctions.
pub(super) struct Segment {
    path: Vec<u32>,
    pub(super) class: Class,
    /// The street that it is a piece of.
    pub(super) street: u32,
    pub(super) middle: Point,
}

/// A place for a cover.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) at: Point,
    /// Metres from the street's middle, to either side.
    pub(super) off: f64,
}

/// The district's streets and where each runs.
pub(super) struct Streets<'a> {
    points: &'a [Point],
    pub(super) segments: Vec<Segment>,
    index: EdgeIndex,
    seed: u64,
}

impl Class {
    /// Half the carriageway, in metres.
    pub(super) const fn half_width(self) -> f64 {
        match self {
            Self::Arterial => 11.5,
            Self::Secondary => 7.5,
            Self::Local => 5.0,
            Self::Lane => 3.4,
        }
    }
}

/// How much nearer a place must be to its own street than to any other: two places of different
/// streets are then at least 1.5 m apart, by the triangle inequality.
const OWN: f64 = 1.6;
/// Dense worlds lay up to so many pipes of a category side by side, so many metres apart.
const PIPES: i32 = 3;
const BESIDE: f64 = 2.1;

impl<'a> Streets<'a> {
    pub(super) fn of(areas: &'a Areas, seed: u64) -> Self {
        let mut segments = Vec::new();
        for (street, number) in areas.streets.iter().zip(0_u32..) {
            let mut path: Vec<u32> = Vec::new();
            for &id in &street.path {
                path.push(id);
                if path.len() > 1 && areas.mesh.degree[id as usize] > 2 {
                    let middle = areas.mesh.middle(&path);
                    segments.push(Segment { path, class: street.class, street: number, middle });
                    path = vec![id];
                }
            }
        }
        let index = EdgeIndex::of(areas, &segments);
        Self { points: &areas.mesh.points, segments, index, seed }
    }

    /// Calls `take` with every place for a utility along a segment. `density` 1 is realistic,
    /// more packs them closer.
    pub(super) fn slots(&self, segment: usize, utility: &Utility, density: f64, mut take: impl FnMut(Slot)) {
        let piece = &self.segments[segment];
        let line = Line::along(piece.path.iter().map(|&id| self.points[id as usize]));
        let half = piece.class.half_width();
        let mut rng = Rng::keyed(self.seed, [2, segment as u64, u64::from(utility.category)]);
        let pipes = [1, 2, PIPES][count((density / 12.0).floor()).min(2)];
        let spacing = (utility.spacing / density * f64::from(pipes)).max(2.3);
        let jitter = (spacing * 0.12).min((spacing - 2.0) / 2.0);
        let lateral = utility.lateral(half);
        let sides: &[f64] = if utility.along == Along::Kerbs { &[1.0, -1.0] } else { &[1.0] };
        let start = 4.0 + rng.unit() * spacing.min(9.0);
        let mut walked = start;
        while walked < line.length() - 4.0 {
            let at = walked + rng.between(-jitter, jitter);
            for pipe in 0..pipes {
                let beside = f64::from(pipe) * BESIDE * if lateral < 0.0 { -1.0 } else { 1.0 };
                for side in sides {
                    // A pipe is not laid to the centimetre.
                    let off = (lateral + beside) * side + 0.15 * rng.between(-1.0, 1.0);
                    let place = line.at(at, off);
                    if self.index.is_free(place, off.abs() + OWN, segment) {
                        take(Slot { at: place, off: off.abs() });
                    }
                }
            }
            walked += spacing;
        }
    }
}

/// A street's course with its length so far and smoothed normals at each vertex.
struct Line {
    points: Vec<Point>,
    walked: Vec<f64>,
    normals: Vec<Point>,
}

impl Line {
    fn along(points: impl Iterator<Item = Point>) -> Self {
        let points: Vec<Point> = points.collect();
        let mut walked = vec![0.0];
        for pair in points.windows(2) {
            walked.push(walked[walked.len() - 1] + distance(pair[0], pair[1]));
        }
        let last = points.len() - 1;
        let normals = (0..=last).map(|k| {
            let [x, y] = unit(minus(points[(k + 1).min(last)], points[k.saturating_sub(1)]));
            [-y, x]
        });
        Self { normals: normals.collect(), points, walked }
    }

    fn length(&self) -> f64 {
        self.walked[self.walked.len() - 1]
    }

    /// The point so far along and so far to the left.
    fn at(&self, walked: f64, off: f64) -> Point {
        let k = self.walked.partition_point(|&w| w <= walked).clamp(1, self.points.len() - 1) - 1;
        let t = (walked - self.walked[k]) / (self.walked[k + 1] - self.walked[k]);
        let on = plus(self.points[k], minus(self.points[k + 1], self.points[k]), t);
        let normal = plus(self.normals[k], minus(self.normals[k + 1], self.normals[k]), t);
        plus(on, unit(normal), off)
    }
}

/// Edges of streets and of the outline by the cells of a chequered plane.
struct EdgeIndex {
    origin: Point,
    columns: usize,
    rows: usize,
    /// Where each cell's edges begin in `edges`.
    starts: Vec<u32>,
    edges: Vec<Edge>,
}

#[derive(Clone, Copy)]
struct Edge {
    a: Point,
    b: Point,
    segment: u32,
}

const CELL: f64 = 24.0;
/// The outline is nobody's street.
const OUTLINE: u32 = u32::MAX;

impl EdgeIndex {
    fn of(areas: &Areas, segments: &[Segment]) -> Self {
        let edge = |a: u32, b: u32, segment| Edge { a: areas.mesh.point(a), b: areas.mesh.point(b), segment };
        let mut all: Vec<Edge> = pairs(&areas.outline).map(|(a, b)| edge(a, b, OUTLINE)).collect();
        for (segment, number) in segments.iter().zip(0_u32..) {
            all.extend(segment.path.windows(2).map(|w| edge(w[0], w[1], number)));
        }
        let points = &areas.mesh.points;
        let far = |axis: usize, best: fn(f64, f64) -> f64| points.iter().map(|p| p[axis]).reduce(best).unwrap_or(0.0);
        let origin = [far(0, f64::min) - CELL, far(1, f64::min) - CELL];
        let size = |axis: usize| count(((far(axis, f64::max) - origin[axis]) / CELL).ceil()) + 2;
        let mut index = Self { origin, columns: size(0), rows: size(1), starts: Vec::new(), edges: Vec::new() };
        let mut placed: Vec<(usize, Edge)> = Vec::with_capacity(all.len() * 2);
        for edge in all {
            let low = [edge.a[0].min(edge.b[0]), edge.a[1].min(edge.b[1])];
            let high = [edge.a[0].max(edge.b[0]), edge.a[1].max(edge.b[1])];
            index.each_cell(low, high, |cell| placed.push((cell, edge)));
        }
        placed.sort_by_key(|(cell, _)| *cell);
        let mut starts = vec![0; index.columns * index.rows + 1];
        for (cell, _) in &placed {
            starts[cell + 1] += 1;
        }
        for k in 1..starts.len() {
            starts[k] += starts[k - 1];
        }
        index.starts = starts;
        index.edges = placed.into_iter().map(|(_, edge)| edge).collect();
        index
    }

    fn each_cell(&self, low: Point, high: Point, mut visit: impl FnMut(usize)) {
        let cell =
            |value: f64, axis: usize, most: usize| count(((value - self.origin[axis]) / CELL).floor()).min(most - 1);
        for row in cell(low[1], 1, self.rows)..=cell(high[1], 1, self.rows) {
            for column in cell(low[0], 0, self.columns)..=cell(high[0], 0, self.columns) {
                visit(row * self.columns + column);
            }
        }
    }

    /// Whether no other street, nor the outline, comes within `reach` of a point.
    fn is_free(&self, at: Point, reach: f64, own: usize) -> bool {
        let mut free = true;
        self.each_cell(plus(at, [reach; 2], -1.0), plus(at, [reach; 2], 1.0), |cell| {
            let edges = self.starts[cell] as usize..self.starts[cell + 1] as usize;
            free = free
                && self.edges[edges]
                    .iter()
                    .all(|edge| edge.segment as usize == own || to_piece(at, edge.a, edge.b) >= reach);
        });
        free
    }
}
