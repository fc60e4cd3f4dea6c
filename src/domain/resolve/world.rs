//! A made-up city for simulations: streets, covers side by side, pins with known truth.
//!
//! Plain numbers (metres in a plane, categories as numbers), so that the bench can include this
//! file too. What it assumes of people and surveyors is set here and not read from the model.

use std::collections::HashMap;

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap_or(0)
    }

    /// Two independent standard normal numbers (Box and Muller).
    pub(crate) fn normals(&mut self) -> (f64, f64) {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
        (radius * cos, radius * sin)
    }
}

/// Categories with their number in a district of 17,000.
const SHARES: [(u16, u16); 16] = [
    (101, 2210),
    (102, 2890),
    (103, 2380),
    (104, 2210),
    (105, 1190),
    (106, 680),
    (107, 1870),
    (108, 510),
    (109, 425),
    (110, 1020),
    (111, 595),
    (112, 255),
    (113, 170),
    (114, 170),
    (127, 85),
    (130, 340),
];

/// Share of the covers that nobody registered, and of those registered as abandoned.
pub(crate) const UNREGISTERED: f64 = 0.015;
const ABANDONED: f64 = 0.03;
/// An abandoned cover is reported this often against one in service.
pub(crate) const ABANDONED_REPORTED: f64 = 0.3;
/// Root mean square of the planar error by class A, B, C.
pub(crate) const RMS: [f64; 3] = [0.5, 1.0, 10.0];
/// Covers per m².
pub(crate) const DENSITY: f64 = 17_000.0 / 65.4e6;

pub(crate) struct Cover {
    pub(crate) truth: (f64, f64),
    /// Where the registry has it; `None` when it has not.
    pub(crate) registered: Option<(f64, f64)>,
    pub(crate) category: u16,
    pub(crate) class: usize,
    pub(crate) abandoned: bool,
}

pub(crate) struct World {
    pub(crate) side: f64,
    pub(crate) covers: Vec<Cover>,
    cells: HashMap<(i64, i64), Vec<usize>>,
}

pub(crate) struct Pin {
    pub(crate) at: (f64, f64),
    /// The index of the cover that is meant.
    pub(crate) meant: usize,
    pub(crate) hint: u16,
}

const CELL: f64 = 50.0;

#[expect(clippy::cast_possible_truncation, reason = "a simulated city is a few hundred kilometres wide")]
fn cell(at: (f64, f64)) -> (i64, i64) {
    ((at.0 / CELL).floor() as i64, (at.1 / CELL).floor() as i64)
}

impl World {
    /// A square city of about this many covers.
    pub(crate) fn new(seed: u64, covers: usize) -> Self {
        let mut rng = Rng(seed);
        let side = (covers as f64 / DENSITY).sqrt();
        let mut world = Self { side, covers: Vec::with_capacity(covers), cells: HashMap::new() };
        let streets = |rng: &mut Rng| {
            let mut at = rng.between(0.0, 100.0);
            let mut all = Vec::new();
            while at < side {
                all.push(at);
                at += rng.between(70.0, 190.0);
            }
            all
        };
        let (columns, rows) = (streets(&mut rng), streets(&mut rng));
        for &x in &columns {
            world.street(&mut rng, |along, across| (x + across, along), &rows);
        }
        for &y in &rows {
            world.street(&mut rng, |along, across| (along, y + across), &[]);
        }
        world.covers.truncate(covers);
        for (i, cover) in world.covers.iter().enumerate() {
            if let Some(at) = cover.registered {
                world.cells.entry(cell(at)).or_default().push(i);
            }
        }
        world
    }

    /// Groups along a street, larger ones at its junctions.
    fn street(&mut self, rng: &mut Rng, place: impl Fn(f64, f64) -> (f64, f64), junctions: &[f64]) {
        let mut along = 0.0;
        loop {
            along -= 190.0 * (1.0 - rng.unit()).ln();
            if along >= self.side {
                break;
            }
            let size = 1 + rng.below(4);
            self.group(rng, &place, along, size);
        }
        for &junction in junctions {
            if rng.unit() < 0.5 {
                let size = 1 + rng.below(6);
                self.group(rng, &place, junction, size);
            }
        }
    }

    /// Covers of several utilities side by side.
    fn group(&mut self, rng: &mut Rng, place: &impl Fn(f64, f64) -> (f64, f64), mut along: f64, size: usize) {
        for _ in 0..size {
            along += rng.between(0.6, 4.0);
            let truth = place(along, rng.between(-6.0, 6.0));
            let class = match rng.below(100) {
                0..65 => 0,
                65..97 => 1,
                _ => 2,
            };
            let (e, n) = rng.normals();
            let error = RMS[class] / std::f64::consts::SQRT_2;
            let registered = (rng.unit() >= UNREGISTERED).then_some((truth.0 + e * error, truth.1 + n * error));
            let mut draw = rng.below(17_000);
            let category = SHARES.iter().find(|(_, n)| {
                let found = draw < usize::from(*n);
                draw = draw.saturating_sub(usize::from(*n));
                found
            });
            let category = category.map_or(102, |c| c.0);
            self.covers.push(Cover { truth, registered, category, class, abandoned: rng.unit() < ABANDONED });
        }
    }

    /// A report on any cover, with the radius that holds 68 % of such pins.
    pub(crate) fn pin(&self, rng: &mut Rng, accuracy_m: f64) -> Pin {
        loop {
            let meant = rng.below(self.covers.len());
            let cover = &self.covers[meant];
            if cover.abandoned && rng.unit() >= ABANDONED_REPORTED {
                continue;
            }
            let sigma = accuracy_m / (-2.0 * 0.32f64.ln()).sqrt();
            let (e, n) = rng.normals();
            let at = (cover.truth.0 + sigma * e, cover.truth.1 + sigma * n);
            return Pin { at, meant, hint: hint(rng, cover.category) };
        }
    }

    /// Registered covers within `reach`, with their distance in metres.
    pub(crate) fn near(&self, at: (f64, f64), reach: f64) -> Vec<(usize, f64)> {
        let (from, to) = (cell((at.0 - reach, at.1 - reach)), cell((at.0 + reach, at.1 + reach)));
        let mut found = Vec::new();
        for cell in (from.0..=to.0).flat_map(|x| (from.1..=to.1).map(move |y| (x, y))) {
            for &i in self.cells.get(&cell).into_iter().flatten() {
                if let Some((x, y)) = self.covers[i].registered {
                    let distance = (x - at.0).hypot(y - at.1);
                    if distance <= reach {
                        found.push((i, distance));
                    }
                }
            }
        }
        found
    }
}

/// The share of a category.
pub(crate) fn share(category: u16) -> f64 {
    SHARES.iter().find(|(c, _)| *c == category).map_or(0.0, |(_, n)| f64::from(*n) / 17_000.0)
}

/// P(hint | category) here: half of what goes wrong stays in the family (water, power, telecom).
pub(crate) fn hint_likelihood(hint: u16, category: u16) -> f64 {
    if category == 104 {
        return if hint == 104 { 0.97 } else { 0.03 / 15.0 };
    }
    if hint == category {
        return 0.85;
    }
    if hint == 104 {
        return 0.01;
    }
    let related = relatives(category);
    let near = if related.contains(&hint) { 0.07 / related.len() as f64 } else { 0.0 };
    let any = if related.is_empty() { 0.14 } else { 0.07 };
    near + any / 14.0
}

fn relatives(category: u16) -> Vec<u16> {
    let families: [&[u16]; 3] = [&[101, 102, 103, 127], &[105, 106], &[107, 108, 109, 130]];
    let family = families.iter().find(|family| family.contains(&category));
    family.into_iter().flat_map(|family| family.iter().copied()).filter(|&other| other != category).collect()
}

fn hint(rng: &mut Rng, category: u16) -> u16 {
    let mut draw = rng.unit();
    for (other, _) in SHARES {
        draw -= hint_likelihood(other, category);
        if draw < 0.0 {
            return other;
        }
    }
    category
}
