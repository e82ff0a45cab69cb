//! Numbers of the textual conventions that rows of the store hold as words.

use store::{Origin, StorageType};

use crate::Value;
use crate::engine::ErrorStatus;
use crate::row_status::StorageType as Written;

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

/// What a written `TruthValue` says.
pub(crate) fn from_truth(value: &Value) -> Result<bool, ErrorStatus> {
    match integer(value)? {
        1 => Ok(true),
        2 => Ok(false),
        _ => Err(ErrorStatus::WrongValue),
    }
}

/// What a written `Integer32` says.
pub(crate) fn integer(value: &Value) -> Result<i32, ErrorStatus> {
    match value {
        Value::Integer32(number) => Ok(*number),
        _ => Err(ErrorStatus::WrongType),
    }
}

/// What becomes of a row that is stored as `present` when `value` is written; managers make rows
/// `volatile(2)` and `nonVolatile(3)`, and nothing else.
pub(crate) fn change_storage(
    present: StorageType,
    value: &Value,
) -> Result<StorageType, ErrorStatus> {
    let before = match present {
        StorageType::Volatile => Written::Volatile,
        StorageType::NonVolatile => Written::NonVolatile,
        StorageType::Permanent => Written::Permanent,
        StorageType::ReadOnly => Written::ReadOnly,
    };
    Ok(match before.change(value, &[Written::Volatile, Written::NonVolatile])? {
        Written::Volatile => StorageType::Volatile,
        Written::NonVolatile | Written::Other => StorageType::NonVolatile,
        Written::Permanent => StorageType::Permanent,
        Written::ReadOnly => StorageType::ReadOnly,
    })
}
