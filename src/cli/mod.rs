//! The commands, one file each.

pub(crate) mod args;
mod copy;
mod demo;
mod doctor;
mod export;
mod history;
mod import;
mod keys;
mod migrate;
pub(crate) mod out;
mod resolve;
mod serve;

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use guli::config::{Config, Settings};
use guli::domain::actor::Actor;
use guli::local::{Message, Request, handle, socket};
use guli::service::{Guli, Opening};
use guli::store::StoreError;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use args::{Arguments, Command, DemoAction};

/// Does what the arguments say.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings = settings(arguments.config.as_deref(), arguments.settings)?;
    match arguments.command {
        Command::Demo(args) => match args.action {
            Some(DemoAction::Generate { seed, out, covers, districts }) => {
                demo::generate(seed, &out, covers, districts)?;
            }
            None => demo::serve(settings, &args.dir)?,
        },
        Command::Serve => {
            log(&settings)?;
            serve::serve(&Config::new(&settings)?, serve::Demo::No)?;
        }
        Command::Import(args) => return import::run(&Config::new(&settings)?, args),
        Command::Export(args) => export::run(&Config::new(&settings)?, &args)?,
        Command::Resolve(args) => resolve::run(&Config::new(&settings)?, &args)?,
        Command::History(args) => history::run(&Config::new(&settings)?, &args)?,
        Command::Doctor(args) => return doctor::run(&Config::new(&settings)?, &args),
        Command::Migrate(args) => migrate::run(&Config::new(&settings)?, &args)?,
        Command::Copy(args) => return copy::run(&settings, args),
        Command::Key(command) => keys::run(&Config::new(&settings)?, command)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Flags and variables over the file.
fn settings(file: Option<&Path>, flags: Settings) -> Result<Settings> {
    let found = match file {
        Some(file) => Some(file),
        None => Some(Path::new("guli.toml")).filter(|file| file.is_file()),
    };
    Ok(match found {
        Some(file) => flags.over(Settings::read(file)?),
        None => flags,
    })
}

/// Starts the log, on standard error.
fn log(settings: &Settings) -> Result<()> {
    let filter = settings.log.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(filter).with_context(|| format!("log: {filter:?} is no filter"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if settings.log_format.as_deref() == Some("json") {
        builder.json().init();
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
    }
    Ok(())
}

/// What to open, with keys that are accepted beside those in the database.
fn opening(config: &Config, fixed_keys: Vec<(&'static str, Actor)>) -> Opening {
    Opening {
        database: config.database.clone(),
        key_file: config.key_file.clone(),
        max_page_count: config.max_page_count,
        fixed_keys,
        districts: config.districts.clone(),
        is_lean: false,
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// Asks the running server, or opens the database and does it here. `tell` takes what comes before the answer, and says
/// whether more of it is wanted.
fn ask(config: &Config, request: Request, tell: &mut dyn FnMut(Message) -> bool) -> Result<Value> {
    if let Some(file) = config.database.file() {
        if let Some(answer) = socket::ask(&socket::beside(&file), &request, tell) {
            return answer.map_err(anyhow::Error::msg);
        }
        let makes_it = matches!(&request, Request::Import(_) | Request::CreateKey { .. });
        if !file.exists() && !makes_it {
            bail!(
                "there is no database {}: name the one that is meant with --database or GULI_DATABASE (the demo's is \
                 sqlite://demo/guli.db), or import a district into a new one (guli import --help)",
                file.display()
            );
        }
    }
    let runtime = runtime()?;
    let opened = runtime.block_on(async {
        // Files of a thousand districts are imported one district after the other.
        let is_lean = matches!(&request, Request::Import(_));
        let (guli, writer) = Guli::connect(Opening { is_lean, ..opening(config, Vec::new()) }).await?;
        if !is_lean {
            guli.load().await?;
        }
        Ok((guli, writer))
    });
    let (guli, writer) = opened.map_err(|error| match error {
        StoreError::Locked(file) => anyhow::anyhow!(
            "{} is held by a process that does not answer; stop it, or wait until it is done",
            file.display()
        ),
        other => other.into(),
    })?;
    let guli = Arc::new(guli);
    let answer = {
        let _inside = runtime.enter();
        handle(&guli, request, tell)
    };
    runtime.block_on(async {
        if let Some(guli) = Arc::into_inner(guli) {
            guli.close().await;
        }
        writer.await
    })?;
    answer.map_err(anyhow::Error::msg)
}
