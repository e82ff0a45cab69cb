//! The configuration file: TOML, read whole and checked whole before anything acts on it.

mod advertise;
mod agentx;
mod association;
mod daemon;
mod foreign_agent;
mod gateway;
mod home_agent;
mod mobile_node;
mod notification;
mod problem;
mod revocation;
mod secret;
mod section;
mod snmp;
mod snmp_target;
mod snmp_user;
mod store;
#[cfg(test)]
mod tests;

use std::fs;
use std::net::SocketAddrV4;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ::store::{Role, StoreUrl};
use toml::de::DeTable;

pub(crate) use advertise::AdvertiseSection;
pub(crate) use agentx::MasterAddress;
pub(crate) use association::AssociationConfig;
pub(crate) use daemon::{DaemonConfig, LogConfig};
pub(crate) use foreign_agent::ForeignAgentSection;
pub(crate) use gateway::GatewaySection;
pub(crate) use home_agent::HomeAgentSection;
pub(crate) use mobile_node::MobileNodeSection;
pub(crate) use problem::ConfigError;
pub(crate) use secret::Password;
pub(crate) use snmp::{CommunityConfig, Listen, SnmpConfig};
pub(crate) use snmp_target::{TargetConfig, TargetSecurity};
pub(crate) use snmp_user::{AUTHENTICATION, PRIVACY, UserAccess, UserConfig};
pub(crate) use store::StoreConfig;

use problem::{Problem, Problems};
use section::Section;

/// Everything that the file says.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) path: PathBuf,
    pub(crate) daemon: DaemonConfig,
    pub(crate) log: LogConfig,
    pub(crate) store: StoreConfig,
    pub(crate) snmp: Option<SnmpConfig>,
    pub(crate) home_agent: Option<HomeAgentSection>,
    pub(crate) foreign_agent: Option<ForeignAgentSection>,
    pub(crate) gateway: Option<GatewaySection>,
    pub(crate) mobile_node: Option<MobileNodeSection>,
    pub(crate) advertise: Vec<AdvertiseSection>,
    pub(crate) associations: Vec<AssociationConfig>,
    /// What is right but unwise, for the log.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    /// Reads and checks the file at `path`.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(read)?;
        let mode = fs::metadata(path).map_err(read)?.permissions().mode();
        let mut config = Self::parse(path, &text)
            .map_err(|problems| ConfigError::Wrong { path: path.to_owned(), problems })?;
        if config.holds_secrets && mode & 0o077 != 0 {
            let path = path.display();
            let warning = format!("{path} holds keys and others may read it: `chmod 600 {path}`");
            config.config.warnings.push(warning);
        }
        Ok(config.config)
    }

    /// Whether some agent, or a mobile node, runs in this process.
    pub(crate) fn has_mobility_role(&self) -> bool {
        self.home_agent.is_some()
            || self.foreign_agent.is_some()
            || self.gateway.is_some()
            || self.mobile_node.is_some()
    }

    /// The address and port that a home agent and a foreign agent share.
    pub(crate) fn shared_address(&self) -> Option<SocketAddrV4> {
        let home_agent = self.home_agent.as_ref()?.address;
        let mut addresses = self.foreign_agent.as_ref()?.addresses();
        addresses.any(|address| address == home_agent).then_some(home_agent)
    }

    /// Checks `text`; relative paths in it start at the folder of `path`.
    fn parse(path: &Path, text: &str) -> Result<Parsed, Vec<Problem>> {
        let problems = Problems::new(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            problems.add(&span, format!("not TOML: {}", error.message().trim_end()));
        }
        let config = Self::read(path, document.into_inner(), &problems);
        let found = problems.into_sorted();
        if found.is_empty() { Ok(config) } else { Err(found) }
    }

    /// Where a value is wrong, a default stands for it and `problems` says so.
    fn read<'i>(path: &Path, table: DeTable<'i>, problems: &Problems<'i>) -> Parsed {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut file = Section::new("", 0..0, table, problems);
        let mut warnings = Vec::new();
        let daemon = file.section("daemon").map(daemon::read).unwrap_or_default();
        let log = file.section("log").map(daemon::read_log).unwrap_or_default();
        let store = file.section("store").map(|section| store::read(section, folder));
        if store.is_none() && file.key_span("store").is_none() {
            file.missing("store", "a table `[store]` with `path` or `connect`");
        }
        let snmp = file.section("snmp").map(|section| snmp::read(section, folder));
        let is_connected = matches!(store, Some(StoreConfig::Connected(_)));
        if is_connected && snmp.as_ref().is_some_and(|snmp| snmp.state_file.is_none()) {
            // There is no folder that is known to be this process's own.
            file.missing("snmp.state-file", "a path, because the store is another process's");
        }
        let home_agent = file.section("home-agent").map(home_agent::read);
        let foreign_agent = file.section("foreign-agent").map(foreign_agent::read);
        let gateway_at = file.key_span("gateway").unwrap_or_default();
        let gateway = file.section("gateway").map(gateway::read);
        if home_agent.is_some() || foreign_agent.is_some() || gateway.is_some() {
            require_key_file(store.as_ref(), &file);
        }
        if let Some(gateway) = &gateway {
            let of_home_agent = home_agent.iter().map(|home| home.address);
            let of_foreign_agent = foreign_agent.iter().flat_map(ForeignAgentSection::addresses);
            if of_home_agent.chain(of_foreign_agent).any(|address| address == gateway.address()) {
                let message = "`gateway` and another agent are at one address: expected one each";
                problems.add(&gateway_at, message);
            }
        }
        let mobile_node = file.section("mobile-node").map(mobile_node::read);
        let agents = advertise::Agents {
            home_agent: home_agent.as_ref(),
            foreign_agent: foreign_agent.as_ref(),
        };
        let advertise = advertise::read(file.sections("advertise"), &agents, problems);
        let role = match (&home_agent, &foreign_agent, &gateway, &mobile_node) {
            (None, Some(_), _, _) => Role::ForeignAgent,
            (None, None, Some(_), _) => Role::Gateway,
            (None, None, None, Some(_)) => Role::MobileNode,
            _ => Role::HomeAgent,
        };
        let associations = file.sections("association");
        let associations = association::read(associations, folder, role, problems, &mut warnings);
        file.finish();
        // Only what is given in this very file makes it one to hide.
        let holds_secrets = associations.iter().any(|association| association.is_inline)
            || snmp.as_ref().is_some_and(|snmp| {
                !snmp.communities.is_empty()
                    || snmp.users.iter().any(|user| user.is_inline)
                    || snmp.targets.iter().any(TargetConfig::holds_secrets)
            });
        Parsed {
            config: Self {
                path: path.to_owned(),
                daemon,
                log,
                store: store.unwrap_or_default(),
                snmp,
                home_agent,
                foreign_agent,
                gateway,
                mobile_node,
                advertise,
                associations,
                warnings,
            },
            holds_secrets,
        }
    }
}

/// An agent's associations have keys, and no cluster sees one that is not sealed.
fn require_key_file(store: Option<&StoreConfig>, file: &Section<'_, '_>) {
    let Some(StoreConfig::Connected(connected)) = store else { return };
    if matches!(connected.url, StoreUrl::Etcd(_)) && connected.key_file.is_none() {
        let expected = "a path: keys of associations are sealed before they go to a cluster, \
                        and all of its daemons have the same file";
        file.missing("store.key-file", expected);
    }
}

struct Parsed {
    config: Config,
    holds_secrets: bool,
}
