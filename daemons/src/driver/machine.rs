//! What a driver wants of the machine of an agent, whichever it is.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use mobility::{
    Action, CommitId, ForeignAgent, Gateway, HomeAgent, Output, Received, SecurityAssociation,
    Unreachable,
};
use store::{Batch, ClockHealth, Counter, Identity, Now, Role, Snapshot, Time};

use super::region;
use crate::configuration::Region;

/// What the machines of all agents have in common, and what only some of them do.
pub(crate) trait MobilityAgent: Send + 'static {
    const ROLE: Role;
    /// Whether the time to live of requests, and the ICMP errors of what is sent, are of interest.
    const WANTS_MORE: bool;

    fn set_associations(&mut self, associations: Vec<SecurityAssociation>);
    fn set_volatile_violations(&mut self, offenders: BTreeSet<Identity>);
    fn on_datagram(&mut self, received: &Received<'_>, now: Now) -> Output;
    fn on_deadline(&mut self, now: Now) -> Output;
    fn next_deadline(&self) -> Option<Time>;
    fn on_committed(&mut self, id: CommitId, now: Now);
    fn on_operations(&mut self, snapshot: &Snapshot, now: Now) -> Output;
    fn on_commit_failed(&mut self, id: CommitId, snapshot: &Snapshot, now: Now) -> Vec<Action>;
    fn take_counters(&mut self, now: Now) -> Batch;
    fn count(&mut self, counter: Counter);
    fn add_counts(&mut self, counts: Vec<(Counter, u64)>);
    /// How many mobile nodes it serves.
    fn served(&self) -> usize;

    /// Says what a foreign agent offers.
    fn set_care_of_addresses(&mut self, _care_of_addresses: Vec<Ipv4Addr>) {}

    /// Takes what the store says of regions.
    fn set_region(&mut self, _region: &Region, _now: Now) {}

    /// ICMP says that what was sent to an address did not arrive.
    fn on_unreachable(&mut self, _to: Ipv4Addr, _unreachable: Unreachable, _now: Now) -> Output {
        Output::default()
    }

    /// What mobile nodes' timestamps say of our clock; `None` if none is looked at.
    fn clock_health(&self, _now: Now) -> Option<ClockHealth> {
        None
    }

    /// Whether it takes no more mobile nodes.
    fn is_busy(&self) -> bool {
        false
    }

    /// Whether it goes out of service.
    fn is_draining(&self) -> bool {
        false
    }

    /// The home addresses whose mobile nodes are away, if ARP is answered for them.
    fn away(&self) -> Vec<Ipv4Addr> {
        Vec::new()
    }
}

/// What all machines have by the same name.
macro_rules! in_common {
    () => {
        fn set_associations(&mut self, associations: Vec<SecurityAssociation>) {
            self.set_associations(associations);
        }

        fn set_volatile_violations(&mut self, offenders: BTreeSet<Identity>) {
            self.set_volatile_violations(offenders);
        }

        fn on_datagram(&mut self, received: &Received<'_>, now: Now) -> Output {
            self.on_datagram(received, now)
        }

        fn on_deadline(&mut self, now: Now) -> Output {
            self.on_deadline(now)
        }

        fn next_deadline(&self) -> Option<Time> {
            self.next_deadline()
        }

        fn on_committed(&mut self, id: CommitId, now: Now) {
            self.on_committed(id, now);
        }

        fn on_operations(&mut self, snapshot: &Snapshot, now: Now) -> Output {
            self.on_operations(snapshot, now)
        }

        fn on_commit_failed(&mut self, id: CommitId, snapshot: &Snapshot, now: Now) -> Vec<Action> {
            self.on_commit_failed(id, snapshot, now)
        }

        fn take_counters(&mut self, now: Now) -> Batch {
            self.take_counters(now)
        }

        fn count(&mut self, counter: Counter) {
            self.count(counter);
        }

        fn add_counts(&mut self, counts: Vec<(Counter, u64)>) {
            self.add_counts(counts);
        }
    };
}

/// What those have by the same name that serve visitors.
macro_rules! of_visitors {
    () => {
        const WANTS_MORE: bool = true;

        fn served(&self) -> usize {
            self.visitor_count()
        }

        fn on_unreachable(&mut self, to: Ipv4Addr, unreachable: Unreachable, now: Now) -> Output {
            self.on_unreachable(to, unreachable, now)
        }

        fn is_busy(&self) -> bool {
            self.is_busy()
        }
    };
}

// It has no `B` bit: its mobile nodes have nowhere else to go (RFC 5944 §2.1.1).
impl MobilityAgent for HomeAgent {
    const ROLE: Role = Role::HomeAgent;
    const WANTS_MORE: bool = false;

    in_common!();

    fn served(&self) -> usize {
        self.binding_count()
    }

    fn clock_health(&self, now: Now) -> Option<ClockHealth> {
        Some(self.clock_health(now))
    }

    fn is_draining(&self) -> bool {
        self.is_draining()
    }

    fn away(&self) -> Vec<Ipv4Addr> {
        self.services().map(|service| service.home_address).collect()
    }
}

impl MobilityAgent for ForeignAgent {
    const ROLE: Role = Role::ForeignAgent;

    in_common!();
    of_visitors!();

    fn set_care_of_addresses(&mut self, care_of_addresses: Vec<Ipv4Addr>) {
        self.set_care_of_addresses(care_of_addresses);
    }

    fn set_region(&mut self, region: &Region, _now: Now) {
        self.set_region(region::of_foreign_agent(region));
    }
}

impl MobilityAgent for Gateway {
    const ROLE: Role = Role::Gateway;

    in_common!();
    of_visitors!();

    /// One that no row names serves nobody: nothing is beneath it.
    fn set_region(&mut self, region: &Region, now: Now) {
        let (beneath, elsewhere) = (region.beneath.clone(), region.elsewhere.clone());
        self.set_region(region.gateway.as_ref(), beneath, elsewhere, now);
    }
}
