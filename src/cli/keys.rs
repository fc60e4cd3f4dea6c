//! `guli key`: keys are made by who may open the database, and shown once.

use std::io::IsTerminal as _;

use anyhow::Result;
use comfy_table::{Cell, Color, Table};
use guli::config::Config;
use guli::local::Request;

use super::args::KeyCommand;
use super::out::{note, out};

pub(crate) fn run(config: &Config, command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::Create { role, scope, name, json } => {
            let made = super::ask(config, Request::CreateKey { role, scopes: scope, name }, &mut |_| true)?;
            if json {
                out!("{}", serde_json::to_string_pretty(&made)?);
            } else {
                out!("{}", made["key"].as_str().unwrap_or_default());
                note!(
                    "This is the only time that the key is shown. Its id, to revoke it: {}",
                    made["id"].as_str().unwrap_or_default()
                );
            }
        }
        KeyCommand::List { json } => {
            let keys = super::ask(config, Request::ListKeys, &mut |_| true)?;
            if json {
                out!("{}", serde_json::to_string_pretty(&keys)?);
            } else {
                out!("{}", table(keys.as_array().map_or(&[][..], Vec::as_slice)));
            }
        }
        KeyCommand::Revoke { id } => {
            super::ask(config, Request::RevokeKey { id: id.clone() }, &mut |_| true)?;
            out!("revoked {id}");
        }
    }
    Ok(())
}

fn table(keys: &[serde_json::Value]) -> Table {
    let head = ["id", "role", "scope", "name", "created", "revoked"];
    let mut table = guli::table::new(head, std::io::stdout().is_terminal());
    for key in keys {
        let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
        let scopes: Vec<_> = key["scopes"].as_array().into_iter().flatten().filter_map(|s| s.as_str()).collect();
        table.add_row([
            Cell::new(text("id")),
            Cell::new(text("role")),
            Cell::new(scopes.join(" ")),
            Cell::new(text("name")),
            Cell::new(text("created_at")),
            Cell::new(text("revoked_at")).fg(Color::Red),
        ]);
    }
    table
}
