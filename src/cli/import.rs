//! `guli import`: a progress bar, a table of files, a table of findings.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use comfy_table::{Cell, CellAlignment, Color, Table};
use guli::config::Config;
use guli::import::finding::table;
use guli::import::report::Report;
use guli::import::run::Progress;
use guli::local::{ImportRequest, Message, Request};
use guli::service::import::undo::Undone;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::args::{ImportAction, ImportArgs};
use super::out::out;

/// Findings of a file that the table shows.
const SHOWN: usize = 20;

/// Refused files that are named; a folder of districts may have thousands.
const NAMED: usize = 20;

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
    match args.action {
        Some(ImportAction::Undo { id, reason }) => return undo(config, id, reason),
        Some(ImportAction::List { district, profile, state, limit, json }) => {
            let limit = limit.to_string();
            let asked = [("district", district), ("profile", profile), ("state", state), ("limit", Some(limit))];
            return list(config, asked, json);
        }
        None => {}
    }
    let json = args.json;
    let given = args.path.context("a folder or a file is needed")?;
    let absolute = |path: PathBuf| std::path::absolute(&path).with_context(|| format!("{}", path.display()));
    let path = std::fs::canonicalize(&given).with_context(|| format!("{}", given.display()))?;
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
    let answer = super::ask(config, request, &mut |message| {
        if let Message::Progress(progress) = message
            && let Ok(Progress { file, bytes, of_bytes, .. }) = serde_json::from_value(progress)
        {
            bar.set_length(of_bytes);
            bar.set_position(bytes);
            bar.set_message(file);
        }
        true
    });
    bar.finish_and_clear();
    let answer = answer?;
    if json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
    }
    let reports: Vec<Report> = serde_json::from_value(answer)?;
    if !json {
        print(&reports);
    }
    let is_lacking = reports.iter().any(|report| report.rejected || report.broken_off);
    Ok(if is_lacking { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Takes an import back and says what that came to.
fn undo(config: &Config, id: String, reason: Option<String>) -> Result<ExitCode> {
    let answer = super::ask(config, Request::UndoImport { id: id.clone(), reason }, &mut |_| true)?;
    let Undone { kind, removed, restored, kept, .. } = serde_json::from_value(answer)?;
    out!("import {id} of {kind} was taken back: {removed} removed, {restored} as before");
    if kind == "people" {
        out!(
            "names and phones stay as they are, for nothing earlier of them is kept; of {kept} nothing else was changed"
        );
    } else if kept > 0 {
        out!("{kept} were changed or reported meanwhile, and stay");
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists imports.
fn list(config: &Config, asked: [(&str, Option<String>); 4], json: bool) -> Result<ExitCode> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &asked {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let answer = super::ask(config, Request::ListImports { query: query.finish() }, &mut |_| true)?;
    if json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    out!("{}", imports_table(answer["items"].as_array().map_or(&[][..], Vec::as_slice)));
    if answer["next"].is_string() {
        out!("… and earlier ones: --limit N shows more");
    }
    Ok(ExitCode::SUCCESS)
}

fn imports_table(imports: &[Value]) -> Table {
    let head =
        ["id", "started", "file", "records", "created", "updated", "unchanged", "rejected", "by", "state", "undo"];
    let mut table = guli::table::new(head, std::io::stdout().is_terminal());
    for import in imports {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let count = |name: &str| {
            let count = import["counts"][name].as_u64().map_or_else(String::new, |count| count.to_string());
            Cell::new(count).set_alignment(CellAlignment::Right)
        };
        let state = text(&import["state"]);
        let colour = match state.as_str() {
            "stored" => Color::Green,
            "rejected" | "failed" => Color::Red,
            _ => Color::Yellow,
        };
        let by = &import["by"];
        let by = [&by["name"], &by["key"]].iter().find_map(|who| who.as_str()).unwrap_or("operator").to_owned();
        table.add_row([
            Cell::new(text(&import["id"])),
            // To the second.
            Cell::new(text(&import["started_at"]).get(..19).unwrap_or_default().replace('T', " ")),
            Cell::new(text(&import["file"])),
            Cell::new(text(&import["kind"])),
            count("created"),
            count("updated"),
            count("unchanged"),
            count("rejected"),
            Cell::new(by),
            Cell::new(state).fg(colour),
            Cell::new(if import["can_undo"] == true { "possible" } else { "" }),
        ]);
    }
    table
}

fn print(reports: &[Report]) {
    let coloured = std::io::stdout().is_terminal();
    out!("{}", files_table(reports, coloured));
    for report in reports.iter().filter(|report| report.findings_total > 0) {
        out!("\n{} — {} findings\n{}", report.file, report.findings_total, table(&report.findings, SHOWN, coloured));
    }
    for report in reports.iter().filter(|report| report.broken_off && !report.rejected) {
        out!("\n{} could not be read to its end: what came after the last row is not stored.", report.file);
    }
    let refused: Vec<&Report> = reports.iter().filter(|report| report.rejected).collect();
    if !refused.is_empty() {
        let more = match refused.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names =
            refused[..refused.len().min(NAMED)].iter().map(|report| &*report.file).collect::<Vec<_>>().join(", ");
        // A file without a good row has none to be stored.
        let has_good_rows = refused.iter().any(|report| report.counts.rows > report.counts.rejected);
        let advice = if has_good_rows {
            "Correct the rows with errors, or store the good ones with --keep-going; --rows FILE writes what became of each row."
        } else {
            "Nothing in it could be read as its profile says: see above."
        };
        out!("\nRefused: {names}{more}. {advice}");
    }
}

fn files_table(reports: &[Report], coloured: bool) -> Table {
    let head = ["file", "records", "rows", "created", "updated", "unchanged", "warned", "rejected", ""];
    let mut table = guli::table::new(head, coloured);
    for report in reports {
        let counts = &report.counts;
        let count = |n: u64| Cell::new(n).set_alignment(CellAlignment::Right);
        let bad = |n: u64, colour| if n > 0 { count(n).fg(colour) } else { count(n) };
        let verdict = match (report.rejected, report.dry_run) {
            _ if let Some(other) = &report.waits_for => {
                Cell::new(format!("not tried: {other} first")).fg(Color::Yellow)
            }
            (true, _) => Cell::new("refused: nothing stored").fg(Color::Red),
            (_, true) => Cell::new("dry run: nothing stored").fg(Color::Cyan),
            _ if report.id.is_empty() => Cell::new("stored").fg(Color::Green),
            // What takes it back.
            _ => Cell::new(format!("stored as {}", report.id)).fg(Color::Green),
        };
        table.add_row([
            Cell::new(&report.file),
            Cell::new(&report.kind),
            count(counts.rows),
            count(counts.created),
            count(counts.updated),
            count(counts.unchanged),
            bad(counts.warned, Color::Yellow),
            bad(counts.rejected, Color::Red),
            verdict,
        ]);
    }
    table
}
