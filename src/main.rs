//! The command line: opens the parts and runs them.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

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
