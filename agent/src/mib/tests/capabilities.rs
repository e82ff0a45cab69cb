//! The capabilities statements say what the engine does, object by object.

use mibs::mip4_capabilities_mib::MODULE as STATEMENTS;
use mibs::{Access, Capabilities, Module, mip_mib, mip4_ext_mib};

use crate::engine::{ErrorStatus, Staging};
use crate::mib::ext::tests::complete;

/// What the statement leaves of the access to an object.
fn access(statement: &Capabilities, object: &str) -> Option<&'static str> {
    statement.variations.iter().find(|(name, _)| *name == object).map(|(_, access)| *access)
}

fn check(statement: &Capabilities, module: &'static Module) {
    let world = complete();
    for group in module.groups {
        let is_included = statement.groups.contains(&group.name);
        assert!(is_included, "{} is not in {}", group.name, statement.name);
        for member in group.members {
            let Some(object) = module.object(member) else { continue };
            let (name, varied) = (object.name, access(statement, object.name));
            let instances = world.walk(object.oid);
            let is_there = object.access.is_readable() && varied != Some("not-implemented");
            assert_eq!(!instances.is_empty(), is_there, "{name} in {}", statement.name);
            if !is_there {
                continue;
            }
            // What a manager may write is writable as a whole, or says so.
            let may_write = object.access.is_writable() && varied != Some("read-only");
            let is_written = instances.iter().any(|(instance, value)| {
                let level = crate::SecurityLevel::AuthPriv;
                let requester =
                    crate::engine::Requester { level, ..crate::engine::Requester::default() };
                let mut staging = Staging::new(world.context(), requester);
                let written = world.registry.set(&mut staging, instance, value);
                written != Err(ErrorStatus::NotWritable)
            });
            assert_eq!(is_written, may_write, "{name} in {}", statement.name);
        }
    }
    for (object, _) in statement.variations {
        assert!(module.object(object).is_some(), "{object} of {}", statement.name);
    }
}

#[test]
fn mip_mib_is_implemented_as_the_statement_says() {
    check(&STATEMENTS.capabilities[0], &mip_mib::MODULE);
}

#[test]
fn mip4_ext_mib_is_implemented_as_the_statement_says() {
    check(&STATEMENTS.capabilities[1], &mip4_ext_mib::MODULE);
}

/// Only what a group names can be varied, and nothing is varied without need.
#[test]
fn variations_are_of_less_access_than_the_module_has() {
    for statement in STATEMENTS.capabilities {
        for (name, left) in statement.variations {
            let modules = [&mip_mib::MODULE, &mip4_ext_mib::MODULE];
            let object = modules.into_iter().find_map(|module| module.object(name)).unwrap();
            let is_less = match *left {
                "not-implemented" => object.access != Access::NotAccessible,
                "read-only" => object.access.is_writable(),
                "read-write" => object.access == Access::ReadCreate,
                other => panic!("{name}: {other}"),
            };
            assert!(is_less, "{name}");
        }
    }
}
