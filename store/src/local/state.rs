//! What the files of a store say: the tables and the sealed secrets.

use std::io;
use std::sync::Arc;

use imbl::OrdMap;

use crate::journal::item::{Item, Malformed, Sealed};
use crate::secrets;
use crate::{AnyKey, AnyRow, Change, Event, Revision, Snapshot, Stamp, Table};

/// Everything at one revision. A clone costs nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) snapshot: Snapshot,
    pub(crate) secrets: OrdMap<String, Sealed>,
}

/// An item whose checksum is right cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadItem {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("`{0}` is no key that this version knows")]
    Path(String),
    #[error("the row at `{path}` cannot be read: {source}")]
    Row { path: String, source: serde_json::Error },
}

/// An item in memory.
pub(crate) enum Decoded {
    Row(AnyRow, Stamp),
    Deleted(AnyKey),
    Secret(String, Option<Sealed>),
}

/// Reads an item, which is the slow part of loading and needs no state.
pub(crate) fn decode(item: &Item<'_>) -> Result<Decoded, BadItem> {
    let unknown = || BadItem::Path(item.path.to_owned());
    if item.path.starts_with(secrets::PREFIX) {
        let sealed = item.put.map(|(stamp, octets)| Sealed { octets: Arc::from(octets), stamp });
        return Ok(Decoded::Secret(item.path.to_owned(), sealed));
    }
    let Some((stamp, value)) = item.put else {
        return AnyKey::from_path(item.path).map(Decoded::Deleted).ok_or_else(unknown);
    };
    let (table, _) = item
        .path
        .strip_prefix("/mip4/")
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(unknown)?;
    let table = Table::from_name(table).ok_or_else(unknown)?;
    match AnyRow::decode(table, value) {
        Ok(row) => Ok(Decoded::Row(row, stamp)),
        Err(source) => Err(BadItem::Row { path: item.path.to_owned(), source }),
    }
}

impl State {
    /// Puts an item back as it was.
    pub(crate) fn restore(&mut self, decoded: Decoded) {
        match decoded {
            Decoded::Row(row, stamp) => self.snapshot.tables.restore(row, stamp),
            Decoded::Deleted(key) => {
                self.snapshot.tables.remove(&key);
            }
            Decoded::Secret(path, Some(sealed)) => {
                self.secrets.insert(path, sealed);
            }
            Decoded::Secret(path, None) => {
                self.secrets.remove(&path);
            }
        }
    }

    /// Makes the changes of the journal's record of `revision` once more.
    pub(crate) fn replay<'a>(
        &mut self,
        revision: Revision,
        items: impl Iterator<Item = Result<Item<'a>, Malformed>>,
    ) -> Result<Event, BadItem> {
        let mut changes = Vec::new();
        let mut stamps = Vec::new();
        for item in items {
            let decoded = decode(&item?)?;
            match &decoded {
                Decoded::Row(row, stamp) => {
                    changes.push(Change::Put(row.clone()));
                    stamps.push(*stamp);
                }
                Decoded::Deleted(key) => {
                    changes.push(Change::Delete(key.clone()));
                    stamps.push(Stamp::default());
                }
                Decoded::Secret(..) => {}
            }
            self.restore(decoded);
        }
        self.snapshot.revision = revision;
        Ok(Event { revision, changes: changes.into(), stamps: stamps.into() })
    }

    /// Hands every row and secret to `each`, as it is stored.
    pub(crate) fn each(&self, each: &mut dyn FnMut(Item<'_>) -> io::Result<()>) -> io::Result<()> {
        for table in Table::ALL {
            for (row, stamp) in self.snapshot.tables.all(*table) {
                let value = row.encode().map_err(io::Error::other)?;
                each(Item { path: &row.key().path(), put: Some((stamp, &value)) })?;
            }
        }
        for (path, sealed) in &self.secrets {
            each(Item { path, put: Some((sealed.stamp, &sealed.octets)) })?;
        }
        Ok(())
    }

    /// Puts or, without octets, forgets a secret.
    pub(crate) fn put_secret(&mut self, path: &str, octets: Option<&[u8]>, at: Revision) -> Stamp {
        let Some(octets) = octets else {
            self.secrets.remove(path);
            return Stamp::default();
        };
        let old = self.secrets.get(path).map(|sealed| sealed.stamp);
        let stamp = Stamp {
            created: old.map_or(at, |stamp| stamp.created),
            modified: at,
            version: old.map_or(1, |stamp| stamp.version + 1),
        };
        self.secrets.insert(path.to_owned(), Sealed { octets: Arc::from(octets), stamp });
        stamp
    }
}
