//! `mip4d snmp user`: users that are not in the configuration file.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use agent::usm::{AuthenticationProtocol, PrivacyProtocol, Secret};
use anyhow::{Context as _, anyhow, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use rustix::termios::{self, LocalModes, OptionalActions};
use zeroize::Zeroizing;

use super::engine::make_user;
use super::state::{EngineState, Hex, HexKey, StoredKey, StoredUser, state_path};
use super::stored::StoredStatus;
use crate::cli::ConfigArgs;
use crate::config::{AUTHENTICATION, Config, PRIVACY, Password, UserAccess};
use crate::exit::{ExitStatus, Failure};

/// The word for a user whose messages are not encrypted.
const NO_PRIVACY: &str = "none";

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, or give one other passwords
    Add(AddArgs),
    /// Delete a user
    Delete(DeleteArgs),
    /// List users, those of the configuration file included
    List(ConfigArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The name of the user
    name: String,
    /// How its messages are authenticated
    #[arg(long, default_value = "SHA-256", value_parser = words(AUTHENTICATION, None))]
    auth: String,
    /// How its messages are encrypted
    #[arg(long = "priv", default_value = "AES", value_parser = words(PRIVACY, Some(NO_PRIVACY)))]
    privacy: String,
    /// What it may do
    #[arg(long, value_enum, default_value = "read")]
    access: UserAccess,
    /// A file with the password for authentication on its one line; asked for otherwise
    #[arg(long, value_name = "FILE")]
    auth_password_file: Option<PathBuf>,
    /// A file with the password for encryption on its one line; asked for otherwise
    #[arg(long, value_name = "FILE")]
    priv_password_file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The name of the user
    name: String,
    #[command(flatten)]
    config: ConfigArgs,
}

fn words<T>(table: &[(&'static str, T)], more: Option<&'static str>) -> PossibleValuesParser {
    table.iter().map(|(word, _)| *word).chain(more).collect::<Vec<_>>().into()
}

/// Runs one of the commands.
pub(crate) fn user(command: &UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Add(args) => add(args),
        UserCommand::Delete(args) => delete(args),
        UserCommand::List(args) => list(args),
    }
}

fn add(args: &AddArgs) -> Result<(), Failure> {
    let config = Config::load(&args.config.config)?;
    let path = state_path(&config)?;
    refuse_configured(&config, &args.name)?;
    let (_, auth) = lookup(AUTHENTICATION, &args.auth)?;
    let auth_password = password(args.auth_password_file.as_deref(), "authentication")?;
    let privacy = match args.privacy.as_str() {
        NO_PRIVACY => None,
        word => {
            let (_, protocol) = lookup(PRIVACY, word)?;
            Some((protocol, password(args.priv_password_file.as_deref(), "encryption")?))
        }
    };
    EngineState::change(&path, |state| {
        let made = stored(args, &state.engine_id.0, (auth, &auth_password), privacy.as_ref())?;
        state.users.retain(|user| user.name != args.name);
        state.users.push(made);
        state.users.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(())
    })?;
    tell(&format!(
        "`{}` is added; a running daemon serves it when it gets SIGHUP, or after its next start",
        args.name
    ));
    Ok(())
}

/// The user with keys for this engine instead of passwords.
fn stored(
    args: &AddArgs,
    engine_id: &[u8],
    (auth, auth_password): (AuthenticationProtocol, &Password),
    privacy: Option<&(PrivacyProtocol, Password)>,
) -> anyhow::Result<StoredUser> {
    let privacy =
        privacy.map(|(protocol, password)| (*protocol, Secret::password(password.expose())));
    let authentication = Some((auth, Secret::password(auth_password.expose())));
    let user = make_user(&args.name, engine_id, authentication, privacy)?;
    let key = |protocol: &str, key: &agent::usm::Key| StoredKey {
        protocol: protocol.to_owned(),
        key: HexKey(key.clone()),
    };
    Ok(StoredUser {
        name: args.name.clone(),
        auth: user.authentication().map(|(_, made)| key(&args.auth, made)),
        privacy: user.privacy().map(|(_, made)| key(&args.privacy, made)),
        write: args.access == UserAccess::Write,
        is_managed: false,
        public: Hex::default(),
        is_cloned: true,
        status: StoredStatus::default(),
    })
}

fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    let config = Config::load(&args.config.config)?;
    refuse_configured(&config, &args.name)?;
    EngineState::change(&state_path(&config)?, |state| {
        let before = state.users.len();
        state.users.retain(|user| user.name != args.name);
        if state.users.len() == before {
            bail!("there is no user `{}`", args.name);
        }
        Ok(())
    })?;
    tell(&format!(
        "`{}` is deleted; a running daemon serves it until it gets SIGHUP, or its next start",
        args.name
    ));
    Ok(())
}

fn list(args: &ConfigArgs) -> Result<(), Failure> {
    let config = Config::load(&args.config)?;
    let state = EngineState::read(&state_path(&config)?)?;
    let mut out = io::stdout().lock();
    let mut line = |name: &str, auth: &str, privacy: &str, access: &str, from: &str| {
        // A closed pipe is no reason to fail.
        drop(writeln!(out, "{name:<20} {auth:<8} {privacy:<8} {access:<6} {from}"));
    };
    line("NAME", "AUTH", "PRIV", "ACCESS", "FROM");
    let access = |write: bool| if write { "write" } else { "read" };
    for user in config.snmp.iter().flat_map(|snmp| &snmp.users) {
        let auth =
            user.authentication.as_ref().map(|(protocol, _)| word(AUTHENTICATION, *protocol));
        let privacy = user.privacy.as_ref().map(|(protocol, _)| word(PRIVACY, *protocol));
        let access = access(user.access == UserAccess::Write);
        line(&user.name, auth.unwrap_or("-"), privacy.unwrap_or("-"), access, "configuration");
    }
    for user in &state.users {
        let protocol = |key: &Option<StoredKey>| {
            key.as_ref().map_or_else(|| "-".to_owned(), |key| key.protocol.clone())
        };
        line(
            &user.name,
            &protocol(&user.auth),
            &protocol(&user.privacy),
            if user.is_managed { "-" } else { access(user.write) },
            if user.is_managed { "SNMP" } else { "added" },
        );
    }
    Ok(())
}

/// Users of the file are changed there.
fn refuse_configured(config: &Config, name: &str) -> Result<(), Failure> {
    let mut users = config.snmp.iter().flat_map(|snmp| &snmp.users);
    if users.any(|user| user.name == name) {
        let why = anyhow!("`{name}` is in `{}`: change it there", config.path.display());
        return Err(Failure::new(ExitStatus::Refused, why));
    }
    Ok(())
}

fn lookup<T: Copy>(table: &[(&'static str, T)], wanted: &str) -> anyhow::Result<(&'static str, T)> {
    let found = table.iter().find(|(word, _)| *word == wanted);
    found.copied().ok_or_else(|| anyhow!("`{wanted}` is no protocol"))
}

fn word<T: Copy + PartialEq>(table: &[(&'static str, T)], wanted: T) -> &'static str {
    table.iter().find(|(_, value)| *value == wanted).map_or("-", |(word, _)| *word)
}

/// Reads a password from a file, or asks for it twice.
fn password(file: Option<&Path>, purpose: &str) -> Result<Password, Failure> {
    let refused = |why: String| {
        Failure::new(ExitStatus::Refused, anyhow!("the password for {purpose}: {why}"))
    };
    if let Some(file) = file {
        return Password::read(file).map_err(refused);
    }
    let first = ask(&format!("Password for {purpose}: "))?;
    if *first != *ask("Again: ")? {
        return Err(refused("the two differ".to_owned()));
    }
    Password::new(first).map_err(refused)
}

/// Asks at the terminal, which does not show what is typed.
fn ask(question: &str) -> anyhow::Result<Zeroizing<String>> {
    let terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .context("there is no terminal to ask at: name a file with the password")?;
    let before = termios::tcgetattr(&terminal).context("failed to ask at the terminal")?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    termios::tcsetattr(&terminal, OptionalActions::Flush, &silent)
        .context("failed to silence the terminal")?;
    let mut answer = Zeroizing::new(String::new());
    let read = (&terminal)
        .write_all(question.as_bytes())
        .and_then(|()| BufReader::new(&terminal).read_line(&mut answer));
    termios::tcsetattr(&terminal, OptionalActions::Flush, &before)
        .context("failed to give the terminal back")?;
    drop((&terminal).write_all(b"\n"));
    read.context("failed to read the password")?;
    Ok(Zeroizing::new(answer.trim_end_matches(['\r', '\n']).to_owned()))
}

fn tell(words: &str) {
    drop(writeln!(io::stderr(), "mip4d: {words}"));
}
