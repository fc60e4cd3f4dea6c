//! The command line: opens the parts and runs them.

#![deny(clippy::print_stdout, clippy::print_stderr, reason = "they panic where nobody reads: cli/out.rs does not")]

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

/// Glibc's allocator and copying took a third of the CPU of a report. SQLite and PROJ allocate by this one too. It does
/// without huge pages, of which the small parts of many districts would leave a quarter unused.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::args::Arguments::parse();
    match cli::run(arguments).and_then(|code| cli::out::finish().map(|()| code)) {
        Ok(code) => code,
        Err(error) => {
            cli::out::note!("guli: {error:#}");
            ExitCode::FAILURE
        }
    }
}
