//! Home addresses for mobile nodes that have none (RFC 2794 §2, RFC 5944 §3.8.1).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Hands out addresses: first those never used, then the lowest that was given back.
#[derive(Debug, Default)]
pub(super) struct Pools {
    networks: Vec<Ipv4Net>,
    /// The network, and the place in it, before which every address has been looked at.
    network: usize,
    next: Option<Ipv4Addr>,
    given_back: BTreeSet<Ipv4Addr>,
}

impl Pools {
    pub(super) fn new(networks: Vec<Ipv4Net>) -> Self {
        Self { networks, network: 0, next: None, given_back: BTreeSet::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    pub(super) fn contains(&self, address: Ipv4Addr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// An address that `is_free`; the same again until it is not.
    pub(super) fn find(&mut self, is_free: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        while let Some(network) = self.networks.get(self.network) {
            let mut hosts = network.hosts();
            let last = hosts.next_back();
            let mut at = self.next.or(hosts.next()).or(last);
            while let Some(address) = at {
                self.next = at;
                if is_free(address) {
                    return Some(address);
                }
                let following = u32::from(address).checked_add(1).map(Ipv4Addr::from);
                at = following.filter(|address| last.is_some_and(|last| *address <= last));
            }
            self.network += 1;
            self.next = None;
        }
        self.given_back.retain(|address| is_free(*address));
        self.given_back.first().copied()
    }

    /// Takes an address back, if it is one of ours.
    pub(super) fn give_back(&mut self, address: Ipv4Addr) {
        if self.contains(address) {
            self.given_back.insert(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_hands_out_each_address_once_and_then_what_came_back() {
        let mut pools =
            Pools::new(vec!["10.0.0.0/30".parse().unwrap(), "10.0.1.7/32".parse().unwrap()]);
        let mut taken = BTreeSet::new();
        while let Some(address) = pools.find(|address| !taken.contains(&address)) {
            assert!(taken.insert(address));
        }
        let all = ["10.0.0.1", "10.0.0.2", "10.0.1.7"].map(|text| text.parse().unwrap());
        assert_eq!(taken, BTreeSet::from(all));
        taken.remove(&all[1]);
        pools.give_back(all[1]);
        pools.give_back("192.0.2.1".parse().unwrap());
        assert_eq!(pools.find(|address| !taken.contains(&address)), Some(all[1]));
    }

    #[test]
    fn a_found_address_that_nobody_took_is_found_again() {
        let mut pools = Pools::new(vec!["10.0.0.0/24".parse().unwrap()]);
        assert_eq!(pools.find(|_| true), pools.find(|_| true));
    }
}
