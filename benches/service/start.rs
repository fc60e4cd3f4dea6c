//! How soon a server serves, and what it takes of the memory.

use anyhow::Result;

use super::numbers::{median, micros, time};
use super::process::Server;
use super::table::{Row, Target};
use super::world::{World, Worlds};
use super::{Plan, SMALL};

/// From the start of the process to the first "ready".
pub(crate) fn start(plan: &Plan, worlds: &Worlds) -> Result<Vec<Row>> {
    let dir = worlds.small()?.copy()?;
    let (mut listening, mut ready) = (Vec::new(), Vec::new());
    for _ in 0..plan.runs * plan.runs {
        let server = Server::demo(dir.path())?;
        ready.push(server.ready()?);
        listening.push(server.listening);
    }
    let (listening, ready) = (median(listening), median(ready));
    Ok(vec![
        Row::new(format!("start with {SMALL} covers"), time(ready))
            .within(micros(ready) / 1e3, Target::AtMost(300.0), "ms")
            .note(format!("from the start of the process to the first 200 of /readyz; the aim is 100 ms; the line with the address came after {}", time(listening))),
    ])
}

/// Resident memory after a start, when the kernel's own view has settled.
fn resident(world: &World) -> Result<f64> {
    let server = Server::demo(world.path())?;
    server.ready()?;
    server.memory("VmRSS")
}

/// Bytes for each further cover, after a restart.
pub(crate) fn memory(_: &Plan, worlds: &Worlds) -> Result<Vec<Row>> {
    let small = worlds.small()?;
    let (large, _) = worlds.large()?;
    let (few, many) = (resident(small)?, resident(large)?);
    let slope = (many - few) / (large.covers - small.covers) as f64;
    let megabytes = |bytes: f64| format!("{:.0} MB", bytes / 1e6);
    Ok(vec![
        Row::new("memory for each further cover", format!("{slope:.0} B"))
            .within(slope, Target::AtMost(250.0), "B")
            .note(format!(
                "after a restart: {} with {} covers, {} with {}",
                megabytes(few),
                small.covers,
                megabytes(many),
                large.covers
            )),
    ])
}
