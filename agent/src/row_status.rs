//! `RowStatus` and `StorageType` (RFC 2579 §2).

/// The states of a conceptual row that it may be found in.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum RowStatus {
    #[default]
    Active,
    NotInService,
    NotReady,
}

impl RowStatus {
    pub const fn number(self) -> i32 {
        match self {
            Self::Active => 1,
            Self::NotInService => 2,
            Self::NotReady => 3,
        }
    }
}

/// How long a conceptual row lasts, and what may be done to it.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum StorageType {
    Other,
    Volatile,
    #[default]
    NonVolatile,
    /// It can be changed, not deleted.
    Permanent,
    /// It can be neither changed nor deleted: rows of the configuration file.
    ReadOnly,
}

impl StorageType {
    pub const fn number(self) -> i32 {
        match self {
            Self::Other => 1,
            Self::Volatile => 2,
            Self::NonVolatile => 3,
            Self::Permanent => 4,
            Self::ReadOnly => 5,
        }
    }

    pub fn from_number(number: i32) -> Option<Self> {
        [Self::Other, Self::Volatile, Self::NonVolatile, Self::Permanent, Self::ReadOnly]
            .into_iter()
            .find(|storage| storage.number() == number)
    }
}
