//! The words of `mip4d store`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// The configuration file that is meant if none is named.
pub(super) const CONFIG: &str = "/etc/mip4/mip4d.toml";

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read every octet, verify every checksum, and say what there is
    ///
    /// Changes nothing. The store may be in use.
    Check(StoreArgs),
    /// Cut a damaged store off after its last good revision
    ///
    /// The files as they were found are kept in a folder `damaged-N` of the store. If a checkpoint is damaged only a backup helps, and
    /// nothing is changed. The store must not be in use.
    Repair(StoreArgs),
    /// Fold the journal into a new checkpoint now
    ///
    /// A daemon does so by itself while it runs. The store must not be in use.
    Compact(StoreArgs),
    /// Write all rows and sealed secrets, at one revision, to a new file
    ///
    /// The store may be in use: all that was acknowledged before the command began is in the backup. The key file is not; keep a copy of it
    /// elsewhere, or the secrets cannot be opened again.
    Backup(BackupArgs),
    /// Make a store out of a backup
    ///
    /// Where the store is to be there must be nothing yet. It appears under its name once it is whole and verified.
    Restore(RestoreArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The folder of the store [default: what the configuration file says]
    #[arg(long, value_name = "DIR")]
    pub(super) path: Option<PathBuf>,
    /// The configuration file [default: /etc/mip4/mip4d.toml, unless --path is given]
    #[arg(long, short, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// What secrets are sealed with [default: what the configuration file says, or secret.key beside the store]
    #[arg(long, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
    /// How the answer looks
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The new file; one that is there is never overwritten
    #[arg(value_name = "TO")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FROM")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Output {
    Text,
    Json,
}
