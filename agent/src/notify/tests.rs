use std::time::Duration;

use store::Time;

use super::*;

const KIND: &[u32] = &[1, 3, 6, 1, 4, 1, 99, 0, 7];

fn notification(variables: &[&[u32]]) -> Notification {
    let variables = variables.iter().map(|name| (Oid::from(*name), Value::Integer32(1)));
    Notification::new(KIND, variables.collect())
}

fn filtered(filters: &[(&[u32], &[u8], bool)]) -> Targets {
    let mut targets = Targets::default();
    let profile = Profile { name: "profile".into(), ..Profile::default() };
    targets.profiles.insert(b"params".to_vec(), profile);
    for (subtree, mask, included) in filters {
        let filter = Family { mask: mask.to_vec(), included: *included, ..Family::default() };
        targets.filters.insert(("profile".into(), Subtree(subtree.to_vec())), filter);
    }
    targets
}

#[test]
fn without_a_profile_or_a_filter_everything_passes() {
    assert!(Targets::default().passes(b"params", &notification(&[])));
    assert!(filtered(&[]).passes(b"params", &notification(&[])));
    assert!(filtered(&[(&[2], &[], true)]).passes(b"others", &notification(&[])));
}

#[test]
fn the_kind_must_be_included_and_no_variable_excluded() {
    let passes = |filters: &[(&[u32], &[u8], bool)], variables: &[&[u32]]| {
        filtered(filters).passes(b"params", &notification(variables))
    };
    assert!(passes(&[(&KIND[..7], &[], true)], &[&[1, 3, 9]]), "no match includes a variable");
    assert!(!passes(&[(&[1, 3, 9], &[], true)], &[]), "no match excludes a kind");
    assert!(!passes(&[(&[1], &[], true), (KIND, &[], false)], &[]));
    assert!(!passes(&[(&[1], &[], true), (&[1, 3, 9], &[], false)], &[&[1, 3, 9, 1]]));
    assert!(passes(&[(&[1], &[], true), (&[1, 3, 9], &[], false)], &[&[1, 3, 8]]));
    // Any sub-identifier in the sixth place: bits 1111 1011.
    assert!(passes(&[(&[1, 3, 6, 1, 4, 5, 99], &[0xfb], true)], &[]));
}

#[test]
fn targets_are_selected_by_tag_and_only_active_ones() {
    let mut targets = Targets::default();
    let receiver = Receiver {
        address: "127.0.0.1:162".parse().unwrap(),
        model: SecurityModel::SNMPV2C,
        security_name: "x".into(),
        level: SecurityLevel::NoAuthNoPriv,
        inform: false,
        timeout: 100,
        retry_count: 3,
    };
    targets.add("one", receiver.clone());
    targets.add("two", Receiver { inform: true, ..receiver });
    let informs = |targets: &Targets| targets.selected().map(|it| it.3).collect::<Vec<_>>();
    assert_eq!(informs(&targets), [false, true]);
    targets.addresses.get_mut(&b"one"[..]).unwrap().tag_list = b"one two".to_vec();
    assert_eq!(informs(&targets), [false, true, true]);
    targets.notify.get_mut(&b"two"[..]).unwrap().status = RowStatus::NotInService;
    assert_eq!(informs(&targets), [false]);
    targets.parameters.get_mut(&b"one"[..]).unwrap().status = RowStatus::NotReady;
    assert!(informs(&targets).is_empty());
}

#[test]
fn kinds_are_limited_one_by_one() {
    let mut limit = RateLimit::default();
    let at = |milliseconds| Time::from_uptime(Duration::from_millis(milliseconds));
    let mut allowed =
        |kind: &[u32], now| (0..1000).filter(|_| limit.allows(&Oid::from(kind), at(now))).count();
    assert_eq!(allowed(COLD_START, 0), 50);
    assert_eq!(allowed(WARM_START, 0), 50);
    assert_eq!(allowed(COLD_START, 99), 0);
    assert_eq!(allowed(COLD_START, 1000), 10);
    assert_eq!(allowed(COLD_START, 1_000_000), 50);
}
