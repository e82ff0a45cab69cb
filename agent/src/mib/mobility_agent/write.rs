//! Writes to `maAdvertConfTable` and `faAdvertConfTable`: how agents advertise on an interface.
//!
//! The module is silent on much; the readings are:
//!
//! - An interface that an agent advertises on has a row, which a manager can neither make nor end:
//!   it takes a socket that the agent has from its `[[advertise]]`. Written values are kept beside
//!   the file and win over it; `destroy` ends these, and the file's hold again.
//! - Columns are written while the row is not in service (`maAdvertStatus`), in the request that
//!   takes it out of service or in a later one. Meanwhile nothing is advertised.
//! - Agents that share an interface share its row, so all of them do what is written.
//! - A service is offered only where an agent of that kind has the interface.

use std::net::Ipv4Addr;

use store::wire::{AdvertisementFlags, Nai};
use store::{
    Advertisement, AdvertisementSetting, Advertising, Origin, Scope, Setting, SettingIndex,
    SettingKey, SettingValue, StorageType as StoredAs, Unknown,
};

use super::{AGENTS, sent};
use crate::Value;
use crate::engine::{ErrorStatus, Staging};
use crate::mib::Context;
use crate::mib::conventions::{change_storage, from_truth, integer};
use crate::mib::drafts::Fault;
use crate::row_status::{RowAction, RowStatus};

/// The words of the settings.
const ADVERTISEMENT: &str = "advertisement";
const REGISTRATION_REQUIRED: &str = "registration-required";

/// The longest network access identifier that `MipEntityIdentifierNAI` holds.
const NAI_MAX: usize = 255;

/// The instances with an agent that advertises on `interface`; those with foreign agents first.
fn agents_on(context: Context<'_>, interface: u32) -> Vec<Advertising<'_>> {
    Advertising::on(interface, context.snapshot, |instance| context.shows(instance))
}

fn key(instance: &str, kind: &str, interface: u32) -> SettingKey {
    let scope = Scope::Instance(instance.to_owned());
    SettingKey::new(scope, kind, Some(SettingIndex::Interface(interface)))
}

/// How `row` is advertised beside the file, and its values; none, if only the file says how.
pub(super) fn setting_of<'a>(
    context: Context<'a>,
    row: &Advertisement,
) -> Option<(&'a Setting, &'a AdvertisementSetting)> {
    let key = key(&row.instance, ADVERTISEMENT, row.interface);
    let setting = context.snapshot.rows::<Setting>().get(&key)?;
    match &setting.value {
        SettingValue::Advertisement(values) => Some((setting, values)),
        _ => None,
    }
}

/// Whether nodes are told that they have to register with the foreign agent of `row`.
pub(super) fn is_registration_required(context: Context<'_>, row: &Advertisement) -> bool {
    let key = key(&row.instance, REGISTRATION_REQUIRED, row.interface);
    let setting = context.snapshot.rows::<Setting>().get(&key).filter(|setting| setting.active);
    match setting.map(|setting| &setting.value) {
        Some(SettingValue::RegistrationRequired { required }) => *required,
        _ => AdvertisementFlags(row.flags).any(AdvertisementFlags::REGISTRATION_REQUIRED),
    }
}

/// The roles that are offered on an interface: `foreignAgent`, then `homeAgent`.
pub(super) fn services(context: Context<'_>, interface: u32) -> [bool; 2] {
    let rows = sent(context, &AGENTS).filter(|(row, _)| row.interface == interface);
    rows.fold([false; 2], |[foreign_agent, home_agent], (row, schedule)| {
        let values = setting_of(context, row);
        let values = values.map_or_else(|| row.as_setting(schedule), |(_, it)| it.clone());
        [foreign_agent || values.foreign_agent, home_agent || values.home_agent]
    })
}

/// A network access identifier, or that there is to be none.
#[derive(Clone, Debug)]
struct NetworkNai(Option<Nai>);

/// What a request writes to the columns of a row.
#[derive(Debug, Default)]
struct Writes {
    registration_lifetime: Option<u16>,
    prefix_lengths: Option<bool>,
    destination: Option<Ipv4Addr>,
    interval_max: Option<u16>,
    interval_min: Option<u16>,
    lifetime: Option<u16>,
    solicited_only: Option<bool>,
    /// `foreignAgent` and `homeAgent`.
    services: Option<[bool; 2]>,
    network_nai: Option<NetworkNai>,
}

impl Writes {
    fn take(&mut self, column: u32, value: &Value) -> Result<(), ErrorStatus> {
        match column {
            2 => self.registration_lifetime = Some(seconds(value)?),
            3 => self.prefix_lengths = Some(from_truth(value)?),
            4 => {
                let Value::IpAddress(octets) = value else { return Err(ErrorStatus::WrongType) };
                self.destination = Some((*octets).into());
            }
            5 => self.interval_max = Some(seconds(value)?),
            6 => self.interval_min = Some(seconds(value)?),
            7 => self.lifetime = Some(seconds(value)?),
            8 => self.solicited_only = Some(from_truth(value)?),
            9 => self.services = Some(service_bits(value)?),
            _ => self.network_nai = Some(network_nai(value)?),
        }
        Ok(())
    }

    fn apply(&self, values: &mut AdvertisementSetting, agents: &Advertising<'_>) {
        fn set<T: Copy>(field: &mut T, value: Option<T>) {
            *field = value.unwrap_or(*field);
        }
        set(&mut values.registration_lifetime, self.registration_lifetime);
        set(&mut values.prefix_lengths, self.prefix_lengths);
        set(&mut values.destination, self.destination);
        set(&mut values.interval_max, self.interval_max);
        set(&mut values.interval_min, self.interval_min);
        set(&mut values.lifetime, self.lifetime);
        set(&mut values.solicited_only, self.solicited_only);
        if let Some(NetworkNai(nai)) = &self.network_nai {
            values.network_nai.clone_from(nai);
        }
        if let Some([foreign_agent, home_agent]) = self.services {
            values.foreign_agent = foreign_agent && agents.has_foreign_agent;
            values.home_agent = home_agent && agents.has_home_agent;
        }
    }
}

fn seconds(value: &Value) -> Result<u16, ErrorStatus> {
    u16::try_from(integer(value)?).map_err(|_| ErrorStatus::WrongValue)
}

/// The two bits of `maAdvertService`; others have no meaning.
fn service_bits(value: &Value) -> Result<[bool; 2], ErrorStatus> {
    let Value::OctetString(octets) = value else { return Err(ErrorStatus::WrongType) };
    let (first, later) =
        octets.split_first().map_or((0, &[][..]), |(first, later)| (*first, later));
    if first & 0x3f != 0 || later.iter().any(|octet| *octet != 0) {
        return Err(ErrorStatus::WrongValue);
    }
    Ok([first & 0x80 != 0, first & 0x40 != 0])
}

fn network_nai(value: &Value) -> Result<NetworkNai, ErrorStatus> {
    let Value::OctetString(octets) = value else { return Err(ErrorStatus::WrongType) };
    if octets.len() > NAI_MAX {
        return Err(ErrorStatus::WrongLength);
    }
    let text = std::str::from_utf8(octets).map_err(|_| ErrorStatus::WrongValue)?;
    match text {
        "" => Ok(NetworkNai(None)),
        text => {
            let nai = Nai::new(text).map_err(|_| ErrorStatus::WrongValue)?;
            Ok(NetworkNai(Some(nai)))
        }
    }
}

/// A row of `maAdvertConfTable` while it is written.
#[derive(Debug)]
pub(crate) struct AdvertisementDraft {
    writes: Writes,
    storage: Option<Value>,
    action: Option<RowAction>,
    /// The first variable that is in it.
    variable: usize,
    /// The first one that may not be written while the row is active.
    column: Option<usize>,
}

/// Writes to a column of `maAdvertConfTable`.
pub(crate) fn set_advertisement(
    staging: &mut Staging<'_>,
    suffix: &[u32],
    value: &Value,
) -> Result<(), ErrorStatus> {
    let [1, column @ 2..=12, index @ ..] = suffix else { return Err(ErrorStatus::NotWritable) };
    let [interface] = index else { return Err(ErrorStatus::NoCreation) };
    if agents_on(staging.context, *interface).is_empty() {
        return Err(ErrorStatus::InconsistentName);
    }
    let variable = staging.variable();
    let new = || AdvertisementDraft {
        writes: Writes::default(),
        storage: None,
        action: None,
        variable,
        column: None,
    };
    let draft = staging.drafts().advertisements.entry(*interface).or_insert_with(new);
    if *column != 11 {
        draft.column = draft.column.or(Some(variable));
    }
    match column {
        11 => draft.action = Some(RowAction::from_value(value)?),
        12 => draft.storage = Some(value.clone()),
        _ => draft.writes.take(*column, value)?,
    }
    Ok(())
}

impl AdvertisementDraft {
    /// The checks when all variables are written.
    pub(crate) fn finish(self, interface: u32, staging: &mut Staging<'_>) -> Result<(), Fault> {
        let agents = agents_on(staging.context, interface);
        let Some(first) = agents.first() else { return Ok(()) };
        let setting = staging.row::<Setting>(&key(first.instance, ADVERTISEMENT, interface));
        let status = match &setting {
            Some(setting) if !setting.active => RowStatus::NotInService,
            _ => RowStatus::Active,
        };
        let stays_active = matches!(self.action, None | Some(RowAction::Active));
        if let (RowStatus::Active, Some(column), true) = (status, self.column, stays_active) {
            return Err((ErrorStatus::InconsistentValue, column));
        }
        let blame = |status| (status, self.variable);
        let after = match self.action {
            Some(action) => action.apply(Some(status), true).map_err(blame)?,
            None => Some(status),
        };
        let Some(after) = after else {
            // Only what was written ends: the interface is the file's.
            if setting.is_none() {
                return Err(blame(ErrorStatus::InconsistentValue));
            }
            for agents in &agents {
                let key = key(agents.instance, ADVERTISEMENT, interface);
                staging.delete_configuration::<Setting>(&key).map_err(blame)?;
            }
            return Ok(());
        };
        if after == status && self.column.is_none() {
            return Ok(());
        }
        self.check_services(&agents).map_err(blame)?;
        for agents in &agents {
            self.put(interface, agents, after, staging).map_err(blame)?;
        }
        Ok(())
    }

    fn check_services(&self, agents: &[Advertising<'_>]) -> Result<(), ErrorStatus> {
        let Some([foreign_agent, home_agent]) = self.writes.services else { return Ok(()) };
        let lacks = (foreign_agent && !agents.iter().any(|it| it.has_foreign_agent))
            || (home_agent && !agents.iter().any(|it| it.has_home_agent));
        if lacks { Err(ErrorStatus::InconsistentValue) } else { Ok(()) }
    }

    fn put(
        &self,
        interface: u32,
        agents: &Advertising<'_>,
        status: RowStatus,
        staging: &mut Staging<'_>,
    ) -> Result<(), ErrorStatus> {
        let before = staging.row::<Setting>(&key(agents.instance, ADVERTISEMENT, interface));
        let mut values = match before.as_ref().map(|setting| &setting.value) {
            Some(SettingValue::Advertisement(values)) => values.clone(),
            _ => agents.values(),
        };
        self.writes.apply(&mut values, agents);
        let present = before.as_ref().map_or(StoredAs::NonVolatile, |setting| setting.storage);
        let storage = match &self.storage {
            Some(value) => change_storage(present, value)?,
            None => present,
        };
        staging.put_configuration(Setting {
            scope: Scope::Instance(agents.instance.to_owned()),
            index: Some(SettingIndex::Interface(interface)),
            value: SettingValue::Advertisement(values),
            origin: Origin::Snmp,
            storage,
            active: status == RowStatus::Active,
            instance: None,
            changed: None,
            unknown: before.as_ref().map_or_else(Unknown::default, |it| it.unknown.clone()),
        })
    }
}

/// Writes to `faAdvertRegRequired`; no challenge is issued, so there is no window to write.
pub(crate) fn set_foreign_agent(
    staging: &mut Staging<'_>,
    suffix: &[u32],
    value: &Value,
) -> Result<(), ErrorStatus> {
    let [1, 2, index @ ..] = suffix else { return Err(ErrorStatus::NotWritable) };
    let [interface] = index else { return Err(ErrorStatus::NoCreation) };
    let agents = agents_on(staging.context, *interface);
    let agents: Vec<_> = agents.iter().filter(|it| it.has_foreign_agent).collect();
    if agents.is_empty() {
        return Err(ErrorStatus::NoCreation);
    }
    let required = from_truth(value)?;
    for agents in agents {
        let key = key(agents.instance, REGISTRATION_REQUIRED, *interface);
        let before = staging.row::<Setting>(&key);
        staging.put_configuration(Setting {
            scope: key.scope,
            index: key.index,
            value: SettingValue::RegistrationRequired { required },
            origin: Origin::Snmp,
            storage: before.as_ref().map_or(StoredAs::NonVolatile, |it| it.storage),
            active: true,
            instance: None,
            changed: None,
            unknown: before.as_ref().map_or_else(Unknown::default, |it| it.unknown.clone()),
        })?;
    }
    Ok(())
}
