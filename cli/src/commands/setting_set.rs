//! `mip4ctl setting set`

use std::net::Ipv4Addr;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Subcommand};
use store::{
    AdvertisementSetting, Advertising, CareOfAddress, Identity, Instance, Origin, Role, Scope,
    Setting, SettingIndex, SettingKey, SettingValue, Unknown, nearest_foreign_agent,
};

use super::association::parse_peer;
use super::association_add::AgentWord;
use super::regional_set::{Given, NaiWord, Truth};
use super::setting::{Lasting, TABLES, Wanted, Whose, write};
use crate::failure::{ExitStatus, Failure, Stop};
use crate::session::Session;
use crate::view::View;

/// Set something: it holds over the configuration file, at once, and is the same that managers write
/// over SNMP
///
/// The command ends when the daemons whom it concerns act on it.
#[derive(clap::Args, Debug)]
pub(crate) struct SettingSet {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true, infer_long_args = true)]
enum What {
    Enabled(SetEnabled),
    Advertisement(Box<SetAdvertisement>),
    RegistrationRequired(SetRegistrationRequired),
    CareOfAddress(SetCareOfAddress),
    HomeAgent(SetHomeAgent),
    Violation(SetViolation),
    NotificationGate(SetNotificationGate),
}

impl SettingSet {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let view = session.read(TABLES)?;
        match &self.what {
            What::Enabled(it) => it.run(&view, session),
            What::Advertisement(it) => it.run(&view, session),
            What::RegistrationRequired(it) => it.run(&view, session),
            What::CareOfAddress(it) => it.run(&view, session),
            What::HomeAgent(it) => it.run(&view, session),
            What::Violation(it) => it.run(&view, session),
            What::NotificationGate(it) => it.run(&view, session),
        }
    }
}

/// Whether agents serve at all (`mipEnable`): those that do not, neither answer nor advertise
#[derive(clap::Args, Debug)]
struct SetEnabled {
    #[arg(value_enum, value_name = "YES|NO")]
    enabled: Truth,
    /// Only the agents of this role; by default all home agents, foreign agents and gateways
    #[arg(long, value_enum, conflicts_with = "instance")]
    role: Option<AgentWord>,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    lasting: Lasting,
}

impl SetEnabled {
    fn run(&self, view: &View, session: &mut Session) -> Result<(), Stop> {
        self.whose.check(view)?;
        let value = SettingValue::Enabled { enabled: self.enabled.is_yes() };
        let is_there =
            |role: &Role| view.rows::<Instance>().iter().any(|it| it.roles.contains(role));
        let scopes: Vec<Scope> = match (&self.whose.instance, self.role) {
            (Some(name), _) => vec![Scope::Instance(name.clone())],
            (None, Some(role)) => vec![Scope::Role(role.into())],
            (None, None) => Role::SWITCHED.into_iter().filter(is_there).map(Scope::Role).collect(),
        };
        if scopes.is_empty() {
            let message = "there is no agent that it could be for";
            return Err(Failure::new(ExitStatus::NothingMatched, message).into());
        }
        let wanted: Vec<Wanted> =
            scopes.into_iter().map(|scope| Wanted::new(scope, None, value.clone())).collect();
        write(session, view, &wanted, self.lasting)
    }
}

/// How agents advertise on an interface (`maAdvertConfTable`); what is not said stays as it is
#[derive(clap::Args, Debug)]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args([
    "registration_lifetime",
    "prefix_lengths",
    "destination",
    "interval_max",
    "interval_min",
    "lifetime",
    "solicited_only",
    "offers_home_agent",
    "offers_foreign_agent",
    "network_nai",
    "active",
])))]
struct SetAdvertisement {
    /// The number of the interface
    interface: u32,
    /// The longest lifetime that registrations may ask for
    #[arg(long, value_name = "SECONDS")]
    registration_lifetime: Option<u16>,
    /// Whether prefix lengths are part of it
    #[arg(long, value_enum, value_name = "YES|NO")]
    prefix_lengths: Option<Truth>,
    /// Where it is sent: 224.0.0.1 or 255.255.255.255
    #[arg(long, value_name = "ADDRESS")]
    destination: Option<Ipv4Addr>,
    /// The longest time between two, 4 to 1800
    #[arg(long, value_name = "SECONDS")]
    interval_max: Option<u16>,
    /// The shortest time between two, from 3 on
    #[arg(long, value_name = "SECONDS")]
    interval_min: Option<u16>,
    /// How long one is valid, up to 9000
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u16>,
    /// Whether only solicitations are answered
    #[arg(long, value_enum, value_name = "YES|NO")]
    solicited_only: Option<Truth>,
    /// Whether the service of the home agent is offered
    #[arg(long = "home-agent", value_enum, value_name = "YES|NO")]
    offers_home_agent: Option<Truth>,
    /// Whether the service of the foreign agent is offered
    #[arg(long = "foreign-agent", value_enum, value_name = "YES|NO")]
    offers_foreign_agent: Option<Truth>,
    /// The name of the network (RFC 3846); `default` is none
    #[arg(long, value_name = "NAI")]
    network_nai: Option<Given<NaiWord>>,
    /// Whether anything is advertised at all
    #[arg(long, value_enum, value_name = "YES|NO")]
    active: Option<Truth>,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    lasting: Lasting,
}

impl SetAdvertisement {
    fn run(&self, view: &View, session: &mut Session) -> Result<(), Stop> {
        let agents = self.whose.advertising(self.interface, view)?;
        self.check_services(&agents)?;
        let wanted: Vec<Wanted> = agents.iter().map(|agents| self.wanted(agents, view)).collect();
        write(session, view, &wanted, self.lasting)
    }

    fn check_services(&self, agents: &[Advertising<'_>]) -> Result<(), Failure> {
        let lacks = |wanted: Option<Truth>, has: fn(&Advertising<'_>) -> bool| {
            wanted.is_some_and(Truth::is_yes) && !agents.iter().any(has)
        };
        let what = if lacks(self.offers_home_agent, |it| it.has_home_agent) {
            "home"
        } else if lacks(self.offers_foreign_agent, |it| it.has_foreign_agent) {
            "foreign"
        } else {
            return Ok(());
        };
        let message = format!("no {what} agent advertises on interface {}", self.interface);
        Err(Failure::refused(message))
    }

    fn wanted(&self, agents: &Advertising<'_>, view: &View) -> Wanted {
        let scope = Scope::Instance(agents.instance.to_owned());
        let index = Some(SettingIndex::Interface(self.interface));
        let mut values = agents.values();
        let kind = SettingValue::Advertisement(values.clone());
        let key = SettingKey::new(scope.clone(), kind.kind(), index.clone());
        let before = view.rows::<Setting>().get(&key);
        if let Some(SettingValue::Advertisement(before)) = before.map(|row| &row.value) {
            values = before.clone();
        }
        self.apply(&mut values, agents);
        let was_active = before.is_none_or(|row| row.active);
        let active = self.active.map_or(was_active, Truth::is_yes);
        Wanted { scope, index, value: SettingValue::Advertisement(values), active }
    }

    fn apply(&self, values: &mut AdvertisementSetting, agents: &Advertising<'_>) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut values.registration_lifetime, self.registration_lifetime);
        set(&mut values.prefix_lengths, self.prefix_lengths.map(Truth::is_yes));
        set(&mut values.destination, self.destination);
        set(&mut values.interval_max, self.interval_max);
        set(&mut values.interval_min, self.interval_min);
        set(&mut values.lifetime, self.lifetime);
        set(&mut values.solicited_only, self.solicited_only.map(Truth::is_yes));
        // Where several instances have the interface, each offers what it has.
        let home_agent = self.offers_home_agent.map(|it| it.is_yes() && agents.has_home_agent);
        set(&mut values.home_agent, home_agent);
        let foreign_agent =
            self.offers_foreign_agent.map(|it| it.is_yes() && agents.has_foreign_agent);
        set(&mut values.foreign_agent, foreign_agent);
        let network_nai = self.network_nai.as_ref().map(|given| given.value().map(|word| word.0));
        set(&mut values.network_nai, network_nai);
    }
}

/// Whether nodes on an interface must register with the foreign agent (`faAdvertRegRequired`)
#[derive(clap::Args, Debug)]
struct SetRegistrationRequired {
    /// The number of the interface
    interface: u32,
    #[arg(value_enum, value_name = "YES|NO")]
    required: Truth,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    lasting: Lasting,
}

impl SetRegistrationRequired {
    fn run(&self, view: &View, session: &mut Session) -> Result<(), Stop> {
        let mut agents = self.whose.advertising(self.interface, view)?;
        agents.retain(|it| it.has_foreign_agent);
        if agents.is_empty() {
            let message = format!("no foreign agent advertises on interface {}", self.interface);
            return Err(Failure::refused(message).into());
        }
        let value = SettingValue::RegistrationRequired { required: self.required.is_yes() };
        let index = Some(SettingIndex::Interface(self.interface));
        let wanted = agents.iter().map(|it| {
            Wanted::new(Scope::Instance(it.instance.to_owned()), index.clone(), value.clone())
        });
        write(session, view, &wanted.collect::<Vec<_>>(), self.lasting)
    }
}

/// A care-of address that a foreign agent offers (`faCOATable`)
#[derive(clap::Args, Debug)]
struct SetCareOfAddress {
    /// The address; a new one is of the foreign agent whose own is nearest
    care_of_address: Ipv4Addr,
    /// Whether it is offered
    #[arg(long, value_enum, value_name = "YES|NO", default_value = "yes")]
    active: Truth,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    lasting: Lasting,
}

impl SetCareOfAddress {
    fn run(&self, view: &View, session: &mut Session) -> Result<(), Stop> {
        self.whose.check(view)?;
        let address = self.care_of_address;
        let mut rows = view.rows::<CareOfAddress>().iter();
        let before = rows.find(|row| row.address == address && self.whose.is(&row.instance));
        let row = match before {
            Some(row) => CareOfAddress {
                storage: self.lasting.storage(Some(row.storage)),
                active: self.active.is_yes(),
                ..CareOfAddress::clone(row)
            },
            None => CareOfAddress {
                instance: self.owner(view)?,
                address,
                active: self.active.is_yes(),
                origin: Origin::Cli,
                storage: self.lasting.storage(None),
                changed: None,
                unknown: Unknown::default(),
            },
        };
        let done = format!("set care-of address {address} of instance {}", row.instance);
        let prepared = Session::propose(view, |proposal| proposal.put(row))?;
        let revision = session.change(prepared)?;
        session.report_done(revision, &done)
    }

    fn owner(&self, view: &View) -> Result<String, Failure> {
        let instances = view.rows::<Instance>().iter().map(AsRef::as_ref);
        let instances = instances.filter(|row: &&Instance| self.whose.is(&row.name));
        let Some(nearest) = nearest_foreign_agent(instances, self.care_of_address) else {
            let message = "there is no foreign agent that it could be of";
            return Err(Failure::new(ExitStatus::NothingMatched, message));
        };
        Ok(nearest.name.clone())
    }
}

/// A home agent that mobile nodes may use beside the one of their file (`mnHATable`)
#[derive(clap::Args, Debug)]
struct SetHomeAgent {
    home_agent: Ipv4Addr,
    /// Whether it may be used
    #[arg(long, value_enum, value_name = "YES|NO", default_value = "yes")]
    active: Truth,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    lasting: Lasting,
}

impl SetHomeAgent {
    fn run(&self, view: &View, session: &mut Session) -> Result<(), Stop> {
        self.whose.check(view)?;
        let mut instances = view.rows::<Instance>().iter();
        if !instances.any(|it| self.whose.is(&it.name) && it.roles.contains(&Role::MobileNode)) {
            let message = "there is no mobile node that it could be for";
            return Err(Failure::new(ExitStatus::NothingMatched, message).into());
        }
        let scope = self.whose.scope(Role::MobileNode);
        let index = Some(SettingIndex::Address(self.home_agent));
        let active = self.active.is_yes();
        let wanted = Wanted { scope, index, value: SettingValue::HomeAgent {}, active };
        write(session, view, &[wanted], self.lasting)
    }
}

/// Forget an offender when the agent that caught it starts again (`mipSecurityviolationStorageType`)
#[derive(clap::Args, Debug)]
struct SetViolation {
    /// A home address, or a NAI
    #[arg(value_parser = parse_peer)]
    offender: Identity,
    #[command(flatten)]
    whose: Whose,
}

impl SetViolation {
    fn run(&self, view: &View, session: &mut Session) -> Result<(), Stop> {
        let scopes = self.whose.caught(&self.offender, view)?;
        let index = Some(SettingIndex::Identity(self.offender.clone()));
        let value = SettingValue::Violation { volatile: true };
        let wanted =
            scopes.into_iter().map(|scope| Wanted::new(scope, index.clone(), value.clone()));
        // It ends with the row that it is about.
        write(session, view, &wanted.collect::<Vec<_>>(), Lasting::VOLATILE)
    }
}

/// Whether notifications of a kind are sent, and how many (`mip4ExtGateTable`)
#[derive(clap::Args, Debug)]
struct SetNotificationGate {
    #[arg(value_parser = PossibleValuesParser::new(SettingIndex::NOTIFICATIONS))]
    kind: String,
    /// Whether they are sent
    #[arg(long, value_enum, value_name = "YES|NO", required_unless_present = "per_minute")]
    open: Option<Truth>,
    /// How many may be sent a minute, 1 to 60000
    #[arg(long, value_name = "NUMBER")]
    per_minute: Option<u32>,
    #[command(flatten)]
    lasting: Lasting,
}

impl SetNotificationGate {
    fn run(&self, view: &View, session: &mut Session) -> Result<(), Stop> {
        let index = Some(SettingIndex::Notification(self.kind.clone()));
        let scope = Scope::Role(Role::Snmp);
        let key = SettingKey::new(scope.clone(), SettingValue::OPEN_GATE.kind(), index.clone());
        let mut value = SettingValue::OPEN_GATE;
        if let Some(row) = view.rows::<Setting>().get(&key) {
            value = row.value.clone();
        }
        if let SettingValue::NotificationGate { open, per_minute } = &mut value {
            *open = self.open.map_or(*open, Truth::is_yes);
            *per_minute = self.per_minute.unwrap_or(*per_minute);
        }
        write(session, view, &[Wanted::new(scope, index, value)], self.lasting)
    }
}
