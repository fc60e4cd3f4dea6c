//! What the database alone does: `PostGIS` finds the nearest cover and the grid of a pin and writes one order, a
//! transaction each, with no HTTP, no history, no feed and no reply to keep. `pgbench`, which comes with the server,
//! asks for it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// The orders' table with its keys and indexes once more, and where their numbers come from.
pub(crate) const TABLES: &str = "CREATE TABLE bare_order (LIKE work_order INCLUDING ALL); \
                                 CREATE SEQUENCE bare_number CACHE 100";

/// A pin anywhere in the district's middle becomes an order.
const SCRIPT: &str = r"
\set east random(0, 9999999)
\set north random(0, 9999999)
INSERT INTO bare_order (district, number, version, status, grid, cover, lon, lat, damage, assignee, target, promise_at,
    repair_by, due_at, opened_at, disputed, level, rework, report_count, registry_seq, updated_at)
SELECT 370203, nextval('bare_number'), 1, 'dispatched', coalesce(g.code, 0), c.id, c.lon, c.lat, 'broken',
    coalesce(c.owner, ''), '', 0, 0, 0, 0, 0, 0, 0, 1, 1, 0
FROM (SELECT ST_SetSRID(ST_MakePoint(120.33 + :east * 1e-8, 36.06 + :north * 6e-9), 4326) AS at) AS pin
CROSS JOIN LATERAL (SELECT id, lon, lat, owner FROM cover ORDER BY geom <-> pin.at LIMIT 1) AS c
LEFT JOIN LATERAL (
    SELECT code FROM area WHERE code >= 100000000000000 AND ST_Covers(geom, pin.at) ORDER BY code LIMIT 1
) AS g ON true;
";

/// Orders a second by so many clients; `None` where there is no `pgbench`.
pub(crate) fn rate(database: &str, clients: usize, length: Duration) -> Result<Option<f64>> {
    let Some(pgbench) = pgbench() else { return Ok(None) };
    let mut script = tempfile::NamedTempFile::new()?;
    script.write_all(SCRIPT.as_bytes())?;
    let (clients, seconds) = (clients.to_string(), length.as_secs().max(1).to_string());
    let run = Command::new(pgbench)
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=1", "--client", &clients, "--time", &seconds, "--file"])
        .arg(script.path())
        .arg(database)
        .output()?;
    ensure!(run.status.success(), "pgbench: {}", String::from_utf8_lossy(&run.stderr));
    let told = String::from_utf8_lossy(&run.stdout);
    let tps = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
    Ok(Some(tps.context("pgbench tells no rate")?.parse()?))
}

/// Debian keeps it beside the server, off the path.
fn pgbench() -> Option<PathBuf> {
    let beside = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = beside.map(|version| version.path().join("bin/pgbench")).collect();
    found.sort();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&on_path).map(|folder| folder.join("pgbench")));
    found.into_iter().rev().find(|file| file.is_file())
}
