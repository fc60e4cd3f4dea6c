//! `guli resolve`: a pin, its grid and the covers that it may mean.

use std::io::IsTerminal as _;

use anyhow::Result;
use comfy_table::{Cell, CellAlignment, Color};
use guli::config::Config;
use guli::local::Request;
use serde_json::Value;

use super::args::ResolveArgs;
use super::out::out;

pub(crate) fn run(config: &Config, args: &ResolveArgs) -> Result<()> {
    let (east, north) = match args.crs.parse::<guli::crs::Crs>().map(guli::crs::Crs::kind) {
        Ok(kind) => kind.members(),
        Err(error) => anyhow::bail!("--crs: {}", guli::domain::said::english(error)),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .append_pair(east, &args.east.to_string())
        .append_pair(north, &args.north.to_string())
        .append_pair("crs", &args.crs)
        .append_pair("accuracy_m", &args.accuracy.to_string())
        .append_pair("limit", &args.limit.to_string());
    if let Some(category) = &args.category {
        query.append_pair("category", category);
    }
    let answer = super::ask(config, Request::Resolve { query: query.finish() }, &mut |_| true)?;
    if args.json {
        out!("{}", serde_json::to_string_pretty(&answer)?);
    } else {
        print(&answer);
    }
    Ok(())
}

fn named(value: &Value) -> String {
    match (value["name"].as_str(), value["code"].as_str()) {
        (Some(name), Some(code)) => format!("{name} {code}"),
        _ => "—".to_owned(),
    }
}

fn print(answer: &Value) {
    let grid = &answer["grid"];
    out!("grid        {}", named(grid));
    out!("community   {}   sub-district {}", named(&grid["community"]), named(&grid["subdistrict"]));
    out!(
        "section     {}   leader {}",
        named(&grid["supervising_department"]),
        grid["leader"]["name"].as_str().unwrap_or("—")
    );
    let word = answer["match"].as_str().unwrap_or_default();
    let none = answer["none_confidence"].as_f64().unwrap_or(1.0);
    out!("match       {word} (none of these: {:.1} %)", none * 100.0);
    let candidates = answer["candidates"].as_array().map_or(&[][..], Vec::as_slice);
    if candidates.is_empty() {
        return;
    }
    let head = ["confidence", "metres", "cover", "category", "owner", "responsible unit"];
    let mut table = guli::table::new(head, std::io::stdout().is_terminal());
    for candidate in candidates {
        let cover = &candidate["cover"];
        let confidence = candidate["confidence"].as_f64().unwrap_or(0.0);
        let colour = match confidence {
            c if c >= 0.8 => Color::Green,
            c if c >= 0.2 => Color::Yellow,
            _ => Color::DarkGrey,
        };
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row([
            right(format!("{:.1} %", confidence * 100.0)).fg(colour),
            right(format!("{:.2}", candidate["distance_m"].as_f64().unwrap_or(0.0))),
            Cell::new(cover["code"].as_str().unwrap_or_default()).fg(colour),
            Cell::new(named(&cover["category"])),
            Cell::new(named(&cover["owner"])),
            Cell::new(named(&cover["responsible_unit"])),
        ]);
    }
    out!("{table}");
}
