//! What belongs to one SNMP engine alone: its name, how often it was started, and users' keys.
//!
//! It is a file of its own and not a row: the store may be shared, and its being
//! down must not stop SNMP.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use agent::usm::{ENGINE_BOOTS_MAX, Key};
use anyhow::{Context as _, anyhow, bail};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracing::warn;

use super::stored::{StoredRow, StoredStatus, StoredSystem};
use crate::config::{Config, SnmpConfig, StoreConfig};

/// The octets that `snmpEngineID` starts with: its form, with the number of Net-SNMP, below whose
/// arc our own objects are too, and that what follows is octets (RFC 3411 §5).
const ENGINE_ID_START: [u8; 5] = [0x80, 0, 0x1f, 0x88, 5];

/// The file, as it is on disk.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EngineState {
    pub(crate) engine_id: Hex,
    /// Counted up before each start is served (RFC 3414 §2.2.2).
    pub(crate) engine_boots: i32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) users: Vec<StoredUser>,
    /// What was made by SET and is nonVolatile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rows: Vec<StoredRow>,
    /// `snmpEnableAuthenTraps`, once it was SET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authentication_traps: Option<bool>,
    #[serde(default, skip_serializing_if = "StoredSystem::is_empty")]
    pub(crate) system: StoredSystem,
    /// What the configuration of the last start was like, to tell a warm start from a cold one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) configuration: Option<String>,
}

/// A user with keys that are good for this engine alone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredUser {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auth: Option<StoredKey>,
    #[serde(default, rename = "priv", skip_serializing_if = "Option::is_none")]
    pub(crate) privacy: Option<StoredKey>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) write: bool,
    /// It was made by SET: what it may do is said by rows of the access tables alone.
    #[serde(default, rename = "managed", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_managed: bool,
    /// `usmUserPublic`.
    #[serde(default, skip_serializing_if = "Hex::is_empty")]
    pub(crate) public: Hex,
    #[serde(default = "yes", rename = "cloned", skip_serializing_if = "Clone::clone")]
    pub(crate) is_cloned: bool,
    #[serde(default)]
    pub(crate) status: StoredStatus,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredKey {
    /// In the words of Net-SNMP.
    pub(crate) protocol: String,
    pub(crate) key: HexKey,
}

/// Where the state of the engine is.
pub(crate) fn state_path(config: &Config) -> anyhow::Result<PathBuf> {
    let snmp: &SnmpConfig = config.snmp.as_ref().context("the file has no table `[snmp]`")?;
    match (&snmp.state_file, &config.store) {
        (Some(path), _) => Ok(path.clone()),
        (None, StoreConfig::Owned { path, .. }) => Ok(path.with_file_name("snmp-engine.json")),
        (None, StoreConfig::Connected(_)) => bail!("`snmp.state-file` is missing"),
    }
}

impl EngineState {
    /// Counts a start, durably, and returns what there is then.
    #[cfg(test)]
    pub(crate) fn start(path: &Path) -> anyhow::Result<Self> {
        Self::start_with(path, "").map(|(state, _)| state)
    }

    /// Counts a start with that configuration, durably; returns what there is then, and whether
    /// the last start had the same one.
    pub(crate) fn start_with(path: &Path, configuration: &str) -> anyhow::Result<(Self, bool)> {
        let digest = digest(configuration);
        let mut is_same = false;
        let state = Self::change(path, |state| {
            is_same = state.configuration.replace(digest.clone()) == Some(digest);
            if state.engine_boots == ENGINE_BOOTS_MAX {
                warn!("snmpEngineBoots is at its end: SNMPv3 needs a new `{}`", path.display());
            } else {
                state.engine_boots += 1;
            }
            Ok(())
        })?;
        Ok((state, is_same))
    }

    /// Reads the file; one that was never started has no boots.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::new(),
            read => read.with_context(|| format!("failed to read `{}`", path.display()))?,
        };
        let state: Self = serde_json::from_slice(&text).with_context(|| {
            // A new name would lock every manager's users out, so that is a person's decision.
            format!("`{}` is damaged: restore it, or remove it for a new engine", path.display())
        })?;
        let (length, boots) = (state.engine_id.0.len(), state.engine_boots);
        if !(5..=32).contains(&length) || boots < 0 {
            bail!("`{}` holds an engine that cannot be", path.display());
        }
        Ok(state)
    }

    /// Changes the file while no other process does, durably.
    pub(crate) fn change(
        path: &Path,
        change: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let shown = path.display();
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to make the folder of `{shown}`"))?;
        let lock = private(&path.with_extension("lock"))
            .open(path.with_extension("lock"))
            .with_context(|| format!("failed to lock `{shown}`"))?;
        flock(&lock, FlockOperation::LockExclusive)
            .with_context(|| format!("failed to lock `{shown}`"))?;
        let mut state = Self::read(path)?;
        change(&mut state)?;
        state.write(path, folder).with_context(|| format!("failed to write `{shown}`"))?;
        Ok(state)
    }

    fn new() -> anyhow::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow!("no randomness: {error}"))?;
        let engine_id = Hex([ENGINE_ID_START.as_slice(), &random].concat());
        Ok(Self {
            engine_id,
            engine_boots: 0,
            users: Vec::new(),
            rows: Vec::new(),
            authentication_traps: None,
            system: StoredSystem::default(),
            configuration: None,
        })
    }

    /// Writes beside the file and takes its place, each with a sync: old or new, never half.
    fn write(&self, path: &Path, folder: &Path) -> anyhow::Result<()> {
        let beside = path.with_extension("new");
        let mut file = private(&beside).truncate(true).open(&beside)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()?;
        Ok(())
    }
}

/// Tells one configuration from another: FNV-1a, 64 bits. Nobody gains from a collision.
fn digest(text: &str) -> String {
    let start: u64 = 0xcbf2_9ce4_8422_2325;
    let step = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(start, step))
}

/// For files that nobody else may read.
fn private(_path: &Path) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// Octets as hexadecimal digits.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Hex {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.as_bytes().chunks(2);
        let octets: Option<Vec<u8>> = digits
            .map(|pair| {
                let digits = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
                u8::from_str_radix(digits, 16).ok()
            })
            .collect();
        octets.map(Self).ok_or_else(|| serde::de::Error::custom("expected hexadecimal digits"))
    }
}

/// The same for a key, which nothing but the file shows.
#[derive(Clone, Debug)]
pub(crate) struct HexKey(pub(crate) Key);

impl Serialize for HexKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Hex(self.0.octets().to_vec()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HexKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Hex::deserialize(deserializer).map(|Hex(octets)| Self(Key::new(&octets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_counts_and_the_name_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/snmp-engine.json");
        let first = EngineState::start(&path).unwrap();
        let second = EngineState::start(&path).unwrap();
        assert_eq!((first.engine_boots, second.engine_boots), (1, 2));
        assert_eq!(first.engine_id, second.engine_id);
        assert!(first.engine_id.0.starts_with(&ENGINE_ID_START) && first.engine_id.0.len() == 13);
        let mode =
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snmp-engine.json");
        for text in [
            "{",
            "{\"engine_id\":\"8\",\"engine_boots\":1}",
            "{\"engine_id\":\"80\",\"engine_boots\":1}",
        ] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", EngineState::start(&path).unwrap_err());
            assert!(error.contains("snmp-engine.json"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn boots_stop_at_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snmp-engine.json");
        EngineState::change(&path, |state| {
            state.engine_boots = ENGINE_BOOTS_MAX;
            Ok(())
        })
        .unwrap();
        assert_eq!(EngineState::start(&path).unwrap().engine_boots, ENGINE_BOOTS_MAX);
    }
}
