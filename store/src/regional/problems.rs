//! What is wrong with a regional configuration: in itself, and against what runs.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use wire::Spi;

use super::Configuration;
use crate::{
    Advertisement, Association, AssociationKey, GatewayAssignment, GatewaySetting, Identity,
    Instance, InstanceState, RegionalForeignAgent, RegionalSubject, RegionalValue, Role, Snapshot,
    UtcTime, Visitor,
};

/// Something that is not as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    pub subject: RegionalSubject,
    pub severity: Severity,
    pub what: String,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// It works, but perhaps not as it is meant.
    Warning,
    /// It would not work with what runs at this moment.
    Error,
    /// It cannot work, whatever runs.
    Fatal,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// What does not hold together in the configuration itself.
pub fn structure(configuration: &Configuration) -> Vec<Problem> {
    let mut found = Found::default();
    for (subject, value) in &configuration.0 {
        found.subject = Some(*subject);
        if let Err(invalid) = crate::change::validate_regional(subject.address(), value) {
            found.fatal(invalid.to_string());
        }
        let address = subject.address();
        match value {
            RegionalValue::Gateway(_) => {
                let other = RegionalSubject::ForeignAgent(address);
                if configuration.get(other).is_some() {
                    found.fatal(format!(
                        "{address} is a foreign agent as well: each role has an address of its own"
                    ));
                }
            }
            RegionalValue::ForeignAgent(foreign_agent) => {
                beneath(configuration, foreign_agent, &mut found);
            }
        }
    }
    found.problems
}

/// Whether the gateways of a foreign agent are there, and do what it relies on.
fn beneath(configuration: &Configuration, foreign_agent: &RegionalForeignAgent, found: &mut Found) {
    for gateway in foreign_agent.gateways() {
        if configuration.get(RegionalSubject::Gateway(gateway)).is_none() {
            found.fatal(format!("there is no gateway {gateway}"));
        }
    }
    let own = configuration.get(RegionalSubject::Gateway(foreign_agent.gateway));
    let is_dynamic = foreign_agent.assignment == GatewayAssignment::Dynamic;
    if let Some(RegionalValue::Gateway(GatewaySetting { dynamic: false, .. })) = own
        && is_dynamic
    {
        let gateway = foreign_agent.gateway;
        found.fatal(format!("`assignment` is dynamic, but gateway {gateway} is not `dynamic`"));
    }
}

/// All problems, those with what runs at `now` included; the worst first.
pub fn problems(configuration: &Configuration, snapshot: &Snapshot, now: UtcTime) -> Vec<Problem> {
    let mut found = Found { problems: structure(configuration), subject: None };
    realms(configuration, &mut found);
    for (subject, value) in &configuration.0 {
        found.subject = Some(*subject);
        agent(*subject, snapshot, now, &mut found);
        match value {
            RegionalValue::Gateway(gateway) => {
                lifetimes(subject.address(), gateway, configuration, snapshot, &mut found);
            }
            RegionalValue::ForeignAgent(foreign_agent) => {
                associations(subject.address(), foreign_agent, snapshot, &mut found);
            }
        }
    }
    let mut problems = found.problems;
    problems.sort_by_key(|problem| (std::cmp::Reverse(problem.severity), problem.subject));
    problems
}

#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    subject: Option<RegionalSubject>,
}

impl Found {
    fn add(&mut self, severity: Severity, what: String) {
        let Some(subject) = self.subject else { return };
        self.problems.push(Problem { subject, severity, what });
    }

    fn fatal(&mut self, what: String) {
        self.add(Severity::Fatal, what);
    }

    fn error(&mut self, what: String) {
        self.add(Severity::Error, what);
    }

    fn warning(&mut self, what: String) {
        self.add(Severity::Warning, what);
    }
}

/// Whether a daemon plays the role at the address, and serves.
fn agent(subject: RegionalSubject, snapshot: &Snapshot, now: UtcTime, found: &mut Found) {
    let (role, address) = (subject.role(), subject.address());
    let instances = snapshot.rows::<Instance>().iter();
    let at_address = instances.filter(|it| it.addresses.contains(&address));
    let newest = at_address
        .filter(|it| it.roles.contains(&role))
        .max_by_key(|instance| instance.heartbeat_at);
    let Some(instance) = newest else {
        return found.error(format!("no daemon is a {} at {address}", role.as_str()));
    };
    let name = &instance.name;
    if instance.state == InstanceState::Gone {
        found.error(format!("`{name}` does not run"));
    } else if instance.is_silent(now) {
        let age = instance.heartbeat_age(now).as_secs();
        found.error(format!("`{name}` does not serve: it is silent for {age} s"));
    } else if instance.state != InstanceState::Serving {
        found.error(format!("`{name}` does not serve"));
    }
}

/// Whether a foreign agent and its gateways share associations (RFC 4857 §11).
fn associations(
    address: Ipv4Addr,
    foreign_agent: &RegionalForeignAgent,
    snapshot: &Snapshot,
    found: &mut Found,
) {
    let Some(spi) = foreign_agent.spi else {
        return found.error("`spi` is not set: its gateways would not believe it".to_owned());
    };
    let theirs = association(address, spi, Role::Gateway, snapshot);
    if let Err(why) = &theirs {
        found.error(format!("gateways have {why} with {address}, SPI {spi}"));
    }
    for gateway in foreign_agent.gateways() {
        match (association(gateway, spi, Role::ForeignAgent, snapshot), &theirs) {
            (Err(why), _) => {
                found.error(format!("foreign agents have {why} with {gateway}, SPI {spi}"));
            }
            (Ok(ours), Ok(theirs)) if ours.algorithm != theirs.algorithm => {
                let what = format!(
                    "the associations with {gateway}, SPI {spi}, have different algorithms"
                );
                found.error(what);
            }
            _ => {}
        }
    }
}

/// The association with `peer`, or in words what there is instead.
fn association(
    peer: Ipv4Addr,
    spi: Spi,
    role: Role,
    snapshot: &Snapshot,
) -> Result<&Association, &'static str> {
    let key = AssociationKey { peer: Identity::Address(peer), spi };
    match snapshot.rows::<Association>().get(&key) {
        None => Err("no association"),
        Some(row) if row.role != role => Err("no association (there is one of another role)"),
        Some(row) if !row.active => Err("only an inactive association"),
        Some(row) => Ok(row),
    }
}

/// Whether regional registrations would outlive home registrations (RFC 4857 §9.4).
///
/// Each is cut to what is left of its home registration, so this is a limit that never limits.
fn lifetimes(
    address: Ipv4Addr,
    gateway: &GatewaySetting,
    configuration: &Configuration,
    snapshot: &Snapshot,
    found: &mut Found,
) {
    let Some(regional) = gateway.regional_lifetime else { return };
    let beneath = configuration.0.iter().filter_map(|(subject, value)| match value {
        RegionalValue::ForeignAgent(it) if it.gateway == address => Some(subject.address()),
        _ => None,
    });
    for foreign_agent in beneath {
        let advertised = snapshot.rows::<Advertisement>().iter().find(|row| {
            row.role == Role::ForeignAgent && row.care_of_addresses.contains(&foreign_agent)
        });
        if let Some(lifetime) = advertised.map(|row| row.registration_lifetime.0)
            && lifetime < regional
        {
            found.error(format!(
                "`regional-lifetime` is {regional} s, but foreign agent {foreign_agent} \
                 advertises registrations of at most {lifetime} s"
            ));
        }
    }
    let visitors = snapshot.rows::<Visitor>().iter();
    let here = visitors.filter(|row| row.accepted && row.care_of_address == address);
    if let Some(longest) = here.map(|row| row.lifetime_granted.0).max()
        && longest < regional
    {
        found.error(format!(
            "`regional-lifetime` is {regional} s, but home agents grant at most {longest} s"
        ));
    }
}

/// Nodes tell by the realm of the FA-NAI whether they are in another domain (RFC 4857 §8.2).
fn realms(configuration: &Configuration, found: &mut Found) {
    let mut realms: BTreeMap<Ipv4Addr, (&str, Ipv4Addr)> = BTreeMap::new();
    for (subject, value) in &configuration.0 {
        let RegionalValue::ForeignAgent(foreign_agent) = value else { continue };
        found.subject = Some(*subject);
        let Some(nai) = &foreign_agent.nai else {
            found.warning("without `nai` nodes cannot tell its domain from others".to_owned());
            continue;
        };
        let realm = nai.as_str().rsplit_once('@').map_or("", |(_, realm)| realm);
        let first = realms.entry(foreign_agent.gateway).or_insert((realm, subject.address()));
        if !first.0.eq_ignore_ascii_case(realm) {
            found.warning(format!(
                "its realm `{realm}` is not `{}`, that of {} with the same gateway: nodes \
                 register at home when they go from one to the other",
                first.0, first.1
            ));
        }
    }
}
