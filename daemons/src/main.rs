//! `mip4d`, the Mobile IPv4 daemon.

mod clock;
mod driver;
mod lab;
mod serve;
mod socket;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

/// The Mobile IPv4 daemon
#[derive(Parser, Debug)]
#[command(version)]
enum Command {
    Lab(lab::Lab),
}

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let done = match Command::parse() {
        Command::Lab(lab) => lab.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Octets that nobody can guess.
fn seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the system gives no random octets")?;
    Ok(seed)
}
