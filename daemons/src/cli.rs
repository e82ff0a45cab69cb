//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::lab::LabArgs;
use crate::logging::Format;
use crate::maintain::StoreCommand;
use crate::snmp::UserCommand;

/// Mobile IPv4 daemon: home agent, its store, and its SNMP engine
///
/// What it does is said by one configuration file; see mip4d(8). To try it without a file and without root, run `mip4d lab`.
#[derive(Debug, Parser)]
#[command(name = "mip4d", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// How the log looks; `[log] format` by default
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Log")]
    pub(crate) log_format: Option<Format>,
    /// What is logged: error, warn, info, debug, trace, or a filter such as `info,mip4d=debug`
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        env = "MIP4_LOG",
        value_parser = level,
        help_heading = "Log"
    )]
    pub(crate) log_level: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run what a configuration file says, until SIGTERM
    ///
    /// SIGHUP reads the file again: associations, the log level, and who may ask by SNMP and is notified change at once; the log names what needs a restart.
    Run(ConfigArgs),
    /// Check a configuration file and change nothing
    Check(ConfigArgs),
    /// Say who may ask by SNMPv3
    #[command(subcommand)]
    Snmp(SnmpCommand),
    /// Look after the files of a store: verify, mend, fold, back up, bring back
    #[command(subcommand)]
    Store(StoreCommand),
    /// Run a home agent with mobile nodes that register for real, without root and without a file
    Lab(LabArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum SnmpCommand {
    /// Add, delete or list users of SNMPv3 that are not in the configuration file
    ///
    /// Their keys are kept beside the store, and are good for this engine alone. A running daemon serves them when it gets SIGHUP, or after its next start.
    #[command(subcommand)]
    User(UserCommand),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "/etc/mip4/mip4d.toml")]
    pub(crate) config: PathBuf,
}

fn level(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
