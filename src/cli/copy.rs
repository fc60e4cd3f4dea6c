//! `guli copy`: a database into another one, a progress bar, a table of what is the same.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use comfy_table::{Cell, CellAlignment, Color, Table};
use guli::config::Settings;
use guli::store::compare::Comparison;
use guli::store::copy::{Copied, Databases, Event, Target};
use guli::store::{DatabaseUrl, StoreError};
use indicatif::ProgressBar;
use serde_json::json;

use super::args::CopyArgs;
use super::out::{note, out};

/// Digits of a hash that the table shows.
const SHOWN: usize = 12;

/// Copies and compares, or only compares; fails where a table differs.
pub(crate) fn run(settings: &Settings, args: CopyArgs) -> Result<ExitCode> {
    let from = args.from.clone().or_else(|| settings.database.clone()).unwrap_or_default();
    let key_file = key_file(settings, &from);
    let target = if args.verify { Target::MustExist } else { Target::MayBeMade };
    let started = Instant::now();
    let bar = super::import::bar(0);
    let copied = super::runtime()?.block_on(async {
        let databases = Databases::open(&from, &args.to, target, settings.max_page_count).await?;
        let mut tell = |event| show(&bar, event);
        let copied = if args.verify {
            let tables = databases.verify(&mut tell).await;
            tables.map(|tables| Copied { resumed: None, rows: 0, tables })
        } else {
            databases.copy(&mut tell).await
        };
        databases.close().await;
        copied
    });
    bar.finish_and_clear();
    let copied = copied.map_err(|error| describe(error, args.verify))?;
    let same = copied.tables.iter().all(Comparison::is_same);
    if args.json {
        out!("{}", serde_json::to_string_pretty(&answer(&copied, same))?);
    } else {
        out!("{}", table(&copied.tables));
        conclude(&args, &copied, same, started.elapsed(), key_file);
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// An error, and what became of the copy.
fn describe(error: StoreError, verify: bool) -> anyhow::Error {
    match error {
        // It was refused before a row was copied.
        StoreError::Setup(_) => error.into(),
        _ if verify => error.into(),
        _ => anyhow::anyhow!("{error}; what is copied so far stays, and the same command goes on where it stopped"),
    }
}

/// The file of the key that the source is sealed with, where it is known.
fn key_file(settings: &Settings, from: &DatabaseUrl) -> Option<PathBuf> {
    let beside = || Some(from.file()?.parent()?.join("guli.key"));
    let file = settings.key_file.clone().or_else(beside)?;
    std::path::absolute(&file).ok().or(Some(file))
}

fn show(bar: &ProgressBar, event: Event) {
    let (doing, at) = match event {
        Event::Resumed { rows } => {
            let said = format!("going on with a copy that was interrupted: {} rows are there already", digits(rows));
            return bar.suspend(|| note!("{said}"));
        }
        Event::Copied(at) => ("copy", at),
        Event::Compared(at) => ("compare", at),
    };
    bar.set_length(at.of);
    bar.set_position(at.done);
    bar.set_message(format!("{doing} {}", at.table));
}

fn answer(copied: &Copied, same: bool) -> serde_json::Value {
    let tables = copied.tables.iter().map(|table| {
        json!({
            "table": table.table, "same": table.is_same(), "source": table.source, "target": table.target,
            "first_difference": table.first_difference,
        })
    });
    json!({
        "same": same, "copied_rows": copied.rows, "resumed_rows": copied.resumed, "tables": tables.collect::<Vec<_>>(),
    })
}

fn table(tables: &[Comparison]) -> Table {
    let coloured = std::io::stdout().is_terminal();
    let mut shown = guli::table::new(["table", "source", "target", "SHA-256", "", "first difference"], coloured);
    let number = |rows| Cell::new(digits(rows)).set_alignment(CellAlignment::Right);
    for table in tables {
        let hash = |text: &str| text.get(..SHOWN).unwrap_or_default().to_owned();
        let (hashes, verdict) = if table.is_same() {
            (hash(&table.source.sha256), Cell::new("✓").fg(Color::Green))
        } else {
            let both = format!("{} ≠ {}", hash(&table.source.sha256), hash(&table.target.sha256));
            (both, Cell::new("✗").fg(Color::Red))
        };
        shown.add_row([
            Cell::new(table.table),
            number(table.source.rows),
            number(table.target.rows),
            Cell::new(hashes),
            verdict,
            Cell::new(table.first_difference.as_deref().unwrap_or_default()),
        ]);
    }
    shown
}

/// What came of it, and what is to be done now.
fn conclude(args: &CopyArgs, copied: &Copied, same: bool, took: Duration, key_file: Option<PathBuf>) {
    let to = &args.to;
    let all: u64 = copied.tables.iter().map(|table| table.source.rows).sum();
    if !args.verify {
        out!("\ncopied {} rows in {:.1} s", digits(copied.rows), took.as_secs_f64());
    }
    let differing = copied.tables.iter().filter(|table| !table.is_same()).count();
    match (same, args.verify) {
        (true, _) => out!("{} rows in {} tables, the same in both", digits(all), copied.tables.len()),
        (false, true) => out!("\n{differing} of {} tables differ", copied.tables.len()),
        (false, false) => out!(
            "{differing} of {} tables differ: the source has changed since the copy began, or something wrote to {to}. It \
             is not served; empty it and copy again",
            copied.tables.len()
        ),
    }
    if same && !args.verify {
        out!(
            "\nNames and phones in it are sealed: only the source's key file opens them, so it must go with the copy."
        );
        match key_file {
            Some(file) => out!("  guli serve --database {to} --key-file {}", file.display()),
            None => out!("  guli serve --database {to} --key-file FILE"),
        }
    }
}

/// A number with a comma at every thousand.
fn digits(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}
