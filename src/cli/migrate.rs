//! `guli migrate`: the schema brought to this version, and what the database is.

use anyhow::{Result, bail};
use comfy_table::Cell;
use guli::config::Config;
use guli::store::{PostGis, Store, StoreError, citus};

use super::args::MigrateArgs;
use super::out::out;

/// Brings the database here and says where it stands.
pub(crate) fn run(config: &Config, args: &MigrateArgs) -> Result<()> {
    if args.print {
        for handing in citus::statements() {
            out!("{};", handing.sql);
        }
        return Ok(());
    }
    super::runtime()?.block_on(async {
        let store = Store::open(&config.database, config.max_page_count).await.map_err(|error| match error {
            StoreError::Locked(file) => anyhow::anyhow!(
                "{} is held by a running server, which has brought it to its own version; stop it first",
                file.display()
            ),
            other => other.into(),
        })?;
        if args.citus {
            match store.distribute().await? {
                None => bail!("{} is a file: Citus spreads PostgreSQL over machines", config.database),
                Some(handed) if handed.is_empty() => out!("Citus has every table already"),
                Some(handed) => out!("given to Citus: {}", handed.join(", ")),
            }
        }
        say(config, &store).await?;
        store.close().await;
        Ok(())
    })
}

async fn say(config: &Config, store: &Store) -> Result<()> {
    let schema = store.schema().await?;
    let coloured = std::io::IsTerminal::is_terminal(&std::io::stdout());
    let mut table = guli::table::new(["migration", "what", "there"], coloured);
    for (version, what) in &schema.migrations {
        table.add_row([Cell::new(format!("{version:04}")), Cell::new(what), Cell::new("✓")]);
    }
    out!("{}: {}", config.database, schema.engine);
    out!("{table}");
    match schema.postgis {
        None => {}
        Some(PostGis::InUse(version)) => out!(
            "PostGIS {version}: QGIS, martin and others open the views gis.covers, gis.grids, gis.communities, \
             gis.subdistricts and gis.work_orders"
        ),
        Some(PostGis::Forbidden) => out!(
            "PostGIS is on the server and not in this database: a superuser may CREATE EXTENSION postgis, and guli migrate \
             then makes its views"
        ),
        Some(PostGis::Absent) => out!("PostGIS is not on the server; nothing needs it"),
    }
    Ok(())
}
