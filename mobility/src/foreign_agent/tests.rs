//! A foreign agent among strangers: nothing grows without end, and nothing panics.

use std::net::{Ipv4Addr, SocketAddrV4};

use proptest::prelude::*;
use store::{Identity, ReplayProtection, Violation};
use wire::{
    AuthenticationAlgorithm, Flags, Identification, Lifetime, RegistrationReply, SecretKey,
    extension_type,
};

use super::*;

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const HOME_AGENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn foreign_agent() -> ForeignAgent {
    let config = ForeignAgentConfig::new("fa", ADDRESS, [4; 32]);
    ForeignAgent::new(config, &Snapshot::default(), Now::default())
}

fn association(peer: Ipv4Addr) -> SecurityAssociation {
    SecurityAssociation {
        peer: Identity::Address(peer),
        spi: Spi(1000),
        algorithm: AuthenticationAlgorithm::HmacSha256,
        key: SecretKey::from_octets(&[7; 16]).unwrap(),
        replay: ReplayProtection::Timestamps,
        tolerance: Duration::from_secs(7),
    }
}

fn home(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0b00_0000 | number)
}

/// A request of a node that nobody knows, signed by somebody.
fn request(number: u32) -> Vec<u8> {
    let request = RegistrationRequest {
        flags: Flags(0),
        lifetime: Lifetime(600),
        home_address: home(number),
        home_agent: HOME_AGENT,
        care_of_address: ADDRESS,
        identification: Identification(number.into()),
    };
    let mut octets = Vec::new();
    request.emit(&mut octets);
    association(home(number)).sign(&mut octets, extension_type::MOBILE_HOME_AUTHENTICATION);
    octets
}

fn send(agent: &mut ForeignAgent, octets: &[u8], from: Ipv4Addr) -> Output {
    let (from, to) = (SocketAddrV4::new(from, 5000), SocketAddrV4::new(ADDRESS, 434));
    agent.on_datagram(&Received::new(octets, from, to), Now::default())
}

/// What the store has after all that was noted went to it.
fn settled(agent: &mut ForeignAgent) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for _ in 0..100 {
        let batch = agent.take_counters(Now::default());
        snapshot.tables.apply(&batch, snapshot.revision);
    }
    snapshot
}

#[test]
fn a_flood_of_strangers_grows_nothing() {
    let mut agent = foreign_agent();
    let (mut relayed, mut denied) = (0, 0);
    for number in 0..20_000 {
        for action in send(&mut agent, &request(number), home(number)).actions {
            match action {
                Action::Send { to, .. } if *to.ip() == HOME_AGENT => relayed += 1,
                _ => denied += 1,
            }
        }
    }
    assert_eq!((relayed, agent.pending.len()), (1000, 1000));
    assert!(denied <= 4097, "{denied} denials");
    let snapshot = settled(&mut agent);
    assert!(snapshot.rows::<store::Trail>().len() <= 4096);
    assert_eq!(snapshot.rows::<Visitor>().len(), 1000);
    assert_eq!(snapshot.rows::<Violation>().len(), 0);
}

/// Nor does one in the names of nodes that have associations: who is not believed waits nowhere.
#[test]
fn a_flood_of_forgeries_grows_nothing() {
    let mut agent = foreign_agent();
    agent.set_associations((0..3000).map(|number| association(home(number))).collect());
    for number in 0..3000 {
        let octets = request(number);
        let output = send(&mut agent, &octets, home(number));
        let reflected = output.actions.iter().map(|action| match action {
            Action::Send { octets, .. } => octets.len(),
            _ => 0,
        });
        assert!(reflected.sum::<usize>() <= octets.len(), "more than was sent");
    }
    assert_eq!(agent.pending.len(), 0);
    assert_eq!(settled(&mut agent).rows::<Violation>().len(), 1024);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// No octets make it panic, whether they look like a request or like a reply to one.
    #[test]
    fn octets_of_a_stranger_do_nothing(
        mut octets in prop::collection::vec(any::<u8>(), 0..200),
        kind in prop_oneof![Just(1_u8), Just(3_u8), any::<u8>()],
        answers in any::<bool>(),
    ) {
        if let Some(first) = octets.first_mut() {
            *first = kind;
        }
        let mut agent = foreign_agent();
        agent.set_associations(vec![association(HOME_AGENT)]);
        send(&mut agent, &request(1), home(1));
        if answers && octets.len() >= RegistrationReply::LEN && kind == 3 {
            octets[4..8].copy_from_slice(&home(1).octets());
            octets[12..20].copy_from_slice(&1_u64.to_be_bytes());
        }
        let output = send(&mut agent, &octets, HOME_AGENT);
        prop_assert!(output.batch.is_empty(), "nobody signed it");
    }
}
