//! `[mobile-node]`

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ::store::{Origin, Scope, Setting, SettingIndex, SettingValue, StorageType, Unknown};
use ipnet::Ipv4Net;
use mobility::{MobileNodeConfig, NotificationConfig};
use wire::{Flags, Lifetime, Nai};

use super::home_agent::is_unicast;
use super::notification;
use super::section::Section;

/// `[mobile-node]`: a machine's configuration but for what only a start knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MobileNodeSection {
    /// Where it hears agents, unless its care-of address is its own.
    pub(crate) interface: Option<String>,
    pub(crate) home_address: Option<Ipv4Addr>,
    pub(crate) nai: Option<Nai>,
    /// The home agent, or where to ask for one: the broadcast address of the home network.
    pub(crate) home_agent: SocketAddrV4,
    pub(crate) is_discovery: bool,
    /// A care-of address of its own.
    pub(crate) co_located: Option<Ipv4Addr>,
    /// What requests are sent from; any that is free, if it is 0.
    pub(crate) port: u16,
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) flags: u8,
    pub(crate) notification: NotificationConfig,
    /// Whether it registers through gateways, and how long one that failed is left alone.
    pub(crate) regional: Option<bool>,
    pub(crate) gateway_hold_off: Option<Duration>,
    /// Whether it deregisters when it is stopped.
    pub(crate) deregister_at_stop: bool,
}

impl MobileNodeSection {
    /// Where it sends from: its care-of address, or else its home address.
    pub(crate) fn source(&self) -> SocketAddrV4 {
        let address = self.co_located.or(self.home_address).unwrap_or(Ipv4Addr::UNSPECIFIED);
        SocketAddrV4::new(address, self.port)
    }

    /// The home agent as a row; none if it is yet to be found.
    pub(crate) fn rows(&self, instance: &str) -> Vec<Setting> {
        let address = *self.home_agent.ip();
        let row = Setting {
            scope: Scope::Instance(instance.to_owned()),
            index: Some(SettingIndex::Address(address)),
            value: SettingValue::HomeAgent {},
            origin: Origin::File,
            storage: StorageType::ReadOnly,
            active: true,
            instance: None,
            changed: None,
            unknown: Unknown::default(),
        };
        if self.is_discovery { Vec::new() } else { vec![row] }
    }

    /// The whole configuration of the machine, which sends from `local`.
    pub(crate) fn machine(
        &self,
        instance: &str,
        local: SocketAddrV4,
        seed: [u8; 32],
        counters_lost: bool,
    ) -> MobileNodeConfig {
        let default = MobileNodeConfig::new(instance, self.home_agent, local, seed);
        MobileNodeConfig {
            home_address: self.home_address,
            nai: self.nai.clone(),
            is_discovery: self.is_discovery,
            lifetime: self.lifetime.unwrap_or(default.lifetime),
            flags: Flags(self.flags),
            notification: self.notification,
            regional: self.regional.unwrap_or(default.regional),
            gateway_hold_off: self.gateway_hold_off.unwrap_or(default.gateway_hold_off),
            counters_lost,
            ..default
        }
    }
}

pub(super) fn read(mut section: Section<'_, '_>) -> MobileNodeSection {
    const HOME_AGENT: &str = "the address of the home agent, or `home-network` to find one";
    const HOME_ADDRESS: &str = "an IPv4 unicast address, or `nai` to be given one";
    const INTERFACE: &str =
        "the interface that agents are heard on, or a care-of address `co-located`";
    let interface = section.parsed("interface", "the name of an interface", |value| {
        value.as_str().filter(|name| (1..=15).contains(&name.len())).map(str::to_owned)
    });
    let mut address = |key| {
        section.parsed(key, "an IPv4 unicast address", |value| {
            value.as_str()?.parse().ok().filter(|address| is_unicast(*address))
        })
    };
    let home_address = address("home-address");
    let home_agent = address("home-agent");
    let co_located = address("co-located");
    let nai = section
        .parsed("nai", "an NAI such as `user@example.com`", |value| Nai::new(value.as_str()?).ok());
    let home_network: Option<Ipv4Net> =
        section.parsed("home-network", "an IPv4 network such as `10.99.0.0/16`", |value| {
            value.as_str()?.parse().ok()
        });
    let mut port = |key| {
        let port = section.integer(key, 1..=65_535, "");
        port.and_then(|port| u16::try_from(port).ok())
    };
    let (own_port, home_agent_port) = (port("port"), port("home-agent-port"));
    let lifetime = section.integer("lifetime", 1..=65_535, " seconds");
    let mut flag = |key, mask| if section.boolean(key).unwrap_or(false) { mask } else { 0 };
    let flags = flag("simultaneous-bindings", Flags::SIMULTANEOUS_BINDINGS)
        | flag("broadcast-datagrams", Flags::BROADCAST_DATAGRAMS)
        | flag("minimal-encapsulation", Flags::MINIMAL_ENCAPSULATION)
        | flag("gre", Flags::GRE)
        | flag("reverse-tunnel", Flags::REVERSE_TUNNEL)
        // The machine takes it off where a foreign agent decapsulates.
        | Flags::DECAPSULATION_BY_MOBILE_NODE;
    let notification = notification::read(&mut section);
    let regional = section.boolean("regional");
    let gateway_hold_off = section.integer("gateway-hold-off", 1..=86_400, " seconds");
    let deregister_at_stop = section.boolean("deregister-at-stop").unwrap_or(true);
    if interface.is_none() && co_located.is_none() {
        section.missing("interface", INTERFACE);
    }
    if home_agent.is_none() && home_network.is_none() {
        section.missing("home-agent", HOME_AGENT);
    }
    if home_address.is_none() && nai.is_none() {
        section.missing("home-address", HOME_ADDRESS);
    }
    section.finish();
    let broadcast = home_network.map(|network| network.broadcast());
    MobileNodeSection {
        interface,
        home_address,
        nai,
        is_discovery: home_agent.is_none(),
        home_agent: SocketAddrV4::new(
            home_agent.or(broadcast).unwrap_or(Ipv4Addr::LOCALHOST),
            home_agent_port.unwrap_or(mobility::PORT),
        ),
        co_located,
        port: own_port.unwrap_or(0),
        lifetime: lifetime.and_then(|seconds| u16::try_from(seconds).ok()).map(Lifetime),
        flags,
        notification,
        regional,
        gateway_hold_off: gateway_hold_off.map(|seconds: u32| Duration::from_secs(seconds.into())),
        deregister_at_stop,
    }
}
