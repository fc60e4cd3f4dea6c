//! Bringing in a district, and a hundred times as much while reports go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::load::{Connection, Load, get};
use super::numbers::{median, time};
use super::process::{Server, guli};
use super::table::{Row, Target};
use super::world::{World, Worlds};
use super::{Plan, load_average, reports};

/// How often a resident reports while the import runs.
const EVERY: Duration = Duration::from_millis(50);
/// What lies below the covers, in the order in which one needs the other.
const GROUND: [&str; 6] = ["district", "subdistricts", "communities", "organizations", "grids", "people"];

/// What the import of the large world was like.
pub(crate) struct Large {
    took: Duration,
    reports: usize,
    refused: usize,
    p50: Duration,
    p99: Duration,
    slowest: Duration,
    peak: f64,
    load: String,
}

/// Imports a world through a running server, with a report every 50 ms.
pub(crate) fn large(world: &World) -> Result<Large> {
    let mut command = guli();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database"]);
    command.arg(guli::store::DatabaseUrl::sqlite(&world.database()).to_string());
    let server = Server::start(&mut command)?;
    for profile in GROUND {
        world.import(&world.database(), &["--profile", profile])?;
    }
    // Where there will be covers, though nobody knows them yet.
    let small = World::generate(super::SMALL)?;
    small.import(&small.database(), &[])?;
    let requests = reports::requests(&small.sample(5_000)?, "");
    let before = server.memory("VmRSS")?;
    let stop = AtomicBool::new(false);
    let (took, load) = std::thread::scope(|scope| {
        let reporting = scope.spawn(|| steadily(&server, &requests, EVERY, &stop));
        let start = Instant::now();
        let imported = world.import(&world.database(), &[]);
        let took = start.elapsed();
        stop.store(true, Ordering::Relaxed);
        let reported = reporting.join().ok().context("the reports ended early")?;
        imported.and(reported).map(|load| (took, load))
    })?;
    let (mut load, peak) = (load, server.memory("VmHWM")? - before);
    let average = load_average();
    server.stop()?;
    let (p50, p99, slowest) = (load.quantile(500), load.quantile(990), load.quantile(1_000));
    Ok(Large { took, reports: load.answered, refused: load.refused, p50, p99, slowest, peak, load: average })
}

/// Sends one request after the other, one each `every`, until it is to stop.
pub(crate) fn steadily(server: &Server, requests: &[Vec<u8>], every: Duration, stop: &AtomicBool) -> Result<Load> {
    let mut connection = Connection::open(server.address)?;
    let mut load = Load::default();
    for request in requests.iter().cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
        let sent = Instant::now();
        let status = connection.exchange(request)?;
        load.note(status, 0, sent.elapsed());
        std::thread::sleep(every.saturating_sub(sent.elapsed()));
    }
    Ok(load)
}

/// Memory that the import took beyond what a restart takes for the same covers.
fn beyond(world: &World, peak: f64) -> Result<f64> {
    let server = Server::demo(world.path())?;
    server.ready()?;
    let mut connection = Connection::open(server.address)?;
    connection.exchange(&get("/healthz"))?;
    Ok(peak - server.memory("VmRSS")?)
}

pub(crate) fn measure(plan: &Plan, worlds: &Worlds) -> Result<Vec<Row>> {
    let small = worlds.small()?;
    let mut times = Vec::new();
    for _ in 0..plan.runs {
        let dir = tempfile::tempdir()?;
        let start = Instant::now();
        small.import(&dir.path().join("guli.db"), &[])?;
        times.push(start.elapsed());
    }
    let fresh = median(times);
    let (world, large) = worlds.large()?;
    let beyond = beyond(world, large.peak)?;
    Ok(vec![
        Row::new(format!("import {} covers, fresh database", small.covers), time(fresh)).within(
            fresh.as_secs_f64(),
            Target::AtMost(2.0),
            "s",
        ),
        Row::new(format!("import {} covers, through the server", world.covers), time(large.took))
            .within(large.took.as_secs_f64(), Target::AtMost(60.0), "s")
            .note(format!("with a report every {EVERY:?} meanwhile; load average {} at its end", large.load)),
        Row::new("  memory beyond what a restart takes", format!("{:.0} MB", beyond / 1e6)),
        Row::new("  reports meanwhile, p50 / p99", format!("{} / {}", time(large.p50), time(large.p99))).note(format!(
            "{} taken, {} refused, the slowest after {}",
            large.reports,
            large.refused,
            time(large.slowest)
        )),
    ])
}
