//! What rows of configuration may say: one place for each type of row.

use std::net::Ipv4Addr;

use super::{Configuration, Invalid, Owner};
use crate::{
    AdvertisementSetting, Association, CareOfAddress, Changed, Identity, Origin, Regional,
    RegionalForeignAgent, RegionalValue, ReplayProtection, Role, Row as _, Scope, Setting,
    SettingIndex, SettingValue, StorageType,
};

/// The first SPI that is not reserved (RFC 5944 §1.6).
pub const SPI_MIN: u32 = 256;
/// The least tolerance for timestamps, in seconds: `mipSecurityReplayTime` begins with it
/// (RFC 5944 §5.7.1: more than 3 seconds SHOULD be allowed for).
pub const TOLERANCE_MIN: u8 = 3;

/// How many notifications of a kind may be let through in a minute (`mip4ExtGatePerMinute`).
const GATE_PER_MINUTE_MAX: u32 = 60_000;

/// How long the name of an instance may be.
const NAME_MAX: usize = 255;

/// How many gateways a foreign agent may relay to beside its own.
const GATEWAYS_MAX: usize = 64;

macro_rules! common {
    () => {
        fn origin(&self) -> Origin {
            self.origin
        }

        fn storage(&self) -> StorageType {
            self.storage
        }

        fn changed(&self) -> Option<&Changed> {
            self.changed.as_ref()
        }

        fn set_origin(&mut self, origin: Origin, storage: StorageType) {
            self.origin = origin;
            self.storage = storage;
        }

        fn set_changed(&mut self, changed: Option<Changed>) {
            self.changed = changed;
        }
    };
}

impl Configuration for Association {
    common!();

    fn owner(&self) -> Owner {
        Owner::Role(self.role)
    }

    fn file_of(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    fn validate(&self) -> Result<(), Invalid> {
        if let Identity::Address(address) = self.peer {
            host("peer", address)?;
        }
        if self.spi.0 < SPI_MIN && !self.reserved_spi {
            return Err(Invalid::value("spi", "0 to 255 are reserved"));
        }
        if self.active && self.keyless {
            return Err(Invalid::inconsistent("active", "it has no key"));
        }
        let least = if self.origin == Origin::File { 1 } else { TOLERANCE_MIN };
        if self.replay == ReplayProtection::Timestamps && self.tolerance < least {
            return Err(Invalid::value("tolerance", format!("at least {least} seconds")));
        }
        Ok(())
    }
}

impl Configuration for CareOfAddress {
    common!();

    fn owner(&self) -> Owner {
        Owner::Instance(self.instance.clone())
    }

    fn file_of(&self) -> Option<&str> {
        Some(&self.instance)
    }

    fn validate(&self) -> Result<(), Invalid> {
        name("instance", &self.instance)?;
        host("address", self.address)
    }
}

impl Configuration for Setting {
    common!();

    fn owner(&self) -> Owner {
        match &self.scope {
            Scope::Instance(name) => Owner::Instance(name.clone()),
            Scope::Role(role) => Owner::Role(*role),
        }
    }

    fn file_of(&self) -> Option<&str> {
        match &self.scope {
            Scope::Instance(name) => Some(name),
            Scope::Role(_) => self.instance.as_deref(),
        }
    }

    fn validate(&self) -> Result<(), Invalid> {
        if let Scope::Instance(instance) = &self.scope {
            name("scope", instance)?;
        }
        let is_interface = matches!(self.index, Some(SettingIndex::Interface(1..)));
        let (index_is_right, expected) = match &self.value {
            SettingValue::Enabled { .. } => (self.index.is_none(), "none"),
            SettingValue::Advertisement(_)
            | SettingValue::RegistrationRequired { .. }
            | SettingValue::ChallengeWindow { .. } => (is_interface, "an interface, from 1 on"),
            SettingValue::HomeAgent {} => {
                (matches!(self.index, Some(SettingIndex::Address(_))), "an address")
            }
            SettingValue::Violation { .. } => {
                (matches!(self.index, Some(SettingIndex::Identity(_))), "an offender")
            }
            SettingValue::NotificationGate { .. } => {
                let is_kind = |kind: &str| SettingIndex::NOTIFICATIONS.contains(&kind);
                let is_right =
                    matches!(&self.index, Some(SettingIndex::Notification(kind)) if is_kind(kind));
                (is_right, "a kind of notification")
            }
            SettingValue::Other { kind, values } => {
                return Err(match SettingValue::read(kind, values) {
                    Err(error) => Invalid::value("kind", format!("`{kind}`: {error}")),
                    // It can be read, so it would not be an `Other`.
                    Ok(_) => Invalid::value("kind", format!("`{kind}` is spelled in another way")),
                });
            }
        };
        if !index_is_right {
            return Err(Invalid::value("index", format!("expected {expected}")));
        }
        match &self.value {
            SettingValue::Advertisement(advertisement) => validate_advertisement(advertisement),
            SettingValue::ChallengeWindow { window: 0 } => {
                Err(Invalid::value("window", "at least one challenge"))
            }
            SettingValue::NotificationGate { per_minute, .. }
                if !(1..=GATE_PER_MINUTE_MAX).contains(per_minute) =>
            {
                let most = GATE_PER_MINUTE_MAX;
                Err(Invalid::value("per_minute", format!("from 1 to {most} a minute")))
            }
            SettingValue::HomeAgent {} => match self.index {
                Some(SettingIndex::Address(address)) => host("index", address),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl Configuration for Regional {
    common!();

    fn owner(&self) -> Owner {
        Owner::Address(self.key().role(), self.address)
    }

    /// A gateway serves foreign agents that are its own.
    fn other_owners(&self) -> Vec<Owner> {
        match &self.value {
            RegionalValue::Gateway(_) => Vec::new(),
            RegionalValue::ForeignAgent(it) => {
                it.gateways().map(|gateway| Owner::Address(Role::Gateway, gateway)).collect()
            }
        }
    }

    fn file_of(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    fn validate(&self) -> Result<(), Invalid> {
        validate_regional(self.address, &self.value)
    }
}

/// Checks all that can be said of one agent of a region alone.
pub(crate) fn validate_regional(address: Ipv4Addr, value: &RegionalValue) -> Result<(), Invalid> {
    host("address", address)?;
    match value {
        RegionalValue::Gateway(gateway) => {
            for (field, lifetime) in
                [("lifetime", gateway.lifetime), ("regional_lifetime", gateway.regional_lifetime)]
            {
                if lifetime == Some(0) {
                    return Err(Invalid::value(field, "at least one second"));
                }
            }
            // RFC 4857 §9.4: no regional registration outlives the home registration.
            match (gateway.lifetime, gateway.regional_lifetime) {
                (Some(home), Some(regional)) if regional > home => Err(Invalid::inconsistent(
                    "regional_lifetime",
                    format!("more than `lifetime`, which is {home} s"),
                )),
                _ => Ok(()),
            }
        }
        RegionalValue::ForeignAgent(foreign_agent) => {
            validate_regional_foreign_agent(address, foreign_agent)
        }
    }
}

fn validate_regional_foreign_agent(
    address: Ipv4Addr,
    foreign_agent: &RegionalForeignAgent,
) -> Result<(), Invalid> {
    host("gateway", foreign_agent.gateway)?;
    for other in &foreign_agent.also {
        host("also", *other)?;
    }
    if foreign_agent.also.len() > GATEWAYS_MAX {
        return Err(Invalid::value("also", format!("at most {GATEWAYS_MAX} gateways")));
    }
    if foreign_agent.also.contains(&foreign_agent.gateway) {
        return Err(Invalid::inconsistent("also", "its own gateway is not another one"));
    }
    if foreign_agent.gateways().any(|gateway| gateway == address) {
        return Err(Invalid::inconsistent("gateway", "an agent is not beneath itself"));
    }
    match foreign_agent.spi {
        Some(spi) if spi.is_reserved() => Err(Invalid::value("spi", "0 to 255 are reserved")),
        _ => Ok(()),
    }
}

/// The limits of RFC 1256 §6.2.1 and of `maAdvertConfigTable`.
fn validate_advertisement(setting: &AdvertisementSetting) -> Result<(), Invalid> {
    let within = |field, value: u16, least: u16, most: u16| {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(Invalid::value(field, format!("from {least} to {most} seconds")))
    };
    within("registration_lifetime", setting.registration_lifetime, 1, u16::MAX)?;
    within("interval_max", setting.interval_max, 4, 1800)?;
    within("interval_min", setting.interval_min, 3, 1800)?;
    within("lifetime", setting.lifetime, 4, 9000)?;
    if setting.interval_min > setting.interval_max {
        return Err(Invalid::inconsistent("interval_min", "more than `interval_max`"));
    }
    if setting.lifetime < setting.interval_max {
        return Err(Invalid::inconsistent("lifetime", "less than `interval_max`"));
    }
    let destinations = [Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::BROADCAST];
    if !destinations.contains(&setting.destination) {
        return Err(Invalid::value("destination", "224.0.0.1 or 255.255.255.255"));
    }
    Ok(())
}

/// Whether an address can be that of a host.
fn host(field: &'static str, address: Ipv4Addr) -> Result<(), Invalid> {
    let is_host = !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast();
    if is_host { Ok(()) } else { Err(Invalid::value(field, format!("{address} is no host's"))) }
}

fn name(field: &'static str, name: &str) -> Result<(), Invalid> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(Invalid::value(field, format!("a name of 1 to {NAME_MAX} octets")));
    }
    Ok(())
}
