//! The command line: opens the parts and runs them.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

/// A third of a report's CPU goes into `malloc`; this one costs half of glibc's. `SQLite` and PROJ call it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::args::Arguments::parse();
    match cli::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("guli: {error:#}");
            ExitCode::FAILURE
        }
    }
}
