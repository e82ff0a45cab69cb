//! Properties of the home agent: what must hold whatever arrives, in whatever order.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use proptest::prelude::*;
use store::{Counters, Revision};
use wire::{
    AuthenticationAlgorithm, Flags, Lifetime, RegistrationReply, RegistrationRequest, SecretKey,
    Spi, extension_type,
};

use super::*;

const HOME_AGENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const NODES: u8 = 3;

/// One step of a run.
#[derive(Clone, Debug)]
enum Step {
    Register {
        node: u8,
        care_of: u8,
        lifetime: u16,
        simultaneous: bool,
        ahead: i16,
    },
    Deregister {
        node: u8,
        care_of: Option<u8>,
    },
    /// Sends an earlier request again.
    Replay(prop::sample::Index),
    /// Sends an earlier request with one bit changed.
    Mutate(prop::sample::Index, prop::sample::Index, u8),
    Garbage(Vec<u8>),
    Wait(u16),
    /// Decides about the oldest commit in flight.
    Decide {
        fails: bool,
    },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let lifetime = prop_oneof![Just(1_u16), 2_u16..40, Just(u16::MAX)];
    prop_oneof![
        6 => (0..NODES, 1_u8..4, lifetime, any::<bool>(), -8_i16..9).prop_map(
            |(node, care_of, lifetime, simultaneous, ahead)| Step::Register {
                node, care_of, lifetime, simultaneous, ahead
            }
        ),
        2 => (0..NODES, prop::option::of(1_u8..4))
            .prop_map(|(node, care_of)| Step::Deregister { node, care_of }),
        3 => any::<prop::sample::Index>().prop_map(Step::Replay),
        2 => (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..8)
            .prop_map(|(which, octet, bit)| Step::Mutate(which, octet, bit)),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Step::Garbage),
        3 => (0_u16..30).prop_map(Step::Wait),
        8 => prop::bool::weighted(0.2).prop_map(|fails| Step::Decide { fails }),
        1 => Just(Step::Restart),
    ]
}

/// A home agent, its store, and what it should have done.
struct Run {
    home_agent: HomeAgent,
    snapshot: Snapshot,
    seconds: u64,
    sent: Vec<Vec<u8>>,
    /// What was asked, or nothing for an expiry, and when.
    in_flight: Vec<(Output, Vec<u8>, u64)>,
    /// Every datagram that was granted.
    accepted: BTreeSet<Vec<u8>>,
    /// Bindings by home address and care-of address, and the second they end.
    model: BTreeMap<(Ipv4Addr, Ipv4Addr), Option<u64>>,
    received: u64,
    store_failed: bool,
}

fn config() -> HomeAgentConfig {
    let mut config = HomeAgentConfig::new("ha", HOME_AGENT, [7; 32]);
    config.simultaneous_bindings_max = 2;
    config.lifetime_max = Lifetime::INFINITE;
    config
}

fn home(node: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, node)
}

fn care_of(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, number)
}

fn association(node: u8) -> SecurityAssociation {
    // One of the nodes uses nonces; it starts from one that was never given, and stays refused.
    let replay = if node == 2 { ReplayProtection::Nonces } else { ReplayProtection::Timestamps };
    SecurityAssociation {
        peer: Identity::Address(home(node)),
        spi: Spi(1000),
        algorithm: AuthenticationAlgorithm::HmacMd5,
        key: SecretKey::from_octets(&[node + 1; 16]).unwrap(),
        replay,
        tolerance: Duration::from_secs(7),
    }
}

impl Run {
    fn new() -> Self {
        let mut run = Self {
            home_agent: HomeAgent::new(config(), &Snapshot::default(), Now::default()),
            snapshot: Snapshot::default(),
            seconds: 0,
            sent: Vec::new(),
            in_flight: Vec::new(),
            accepted: BTreeSet::new(),
            model: BTreeMap::new(),
            received: 0,
            store_failed: false,
        };
        run.start();
        run
    }

    fn now(&self) -> Now {
        let elapsed = Duration::from_secs(self.seconds);
        Now {
            uptime: Time::from_uptime(elapsed),
            utc: UtcTime(1_800_000_000_000) + elapsed,
            clock_step: 0,
        }
    }

    fn start(&mut self) {
        self.home_agent = HomeAgent::new(config(), &self.snapshot, self.now());
        self.home_agent.set_associations((0..NODES).map(association).collect());
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Register { node, care_of: number, lifetime, simultaneous, ahead } => {
                let mut flags = Flags::DECAPSULATION_BY_MOBILE_NODE;
                if simultaneous {
                    flags |= Flags::SIMULTANEOUS_BINDINGS;
                }
                let fixed = (flags, Lifetime(lifetime), care_of(number));
                self.send(self.request(node, fixed, ahead.into()));
            }
            Step::Deregister { node, care_of: number } => {
                let which = number.map_or(home(node), care_of);
                let fixed = (Flags::DECAPSULATION_BY_MOBILE_NODE, Lifetime::ZERO, which);
                self.send(self.request(node, fixed, 0));
            }
            Step::Replay(which) if !self.sent.is_empty() => {
                let octets = which.get(&self.sent).clone();
                self.send(octets);
            }
            Step::Mutate(which, octet, bit) if !self.sent.is_empty() => {
                let mut octets = which.get(&self.sent).clone();
                let at = octet.index(octets.len());
                octets[at] ^= 1 << bit;
                self.send(octets);
            }
            Step::Replay(_) | Step::Mutate(..) => {}
            Step::Garbage(octets) => self.send(octets),
            Step::Wait(seconds) => {
                self.seconds += u64::from(seconds);
                self.expire();
            }
            Step::Decide { fails } => self.decide(fails),
            Step::Restart => {
                // What is in flight when the process dies was never acknowledged. The store may
                // have it or not; here it has not.
                for (_, octets, _) in self.in_flight.drain(..) {
                    self.accepted.remove(&octets);
                }
                self.model = self.stored();
                self.received = 0;
                self.start();
                self.expire();
            }
        }
        self.check();
    }

    fn request(&self, node: u8, fixed: (u8, Lifetime, Ipv4Addr), ahead: i64) -> Vec<u8> {
        let (flags, lifetime, care_of_address) = fixed;
        let mut identification = clock::ntp(self.now().utc.shifted(ahead * 1000));
        if node == 2 {
            // A node with nonces reads the one it was given, as it would from the reply.
            let nonce = self.home_agent.expected_nonce(&Identity::Address(home(node)));
            identification = Identification::from_halves(nonce, identification.low());
        }
        let request = RegistrationRequest {
            flags: Flags(flags),
            lifetime,
            home_address: home(node),
            home_agent: HOME_AGENT,
            care_of_address,
            identification,
        };
        let mut octets = Vec::new();
        request.emit(&mut octets);
        association(node).sign(&mut octets, extension_type::MOBILE_HOME_AUTHENTICATION);
        octets
    }

    fn send(&mut self, octets: Vec<u8>) {
        let from = SocketAddrV4::new(care_of(1), 5000);
        let received = Received::new(&octets, from, SocketAddrV4::new(HOME_AGENT, 434));
        let output = self.home_agent.on_datagram(&received, self.now());
        self.received += 1;
        if !octets.is_empty() {
            self.sent.push(octets.clone());
        }
        if output.batch.is_empty() {
            assert!(output.actions.iter().all(|action| !is_granted(action)), "granted, not stored");
        } else {
            let new = self.accepted.insert(octets.clone());
            assert!(new, "the same request was granted twice");
            self.in_flight.push((output, octets, self.seconds));
        }
    }

    fn expire(&mut self) {
        while self.home_agent.next_deadline().is_some_and(|at| at <= self.now().uptime) {
            let output = self.home_agent.on_deadline(self.now());
            self.in_flight.push((output, Vec::new(), self.seconds));
        }
    }

    fn decide(&mut self, fails: bool) {
        if self.in_flight.is_empty() {
            return;
        }
        let (output, octets, at) = self.in_flight.remove(0);
        if octets.is_empty() {
            for key in output.batch.changes.iter().filter_map(binding_key) {
                let end = self.model.remove(&(key.home_address, key.care_of_address)).flatten();
                assert!(self.store_failed || end.is_none_or(|end| end <= at), "expired too early");
            }
        }
        if fails {
            self.store_failed = true;
            let now = self.now();
            let actions = self.home_agent.on_commit_failed(output.id, &self.snapshot, now);
            assert!(actions.iter().all(|action| !is_granted(action)));
            self.accepted.remove(&octets);
            return;
        }
        self.snapshot.revision = Revision(self.snapshot.revision.0 + 1);
        self.snapshot.tables.apply(&output.batch, self.snapshot.revision);
        let now = self.now();
        self.home_agent.on_committed(output.id, now);
        if let Ok((request, _)) = RegistrationRequest::parse(&octets) {
            assert_eq!(output.actions.iter().filter(|action| is_granted(action)).count(), 1);
            self.grant(&request, at);
        }
    }

    /// What a granted request does to the bindings, in the words of §3.8.2.2.
    fn grant(&mut self, request: &RegistrationRequest, at: u64) {
        let key = (request.home_address, request.care_of_address);
        if request.lifetime == Lifetime::ZERO {
            let all = request.home_address == request.care_of_address;
            self.model.retain(|it, _| it.0 != key.0 || !all && *it != key);
        } else {
            if !request.flags.any(Flags::SIMULTANEOUS_BINDINGS) {
                self.model.retain(|it, _| it.0 != key.0);
            }
            let end = request.lifetime.duration().map(|lifetime| at + lifetime.as_secs());
            self.model.insert(key, end);
        }
    }

    fn stored(&self) -> BTreeMap<(Ipv4Addr, Ipv4Addr), Option<u64>> {
        let rows = self.snapshot.rows::<Binding>().iter();
        let end = |at: UtcTime| at.since(UtcTime(1_800_000_000_000)).as_secs();
        rows.map(|row| ((row.home_address, row.care_of_address), row.expires_at.map(end))).collect()
    }

    fn check(&mut self) {
        let is_due = self.home_agent.next_deadline().is_some_and(|at| at <= self.now().uptime);
        if self.in_flight.is_empty() && self.home_agent.undeleted.is_empty() && !is_due {
            // Nothing is on its way: store, memory and model are the same.
            assert_eq!(self.stored(), self.model);
            assert_eq!(self.home_agent.binding_count(), self.model.len());
            let memory = self.home_agent.state.all_bindings().map(|row| row.key());
            let rows = self.snapshot.rows::<Binding>().iter().map(|row| row.key());
            assert_eq!(memory.collect::<BTreeSet<_>>(), rows.collect::<BTreeSet<_>>());
            assert!(self.home_agent.state.identities().all(|(_, node)| node.busy == 0));
        }
        // A deregistration that the store refused may leave one more than the limit.
        for node in (0..NODES).filter(|_| !self.store_failed) {
            let held = self.home_agent.state.bindings(&Identity::Address(home(node))).len();
            assert!(held <= 2, "more bindings than the limit");
        }
    }

    /// Every datagram is a request or was dropped for a reason that is counted.
    fn check_counters(&mut self) {
        let batch = self.home_agent.take_counters(self.now());
        self.snapshot.tables.apply(&batch, self.snapshot.revision);
        let rows = self.snapshot.rows::<Counters>();
        let Some(row) = rows.iter().next() else { return };
        let dropped = [
            Counter::DatagramsTruncated,
            Counter::DatagramsUnknownType,
            Counter::DatagramsUnskippableExtension,
            Counter::DatagramsMalformed,
            Counter::DatagramsUnexpected,
            // Random octets can be a revocation or a notification; no peer signs one here.
            Counter::RevocationsDiscarded,
            Counter::RevocationAcknowledgmentsUnexpected,
            Counter::NotificationsDiscarded,
            Counter::NotificationAcknowledgementsUnexpected,
        ];
        let dropped: u64 = dropped.into_iter().map(|counter| row.value(counter)).sum();
        let handled = row.value(Counter::HaRegRequestsReceived);
        assert_eq!(handled + dropped, row.value(Counter::DatagramsReceived));
        assert!(row.value(Counter::DatagramsReceived) >= self.received);
    }
}

fn is_granted(action: &Action) -> bool {
    let Action::Send { octets, .. } = action else { return false };
    RegistrationReply::parse(octets).is_ok_and(|(reply, _)| reply.code.is_accepted())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Replays, mutations, lost commits and restarts: nothing is granted twice, nothing is granted
    /// that was not signed, and memory says what the store says.
    #[test]
    fn store_memory_and_model_agree(steps in prop::collection::vec(step(), 1..60)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
        }
        run.seconds += 2; // What the store refused to delete is deleted again.
        run.expire();
        while !run.in_flight.is_empty() {
            run.decide(false);
            run.expire();
        }
        run.check();
        run.check_counters();
    }

    /// No octets make the home agent panic, and none that nobody signed make it commit.
    #[test]
    fn octets_of_a_stranger_do_nothing(
        mut octets in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop_oneof![Just(1_u8), any::<u8>()],
    ) {
        if let Some(first) = octets.first_mut() {
            *first = kind;
        }
        let mut run = Run::new();
        // Revocations and notifications that parse have counters of their own, more than one each.
        let is_of_others = matches!(message_type(&octets), Some(
            message_type::REGISTRATION_REVOCATION
            | message_type::REGISTRATION_REVOCATION_ACKNOWLEDGMENT
            | message_type::GENERIC_NOTIFICATION
            | message_type::GENERIC_NOTIFICATION_ACKNOWLEDGMENT
        ));
        run.send(octets);
        prop_assert!(run.in_flight.is_empty());
        if !is_of_others {
            run.check_counters();
        }
    }
}

/// A flood of made-up nodes leaves nothing in memory or in the store but counters and a bounded list.
#[test]
fn a_flood_of_strangers_grows_nothing() {
    let mut run = Run::new();
    for number in 0..2000_u32 {
        let mut octets = run.request(0, (0, Lifetime(600), care_of(1)), 0);
        octets[4..8].copy_from_slice(&(0x0b00_0000 | number).to_be_bytes());
        run.send(octets);
    }
    assert!(run.in_flight.is_empty());
    assert_eq!(run.home_agent.state.identities().count(), 0);
    for _ in 0..20 {
        let batch = run.home_agent.take_counters(run.now());
        run.snapshot.tables.apply(&batch, run.snapshot.revision);
    }
    // Who failed is kept, but not without end.
    assert_eq!(run.snapshot.rows::<store::Violation>().len(), 1024);
    assert_eq!(run.snapshot.rows::<store::NodeCounters>().len(), 0);
    assert_eq!(run.snapshot.rows::<store::Trail>().len(), 0);
}
