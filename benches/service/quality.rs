//! How long the quality check takes over many districts, the first time and after a change.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::load::{Connection, send};
use super::numbers::{median, time};
use super::process::Server;
use super::table::{Row, Target};
use super::world::{World, Worlds};
use super::{Plan, SMALL, load_average};

const ADMIN: &str = "Authorization: Bearer demo-admin\r\n";
/// Beyond this nothing is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

/// Asks for one finding of all, which has every district looked at; gives how long that took, and how many there are.
fn check(connection: &mut Connection) -> Result<(Duration, u64)> {
    let request = send("GET", "/v1/quality?limit=1", ADMIN, "");
    let start = Instant::now();
    let status = connection.exchange(&request)?;
    let took = start.elapsed();
    ensure!(status == 200, "the quality check was answered by {status}");
    let answer: Value = serde_json::from_slice(connection.body())?;
    let counts = answer["counts"].as_object().context("no counts")?;
    Ok((took, counts.values().filter_map(Value::as_u64).sum()))
}

pub(crate) fn measure(plan: &Plan, _: &Worlds) -> Result<Vec<Row>> {
    let districts = u32::try_from(plan.large / SMALL)?;
    let world = World::of_districts(plan.large, districts)?;
    world.import(&world.database(), &[])?;
    let [cover] = &world.sample(1)?[..] else { anyhow::bail!("no cover") };
    let server = Server::demo(world.path())?;
    server.ready()?;
    server.forget_peak()?;
    let before = server.memory("VmRSS")?;
    let mut connection = Connection::open(server.address)?;
    connection.wait(PATIENCE)?;
    let (first, found) = check(&mut connection)?;
    let load = load_average();
    let (peak, held) = (server.memory("VmHWM")? - before, server.memory("VmRSS")? - before);
    let (mut again, mut changed) = (Vec::new(), Vec::new());
    for depth in 1..=plan.runs {
        again.push(check(&mut connection)?.0);
        let body = format!(r#"{{"spec": {{"depth_m": {depth}}}}}"#);
        let headers = format!("{ADMIN}If-Match: *\r\n");
        let status = connection.exchange(&send("PATCH", &format!("/v1/covers/{}", cover.code), &headers, &body))?;
        ensure!(status == 200, "the change was answered by {status}");
        changed.push(check(&mut connection)?.0);
    }
    server.stop()?;
    Ok(vec![
        Row::new(format!("quality check of {} covers in {districts} districts", world.covers), time(first))
            .within(first.as_secs_f64(), Target::AtMost(60.0), "s")
            .note(format!("{found} findings, all of them new and kept; load average {load} at its end")),
        Row::new("  memory at most, and held", format!("{:.0} / {:.0} MB", peak / 1e6, held / 1e6)),
        Row::new(
            "  unchanged / after one cover changed",
            format!("{} / {}", time(median(again)), time(median(changed))),
        ),
    ])
}
