//! `config`: what daemons can be told while they run.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::Nai;

use super::{Changed, Origin, Role, StorageType, Unknown};
use crate::{Identity, Key, Row, Table};

/// The field that names the kind.
const KIND: &str = "kind";

/// One setting of a daemon, or of all daemons of a role.
///
/// Where there is no row, the configuration file and the defaults hold. A setting of an instance
/// takes precedence over one of its role.
///
/// ```json
/// {"scope":{"instance":"gate-home-agent"},"kind":"enabled","enabled":false,
///  "origin":"snmp","storage":"non-volatile","active":true}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Setting {
    pub scope: Scope,
    /// What within the scope it is about, where the kind has several.
    pub index: Option<SettingIndex>,
    pub value: SettingValue,
    pub origin: Origin,
    pub storage: StorageType,
    /// A setting that is not active has no effect; but where how to advertise is not active,
    /// nothing is advertised.
    pub active: bool,
    /// Whose file it is from, if its origin is the file and its scope no instance.
    pub instance: Option<String>,
    pub changed: Option<Changed>,
    pub unknown: Unknown,
}

/// Who acts on a setting.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The daemon of that name.
    Instance(String),
    /// Every daemon that plays the role.
    Role(Role),
}

/// What a setting is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingIndex {
    /// The index of an interface (RFC 2863).
    Interface(u32),
    Address(Ipv4Addr),
    /// A mobile node or an agent.
    Identity(Identity),
    /// A kind of notification, by its word.
    Notification(String),
}

/// The kinds of setting, each with its values.
///
/// A new kind is: a variant here, its word in [`SettingValue::kind`], its limits in
/// `change/validate.rs`, and an arm where a daemon acts on it (`daemons/src/settings.rs`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SettingValue {
    /// Whether the agents of the scope serve at all (`mipEnable`). No index.
    Enabled { enabled: bool },
    /// How an agent advertises on an interface (`maAdvertConfigTable`); index: the interface.
    Advertisement(AdvertisementSetting),
    /// Whether nodes on an interface must register with the foreign agent even if their care-of
    /// address is co-located (`faAdvertRegRequired`); index: the interface.
    RegistrationRequired { required: bool },
    /// How many of the latest challenges may be used on an interface (RFC 4721 §3, `faAdvertChallengeWindow`);
    /// index: the interface.
    ChallengeWindow { window: u32 },
    /// A home agent that a mobile node may use (`mnHATable`); index: its address.
    HomeAgent {},
    /// Whether the violations of an offender end when their agent starts again
    /// (`mipSecurityviolationStorageType`); index: the offender.
    Violation { volatile: bool },
    /// Whether notifications of a kind are sent, and how many a minute (`mip4ExtGateTable`);
    /// index: the kind.
    NotificationGate { open: bool, per_minute: u32 },
    /// A kind that this version does not know, or values that are not those of the kind. It is
    /// kept as it is, and refused when written.
    #[serde(skip)]
    Other { kind: String, values: BTreeMap<String, Value> },
}

/// The form of a [`Setting`] in JSON: the fields of its value lie beside its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stored {
    scope: Scope,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    index: Option<SettingIndex>,
    kind: String,
    origin: Origin,
    storage: StorageType,
    active: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<Changed>,
    #[serde(flatten)]
    values: BTreeMap<String, Value>,
}

impl From<Stored> for Setting {
    fn from(stored: Stored) -> Self {
        let Stored { scope, index, kind, origin, storage, active, instance, changed, values } =
            stored;
        let (value, unknown) = match SettingValue::read(&kind, &values) {
            Ok(value) => {
                let known = value.fields();
                let mut unknown = values;
                unknown.retain(|name, _| !known.contains_key(name));
                (value, unknown.into())
            }
            Err(_) => (SettingValue::Other { kind, values }, Unknown::default()),
        };
        Self { scope, index, value, origin, storage, active, instance, changed, unknown }
    }
}

impl From<Setting> for Stored {
    fn from(setting: Setting) -> Self {
        let kind = setting.value.kind().to_owned();
        let mut values = setting.unknown.into_fields();
        values.extend(setting.value.fields());
        let Setting { scope, index, origin, storage, active, instance, changed, .. } = setting;
        Self { scope, index, kind, origin, storage, active, instance, changed, values }
    }
}

/// The values of a [`SettingValue::Advertisement`]; times are in seconds.
///
/// What a row leaves out is as RFC 5944 §2.3 and RFC 1256 §6.2.1 have it by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the table has as many columns of TruthValue")]
pub struct AdvertisementSetting {
    /// The longest lifetime that registrations may ask for.
    pub registration_lifetime: u16,
    /// Whether the Prefix-Lengths Extension is part of it.
    pub prefix_lengths: bool,
    /// 224.0.0.1 or 255.255.255.255.
    pub destination: Ipv4Addr,
    pub interval_max: u16,
    pub interval_min: u16,
    /// How long an advertisement is valid.
    pub lifetime: u16,
    /// Only solicitations are answered.
    pub solicited_only: bool,
    pub home_agent: bool,
    pub foreign_agent: bool,
    /// The network's NAI (RFC 3846 §2), if it is advertised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_nai: Option<Nai>,
}

impl Default for AdvertisementSetting {
    fn default() -> Self {
        Self {
            registration_lifetime: 1800,
            prefix_lengths: false,
            destination: Ipv4Addr::new(224, 0, 0, 1),
            interval_max: 600,
            interval_min: 450,
            lifetime: 1800,
            solicited_only: false,
            home_agent: false,
            foreign_agent: false,
            network_nai: None,
        }
    }
}

impl SettingValue {
    /// How many notifications of a kind may be sent a minute unless somebody says otherwise.
    pub const GATE_PER_MINUTE: u32 = 600;
    /// How a gate stands that nobody has set.
    pub const OPEN_GATE: Self =
        Self::NotificationGate { open: true, per_minute: Self::GATE_PER_MINUTE };

    /// Reads the values of a setting of that kind; the error says what is wrong with them.
    pub(crate) fn read(
        kind: &str,
        values: &BTreeMap<String, Value>,
    ) -> Result<Self, serde_json::Error> {
        let mut object: serde_json::Map<_, _> = values.clone().into_iter().collect();
        object.insert(KIND.to_owned(), Value::from(kind));
        serde_json::from_value(Value::Object(object))
    }

    /// Its values by name, without the kind.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        if let Self::Other { values, .. } = self {
            return values.clone();
        }
        let Ok(Value::Object(mut object)) = serde_json::to_value(self) else {
            return BTreeMap::new(); // Every kind is an object.
        };
        object.remove(KIND);
        object.into_iter().collect()
    }

    /// The word for its kind, as it is in keys and in JSON.
    pub fn kind(&self) -> &str {
        match self {
            Self::Enabled { .. } => "enabled",
            Self::Advertisement(_) => "advertisement",
            Self::RegistrationRequired { .. } => "registration-required",
            Self::ChallengeWindow { .. } => "challenge-window",
            Self::HomeAgent {} => "home-agent",
            Self::Violation { .. } => "violation",
            Self::NotificationGate { .. } => "notification-gate",
            Self::Other { kind, .. } => kind,
        }
    }
}

impl Scope {
    fn segment(&self) -> String {
        match self {
            Self::Instance(name) => format!("instance={}", name.path()),
            Self::Role(role) => format!("role={}", role.as_str()),
        }
    }

    fn from_segment(segment: &str) -> Option<Self> {
        match segment.split_once('=')? {
            ("instance", name) => String::from_path(name).map(Self::Instance),
            ("role", word) => Role::from_str(word).map(Self::Role),
            _ => None,
        }
    }
}

impl SettingIndex {
    /// The kinds of notification, in the order of `Mip4ExtNotificationKind`.
    pub const NOTIFICATIONS: [&str; 9] = [
        "authentication-failure",
        "old-authentication-failure",
        "instance",
        "capacity",
        "violations",
        "clock",
        "store",
        "operation",
        "regional",
    ];

    fn segment(&self) -> String {
        match self {
            Self::Interface(index) => format!("interface={index}"),
            Self::Address(address) => format!("ip={address}"),
            Self::Identity(identity) => identity.segment(),
            Self::Notification(kind) => format!("notification={}", kind.path()),
        }
    }

    fn from_segment(segment: &str) -> Option<Self> {
        match segment.split_once('=')? {
            ("interface", index) => index.parse().ok().map(Self::Interface),
            ("ip", address) => address.parse().ok().map(Self::Address),
            ("notification", kind) => String::from_path(kind).map(Self::Notification),
            _ => Identity::from_segment(segment).map(Self::Identity),
        }
    }
}

/// Names a setting: by scope, kind and index, which is the order of a walk.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SettingKey {
    pub scope: Scope,
    pub kind: String,
    pub index: Option<SettingIndex>,
}

impl SettingKey {
    /// A key of that kind; see [`SettingValue::kind`] for the words.
    pub fn new(scope: Scope, kind: &str, index: Option<SettingIndex>) -> Self {
        Self { scope, kind: kind.to_owned(), index }
    }
}

/// `instance=gate/advertisement/interface=2`, `role=home-agent/enabled`.
impl Key for SettingKey {
    fn path(&self) -> String {
        let (scope, kind) = (self.scope.segment(), self.kind.path());
        match &self.index {
            Some(index) => format!("{scope}/{kind}/{}", index.segment()),
            None => format!("{scope}/{kind}"),
        }
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let scope = Scope::from_segment(parts.next()?)?;
        let kind = String::from_path(parts.next()?)?;
        let index = match parts.next() {
            Some(segment) => Some(SettingIndex::from_segment(segment)?),
            None => None,
        };
        parts.next().is_none().then_some(Self { scope, kind, index })
    }
}

impl Row for Setting {
    type Key = SettingKey;
    type Orders = ();
    const TABLE: Table = Table::Config;

    fn key(&self) -> SettingKey {
        SettingKey {
            scope: self.scope.clone(),
            kind: self.value.kind().to_owned(),
            index: self.index.clone(),
        }
    }
}
