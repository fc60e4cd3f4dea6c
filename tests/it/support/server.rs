//! A server: the real program, which can be stopped, killed and started again on the same files.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use super::Home;
use super::client::Client;

/// A running server; killed when dropped.
pub(crate) struct Server<'h> {
    home: &'h Home,
    child: Child,
    /// Kept, so that the server never writes to a closed pipe.
    _out: BufReader<ChildStdout>,
    pub(crate) address: String,
}

impl Home {
    /// `guli serve`.
    pub(crate) fn serve(&self) -> Server<'_> {
        self.start(self.command(&["serve", "--listen", "127.0.0.1:0", "--database", "sqlite://guli.db"]))
    }

    /// `guli demo`, which knows the fixed keys.
    pub(crate) fn demo(&self) -> Server<'_> {
        self.start(self.command(&["demo", "--dir", ".", "--listen", "127.0.0.1:0"]))
    }

    /// Starts a server and waits until it listens.
    pub(crate) fn start(&self, mut command: Command) -> Server<'_> {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Some(address) = line.trim_end().strip_prefix("listening on ") else {
            let _ = child.kill();
            panic!("the server did not listen: {line:?}\n{}", self.log());
        };
        Server { home: self, child, address: address.to_owned(), _out: out }
    }

    fn log_path(&self) -> std::path::PathBuf {
        self.path().join("stderr.log")
    }

    /// What all servers of this folder logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap()
    }
}

impl Server<'_> {
    /// A client without a key.
    pub(crate) fn anyone(&self) -> Client {
        Client::new(&self.address, None)
    }

    /// A client with this key.
    pub(crate) fn with(&self, key: &str) -> Client {
        Client::new(&self.address, Some(key))
    }

    /// Waits until everything is in the server's memory; fails the test when that takes very long.
    pub(crate) async fn is_ready(&self) {
        let client = self.anyone();
        for _ in 0..600 {
            if client.get("/readyz").await.status == 200 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the server does not become ready\n{}", self.home.log());
    }

    /// As a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how the server ended.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.child.wait().unwrap()
    }

    /// Sends SIGTERM; [`stop`](Self::stop) also waits.
    pub(crate) fn terminate(&self) {
        // The standard library sends SIGKILL only, the shell knows the others.
        let sent = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status().unwrap();
        assert!(sent.success(), "{}", self.home.log());
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
