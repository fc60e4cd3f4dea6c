//! Vector tiles of covers: what drawing one takes, and what one costs that is drawn already.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, ensure};
use guli::domain::actor::{Actor, Role, Scope};
use guli::domain::id::KeyId;
use guli::domain::position::{Position, Wgs84};
use guli::domain::said::english;
use guli::service::Guli;
use guli::store::DatabaseUrl;
use guli::tiles::{Layer, Tile, Tiles};

use super::Plan;
use super::load::get;
use super::numbers::{self, micros, time};
use super::process::Server;
use super::resolve::{Cost, HELLO, load, median};
use super::table::{Row, Target};
use super::world::{Worlds, block_on};

/// Zoom, and what martin took from `PostGIS` for a tile of so many bytes: drawn, and from its cache; microseconds on a
/// machine on which a bare axum took [`HELLO`]. Here it takes longer, and so would martin: both are told in hellos.
const RECORDED: [(u8, usize, f64, f64); 2] = [(14, 120_000, 5_500.0, 54.0), (16, 10_000, 540.0, 21.0)];

/// The tile of a zoom that a position lies in.
fn tile(at: Position<Wgs84>, z: u8) -> Result<(u32, u32, Tile)> {
    let side = f64::from(1u32 << z);
    let south = f64::tan(at.lat().to_radians()).asinh() / std::f64::consts::PI;
    let place = |share: f64| format!("{}", (share * side).floor());
    let (x, y) = (place((at.lon() + 180.0) / 360.0).parse()?, place((1.0 - south) / 2.0).parse()?);
    Ok((x, y, Tile::new(z, x, y).map_err(|error| Error::msg(english(error)))?))
}

/// What drawing a tile takes, its address and its size.
struct Drawing {
    path: String,
    bytes: usize,
    took: Duration,
}

/// The tile whose size is nearest to that of the record.
fn draw(guli: &Guli, pins: &[Position<Wgs84>], z: u8, size: usize, runs: usize) -> Result<Drawing> {
    let key = Some(KeyId(uuid::Uuid::nil()));
    let actor = Actor { key, role: Role::Planner, name: String::new(), scopes: vec![Scope::Everywhere] };
    let (index, now) = (&guli.context.index, guli.context.clock.now());
    let drawn = |tile| Tiles::default().get(index, &actor, Layer::Covers, tile, now).map(|drawn| drawn.bytes().len());
    let sized = |at: &Position<Wgs84>| {
        let (x, y, tile) = tile(*at, z).ok()?;
        Some((drawn(tile).ok()?, x, y, tile))
    };
    let found = pins.iter().step_by(pins.len().div_ceil(200)).filter_map(sized);
    let (bytes, x, y, tile) = found.min_by_key(|(bytes, ..)| bytes.abs_diff(size)).context("no tile has covers")?;
    let times = (0..runs).map(|_| {
        let start = Instant::now();
        let _ = black_box(drawn(tile));
        start.elapsed()
    });
    Ok(Drawing { path: format!("/tiles/covers/{z}/{x}/{y}.mvt"), bytes, took: numbers::median(times.collect()) })
}

pub(crate) fn measure(plan: &Plan, worlds: &Worlds) -> Result<Vec<Row>> {
    let world = worlds.small()?;
    let (dir, pins) = (world.copy()?, world.pins()?);
    let drawings = block_on(async {
        let database = DatabaseUrl::sqlite(&dir.path().join("guli.db"));
        let (guli, _writer) = Guli::open(&database, &dir.path().join("guli.key"), None, Vec::new()).await?;
        let each = RECORDED.iter().map(|(z, size, ..)| draw(&guli, &pins, *z, *size, 100 * plan.runs));
        each.collect::<Result<Vec<_>>>()
    })?;
    let dir = world.copy()?;
    let guli = Server::demo(dir.path())?;
    let bare = Server::reference(&["bare"])?;
    let mut rows = Vec::new();
    for (drawing, (z, size, miss, hit)) in drawings.iter().zip(RECORDED) {
        let request = get(&drawing.path);
        let keyed = [b"\r\nAuthorization: Bearer demo-planner", &request[request.len() - 4..]].concat();
        let request = [&request[..request.len() - 4], &keyed].concat();
        let reference = Server::reference(&["layered", &drawing.bytes.to_string()])?;
        let (mut ours, mut fixed, mut hello): (Vec<Cost>, Vec<Cost>, Vec<Cost>) = Default::default();
        for _ in 0..plan.runs {
            ours.push(load(&guli, std::slice::from_ref(&request), plan.length / 2)?);
            fixed.push(load(&reference, &[get("/v1/resolve")], plan.length / 2)?);
            hello.push(load(&bare, &[get("/v1/resolve")], plan.length / 2)?);
        }
        let (ours, fixed, hello) = (median(ours), median(fixed), micros(median(hello).cpu));
        ensure!(ours.body == drawing.bytes, "a tile of {} B came as {} B", drawing.bytes, ours.body);
        let kilobytes = drawing.bytes.div_ceil(1_000);
        let drawn = drawing.took + ours.cpu;
        rows.push(
            Row::new(
                format!("tile z{z} of {kilobytes} kB, drawn"),
                format!("{} and HTTP, {:.1} hellos", time(drawing.took), micros(drawn) / hello),
            )
            .against(
                format!("martin, {} kB: {miss} µs, {:.1} hellos, recorded", size / 1_000, miss / HELLO),
                (miss / HELLO) / (micros(drawn) / hello),
                Target::AtLeast(10.0),
            ),
        );
        rows.push(Row::new("  as kept", format!("{} CPU", time(ours.cpu))).against(
            format!("same layers and size: {} CPU", time(fixed.cpu)),
            micros(ours.cpu) / micros(fixed.cpu),
            Target::AtMost(2.0),
        ));
        rows.push(Row::new("", format!("{:.1} hellos", micros(ours.cpu) / hello)).against(
            format!("martin: {hit} µs, {:.1} hellos, recorded", hit / HELLO),
            (hit / HELLO) / (micros(ours.cpu) / hello),
            Target::AtLeast(2.0),
        ));
    }
    Ok(rows)
}
