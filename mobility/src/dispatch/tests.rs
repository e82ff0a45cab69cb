use wire::{Code, Flags, Identification, Lifetime, RegistrationReply};

use super::*;

const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CARE_OF: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const HOME: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
const IDENTIFIER: u32 = 77;

fn dispatcher() -> Dispatcher {
    Dispatcher::new(OURS, vec![OURS, CARE_OF])
}

fn emitted(emit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut octets = Vec::new();
    emit(&mut octets);
    octets
}

fn request(home_agent: Ipv4Addr) -> Vec<u8> {
    let fixed = RegistrationRequest {
        flags: Flags(0),
        lifetime: Lifetime(600),
        home_address: HOME,
        home_agent,
        care_of_address: CARE_OF,
        identification: Identification(1),
    };
    emitted(|out| fixed.emit(out))
}

fn reply() -> Vec<u8> {
    let fixed = RegistrationReply {
        code: Code(0),
        lifetime: Lifetime(600),
        home_address: HOME,
        home_agent: OURS,
        identification: Identification(1),
    };
    emitted(|out| fixed.emit(out))
}

fn revocation(is_from_home_agent: bool, at_home: Ipv4Addr, abroad: Ipv4Addr) -> Vec<u8> {
    let fixed = RegistrationRevocation {
        reserved: 0,
        flags: if is_from_home_agent { RegistrationRevocation::FROM_HOME_AGENT } else { 0 },
        home_address: HOME,
        home_domain_address: at_home,
        foreign_domain_address: abroad,
        identifier: IDENTIFIER,
    };
    emitted(|out| fixed.emit(out))
}

fn acknowledgment(identifier: u32) -> Vec<u8> {
    let fixed = RegistrationRevocationAcknowledgment {
        reserved: 0,
        flags: 0,
        home_address: HOME,
        identifier,
    };
    emitted(|out| fixed.emit(out))
}

fn notifications(direction: MessageDirection, home_agent: Ipv4Addr) -> [Vec<u8>; 2] {
    let identification = Identification(1);
    let (home_address, care_of_address) = (HOME, CARE_OF);
    let one = GenericNotification {
        direction,
        flags: 0,
        home_address,
        home_agent,
        care_of_address,
        identification,
    };
    let other = GenericNotificationAcknowledgement {
        direction,
        code: Code(0),
        reserved: 0,
        home_address,
        home_agent,
        care_of_address,
        identification,
    };
    [emitted(|out| one.emit(out)), emitted(|out| other.emit(out))]
}

/// Every message has one place to go, whoever it is from.
#[test]
fn messages_go_to_one_role() {
    let table = [
        ("request for us", request(OURS), Role::HomeAgent),
        ("request for any home agent", request(Ipv4Addr::UNSPECIFIED), Role::HomeAgent),
        ("request for any home agent here", request(Ipv4Addr::BROADCAST), Role::HomeAgent),
        ("request for another home agent", request(OTHER), Role::ForeignAgent),
        ("request for what is a care-of address alone", request(CARE_OF), Role::ForeignAgent),
        ("reply", reply(), Role::ForeignAgent),
        ("regional request", vec![18; 24], Role::ForeignAgent),
        ("regional reply", vec![19; 20], Role::ForeignAgent),
        ("revocation by another home agent", revocation(true, OTHER, CARE_OF), Role::ForeignAgent),
        ("revocation by another foreign agent", revocation(false, OURS, OTHER), Role::HomeAgent),
        ("our home agent's, of our visitor", revocation(true, OURS, CARE_OF), Role::ForeignAgent),
        ("our foreign agent's, of our binding", revocation(false, OURS, CARE_OF), Role::HomeAgent),
        ("our home agent's, come back", revocation(true, OURS, OTHER), Role::HomeAgent),
        ("our foreign agent's, come back", revocation(false, OTHER, CARE_OF), Role::ForeignAgent),
        ("a home agent's of nothing here", revocation(true, OTHER, OTHER), Role::ForeignAgent),
        ("a foreign agent's of nothing here", revocation(false, OTHER, OTHER), Role::HomeAgent),
        ("acknowledgment that nobody waits for", acknowledgment(IDENTIFIER), Role::HomeAgent),
        ("nothing", Vec::new(), Role::HomeAgent),
        ("request cut short", request(OTHER)[..20].to_vec(), Role::HomeAgent),
        ("tunnelled data", vec![4; 40], Role::HomeAgent),
        ("unknown message", vec![99; 40], Role::HomeAgent),
    ];
    for (what, octets, role) in table {
        assert_eq!(dispatcher().role(&octets), role, "{what}");
    }
}

#[test]
fn notifications_go_where_they_are_directed_or_relayed() {
    let table = [
        (MessageDirection::HOME_AGENT_TO_MOBILE_NODE, OTHER, Role::ForeignAgent),
        (MessageDirection::HOME_AGENT_TO_MOBILE_NODE, OURS, Role::ForeignAgent),
        (MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT, OTHER, Role::ForeignAgent),
        (MessageDirection::MOBILE_NODE_TO_HOME_AGENT, OURS, Role::HomeAgent),
        (MessageDirection::MOBILE_NODE_TO_HOME_AGENT, OTHER, Role::ForeignAgent),
        (MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT, OURS, Role::ForeignAgent),
        (MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE, OTHER, Role::ForeignAgent),
        (MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT, OURS, Role::HomeAgent),
        (MessageDirection(9), OURS, Role::HomeAgent),
    ];
    for (direction, home_agent, role) in table {
        for octets in notifications(direction, home_agent) {
            assert_eq!(dispatcher().role(&octets), role, "{direction:?} {home_agent}");
        }
    }
}

#[test]
fn an_acknowledgment_finds_who_revoked() {
    let mut dispatcher = dispatcher();
    dispatcher.note_sent(Role::ForeignAgent, &revocation(false, OTHER, CARE_OF));
    assert_eq!(dispatcher.role(&acknowledgment(IDENTIFIER)), Role::ForeignAgent);
    assert_eq!(dispatcher.role(&acknowledgment(IDENTIFIER + 1)), Role::HomeAgent);
    // Other messages are none of its business.
    dispatcher.note_sent(Role::ForeignAgent, &request(OTHER));
    assert_eq!(dispatcher.order.len(), 1);
    dispatcher.note_sent(Role::HomeAgent, &revocation(true, OURS, OTHER));
    assert_eq!(dispatcher.role(&acknowledgment(IDENTIFIER)), Role::HomeAgent, "the later one");
    assert_eq!(dispatcher.order.len(), 1);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut dispatcher = dispatcher();
    for number in 0..u32::try_from(SENT_MAX).unwrap() + 10 {
        let mut octets = revocation(false, OTHER, CARE_OF);
        octets.splice(16..20, number.to_be_bytes());
        dispatcher.note_sent(Role::ForeignAgent, &octets);
    }
    assert_eq!((dispatcher.sent.len(), dispatcher.order.len()), (SENT_MAX, SENT_MAX));
    assert_eq!(dispatcher.role(&acknowledgment(9)), Role::HomeAgent, "forgotten");
    assert_eq!(dispatcher.role(&acknowledgment(10)), Role::ForeignAgent);
}
