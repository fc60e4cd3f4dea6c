//! `guli doctor`: what is wrong with the registry.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Result;
use comfy_table::{Cell, CellAlignment, Color};
use guli::config::Config;
use guli::domain::quality::{Rule, Severity};
use guli::local::Request;
use serde_json::Value;

use super::args::DoctorArgs;
use super::out::out;

/// Fails where there is an error that nobody has accepted.
pub(crate) fn run(config: &Config, args: &DoctorArgs) -> Result<ExitCode> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", "open");
    if !args.rule.is_empty() {
        query.append_pair("rule", &args.rule.join(","));
    }
    if let Some(district) = &args.district {
        query.append_pair("district", district);
    }
    // For programs everything; for people what they can look at.
    let limit = if args.json { usize::MAX } else { args.limit.max(1) };
    query.append_pair("limit", &limit.to_string());
    let answer = super::ask(config, Request::Doctor { query: query.finish() }, &mut |_| true)?;
    if args.json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        print(&answer, args.limit);
    }
    Ok(if errors(&answer) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How many findings each rule has.
fn counts(answer: &Value) -> impl Iterator<Item = (Rule, u64)> {
    Rule::ALL.iter().filter_map(|rule| Some((*rule, answer["counts"][rule.as_str()].as_u64()?)))
}

fn errors(answer: &Value) -> u64 {
    counts(answer).filter(|(rule, _)| rule.severity() == Severity::Error).map(|(_, count)| count).sum()
}

const fn colour(severity: Severity) -> Color {
    match severity {
        Severity::Error => Color::Red,
        Severity::Warning => Color::Yellow,
        Severity::Notice => Color::Cyan,
    }
}

fn print(answer: &Value, limit: usize) {
    let coloured = std::io::stdout().is_terminal();
    let mut table = guli::table::new(["rule", "severity", "open"], coloured);
    let mut all = 0;
    for (rule, count) in counts(answer) {
        all += count;
        let colour = if count == 0 { Color::Green } else { colour(rule.severity()) };
        table.add_row([
            Cell::new(rule.as_str()),
            Cell::new(rule.severity().as_str()),
            Cell::new(count).set_alignment(CellAlignment::Right).fg(colour),
        ]);
    }
    out!("{table}");
    let items = answer["items"].as_array().map_or(&[][..], Vec::as_slice);
    let shown = &items[..items.len().min(limit)];
    if !shown.is_empty() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut table = guli::table::new(["finding", "rule", "about", "detail", "mend"], coloured);
        for item in shown {
            let subjects = item["subjects"].as_array().map_or(&[][..], Vec::as_slice);
            let codes: Vec<String> = subjects.iter().map(|subject| text(&subject["code"])).collect();
            let mend = &item["mend"];
            let mend = match (mend["method"].as_str(), &mend["body"]) {
                (None, _) => "—".to_owned(),
                (Some(method), Value::Null) => format!("{method} {}", text(&mend["href"])),
                // Outlines are for programs.
                (Some(method), body) if body["grids"].is_array() => {
                    // A new grid has no code yet.
                    let named = |grid: &Value| text(grid.get("code").unwrap_or(&grid["name"]));
                    let grids: Vec<String> = body["grids"].as_array().into_iter().flatten().map(named).collect();
                    let href = text(&mend["href"]);
                    format!("{method} {href} of grid {} (--json has it whole)", grids.join(", "))
                }
                (Some(method), body) => format!("{method} {} {body}", text(&mend["href"])),
            };
            let severity = Severity::parse(&text(&item["severity"])).unwrap_or(Severity::Notice);
            table.add_row([
                Cell::new(text(&item["id"])),
                Cell::new(text(&item["rule"])).fg(colour(severity)),
                Cell::new(codes.join(" ")),
                Cell::new(text(&item["detail"])),
                Cell::new(mend),
            ]);
        }
        out!("\n{table}");
    }
    let more = all.saturating_sub(shown.len() as u64);
    if more > 0 {
        out!("… and {more} more: --limit, --rule or --json show them");
    }
    match errors(answer) {
        0 => out!("no errors"),
        1 => out!("1 error"),
        errors => out!("{errors} errors"),
    }
}
