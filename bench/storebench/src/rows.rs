//! Bindings as a home agent writes them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use store::wire::{Flags, Identification, Lifetime, Nai, Spi};
use store::{AnyKey, Batch, Binding, Class, Row, Unknown, UtcTime};

use crate::Done;

pub fn binding(number: u32, identification: u64) -> Done<Binding> {
    let care_of_address = Ipv4Addr::from(0xc0a8_0000 + number / 4);
    let home_agent = Ipv4Addr::new(192, 0, 2, 1);
    let registered_at = UtcTime(1_700_000_000_000 + i64::from(number));
    Ok(Binding {
        home_agent,
        home_address: Ipv4Addr::from(0x0a00_0000 + number),
        care_of_address,
        nai: Some(
            Nai::new(&format!("node{number}@example.com")).map_err(|error| error.to_string())?,
        ),
        instance: "ha1".into(),
        source: SocketAddrV4::new(care_of_address, 434),
        local: SocketAddrV4::new(home_agent, 434),
        foreign_agent: None,
        flags: Flags(0),
        spi: Spi(1000),
        identification: Identification(identification),
        lifetime_granted: Lifetime(1800),
        created_at: registered_at,
        registered_at,
        expires_at: Some(registered_at + Duration::from_secs(1800)),
        revocation: None,
        revoking: None,
        unknown: Unknown::default(),
    })
}

pub fn batch(number: u32, identification: u64) -> Done<Batch> {
    let mut batch = Batch::new(Class::Durable);
    batch.put(binding(number, identification)?);
    Ok(batch)
}

/// Key and value of a binding, as the store keeps them.
pub fn stored(number: u32, identification: u64) -> Done<(String, Vec<u8>)> {
    let row = binding(number, identification)?;
    let key = AnyKey::Binding(row.key()).path();
    Ok((key, serde_json::to_vec(&row)?))
}
