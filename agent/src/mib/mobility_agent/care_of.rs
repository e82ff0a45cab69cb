//! `faCOATable`: the care-of addresses of foreign agents, read and written.
//!
//! A new address belongs to the foreign agent whose own address is nearest, by the length of the
//! prefix that both share: the index does not say which it is. The agent binds the address when it
//! takes the row over; if it cannot, the answer is `commitFailed` and its instance row says why.

use std::net::Ipv4Addr;

use mibs::mip_mib::fa_coa_table;
use store::{CareOfAddress, Origin, Role, StorageType as StoredAs, Unknown, nearest_foreign_agent};

use crate::engine::{ErrorStatus, Staging};
use crate::mib::conventions::{change_storage, row_status, storage_type};
use crate::mib::drafts::Fault;
use crate::mib::small::{SmallTable, addresses};
use crate::mib::{Context, index};
use crate::row_status::{RowAction, RowStatus};
use crate::{Oid, Value};

/// `faCOATable`: the care-of addresses of foreign agents.
pub(crate) struct FaCoaTable;

impl SmallTable for FaCoaTable {
    type Column = fa_coa_table::Column;
    type Row<'a> = &'a CareOfAddress;

    fn rows(context: Context<'_>) -> Option<Vec<(Oid, &CareOfAddress)>> {
        context.has_role(Role::ForeignAgent).then_some(())?;
        let rows = context.snapshot.rows::<CareOfAddress>().iter().map(AsRef::as_ref);
        let rows = rows.filter(|row: &&CareOfAddress| context.shows(&row.instance));
        Some(rows.map(|row: &CareOfAddress| (addresses([row.address]), row)).collect())
    }

    fn cell(_: Context<'_>, row: &&CareOfAddress, column: Self::Column) -> Option<Value> {
        use fa_coa_table::Column;
        Some(match column {
            Column::Status => row_status(row.active),
            Column::StorageType => storage_type(row.origin, row.storage),
        })
    }
}

/// A row while it is written.
#[derive(Debug)]
pub(crate) struct CareOfAddressDraft {
    storage: Option<Value>,
    action: Option<RowAction>,
    /// The first variable that is in it.
    variable: usize,
}

/// Writes to a column of `faCOATable`.
pub(crate) fn set_care_of_address(
    staging: &mut Staging<'_>,
    suffix: &[u32],
    value: &Value,
) -> Result<(), ErrorStatus> {
    let [1, column @ 2..=3, address @ ..] = suffix else { return Err(ErrorStatus::NotWritable) };
    let address: Ipv4Addr = index::exact::<4>(address).ok_or(ErrorStatus::NoCreation)?.into();
    let variable = staging.variable();
    let new = || CareOfAddressDraft { storage: None, action: None, variable };
    let draft = staging.drafts().care_of_addresses.entry(address).or_insert_with(new);
    match column {
        2 => draft.action = Some(RowAction::from_value(value)?),
        _ => draft.storage = Some(value.clone()),
    }
    Ok(())
}

impl CareOfAddressDraft {
    /// The checks when all variables are written.
    pub(crate) fn finish(self, address: Ipv4Addr, staging: &mut Staging<'_>) -> Result<(), Fault> {
        let variable = self.variable;
        self.stage(address, staging).map_err(|status| (status, variable))
    }

    fn stage(self, address: Ipv4Addr, staging: &mut Staging<'_>) -> Result<(), ErrorStatus> {
        let context = staging.context;
        let rows = context.snapshot.rows::<CareOfAddress>().iter();
        let rows = rows.filter(|row| context.shows(&row.instance));
        let key = rows.map(|row| store::Row::key(&**row)).find(|key| key.address == address);
        let before = key.and_then(|key| staging.row::<CareOfAddress>(&key));
        let status = before.as_ref().map(|row| status_of(row.active));
        let after = match (self.action, status) {
            (Some(action), _) => action.apply(status, true)?,
            (None, Some(status)) => Some(status),
            // Nothing asks for the row to be made.
            (None, None) => return Err(ErrorStatus::InconsistentName),
        };
        let Some(after) = after else {
            let Some(before) = before else { return Ok(()) };
            return staging.delete_configuration::<CareOfAddress>(&store::Row::key(&*before));
        };
        let mut row = match before {
            Some(before) => CareOfAddress::clone(&before),
            None => new(staging.context, address).ok_or(ErrorStatus::InconsistentName)?,
        };
        if let Some(value) = &self.storage {
            row.storage = change_storage(row.storage, value)?;
        }
        row.active = after == RowStatus::Active;
        staging.put_configuration(row)
    }
}

fn status_of(is_active: bool) -> RowStatus {
    if is_active { RowStatus::Active } else { RowStatus::NotInService }
}

/// A row that is not there yet; none, if there is no foreign agent that it could be of.
fn new(context: Context<'_>, address: Ipv4Addr) -> Option<CareOfAddress> {
    Some(CareOfAddress {
        instance: nearest_foreign_agent(context.all_instances(), address)?.name.clone(),
        address,
        active: false,
        origin: Origin::Snmp,
        storage: StoredAs::NonVolatile,
        changed: None,
        unknown: Unknown::default(),
    })
}
