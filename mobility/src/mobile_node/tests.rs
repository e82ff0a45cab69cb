//! A mobile node and a home agent that talk to each other.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use store::{Binding, Identity, Now, ReplayProtection, Revision, Snapshot, Time, UtcTime};
use wire::{AuthenticationAlgorithm, Lifetime, SecretKey, Spi};

use super::*;
use crate::{HomeAgent, HomeAgentConfig, Received};

const HOME_AGENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 434);
const LOCAL: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 7), 5000);
const HOME: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);

fn association(replay: ReplayProtection) -> SecurityAssociation {
    SecurityAssociation {
        peer: Identity::Address(HOME),
        spi: Spi(1000),
        algorithm: AuthenticationAlgorithm::HmacMd5,
        key: SecretKey::from_ascii("a key of the node").unwrap(),
        replay,
        tolerance: Duration::from_secs(7),
    }
}

/// Both machines, a store, and a network that loses nothing.
struct World {
    home_agent: HomeAgent,
    node: MobileNode,
    snapshot: Snapshot,
    /// How far the node's clock is ahead, in milliseconds.
    skew: i64,
}

impl World {
    fn new(replay: ReplayProtection, skew: i64) -> Self {
        let snapshot = Snapshot::default();
        let config = HomeAgentConfig::new("ha", *HOME_AGENT.ip(), [1; 32]);
        let mut home_agent = HomeAgent::new(config, &snapshot, at(0));
        home_agent.set_associations(vec![association(replay)]);
        let mut config = MobileNodeConfig::new("mn", HOME_AGENT, LOCAL, [2; 32]);
        config.home_address = Some(HOME);
        config.lifetime = Lifetime(600);
        let mut node = MobileNode::new(config, &snapshot, at(0));
        node.set_associations(vec![association(replay)]);
        Self { home_agent, node, snapshot, skew }
    }

    fn node_now(&self, seconds: u64) -> Now {
        let now = at(seconds);
        Now { utc: now.utc.shifted(self.skew), ..now }
    }

    /// Delivers what the node sends and what comes back; returns what the driver is told.
    fn deliver(&mut self, output: Output, seconds: u64) -> Vec<Action> {
        let mut told = Vec::new();
        for action in output.actions {
            let Action::Send { from, to, octets } = action else {
                told.push(action);
                continue;
            };
            let output =
                self.home_agent.on_datagram(&Received::new(&octets, from, to), at(seconds));
            self.snapshot.revision = Revision(self.snapshot.revision.0 + 1);
            self.snapshot.tables.apply(&output.batch, self.snapshot.revision);
            self.home_agent.on_committed(output.id, at(seconds));
            for action in output.actions {
                if let Action::Send { from, to, octets } = action {
                    let now = self.node_now(seconds);
                    let output = self.node.on_datagram(&Received::new(&octets, from, to), now);
                    told.extend(self.deliver(output, seconds));
                }
            }
        }
        told
    }
}

fn at(seconds: u64) -> Now {
    let uptime = Time::from_uptime(Duration::from_secs(seconds));
    let utc = UtcTime(1_800_000_000_000) + Duration::from_secs(seconds);
    Now { uptime, utc, clock_step: 0 }
}

fn registered(actions: &[Action]) -> bool {
    matches!(actions, [Action::Registered { lifetime: Lifetime(600), .. }])
}

#[test]
fn a_node_registers_renews_and_deregisters() {
    for replay in [ReplayProtection::Timestamps, ReplayProtection::Nonces] {
        let mut world = World::new(replay, 0);
        let output = world.node.register(at(0));
        let mut told = world.deliver(output, 0);
        if replay == ReplayProtection::Nonces {
            // The first nonce is not known; the refusal brings it.
            assert_eq!(told, [Action::Denied { code: Code(133) }]);
            let output = world.node.on_deadline(at(1));
            told = world.deliver(output, 1);
        }
        assert!(registered(&told), "{told:?}");
        assert_eq!(world.snapshot.rows::<Binding>().len(), 1);
        let renewal = world.node.next_deadline().unwrap();
        assert!(renewal < Time::from_uptime(Duration::from_secs(490)));
        let output = world.node.on_deadline(at(490));
        let told = world.deliver(output, 490);
        assert!(registered(&told), "{told:?}");
        let output = world.node.deregister(at(500));
        let told = world.deliver(output, 500);
        assert_eq!(told, [Action::Deregistered { home_address: HOME }]);
        assert!(world.snapshot.rows::<Binding>().is_empty());
        assert_eq!(world.node.state(), MobileNodeState::Idle);
        assert_eq!(world.node.next_deadline(), None);
    }
}

#[test]
fn a_node_whose_clock_is_wrong_mends_it() {
    for skew in [-3_600_000, 86_400_000] {
        let mut world = World::new(ReplayProtection::Timestamps, skew);
        let now = world.node_now(0);
        let output = world.node.register(now);
        assert_eq!(world.deliver(output, 0), [Action::Denied { code: Code(133) }]);
        assert!((world.node.clock_offset() + skew).abs() <= 1000);
        let now = world.node_now(1);
        let output = world.node.on_deadline(now);
        let told = world.deliver(output, 1);
        assert!(registered(&told), "{told:?}");
    }
}

const CANDIDATE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// Where the one datagram among the actions goes.
fn sent_to(output: &Output) -> Ipv4Addr {
    let mut sent = output.actions.iter().filter_map(|action| match action {
        Action::Send { to, .. } => Some(*to.ip()),
        _ => None,
    });
    let to = sent.next().unwrap();
    assert_eq!(sent.next(), None);
    to
}

/// Reading: `mnHATable` has candidates; the next one is asked when one is silent, and again the
/// first when all are.
#[test]
fn a_node_turns_to_another_home_agent_when_one_is_silent() {
    let mut world = World::new(ReplayProtection::Timestamps, 0);
    assert!(world.node.set_home_agents(vec![CANDIDATE], at(0)).is_empty());
    let mut output = world.node.register(at(0));
    let mut asked = Vec::new();
    for _ in 0..9 {
        asked.push(sent_to(&output));
        let next = world.node.next_deadline().unwrap();
        output = world.node.on_deadline(at(next.since(Time::default()).as_secs() + 1));
    }
    let first = *HOME_AGENT.ip();
    let expected = [[first; 4], [CANDIDATE; 4]].concat();
    assert_eq!(asked[..8], expected);
    assert_eq!(asked[8], first);
}

#[test]
fn a_node_leaves_a_home_agent_that_is_taken_away() {
    let mut world = World::new(ReplayProtection::Timestamps, 0);
    drop(world.node.set_home_agents(vec![CANDIDATE], at(0)));
    // The configured one is silent.
    let (mut output, mut seconds) = (world.node.register(at(0)), 0);
    while sent_to(&output) != CANDIDATE {
        let next = world.node.next_deadline().unwrap();
        seconds = next.since(Time::default()).as_secs() + 1;
        output = world.node.on_deadline(at(seconds));
    }
    let config = HomeAgentConfig::new("ha2", CANDIDATE, [3; 32]);
    world.home_agent = HomeAgent::new(config, &Snapshot::default(), at(seconds));
    world.home_agent.set_associations(vec![association(ReplayProtection::Timestamps)]);
    assert!(registered(&world.deliver(output, seconds)));
    let output = world.node.set_home_agents(Vec::new(), at(40));
    assert_eq!(sent_to(&output), CANDIDATE);
    assert_eq!(world.deliver(output, 40), [Action::Deregistered { home_address: HOME }]);
    assert!(world.snapshot.rows::<Binding>().is_empty());
    assert_eq!(sent_to(&world.node.on_deadline(at(42))), *HOME_AGENT.ip());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::default()
    })]

    /// No octets make it panic, and none that nobody signed make it believe that it is registered.
    #[test]
    fn octets_of_a_stranger_do_nothing(
        mut octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        kind in proptest::prelude::prop_oneof![
            proptest::prelude::Just(3_u8), proptest::prelude::Just(9_u8), 0_u8..=255
        ],
        answers in proptest::bool::ANY,
    ) {
        if let Some(first) = octets.first_mut() {
            *first = kind;
        }
        let mut world = World::new(ReplayProtection::Timestamps, 0);
        let output = world.node.register(at(0));
        let Some(Action::Send { octets: sent, .. }) = output.actions.first() else {
            panic!("a request is sent");
        };
        if answers && octets.len() >= 20 && kind == 3 {
            // Addresses and Identification of a reply to it.
            octets[1] = 0;
            octets[4..12].copy_from_slice(&sent[4..12]);
            octets[12..20].copy_from_slice(&sent[16..24]);
        }
        let received = Received::new(&octets, HOME_AGENT, LOCAL);
        let _ = world.node.on_datagram(&received, at(1));
        let _ = world.node.on_icmp(&octets, *HOME_AGENT.ip(), 1, at(1));
        proptest::prop_assert_ne!(world.node.state(), MobileNodeState::Registered);
    }
}
