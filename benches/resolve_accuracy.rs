//! How often the top candidate is the right one, and what the index costs.
//!
//! `cargo bench --bench resolve_accuracy`. Pins on a made-up city whose truth is known: Guli against
//! the plain nearest cover and against Bayes, the best that the geometry allows (the posterior under
//! the simulation's own parameters, without a reach). Then building, resolving and changing at
//! 17,000 covers in one district and 1.7 million in a hundred, equally dense.

#[path = "../src/domain/resolve/world.rs"]
mod world;

use std::time::{Duration, Instant};

use geo::{LineString, MultiPolygon, Polygon};
use guli::domain::catalog::{Catalog, CategoryCode};
use guli::domain::cover::{Accuracy, Cover, Spec, Status};
use guli::domain::grid::{District, Grid};
use guli::domain::id::{CoverCode, CoverId, DistrictCode, GridCode};
use guli::domain::position::{Metres, Position, Wgs84};
use guli::domain::resolve::{Match, Pin};
use guli::index::{DistrictBuilder, DistrictSnapshot, Index};
use world::{ABANDONED_REPORTED, DENSITY, RMS, Rng, World, hint_likelihood, share};

/// Covers and, in rows and columns, grids of one district.
const DISTRICT: usize = 17_000;
const GRIDS: u32 = 30;

fn side_m() -> f64 {
    (DISTRICT as f64 / DENSITY).sqrt()
}

fn position((x, y): (f64, f64)) -> Position<Wgs84> {
    let metres = Metres::at(36.1);
    Position::new(120.3 + x / metres.per_degree_east, 36.0 + y / metres.per_degree_north).expect("near Qingdao")
}

/// A street-like side of a grid: 24 pieces that stray from the straight line by up to 5 m, the same
/// whichever of its two neighbours asks. `n` counts the sides' starts along both axes of the city.
fn side(n: (u32, u32), upward: bool) -> Vec<(f64, f64)> {
    let length = side_m() / f64::from(GRIDS);
    let (x, y) = (f64::from(n.0) * length, f64::from(n.1) * length);
    let mut rng = Rng(u64::from(n.0) << 33 | u64::from(n.1) << 1 | u64::from(upward));
    let stray =
        (0..=24).map(|i| (f64::from(i) / 24.0 * length, if i % 24 == 0 { 0.0 } else { rng.between(-5.0, 5.0) }));
    stray.map(|(along, across)| if upward { (x + across, y + along) } else { (x + along, y + across) }).collect()
}

/// The outline of a square of grids with its lower left corner at `n`.
fn outline(n: (u32, u32), size: u32) -> MultiPolygon<f64> {
    let joined = |sides: Vec<Vec<(f64, f64)>>| sides.concat();
    let south = joined((0..size).map(|i| side((n.0 + i, n.1), false)).collect());
    let east = joined((0..size).map(|i| side((n.0 + size, n.1 + i), true)).collect());
    let mut north = joined((0..size).map(|i| side((n.0 + i, n.1 + size), false)).collect());
    let mut west = joined((0..size).map(|i| side((n.0, n.1 + i), true)).collect());
    north.reverse();
    west.reverse();
    let mut ring: Vec<_> = [south, east, north, west].concat();
    ring.dedup();
    let ring: LineString<f64> = ring.into_iter().map(|at| (position(at).lon(), position(at).lat())).collect();
    MultiPolygon::new(vec![Polygon::new(ring, Vec::new())])
}

fn code(district: u32) -> DistrictCode {
    DistrictCode::from_number(u64::from(370_200 + district)).expect("six digits")
}

fn snapshot(n: u32, columns: u32) -> DistrictSnapshot {
    let corner = (n % columns * GRIDS, n / columns * GRIDS);
    let grids = (0..GRIDS * GRIDS).map(|g| {
        let number = code(n).number() * 1_000_000_000 + 1_001_000 + u64::from(g / 900) * 1_000 + u64::from(g % 900 + 1);
        let grid = Grid {
            code: GridCode::from_number(number).expect("fifteen digits"),
            name: format!("第{g}网格"),
            supervising_department: None,
            outline: outline((corner.0 + g % GRIDS, corner.1 + g / GRIDS), 1),
            version: 1,
        };
        (grid, None)
    });
    DistrictSnapshot {
        district: District { code: code(n), name: format!("第{n}区"), outline: outline(corner, GRIDS) },
        subdistricts: Vec::new(),
        communities: Vec::new(),
        grids: grids.collect(),
        organizations: Vec::new(),
        catalog: Catalog::national(),
        registry_seq: 1,
    }
}

/// The registered cover with this index in the world; `None` for one that nobody registered.
fn cover(world: &World, i: usize, columns: u32) -> Option<Cover> {
    let made = &world.covers[i];
    let (x, y) = made.registered?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a column or row of districts")]
    let of = |metres: f64| ((metres / side_m()).max(0.0) as u32).min(columns - 1);
    let district = code(of(y) * columns + of(x));
    let category = CategoryCode::from_number(made.category)?;
    let sequence = u32::try_from(i % 999_999).ok()? + 1;
    Some(Cover {
        id: CoverId(uuid::Uuid::from_u128(u128::try_from(i).ok()?)),
        code: CoverCode::new(district, category, sequence).ok()?,
        owner: format!("370203-U{}", i % 20).parse().ok(),
        responsible_unit: format!("370203-U{}", i % 7).parse().ok(),
        position: position((x, y)),
        accuracy: Accuracy::ALL[made.class],
        spec: Spec { opening_mm: Some(700), ..Spec::default() },
        status: if made.abandoned { Status::Abandoned } else { Status::InService },
        grid: None,
        version: 1,
    })
}

/// Resident memory in bytes.
fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4_096.0
}

struct Built {
    index: Index,
    time: Duration,
    bytes_covers: f64,
    bytes_grids: f64,
}

fn build(world: &World, columns: u32) -> Built {
    let empty = resident();
    let mut builders: Vec<_> = (0..columns * columns)
        .map(|n| DistrictBuilder::new(snapshot(n, columns)).expect("a district").expect(DISTRICT * 11 / 10))
        .collect();
    let with_grids = resident();
    let index = Index::default();
    let mut time = Duration::ZERO;
    let mut chunk = Vec::new();
    for i in 0..world.covers.len() {
        chunk.extend(cover(world, i, columns));
        if chunk.len() == 1_000 || i + 1 == world.covers.len() {
            let start = Instant::now();
            for cover in chunk.drain(..) {
                let n = usize::try_from(cover.code.district().number() - 370_200).expect("small");
                builders[n].cover(cover).expect("a cover of the district");
            }
            time += start.elapsed();
        }
    }
    let start = Instant::now();
    for builder in builders {
        index.replace(builder.finish());
    }
    time += start.elapsed();
    Built { index, time, bytes_covers: resident() - with_grids, bytes_grids: with_grids - empty }
}

/// The most likely of the registered covers, by what the simulation itself does.
fn bayes(world: &World, made: &world::Pin, accuracy_m: f64, hinted: bool) -> Option<usize> {
    let variance = accuracy_m * accuracy_m / (-2.0 * 0.32f64.ln());
    let weighed = world.near(made.at, 6.0 * accuracy_m + 60.0).into_iter().map(|(i, distance)| {
        let cover = &world.covers[i];
        let both = variance + RMS[cover.class] * RMS[cover.class] / 2.0;
        let hint = if hinted { hint_likelihood(made.hint, cover.category) } else { 1.0 };
        let status = if cover.abandoned { ABANDONED_REPORTED } else { 1.0 };
        (i, (-distance * distance / (2.0 * both)).exp() / both * hint * status)
    });
    weighed.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
}

fn accuracy(world: &World, index: &Index, pins: u32) {
    println!("Top candidate right, % of {pins} pins (1.5 % of them mean a cover that nobody registered)");
    println!("accuracy  hint   nearest   Guli  Bayes   Guli/Bayes   matched   right of matched");
    for (accuracy_m, hinted) in [3.0, 10.0, 30.0].into_iter().flat_map(|a| [(a, false), (a, true)]) {
        let mut rng = Rng(3);
        let (mut nearest, mut guli, mut best, mut matched, mut right) = (0, 0, 0, 0, 0);
        for _ in 0..pins {
            let made = world.pin(&mut rng, accuracy_m);
            let hint = CategoryCode::from_number(made.hint).filter(|_| hinted && share(made.hint) > 0.0);
            let Ok(pin) = Pin::new(position(made.at), accuracy_m, hint, 1) else { continue };
            let near = world.near(made.at, 200.0).into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
            nearest += u32::from(near.is_some_and(|(i, _)| i == made.meant));
            best += u32::from(bayes(world, &made, accuracy_m, hinted) == Some(made.meant));
            let Ok(found) = index.resolve(&pin) else { continue };
            let first = found.candidates.first().map(|c| c.cover.id.0.as_u128());
            let hit = first == Some(made.meant as u128);
            guli += u32::from(hit);
            if found.matched == Match::Matched {
                matched += 1;
                right += u32::from(hit);
            }
        }
        let percent = |n: u32, of: u32| f64::from(n) * 100.0 / f64::from(of.max(1));
        println!(
            "{accuracy_m:>6} m  {:<4} {:>8.1} {:>7.1} {:>6.1} {:>10.3} {:>10.1} {:>14.1}",
            if hinted { "yes" } else { "no" },
            percent(nearest, pins),
            percent(guli, pins),
            percent(best, pins),
            f64::from(guli) / f64::from(best.max(1)),
            percent(matched, pins),
            percent(right, matched),
        );
    }
}

/// Median and 99th percentile of resolving a phone's pins, in microseconds.
fn timing(world: &World, index: &Index, pins: usize) -> (f64, f64) {
    let mut rng = Rng(5);
    let pins: Vec<_> = (0..pins).map(|_| Pin::at(position(world.pin(&mut rng, 10.0).at))).collect();
    let mut micros = Vec::with_capacity(pins.len());
    for _ in 0..2 {
        micros.clear();
        for pin in &pins {
            let start = Instant::now();
            std::hint::black_box(index.resolve(pin).ok());
            micros.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    micros.sort_by(f64::total_cmp);
    (micros[micros.len() / 2], micros[micros.len() * 99 / 100])
}

/// Mean time of moving a cover by a metre, in microseconds.
fn change(world: &World, index: &Index, columns: u32) -> f64 {
    let step = (world.covers.len() / 10_000).max(1);
    let covers: Vec<_> = (0..world.covers.len()).step_by(step).filter_map(|i| cover(world, i, columns)).collect();
    let count = covers.len() as f64;
    let start = Instant::now();
    for cover in covers {
        let position = cover.position.offset(1.0, 0.0).expect("near");
        index.put_cover(Cover { position, ..cover }).expect("a served district");
    }
    start.elapsed().as_secs_f64() * 1e6 / count
}

fn main() {
    // Without --bench (cargo test --all-targets) a small run that only shows that it runs.
    let full = std::env::args().any(|arg| arg == "--bench");
    let (pins, many) = if full { (100_000, 10) } else { (500, 2) };
    let small = World::new(11, DISTRICT);
    let built = build(&small, 1);
    accuracy(&small, &built.index, pins);
    println!("\n   covers  districts  build ms  B/cover  B/cover with grids  resolve p50 µs  p99 µs  put_cover µs");
    let mut medians = Vec::new();
    let mut line = |world: &World, built: &Built, columns: u32| {
        let (p50, p99) = timing(world, &built.index, if full { 20_000 } else { 200 });
        let covers = world.covers.len() as f64;
        println!(
            "{covers:>9} {:>10} {:>9.1} {:>8.0} {:>19.0} {p50:>15.2} {p99:>7.2} {:>13.2}",
            columns * columns,
            built.time.as_secs_f64() * 1e3,
            built.bytes_covers / covers,
            (built.bytes_covers + built.bytes_grids) / covers,
            change(world, &built.index, columns),
        );
        medians.push(p50);
    };
    line(&small, &built, 1);
    let large = World::new(12, DISTRICT * usize::try_from(many * many).unwrap_or(1));
    line(&large, &build(&large, many), many);
    println!("growth of p50: {:.2}×", medians[1] / medians[0]);
}
