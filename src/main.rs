//! The command line: opens the parts and runs them.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

/// Glibc's allocator and copying took a third of the CPU of a report. SQLite and PROJ allocate by this one too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The allocator asks for huge pages, of which the small parts of many districts would leave a quarter unused. Where the
/// system refuses, more memory is used.
fn small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

fn main() -> ExitCode {
    small_pages();
    let arguments = cli::args::Arguments::parse();
    match cli::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("guli: {error:#}");
            ExitCode::FAILURE
        }
    }
}
