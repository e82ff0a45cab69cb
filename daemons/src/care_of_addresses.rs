//! Care-of addresses of a foreign agent: from the file to the store (RFC 5944 §3.7.1).

use std::net::Ipv4Addr;

use anyhow::Context as _;
use store::{Batch, CareOfAddress, Class, Origin, Row as _, StorageType, Store, Unknown};

/// Makes the rows that are from the file of `instance` say what the file says; rows of another
/// origin stay.
pub(crate) async fn follow_file(
    store: &Store,
    instance: &str,
    configured: &[Ipv4Addr],
) -> anyhow::Result<()> {
    let snapshot = store.snapshot();
    let rows = snapshot.rows::<CareOfAddress>();
    let mut batch = Batch::new(Class::Durable);
    for &address in configured {
        let row = CareOfAddress {
            instance: instance.to_owned(),
            address,
            active: true,
            origin: Origin::File,
            storage: StorageType::ReadOnly,
            changed: None,
            unknown: Unknown::default(),
        };
        let is_the_same = |old: &CareOfAddress| old.active && old.origin == Origin::File;
        if !rows.get(&row.key()).is_some_and(|old| is_the_same(old)) {
            batch.put(row);
        }
    }
    let is_ours = |row: &CareOfAddress| row.instance == instance && row.origin == Origin::File;
    for row in rows.iter().filter(|row| is_ours(row) && !configured.contains(&row.address)) {
        batch.delete::<CareOfAddress>(row.key());
    }
    if !batch.is_empty() {
        store.commit(batch).await.context("failed to write the care-of addresses")?;
    }
    Ok(())
}
