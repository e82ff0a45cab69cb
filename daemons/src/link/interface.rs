//! Interfaces of this machine.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::bail;
use ipnet::Ipv4Net;
use pnet_datalink::NetworkInterface;

/// An interface that a configuration names.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: u32,
    /// Its IPv4 addresses, with the networks that they are in.
    pub(crate) networks: Vec<Ipv4Net>,
    pub(super) listed: NetworkInterface,
}

impl Interface {
    /// The interface called `name`.
    pub(crate) fn find(name: &str) -> anyhow::Result<Self> {
        let all = pnet_datalink::interfaces();
        let Some(listed) = all.iter().find(|interface| interface.name == name) else {
            let names: Vec<&str> = all.iter().map(|interface| interface.name.as_str()).collect();
            bail!("there is no interface `{name}`; there are: {}", names.join(" "));
        };
        let networks = listed.ips.iter().filter_map(|network| match network.ip() {
            IpAddr::V4(address) => Ipv4Net::new(address, network.prefix()).ok(),
            IpAddr::V6(_) => None,
        });
        Ok(Self {
            name: name.to_owned(),
            index: listed.index,
            networks: networks.collect(),
            listed: listed.clone(),
        })
    }

    /// Whether `address` is one of its own.
    pub(crate) fn has(&self, address: Ipv4Addr) -> bool {
        self.networks.iter().any(|network| network.addr() == address)
    }

    /// The length of the prefix of the network that `address` is in; 32, if none of ours.
    pub(crate) fn prefix_length(&self, address: Ipv4Addr) -> u8 {
        let fitting = self.networks.iter().filter(|network| network.contains(&address));
        fitting.map(Ipv4Net::prefix_len).max().unwrap_or(32)
    }

    /// The broadcast addresses of its networks.
    pub(crate) fn broadcast_addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        let broad = self.networks.iter().filter(|network| network.prefix_len() < 31);
        broad.map(Ipv4Net::broadcast)
    }
}
