//! Servers as processes of their own, so that what they use is counted without the caller's share.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::load::{Connection, get};

/// What the kernel counts processor time in.
const TICKS_PER_SECOND: f64 = 100.0;

/// The program under test.
pub(crate) fn guli() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guli"));
    // Nothing of the caller's surroundings has a say.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GULI_")) {
        command.env_remove(name);
    }
    command
}

/// A server that says where it listens; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Kept open: what the server says later has somewhere to go.
    _stdout: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    started: Instant,
    /// From the start to the line with the address.
    pub(crate) listening: Duration,
}

impl Server {
    /// Starts a server and waits for its address.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let started = Instant::now();
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = spawned.with_context(|| format!("cannot start {command:?}"))?;
        let mut stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let listening = started.elapsed();
        let Some(address) = line.trim_end().strip_prefix("listening on http://").and_then(|a| a.parse().ok()) else {
            let _ = child.kill();
            let _ = child.wait();
            bail!("{command:?} said {line:?} where its address should be");
        };
        Ok(Self { child, _stdout: stdout, address, started, listening })
    }

    /// The demo server over a folder with a database.
    pub(crate) fn demo(dir: &Path) -> Result<Self> {
        Self::start(guli().arg("demo").arg("--dir").arg(dir).args(["--listen", "127.0.0.1:0"]))
    }

    /// This program again, as one of the servers to compare with.
    pub(crate) fn reference(arguments: &[&str]) -> Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).arg(super::hello::ARGUMENT).args(arguments))
    }

    /// Time from the start to the first "ready".
    pub(crate) fn ready(&self) -> Result<Duration> {
        let mut connection = Connection::open(self.address)?;
        while connection.exchange(&get("/readyz"))? != 200 {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(self.started.elapsed())
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in brackets may hold spaces; user and system time are the 12th and 13th after it.
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        let ticks: f64 = after.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
    }

    /// Bytes in memory now (`VmRSS`) or at most so far (`VmHWM`).
    pub(crate) fn memory(&self, which: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':'));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        Ok(kilobytes.with_context(|| format!("no {which}"))? * 1024.0)
    }

    /// Has `VmHWM` count from now on.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    /// Has the server end by itself, its log folded back.
    pub(crate) fn stop(mut self) -> Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
