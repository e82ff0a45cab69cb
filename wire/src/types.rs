//! The small values that messages are made of.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A Code of a Registration Reply (RFC 5944 §3.4), or of another message that has one.
///
/// Open on purpose: codes are managed by IANA, and RFC 5944 puts a foreign
/// agent's code 194 into the home agent's range.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(pub u8);

impl Code {
    pub const ACCEPTED: Self = Self(0);
    pub const ACCEPTED_NO_SIMULTANEOUS_BINDINGS: Self = Self(1);

    /// Whether the registration was granted (§3.4: 0 and 1).
    pub const fn is_accepted(self) -> bool {
        self.0 <= 1
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The flag octet of a Registration Request, `S B D M G r T x` (RFC 5944 §3.3).
///
/// Reserved bits are kept as they arrived.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(pub u8);

impl Flags {
    pub const SIMULTANEOUS_BINDINGS: u8 = 0x80;
    pub const BROADCAST_DATAGRAMS: u8 = 0x40;
    pub const DECAPSULATION_BY_MOBILE_NODE: u8 = 0x20;
    pub const MINIMAL_ENCAPSULATION: u8 = 0x10;
    pub const GRE: u8 = 0x08;
    pub const REVERSE_TUNNEL: u8 = 0x02;
    /// The bits `r` and `x`.
    pub const RESERVED: u8 = 0x05;

    /// Whether any bit of `mask` is set.
    pub const fn any(self, mask: u8) -> bool {
        self.0 & mask != 0
    }
}

/// A registration lifetime in seconds; 0 deregisters, 0xffff is infinity (RFC 5944 §3.3).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lifetime(pub u16);

impl Lifetime {
    pub const ZERO: Self = Self(0);
    pub const INFINITE: Self = Self(u16::MAX);

    /// The time it lasts; `None` for ever.
    pub fn duration(self) -> Option<Duration> {
        (self != Self::INFINITE).then(|| Duration::from_secs(self.0.into()))
    }
}

/// The 64-bit Identification that matches replies and stops replays (RFC 5944 §5.7).
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Identification(pub u64);

impl Identification {
    /// The upper 32 bits: seconds of NTP time in the timestamp style (§5.7.1).
    pub fn high(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// The lower 32 bits: fraction of a second, or the reply's matching part (§5.7.1, §5.7.2).
    pub fn low(self) -> u32 {
        let [.., a, b, c, d] = self.0.to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    pub fn from_halves(high: u32, low: u32) -> Self {
        Self(u64::from(high) << 32 | u64::from(low))
    }
}

/// A Security Parameter Index; 0–255 are reserved (RFC 5944 §1.6).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spi(pub u32);

impl Spi {
    /// Whether it lies in 0–255, which no association may use.
    pub const fn is_reserved(self) -> bool {
        self.0 < 256
    }
}

impl fmt::Display for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A Network Access Identifier (RFC 2794 §2): 1 to 255 octets of UTF-8 without control characters.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nai(Arc<str>);

/// Why octets are not a [`Nai`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NaiError {
    #[error("a network access identifier has 1 to 255 octets, this one {0}")]
    Length(usize),
    #[error("a network access identifier is UTF-8 without control characters")]
    Characters,
}

impl Nai {
    pub fn new(text: &str) -> Result<Self, NaiError> {
        if text.is_empty() || text.len() > 255 {
            return Err(NaiError::Length(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(NaiError::Characters);
        }
        Ok(Self(text.into()))
    }

    /// Takes the octets of an extension.
    pub fn from_octets(octets: &[u8]) -> Result<Self, NaiError> {
        Self::new(std::str::from_utf8(octets).map_err(|_| NaiError::Characters)?)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Nai {
    type Err = NaiError;

    fn from_str(text: &str) -> Result<Self, NaiError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Nai {
    type Error = NaiError;

    fn try_from(text: String) -> Result<Self, NaiError> {
        Self::new(&text)
    }
}

impl From<Nai> for String {
    fn from(nai: Nai) -> Self {
        nai.0.as_ref().to_owned()
    }
}
