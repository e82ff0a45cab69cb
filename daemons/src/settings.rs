//! What the settings of the store mean for an agent of this process.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use store::{
    AdvertisementSetting, Identity, Origin, Role, Row as _, Scope, Setting, SettingIndex,
    SettingValue,
};

use crate::configuration::Part;

/// The settings in force for one agent; where no row says otherwise, the file and the defaults.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Whether it serves at all (`mipEnable`).
    pub(crate) enabled: bool,
    /// How to advertise, by interface; `None` is not at all.
    pub(crate) advertisements: BTreeMap<u32, Option<AdvertisementSetting>>,
    /// Whether mobile nodes have to register with the foreign agent, by interface.
    pub(crate) registration_required: BTreeMap<u32, bool>,
    /// Home agents that a mobile node may use beside the one of its file.
    pub(crate) home_agents: Vec<Ipv4Addr>,
    /// The offenders that are forgotten when the agent starts again.
    pub(crate) volatile_violations: BTreeSet<Identity>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            advertisements: BTreeMap::new(),
            registration_required: BTreeMap::new(),
            home_agents: Vec::new(),
            volatile_violations: BTreeSet::new(),
        }
    }
}

impl Settings {
    /// Takes one setting over; the error says why the part does not act on it.
    fn take(&mut self, part: &Part, row: &Setting) -> Result<(), String> {
        let role = part.role;
        let acts = match (&row.value, &row.index) {
            (SettingValue::Enabled { enabled }, None) => {
                self.enabled = *enabled;
                Role::SWITCHED.contains(&role)
            }
            (SettingValue::Advertisement(values), Some(SettingIndex::Interface(interface))) => {
                part.advertises_on(*interface)?;
                let values = row.active.then(|| values.clone());
                self.advertisements.insert(*interface, values);
                Role::SWITCHED.contains(&role)
            }
            (
                SettingValue::RegistrationRequired { required },
                Some(SettingIndex::Interface(interface)),
            ) => {
                part.advertises_on(*interface)?;
                self.registration_required.insert(*interface, *required);
                role == Role::ForeignAgent
            }
            (SettingValue::HomeAgent {}, Some(SettingIndex::Address(address))) => {
                // The file's is the one that the node begins with.
                if row.origin != Origin::File && !self.home_agents.contains(address) {
                    self.home_agents.push(*address);
                }
                role == Role::MobileNode
            }
            (SettingValue::Violation { volatile }, Some(SettingIndex::Identity(offender))) => {
                if *volatile {
                    self.volatile_violations.insert(offender.clone());
                }
                Role::SWITCHED.contains(&role) || role == Role::MobileNode
            }
            // The SNMP engine looks at the row itself.
            (SettingValue::NotificationGate { .. }, Some(SettingIndex::Notification(_))) => {
                role == Role::Snmp
            }
            _ => false,
        };
        if acts {
            Ok(())
        } else {
            Err(format!("no part of this daemon acts on `{}`", row.value.kind()))
        }
    }
}

/// The settings for one part of an instance; and for each row that nothing in the instance acts
/// on, its path and why.
pub(crate) fn effective<'a>(
    rows: impl Iterator<Item = &'a Setting> + Clone,
    part: &Part,
) -> (Settings, BTreeMap<String, String>) {
    let mut settings = Settings::default();
    let mut errors = BTreeMap::new();
    // Where nothing is to be advertised, that is a setting too.
    let said = rows.filter(|row| row.active || matches!(row.value, SettingValue::Advertisement(_)));
    let of_role = said.clone().filter(|row| row.scope == Scope::Role(part.role));
    let of_instance =
        said.filter(|row| matches!(&row.scope, Scope::Instance(name) if *name == part.instance));
    // What is said of the instance comes last and wins.
    for row in of_role.chain(of_instance) {
        let Err(why) = settings.take(part, row) else { continue };
        let by_another = matches!(row.scope, Scope::Instance(_))
            && part.others().any(|other| Settings::default().take(&other, row).is_ok());
        if !by_another {
            errors.insert(store::AnyKey::Setting(row.key()).path(), why);
        }
    }
    (settings, errors)
}

#[cfg(test)]
mod tests {
    use store::{StorageType, Unknown};

    use super::*;

    fn setting(scope: Scope, value: SettingValue) -> Setting {
        Setting {
            scope,
            index: None,
            value,
            origin: Origin::Snmp,
            storage: StorageType::NonVolatile,
            active: true,
            instance: None,
            changed: None,
            unknown: Unknown::default(),
        }
    }

    fn part(instance: &str, role: Role, roles: &[Role]) -> Part {
        Part {
            instance: instance.to_owned(),
            role,
            roles: roles.to_vec(),
            interfaces: vec![2],
            addresses: Vec::new(),
        }
    }

    #[test]
    fn the_instance_is_asked_before_the_role() {
        let of = |scope, enabled| setting(scope, SettingValue::Enabled { enabled });
        let role = of(Scope::Role(Role::HomeAgent), false);
        let instance = of(Scope::Instance("ha1".to_owned()), true);
        let inactive = Setting { active: false, ..of(Scope::Instance("ha1".to_owned()), false) };
        let part = part("ha1", Role::HomeAgent, &[Role::HomeAgent]);
        let enabled = |rows: &[&Setting]| effective(rows.iter().copied(), &part).0.enabled;
        assert!(enabled(&[]));
        assert!(enabled(&[&inactive]));
        assert!(!enabled(&[&role]));
        assert!(enabled(&[&instance, &role]));
    }

    #[test]
    fn what_nothing_acts_on_is_said() {
        let row =
            setting(Scope::Instance("x".to_owned()), SettingValue::Enabled { enabled: false });
        let errors =
            |role, roles: &[Role]| effective([&row].into_iter(), &part("x", role, roles)).1;
        assert!(errors(Role::HomeAgent, &[Role::HomeAgent]).is_empty());
        assert!(errors(Role::Snmp, &[Role::Snmp, Role::HomeAgent]).is_empty(), "another part does");
        let alone = errors(Role::Snmp, &[Role::Snmp]);
        assert!(alone["/mip4/config/instance=x/enabled"].contains("no part"), "{alone:?}");
    }

    #[test]
    fn advertisements_are_of_interfaces_that_are_advertised_on() {
        let on = |interface, active| {
            let values = AdvertisementSetting { interval_max: 30, ..Default::default() };
            let value = SettingValue::Advertisement(values);
            let index = Some(SettingIndex::Interface(interface));
            Setting { index, active, ..setting(Scope::Instance("x".to_owned()), value) }
        };
        let rows = [on(2, true), on(3, true)];
        let part = part("x", Role::ForeignAgent, &[Role::ForeignAgent]);
        let (settings, errors) = effective(rows.iter(), &part);
        assert_eq!(settings.advertisements[&2].as_ref().unwrap().interval_max, 30);
        let why = &errors["/mip4/config/instance=x/advertisement/interface=3"];
        assert!(why.contains("[[advertise]]"), "{why}");
        let (settings, errors) = effective([on(2, false)].iter(), &part);
        assert_eq!((&settings.advertisements[&2], errors.len()), (&None, 0), "not at all");
    }

    #[test]
    fn a_mobile_node_turns_to_others_than_its_file_says() {
        let row = |origin, last| {
            let index = Some(SettingIndex::Address([10, 0, 0, last].into()));
            let scope = Scope::Role(Role::MobileNode);
            Setting { index, origin, ..setting(scope, SettingValue::HomeAgent {}) }
        };
        let rows = [row(Origin::File, 1), row(Origin::Snmp, 2), row(Origin::Cli, 3)];
        let part = part("mn", Role::MobileNode, &[Role::MobileNode]);
        let (settings, errors) = effective(rows.iter(), &part);
        assert_eq!(settings.home_agents, [[10, 0, 0, 2], [10, 0, 0, 3]].map(Ipv4Addr::from));
        assert!(errors.is_empty());
    }
}
