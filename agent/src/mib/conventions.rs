//! Numbers of the textual conventions that rows of the store hold as words.

use store::{Origin, StorageType};

use crate::Value;

/// `active(1)` or `notInService(2)` of `RowStatus`.
pub(crate) fn row_status(is_active: bool) -> Value {
    Value::Integer32(if is_active { 1 } else { 2 })
}

/// `StorageType`; rows of the configuration file are read-only to managers.
pub(crate) fn storage_type(origin: Origin, storage: StorageType) -> Value {
    Value::Integer32(match (origin, storage) {
        (Origin::File, _) | (_, StorageType::ReadOnly) => 5,
        (_, StorageType::Permanent) => 4,
        (_, StorageType::NonVolatile) => 3,
        (_, StorageType::Volatile) => 2,
    })
}
