//! `mip4ExtRegistrationTargetTable`: what became of each registration, of which there are few: an
//! operation has no more owners than [`Operation::OWNERS_MAX`], and each mobile node is one.

use std::net::Ipv4Addr;

use mibs::mip4_ext_mib::mip4_ext_registration_target_table;
use store::{Identity, Operation, OperationTarget, OperationTargetKey, RegistrationKey, TargetKey};

use super::{date_and_time, targets};
use crate::mib::small::SmallTable;
use crate::mib::{Context, identity};
use crate::{Oid, Value};

pub(super) struct RegistrationTargets;

impl SmallTable for RegistrationTargets {
    type Column = mip4_ext_registration_target_table::Column;
    type Row<'a> = &'a OperationTarget;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &OperationTarget)>> {
        let mut found = Vec::new();
        for operation in context.snapshot.rows::<Operation>().iter() {
            // They come behind the bindings and visitors of an operation, which may be very many.
            let (id, target) = (operation.id, TargetKey::Registration(first()));
            let rows = context.snapshot.rows::<OperationTarget>();
            let rows = rows.range(OperationTargetKey { id, target }..);
            for (_, entry) in rows.take_while(|(key, _)| key.id == id) {
                let row = entry.row.as_ref();
                if let TargetKey::Registration(key) = &row.target
                    && context.shows(&row.owner.instance)
                {
                    found.push((index(row, key), row));
                }
            }
        }
        Some(found)
    }

    fn cell(_: Context<'_>, row: &&OperationTarget, column: Self::Column) -> Option<Value> {
        use mip4_ext_registration_target_table::Column;
        match column {
            Column::State => Some(targets::state(row)),
            Column::Code => Some(targets::code(row)),
            Column::Messages => Some(Value::Gauge32(row.messages)),
            Column::EndedAt => row.ended_at.map(date_and_time),
        }
    }
}

fn index(row: &OperationTarget, key: &RegistrationKey) -> Oid {
    let mut index = Oid::from([row.id.0]);
    identity::push(&mut index, &key.identity);
    index.extend_from_octets(&key.agent_address.octets());
    index.extend_from_octets(&key.care_of_address.octets());
    index
}

/// The least key.
const fn first() -> RegistrationKey {
    RegistrationKey {
        instance: String::new(),
        identity: Identity::Address(Ipv4Addr::UNSPECIFIED),
        agent_address: Ipv4Addr::UNSPECIFIED,
        care_of_address: Ipv4Addr::UNSPECIFIED,
    }
}
