//! What the commands say: the one way to standard output and standard error.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};
use std::sync::Mutex;

use anyhow::{Context as _, Result};

/// Why nothing more is written.
static FAILED: Mutex<Option<ErrorKind>> = Mutex::new(None);

/// Prints a line. `println!` would panic where nobody reads on, as behind `guli doctor | head`.
macro_rules! out {
    ($($said:tt)*) => { $crate::cli::out::line(format_args!($($said)*)) };
}

/// Prints a line on standard error; where nobody reads that there is nobody to tell.
macro_rules! note {
    ($($said:tt)*) => { $crate::cli::out::aside(format_args!($($said)*)) };
}

pub(crate) use {note, out};

pub(crate) fn line(said: Arguments<'_>) {
    let Ok(mut failed) = FAILED.lock() else { return };
    if failed.is_none() {
        *failed = writeln!(std::io::stdout(), "{said}").err().map(|error| error.kind());
    }
}

pub(crate) fn aside(said: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{said}");
}

/// Fails where not everything could be written. Whoever read a few lines only had enough.
pub(crate) fn finish() -> Result<()> {
    let written = match FAILED.lock().ok().and_then(|failed| *failed) {
        Some(kind) => Err(kind.into()),
        None => std::io::stdout().flush(),
    };
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}
