//! The one grammar: of the command line, of scripts, and of the shell.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use store::{EtcdOptions, OpenOptions};

use crate::commands::{
    AssociationAdd, AssociationDelete, AssociationRoll, Complete, Explain, Export, Import,
    ShowAdvertisements, ShowAssociations, ShowAudit, ShowBindings, ShowCareOfAddresses, ShowNodes,
    ShowRegistrations, ShowSettings, ShowStatistics, ShowStatus, ShowTrail, ShowViolations,
    ShowVisitors, WaitBinding, WaitServing, WatchBindings,
};
use crate::commands::{
    DrainHomeAgent, NotifyHaShutdown, NotifyMessage, OperationCancel, OperationPause,
    OperationResume, RevokeBinding, RevokeVisitor, ShowOperation, ShowOperations, UndrainHomeAgent,
    WaitOperation, WatchOperations,
};
use crate::commands::{
    RegionalCommit, RegionalConfirm, RegionalDelete, RegionalDiff, RegionalDiscard,
    RegionalHistory, RegionalLoad, RegionalRebase, RegionalRollback, RegionalSave, RegionalSet,
    RegionalShow, RegionalValidate,
};
use crate::commands::{SettingSet, SettingUnset};
use crate::failure::Stop;
use crate::session::{LineOptions, Session, StorePlace};

/// Where daemons serve their store unless configured otherwise.
const DEFAULT_STORE: &str = "unix:/run/mip4/store.sock";

const AFTER_HELP: &str = "\
Without a command, `mip4ctl` is a shell at a terminal, and reads a script otherwise.

Exit status: 0 done, 1 some targets failed, 2 usage, 3 store unreachable, 4 a selector matched \
nothing, 5 refused by validation, 6 timed out, 7 stale data with --fresh, 8 not permitted, 70 bug";

/// Shell of the Mobile IPv4 management plane
#[derive(Debug, Parser)]
#[command(
    name = "mip4ctl",
    version,
    after_help = AFTER_HELP,
    infer_subcommands = true,
    infer_long_args = true,
    args_override_self = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// The store: `unix:PATH`, `etcd:https://HOST:PORT,…` or `sled:PATH`
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "MIP4_STORE",
        hide_env_values = true,
        default_value = DEFAULT_STORE
    )]
    pub(crate) store: String,
    #[command(flatten)]
    pub(crate) certificates: Certificates,
    /// Run the commands in this file, one a line; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Go on with a script after a command has failed
    #[arg(long)]
    pub(crate) keep_going: bool,
    #[command(flatten)]
    pub(crate) options: LineOptions,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How a cluster is spoken to: files in PEM, as a daemon's `[store]` names them
#[derive(Clone, Debug, Default, clap::Args)]
#[expect(clippy::struct_field_names, reason = "they are the names of options")]
pub(crate) struct Certificates {
    /// The authority that signed the certificates of an `etcd:` cluster
    #[arg(long, value_name = "FILE", env = "MIP4_STORE_AUTHORITY", hide_env_values = true)]
    pub(crate) store_authority: Option<PathBuf>,
    /// Our own certificate for an `etcd:` cluster
    #[arg(
        long,
        value_name = "FILE",
        env = "MIP4_STORE_CERTIFICATE",
        hide_env_values = true,
        requires = "store_certificate_key"
    )]
    pub(crate) store_certificate: Option<PathBuf>,
    /// The key of our own certificate
    #[arg(
        long,
        value_name = "FILE",
        env = "MIP4_STORE_CERTIFICATE_KEY",
        hide_env_values = true,
        requires = "store_certificate"
    )]
    pub(crate) store_certificate_key: Option<PathBuf>,
    /// What secrets in an `etcd:` cluster are sealed with, to write them
    #[arg(long, value_name = "FILE", env = "MIP4_STORE_KEY_FILE", hide_env_values = true)]
    pub(crate) store_key_file: Option<PathBuf>,
}

impl Certificates {
    /// The same in the store's words.
    fn options(&self) -> OpenOptions {
        let etcd = EtcdOptions {
            authority: self.store_authority.clone(),
            certificate: self.store_certificate.clone(),
            key: self.store_certificate_key.clone(),
        };
        OpenOptions { key_file: self.store_key_file.clone(), etcd, ..OpenOptions::default() }
    }
}

impl Cli {
    /// Where the store is, and how it is opened.
    pub(crate) fn place(&self) -> StorePlace {
        StorePlace { url: self.store.clone(), options: self.certificates.options() }
    }
}

/// A line of a script or of the shell
#[derive(Debug, Parser)]
#[command(
    name = "mip4ctl",
    no_binary_name = true,
    after_help = "In the shell `?` tells what can follow, and `exit` leaves",
    infer_subcommands = true,
    infer_long_args = true,
    args_override_self = true,
    max_term_width = 100
)]
pub(crate) struct Line {
    #[command(flatten)]
    pub(crate) options: LineOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what there is
    #[command(subcommand, arg_required_else_help = false)]
    Show(Show),
    /// Show what happens, as it does
    #[command(subcommand, arg_required_else_help = false)]
    Watch(Watch),
    /// Wait until something is as it should be
    #[command(subcommand, arg_required_else_help = false)]
    Wait(Wait),
    /// Have daemons end what mobile nodes have registered
    #[command(subcommand, arg_required_else_help = false)]
    Revoke(Revoke),
    /// Have agents tell mobile nodes something, or each other
    #[command(subcommand, arg_required_else_help = false)]
    Notify(Notify),
    /// Take an agent out of service
    #[command(subcommand, arg_required_else_help = false)]
    Drain(Drain),
    /// Put an agent back into service
    #[command(subcommand, arg_required_else_help = false)]
    Undrain(Undrain),
    /// Pause, resume or cancel an operation
    #[command(subcommand, arg_required_else_help = false)]
    Operation(OperationVerb),
    /// Manage mobility security associations
    #[command(subcommand, arg_required_else_help = false)]
    Association(Association),
    /// Change settings of daemons while they run
    #[command(subcommand, arg_required_else_help = false)]
    Setting(Setting),
    /// Configure regions: gateways, and the foreign agents beneath them
    #[command(subcommand, arg_required_else_help = false)]
    Regional(Regional),
    Explain(Explain),
    Export(Export),
    Import(Import),
    #[command(hide = true)]
    Complete(Complete),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Show {
    Bindings(ShowBindings),
    Status(ShowStatus),
    Nodes(ShowNodes),
    Statistics(ShowStatistics),
    Associations(ShowAssociations),
    Visitors(ShowVisitors),
    Registrations(ShowRegistrations),
    Violations(ShowViolations),
    Trail(ShowTrail),
    Advertisements(ShowAdvertisements),
    CareOfAddresses(ShowCareOfAddresses),
    Settings(ShowSettings),
    Operations(ShowOperations),
    Operation(ShowOperation),
    Audit(ShowAudit),
    /// The same as `regional show`
    Regional(RegionalShow),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Revoke {
    Binding(RevokeBinding),
    Visitor(RevokeVisitor),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Notify {
    HaShutdown(NotifyHaShutdown),
    Message(NotifyMessage),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Drain {
    HomeAgent(DrainHomeAgent),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Undrain {
    HomeAgent(UndrainHomeAgent),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum OperationVerb {
    Pause(OperationPause),
    Resume(OperationResume),
    Cancel(OperationCancel),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Watch {
    Bindings(WatchBindings),
    Operations(WatchOperations),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Wait {
    Binding(WaitBinding),
    Operation(WaitOperation),
    Serving(WaitServing),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Association {
    Add(AssociationAdd),
    Delete(AssociationDelete),
    /// List the associations; the same as `show associations`
    List(ShowAssociations),
    Roll(AssociationRoll),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Setting {
    /// List the settings; the same as `show settings`
    List(ShowSettings),
    Set(SettingSet),
    Unset(SettingUnset),
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
pub(crate) enum Regional {
    Show(RegionalShow),
    Set(RegionalSet),
    Delete(RegionalDelete),
    Diff(RegionalDiff),
    Validate(RegionalValidate),
    Commit(RegionalCommit),
    Confirm(RegionalConfirm),
    Rollback(RegionalRollback),
    History(RegionalHistory),
    Load(RegionalLoad),
    Save(RegionalSave),
    Rebase(RegionalRebase),
    Discard(RegionalDiscard),
}

impl Regional {
    fn run(&self, session: &mut Session) -> Result<(), Stop> {
        match self {
            Self::Show(command) => command.run(session),
            Self::Set(command) => command.run(session),
            Self::Delete(command) => command.run(session),
            Self::Diff(command) => command.run(session),
            Self::Validate(command) => command.run(session),
            Self::Commit(command) => command.run(session),
            Self::Confirm(command) => command.run(session),
            Self::Rollback(command) => command.run(session),
            Self::History(command) => command.run(session),
            Self::Load(command) => command.run(session),
            Self::Save(command) => command.run(session),
            Self::Rebase(command) => command.run(session),
            Self::Discard(command) => command.run(session),
        }
    }
}

impl Command {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        match self {
            Self::Show(show) => match show {
                Show::Bindings(command) => command.run(session),
                Show::Status(command) => command.run(session),
                Show::Nodes(command) => command.run(session),
                Show::Statistics(command) => command.run(session),
                Show::Associations(command) => command.run(session),
                Show::Visitors(command) => command.run(session),
                Show::Registrations(command) => command.run(session),
                Show::Violations(command) => command.run(session),
                Show::Trail(command) => command.run(session),
                Show::Advertisements(command) => command.run(session),
                Show::CareOfAddresses(command) => command.run(session),
                Show::Settings(command) => command.run(session),
                Show::Operations(command) => command.run(session),
                Show::Operation(command) => command.run(session),
                Show::Audit(command) => command.run(session),
                Show::Regional(command) => command.run(session),
            },
            Self::Revoke(Revoke::Binding(command)) => command.run(session),
            Self::Revoke(Revoke::Visitor(command)) => command.run(session),
            Self::Notify(Notify::HaShutdown(command)) => command.run(session),
            Self::Notify(Notify::Message(command)) => command.run(session),
            Self::Drain(Drain::HomeAgent(command)) => command.run(session),
            Self::Undrain(Undrain::HomeAgent(command)) => command.run(session),
            Self::Operation(operation) => match operation {
                OperationVerb::Pause(command) => command.run(session),
                OperationVerb::Resume(command) => command.run(session),
                OperationVerb::Cancel(command) => command.run(session),
            },
            Self::Watch(Watch::Bindings(command)) => command.run(session),
            Self::Watch(Watch::Operations(command)) => command.run(session),
            Self::Wait(Wait::Operation(command)) => command.run(session),
            Self::Wait(Wait::Binding(command)) => command.run(session),
            Self::Wait(Wait::Serving(command)) => command.run(session),
            Self::Association(association) => match association {
                Association::Add(command) => command.run(session),
                Association::Delete(command) => command.run(session),
                Association::List(command) => command.run(session),
                Association::Roll(command) => command.run(session),
            },
            Self::Setting(setting) => match setting {
                Setting::List(command) => command.run(session),
                Setting::Set(command) => command.run(session),
                Setting::Unset(command) => command.run(session),
            },
            Self::Regional(regional) => regional.run(session),
            Self::Explain(command) => command.run(session),
            Self::Export(command) => command.run(session),
            Self::Import(command) => command.run(session),
            Self::Complete(command) => command.run(session),
        }
    }
}
