//! The socket beside the database: one JSON line asks, JSON lines answer. File permission is the right.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as Asking;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::{Message, Request, handle};
use crate::service::Guli;

/// Longest request, and how long it may take to come.
const REQUEST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the socket of a database file is.
pub fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".sock");
    PathBuf::from(path)
}

/// Opens the socket for the owner of the database alone. A socket left by a crash is replaced:
/// the caller holds the database's lock.
pub fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push("-new");
    let fresh = PathBuf::from(fresh);
    if fresh.exists() {
        std::fs::remove_file(&fresh)?;
    }
    let listener = UnixListener::bind(&fresh)?;
    // Nobody knows the name yet when the permission is set.
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&fresh, path)?;
    Ok(listener)
}

/// Answers whoever may open the socket, until the task is dropped.
pub async fn serve(listener: UnixListener, guli: Arc<Guli>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(answer(stream, Arc::clone(&guli)))),
            Err(error) => {
                tracing::warn!(%error, "the command line's socket failed");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, guli: Arc<Guli>) {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut limited = tokio::io::BufReader::new(tokio::io::AsyncReadExt::take(reader, REQUEST as u64));
    // Who opens the socket and says nothing would keep the server from ending.
    if !matches!(tokio::time::timeout(PATIENCE, limited.read_line(&mut line)).await, Ok(Ok(1..))) {
        return;
    }
    let (sender, messages) = mpsc::channel::<Message>(16);
    let work = tokio::task::spawn_blocking(move || {
        let mut tell = |message| sender.blocking_send(message).is_ok();
        let last = match serde_json::from_str::<Request>(&line) {
            Ok(request) => match handle(&guli, request, &mut tell) {
                Ok(value) => Message::Done(value),
                Err(error) => Message::Failed(error),
            },
            Err(error) => Message::Failed(format!("this server does not understand the command line: {error}")),
        };
        let _ = sender.blocking_send(last);
    });
    pass_on(messages, &mut writer).await;
    let _ = work.await;
}

/// Writes messages until the last one, or until nobody reads them. Takes the channel, so that whoever
/// goes on sending to one that hung up is not left waiting for room in it.
async fn pass_on(mut messages: mpsc::Receiver<Message>, writer: &mut (impl AsyncWrite + Unpin)) {
    while let Some(message) = messages.recv().await {
        let Ok(mut line) = serde_json::to_vec(&message) else { break };
        line.push(b'\n');
        if writer.write_all(&line).await.is_err() {
            break;
        }
    }
}

/// Asks the server that listens there; `None` when there is none.
///
/// # Errors
/// The server's refusal, or a connection that broke.
pub fn ask(
    socket: &Path,
    request: &Request,
    tell: &mut dyn FnMut(Message) -> bool,
) -> Option<Result<serde_json::Value, String>> {
    let stream = Asking::connect(socket).ok()?;
    Some(converse(stream, request, tell))
}

fn converse(
    mut stream: Asking,
    request: &Request,
    tell: &mut dyn FnMut(Message) -> bool,
) -> Result<serde_json::Value, String> {
    let mut line = serde_json::to_vec(request).map_err(|error| error.to_string())?;
    line.push(b'\n');
    stream.write_all(&line).map_err(|error| format!("the server does not listen: {error}"))?;
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(|error| format!("the server hung up: {error}"))?;
        match serde_json::from_str(&line).map_err(|error| error.to_string())? {
            message @ (Message::Progress(_) | Message::Size { .. } | Message::Data { .. }) => {
                if !tell(message) {
                    return Err("nobody takes the answer".to_owned());
                }
            }
            Message::Done(value) => return Ok(value),
            Message::Failed(error) => return Err(error),
        }
    }
    Err("the server ended before it answered".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_its_asker_has_hung_up() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        drop(ours);
        let (sender, messages) = mpsc::channel(16);
        let work = tokio::task::spawn_blocking(move || {
            (0..100).filter(|n| sender.blocking_send(Message::Done((*n).into())).is_ok()).count()
        });
        pass_on(messages, &mut theirs).await;
        assert!(work.await.unwrap() < 100);
    }
}
