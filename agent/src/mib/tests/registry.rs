use super::*;

const MIB_2: &[u32] = &[1, 3, 6, 1, 2, 1];

#[test]
fn roles_that_were_never_configured_are_absent() {
    let world = World::empty();
    assert_eq!(world.walk(mip_mib::MODULE.objects[0].oid), []);
    for object in mip_mib::MODULE.objects.iter().filter(|o| o.access.is_readable()) {
        assert_eq!(world.get(object.name, &[0]), GetResult::NoSuchObject, "{}", object.name);
    }
    assert_eq!(world.walk(MIB_2).len(), 7, "the system group is there all the same");
}

#[test]
fn a_foreign_agent_shows_nothing_of_a_home_agent() {
    let mut world = World::empty();
    world.put(instance("fa1", Role::ForeignAgent, HOME_AGENT));
    assert_eq!(world.get("haRegistrationAccepted", &[0]), GetResult::NoSuchObject);
    assert_eq!(world.get("haRegMobilityBindingCount", &[0]), GetResult::NoSuchObject);
    assert_eq!(world.value("maAdvertisementsSent", &[0]), Value::Counter32(0));
}

#[test]
fn names_that_are_no_instance_say_why() {
    let mut world = World::with_home_agent();
    world.put(binding([10, 0, 0, 1], [192, 0, 2, 1]));
    let row = [10, 0, 0, 1, 192, 0, 2, 1];
    for (object, instance, answer) in [
        ("sysUpTime", &[1][..], GetResult::NoSuchInstance),
        ("sysUpTime", &[], GetResult::NoSuchInstance),
        ("haMobilityBindingMN", &[10, 0, 0, 1], GetResult::NoSuchInstance),
        ("haMobilityBindingMN", &[10, 0, 0, 2, 192, 0, 2, 1], GetResult::NoSuchInstance),
        ("haMobilityBindingMN", &[266, 0, 0, 1, 192, 0, 2, 1], GetResult::NoSuchInstance),
        ("haMobilityBindingInPkts", &row, GetResult::NoSuchInstance),
        ("haMobilityBindingEntry", &[17, 10, 0, 0, 1, 192, 0, 2, 1], GetResult::NoSuchObject),
        ("haMobilityBindingTable", &[2, 1, 10, 0, 0, 1, 192, 0, 2, 1], GetResult::NoSuchObject),
        ("haMobilityBindingTable", &[], GetResult::NoSuchObject),
    ] {
        assert_eq!(world.get(object, instance), answer, "{object} {instance:?}");
    }
}

#[test]
fn the_whole_walk_is_in_order() {
    let mut world = World::with_home_agent();
    for last in [1, 2, 254, 255] {
        let mut binding = binding([10, 0, 0, last], [192, 0, 2, last]);
        binding.nai = (last > 2).then(|| nai("a@b"));
        world.put(node_counters(binding.identity()));
        world.put(binding);
    }
    world.check_walk(&[1, 3, 6, 1, 2, 1, 44, 1, 6, 3, 1]);
    world.check_walk(&[1, 3, 6, 1, 2, 1, 44, 1, 6, 3, 2]);
    world.check_walk(&[1, 3, 6, 1, 2, 1, 44, 1, 6, 3, 28]);
    let all = world.walk(&[1]);
    assert!(all.is_sorted_by(|(a, _), (b, _)| a < b));
}

/// Every value has the type, and lies in the range, that its module says.
#[test]
fn values_have_the_syntax_of_their_object() {
    let mut world = World::with_home_agent();
    let mut binding = binding([10, 0, 0, 1], [192, 0, 2, 1]);
    binding.nai = Some(nai(&"n".repeat(255)));
    world.put(node_counters(binding.identity()));
    world.put(node_counters(Identity::Address(Ipv4Addr::new(10, 0, 0, 2))));
    world.put(binding);
    for (name, value) in world.walk(&[1]) {
        let object = mibs::object_of(&name).unwrap();
        check_syntax(object, &value);
    }
}

/// Panics if `value` is not one that `object` can have.
pub(crate) fn check_syntax(object: &mibs::Object, value: &Value) {
    use mibs::Base;
    let syntax = object.syntax;
    let measure: Option<i128> = match (syntax.base, value) {
        (Base::Integer32, Value::Integer32(number)) => Some((*number).into()),
        (Base::Gauge32 | Base::Unsigned32, Value::Gauge32(number))
        | (Base::Counter32, Value::Counter32(number))
        | (Base::TimeTicks, Value::TimeTicks(number)) => Some((*number).into()),
        (Base::Counter64, Value::Counter64(number)) => Some((*number).into()),
        (Base::OctetString | Base::Bits, Value::OctetString(octets)) => {
            Some(i128::try_from(octets.len()).unwrap())
        }
        (Base::ObjectIdentifier, Value::ObjectIdentifier(_))
        | (Base::IpAddress, Value::IpAddress(_)) => None,
        (base, value) => panic!("{} is {value:?}, not {base:?}", object.name),
    };
    let Some(measure) = measure else { return };
    if syntax.base == Base::Bits {
        assert_eq!(measure, i128::try_from(syntax.labels.len().div_ceil(8)).unwrap());
    } else if !syntax.labels.is_empty() {
        let known = syntax.labels.iter().any(|(_, label)| *label == measure);
        assert!(known, "{} is {measure}", object.name);
    }
    let fits = syntax.ranges.iter().any(|(low, high)| (low..=high).contains(&&measure));
    assert!(fits || syntax.ranges.is_empty(), "{} is {value:?}", object.name);
}
