//! Keeps what SET changes of the engine's administration, in the file of the engine.

use std::path::PathBuf;

use agent::usm::{Key, User};
use agent::{EngineConfig, Saved, StorageType};
use anyhow::{Context as _, anyhow};

use super::engine::engine_config;
use super::state::{EngineState, HexKey, StoredKey, StoredUser};
use super::stored::{StoredRow, saved};
use crate::clock::Clock;
use crate::config::{AUTHENTICATION, PRIVACY, SnmpConfig};

/// Writes the file of the engine, which `mip4d snmp user` may write, too.
#[derive(Debug)]
pub(crate) struct Keeper {
    path: PathBuf,
    /// The users as they were kept last: only what differs is written, so that nothing is
    /// undone that somebody else wrote in the meantime.
    users: Vec<User>,
}

impl Keeper {
    /// A keeper of the file at `path`, with the users that the engine starts with.
    pub(crate) fn new(path: PathBuf, users: &[User]) -> Self {
        let mut keeper = Self { path, users: Vec::new() };
        keeper.follow(users);
        keeper
    }

    /// The engine has these users by now.
    pub(crate) fn follow(&mut self, users: &[User]) {
        let kept = users.iter().filter(|user| user.storage == StorageType::NonVolatile);
        self.users = kept.cloned().collect();
    }

    /// What the engine of `instance` is told of `config` and of its file, as that is now: users
    /// that `mip4d snmp user` has added or deleted meanwhile are among it, or not.
    pub(crate) fn read(
        &self,
        config: &SnmpConfig,
        instance: &str,
        clock: &Clock,
    ) -> anyhow::Result<(EngineConfig, Saved)> {
        let state = EngineState::read(&self.path)?;
        let made = engine_config(config, &state, instance, clock)?;
        let shown = self.path.display();
        let saved = saved(&state).with_context(|| format!("`{shown}` is damaged"))?;
        Ok((made, saved))
    }

    /// Has `saved` on the disk when it returns.
    pub(crate) fn keep(&mut self, saved: Saved) -> anyhow::Result<()> {
        let rows = saved.rows.iter().map(StoredRow::of).collect::<anyhow::Result<Vec<_>>>()?;
        EngineState::change(&self.path, |state| {
            for before in &self.users {
                if !saved.users.iter().any(|user| user.name == before.name) {
                    state.users.retain(|stored| stored.name.as_bytes() != before.name.octets());
                }
            }
            for user in saved.users.iter().filter(|user| !self.users.contains(user)) {
                let stored = stored_user(user, &state.users)?;
                state.users.retain(|other| other.name != stored.name);
                state.users.push(stored);
            }
            state.users.sort_by(|one, other| one.name.cmp(&other.name));
            state.rows = rows;
            state.authentication_traps = saved.authentication_traps;
            state.system = saved.system.into();
            Ok(())
        })?;
        self.users = saved.users;
        Ok(())
    }
}

/// The user in the words of the file; what SNMP does not know of it stays as it is there.
fn stored_user(user: &User, stored: &[StoredUser]) -> anyhow::Result<StoredUser> {
    let name = String::from_utf8(user.name.octets().to_vec())?;
    let before = stored.iter().find(|stored| stored.name == name);
    let authentication = user.authentication();
    let privacy = user.privacy();
    Ok(StoredUser {
        auth: authentication.map(|(it, key)| stored_key(AUTHENTICATION, it, key)).transpose()?,
        privacy: privacy.map(|(it, key)| stored_key(PRIVACY, it, key)).transpose()?,
        write: before.is_some_and(|before| before.write),
        is_managed: before.is_none_or(|before| before.is_managed),
        public: super::state::Hex(user.public.clone()),
        is_cloned: user.is_cloned,
        status: user.status.into(),
        name,
    })
}

fn stored_key<T: Copy + PartialEq>(
    words: &[(&str, T)],
    protocol: T,
    key: &Key,
) -> anyhow::Result<StoredKey> {
    let word = words.iter().find(|(_, known)| *known == protocol);
    let (word, _) = word.ok_or_else(|| anyhow!("a protocol has no name"))?;
    Ok(StoredKey { protocol: (*word).to_owned(), key: HexKey(key.clone()) })
}

#[cfg(test)]
mod tests {
    use agent::usm::{AuthenticationProtocol, Secret};

    use super::*;

    fn user(name: &str) -> User {
        let secret = Secret::password("a good password");
        let protocol = AuthenticationProtocol::Sha256;
        let user = User::new(name).unwrap();
        let mut user = user.with_authentication(b"engine", protocol, &secret).unwrap();
        user.storage = StorageType::NonVolatile;
        user
    }

    fn names(state: &EngineState) -> Vec<&str> {
        state.users.iter().map(|user| user.name.as_str()).collect()
    }

    #[test]
    fn only_what_changed_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snmp-engine.json");
        EngineState::start(&path).unwrap();
        let mut keeper = Keeper::new(path.clone(), &[]);
        let saved = Saved { users: vec![user("one"), user("two")], ..Saved::default() };
        keeper.keep(saved).unwrap();
        // Somebody adds a user with `mip4d snmp user add` while the daemon runs.
        EngineState::change(&path, |state| {
            let three = stored_user(&user("three"), &[])?;
            state.users.push(StoredUser { is_managed: false, write: true, ..three });
            Ok(())
        })
        .unwrap();
        let traps = Some(true);
        let saved =
            Saved { users: vec![user("two")], authentication_traps: traps, ..Saved::default() };
        keeper.keep(saved).unwrap();
        let state = EngineState::read(&path).unwrap();
        assert_eq!(names(&state), ["three", "two"]);
        assert!(!state.users[0].is_managed && state.users[1].is_managed);
        assert_eq!(state.authentication_traps, Some(true));
    }
}
