use super::*;

fn vacm() -> Vacm {
    let mut vacm = Vacm::default();
    vacm.contexts.extend(["", "lab", "lab-1", "other"].map(Name::from));
    vacm.add_group(SecurityModel::USM, "noc".into(), "staff".into());
    vacm.add_group(SecurityModel::SNMPV2C, "noc".into(), "guests".into());
    vacm.add_family("all".into(), &[1], true);
    vacm
}

fn access(vacm: &mut Vacm, key: (&str, SecurityModel, SecurityLevel), prefix: bool, view: &str) {
    let (context, model, level) = key;
    vacm.add_family(view.into(), &[1, 3], true);
    let key = AccessKey { group: "staff".into(), context_prefix: context.into(), model, level };
    let views = Access { prefix_match: prefix, read_view: view.into(), ..Access::default() };
    vacm.access.insert(key, views);
}

fn asker(context: &str, level: SecurityLevel) -> Asker<'_> {
    let context = context.as_bytes();
    Asker { model: SecurityModel::USM, security_name: b"noc", level, context }
}

const NO_AUTH: SecurityLevel = SecurityLevel::NoAuthNoPriv;
const AUTH: SecurityLevel = SecurityLevel::AuthNoPriv;
const PRIV: SecurityLevel = SecurityLevel::AuthPriv;

fn chosen(vacm: &Vacm, context: &str, level: SecurityLevel) -> Option<String> {
    let access = vacm.access_entry(asker(context, level)).ok()?;
    Some(String::from_utf8(access.read_view.0.clone()).unwrap())
}

#[test]
fn every_refusal_has_its_reason() {
    let mut vacm = vacm();
    let denied = |vacm: &Vacm, asker| vacm.view(asker, ViewType::Read).err();
    assert_eq!(denied(&vacm, asker("nowhere", AUTH)), Some(AccessDenied::NoSuchContext));
    let nobody = Asker { security_name: b"nobody", ..asker("", AUTH) };
    assert_eq!(denied(&vacm, nobody), Some(AccessDenied::NoGroupName));
    assert_eq!(denied(&vacm, asker("", AUTH)), Some(AccessDenied::NoAccessEntry));
    access(&mut vacm, ("", SecurityModel::USM, AUTH), false, "some");
    assert_eq!(denied(&vacm, asker("", NO_AUTH)), Some(AccessDenied::NoAccessEntry));
    assert_eq!(denied(&vacm, asker("lab", AUTH)), Some(AccessDenied::NoAccessEntry));
    assert_eq!(denied(&vacm, asker("", AUTH)), None);
    let write = vacm.view(asker("", AUTH), ViewType::Write).err();
    assert_eq!(write, Some(AccessDenied::NoSuchView), "the name of the view is empty");
    vacm.families.retain(|(view, _), _| *view != Name::from("some"));
    assert_eq!(denied(&vacm, asker("", AUTH)), Some(AccessDenied::NoSuchView));
}

#[test]
fn the_model_is_preferred_then_the_context_then_the_level() {
    let mut vacm = vacm();
    access(&mut vacm, ("lab-1", SecurityModel::ANY, PRIV), false, "any");
    assert_eq!(chosen(&vacm, "lab-1", PRIV).as_deref(), Some("any"));
    access(&mut vacm, ("", SecurityModel::USM, NO_AUTH), true, "shortest");
    assert_eq!(chosen(&vacm, "lab-1", PRIV).as_deref(), Some("shortest"));
    access(&mut vacm, ("lab", SecurityModel::USM, NO_AUTH), true, "prefix");
    assert_eq!(chosen(&vacm, "lab-1", PRIV).as_deref(), Some("prefix"));
    assert_eq!(chosen(&vacm, "other", PRIV).as_deref(), Some("shortest"));
    access(&mut vacm, ("lab-1", SecurityModel::USM, NO_AUTH), false, "exact");
    assert_eq!(chosen(&vacm, "lab-1", PRIV).as_deref(), Some("exact"));
    access(&mut vacm, ("lab-1", SecurityModel::USM, AUTH), false, "level");
    assert_eq!(chosen(&vacm, "lab-1", PRIV).as_deref(), Some("level"));
    assert_eq!(chosen(&vacm, "lab-1", NO_AUTH).as_deref(), Some("exact"));
}

#[test]
fn rows_that_are_not_active_decide_nothing() {
    let mut vacm = vacm();
    access(&mut vacm, ("", SecurityModel::USM, AUTH), false, "some");
    assert!(vacm.view(asker("", AUTH), ViewType::Read).is_ok());
    for access in vacm.access.values_mut() {
        access.status = RowStatus::NotInService;
    }
    assert_eq!(chosen(&vacm, "", AUTH), None);
    for group in vacm.groups.values_mut() {
        group.status = RowStatus::NotReady;
    }
    let denied = vacm.view(asker("", AUTH), ViewType::Read).err();
    assert_eq!(denied, Some(AccessDenied::NoGroupName));
}

/// Subtree, mask, and whether it is included.
type FamilyOf<'a> = (&'a [u32], &'a [u8], bool);

fn masked(families: &[FamilyOf<'_>]) -> Vacm {
    let mut vacm = Vacm::default();
    for (subtree, mask, included) in families {
        let family = Family { mask: mask.to_vec(), included: *included, ..Family::default() };
        vacm.families.insert(("view".into(), Subtree(subtree.to_vec())), family);
    }
    vacm
}

#[test]
fn the_mask_lets_any_sub_identifier_match() {
    // ifEntry with any column of interface 2: bits 1111 1111 101.
    let subtree = [1, 3, 6, 1, 2, 1, 2, 2, 1, 0, 2];
    let vacm = masked(&[(&subtree, &[0xff, 0xa0], true)]);
    let view = vacm.view_named(&"view".into()).unwrap();
    assert!(view.contains(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 5, 2]));
    assert!(view.contains(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 9, 2, 7]), "and all below");
    assert!(!view.contains(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 5, 3]));
    assert!(!view.contains(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 5]), "shorter than the subtree");
    assert_eq!(view.skip(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 5, 3]), Skip::Nothing);
}

#[test]
fn a_mask_that_is_too_short_is_continued_with_ones() {
    let vacm = masked(&[(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 7], &[0x7f], true)]);
    let view = vacm.view_named(&"view".into()).unwrap();
    assert!(view.contains(&[2, 3, 6, 1, 2, 1, 2, 2, 1, 7, 1]));
    assert!(!view.contains(&[2, 3, 6, 1, 2, 1, 2, 2, 1, 8, 1]));
}

#[test]
fn the_longest_family_decides_and_then_the_greatest() {
    let vacm =
        masked(&[(&[1, 3], &[], true), (&[1, 3, 6], &[], false), (&[1, 3, 6, 1], &[], true)]);
    let view = vacm.view_named(&"view".into()).unwrap();
    assert!(view.contains(&[1, 3, 5]));
    assert!(!view.contains(&[1, 3, 6]));
    assert!(!view.contains(&[1, 3, 6, 2]));
    assert!(view.contains(&[1, 3, 6, 1, 9]));
    assert!(!view.contains(&[1, 4]));
    let vacm = masked(&[(&[1, 3, 7], &[0xc0], false), (&[1, 3, 5], &[0xc0], true)]);
    let view = vacm.view_named(&"view".into()).unwrap();
    assert!(!view.contains(&[1, 3, 9]), "1.3.7 is lexicographically greater");
}

/// `skip` against its definition, over every name of up to four sub-identifiers of a few values.
#[test]
fn skip_never_jumps_over_what_is_visible() {
    let digits = [0, 1, 2, 3, u32::MAX];
    let mut names: Vec<Vec<u32>> = vec![vec![]];
    for len in 0..4 {
        let longer: Vec<Vec<u32>> = names
            .iter()
            .filter(|name| name.len() == len)
            .flat_map(|name| digits.map(|digit| [name.as_slice(), &[digit]].concat()))
            .collect();
        names.extend(longer);
    }
    names.sort();
    let views: [&[FamilyOf<'_>]; 4] = [
        &[(&[1], &[], true), (&[1, 2], &[], false), (&[1, 2, 3], &[], true)],
        &[(&[1, u32::MAX], &[], false), (&[1], &[], true), (&[2, 0, 0, 1], &[], true)],
        &[(&[0, 0], &[], true), (&[3, 3, 3, 3], &[], true)],
        &[(&[1, 2], &[], false)],
    ];
    for families in views {
        let vacm = masked(families);
        let view = vacm.view_named(&"view".into()).unwrap();
        for (place, name) in names.iter().enumerate().filter(|(_, name)| !view.contains(name)) {
            let first = names[place..].iter().find(|name| view.contains(name));
            match (view.skip(name), first) {
                (Skip::ToEnd, None) | (Skip::Nothing, _) => {}
                (Skip::To(last), Some(first)) => assert!(last < *first, "{name:?} {last:?}"),
                (Skip::To(last), None) => assert!(last >= *name),
                (Skip::ToEnd, Some(first)) => panic!("{name:?} jumps over {first:?}"),
            }
        }
    }
}
