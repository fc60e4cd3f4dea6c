//! `guli demo`: the demo district, made where it is missing and served on loopback.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use guli::config::{Config, Settings};
use guli::demo::{Options, generate as write_district};
use guli::import::profile::Profiles;
use guli::import::run::{Mode, OnError, Request, run};
use guli::service::Guli;
use guli::store::DatabaseUrl;

use super::import::bar;
use super::out::{note, out};

/// `guli demo generate`
pub(crate) fn generate(seed: u64, out: &Path, covers: u64, districts: u32) -> Result<()> {
    let bar = bar(covers);
    let summary = write_district(out, &Options { seed, covers, districts }, &mut |done, _| bar.set_position(done))?;
    bar.finish_and_clear();
    out!(
        "{}: {} sub-districts, {} communities, {} grids, {} organisations, {} duties, {} rows of covers of which an import \
         stores {}, {} findings in the answer key",
        out.display(),
        summary.subdistricts,
        summary.communities,
        summary.grids,
        summary.organizations,
        summary.duties,
        summary.rows,
        summary.covers,
        summary.imperfections,
    );
    Ok(())
}

/// `guli demo`
pub(crate) fn serve(mut settings: Settings, dir: &Path) -> Result<()> {
    super::log(&settings)?;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    if settings.database.is_none() {
        settings.database = Some(DatabaseUrl::sqlite(&dir.join("guli.db")));
    }
    let config = Config::new(&settings)?;
    if !config.listen.ip().is_loopback() {
        bail!(
            "the demo has keys that everyone knows, so it listens on loopback only, not on {}; \
             guli serve --database {} serves the same data with keys of your own",
            config.listen,
            config.database,
        );
    }
    super::serve::serve(&config, super::serve::Demo::Yes { files: &dir.join("shibei") })
}

/// Makes and imports the district's files, unless the database has all of it: a first start may
/// have been interrupted, and importing again changes nothing.
pub(crate) fn load(guli: &Arc<Guli>, files: &Path) -> Result<()> {
    if guli.context.index.cover_count() as u64 >= Options::default().covers {
        return Ok(());
    }
    note!("making the demo district in {} …", files.display());
    write_district(files, &Options::default(), &mut |_, _| {})?;
    let profiles = Profiles::read(&files.join("import.toml"))?;
    let wanted = profiles.profiles.into_iter().map(|profile| (profile.clone(), files.join(&profile.file))).collect();
    // The departments' files have their known mistakes; the good rows are stored.
    let request = Request {
        files: wanted,
        mode: Mode::Apply,
        on_error: OnError::KeepGoing,
        district: None,
        rows_to: None,
        by: guli::service::import::OPERATOR.to_owned(),
        actor: None,
        id: None,
    };
    let reports = tokio::task::block_in_place(|| run(guli, &request, &mut |_| {}))?;
    let (stored, rejected) = reports
        .iter()
        .filter(|report| report.kind == "covers")
        .fold((0, 0), |(stored, rejected), r| (stored + r.counts.created, rejected + r.counts.rejected));
    note!("{stored} covers imported, {rejected} rows rejected (guli import {} --dry-run shows why)", files.display());
    Ok(())
}

/// What to try first.
pub(crate) fn three_things(address: &str) -> String {
    format!(
        "
Try, in another terminal:
  1. Which cover is that, and whose?
     curl '{address}/v1/resolve?lon=120.33641&lat=36.11537'
  2. Report it broken: the answer holds the work order
     curl {address}/v1/reports -H 'Content-Type: application/json' \\
       -d '{{\"position\": {{\"lon\": 120.33641, \"lat\": 36.11537}}, \"damage\": \"broken\"}}'
  3. See it as the command centre does
     curl '{address}/v1/work-orders?status=open' -H 'Authorization: Bearer demo-dispatcher'

Keys: demo-admin demo-dispatcher demo-grid demo-crew demo-planner.  Ctrl-C stops; what was stored stays."
    )
}
