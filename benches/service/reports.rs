//! Reports that become work orders, answered when they are on the disk.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use guli::domain::cover::Cover;

use super::Plan;
use super::load::{Connection, Load, Supply, get, post, run};
use super::numbers::{rate, time};
use super::process::Server;
use super::sqlite;
use super::table::{Row, Target};
use super::world::{World, Worlds};

/// Clients at once, and `PostGIS`'s recorded rate with what should be reached of it.
const CLIENTS: [(usize, f64, f64); 3] = [(1, 2_500.0, 1.5), (8, 7_700.0, 2.0), (32, 8_100.0, 2.0)];

/// Whether each request has an `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    Without,
    With,
}

/// A resident's report with the pin on a cover; each cover once, so that hardly any joins another.
pub(crate) fn requests(covers: &[Cover], prefix: &str) -> Vec<Vec<u8>> {
    let request = |(n, cover): (usize, &Cover)| {
        let (lon, lat) = (cover.position.lon(), cover.position.lat());
        let body = format!(
            "{{\"position\":{{\"lon\":{lon},\"lat\":{lat},\"accuracy_m\":3}},\"damage\":\"broken\",\
             \"description\":\"井盖破损，车辆经过有响声\",\"channel\":\"wechat\",\
             \"reporter\":{{\"name\":\"王女士\",\"phone\":\"13800000000\"}}}}"
        );
        let headers = if prefix.is_empty() { String::new() } else { format!("Idempotency-Key: {prefix}-{n:016}\r\n") };
        post("/v1/reports", &headers, &body)
    };
    covers.iter().enumerate().map(request).collect()
}

/// The value of a metric.
fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

/// Mean number of commands that shared a commit.
fn group_size(server: &Server) -> Result<f64> {
    let mut connection = Connection::open(server.address)?;
    ensure!(connection.exchange(&get("/metrics"))? == 200, "no metrics");
    let text = String::from_utf8_lossy(connection.body()).into_owned();
    let of = |what| metric(&text, &format!("guli_commit_group_commands_{what}"));
    Ok(of("sum") / of("count").max(1.0))
}

struct Measured {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    group: f64,
    cpu: Duration,
    /// Synced appends in a second, right before and after.
    floor: f64,
    /// What `SQLite` alone makes of the same rows.
    raw: sqlite::Raw,
}

/// Reports all of them taken: the load, the processor time of each, the mean commit group.
pub(crate) fn under_load(
    server: &Server,
    plan: &Plan,
    clients: usize,
    requests: &[Vec<u8>],
) -> Result<(Load, Duration, f64)> {
    let before = server.cpu()?;
    let load = run(server.address, clients, plan.length, requests, Supply::Once)?;
    let cpu = server.cpu()?.saturating_sub(before);
    ensure!(load.refused == 0 && load.answered > 0, "{} reports taken, {} refused", load.answered, load.refused);
    let each = cpu.div_f64(load.answered as f64);
    Ok((load, each, group_size(server)?))
}

fn one(plan: &Plan, world: &World, clients: usize, keys: Keys) -> Result<Measured> {
    let dir = world.copy()?;
    let prefix = if keys == Keys::With { "bench" } else { "" };
    let requests = requests(&world.sample(usize::try_from(world.covers)?)?, prefix);
    let server = Server::demo(dir.path())?;
    let first = synced(dir.path(), plan.length / 5)?;
    let (mut load, cpu, group) = under_load(&server, plan, clients, &requests)?;
    server.stop()?;
    let floor = f64::midpoint(first, synced(dir.path(), plan.length / 5)?);
    let raw = sqlite::again(world, &dir.path().join("guli.db"), group)?;
    ensure!(raw.rows.reports == load.answered, "{} answered, {} stored", load.answered, raw.rows.reports);
    Ok(Measured {
        per_second: load.per_second(),
        p50: load.quantile(500),
        p99: load.quantile(990),
        group,
        cpu,
        floor,
        raw,
    })
}

/// Records of 300 bytes in a second, each on the disk before the next.
fn synced(dir: &Path, length: Duration) -> Result<f64> {
    let mut file = File::create(dir.join("synced"))?;
    file.sync_all()?;
    let (start, mut count) = (Instant::now(), 0.0);
    while start.elapsed() < length {
        file.write_all(&[b'r'; 300])?;
        file.sync_data()?;
        count += 1.0;
    }
    Ok(count / start.elapsed().as_secs_f64())
}

fn rows(clients: usize, keys: Keys, measured: &Measured) -> Vec<Row> {
    let Measured { per_second, p50, p99, group, cpu, raw, .. } = measured;
    let what = if keys == Keys::With { "with keys" } else { "report → order" };
    let joined = raw.rows.reports - raw.rows.orders;
    let row = Row::new(format!("{what}, {clients} clients"), format!("{}, {} CPU", rate(*per_second), time(*cpu)));
    vec![
        row.against(
            format!("SQLite through sqlx, groups of {:.1}: {}", raw.group, rate(raw.per_second)),
            per_second / raw.per_second,
            Target::AtLeast(0.5),
        ),
        Row::new(
            "  p50 / p99, commit group",
            format!("{} / {}, {group:.1}; {joined} of {} joined", time(*p50), time(*p99), raw.rows.reports),
        ),
    ]
}

/// One client waits for one sync a report: faster than syncing alone cannot be.
fn beside_the_floor(measured: &Measured) -> Row {
    let Measured { floor, per_second, raw, .. } = measured;
    let row = Row::new("  of synced appends of 300 B", rate(*per_second));
    let row = row.against(format!("append + fdatasync: {}", rate(*floor)), per_second / floor, Target::None);
    if per_second.max(raw.per_second) > *floor {
        row.note("not possible: something disturbed the disk while the appends were measured, so this row says nothing")
    } else {
        row
    }
}

pub(crate) fn measure(plan: &Plan, worlds: &Worlds) -> Result<Vec<Row>> {
    let world = worlds.small()?;
    let mut all = Vec::new();
    for (clients, peer, least) in CLIENTS {
        let mut runs = (0..plan.runs).map(|_| one(plan, world, clients, Keys::Without)).collect::<Result<Vec<_>>>()?;
        runs.sort_by(|a, b| (a.per_second / a.raw.per_second).total_cmp(&(b.per_second / b.raw.per_second)));
        let measured = runs.get(runs.len() / 2).context("no run")?;
        all.extend(rows(clients, Keys::Without, measured));
        if clients == 1 {
            all.push(beside_the_floor(measured));
        }
        let ratio = measured.per_second / peer;
        let recorded = format!("PostGIS, SQL alone: {}, recorded", rate(peer));
        all.push(Row::new("  rate beside a peer's", "").against(recorded, ratio, Target::AtLeast(least)));
    }
    let keyed = one(plan, world, 32, Keys::With)?;
    all.extend(rows(32, Keys::With, &keyed));
    Ok(all)
}
