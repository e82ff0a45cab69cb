//! What the settings of the store mean for an agent of this process.

use std::collections::BTreeMap;

use store::{Role, Row as _, Scope, Setting, SettingValue};

/// The settings in force for one agent; where no row says otherwise, the defaults.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Settings {
    /// Whether it serves at all (`mipEnable`).
    pub(crate) enabled: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Settings {
    /// Takes one setting over; `false` if an agent of that role does not act on the kind.
    fn take(&mut self, role: Role, value: &SettingValue) -> bool {
        match value {
            SettingValue::Enabled { enabled } => {
                self.enabled = *enabled;
                matches!(role, Role::HomeAgent | Role::ForeignAgent)
            }
            SettingValue::Advertisement(_)
            | SettingValue::RegistrationRequired { .. }
            | SettingValue::ChallengeWindow { .. }
            | SettingValue::HomeAgent {}
            | SettingValue::Other { .. } => false,
        }
    }
}

/// The settings for the agent that plays `role` in `instance`, which plays `roles`; and for each
/// row that nothing in the process acts on, its path and why.
pub(crate) fn effective<'a>(
    rows: impl Iterator<Item = &'a Setting> + Clone,
    instance: &str,
    role: Role,
    roles: &[Role],
) -> (Settings, BTreeMap<String, String>) {
    let mut settings = Settings::default();
    let mut errors = BTreeMap::new();
    let active = rows.filter(|row| row.active);
    let of_role = active.clone().filter(|row| row.scope == Scope::Role(role));
    let of_instance =
        active.filter(|row| matches!(&row.scope, Scope::Instance(name) if name == instance));
    // What is said of the instance comes last and wins.
    for row in of_role.chain(of_instance) {
        let done = settings.take(role, &row.value);
        let by_another = matches!(row.scope, Scope::Instance(_))
            && roles.iter().any(|other| Settings::default().take(*other, &row.value));
        if !done && !by_another {
            let path = store::AnyKey::Setting(row.key()).path();
            let why = format!("no part of this daemon acts on `{}`", row.value.kind());
            errors.insert(path, why);
        }
    }
    (settings, errors)
}

#[cfg(test)]
mod tests {
    use store::{Origin, StorageType, Unknown};

    use super::*;

    fn setting(scope: Scope, value: SettingValue) -> Setting {
        Setting {
            scope,
            index: None,
            value,
            origin: Origin::Cli,
            storage: StorageType::NonVolatile,
            active: true,
            instance: None,
            changed: None,
            unknown: Unknown::default(),
        }
    }

    #[test]
    fn what_is_said_of_the_instance_wins() {
        let of = |scope, enabled| setting(scope, SettingValue::Enabled { enabled });
        let instance = of(Scope::Instance("ha1".to_owned()), true);
        let role = of(Scope::Role(Role::HomeAgent), false);
        let other = of(Scope::Instance("ha2".to_owned()), false);
        let inactive = Setting { active: false, ..of(Scope::Instance("ha1".to_owned()), false) };
        let enabled = |rows: &[&Setting]| {
            let rows = rows.iter().copied();
            let (settings, errors) = effective(rows, "ha1", Role::HomeAgent, &[Role::HomeAgent]);
            assert!(errors.is_empty(), "{errors:?}");
            settings.enabled
        };
        assert!(enabled(&[&other, &inactive]));
        assert!(!enabled(&[&role]));
        assert!(enabled(&[&instance, &role]));
    }

    #[test]
    fn what_nothing_acts_on_is_said() {
        let row =
            setting(Scope::Instance("x".to_owned()), SettingValue::Enabled { enabled: false });
        let errors = |role, roles: &[Role]| effective([&row].into_iter(), "x", role, roles).1;
        assert!(errors(Role::HomeAgent, &[Role::HomeAgent]).is_empty());
        assert!(errors(Role::Snmp, &[Role::Snmp, Role::HomeAgent]).is_empty(), "another part does");
        let alone = errors(Role::Snmp, &[Role::Snmp]);
        assert!(alone["/mip4/config/instance=x/enabled"].contains("no part"), "{alone:?}");
    }
}
