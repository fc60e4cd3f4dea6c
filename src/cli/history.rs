//! `guli history`: what happened to a cover, an area, an organisation or a person.

use std::io::IsTerminal as _;

use anyhow::Result;
use comfy_table::{Cell, CellAlignment, Color};
use guli::config::Config;
use guli::local::Request;
use serde_json::Value;

use super::args::HistoryArgs;
use super::out::out;

/// Longest value that is shown: a geometry is none to read.
const SHOWN: usize = 48;

pub(crate) fn run(config: &Config, args: &HistoryArgs) -> Result<()> {
    let answer = super::ask(config, Request::History { code: args.code.clone() }, &mut |_| true)?;
    if args.json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    let coloured = std::io::stdout().is_terminal();
    let mut table = guli::table::new(["version", "at", "by", "why", "what changed"], coloured);
    for version in answer["items"].as_array().map_or(&[][..], Vec::as_slice) {
        let changes = version["changes"].as_array().map_or(&[][..], Vec::as_slice);
        let changes: Vec<String> = changes.iter().map(change).collect();
        let first = if version["version"] == 1 { "registered" } else { "" };
        let what = if changes.is_empty() { first.to_owned() } else { changes.join("\n") };
        let what = version["undoes"].as_i64().map_or(what.clone(), |undone| format!("undoes {undone}\n{what}"));
        table.add_row([
            Cell::new(&version["version"]).set_alignment(CellAlignment::Right),
            Cell::new(version["at"].as_str().unwrap_or("—")),
            Cell::new(by(version)).fg(Color::Cyan),
            Cell::new(version["reason"].as_str().unwrap_or_default()),
            Cell::new(what),
        ]);
    }
    out!("{table}");
    Ok(())
}

/// Who, or which row of which import.
fn by(version: &Value) -> String {
    match (&version["source"]["import"], &version["source"]["row"]) {
        (Value::String(import), Value::Number(row)) => format!("import {import} row {row}"),
        (Value::String(import), _) => format!("import {import}"),
        _ => {
            let by = &version["by"];
            let known = [&by["role"], &by["unit"]["code"], &by["name"]].map(Value::as_str);
            let known: Vec<&str> = known.into_iter().flatten().collect();
            if known.is_empty() { "—".to_owned() } else { known.join(" ") }
        }
    }
}

fn change(change: &Value) -> String {
    let shown = |value: &Value| {
        let text = match value {
            Value::Null => "—".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if text.chars().count() > SHOWN { "…".to_owned() } else { text }
    };
    let pointer = change["pointer"].as_str().unwrap_or_default().trim_start_matches('/');
    let pointer = if pointer.is_empty() { "all of it" } else { pointer };
    format!("{pointer}: {} → {}", shown(&change["from"]), shown(&change["to"]))
}
