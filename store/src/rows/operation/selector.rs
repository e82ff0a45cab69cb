//! Which rows an operation is about.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{Operation, OperationAction, OperationOwner, TargetKey};
use crate::{
    Binding, Glob, Instance, Registration, Revision, Role, Row as _, Snapshot, UtcTime, Visitor,
};

/// Selects bindings, visitors or registrations: values of one field are alternatives, fields together must all match.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OperationSelector {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub home_addresses: Vec<Ipv4Net>,
    /// Patterns with `*` and `?`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nais: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub care_of_addresses: Vec<Ipv4Net>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub home_agents: Vec<Ipv4Addr>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign_agents: Vec<Ipv4Addr>,
    /// Prefixes in which home addresses lie.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Ipv4Net>,
    /// Everything; without it an empty selector selects nothing.
    pub all: bool,
}

/// What a selector looks at.
#[derive(Clone, Debug, Default)]
pub struct Subject<'a> {
    pub home_address: Option<Ipv4Addr>,
    pub nai: Option<&'a str>,
    pub care_of_addresses: Vec<Ipv4Addr>,
    pub home_agents: Vec<Ipv4Addr>,
    pub foreign_agents: Vec<Ipv4Addr>,
}

impl<'a> Subject<'a> {
    pub fn of_binding(binding: &'a Binding) -> Self {
        Self {
            home_address: Some(binding.home_address),
            nai: binding.nai.as_ref().map(wire::Nai::as_str),
            care_of_addresses: vec![binding.care_of_address],
            home_agents: vec![binding.home_agent],
            foreign_agents: binding.foreign_agent.into_iter().collect(),
        }
    }

    pub fn of_visitor(visitor: &'a Visitor) -> Self {
        Self {
            home_address: Some(visitor.home_address),
            nai: visitor.identity.nai().map(wire::Nai::as_str),
            care_of_addresses: vec![visitor.care_of_address],
            home_agents: vec![visitor.home_agent],
            foreign_agents: vec![visitor.foreign_agent],
        }
    }

    pub fn of_registration(registration: &'a Registration) -> Self {
        let foreign_agent = Some(registration.agent_address);
        let foreign_agent = foreign_agent.filter(|agent| *agent != registration.home_agent);
        Self {
            home_address: Some(registration.home_address),
            nai: registration.identity.nai().map(wire::Nai::as_str),
            care_of_addresses: vec![registration.care_of_address],
            home_agents: vec![registration.home_agent],
            foreign_agents: foreign_agent.into_iter().collect(),
        }
    }
}

/// A selector with its patterns read.
struct Matcher<'s> {
    selector: &'s OperationSelector,
    nais: Vec<Glob>,
}

impl Matcher<'_> {
    fn matches(&self, subject: &Subject<'_>) -> bool {
        let selector = self.selector;
        let within = |prefixes: &[Ipv4Net], addresses: &[Ipv4Addr]| {
            prefixes.is_empty()
                || addresses.iter().any(|it| prefixes.iter().any(|prefix| prefix.contains(it)))
        };
        let among = |wanted: &[Ipv4Addr], addresses: &[Ipv4Addr]| {
            wanted.is_empty() || addresses.iter().any(|address| wanted.contains(address))
        };
        let home: Vec<_> = subject.home_address.into_iter().collect();
        selector.is_given()
            && within(&selector.home_addresses, &home)
            && within(&selector.networks, &home)
            && within(&selector.care_of_addresses, &subject.care_of_addresses)
            && among(&selector.home_agents, &subject.home_agents)
            && among(&selector.foreign_agents, &subject.foreign_agents)
            && (selector.nais.is_empty()
                || subject.nai.is_some_and(|nai| self.nais.iter().any(|glob| glob.matches(nai))))
    }
}

impl OperationSelector {
    /// Whether it says what it is about, if only `all`.
    pub fn is_given(&self) -> bool {
        let empty = Self { all: self.all, ..Self::default() };
        self.all || *self != empty
    }

    fn matcher(&self) -> Matcher<'_> {
        let nais = self.nais.iter().filter_map(|glob| glob.parse().ok()).collect();
        Matcher { selector: self, nais }
    }

    /// Whether it selects `subject`.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.matcher().matches(subject)
    }
}

/// In words: `nai=*@example.com network=10.99.0.0/16`, or `all`.
impl fmt::Display for OperationSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn push<T: fmt::Display>(words: &mut Vec<String>, name: &str, values: &[T]) {
            words.extend(values.iter().map(|value| format!("{name}={value}")));
        }
        let mut words = Vec::new();
        push(&mut words, "home-address", &self.home_addresses);
        push(&mut words, "nai", &self.nais);
        push(&mut words, "care-of", &self.care_of_addresses);
        push(&mut words, "home-agent", &self.home_agents);
        push(&mut words, "foreign-agent", &self.foreign_agents);
        push(&mut words, "network", &self.networks);
        words.extend(self.all.then(|| "all".to_owned()));
        f.write_str(&words.join(" "))
    }
}

/// Undoes [`fmt::Display`]; words are separated by white space, the error says which is wrong.
impl FromStr for OperationSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut selector = Self::default();
        for word in text.split_whitespace() {
            let wrong = || format!("`{word}` selects nothing");
            let prefix = |value: &str| {
                let address = || value.parse::<Ipv4Addr>().map(Ipv4Net::from);
                value.parse::<Ipv4Net>().or_else(|_| address()).map_err(|_| wrong())
            };
            let address = |value: &str| value.parse::<Ipv4Addr>().map_err(|_| wrong());
            match word.split_once('=') {
                None if word == "all" => selector.all = true,
                Some(("home-address", value)) => selector.home_addresses.push(prefix(value)?),
                Some(("nai", value)) if value.parse::<Glob>().is_ok() => {
                    selector.nais.push(value.to_owned());
                }
                Some(("care-of", value)) => selector.care_of_addresses.push(prefix(value)?),
                Some(("home-agent", value)) => selector.home_agents.push(address(value)?),
                Some(("foreign-agent", value)) => selector.foreign_agents.push(address(value)?),
                Some(("network", value)) => selector.networks.push(prefix(value)?),
                _ => return Err(wrong()),
            }
        }
        Ok(selector)
    }
}

/// A row that an operation is about, as a snapshot has it.
#[derive(Clone, Debug)]
pub struct Found {
    pub owner: OperationOwner,
    pub target: TargetKey,
    /// When the row came to be, as its owner stamped it.
    pub since: UtcTime,
}

impl Operation {
    /// The targets in `snapshot`, in the order of their keys; what came to be after `revision` is
    /// none.
    pub fn targets(&self, snapshot: &Snapshot, revision: Revision) -> Vec<Found> {
        let matcher = self.selector.matcher();
        match self.action.role() {
            Role::ForeignAgent => {
                let rows = snapshot.rows::<Visitor>().map().values();
                let rows = rows.filter(|entry| entry.created <= revision && entry.row.accepted);
                let rows = rows.filter(|entry| matcher.matches(&Subject::of_visitor(&entry.row)));
                rows.map(|entry| {
                    let row = &entry.row;
                    let (role, address) = (Role::ForeignAgent, row.foreign_agent);
                    let owner = OperationOwner { role, address, instance: row.instance.clone() };
                    Found { owner, target: TargetKey::Visitor(row.key()), since: row.created_at }
                })
                .collect()
            }
            Role::MobileNode => {
                let rows = snapshot.rows::<Registration>().map().values();
                let rows = rows.filter(|entry| entry.created <= revision && entry.row.accepted);
                let rows =
                    rows.filter(|entry| matcher.matches(&Subject::of_registration(&entry.row)));
                rows.map(|entry| {
                    let row = &entry.row;
                    let (role, address) = (Role::MobileNode, row.home_address);
                    let owner = OperationOwner { role, address, instance: row.instance.clone() };
                    // A row that is another registration has another name.
                    let (target, since) = (TargetKey::Registration(row.key()), UtcTime::default());
                    Found { owner, target, since }
                })
                .collect()
            }
            _ => {
                let rows = snapshot.rows::<Binding>().map().values();
                let rows = rows.filter(|entry| entry.created <= revision);
                let rows = rows.filter(|entry| matcher.matches(&Subject::of_binding(&entry.row)));
                rows.map(|entry| {
                    let row = &entry.row;
                    let (role, address) = (Role::HomeAgent, row.home_agent);
                    let owner =
                        OperationOwner { role, address, instance: row.instance.to_string() };
                    Found { owner, target: TargetKey::Binding(row.key()), since: row.created_at }
                })
                .collect()
            }
        }
    }

    /// Says of a new operation who owns its targets, and at which revision they were counted;
    /// returns how many each has.
    ///
    /// A drain concerns its home agent whether or not that has bindings.
    pub fn count(&mut self, snapshot: &Snapshot) -> Vec<(OperationOwner, usize)> {
        self.counted_at = snapshot.revision;
        let mut counts = std::collections::BTreeMap::new();
        for found in self.targets(snapshot, snapshot.revision) {
            *counts.entry(found.owner).or_insert(0) += 1;
        }
        if let OperationAction::Drain { .. } = self.action {
            for address in &self.selector.home_agents {
                if !counts.keys().any(|owner| owner.address == *address)
                    && let Some(owner) = serving(*address, snapshot)
                {
                    counts.insert(owner, 0);
                }
            }
        }
        self.owners = counts.keys().cloned().collect();
        counts.into_iter().collect()
    }
}

/// The home agent at `address`, as instances say; the latest, if several do.
fn serving(address: Ipv4Addr, snapshot: &Snapshot) -> Option<OperationOwner> {
    let instances = snapshot.rows::<Instance>().iter();
    let fitting = instances
        .filter(|it| it.roles.contains(&Role::HomeAgent) && it.addresses.contains(&address));
    let latest = fitting.max_by_key(|instance| instance.heartbeat_at)?;
    Some(OperationOwner { role: Role::HomeAgent, address, instance: latest.name.clone() })
}
