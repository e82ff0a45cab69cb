mod facts;

use super::*;
use crate::mip_mib::ha_mobility_binding_table;

#[test]
fn objects_are_in_the_order_of_a_walk() {
    for module in MODULES {
        assert!(module.objects.is_sorted_by(|a, b| a.oid < b.oid), "{}", module.name);
    }
}

#[test]
fn an_instance_is_found_from_its_name() {
    let name = [1, 3, 6, 1, 2, 1, 44, 1, 6, 3, 1, 1, 3, 10, 99, 0, 7, 127, 0, 0, 1];
    assert_eq!(object_of(&name).unwrap().name, "haMobilityBindingSourceAddress");
    assert_eq!(object_of(&[1, 3, 6, 1, 2, 1, 1, 3, 0]).unwrap().name, "sysUpTime");
    assert!(object_of(&[1, 3, 6, 1, 4, 1, 1]).is_none());
}

#[test]
fn columns_are_the_readable_ones() {
    use ha_mobility_binding_table::Column as Binding;
    assert_eq!(Binding::ALL.len(), 16);
    assert_eq!(Binding::from_sub_id(4), Some(Binding::RegFlags));
    assert_eq!(Binding::from_sub_id(17), None);
    // The two index columns of faAdvertConfTable and haCounterTable live elsewhere.
    assert_eq!(mip_mib::ha_counter_table::Column::ALL[0].sub_id(), 2);
    // Index columns that are not accessible are not there.
    assert_eq!(mip_mib::mip_security_assoc_table::Column::ALL[0].sub_id(), 4);
}

#[test]
fn every_member_of_a_group_is_an_object_or_a_notification() {
    for module in MODULES {
        for group in module.groups {
            for member in group.members {
                let known = module.object(member).is_some_and(|object| {
                    object.kind == Kind::Scalar || object.kind == Kind::Column
                }) || module
                    .notifications
                    .iter()
                    .any(|notification| notification.name == *member);
                assert!(known, "{member} of {} in {}", group.name, module.name);
            }
        }
        for compliance in module.compliances {
            for group in compliance.mandatory.iter().chain(compliance.conditional) {
                // Of this module or of another: SNMP-NOTIFICATION-MIB demands SNMP-TARGET-MIB's.
                let known = MODULES.iter().any(|module| module.group(group).is_some());
                assert!(known, "{group} of {}", compliance.name);
            }
        }
    }
}
