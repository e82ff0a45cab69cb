//! What an engine is told at its start.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::admin::{Admin, SpinLocks};
use crate::mib::LocalFacts;
use crate::notify::Targets;
use crate::row_status::{RowStatus, StorageType};
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::usm::{RemoteUser, User};
use crate::vacm::{Access, AccessKey, Family, Group, Subtree, Vacm};

/// The largest UDP payload over IPv4 (RFC 768, RFC 791).
const DATAGRAM_MAX: usize = 65_507;

/// The configuration of an [`super::Engine`].
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub local: LocalFacts,
    /// The largest message that is sent, in octets.
    pub message_size_max: usize,
    /// `snmpEngineID`: 5 to 32 octets, of this engine alone (RFC 3411 §5).
    pub engine_id: Vec<u8>,
    /// How often the engine was started, this time included; it must be on disk before it is used.
    pub engine_boots: i32,
    /// Something random, so that a salt is not used again after a restart.
    pub salt: u64,
    pub communities: Vec<Community>,
    pub users: Vec<User>,
    pub vacm: Vacm,
    /// `snmpEnableAuthenTraps` at the start.
    pub authentication_traps: bool,
    /// Where notifications go.
    pub targets: Targets,
    /// Users in whose name informs are sent to other engines.
    pub remote_users: Vec<RemoteUser>,
    /// Whether notifications go to a master agent, too.
    pub has_master: bool,
}

impl Default for EngineConfig {
    /// Serves nobody: there is no community and no user.
    fn default() -> Self {
        let mut vacm = Vacm::default();
        vacm.contexts.insert(Name::default());
        Self {
            local: LocalFacts::default(),
            message_size_max: DATAGRAM_MAX,
            engine_id: Vec::new(),
            engine_boots: 1,
            salt: 0,
            communities: Vec::new(),
            users: Vec::new(),
            vacm,
            authentication_traps: false,
            targets: Targets::default(),
            remote_users: Vec::new(),
            has_master: false,
        }
    }
}

impl EngineConfig {
    /// Spin locks start at a number that managers did not see before the restart (RFC 3418).
    pub(super) fn locks(&self) -> SpinLocks {
        let [a, b, c, d, e, f, g, h] = self.salt.to_be_bytes();
        let start = |octets| i32::from_be_bytes(octets) & i32::MAX;
        SpinLocks {
            set: start([a, b, c, d]),
            view: start([e, f, g, h]),
            target: start([d, c, f, e]),
            user: start([h, a, g, b]),
        }
    }

    /// What of it SNMP itself can change; users, communities, views and targets are taken out.
    pub(super) fn take_admin(&mut self, locks: SpinLocks) -> Admin {
        let users = std::mem::take(&mut self.users).into_iter();
        let communities = std::mem::take(&mut self.communities).into_iter();
        Admin {
            engine_id: Name(std::mem::take(&mut self.engine_id)),
            communities: communities.map(Arc::new).collect(),
            vacm: std::mem::take(&mut self.vacm),
            users: users.map(|user| (user.name.clone(), Arc::new(user))).collect(),
            authentication_traps: self.authentication_traps,
            targets: std::mem::take(&mut self.targets),
            locks,
            ..Admin::default()
        }
    }

    /// Lets who knows `community` read what is below `subtree`, by SNMPv1 and SNMPv2c.
    pub fn allow_read(&mut self, community: &str, subtree: &[u32]) -> &mut Self {
        let name = Name::from(format!("community-{}", self.communities.len()).as_str());
        self.communities.push(Community::new(community, name.clone()));
        for model in [SecurityModel::SNMPV1, SecurityModel::SNMPV2C] {
            self.vacm.add_group(model, name.clone(), name.clone());
        }
        self.vacm.add_family(name.clone(), subtree, true);
        let (read_view, notify_view) = (name.clone(), name.clone());
        let views = Access { read_view, notify_view, ..Access::default() };
        self.vacm.add_access(name, SecurityLevel::NoAuthNoPriv, views);
        self
    }

    /// Adds a user who may read, and perhaps write, what is below the subtrees;
    /// at the highest security level that the user has keys for and no lower.
    pub fn allow_user(&mut self, user: User, read: &[u32], write: Option<&[u32]>) -> &mut Self {
        self.allow_user_in(user, read, write, None)
    }

    /// The same, in one context alone if one is given.
    pub fn allow_user_in(
        &mut self,
        user: User,
        read: &[u32],
        write: Option<&[u32]>,
        context: Option<&str>,
    ) -> &mut Self {
        let number = self.users.len();
        let group = Name::from(format!("user-{number}").as_str());
        let (read_view, write_view) =
            (group.clone(), Name::from(format!("write-{number}").as_str()));
        self.vacm.add_group(SecurityModel::USM, user.name.clone(), group.clone());
        self.vacm.add_family(read_view.clone(), read, true);
        let mut views = Access { notify_view: read_view.clone(), read_view, ..Access::default() };
        if let Some(write) = write {
            self.vacm.add_family(write_view.clone(), write, true);
            views.write_view = write_view;
        }
        match context {
            None => self.vacm.add_access(group, user.level_max(), views),
            Some(context) => {
                self.vacm.add_access_in(group, context.into(), user.level_max(), views);
            }
        }
        self.users.push(user);
        self
    }
}

impl Vacm {
    /// Puts a security name into a group, by configuration.
    pub fn add_group(&mut self, model: SecurityModel, security_name: Name, group: Name) {
        let (storage, status) = (StorageType::ReadOnly, RowStatus::Active);
        self.groups.insert((model, security_name), Group { name: group, storage, status });
    }

    /// Gives a group its views in all contexts, by configuration.
    pub fn add_access(&mut self, group: Name, level: SecurityLevel, views: Access) {
        let context_prefix = Name::default();
        let key = AccessKey { group, context_prefix, model: SecurityModel::ANY, level };
        let storage = StorageType::ReadOnly;
        self.access.insert(key, Access { prefix_match: true, storage, ..views });
    }

    /// Gives a group its views in one context, by configuration.
    pub fn add_access_in(
        &mut self,
        group: Name,
        context: Name,
        level: SecurityLevel,
        views: Access,
    ) {
        let key = AccessKey { group, context_prefix: context, model: SecurityModel::ANY, level };
        let storage = StorageType::ReadOnly;
        self.access.insert(key, Access { prefix_match: false, storage, ..views });
    }

    /// Adds a subtree to a view, or takes it out, by configuration.
    pub fn add_family(&mut self, view: Name, subtree: &[u32], included: bool) {
        let storage = StorageType::ReadOnly;
        let family = Family { included, storage, ..Family::default() };
        self.families.insert((view, Subtree(subtree.to_vec())), family);
    }
}

/// A community and whom it stands for (`snmpCommunityTable`, RFC 3584 §5.3).
#[derive(Clone)]
pub struct Community {
    name: Zeroizing<Vec<u8>>,
    pub security_name: Name,
    pub context: Name,
    /// Whether it is for notifications that are sent, and no request may use it.
    pub is_for_notifications: bool,
}

impl Community {
    pub fn new(name: &str, security_name: Name) -> Self {
        let name = Zeroizing::new(name.as_bytes().to_vec());
        Self { name, security_name, context: Name::default(), is_for_notifications: false }
    }

    /// Whether it is called that; for configurations, which are no secret to themselves.
    pub fn is_named(&self, name: &str) -> bool {
        self.is(name.as_bytes())
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.name
    }

    /// Whether this is the community, in a time that tells nothing about the name but its length.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        self.name.as_slice().ct_eq(name).into()
    }
}

impl fmt::Debug for Community {
    /// Leaves out the community: it is a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Community")
            .field("security_name", &self.security_name)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}
