//! What every row of configuration says of itself: where it is from, how long it lasts, who wrote it.

use serde::{Deserialize, Serialize};

use crate::UtcTime;

/// Who a row of configuration came from; rows from the file are read-only elsewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    File,
    Cli,
    Snmp,
}

impl Origin {
    /// Its word in rows and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Cli => "cli",
            Self::Snmp => "snmp",
        }
    }
}

/// How a row survives a restart (RFC 2579).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageType {
    /// It ends when its owner starts again.
    Volatile,
    NonVolatile,
    /// It can be changed, not deleted.
    Permanent,
    /// It can be neither changed nor deleted: rows of the file.
    ReadOnly,
}

impl StorageType {
    /// Its word in rows and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Volatile => "volatile",
            Self::NonVolatile => "non-volatile",
            Self::Permanent => "permanent",
            Self::ReadOnly => "read-only",
        }
    }
}

/// Who wrote a row last, and when.
///
/// At a served store both are the server's, from the credentials of the peer: what an operator
/// writes here is overwritten. Daemons say it themselves, for instance `snmp:admin`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub by: String,
    pub at: UtcTime,
}
