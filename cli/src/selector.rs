//! Which rows a command is about.

use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use store::{Glob, OperationSelector};

use crate::failure::{ExitStatus, Failure};

/// The selectors; values of one option are alternatives, options together must all match.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Selectors")]
pub(crate) struct Selector {
    /// Only this home address, or those in this prefix
    #[arg(long, value_name = "ADDRESS|PREFIX")]
    home_address: Vec<Prefix>,
    /// Only nodes whose NAI matches; `*` and `?` are wildcards
    #[arg(long, value_name = "GLOB")]
    nai: Vec<Glob>,
    /// Only this care-of address, or those in this prefix
    #[arg(long, value_name = "ADDRESS|PREFIX")]
    care_of: Vec<Prefix>,
    /// Only those of this home agent
    #[arg(long, value_name = "ADDRESS")]
    home_agent: Vec<Ipv4Addr>,
    /// Only those that came through this foreign agent
    #[arg(long, value_name = "ADDRESS")]
    foreign_agent: Vec<Ipv4Addr>,
    /// Only nodes of this network: their home address lies in the prefix
    #[arg(long, value_name = "PREFIX")]
    network: Vec<Prefix>,
    /// All of them; what commands that change something must be told
    #[arg(long, conflicts_with_all = ["home_address", "nai", "care_of", "home_agent", "foreign_agent", "network"])]
    all: bool,
}

/// A prefix, or an address as a prefix of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix(Ipv4Net);

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let whole = || text.parse().ok().map(|address: Ipv4Addr| Ipv4Net::from(address));
        let prefix = text.parse().ok().or_else(whole);
        prefix.map(Self).ok_or_else(|| "not an IPv4 address or prefix".to_owned())
    }
}

/// What selectors look at; a field that a noun does not have is refused beforehand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) home_address: Option<Ipv4Addr>,
    pub(crate) nai: Option<&'a str>,
    pub(crate) care_of_addresses: Vec<Ipv4Addr>,
    pub(crate) home_agents: Vec<Ipv4Addr>,
    pub(crate) foreign_agents: Vec<Ipv4Addr>,
}

/// The options of [`Selector`], to say which ones apply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Field {
    HomeAddress,
    Nai,
    CareOf,
    HomeAgent,
    ForeignAgent,
    Network,
}

impl Field {
    pub(crate) const AGENTS: &[Self] = &[Self::HomeAgent, Self::ForeignAgent];

    const fn option(self) -> &'static str {
        match self {
            Self::HomeAddress => "--home-address",
            Self::Nai => "--nai",
            Self::CareOf => "--care-of",
            Self::HomeAgent => "--home-agent",
            Self::ForeignAgent => "--foreign-agent",
            Self::Network => "--network",
        }
    }
}

impl Selector {
    /// Everything of one home agent.
    pub(crate) fn of_home_agent(address: Ipv4Addr) -> Self {
        Self { home_agent: vec![address], ..Self::default() }
    }

    /// Whether it leaves anything out. Listing nothing at all is then a failure.
    pub(crate) fn is_selective(&self) -> bool {
        !self.given().is_empty()
    }

    /// Whether the user said what the command is about, if only `--all`.
    pub(crate) fn is_given(&self) -> bool {
        self.all || self.is_selective()
    }

    /// Refuses options that have no meaning for `command`.
    pub(crate) fn require(&self, applicable: &[Field], command: &str) -> Result<(), Failure> {
        match self.given().into_iter().find(|field| !applicable.contains(field)) {
            None => Ok(()),
            Some(field) => {
                let options: Vec<_> =
                    applicable.iter().map(|field| format!("`{}`", field.option())).collect();
                let message = format!("`{}` does not apply to `{command}`", field.option());
                let hint = format!("its selectors are {}", options.join(", "));
                Err(Failure::usage(message).hint(hint))
            }
        }
    }

    pub(crate) fn matches(&self, subject: &Subject<'_>) -> bool {
        let within = |prefixes: &[Prefix], addresses: &[Ipv4Addr]| {
            prefixes.is_empty()
                || addresses.iter().any(|address| prefixes.iter().any(|p| p.0.contains(address)))
        };
        let among = |wanted: &[Ipv4Addr], addresses: &[Ipv4Addr]| {
            wanted.is_empty() || addresses.iter().any(|address| wanted.contains(address))
        };
        let home: Vec<_> = subject.home_address.into_iter().collect();
        within(&self.home_address, &home)
            && within(&self.network, &home)
            && within(&self.care_of, &subject.care_of_addresses)
            && among(&self.home_agent, &subject.home_agents)
            && among(&self.foreign_agent, &subject.foreign_agents)
            && (self.nai.is_empty()
                || subject.nai.is_some_and(|nai| self.nai.iter().any(|glob| glob.matches(nai))))
    }

    /// The same, as an operation carries it to the daemons.
    pub(crate) fn of_operation(&self) -> OperationSelector {
        let prefixes = |prefixes: &[Prefix]| prefixes.iter().map(|prefix| prefix.0).collect();
        OperationSelector {
            home_addresses: prefixes(&self.home_address),
            nais: self.nai.iter().map(ToString::to_string).collect(),
            care_of_addresses: prefixes(&self.care_of),
            home_agents: self.home_agent.clone(),
            foreign_agents: self.foreign_agent.clone(),
            networks: prefixes(&self.network),
            all: self.all,
        }
    }

    /// What to say when nothing is left.
    pub(crate) fn nothing_matched(&self, nouns: &str) -> Failure {
        let options: Vec<_> =
            self.given().into_iter().map(|field| format!("`{}`", field.option())).collect();
        let message = match options.as_slice() {
            [] => format!("there are no {nouns}"),
            [option] => format!("no {nouns} match {option}"),
            options => format!("no {nouns} match {} together", options.join(", ")),
        };
        Failure::new(ExitStatus::NothingMatched, message)
    }

    fn given(&self) -> Vec<Field> {
        let options = [
            (Field::HomeAddress, self.home_address.len()),
            (Field::Nai, self.nai.len()),
            (Field::CareOf, self.care_of.len()),
            (Field::HomeAgent, self.home_agent.len()),
            (Field::ForeignAgent, self.foreign_agent.len()),
            (Field::Network, self.network.len()),
        ];
        options.into_iter().filter(|(_, count)| *count > 0).map(|(field, _)| field).collect()
    }
}
