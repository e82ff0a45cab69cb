//! The context of one daemon: its rows, and nobody else's.

use super::rows::{FA, MN, association, everything};
use super::*;

const OTHER: &str = "ha2";
const OTHER_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// All roles, and two home agents, which have one pair of addresses in common.
fn world() -> World {
    let mut world = everything();
    world.put(instance(OTHER, Role::HomeAgent, OTHER_ADDRESS));
    for (home_address, registered) in [([10, 0, 0, 1], 1), ([10, 0, 9, 1], 2), ([10, 0, 9, 2], 3)] {
        let mut row = binding(home_address, [192, 0, 2, 1]);
        row.home_agent = OTHER_ADDRESS;
        row.instance = OTHER.into();
        row.registered_at = row.registered_at + Duration::from_secs(registered);
        world.put(row);
    }
    let mut counted = node_counters(Identity::Address(Ipv4Addr::new(10, 0, 9, 1)));
    counted.home_agent = OTHER_ADDRESS;
    world.put(counted);
    let mut own = association(Identity::Address(Ipv4Addr::new(10, 0, 9, 1)), 7);
    own.instance = Some(OTHER.to_owned());
    world.put(own);
    let counts = counters(OTHER, Role::HomeAgent, [(Counter::HaRegistrationAccepted, 5)]);
    world.put(Counters { address: OTHER_ADDRESS, ..counts });
    world.put(counters(INSTANCE, Role::HomeAgent, [(Counter::HaRegistrationAccepted, 30)]));
    world
}

fn of(world: &mut World, name: Option<&str>) {
    world.instance = name.map(str::to_owned);
}

/// How many rows a table has, by one of its columns.
fn rows(world: &World, column: &str) -> usize {
    world.instances(column).len()
}

#[test]
fn a_walk_in_each_context_is_in_order_and_what_get_answers() {
    use mibs::{mip_mib, mip4_ext_mib};
    let mut world = world();
    let all = world.walk(&[1]).len();
    for name in [INSTANCE, OTHER, FA, MN, "nobody"] {
        of(&mut world, Some(name));
        assert!(world.walk(&[1]).len() < all, "{name}");
        for table in [
            mip_mib::ha_mobility_binding_table::OID,
            mip_mib::ha_reg_counter_table::OID,
            mip_mib::ha_counter_table::OID,
            mip_mib::fa_reg_visitor_table::OID,
            mip4_ext_mib::mip4_ext_binding_table::OID,
        ] {
            world.check_walk(table);
        }
    }
}

#[test]
fn bindings_are_those_of_the_home_agent() {
    let mut world = world();
    let column = "haMobilityBindingHA";
    let pair = [10, 0, 0, 1, 192, 0, 2, 1];
    // The newer one of the pair that both have.
    assert_eq!(world.value(column, &pair), OTHER_ADDRESS.into());
    assert_eq!(rows(&world, column), 7);
    of(&mut world, Some(OTHER));
    assert_eq!(
        world.instances(column),
        ["10.0.0.1.192.0.2.1", "10.0.9.1.192.0.2.1", "10.0.9.2.192.0.2.1"]
    );
    of(&mut world, Some(INSTANCE));
    assert_eq!(world.value(column, &pair), HOME_AGENT.into());
    assert_eq!(rows(&world, column), 5);
    of(&mut world, Some(FA));
    assert_eq!(rows(&world, column), 0);
    assert_eq!(world.get(column, &pair), GetResult::NoSuchObject, "it is no home agent");
}

#[test]
fn what_is_counted_is_what_is_there() {
    let mut world = world();
    for name in [None, Some(INSTANCE), Some(OTHER), Some(FA)] {
        of(&mut world, name);
        for (count, column) in [
            ("haRegMobilityBindingCount", "haMobilityBindingMN"),
            ("mip4ExtBindingCount", "mip4ExtBindingInstance"),
            ("faRegVisitorCount", "faRegVisitorHomeAddress"),
            ("mip4ExtVisitorCount", "mip4ExtVisitorTimeGranted"),
            ("mip4ExtInstanceCount", "mip4ExtInstanceState"),
        ] {
            let there = match world.get(count, &[0]) {
                GetResult::Value(Value::Gauge32(there)) => usize::try_from(there).unwrap(),
                GetResult::NoSuchObject => 0,
                other => panic!("{count} is {other:?}"),
            };
            assert_eq!(there, rows(&world, column), "{count} in {name:?}");
        }
    }
    let accepted = |world: &World| world.value("haRegistrationAccepted", &[0]);
    of(&mut world, None);
    assert_eq!(accepted(&world), Value::Counter32(35));
    of(&mut world, Some(OTHER));
    assert_eq!(accepted(&world), Value::Counter32(5));
}

#[test]
fn associations_of_no_one_file_are_of_all_who_act_on_them() {
    let mut world = world();
    let its = "2.4.10.0.9.1.7";
    let all = rows(&world, "mipSecurityAlgorithmType");
    of(&mut world, Some(OTHER));
    assert_eq!(rows(&world, "mipSecurityAlgorithmType"), all);
    assert!(world.instances("mipSecurityAlgorithmType").iter().any(|index| index == its));
    of(&mut world, Some(INSTANCE));
    assert_eq!(rows(&world, "mipSecurityAlgorithmType"), all - 1);
    of(&mut world, Some(FA));
    assert_eq!(rows(&world, "mipSecurityAlgorithmType"), 0, "no foreign agent acts on them");
}

#[test]
fn other_tables_are_those_of_the_daemon() {
    let mut world = world();
    of(&mut world, Some(OTHER));
    assert_eq!(world.instances("haRegServiceRequestsAccepted"), ["2.4.10.0.9.1"]);
    assert_eq!(world.instances("mip4ExtInstanceState"), ["104.97.50"]);
    assert_eq!(rows(&world, "mipSecurityViolationCounter"), 0);
    assert_eq!(rows(&world, "faCOAStatus"), 0);
    assert_eq!(world.value("mipEntities", &[0]), Value::octets([0x20]));
    of(&mut world, Some(FA));
    assert_eq!(rows(&world, "faCOAStatus"), 5);
    assert_eq!(rows(&world, "mipSecurityViolationCounter"), 5);
    of(&mut world, Some(MN));
    assert_eq!(rows(&world, "mnRegFlags"), 5);
    assert_eq!(world.instances("mip4ExtInstanceState"), ["109.110.49"]);
}
