//! `guli import`: a progress bar, a table of files, a table of findings.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use comfy_table::{Cell, CellAlignment, Color, Table, presets};
use guli::config::Config;
use guli::local::{ImportRequest, Request};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::args::ImportArgs;

/// Findings of a file that the table shows.
const SHOWN: usize = 20;

/// A bar on a terminal; nothing elsewhere.
pub(crate) fn bar(of: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(of), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg:28} {wide_bar:.cyan/blue} {percent:>3}% {eta:>4}") {
        bar.set_style(style);
    }
    bar
}

/// Imports, prints what became of each file; fails when one was refused.
pub(crate) fn run(config: &Config, args: ImportArgs) -> Result<ExitCode> {
    let json = args.json;
    let absolute = |path: PathBuf| std::path::absolute(&path).with_context(|| format!("{}", path.display()));
    let path = std::fs::canonicalize(&args.path).with_context(|| format!("{}", args.path.display()))?;
    let request = Request::Import(ImportRequest {
        path,
        profiles: args.profiles.map(absolute).transpose()?,
        profile: args.profile,
        kind: args.kind,
        crs: args.crs,
        source: args.source,
        district: args.district,
        dry_run: args.dry_run,
        keep_going: args.keep_going,
        rows_to: args.rows.map(absolute).transpose()?,
    });
    let bar = bar(0);
    let answer = super::ask(config, request, &mut |progress| {
        bar.set_length(progress["of_bytes"].as_u64().unwrap_or(0));
        bar.set_position(progress["bytes"].as_u64().unwrap_or(0));
        bar.set_message(progress["file"].as_str().unwrap_or_default().to_owned());
    });
    bar.finish_and_clear();
    let answer = answer?;
    let reports = answer.as_array().map_or(&[][..], Vec::as_slice);
    let refused = reports.iter().any(|report| report["rejected"] == true);
    if json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        println!("{}", files_table(reports));
        reports.iter().for_each(print_findings);
        say_what_to_do(reports, refused);
    }
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn files_table(reports: &[Value]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    if !std::io::stdout().is_terminal() {
        table.force_no_tty();
    }
    table.set_header(["file", "records", "rows", "created", "updated", "unchanged", "warned", "rejected", ""]);
    for report in reports {
        let text = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
        let count =
            |name: &str| Cell::new(report["counts"][name].as_u64().unwrap_or(0)).set_alignment(CellAlignment::Right);
        let coloured = |name: &str, colour| {
            let cell = count(name);
            if report["counts"][name].as_u64().unwrap_or(0) > 0 { cell.fg(colour) } else { cell }
        };
        let verdict = match (report["rejected"].as_bool(), report["dry_run"].as_bool()) {
            (Some(true), _) => Cell::new("refused: nothing stored").fg(Color::Red),
            (_, Some(true)) => Cell::new("dry run: nothing stored").fg(Color::Cyan),
            _ => Cell::new("stored").fg(Color::Green),
        };
        table.add_row([
            Cell::new(text("file")),
            Cell::new(text("kind")),
            count("rows"),
            count("created"),
            count("updated"),
            count("unchanged"),
            coloured("warned", Color::Yellow),
            coloured("rejected", Color::Red),
            verdict,
        ]);
    }
    table
}

fn print_findings(report: &Value) {
    let findings = report["findings"].as_array().map_or(&[][..], Vec::as_slice);
    if findings.is_empty() {
        return;
    }
    let total = report["findings_total"].as_u64().unwrap_or(0);
    println!("\n{} — {total} findings", report["file"].as_str().unwrap_or_default());
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.force_no_tty();
    }
    table.set_header(["row", "line", "finding", "column", "detail"]);
    for finding in findings.iter().take(SHOWN) {
        let colour = if finding["severity"] == "error" { Color::Red } else { Color::Yellow };
        let text = |name: &str| finding[name].as_str().unwrap_or_default();
        table.add_row([
            Cell::new(finding["row"].as_u64().unwrap_or(0)),
            Cell::new(finding["line"].as_u64().unwrap_or(0)),
            Cell::new(text("code")).fg(colour),
            Cell::new(text("column")),
            Cell::new(text("detail")),
        ]);
    }
    println!("{table}");
    if total > SHOWN as u64 {
        println!("… and {} more: --json names 1,000, --rows FILE writes every row", total - SHOWN as u64);
    }
}

fn say_what_to_do(reports: &[Value], refused: bool) {
    if refused {
        let names: Vec<_> =
            reports.iter().filter(|r| r["rejected"] == true).filter_map(|r| r["file"].as_str()).collect();
        println!("\nRefused: {}. Correct the rows in red, or store the good ones with --keep-going.", names.join(", "));
    }
}
