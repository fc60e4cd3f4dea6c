//! One district comes in while another works: what its import makes those wait who resolve and report there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use guli::store::DatabaseUrl;

use super::import::steadily;
use super::load::Load;
use super::numbers::time;
use super::process::{Server, guli};
use super::table::Row;
use super::world::{World, Worlds, district, import};
use super::{Plan, postgres, reports};

/// How often somebody resolves, and how often somebody reports.
const RESOLVES: Duration = Duration::from_millis(5);
const REPORTS: Duration = Duration::from_millis(25);
/// The district that works is the demo's; this one comes in.
const COMES: &str = "380101";

/// Resolves and reports at their own pace, until `work` is done.
fn meanwhile<T>(
    server: &Server,
    resolves: &[Vec<u8>],
    reports: &[Vec<u8>],
    work: impl FnOnce() -> Result<T>,
) -> Result<(T, [Load; 2])> {
    let stop = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let loads = [(resolves, RESOLVES), (reports, REPORTS)]
            .map(|(requests, every)| scope.spawn(move || steadily(server, requests, every, stop)));
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let [resolves, reports] = loads.map(|load| load.join().ok().context("a load ended early"));
        Ok((done?, [resolves??, reports??]))
    })
}

fn one(plan: &Plan, world: &World, engine: &str, database: &str) -> Result<Vec<Row>> {
    let mut command = guli();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", database, "--key-file"]);
    let key_file = world.path().join("guli.key");
    let server = Server::start(command.arg(&key_file))?;
    server.ready()?;
    let resolves = world.resolve_requests()?;
    let covers = reports::requests(&world.sample(usize::try_from(world.covers)?)?, "");
    let (first, second) = covers.split_at(covers.len() / 2);
    let pause = || {
        std::thread::sleep(plan.length);
        Ok(())
    };
    let ((), alone) = meanwhile(&server, &resolves, first, pause)?;
    let coming = || {
        let start = Instant::now();
        import(&world.files().join(COMES), database, &["--key-file", &key_file.to_string_lossy()])?;
        Ok(start.elapsed())
    };
    let (took, beside) = meanwhile(&server, &resolves, second, coming)?;
    server.stop()?;
    let spread = |mut load: Load| {
        let [p50, p99, slowest] = [500, 990, 1_000].map(|per_mille| time(load.quantile(per_mille)));
        format!("{p50} / {p99} / {slowest}, {} refused", load.refused)
    };
    let mut rows = vec![Row::new(format!("{engine}: a district of 17,000 covers comes in beside another"), time(took))];
    for (what, (alone, beside)) in ["resolves there", "reports there"].into_iter().zip(alone.into_iter().zip(beside)) {
        let row = Row::new(format!("  {what} meanwhile, p50 / p99 / slowest"), spread(beside));
        rows.push(row.note(format!("before: {}", spread(alone))));
    }
    Ok(rows)
}

pub(crate) fn measure(plan: &Plan, _: &Worlds) -> Result<Vec<Row>> {
    let world = World::of_districts(2 * super::SMALL, 2)?;
    let file = DatabaseUrl::sqlite(&world.database()).to_string();
    import(&world.files().join(district().to_string()), &file, &[])?;
    let mut rows = Vec::new();
    if let Ok(address) = std::env::var("GULI_BENCH_POSTGRES") {
        rows.extend(one(plan, &world, "PostgreSQL", &postgres::fresh(&world, &address)?)?);
    }
    rows.extend(one(plan, &world, "SQLite", &file)?);
    Ok(rows)
}
