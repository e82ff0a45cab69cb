//! `mip4ctl regional load|save`: a whole configuration as a file for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use store::regional::Configuration;
use store::wire::{Nai, Spi};
use store::{
    GatewayAssignment, GatewaySetting, RegionalCommit, RegionalForeignAgent, RegionalReplay,
    RegionalSubject, RegionalValue, Unknown,
};

use super::regional::{CandidateName, TABLES, edit, is_candidate, no_candidate};
use crate::failure::{Failure, Stop};
use crate::session::Session;

/// No configuration is as long as this, in octets.
const FILE_MAX: u64 = 16 << 20;

/// Make a candidate what a file says, all of it: what the file does not name will be deleted
///
/// Nothing happens before `regional commit`. The file is what `regional save` writes.
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalLoad {
    /// The file; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    candidate: CandidateName,
}

impl RegionalLoad {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let text = self.read(session)?;
        let name = self.file.display().to_string();
        let configuration = parse(&text)
            .map_err(|why| Failure::refused(format!("{name}{why}")).hint("nothing was changed"))?;
        edit(session, &self.candidate, |wanted| {
            // What this program does not know of an agent stays with it.
            let mut new = configuration.clone();
            for (subject, value) in &mut new.0 {
                keep_unknown(value, wanted.get(*subject));
            }
            *wanted = new;
            Ok(())
        })
    }

    fn read(&self, session: &mut Session) -> Result<String, Stop> {
        let mut text = String::new();
        let read = if self.file == Path::new("-") {
            if session.place.is_some() {
                return Err(Failure::usage("a script must name the file").into());
            }
            (&mut session.world.input).take(FILE_MAX).read_to_string(&mut text)
        } else {
            std::fs::File::open(&self.file)
                .and_then(|file| file.take(FILE_MAX).read_to_string(&mut text))
        };
        read.map_err(|err| {
            Failure::refused(format!("failed to read `{}`: {err}", self.file.display()))
        })?;
        Ok(text)
    }
}

/// Write what is in force, or a candidate, to a file
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalSave {
    /// The file, which is replaced; `-` is standard output
    file: PathBuf,
    #[command(flatten)]
    candidate: CandidateName,
}

impl RegionalSave {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let view = session.read(TABLES)?;
        let last = RegionalCommit::last_id(&view.snapshot);
        let (configuration, what) = if self.candidate.is_given() {
            let name = self.candidate.get(&view);
            if !is_candidate(&view, &name) {
                return Err(no_candidate(&name).into());
            }
            let wanted = Configuration::of_candidate(&name, &view.snapshot);
            (wanted, format!("candidate `{name}`"))
        } else {
            (Configuration::running(&view.snapshot), format!("commit {last}"))
        };
        let text = write(&configuration, &what)?;
        if self.file == Path::new("-") {
            session.world.out.write_all(text.as_bytes())?;
            return Ok(session.world.out.flush()?);
        }
        replace(&self.file, &text).map_err(|err| {
            Failure::refused(format!("failed to write `{}`: {err}", self.file.display()))
        })?;
        let agents = super::regional::agents(configuration.0.len());
        let words = format!("saved {agents} to `{}`", self.file.display());
        session.report_done(view.revision(), &words)
    }
}

/// Writes a file beside it, and lets that take its place: never half of one.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut file = std::fs::File::create(&beside)?;
    let done = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let done = done.and_then(|()| std::fs::rename(&beside, path));
    if done.is_err() {
        // What went wrong first is what is told.
        std::fs::remove_file(&beside).ok();
    }
    done
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gateway: Vec<GatewayTable>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    foreign_agent: Vec<ForeignAgentTable>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct GatewayTable {
    address: Ipv4Addr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    regional_lifetime: Option<u16>,
    #[serde(default)]
    replay: RegionalReplay,
    #[serde(default)]
    dynamic: bool,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ForeignAgentTable {
    address: Ipv4Addr,
    gateway: Ipv4Addr,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    also: BTreeSet<Ipv4Addr>,
    #[serde(default)]
    assignment: GatewayAssignment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nai: Option<Nai>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spi: Option<u32>,
}

/// Reads a whole configuration; the error begins with its place, `:3:1: …`.
fn parse(text: &str) -> Result<Configuration, String> {
    let document: Document = toml::from_str(text).map_err(|err| {
        let at = err.span().map(|span| place(text, span.start)).unwrap_or_default();
        format!("{at}: {}", err.message())
    })?;
    let mut configuration = Configuration::default();
    let gateways = document.gateway.into_iter().map(|table| {
        let value = GatewaySetting {
            lifetime: table.lifetime,
            regional_lifetime: table.regional_lifetime,
            replay: table.replay,
            dynamic: table.dynamic,
            unknown: Unknown::default(),
        };
        (RegionalSubject::Gateway(table.address), RegionalValue::Gateway(value))
    });
    let foreign_agents = document.foreign_agent.into_iter().map(|table| {
        let value = RegionalForeignAgent {
            gateway: table.gateway,
            also: table.also,
            assignment: table.assignment,
            nai: table.nai,
            spi: table.spi.map(Spi),
            unknown: Unknown::default(),
        };
        (RegionalSubject::ForeignAgent(table.address), RegionalValue::ForeignAgent(value))
    });
    for (subject, value) in gateways.chain(foreign_agents) {
        if configuration.get(subject).is_some() {
            return Err(format!(": {subject} is there twice"));
        }
        configuration.set(subject, Some(value));
    }
    Ok(configuration)
}

/// `:LINE:COLUMN` of an octet.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(":{line}:{column}")
}

fn write(configuration: &Configuration, what: &str) -> Result<String, Stop> {
    let mut document = Document::default();
    for (subject, value) in &configuration.0 {
        let address = subject.address();
        match value.clone() {
            RegionalValue::Gateway(it) => document.gateway.push(GatewayTable {
                address,
                lifetime: it.lifetime,
                regional_lifetime: it.regional_lifetime,
                replay: it.replay,
                dynamic: it.dynamic,
            }),
            RegionalValue::ForeignAgent(it) => document.foreign_agent.push(ForeignAgentTable {
                address,
                gateway: it.gateway,
                also: it.also,
                assignment: it.assignment,
                nai: it.nai,
                spi: it.spi.map(|spi| spi.0),
            }),
        }
    }
    let tables = toml::to_string(&document).map_err(|err| {
        Failure::new(crate::failure::ExitStatus::Bug, format!("it cannot be written: {err}"))
    })?;
    let mut text = format!("# The configuration of regions: {what}\n");
    // Writing to a string does not fail.
    let _ = write!(text, "\n{tables}");
    Ok(text)
}

fn keep_unknown(new: &mut RegionalValue, old: Option<&RegionalValue>) {
    match (new, old) {
        (RegionalValue::Gateway(new), Some(RegionalValue::Gateway(old))) => {
            new.unknown = old.unknown.clone();
        }
        (RegionalValue::ForeignAgent(new), Some(RegionalValue::ForeignAgent(old))) => {
            new.unknown = old.unknown.clone();
        }
        _ => {}
    }
}
