use super::*;

#[test]
fn the_system_group() {
    let mut world = World::empty();
    world.local.description = "MIP Größe".to_owned();
    world.local.name = "ha1.example.net".to_owned();
    assert_eq!(world.value("sysDescr", &[0]), Value::octets("MIP Gr??e"));
    assert_eq!(world.value("sysObjectID", &[0]), Value::ObjectIdentifier(PRODUCT.into()));
    assert_eq!(world.value("sysUpTime", &[0]), Value::TimeTicks(500_000));
    assert_eq!(world.value("sysContact", &[0]), Value::octets(""));
    assert_eq!(world.value("sysName", &[0]), Value::octets("ha1.example.net"));
    assert_eq!(world.value("sysLocation", &[0]), Value::octets(""));
    assert_eq!(world.value("sysServices", &[0]), Value::Integer32(68));
}

#[test]
fn sys_up_time_wraps() {
    let mut world = World::empty();
    world.now.uptime = world.local.started + Duration::from_millis((1 << 32) * 10 + 70);
    assert_eq!(world.value("sysUpTime", &[0]), Value::TimeTicks(7));
}

#[test]
fn counters_are_summed_over_agents_and_wrap() {
    let mut world = World::with_home_agent();
    let accepted = Counter::HaRegistrationAccepted;
    world.put(counters(INSTANCE, Role::HomeAgent, [(accepted, u64::from(u32::MAX))]));
    world.put(counters("ha2", Role::HomeAgent, [(accepted, 6), (Counter::HaIDMismatch, 4)]));
    assert_eq!(world.value("haRegistrationAccepted", &[0]), Value::Counter32(5));
    assert_eq!(world.value("haIDMismatch", &[0]), Value::Counter32(4));
    assert_eq!(world.value("haUnknownHA", &[0]), Value::Counter32(0));
}

/// A counter that the store keeps and the module does not know would be lost, and the other way round.
#[test]
fn every_counter_of_the_module_is_kept() {
    for object in mip_mib::MODULE.objects {
        let is_counter = object.syntax.base == mibs::Base::Counter32;
        if object.kind == mibs::Kind::Scalar && is_counter {
            let kept = Counter::ALL.iter().any(|counter| counter.descriptor() == object.name);
            assert!(kept, "{}", object.name);
        }
    }
}

#[test]
fn the_number_of_bindings_is_that_of_the_rows() {
    let mut world = World::with_home_agent();
    assert_eq!(world.value("haRegMobilityBindingCount", &[0]), Value::Gauge32(0));
    world.put(binding([10, 0, 0, 1], [192, 0, 2, 1]));
    world.put(binding([10, 0, 0, 1], [192, 0, 2, 2]));
    // Shares the index of the first.
    let mut other = binding([10, 0, 0, 1], [192, 0, 2, 1]);
    other.nai = Some(nai("a@b"));
    world.put(other);
    assert_eq!(world.instances("haMobilityBindingMN").len(), 2);
    assert_eq!(world.value("haRegMobilityBindingCount", &[0]), Value::Gauge32(2));
}
