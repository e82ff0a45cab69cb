//! What was made by SET, in the file of the engine.

use agent::{Oid, RowStatus, Saved, SavedRow, SystemNames, Value};
use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};

use super::state::Hex;

/// A row of an administrative table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredRow {
    /// The descriptor of the table.
    table: String,
    /// The sub-identifiers of the index, with dots.
    index: String,
    status: StoredStatus,
    columns: Vec<(u32, StoredValue)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum StoredStatus {
    #[default]
    Active,
    NotInService,
    NotReady,
}

/// The types that columns of these tables have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredValue {
    Integer(i32),
    Octets(Hex),
    Oid(String),
}

/// What of the system group was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredSystem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

impl From<RowStatus> for StoredStatus {
    fn from(status: RowStatus) -> Self {
        match status {
            RowStatus::Active => Self::Active,
            RowStatus::NotInService => Self::NotInService,
            RowStatus::NotReady => Self::NotReady,
        }
    }
}

impl From<StoredStatus> for RowStatus {
    fn from(status: StoredStatus) -> Self {
        match status {
            StoredStatus::Active => Self::Active,
            StoredStatus::NotInService => Self::NotInService,
            StoredStatus::NotReady => Self::NotReady,
        }
    }
}

impl From<SystemNames> for StoredSystem {
    fn from(SystemNames { contact, name, location }: SystemNames) -> Self {
        Self { contact, name, location }
    }
}

impl From<StoredSystem> for SystemNames {
    fn from(StoredSystem { contact, name, location }: StoredSystem) -> Self {
        Self { contact, name, location }
    }
}

impl StoredSystem {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl StoredRow {
    /// The row in the words of the file.
    pub(crate) fn of(row: &SavedRow) -> anyhow::Result<Self> {
        let value = |value: &Value| match value {
            Value::Integer32(number) => Ok(StoredValue::Integer(*number)),
            Value::OctetString(octets) => Ok(StoredValue::Octets(Hex(octets.to_vec()))),
            Value::ObjectIdentifier(oid) => Ok(StoredValue::Oid(oid.to_string())),
            other => Err(anyhow!("no column of {} can be {other:?}", row.table)),
        };
        let columns = row.columns.iter().map(|(column, cell)| Ok((*column, value(cell)?)));
        Ok(Self {
            table: row.table.clone(),
            index: Oid::from(row.index.as_slice()).to_string(),
            status: row.status.into(),
            columns: columns.collect::<anyhow::Result<_>>()?,
        })
    }

    fn row(&self) -> anyhow::Result<SavedRow> {
        let value = |value: &StoredValue| {
            Ok::<_, anyhow::Error>(match value {
                StoredValue::Integer(number) => Value::Integer32(*number),
                StoredValue::Octets(octets) => Value::octets(&octets.0),
                StoredValue::Oid(text) => Value::ObjectIdentifier(sub_ids(text)?.as_slice().into()),
            })
        };
        let columns = self.columns.iter().map(|(column, cell)| Ok((*column, value(cell)?)));
        Ok(SavedRow {
            table: self.table.clone(),
            index: sub_ids(&self.index)?,
            columns: columns.collect::<anyhow::Result<_>>()?,
            status: self.status.into(),
        })
    }
}

fn sub_ids(text: &str) -> anyhow::Result<Vec<u32>> {
    let parsed: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
    let sub_ids = parsed.with_context(|| format!("`{text}` is no list of sub-identifiers"))?;
    if sub_ids.len() > Oid::LEN_MAX {
        return Err(anyhow!("`{text}` has too many sub-identifiers"));
    }
    Ok(sub_ids)
}

/// What the engine takes back, without the users: those are part of its configuration.
pub(crate) fn saved(state: &super::EngineState) -> anyhow::Result<Saved> {
    let rows = state.rows.iter().map(|row| {
        row.row().with_context(|| format!("a row of `{}` in the file cannot be", row.table))
    });
    Ok(Saved {
        rows: rows.collect::<anyhow::Result<_>>()?,
        users: Vec::new(),
        authentication_traps: state.authentication_traps,
        system: state.system.clone().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_the_file() {
        let row = SavedRow {
            table: "snmpTargetAddrTable".to_owned(),
            index: vec![110, 111, 99],
            columns: vec![
                (2, Value::ObjectIdentifier([1, 3, 6, 1, 6, 1, 1].into())),
                (3, Value::octets([192, 0, 2, 7, 0, 162])),
                (4, Value::Integer32(1500)),
            ],
            status: RowStatus::NotInService,
        };
        let text = serde_json::to_string(&StoredRow::of(&row).unwrap()).unwrap();
        let back: StoredRow = serde_json::from_str(&text).unwrap();
        assert_eq!(back.row().unwrap(), row, "{text}");
    }

    #[test]
    fn what_is_no_index_is_said() {
        let text = "{\"table\":\"x\",\"index\":\"1.x\",\"status\":\"active\",\"columns\":[]}";
        let row: StoredRow = serde_json::from_str(text).unwrap();
        assert!(format!("{:#}", row.row().unwrap_err()).contains("1.x"));
    }
}
