use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::testing::{binding, node_counters};
use crate::{Batch, Binding, Class, Identity, NodeCounters, Revision, Tables, UtcTime};
use wire::Nai;

/// A binding out of a few small numbers, so that they collide often.
fn row(agent: u8, home: u8, care_of: u8, nai: u8, at: i64) -> Binding {
    let nais = [None, Some("a@example.com"), Some("b@example.com")];
    let mut row =
        binding(home.into(), Ipv4Addr::new(192, 168, 0, care_of), nais[usize::from(nai % 3)]);
    row.home_agent = Ipv4Addr::new(192, 0, 2, agent);
    row.registered_at = UtcTime(at);
    row.expires_at = (at % 4 != 0).then_some(UtcTime(at * 7 % 100));
    row
}

fn tables(changes: &[(u8, u8, u8, u8, i64, bool)]) -> Tables {
    let mut tables = Tables::default();
    for (number, (agent, home, care_of, nai, at, put)) in changes.iter().enumerate() {
        let row = row(agent % 2, home % 3, care_of % 3, *nai, *at);
        let mut batch = Batch::new(Class::Durable);
        if *put {
            batch.put(row);
        } else {
            batch.delete::<Binding>(row.key());
        }
        tables.apply(&batch, Revision(u64::try_from(number).unwrap() + 1));
    }
    tables
}

proptest! {
    /// Every order is what sorting all rows gives, after any puts, renewals and deletions.
    #[test]
    fn orders_are_what_sorting_gives(
        changes in proptest::collection::vec(
            (any::<u8>(), any::<u8>(), any::<u8>(), any::<u8>(), 0..100_i64, any::<bool>()), 0..60),
    ) {
        let tables = tables(&changes);
        let rows = tables.rows::<Binding>();
        let all: Vec<_> = rows.iter().cloned().collect();

        let mut expiry: Vec<_> = all.iter().filter(|row| row.expires_at.is_some()).cloned().collect();
        expiry.sort_by_key(|row| (row.expires_at, row.key()));
        prop_assert_eq!(rows.by_expiry().cloned().collect::<Vec<_>>(), expiry);

        let mut nai: Vec<_> = all.iter().filter(|row| row.nai.is_some()).cloned().collect();
        nai.sort_by_key(|row| (row.nai.clone(), row.key()));
        prop_assert_eq!(rows.by_nai().cloned().collect::<Vec<_>>(), nai.clone());
        let b = Nai::new("b@example.com").unwrap();
        nai.retain(|row| row.nai.as_ref() == Some(&b));
        prop_assert_eq!(rows.with_nai(&b).cloned().collect::<Vec<_>>(), nai.clone());
        prop_assert_eq!(rows.with_nai_prefix("b@").cloned().collect::<Vec<_>>(), nai);

        let mut care_of = all.clone();
        care_of.sort_by_key(|row| (row.care_of_address, row.key()));
        prop_assert_eq!(rows.by_care_of_address().cloned().collect::<Vec<_>>(), care_of.clone());
        let one = Ipv4Addr::new(192, 168, 0, 1);
        care_of.retain(|row| row.care_of_address == one);
        prop_assert_eq!(rows.with_care_of_address(one).cloned().collect::<Vec<_>>(), care_of);

        let mut pairs: BTreeMap<_, UtcTime> = BTreeMap::new();
        for row in &all {
            let newest = pairs.entry((row.home_address, row.care_of_address)).or_default();
            *newest = row.registered_at.max(*newest);
        }
        let index = rows.by_mib_index();
        prop_assert_eq!(index.len(), pairs.len());
        let shown: BTreeMap<_, _> = index
            .iter()
            .map(|row| ((row.home_address, row.care_of_address), row.registered_at))
            .collect();
        prop_assert_eq!(&shown, &pairs);
        for ((home, care_of), at) in &pairs {
            prop_assert_eq!(index.get(*home, *care_of).map(|row| row.registered_at), Some(*at));
            let after = index.after(Bound::Excluded((*home, *care_of)));
            let next = pairs.range((Bound::Excluded((*home, *care_of)), Bound::Unbounded)).next();
            prop_assert_eq!(
                after.map(|row| (row.home_address, row.care_of_address)),
                next.map(|(pair, _)| *pair)
            );
        }
    }
}

/// Kind, then length, of which 64 octets count, then octets (RFC 2578 §7.7).
#[test]
fn counters_are_in_the_order_of_the_mib() {
    let long = "n".repeat(100);
    let identities = [
        Identity::Nai(Nai::new("zz").unwrap()),
        Identity::Nai(Nai::new("aaa").unwrap()),
        Identity::Address(Ipv4Addr::new(10, 0, 0, 200)),
        Identity::Address(Ipv4Addr::new(9, 0, 0, 9)),
        Identity::Nai(Nai::new(&format!("{long}2")).unwrap()),
        Identity::Nai(Nai::new(&format!("{long}10")).unwrap()),
    ];
    let mut batch = Batch::new(Class::Durable);
    for identity in &identities {
        let mut row = node_counters(1, 1);
        row.identity = identity.clone();
        batch.put(row);
    }
    let mut tables = Tables::default();
    tables.apply(&batch, Revision(1));
    let walked: Vec<Identity> =
        tables.rows::<NodeCounters>().iter().map(|row| row.identity.clone()).collect();
    let expected = [3, 2, 0, 1, 5, 4].map(|number: usize| identities[number].clone());
    assert_eq!(walked, expected);
}
