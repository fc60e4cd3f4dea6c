//! What the service does in a second, what it costs, and how near that is to what it could cost.
//!
//! `cargo bench --bench service` measures everything; `-- resolve report` only what is named: `resolve`,
//! `report`, `postgres`, `tiles`, `start`, `memory`, `growth`, `change`, `beside`, `import`, `quality`. `GULI_BENCH_COVERS` sets the size of the large
//! world, `GULI_BENCH_SECONDS` the length of each load. Each figure stands beside a reference taken in the
//! same minute on the same machine: the ratio counts, the figure alone does not. Those of other systems
//! are recorded, from a machine of the same class.
//!
//! How often the right cover is named is measured by `cargo bench --bench resolve_accuracy`.

mod bare_sql;
mod beside;
mod growth;
mod hello;
mod import;
mod load;
mod numbers;
mod postgres;
mod process;
mod quality;
mod reports;
mod resolve;
mod sqlite;
mod start;
mod table;
mod tiles;
mod world;

use std::time::Duration;

use anyhow::Result;

use table::Row;
use world::Worlds;

/// Covers of the demo district, and of the large world unless said otherwise.
const SMALL: u64 = 17_000;
const LARGE: u64 = 1_700_000;

/// What a run is to measure, and how long.
struct Plan {
    wanted: Vec<String>,
    length: Duration,
    large: u64,
    /// Runs of which the median is taken.
    runs: usize,
}

impl Plan {
    /// Without `--bench` (`cargo test --all-targets`) a small run that only shows that it runs.
    fn of_arguments(arguments: &[String]) -> Self {
        let full = arguments.iter().any(|argument| argument == "--bench");
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<f64>().ok());
        let seconds = number("GULI_BENCH_SECONDS").unwrap_or(if full { 5.0 } else { 0.2 });
        let covers = std::env::var("GULI_BENCH_COVERS").ok().and_then(|text| text.parse().ok());
        Self {
            wanted: arguments.iter().filter(|argument| !argument.starts_with('-')).cloned().collect(),
            length: Duration::from_secs_f64(seconds.max(0.1)),
            large: covers.unwrap_or(if full { LARGE } else { 2 * SMALL }),
            runs: if full { 3 } else { 1 },
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| wanted == name)
    }
}

type Section = fn(&Plan, &Worlds) -> Result<Vec<Row>>;

const SECTIONS: [(&str, Section); 11] = [
    ("import", import::measure),
    ("resolve", resolve::measure),
    ("report", reports::measure),
    ("postgres", postgres::measure),
    ("tiles", tiles::measure),
    ("start", start::start),
    ("memory", start::memory),
    ("growth", growth::growth),
    ("change", growth::change),
    ("beside", beside::measure),
    ("quality", quality::measure),
];

/// The machine's load, so that a reader knows what else it did.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == hello::ARGUMENT
    {
        return hello::serve(rest);
    }
    let plan = Plan::of_arguments(&arguments);
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores, load average {} before", load_average());
    let worlds = Worlds::new(plan.large);
    let mut rows = Vec::new();
    for (name, section) in SECTIONS.iter().filter(|(name, _)| plan.wants(name)) {
        eprintln!("measuring {name} …");
        match section(&plan, &worlds) {
            Ok(measured) => rows.extend(measured),
            // One that cannot be measured here says why; the others still count.
            Err(error) => rows.push(Row::new(*name, "failed").note(format!("{error:#}"))),
        }
    }
    table::print(&rows);
    println!("load average {} after", load_average());
    Ok(())
}
