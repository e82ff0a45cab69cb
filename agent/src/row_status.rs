//! `RowStatus` and `StorageType` (RFC 2579 §2): when rows come to be, and cease.

use crate::engine::ErrorStatus;
use crate::value::Value;

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

/// What a manager may write into a status column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RowAction {
    Active,
    NotInService,
    CreateAndGo,
    CreateAndWait,
    Destroy,
}

impl RowAction {
    /// Reads a value that was written; `notReady` may only be read.
    pub fn from_value(value: &Value) -> Result<Self, ErrorStatus> {
        match value {
            Value::Integer32(1) => Ok(Self::Active),
            Value::Integer32(2) => Ok(Self::NotInService),
            Value::Integer32(4) => Ok(Self::CreateAndGo),
            Value::Integer32(5) => Ok(Self::CreateAndWait),
            Value::Integer32(6) => Ok(Self::Destroy),
            Value::Integer32(_) => Err(ErrorStatus::WrongValue),
            _ => Err(ErrorStatus::WrongType),
        }
    }

    /// The state after this, or `None` if there is no row any more.
    ///
    /// `complete` says whether the row has all that it needs, what the same
    /// request writes included.
    ///
    /// ```text
    ///                    no row           notReady         notInService     active
    /// createAndGo        active *         inconsistent     inconsistent     inconsistent
    /// createAndWait      the row waits    inconsistent     inconsistent     inconsistent
    /// active             inconsistent     active *         active *         active
    /// notInService       inconsistent     notInService *   notInService     notInService
    /// destroy            no row           no row           no row           no row
    ///
    /// * if it is complete, else inconsistentValue
    /// ```
    pub fn apply(
        self,
        current: Option<RowStatus>,
        complete: bool,
    ) -> Result<Option<RowStatus>, ErrorStatus> {
        let waiting = if complete { RowStatus::NotInService } else { RowStatus::NotReady };
        match (self, current) {
            (Self::Destroy, _) => Ok(None),
            (Self::CreateAndGo, None) | (Self::Active, Some(_)) if complete => {
                Ok(Some(RowStatus::Active))
            }
            (Self::CreateAndWait, None) => Ok(Some(waiting)),
            (Self::NotInService, Some(_)) if complete => Ok(Some(RowStatus::NotInService)),
            (
                Self::CreateAndGo | Self::CreateAndWait | Self::Active | Self::NotInService,
                None | Some(_),
            ) => Err(ErrorStatus::InconsistentValue),
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

    /// What a manager may make of a row that is stored like this.
    ///
    /// A permanent or read-only row stays what it is, and no row becomes one.
    pub fn change(self, value: &Value, supported: &[Self]) -> Result<Self, ErrorStatus> {
        let Value::Integer32(number) = value else { return Err(ErrorStatus::WrongType) };
        let wanted = Self::from_number(*number).ok_or(ErrorStatus::WrongValue)?;
        let fixed = |storage| matches!(storage, Self::Permanent | Self::ReadOnly);
        if wanted == self || (!fixed(self) && !fixed(wanted) && supported.contains(&wanted)) {
            Ok(wanted)
        } else {
            Err(ErrorStatus::InconsistentValue)
        }
    }

    /// Whether columns of the row may be written.
    pub const fn allows_change(self) -> bool {
        !matches!(self, Self::ReadOnly)
    }

    /// Whether the row may be destroyed.
    pub const fn allows_destroy(self) -> bool {
        !matches!(self, Self::ReadOnly | Self::Permanent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIONS: [RowAction; 5] = [
        RowAction::CreateAndGo,
        RowAction::CreateAndWait,
        RowAction::Active,
        RowAction::NotInService,
        RowAction::Destroy,
    ];

    /// The table of RFC 2579: rows are actions, columns the states A to D.
    #[test]
    fn every_action_in_every_state() {
        let states = [
            None,
            Some(RowStatus::NotReady),
            Some(RowStatus::NotInService),
            Some(RowStatus::Active),
        ];
        // a: active, s: notInService, r: notReady, -: no row, x: inconsistentValue
        let complete = ["axxx", "sxxx", "xaaa", "xsss", "----"];
        let incomplete = ["xxxx", "rxxx", "xxxx", "xxxx", "----"];
        for (want, is_complete) in [(complete, true), (incomplete, false)] {
            for (action, want) in ACTIONS.into_iter().zip(want) {
                let got = states.map(|state| match action.apply(state, is_complete) {
                    Ok(Some(RowStatus::Active)) => 'a',
                    Ok(Some(RowStatus::NotInService)) => 's',
                    Ok(Some(RowStatus::NotReady)) => 'r',
                    Ok(None) => '-',
                    Err(ErrorStatus::InconsistentValue) => 'x',
                    Err(other) => panic!("{other:?}"),
                });
                assert_eq!(got.iter().collect::<String>(), want, "{action:?} {is_complete}");
            }
        }
    }

    #[test]
    fn not_ready_is_never_written() {
        assert_eq!(RowAction::from_value(&Value::Integer32(3)), Err(ErrorStatus::WrongValue));
        assert_eq!(RowAction::from_value(&Value::Integer32(7)), Err(ErrorStatus::WrongValue));
        assert_eq!(RowAction::from_value(&Value::Gauge32(1)), Err(ErrorStatus::WrongType));
    }

    #[test]
    fn storage_types_that_are_fixed_stay() {
        let change = |from: StorageType, to| {
            from.change(&Value::Integer32(to), &[StorageType::Volatile, StorageType::NonVolatile])
        };
        assert_eq!(change(StorageType::Volatile, 3), Ok(StorageType::NonVolatile));
        assert_eq!(change(StorageType::Volatile, 4), Err(ErrorStatus::InconsistentValue));
        assert_eq!(change(StorageType::Volatile, 1), Err(ErrorStatus::InconsistentValue));
        assert_eq!(change(StorageType::Permanent, 2), Err(ErrorStatus::InconsistentValue));
        assert_eq!(change(StorageType::Permanent, 4), Ok(StorageType::Permanent));
        assert_eq!(change(StorageType::Volatile, 6), Err(ErrorStatus::WrongValue));
        assert!(StorageType::Permanent.allows_change() && !StorageType::Permanent.allows_destroy());
        assert!(!StorageType::ReadOnly.allows_change());
    }
}
