//! Defects of the one open MIP-MIB agent there was (Solaris `mipagent`), as tests of ours.

use super::*;

#[test]
fn solaris_1_rows_are_named_by_addresses_not_by_ordinals() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 9], [192, 0, 2, 1]));
    world.put(binding([10, 0, 0, 7], [192, 0, 2, 1]));
    let rows = ["10.0.0.7.192.0.2.1", "10.0.0.9.192.0.2.1"];
    assert_eq!(world.instances("haMobilityBindingCOA"), rows);
}

#[test]
fn solaris_2_addresses_are_ip_addresses_not_text() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 7], [192, 0, 2, 1]));
    let row = [10, 0, 0, 7, 192, 0, 2, 1];
    let value = world.value("haMobilityBindingMN", &row);
    assert_eq!(value, Value::IpAddress([10, 0, 0, 7]));
}

#[test]
fn solaris_3_remaining_time_of_a_live_binding_is_positive() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 7], [192, 0, 2, 1]));
    let row = [10, 0, 0, 7, 192, 0, 2, 1];
    assert_eq!(world.value("haMobilityBindingTimeRemaining", &row), Value::Gauge32(1700));
}

#[test]
fn solaris_4_simultaneous_bindings_have_a_row_each_and_no_binding_has_none() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 7], [192, 0, 2, 1]));
    world.put(binding([10, 0, 0, 7], [192, 0, 2, 2]));
    // A node without a binding.
    world.put(node_counters(Identity::Address(Ipv4Addr::new(10, 0, 0, 8))));
    let rows = ["10.0.0.7.192.0.2.1", "10.0.0.7.192.0.2.2"];
    assert_eq!(world.instances("haMobilityBindingMN"), rows);
}

/// GETNEXT searches: among many rows it takes no more steps than among few.
#[test]
fn solaris_5_a_walk_does_not_count_from_the_first_row() {
    let mut world = World::with_home_agent();
    for n in 0..2000_u16 {
        let [high, low] = n.to_be_bytes();
        world.put(binding([10, 0, high, low], [192, 0, 2, 1]));
    }
    // One search a request, as GETNEXT does, against one search in all.
    let root = mip_mib::MODULE.object("haMobilityBindingMN").unwrap().oid;
    let all = world.walk(root);
    let mut name = Oid::from(root);
    for expected in &all {
        let next = world.registry.next(world.context(), &name).unwrap();
        assert_eq!(next, *expected);
        name = next.0;
    }
    assert_eq!(all.len(), 2000);
    let table = ha_mobility_binding::HaMobilityBindingTable { context: world.context() };
    let mut rows = crate::Table::rows_after(&table, &[10, 0, 7, 200, 192, 0, 2, 1]);
    let next = rows.next().unwrap();
    assert_eq!(next.home_address, Ipv4Addr::new(10, 0, 7, 201), "found without the 1992 before it");
}

#[test]
fn solaris_6_mip_enable_and_mip_entities_follow_the_daemons() {
    let mut world = World::with_home_agent();
    assert_eq!(world.value("mipEntities", &[0]), Value::octets([0x20]));
    assert_eq!(world.value("mipEnable", &[0]), Value::Integer32(1));
    let mut gone = instance(INSTANCE, Role::HomeAgent, HOME_AGENT);
    gone.state = InstanceState::Gone;
    world.put(gone);
    assert_eq!(world.value("mipEnable", &[0]), Value::Integer32(2));
    world.put(instance("mn1", Role::MobileNode, HOME_AGENT));
    assert_eq!(world.value("mipEntities", &[0]), Value::octets([0xa0]));
    assert_eq!(world.value("mipEnable", &[0]), Value::Integer32(1));
}

#[test]
fn solaris_7_fa_is_busy_and_fa_registration_required_are_truth_values() {
    let mut world = World::empty();
    world.put(instance(rows::FA, Role::ForeignAgent, rows::FOREIGN_AGENT));
    assert_eq!(world.value("faIsBusy", &[0]), Value::Integer32(2));
    assert_eq!(world.value("faRegistrationRequired", &[0]), Value::Integer32(2));
    let mut row = rows::advertisement(rows::FA, Role::ForeignAgent, 1);
    // R and B.
    row.flags = 0xc000;
    world.put(row);
    assert_eq!(world.value("faIsBusy", &[0]), Value::Integer32(1));
    assert_eq!(world.value("faRegistrationRequired", &[0]), Value::Integer32(1));
}
