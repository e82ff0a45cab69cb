//! The configuration of the engine, from the file and from what the engine keeps.

use agent::usm::{AuthenticationProtocol, PrivacyProtocol, Secret, User};
use agent::{EngineConfig, LocalFacts, Name, StorageType};
use anyhow::{Context as _, anyhow};
use tracing::warn;

use super::state::{EngineState, StoredKey, StoredUser};
use super::targets::add_targets;
use crate::clock::Clock;
use crate::config::{AUTHENTICATION, PRIVACY, SnmpConfig, UserAccess, UserConfig};

pub(super) const INTERNET: &[u32] = &[1, 3, 6, 1];

/// `mip4ExtOperations`, in which the table of operations is.
const OPERATIONS: &[u32] = match mibs::mip4_ext_mib::mip4_ext_operation_table::OID {
    [subtree @ .., _] => subtree,
    [] => &[],
};

/// Who may do what, and how traps find their way: writable only if a view names it.
/// Below SNMP-FRAMEWORK-MIB's arc `snmpModules`: targets, notifications, users, views, communities;
/// and operations, which do something to very many nodes at once.
const GUARDED: [&[u32]; 6] = [
    &[1, 3, 6, 1, 6, 3, 12],
    &[1, 3, 6, 1, 6, 3, 13],
    &[1, 3, 6, 1, 6, 3, 15],
    &[1, 3, 6, 1, 6, 3, 16],
    &[1, 3, 6, 1, 6, 3, 18],
    OPERATIONS,
];

/// Makes the configuration of the engine; its contexts are the default one and `instance`.
pub(crate) fn engine_config(
    config: &SnmpConfig,
    state: &EngineState,
    instance: &str,
    clock: &Clock,
) -> anyhow::Result<EngineConfig> {
    let [a, b, c, d, e, f, g, h, ..] = crate::system::seed()?;
    let mut engine = EngineConfig {
        local: facts(config, clock),
        engine_id: state.engine_id.0.clone(),
        engine_boots: state.engine_boots,
        salt: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        authentication_traps: config.authentication_traps,
        has_master: config.agentx.is_some(),
        ..EngineConfig::default()
    };
    engine.vacm.contexts.insert(Name::from(instance));
    for community in &config.communities {
        let [first, more @ ..] = community.subtrees.as_slice() else { continue };
        engine.allow_read(&community.name, first);
        let view = engine.communities.last().map(|added| added.security_name.clone());
        for (view, subtree) in view.into_iter().cycle().zip(more) {
            engine.vacm.add_family(view, subtree, true);
        }
    }
    for user in &config.users {
        let made = configured_user(user, &state.engine_id.0)
            .with_context(|| format!("the user `{}` cannot be", user.name))?;
        add_user(&mut engine, made, user.access, &user.subtrees, user.context.as_deref());
    }
    for user in &state.users {
        if config.users.iter().any(|configured| configured.name == user.name) {
            warn!(user = user.name, "the user of the configuration goes before the one added");
            continue;
        }
        let made = stored_user(user, &state.engine_id.0)
            .with_context(|| format!("the user `{}` cannot be", user.name))?;
        if user.is_managed {
            engine.users.push(made);
            continue;
        }
        let access = if user.write { UserAccess::Write } else { UserAccess::Read };
        add_user(&mut engine, made, access, &[INTERNET.to_vec()], None);
    }
    add_targets(&mut engine, config)?;
    Ok(engine)
}

fn facts(config: &SnmpConfig, clock: &Clock) -> LocalFacts {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let system = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    LocalFacts {
        started: clock.now().uptime,
        description: format!("mip4d {version} Mobile IPv4 on Linux {}", system.trim()),
        contact: config.contact.clone(),
        name: config.name.clone().unwrap_or_else(|| host.trim().to_owned()),
        location: config.location.clone(),
        ..LocalFacts::default()
    }
}

/// Lets `user` see what is below `subtrees`, and write there if it may.
fn add_user(
    engine: &mut EngineConfig,
    user: User,
    access: UserAccess,
    subtrees: &[Vec<u32>],
    context: Option<&str>,
) {
    let [first, more @ ..] = subtrees else { return };
    let number = engine.users.len();
    let write = (access == UserAccess::Write).then_some(first.as_slice());
    engine.allow_user_in(user, first, write, context);
    let (read_view, write_view) = (format!("user-{number}"), format!("write-{number}"));
    for subtree in more {
        engine.vacm.add_family(read_view.as_str().into(), subtree, true);
        if write.is_some() {
            engine.vacm.add_family(write_view.as_str().into(), subtree, true);
        }
    }
    let is_named = |guarded: &[u32]| subtrees.iter().any(|subtree| subtree.starts_with(guarded));
    for guarded in GUARDED.into_iter().filter(|guarded| write.is_some() && !is_named(guarded)) {
        engine.vacm.add_family(write_view.as_str().into(), guarded, false);
    }
}

fn configured_user(user: &UserConfig, engine_id: &[u8]) -> anyhow::Result<User> {
    let authentication = user
        .authentication
        .as_ref()
        .map(|(protocol, password)| (*protocol, Secret::password(password.expose())));
    let privacy = user
        .privacy
        .as_ref()
        .map(|(protocol, password)| (*protocol, Secret::password(password.expose())));
    make_user(&user.name, engine_id, authentication, privacy)
}

fn stored_user(user: &StoredUser, engine_id: &[u8]) -> anyhow::Result<User> {
    let authentication =
        user.auth.as_ref().map(|key| protocol_and_key(key, AUTHENTICATION)).transpose()?;
    let privacy = user.privacy.as_ref().map(|key| protocol_and_key(key, PRIVACY)).transpose()?;
    let mut made = make_user(&user.name, engine_id, authentication, privacy)?;
    // Managers may change what was not written into the file of the configuration.
    made.storage = StorageType::NonVolatile;
    made.public.clone_from(&user.public.0);
    made.is_cloned = user.is_cloned;
    made.status = user.status.into();
    Ok(made)
}

fn protocol_and_key<T: Copy>(key: &StoredKey, words: &[(&str, T)]) -> anyhow::Result<(T, Secret)> {
    let (_, protocol) = words
        .iter()
        .find(|(word, _)| *word == key.protocol)
        .ok_or_else(|| anyhow!("`{}` is no protocol", key.protocol))?;
    Ok((*protocol, Secret::Localized(key.key.0.clone())))
}

pub(super) fn make_user(
    name: &str,
    engine_id: &[u8],
    authentication: Option<(AuthenticationProtocol, Secret)>,
    privacy: Option<(PrivacyProtocol, Secret)>,
) -> anyhow::Result<User> {
    let mut user = User::new(name)?;
    if let Some((protocol, secret)) = authentication {
        user = user.with_authentication(engine_id, protocol, &secret)?;
    }
    if let Some((protocol, secret)) = privacy {
        user = user.with_privacy(engine_id, protocol, &secret)?;
    }
    Ok(user)
}
