//! The receivers of notifications that the configuration names.

use agent::notify::Receiver;
use agent::usm::{AuthenticationProtocol, PrivacyProtocol, RemoteUser};
use agent::vacm::Access;
use agent::{Community, EngineConfig, Name, SecurityLevel, SecurityModel};
use anyhow::{Context as _, bail};

use super::engine::INTERNET;
use crate::config::{SnmpConfig, TargetConfig, TargetSecurity, UserConfig};

/// Adds them, after the users and the communities.
pub(super) fn add_targets(engine: &mut EngineConfig, config: &SnmpConfig) -> anyhow::Result<()> {
    for target in &config.targets {
        add_target(engine, config, target)
            .with_context(|| format!("the target `{}` cannot be", target.name))?;
    }
    Ok(())
}

fn add_target(
    engine: &mut EngineConfig,
    config: &SnmpConfig,
    target: &TargetConfig,
) -> anyhow::Result<()> {
    let (model, security_name, level) = match &target.security {
        TargetSecurity::V1 { community } => {
            let model = SecurityModel::SNMPV1;
            (model, community_name(engine, model, community, target), SecurityLevel::NoAuthNoPriv)
        }
        TargetSecurity::V2c { community } => {
            let model = SecurityModel::SNMPV2C;
            (model, community_name(engine, model, community, target), SecurityLevel::NoAuthNoPriv)
        }
        TargetSecurity::V3 { user, level } => {
            let level = user_level(engine, user, *level)?;
            if target.inform {
                add_remote_user(engine, config, user)?;
            }
            (SecurityModel::USM, Name::from(user.as_str()), level)
        }
    };
    let receiver = Receiver {
        address: target.address,
        model,
        security_name,
        level,
        inform: target.inform,
        timeout: i32::try_from(target.timeout.saturating_mul(100))?,
        retry_count: i32::try_from(target.retries)?,
    };
    engine.targets.add(&target.name, receiver);
    let mut filter: Vec<(Vec<u32>, bool)> = Vec::new();
    filter.extend(target.include.iter().map(|subtree| (subtree.clone(), true)));
    filter.extend(target.exclude.iter().map(|subtree| (subtree.clone(), false)));
    if target.include.is_empty() && !filter.is_empty() {
        filter.push((INTERNET.to_vec(), true));
    }
    if !filter.is_empty() {
        engine.targets.add_filter(&target.name, &filter);
    }
    Ok(())
}

/// The security name that stands for a community; one that no request may use gets it here.
fn community_name(
    engine: &mut EngineConfig,
    model: SecurityModel,
    community: &str,
    target: &TargetConfig,
) -> Name {
    let known = engine.communities.iter().find(|known| known.is_named(community));
    let known = known.map(|known| (known.security_name.clone(), known.is_for_notifications));
    let name = match known {
        Some((name, false)) => return name,
        Some((name, true)) => name,
        None => {
            let name = Name::new(format!("t-{}", target.name).chars().take(32).collect::<String>());
            let mut added = Community::new(community, name.clone());
            added.is_for_notifications = true;
            engine.communities.push(added);
            name
        }
    };
    engine.vacm.add_group(model, name.clone(), name.clone());
    engine.vacm.add_family(name.clone(), INTERNET, true);
    let views = Access { notify_view: name.clone(), ..Access::default() };
    engine.vacm.add_access(name.clone(), SecurityLevel::NoAuthNoPriv, views);
    name
}

/// At which level notifications are sent in the name of `user`.
fn user_level(
    engine: &mut EngineConfig,
    user: &str,
    wanted: Option<SecurityLevel>,
) -> anyhow::Result<SecurityLevel> {
    let known = engine.users.iter().find(|known| known.name.octets() == user.as_bytes());
    let known = known.with_context(|| {
        format!("there is no user `{user}`: write `[[snmp.user]]` or run `mip4d snmp user add`")
    })?;
    match wanted {
        Some(level) if level > known.level_max() => bail!("`{user}` has no keys for that level"),
        Some(level) if level < known.level_max() => {
            // The views of the user are those of its own level; for less it has none yet.
            let key = (SecurityModel::USM, known.name.clone());
            if let Some(group) = engine.vacm.groups.get(&key).map(|group| group.name.clone()) {
                let views = Access { notify_view: group.clone(), ..Access::default() };
                engine.vacm.add_access(group, level, views);
            }
            Ok(level)
        }
        _ => Ok(known.level_max()),
    }
}

/// The user with its passwords: the keys at the receiver's engine are made of them.
fn add_remote_user(
    engine: &mut EngineConfig,
    config: &SnmpConfig,
    name: &str,
) -> anyhow::Result<()> {
    let user: &UserConfig = config
        .users
        .iter()
        .find(|user| user.name == name)
        .with_context(|| format!("the passwords of `{name}` are not in the file"))?;
    let authentication: Option<(AuthenticationProtocol, &str)> =
        user.authentication.as_ref().map(|(protocol, password)| (*protocol, password.expose()));
    let privacy: Option<(PrivacyProtocol, &str)> =
        user.privacy.as_ref().map(|(protocol, password)| (*protocol, password.expose()));
    if !engine.remote_users.iter().any(|known| known.is_named(name)) {
        engine.remote_users.push(RemoteUser::new(name, authentication, privacy)?);
    }
    Ok(())
}
