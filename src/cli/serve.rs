//! `guli serve`: open, listen, answer, and end without losing anything.

use std::future::IntoFuture as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use guli::config::Config;
use guli::http::pages::Pages;
use guli::http::{self, Parts};
use guli::import::profile::Profiles;
use guli::local::socket;
use guli::service::{Guli, WriterTask, keys};
use guli::store::StoreError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long requests in work may take to end once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Whether this is the demo: fixed keys, its district loaded, and what to try.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Demo<'a> {
    No,
    Yes {
        /// The files of the district, where the database has none yet.
        files: &'a std::path::Path,
    },
}

/// Serves until told to stop.
pub(crate) fn serve(config: &Config, demo: Demo<'_>) -> Result<()> {
    let runtime = super::runtime()?;
    let served = runtime.block_on(run(config, demo));
    // An import in the middle of a file is given up, and says so at the next start.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn run(config: &Config, demo: Demo<'_>) -> Result<()> {
    http::ops::install_metrics();
    let listener = tokio::net::TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {} (another one with --listen)", config.listen))?;
    let address = format!("http://{}", listener.local_addr()?);
    // Before the address is known to anyone: whoever starts a server may stop it at once.
    let mut told_to_stop = Box::pin(told_to_stop()?);
    let is_file = config.database.file().is_some();
    if !is_file {
        // Others bring the database up, and this server waits for it.
        say(&address, demo)?;
    }
    let opened = tokio::select! {
        opened = open(config, demo, &listener) => opened?,
        () = &mut told_to_stop => return Ok(()),
    };
    let (guli, writer) = opened;
    let guli = Arc::new(guli);
    tokio::select! {
        loaded = load(&guli, is_file, demo) => loaded?,
        () = &mut told_to_stop => return Ok(()),
    }
    let local = open_socket(config, &guli);
    let public_url = config.public_url.clone().unwrap_or_else(|| address.clone());
    let pages = Pages::new(config.web_dir.clone());
    let app = Parts::new(Arc::clone(&guli), &public_url, config.concurrency)
        .with_pages(pages.clone())
        .with_peers(config.peers.clone(), config.concurrency);
    let app = match profiles(config, demo) {
        Some(file) => app.with_profiles(Profiles::read(&file)?.profiles),
        None => app,
    };
    let router = http::router(app.into(), &config.allowed_origins);
    if is_file {
        say(&address, demo)?;
    }
    tracing::info!(%address, database = %config.database, covers = guli.context.index.cover_count(), "serving");

    let forgetting = tokio::spawn(forget(Arc::clone(&guli)));
    let counting = tokio::spawn(http::ops::keep_metrics_small());
    // Beside a file the command line asks this server; elsewhere others write what this one must look for.
    let following = if is_file { Vec::new() } else { follow(&guli) };
    tokio::task::spawn_blocking(move || pages.prepare());
    let stop = Arc::new(tokio::sync::Notify::new());
    let stopping = Arc::clone(&stop);
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { stopping.notified().await });
    let mut server = tokio::spawn(server.into_future());
    tokio::select! {
        ended = &mut server => ended.context("the server failed")??,
        () = told_to_stop => {
            guli.set_unready();
            stop.notify_one();
            if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
                tracing::warn!("requests were still in work after {DRAIN:?}; they are cut");
                server.abort();
            }
        }
    }
    if let Some(file) = config.database.file() {
        let _ = std::fs::remove_file(socket::beside(&file));
    }
    for task in [Some(forgetting), Some(counting), local].into_iter().flatten().chain(following) {
        task.abort();
        // Only when it has ended has it let go of the database.
        let _ = task.await;
    }
    if let Some(guli) = alone(guli).await {
        guli.close().await;
        // On PostgreSQL a lane may wait for a server that does not answer; a file's writer folds its log back.
        if is_file {
            writer.await.context("the writer failed")?;
        } else if tokio::time::timeout(DRAIN, writer).await.is_err() {
            tracing::warn!("some work did not end; the database takes it back");
        }
    } else {
        tracing::warn!("some work did not end; the database's log is folded back at the next start");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Brings into memory what must be there before the first request: all of a file, and the demo's district.
async fn load(guli: &Arc<Guli>, is_file: bool, demo: Demo<'_>) -> Result<()> {
    let Demo::Yes { files } = demo else {
        return if is_file { Ok(guli.load().await?) } else { Ok(()) };
    };
    guli.load().await?;
    let (guli, files) = (Arc::clone(guli), files.to_owned());
    tokio::task::spawn_blocking(move || super::demo::load(&guli, &files)).await?
}

/// Opens the database. One that is away is waited for, everybody being told so meanwhile.
async fn open(config: &Config, demo: Demo<'_>, listener: &tokio::net::TcpListener) -> Result<(Guli, WriterTask)> {
    let mut waiting: Option<(oneshot::Sender<()>, JoinHandle<()>)> = None;
    let mut pause = Duration::from_millis(250);
    loop {
        let fixed_keys = if matches!(demo, Demo::Yes { .. }) { keys::demo_keys() } else { Vec::new() };
        let error = match Guli::connect(super::opening(config, fixed_keys)).await {
            Ok(opened) => {
                if let Some((stop, task)) = waiting.take() {
                    tracing::info!("the database is there");
                    drop(stop);
                    // Somebody who sends half a request does not keep it from serving.
                    let abort = task.abort_handle();
                    if tokio::time::timeout(Duration::from_secs(1), task).await.is_err() {
                        abort.abort();
                    }
                }
                return Ok(opened);
            }
            Err(error @ StoreError::Unavailable(_)) if config.database.file().is_none() => error,
            Err(error) => return Err(error.into()),
        };
        tracing::warn!(%error, database = %config.database, again_in = ?pause, "the database is away");
        if waiting.is_none() {
            waiting = Some(wait_in_the_open(listener)?);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Answers that this server is not ready, until it is told to stop.
fn wait_in_the_open(listener: &tokio::net::TcpListener) -> Result<(oneshot::Sender<()>, JoinHandle<()>)> {
    let std = std::os::fd::AsFd::as_fd(listener).try_clone_to_owned()?;
    let listener = tokio::net::TcpListener::from_std(std.into())?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, http::waiting()).with_graceful_shutdown(async move {
        let _ = stopped.await;
    });
    let task = tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::warn!(%error, "nobody is told that this server is not ready");
        }
    });
    Ok((stop, task))
}

/// Brings into memory what others commit, tells them of what is committed here, and looks for keys.
fn follow(guli: &Arc<Guli>) -> Vec<JoinHandle<()>> {
    let (following, telling) = (Arc::clone(guli), Arc::clone(guli));
    vec![
        tokio::spawn(async move { following.keep_following().await }),
        tokio::spawn(async move { telling.keep_telling().await }),
        tokio::spawn(look_beside_the_feeds(Arc::clone(guli))),
    ]
}

/// The service once nothing else holds it: what was cut, or runs beside the requests, lets go of it a moment later.
async fn alone(mut guli: Arc<Guli>) -> Option<Guli> {
    for _ in 0..100 {
        match Arc::try_unwrap(guli) {
            Ok(guli) => return Some(guli),
            Err(shared) => guli = shared,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

/// How long a key that another process made or revoked, or a name in a district served elsewhere, may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks again and again at what no feed tells of that is followed here.
async fn look_beside_the_feeds(guli: Arc<Guli>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        match tokio::time::timeout(LOOK_EVERY, guli.reload_keys()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the keys in force could not be read again"),
            Err(_) => tracing::warn!("the keys in force could not be read again: the database does not answer"),
        }
        // Where the database is away, the keys have said so.
        if let Ok(Err(error)) = tokio::time::timeout(LOOK_EVERY, guli.look_at_strangers()).await {
            tracing::debug!(%error, "organizations of other districts could not be looked at");
        }
    }
}

/// Deletes what is past its end, every hour.
async fn forget(guli: Arc<Guli>) {
    let mut hours = tokio::time::interval(Duration::from_hours(1));
    loop {
        hours.tick().await;
        if let Err(error) = guli.forget().await {
            tracing::warn!(%error, "records past their end were not deleted; trying again in an hour");
        }
    }
}

/// The command line's way in, where the database is a file.
fn open_socket(config: &Config, guli: &Arc<Guli>) -> Option<tokio::task::JoinHandle<()>> {
    let path = socket::beside(&config.database.file()?);
    match socket::listen(&path) {
        Ok(listener) => Some(tokio::spawn(socket::serve(listener, Arc::clone(guli)))),
        Err(error) => {
            tracing::warn!(%error, socket = %path.display(), "the command line will not reach this server");
            None
        }
    }
}

/// The file of profiles that imports may name: the one configured, or in the demo its own where it was made.
fn profiles(config: &Config, demo: Demo<'_>) -> Option<PathBuf> {
    let own = match demo {
        Demo::Yes { files } => Some(files.join("import.toml")).filter(|file| file.is_file()),
        Demo::No => None,
    };
    config.import_profiles.clone().or(own)
}

/// The first line on standard output is the address; scripts rely on it.
fn say(address: &str, demo: Demo<'_>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {address}")?;
    if matches!(demo, Demo::Yes { .. }) {
        writeln!(out, "{}", super::demo::three_things(address))?;
    }
    Ok(out.flush()?)
}

/// From here on SIGTERM and SIGINT no longer end the process; what this gives waits for one.
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
    })
}
