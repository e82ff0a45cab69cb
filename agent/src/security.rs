//! Words that the security and access control subsystems share (RFC 3411).

/// Whether a message is, or must be, authenticated and encrypted (RFC 3411 §3.4.3).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum SecurityLevel {
    #[default]
    NoAuthNoPriv,
    AuthNoPriv,
    AuthPriv,
}

impl SecurityLevel {
    /// The number that `SnmpSecurityLevel` gives it.
    pub const fn number(self) -> i32 {
        match self {
            Self::NoAuthNoPriv => 1,
            Self::AuthNoPriv => 2,
            Self::AuthPriv => 3,
        }
    }

    pub fn from_number(number: i32) -> Option<Self> {
        [Self::NoAuthNoPriv, Self::AuthNoPriv, Self::AuthPriv]
            .into_iter()
            .find(|level| level.number() == number)
    }

    pub(crate) fn is_authenticated(self) -> bool {
        self >= Self::AuthNoPriv
    }

    pub(crate) fn is_private(self) -> bool {
        self == Self::AuthPriv
    }
}

/// An `SnmpSecurityModel` (RFC 3411 §5).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct SecurityModel(pub i32);

impl SecurityModel {
    /// Matches every model; only a row of the access table may say it.
    pub const ANY: Self = Self(0);
    pub const SNMPV1: Self = Self(1);
    pub const SNMPV2C: Self = Self(2);
    pub const USM: Self = Self(3);
}

/// A name that is an index part of variable length: shorter ones come first,
/// because the length is the first sub-identifier (RFC 2578 §7.7).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Name(pub Vec<u8>);

impl Name {
    pub fn new(octets: impl AsRef<[u8]>) -> Self {
        Self(octets.as_ref().to_vec())
    }

    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether these are its octets. Most names that every request compares, of contexts, are empty:
    /// then nothing is compared, for the reason that `store::Identity` gives.
    pub(crate) fn is(&self, octets: &[u8]) -> bool {
        self.0.len() == octets.len() && (octets.is_empty() || self.0 == octets)
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
