//! `mip4d`, the Mobile IPv4 daemon.
//!
//! Owns the clock, the sockets and the privileges. Every decision is made by
//! the machines of `mobility` and the engine of `agent`; everything that lasts
//! is a row of the `store`.

mod associations;
mod audit;
mod bound;
mod check;
mod cli;
mod clock;
mod config;
mod configuration;
mod datagram;
mod driver;
mod exit;
mod file_rows;
mod instance;
mod lab;
mod link;
mod logging;
mod maintain;
mod operations;
mod port;
mod privilege;
mod regional;
mod reload;
mod run;
mod settings;
mod snmp;
mod socket;
mod storage;
mod system;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command, SnmpCommand};

/// Rows are made by one thread and freed by another, many thousands a second: the allocator of the
/// system takes a seventh of what a registration costs for that (`docs/performance.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Cli { command, log } = Cli::parse();
    let done = match command {
        Command::Run(args) => run::run(&args, &log),
        Command::Check(args) => check::check(&args),
        Command::Snmp(SnmpCommand::User(command)) => snmp::user(&command),
        Command::Store(command) => maintain::store(&command),
        Command::Lab(args) => lab::lab(&args, &log),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
