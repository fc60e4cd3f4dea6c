//! Cutting an area along streets. All areas share one list of vertices, and a cut runs from one
//! vertex of an area's ring to another and never adds a vertex to the ring: so whatever is cut
//! later on either side, two neighbours always have the same vertices on their shared edge.

use super::plane::{Frame, Point, Vertex, cross, distance, dot, length, minus, orientation, plus, to_piece, unit};
use super::rng::Rng;

/// An area's ring, counter-clockwise, not closed: indices of the mesh's vertices.
pub(super) type Ring = Vec<u32>;

/// Units of 1e-8° to which vertices are rounded: 1e-7°, about 1 cm, keeps the files small.
pub(super) const STEP: i64 = 10;
/// The best cuts that are looked at closely.
const SHORT_LIST: usize = 24;
/// Longer rings are looked at by every second, third… vertex.
const LOOKED_AT: usize = 260;

/// What is asked of a cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// The first part's share of the area.
    pub(super) share: f64,
    /// Where the first part should lie, as seen from the second.
    pub(super) towards: Option<Point>,
    /// Fewest vertices of each part, and the most of each.
    pub(super) vertices: [usize; 2],
    pub(super) max_vertices: [usize; 2],
    /// Metres between the cut's vertices.
    pub(super) spacing: f64,
    /// How strongly the street may bend, as a share of its length.
    pub(super) bend: f64,
}

/// A cut that could be made: better with a lower score.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) score: f64,
    from: usize,
    to: usize,
    /// The first part is the ring from `from` to `to`, else the other one.
    forward: bool,
    pub(super) ask: Ask,
}

pub(super) struct Parts {
    pub(super) first: Ring,
    pub(super) second: Ring,
    /// The new street with both its ends.
    pub(super) street: Vec<u32>,
}

/// The vertices of all areas and streets.
pub(super) struct Mesh {
    pub(super) frame: Frame,
    pub(super) vertices: Vec<Vertex>,
    /// The same in metres.
    pub(super) points: Vec<Point>,
    /// Streets (or pieces of the outline) that meet at each vertex.
    pub(super) degree: Vec<u8>,
}

/// A ring made ready for looking at all its chords.
struct Survey {
    points: Vec<Point>,
    /// Sums over the ring so far: twice the area about the first point, and the length.
    doubled: Vec<f64>,
    walked: Vec<f64>,
    /// Directions to the next and to the previous vertices.
    ahead: Vec<Point>,
    behind: Vec<Point>,
    /// What an end at this vertex costs; infinite where none may be.
    end_cost: Vec<f64>,
}

impl Mesh {
    pub(super) fn new(frame: Frame) -> Self {
        Self { frame, vertices: Vec::new(), points: Vec::new(), degree: Vec::new() }
    }

    pub(super) fn round(&self, at: Point) -> Vertex {
        self.frame.vertex(at, STEP)
    }

    pub(super) fn add(&mut self, vertex: Vertex) -> u32 {
        self.vertices.push(vertex);
        self.points.push(self.frame.metres(vertex));
        self.degree.push(2);
        u32::try_from(self.vertices.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn point(&self, id: u32) -> Point {
        self.points[id as usize]
    }

    /// Square metres.
    pub(super) fn area(&self, ring: &[u32]) -> f64 {
        let origin = self.point(ring[0]);
        let turn = |a: u32, b: u32| cross(minus(self.point(a), origin), minus(self.point(b), origin));
        pairs(ring).map(|(a, b)| turn(a, b)).sum::<f64>() / 2.0
    }

    /// The mean of the ring's vertices.
    pub(super) fn middle(&self, ring: &[u32]) -> Point {
        let sum = ring.iter().fold([0.0, 0.0], |s, &id| plus(s, self.point(id), 1.0));
        [sum[0] / ring.len() as f64, sum[1] / ring.len() as f64]
    }

    fn survey(&self, ring: &[u32]) -> Survey {
        let n = ring.len();
        let points: Vec<Point> = ring.iter().map(|&id| minus(self.point(id), self.point(ring[0]))).collect();
        let mut doubled = vec![0.0];
        let mut walked = vec![0.0];
        for k in 0..n {
            let (a, b) = (points[k], points[(k + 1) % n]);
            doubled.push(doubled[k] + cross(a, b));
            walked.push(walked[k] + distance(a, b));
        }
        let reach = |k: usize, by: usize| unit(minus(points[(k + by) % n], points[k]));
        let meets = |k: usize| self.degree[ring[k % n] as usize];
        let end_cost = (0..n).map(|k| match meets(k) {
            4.. => f64::INFINITY,
            // Meeting a street that ends here from the other side makes a crossroads.
            3 => -0.12,
            // Staggered junctions a few metres apart are rare.
            _ if [1, 2, n - 1, n - 2].iter().any(|by| meets(k + by) > 2) => 0.4,
            _ => 0.0,
        });
        Survey {
            end_cost: end_cost.collect(),
            ahead: (0..n).map(|k| reach(k, 2)).collect(),
            behind: (0..n).map(|k| reach(k, n - 2)).collect(),
            points,
            doubled,
            walked,
        }
    }

    /// The best cuts for what is asked, best first; `tolerance` is relative to the smaller part.
    pub(super) fn candidates(&self, ring: &[u32], ask: Ask, tolerance: f64, rng: &mut Rng) -> Vec<Candidate> {
        let survey = self.survey(ring);
        let along = street_direction(self.middle(ring));
        let n = ring.len();
        let stride = n.div_ceil(LOOKED_AT);
        let mut best: Vec<Candidate> = Vec::with_capacity(SHORT_LIST + 1);
        for from in (0..n).step_by(stride) {
            for to in (from + 3..n).step_by(stride) {
                for forward in [true, false] {
                    let Some(score) = survey.score(from, to, forward, ask, tolerance, along) else { continue };
                    let score = score + 0.08 * rng.unit();
                    if best.len() < SHORT_LIST || best.last().is_some_and(|worst| score < worst.score) {
                        let place = best.partition_point(|c| c.score <= score);
                        best.insert(place, Candidate { score, from, to, forward, ask });
                        best.truncate(SHORT_LIST);
                    }
                }
            }
        }
        best
    }

    /// Makes the cut, if a street that bends a little, or at least a straight one, stays clear of
    /// the ring.
    pub(super) fn cut(&mut self, ring: &[u32], wish: Candidate, rng: &mut Rng) -> Option<Parts> {
        let (a, b) = (self.point(ring[wish.from]), self.point(ring[wish.to]));
        let whole = length(minus(b, a));
        let steps = (1..100_000).find(|&k| f64::from(k) * wish.ask.spacing >= whole).unwrap_or(1).max(2);
        let (bow, sway) = (rng.between(-1.0, 1.0) * wish.ask.bend, rng.between(-0.6, 0.6) * wish.ask.bend);
        let wobble: Vec<f64> = (1..steps).map(|_| rng.between(-0.3, 0.3)).collect();
        let across = [(a[1] - b[1]) / whole, (b[0] - a[0]) / whole];
        let inner = [1.0, 0.5, 0.2, 0.0].into_iter().find_map(|strength| {
            let inner: Vec<Vertex> = wobble
                .iter()
                .zip(1..)
                .map(|(wobble, k)| {
                    let t = f64::from(k) / f64::from(steps);
                    let swing = t * (1.0 - t) * (4.0 * bow + 20.0 * sway * (0.5 - t));
                    self.round(plus(plus(a, minus(b, a), t), across, strength * (whole * swing + wobble)))
                })
                .collect();
            self.is_clear(ring, wish.from, wish.to, &inner).then_some(inner)
        })?;
        Some(self.divide(ring, wish, &inner))
    }

    fn divide(&mut self, ring: &[u32], wish: Candidate, inner: &[Vertex]) -> Parts {
        let inner: Vec<u32> = inner.iter().map(|&v| self.add(v)).collect();
        let (from, to) = (wish.from, wish.to);
        for end in [ring[from], ring[to]] {
            self.degree[end as usize] += 1;
        }
        let mut street = vec![ring[from]];
        street.extend(&inner);
        street.push(ring[to]);
        let mut one = ring[from..=to].to_vec();
        one.extend(inner.iter().rev());
        let mut other = ring[to..].to_vec();
        other.extend(&ring[..=from]);
        other.extend(&inner);
        let (first, second) = if wish.forward { (one, other) } else { (other, one) };
        Parts { first, second, street }
    }

    /// Whether the new street crosses nothing, keeps its distance and lies inside.
    fn is_clear(&self, ring: &[u32], from: usize, to: usize, inner: &[Vertex]) -> bool {
        let (start, end) = (self.vertices[ring[from] as usize], self.vertices[ring[to] as usize]);
        let points: Vec<Point> = inner.iter().map(|&v| self.frame.metres(v)).collect();
        let (a, b) = (self.point(ring[from]), self.point(ring[to]));
        let keeps: Vec<f64> = points.iter().map(|&p| (0.35 * distance(p, a).min(distance(p, b))).min(9.0)).collect();
        let mut path = vec![start];
        path.extend(inner);
        path.push(end);
        let reach = Box2::around(&path);
        let mut inside = false;
        for (c, d) in pairs(ring) {
            let (vc, vd) = (self.vertices[c as usize], self.vertices[d as usize]);
            let (pc, pd) = (self.point(c), self.point(d));
            if (pc[1] > points[0][1]) != (pd[1] > points[0][1]) {
                let x = pc[0] + (points[0][1] - pc[1]) / (pd[1] - pc[1]) * (pd[0] - pc[0]);
                inside ^= points[0][0] < x;
            }
            if !reach.is_near(vc) && !reach.is_near(vd) {
                continue;
            }
            if points.iter().zip(&keeps).any(|(&p, &keep)| to_piece(p, pc, pd) < keep) {
                return false;
            }
            let apart = |v: Vertex| v != vc && v != vd;
            if path.windows(2).any(|w| apart(w[0]) && apart(w[1]) && do_cross(w[0], w[1], vc, vd)) {
                return false;
            }
        }
        inside
    }
}

impl Survey {
    fn score(&self, from: usize, to: usize, forward: bool, ask: Ask, tolerance: f64, along: Point) -> Option<f64> {
        let n = self.points.len();
        let (a, b) = (self.points[from], self.points[to]);
        let total = self.doubled[n] / 2.0;
        let area = f64::midpoint(self.doubled[to] - self.doubled[from], cross(b, a));
        let share = if forward { area / total } else { 1.0 - area / total };
        let miss = (share - ask.share).abs() / ask.share.min(1.0 - ask.share);
        if miss > tolerance {
            return None;
        }
        let chord = minus(b, a);
        let long = length(chord);
        let u = [chord[0] / long, chord[1] / long];
        let back = [-u[0], -u[1]];
        let sharp = |k: usize, way: Point| dot(way, self.ahead[k]).max(dot(way, self.behind[k])).max(0.0);
        let (sharp_from, sharp_to) = (sharp(from, u), sharp(to, back));
        let steps = count_steps(long, ask.spacing);
        let vertices = [to - from + steps, n - (to - from) + steps];
        let vertices = if forward { vertices } else { [vertices[1], vertices[0]] };
        let fits = (0..2).all(|k| vertices[k] >= ask.vertices[k] && vertices[k] <= ask.max_vertices[k]);
        if !fits || sharp_from > 0.75 || sharp_to > 0.75 {
            return None;
        }
        let walk = self.walked[to] - self.walked[from];
        let thin = |walk: f64, area: f64| (walk + long).powi(2) / (16.0 * area);
        let (thin_one, thin_two) = (thin(walk, area), thin(self.walked[n] - walk, total - area));
        let askew = 4.0 * (dot(u, along) * cross(u, along)).powi(2);
        let side = ask.towards.map_or(0.0, |way| {
            let lies = dot([u[1], -u[0]], way);
            1.0 - if forward { lies } else { -lies }
        });
        Some(
            thin_one.max(thin_two)
                + 0.3 * (thin_one + thin_two)
                + 2.0 * miss * miss
                + 0.5 * askew
                + 1.5 * side
                + 0.6 * (sharp_from * sharp_from + sharp_to * sharp_to)
                + self.end_cost[from]
                + self.end_cost[to],
        )
        .filter(|score| score.is_finite())
    }
}

/// The way streets run at a point, or across it: turning slowly over the district, as the old
/// town's net, laid out along the harbour, is turned against the newer quarters'.
fn street_direction(at: Point) -> Point {
    let angle = 0.35 + 0.55 * (at[1] / 3_300.0).sin() + 0.45 * (at[0] / 2_600.0 + 0.8).sin();
    [angle.cos(), angle.sin()]
}

fn count_steps(long: f64, spacing: f64) -> usize {
    super::plane::count((long / spacing).ceil()).max(2)
}

/// Every edge of a ring.
pub(super) fn pairs(ring: &[u32]) -> impl Iterator<Item = (u32, u32)> + '_ {
    ring.iter().copied().zip(ring.iter().copied().cycle().skip(1))
}

fn do_cross(a: Vertex, b: Vertex, c: Vertex, d: Vertex) -> bool {
    let (p, q) = (orientation(a, b, c).signum(), orientation(a, b, d).signum());
    let (r, s) = (orientation(c, d, a).signum(), orientation(c, d, b).signum());
    p * q <= 0 && r * s <= 0
}

/// A box in 1e-8°, for skipping what is far away.
struct Box2 {
    low: Vertex,
    high: Vertex,
}

impl Box2 {
    fn around(path: &[Vertex]) -> Self {
        let of = |f: fn(&Vertex) -> i64| {
            let (low, high) = path.iter().map(f).fold((i64::MAX, i64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            (low, high)
        };
        let ((west, east), (south, north)) = (of(|v| v.lon), of(|v| v.lat));
        Self { low: Vertex { lon: west, lat: south }, high: Vertex { lon: east, lat: north } }
    }

    /// Within about 35 m, more than twice the length of any edge.
    fn is_near(&self, v: Vertex) -> bool {
        const NEAR: i64 = 40_000;
        (self.low.lon - NEAR..=self.high.lon + NEAR).contains(&v.lon)
            && (self.low.lat - NEAR..=self.high.lat + NEAR).contains(&v.lat)
    }
}
