//! Resolving pins over HTTP, beside what HTTP alone costs.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Plan;
use super::load::{Supply, accepted, run};
use super::numbers::{micros, rate, time};
use super::process::Server;
use super::table::{Row, Target};
use super::world::Worlds;

const CLIENTS: usize = 64;

/// What a bare axum took on the machine on which peers were recorded, in microseconds: their figures and ours are
/// compared as so many times that of the machine at hand.
pub(crate) const HELLO: f64 = 5.7;

/// One load on one server.
pub(crate) struct Cost {
    per_second: f64,
    pub(crate) cpu: Duration,
    p50: Duration,
    p99: Duration,
    /// Bytes of an answer's body, on the average.
    pub(crate) body: usize,
}

pub(crate) fn load(server: &Server, requests: &[Vec<u8>], length: Duration) -> Result<Cost> {
    run(server.address, CLIENTS, length / 8, requests, Supply::Again)?;
    let before = server.cpu()?;
    let mut load = run(server.address, CLIENTS, length, requests, Supply::Again)?;
    let cpu = server.cpu()?.saturating_sub(before);
    ensure!(load.refused == 0 && load.answered > 0, "{} answers, {} refusals", load.answered, load.refused);
    Ok(Cost {
        per_second: load.per_second(),
        cpu: cpu.div_f64(load.answered as f64),
        p50: load.quantile(500),
        p99: load.quantile(990),
        body: load.bytes / load.answered,
    })
}

/// The run with the median cost.
pub(crate) fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by_key(|cost| cost.cpu);
    costs.remove(costs.len() / 2)
}

pub(crate) fn measure(plan: &Plan, worlds: &Worlds) -> Result<Vec<Row>> {
    let world = worlds.small()?;
    let dir = world.copy()?;
    let guli = Server::demo(dir.path())?;
    // A few pins near the border fall outside the district, where there is nothing to resolve.
    let requests = accepted(guli.address, world.resolve_requests()?)?;
    let body = load(&guli, &requests, plan.length / 4)?.body.to_string();
    let (bare, layered) = (Server::reference(&["bare"])?, Server::reference(&["layered", &body])?);
    let (mut ours, mut bares, mut layereds) = (Vec::new(), Vec::new(), Vec::new());
    // In turns: whatever else the machine does falls on all three.
    for _ in 0..plan.runs {
        ours.push(load(&guli, &requests, plan.length)?);
        layereds.push(load(&layered, &requests, plan.length)?);
        bares.push(load(&bare, &requests, plan.length)?);
    }
    let (ours, bare, layered) = (median(ours), median(bares), median(layereds));
    let ratio = |to: &Cost| micros(ours.cpu) / micros(to.cpu);
    let cost = |cost: &Cost| format!("{} CPU, {}", time(cost.cpu), rate(cost.per_second));
    let recorded = |name: &str, cpu: f64, least: f64| {
        let hellos = ratio(&bare);
        let row = Row::new("  less CPU than a peer's", format!("{hellos:.1} hellos"));
        let against = format!("{name}: {cpu} µs, {:.1} hellos, recorded", cpu / HELLO);
        row.against(against, cpu / HELLO / hellos, Target::AtLeast(least))
    };
    Ok(vec![
        Row::new(format!("resolve, {CLIENTS} connections"), cost(&ours)).against(
            format!("same layers, {body} B: {}", cost(&layered)),
            ratio(&layered),
            Target::AtMost(1.8),
        ),
        Row::new("", "").against(format!("bare axum: {}", cost(&bare)), ratio(&bare), Target::AtMost(2.5)),
        recorded("PostGIS", 69.0, 6.0),
        recorded("Tile38", 41.0, 3.0),
        Row::new("  latency p50 / p99", format!("{} / {}", time(ours.p50), time(ours.p99))).against(
            format!("same layers: {} / {}", time(layered.p50), time(layered.p99)),
            micros(ours.p50) / micros(layered.p50),
            Target::None,
        ),
    ])
}
