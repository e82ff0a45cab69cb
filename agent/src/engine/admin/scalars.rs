//! Scalars that can be written: the locks, and `snmpEnableAuthenTraps`.

use crate::mib::{Context, Cursor, GetResult, Object, Registry, scalar_cursor};
use crate::value::Value;

use super::super::{ErrorStatus, Staging};
use super::Admin;

const SNMP_SET_SERIAL_NO: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 6, 1];
const SNMP_ENABLE_AUTHEN_TRAPS: &[u32] = &[1, 3, 6, 1, 2, 1, 11, 30];
const VACM_VIEW_SPIN_LOCK: &[u32] = &[1, 3, 6, 1, 6, 3, 16, 1, 5, 1];
const SNMP_TARGET_SPIN_LOCK: &[u32] = &[1, 3, 6, 1, 6, 3, 12, 1, 1];
const USM_USER_SPIN_LOCK: &[u32] = &[1, 3, 6, 1, 6, 3, 15, 1, 2, 1];

pub(super) fn add_objects(registry: &mut Registry) {
    registry
        .add(SNMP_SET_SERIAL_NO, lock(|admin| admin.locks.set, |admin| &mut admin.locks.set))
        .add(VACM_VIEW_SPIN_LOCK, lock(|admin| admin.locks.view, |admin| &mut admin.locks.view))
        .add(
            SNMP_TARGET_SPIN_LOCK,
            lock(|admin| admin.locks.target, |admin| &mut admin.locks.target),
        )
        .add(USM_USER_SPIN_LOCK, lock(|admin| admin.locks.user, |admin| &mut admin.locks.user))
        .add(
            SNMP_ENABLE_AUTHEN_TRAPS,
            Writable {
                read: |admin: &Admin| {
                    Value::Integer32(if admin.authentication_traps { 1 } else { 2 })
                },
                write: |admin: &mut Admin, value: &Value| {
                    admin.authentication_traps = super::choice(value, &[(1, true), (2, false)])?;
                    admin.is_authentication_traps_set = true;
                    Ok(())
                },
            },
        );
}

/// A scalar of the administration that can be written.
struct Writable<R, W> {
    read: R,
    write: W,
}

/// A `TestAndIncr` object.
fn lock(read: fn(&Admin) -> i32, place: fn(&mut Admin) -> &mut i32) -> impl Object {
    Writable {
        read: move |admin: &Admin| Value::Integer32(read(admin)),
        write: move |admin: &mut Admin, value: &Value| test_and_increment(place(admin), value),
    }
}

impl<R, W> Object for Writable<R, W>
where
    R: Fn(&Admin) -> Value + Send + Sync,
    W: Fn(&mut Admin, &Value) -> Result<(), ErrorStatus> + Send + Sync,
{
    fn get(&self, context: Context<'_>, suffix: &[u32]) -> GetResult {
        let value = (self.read)(&context.local.engine.admin);
        if suffix == [0] { GetResult::Value(value) } else { GetResult::NoSuchInstance }
    }

    fn seek<'a>(&'a self, context: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        let value = suffix.is_empty().then(|| (self.read)(&context.local.engine.admin));
        scalar_cursor(value)
    }

    fn set(
        &self,
        staging: &mut Staging<'_>,
        suffix: &[u32],
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        match suffix {
            // The type comes first (RFC 3416 §4.2.5 (3), then (7)).
            _ if !matches!(value, Value::Integer32(_)) => Err(ErrorStatus::WrongType),
            [0] => (self.write)(staging.admin_mut(), value),
            _ => Err(ErrorStatus::NoCreation),
        }
    }
}

/// `TestAndIncr` (RFC 2579 §2): the present value counts up, any other is refused.
fn test_and_increment(lock: &mut i32, value: &Value) -> Result<(), ErrorStatus> {
    match value {
        Value::Integer32(number) if *number < 0 => Err(ErrorStatus::WrongValue),
        Value::Integer32(number) if number == lock => {
            *lock = lock.checked_add(1).unwrap_or(0);
            Ok(())
        }
        Value::Integer32(_) => Err(ErrorStatus::InconsistentValue),
        _ => Err(ErrorStatus::WrongType),
    }
}
