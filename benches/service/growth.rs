//! What a hundred times as many covers change.

use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use guli::domain::cover::Cover;
use guli::domain::position::{Position, Wgs84};
use guli::domain::resolve::Pin;
use guli::domain::said::english;
use guli::service::Guli;
use guli::store::DatabaseUrl;

use super::Plan;
use super::load::{Supply, accepted, run};
use super::numbers::{median, micros, time};
use super::process::Server;
use super::table::{Row, Target};
use super::world::{World, Worlds, block_on};

/// Covers that are changed in one run.
const CHANGES: usize = 5_000;

/// Does something with the index of a world, in this process.
fn inside<T>(world: &World, work: impl FnOnce(&Guli) -> Result<T>) -> Result<T> {
    block_on(async {
        let database = DatabaseUrl::sqlite(&world.database());
        let (guli, writer) = Guli::open(&database, &world.path().join("guli.key"), None, Vec::new()).await?;
        let result = work(&guli);
        guli.close().await;
        writer.await?;
        result
    })
}

/// Median time of resolving a pin in memory, and the mean number of covers within its reach.
fn in_memory(guli: &Guli, pins: &[Position<Wgs84>]) -> (Duration, f64) {
    let index = &guli.context.index;
    let mut times = Vec::with_capacity(pins.len());
    // The first round warms the caches.
    for _ in 0..2 {
        times.clear();
        for at in pins {
            let pin = Pin::at(*at);
            let start = Instant::now();
            std::hint::black_box(index.resolve(&pin).ok());
            times.push(start.elapsed());
        }
    }
    let some = pins.iter().step_by(20);
    let within: Vec<_> = some.map(|at| index.covers_near(*at, Pin::at(*at).reach_m()).len()).collect();
    (median(times), within.iter().sum::<usize>() as f64 / within.len().max(1) as f64)
}

/// Median latency over HTTP of one connection.
fn over_http(plan: &Plan, world: &World) -> Result<Duration> {
    let server = Server::demo(world.path())?;
    let requests = accepted(server.address, world.resolve_requests()?)?;
    run(server.address, 1, plan.length / 5, &requests, Supply::Again)?;
    Ok(run(server.address, 1, plan.length, &requests, Supply::Again)?.quantile(500))
}

/// Resolving a pin near a cover in both worlds.
pub(crate) fn growth(plan: &Plan, worlds: &Worlds) -> Result<Vec<Row>> {
    let (small, (large, _)) = (worlds.small()?, worlds.large()?);
    let measure = |world: &World| {
        let pins = world.pins()?;
        inside(world, |guli| Ok(in_memory(guli, &pins)))
    };
    let ((few, few_near), (many, many_near)) = (measure(small)?, measure(large)?);
    let (few_http, many_http) = (over_http(plan, small)?, over_http(plan, large)?);
    let row = |what: &str, few: Duration, many: Duration| {
        Row::new(format!("{what}, {} covers", large.covers), time(many)).against(
            format!("{} covers: {}", small.covers, time(few)),
            micros(many) / micros(few),
            Target::AtMost(1.2),
        )
    };
    let each = micros(many) / micros(few) / (many_near / few_near);
    Ok(vec![
        row("resolve p50 in memory", few, many).note(format!(
            "the same district made denser: {few_near:.1} and {many_near:.1} covers within a pin's reach, all of which are \
             weighed; time for each of them {each:.2}×. Equally dense, in a hundred districts: the last line of \
             cargo bench --bench resolve_accuracy"
        )),
        row("resolve p50 over HTTP, 1 connection", few_http, many_http).note("denser too, as above"),
    ])
}

/// Mean time of moving a cover by a metre.
fn changes(guli: &Guli, covers: Vec<Cover>) -> Result<Duration> {
    let count = covers.len().max(1) as f64;
    let moved = covers.into_iter().map(|cover| {
        let position = cover.position.offset(1.0, 0.0).map_err(|error| Error::msg(english(error)))?;
        Ok(Cover { position, ..cover })
    });
    let moved = moved.collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    for cover in moved {
        guli.context.index.put_cover(cover)?;
    }
    Ok(start.elapsed().div_f64(count))
}

/// A cover's change reaches the index without a rebuild.
pub(crate) fn change(_: &Plan, worlds: &Worlds) -> Result<Vec<Row>> {
    let (small, (large, _)) = (worlds.small()?, worlds.large()?);
    let measure = |world: &World| {
        let covers = world.sample(CHANGES)?;
        inside(world, |guli| changes(guli, covers))
    };
    let (few, many) = (measure(small)?, measure(large)?);
    Ok(vec![Row::new(format!("a cover's change in the index, {} covers", large.covers), time(many)).against(
        format!("{} covers: {}", small.covers, time(few)),
        micros(many) / micros(few),
        Target::AtMost(2.0),
    )])
}
