//! Rows of the other tables, and a world that has some of each.

use store::{
    Advertisement, AdvertisementSchedule, Algorithm, Association, CareOfAddress, Origin,
    Registration, ReplayProtection, StorageType, Violation, ViolationReason, Visitor,
};

use super::*;

pub(crate) const FOREIGN_AGENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
pub(crate) const FA: &str = "fa1";
pub(crate) const MN: &str = "mn1";

/// A moment after the start of the world.
pub(crate) fn at(seconds: u64) -> UtcTime {
    UtcTime(STARTED) + Duration::from_secs(seconds)
}

pub(crate) fn address(text: &str) -> Identity {
    Identity::Address(text.parse().unwrap())
}

pub(crate) fn association(peer: Identity, spi: u32) -> Association {
    Association {
        peer,
        spi: Spi(spi),
        reserved_spi: false,
        keyless: false,
        algorithm: Algorithm::HmacMd5,
        replay: ReplayProtection::Timestamps,
        tolerance: 7,
        origin: Origin::Cli,
        storage: StorageType::NonVolatile,
        active: true,
        role: Role::HomeAgent,
        instance: None,
        changed: None,
        unknown: Unknown::default(),
    }
}

pub(crate) fn violation(instance: &str, role: Role, violator: Identity) -> Violation {
    Violation {
        instance: instance.to_owned(),
        role,
        violator,
        address: Ipv4Addr::new(192, 0, 2, 66),
        count: 4,
        at: at(60),
        spi: Spi(1001),
        identification: Identification::from_halves(0xE000_0003, 0x9000_0004),
        reason: ViolationReason::BadAuthenticator,
        code: Some(Code(131)),
        storage: StorageType::NonVolatile,
        unknown: Unknown::default(),
    }
}

/// A visitor of the world's foreign agent, accepted 100 s ago for 600 s.
pub(crate) fn visitor(identity: Identity, source: [u8; 4]) -> Visitor {
    let registered_at = UtcTime(STARTED) + UP.saturating_sub(Duration::from_secs(100));
    Visitor {
        foreign_agent: FOREIGN_AGENT,
        identity,
        home_address: Ipv4Addr::new(10, 0, 0, 7),
        home_agent: HOME_AGENT,
        care_of_address: FOREIGN_AGENT,
        instance: FA.to_owned(),
        source: SocketAddrV4::new(source.into(), 1434),
        local: SocketAddrV4::new(FOREIGN_AGENT, 434),
        interface: None,
        flags: Flags(Flags::REVERSE_TUNNEL),
        identification: Identification::from_halves(0xE000_0005, 0x8000_0006),
        encapsulating_delivery: true,
        lifetime_requested: Lifetime(1800),
        lifetime_granted: Lifetime(600),
        accepted: true,
        created_at: registered_at,
        registered_at,
        expires_at: Some(registered_at + Duration::from_secs(600)),
        revocation: None,
        revoking: None,
        regional: None,
        unknown: Unknown::default(),
    }
}

/// A registration of the world's mobile node through the foreign agent.
pub(crate) fn registration(care_of_address: [u8; 4]) -> Registration {
    Registration {
        instance: MN.to_owned(),
        identity: Identity::Nai(nai("mn@example.net")),
        agent_address: FOREIGN_AGENT,
        care_of_address: care_of_address.into(),
        home_address: Ipv4Addr::new(10, 0, 0, 7),
        home_agent: HOME_AGENT,
        flags: Flags(Flags::BROADCAST_DATAGRAMS),
        identification: Identification::from_halves(0xE000_0007, 0x8000_0008),
        co_located: false,
        lifetime: Lifetime(300),
        sent_at: at(4900),
        accepted: true,
        expires_at: Some(at(5200)),
        message: None,
        regional: None,
        unknown: Unknown::default(),
    }
}

/// An advertisement that `instance` sends, or hears as a mobile node.
pub(crate) fn advertisement(instance: &str, role: Role, interface: u32) -> Advertisement {
    let schedule = AdvertisementSchedule {
        interval_max: 600,
        interval_min: 450,
        solicited_only: false,
        suspended: false,
    };
    Advertisement {
        instance: instance.to_owned(),
        role,
        interface,
        source: FOREIGN_AGENT,
        destination: Ipv4Addr::BROADCAST,
        sequence_number: 300,
        flags: 0x9100,
        registration_lifetime: Lifetime(1800),
        lifetime: 1800,
        care_of_addresses: vec![FOREIGN_AGENT],
        routers: vec![FOREIGN_AGENT],
        prefix_lengths: vec![24],
        network_nai: None,
        at: Some(at(4000)),
        schedule: (role != Role::MobileNode).then_some(schedule),
        unknown: Unknown::default(),
    }
}

pub(crate) fn care_of_address(address: Ipv4Addr) -> CareOfAddress {
    CareOfAddress {
        instance: FA.to_owned(),
        address,
        active: true,
        origin: Origin::File,
        storage: StorageType::NonVolatile,
        changed: None,
        unknown: Unknown::default(),
    }
}

/// All roles, and rows in every table.
pub(crate) fn everything() -> World {
    let mut world = World::with_home_agent();
    world.put(instance(FA, Role::ForeignAgent, FOREIGN_AGENT));
    world.put(instance(MN, Role::MobileNode, Ipv4Addr::new(10, 0, 0, 7)));
    let identities = [
        address("10.0.0.7"),
        address("10.0.0.8"),
        Identity::Nai(nai("mn@example.net")),
        Identity::Nai(nai("zz")),
        Identity::Nai(nai(&"l".repeat(70))),
    ];
    for (last, identity) in (1..).zip(identities) {
        for spi in [1000, 1, u32::MAX] {
            world.put(association(identity.clone(), spi));
        }
        world.put(violation(FA, Role::ForeignAgent, identity.clone()));
        world.put(violation(INSTANCE, Role::HomeAgent, identity.clone()));
        world.put(visitor(identity.clone(), [192, 0, 2, 255 - last]));
        world.put(node_counters(identity.clone()));
        let mut bound = binding([10, 0, 0, last], [192, 0, 2, last]);
        if let Identity::Nai(nai) = identity {
            bound.nai = Some(nai);
        }
        world.put(bound);
        world.put(registration([192, 0, 2, last]));
        world.put(advertisement(FA, Role::ForeignAgent, last.into()));
        world.put(advertisement(INSTANCE, Role::HomeAgent, last.into()));
        world.put(care_of_address(Ipv4Addr::new(192, 0, 2, last)));
    }
    world.put(advertisement(MN, Role::MobileNode, 9));
    world
}
