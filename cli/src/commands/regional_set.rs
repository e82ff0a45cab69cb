//! `mip4ctl regional set`

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::str::FromStr;

use clap::{Subcommand, ValueEnum};
use store::wire::{Nai, Spi};
use store::{
    GatewayAssignment, GatewaySetting, RegionalForeignAgent, RegionalReplay, RegionalSubject,
    RegionalValue,
};

use super::regional::{CandidateName, edit};
use crate::failure::{Failure, Stop};
use crate::session::Session;

/// Say in a candidate what an agent shall be; nothing happens before `regional commit`
#[derive(clap::Args, Debug)]
pub(crate) struct RegionalSet {
    #[command(subcommand)]
    agent: Agent,
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
enum Agent {
    Gateway(SetGateway),
    ForeignAgent(SetForeignAgent),
}

/// A gateway foreign agent
#[derive(clap::Args, Debug)]
struct SetGateway {
    /// The address that it serves at
    gateway: Ipv4Addr,
    /// The longest home registration that it passes on, in seconds; `default` leaves it to its file
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<Given<u16>>,
    /// The longest regional registration, in seconds; `default` is that of the home registration
    #[arg(long, value_name = "SECONDS")]
    regional_lifetime: Option<Given<u16>>,
    /// Which replay protection it agrees to
    #[arg(long, value_enum)]
    replay: Option<ReplayWord>,
    /// Whether it assigns itself to nodes that ask for no gateway in particular
    #[arg(long, value_enum, value_name = "YES|NO")]
    dynamic: Option<Truth>,
    #[command(flatten)]
    candidate: CandidateName,
}

/// A foreign agent beneath a gateway
#[derive(clap::Args, Debug)]
struct SetForeignAgent {
    /// The address that it serves at
    foreign_agent: Ipv4Addr,
    /// Its gateway
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<Ipv4Addr>,
    /// Gateways that it relays to beside its own, with commas between them; `default` is none
    #[arg(long, value_name = "ADDRESS,…")]
    also: Option<Given<Addresses>>,
    /// Whether it advertises its gateway, or leaves it to the region which one a node gets
    #[arg(long, value_enum)]
    assignment: Option<AssignmentWord>,
    /// The FA-NAI that it advertises, `fa1@region.example`; `default` is none
    #[arg(long = "nai", value_name = "NAI")]
    agent_nai: Option<Given<NaiWord>>,
    /// The SPI of the associations between it and its gateways; `default` is none
    #[arg(long, value_name = "SPI")]
    spi: Option<Given<u32>>,
    #[command(flatten)]
    candidate: CandidateName,
}

impl RegionalSet {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        match &self.agent {
            Agent::Gateway(gateway) => gateway.run(session),
            Agent::ForeignAgent(foreign_agent) => foreign_agent.run(session),
        }
    }
}

impl SetGateway {
    fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let subject = RegionalSubject::Gateway(self.gateway);
        edit(session, &self.candidate, |wanted| {
            let mut setting = match wanted.get(subject) {
                Some(RegionalValue::Gateway(setting)) => setting.clone(),
                _ => GatewaySetting::default(),
            };
            self.apply(&mut setting);
            wanted.set(subject, Some(RegionalValue::Gateway(setting)));
            Ok(())
        })
    }

    fn apply(&self, setting: &mut GatewaySetting) {
        if let Some(given) = &self.lifetime {
            setting.lifetime = given.value();
        }
        if let Some(given) = &self.regional_lifetime {
            setting.regional_lifetime = given.value();
        }
        if let Some(word) = self.replay {
            setting.replay = word.into();
        }
        if let Some(truth) = self.dynamic {
            setting.dynamic = truth.is_yes();
        }
    }
}

impl SetForeignAgent {
    fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let subject = RegionalSubject::ForeignAgent(self.foreign_agent);
        edit(session, &self.candidate, |wanted| {
            let mut setting = match (wanted.get(subject), self.gateway) {
                (Some(RegionalValue::ForeignAgent(setting)), _) => setting.clone(),
                (_, Some(gateway)) => RegionalForeignAgent::beneath(gateway),
                (_, None) => {
                    let message = format!("{subject} is not there yet: it needs `--gateway`");
                    return Err(Failure::refused(message));
                }
            };
            self.apply(&mut setting);
            wanted.set(subject, Some(RegionalValue::ForeignAgent(setting)));
            Ok(())
        })
    }

    fn apply(&self, setting: &mut RegionalForeignAgent) {
        if let Some(gateway) = self.gateway {
            setting.gateway = gateway;
            if self.also.is_none() {
                setting.also.remove(&gateway);
            }
        }
        if let Some(given) = &self.also {
            setting.also = given.value().map(|list| list.0).unwrap_or_default();
        }
        if let Some(word) = self.assignment {
            setting.assignment = word.into();
        }
        if let Some(given) = &self.agent_nai {
            setting.nai = given.value().map(|word| word.0);
        }
        if let Some(given) = &self.spi {
            setting.spi = given.value().map(Spi);
        }
    }
}

/// A value, or the word for what holds without one.
#[derive(Clone, Debug)]
pub(super) enum Given<T> {
    Default,
    Value(T),
}

impl<T: Clone> Given<T> {
    pub(super) fn value(&self) -> Option<T> {
        match self {
            Self::Default => None,
            Self::Value(value) => Some(value.clone()),
        }
    }
}

impl<T: FromStr<Err: ToString>> FromStr for Given<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "default" => Ok(Self::Default),
            text => text.parse().map(Self::Value).map_err(|err: T::Err| err.to_string()),
        }
    }
}

/// `192.0.2.9,192.0.2.10`
#[derive(Clone, Debug)]
struct Addresses(BTreeSet<Ipv4Addr>);

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = |word: &str| {
            word.parse::<Ipv4Addr>().map_err(|_| format!("`{word}` is no IPv4 address"))
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Self)
    }
}

#[derive(Clone, Debug)]
pub(super) struct NaiWord(pub(super) Nai);

impl FromStr for NaiWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Nai::new(text).map(Self).map_err(|err| err.to_string())
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Truth {
    Yes,
    No,
}

impl Truth {
    pub(super) const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReplayWord {
    Timestamps,
    Nonces,
    /// Whichever a node asks for
    Any,
}

impl From<ReplayWord> for RegionalReplay {
    fn from(word: ReplayWord) -> Self {
        match word {
            ReplayWord::Timestamps => Self::Timestamps,
            ReplayWord::Nonces => Self::Nonces,
            ReplayWord::Any => Self::Any,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AssignmentWord {
    /// Nodes register with the gateway that the foreign agent advertises
    Advertised,
    /// It advertises all ones, and its gateway assigns itself
    Dynamic,
}

impl From<AssignmentWord> for GatewayAssignment {
    fn from(word: AssignmentWord) -> Self {
        match word {
            AssignmentWord::Advertised => Self::Advertised,
            AssignmentWord::Dynamic => Self::Dynamic,
        }
    }
}
