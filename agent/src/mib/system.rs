//! The group `system` of SNMPv2-MIB (RFC 3418).

use mibs::snmpv2_mib as module;

use super::context::ticks;
use super::{Context, Cursor, GetResult, LocalFacts, Object, Registry, Scalar, scalar_cursor};
use crate::engine::{ErrorStatus, Staging, SystemNames};
use crate::{Oid, Value};

/// What this product is named as: a place below netSnmpPlaypen, until there is
/// an assigned number.
pub const PRODUCT: &[u32] = &[1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 434];

/// Layers 3 (routing) and 7 (applications): 2² + 2⁶.
const SERVICES: i32 = 68;

pub(crate) fn register(registry: &mut Registry) {
    let mut add = |oid, read: fn(Context<'_>) -> Value| {
        registry.add(oid, Scalar(move |context: Context<'_>| Some(read(context))));
    };
    add(module::SYS_DESCR, |context| display_string(&context.local.description));
    add(module::SYS_OBJECT_ID, |_| Value::ObjectIdentifier(Oid::from(PRODUCT)));
    add(module::SYS_UP_TIME, |context| ticks(context.up_time()));
    add(module::SYS_SERVICES, |_| Value::Integer32(SERVICES));
    registry
        .add(
            module::SYS_CONTACT,
            SystemName {
                written: |system| &system.contact,
                place: |system| &mut system.contact,
                given: |local| &local.contact,
            },
        )
        .add(
            module::SYS_NAME,
            SystemName {
                written: |system| &system.name,
                place: |system| &mut system.name,
                given: |local| &local.name,
            },
        )
        .add(
            module::SYS_LOCATION,
            SystemName {
                written: |system| &system.location,
                place: |system| &mut system.location,
                given: |local| &local.location,
            },
        );
}

/// One of the names that managers may write; what they wrote goes before what is configured.
struct SystemName {
    written: fn(&SystemNames) -> &Option<String>,
    place: fn(&mut SystemNames) -> &mut Option<String>,
    given: fn(&LocalFacts) -> &String,
}

impl SystemName {
    fn value(&self, context: Context<'_>) -> Value {
        let local = context.local;
        let written = (self.written)(&local.engine.admin.system).as_ref();
        display_string(written.unwrap_or((self.given)(local)))
    }
}

impl Object for SystemName {
    fn get(&self, context: Context<'_>, suffix: &[u32]) -> GetResult {
        (suffix == [0]).then(|| self.value(context)).into()
    }

    fn seek<'a>(&'a self, context: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        scalar_cursor(suffix.is_empty().then(|| self.value(context)))
    }

    fn set(
        &self,
        staging: &mut Staging<'_>,
        suffix: &[u32],
        value: &Value,
    ) -> Result<(), ErrorStatus> {
        let Value::OctetString(octets) = value else { return Err(ErrorStatus::WrongType) };
        if octets.len() > 255 {
            return Err(ErrorStatus::WrongLength);
        }
        // A DisplayString is NVT ASCII: other octets would encode it wrongly (RFC 2579 §2).
        let text = std::str::from_utf8(octets).ok().filter(|text| text.is_ascii());
        let text = text.ok_or(ErrorStatus::WrongEncoding)?;
        if suffix != [0] {
            return Err(ErrorStatus::NoCreation);
        }
        *(self.place)(&mut staging.admin_mut().system) = Some(text.to_owned());
        Ok(())
    }
}

/// A `DisplayString`: at most 255 octets, of NVT ASCII.
fn display_string(text: &str) -> Value {
    let ascii: String =
        text.chars().map(|c| if c.is_ascii() { c } else { '?' }).take(255).collect();
    Value::octets(ascii)
}
