//! Rows for tests.

use std::net::{Ipv4Addr, SocketAddrV4};

use wire::{Flags, Identification, Lifetime, Nai, Spi};

use crate::{Batch, Binding, Class, Identity, NodeCounters, NodeKey, Revision, Unknown, UtcTime};

/// The home address of node `number`.
pub(crate) fn home_address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + number)
}

pub(crate) fn node_key(number: u32) -> NodeKey {
    NodeKey { home_agent: Ipv4Addr::LOCALHOST, identity: Identity::Address(home_address(number)) }
}

/// A small row; `value` tells its versions apart.
pub(crate) fn node_counters(number: u32, value: u64) -> NodeCounters {
    NodeCounters {
        home_agent: Ipv4Addr::LOCALHOST,
        identity: Identity::Address(home_address(number)),
        accepted: value,
        denied: 0,
        served_milliseconds: 0,
        serving_since: None,
        counted_since: UtcTime(0),
        last_accepted_at: None,
        last_denied_at: None,
        last_denied_code: None,
        discontinuity_at: UtcTime(0),
        unknown: Unknown::default(),
    }
}

/// A batch that puts one small row.
pub(crate) fn put(class: Class, number: u32, value: u64) -> Batch {
    let mut batch = Batch::new(class);
    batch.put(node_counters(number, value));
    batch
}

/// A binding as a home agent writes it.
pub(crate) fn binding(number: u32, care_of_address: Ipv4Addr, nai: Option<&str>) -> Binding {
    let registered_at = UtcTime(1_700_000_000_000 + i64::from(number));
    Binding {
        home_agent: Ipv4Addr::new(192, 0, 2, 1),
        home_address: home_address(number),
        care_of_address,
        nai: nai.map(|nai| Nai::new(nai).unwrap()),
        instance: "ha1".into(),
        source: SocketAddrV4::new(care_of_address, 434),
        local: SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 434),
        foreign_agent: None,
        flags: Flags(0),
        spi: Spi(1000),
        identification: Identification(0xe000_0000_1234_5678 + u64::from(number)),
        lifetime_granted: Lifetime(1800),
        created_at: registered_at,
        registered_at,
        expires_at: Some(UtcTime(registered_at.0 + 1_800_000)),
        revocation: None,
        revoking: None,
        unknown: Unknown::default(),
    }
}

/// What `accepted` says in the row of node `number`.
pub(crate) fn value(snapshot: &crate::Snapshot, number: u32) -> Option<u64> {
    snapshot.rows::<NodeCounters>().get(&node_key(number)).map(|row| row.accepted)
}

/// `(created, modified, version)` of the row of node `number`.
pub(crate) fn stamp(snapshot: &crate::Snapshot, number: u32) -> (Revision, Revision, u64) {
    let entry = snapshot.rows::<NodeCounters>().entry(&node_key(number)).unwrap();
    (entry.created, entry.modified, entry.version)
}

/// An association as the shell makes it.
pub(crate) fn association(number: u32) -> crate::Association {
    crate::Association {
        peer: Identity::Address(home_address(number)),
        spi: Spi(1000),
        reserved_spi: false,
        keyless: false,
        algorithm: crate::Algorithm::HmacMd5,
        replay: crate::ReplayProtection::Timestamps,
        tolerance: 7,
        origin: crate::Origin::Cli,
        storage: crate::StorageType::NonVolatile,
        active: true,
        role: crate::Role::HomeAgent,
        instance: None,
        changed: None,
        unknown: Unknown::default(),
    }
}

/// An operation on everything, which nobody has begun with.
pub(crate) fn operation(number: u32) -> crate::Operation {
    crate::Operation {
        id: crate::OperationId(number),
        action: crate::OperationAction::RevokeBindings { inform: None },
        selector: crate::OperationSelector { all: true, ..crate::OperationSelector::default() },
        counted_at: Revision::default(),
        maximum: 10,
        owners: Vec::new(),
        deadline: None,
        rate: None,
        reason: None,
        who: "alice".to_owned(),
        created_at: UtcTime(0),
        wish: crate::OperationWish::Run,
        state: crate::OperationState::Pending,
        finished_at: None,
        error: None,
        unknown: Unknown::default(),
    }
}
