//! What an engine is told at its start.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::mib::LocalFacts;
use crate::row_status::{RowStatus, StorageType};
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::vacm::{Access, AccessKey, Family, Group, Subtree, Vacm};

/// The largest UDP payload over IPv4 (RFC 768, RFC 791).
const DATAGRAM_MAX: usize = 65_507;

/// The configuration of an [`super::Engine`].
#[derive(Clone, Debug)]
pub struct EngineConfig {
    pub local: LocalFacts,
    /// The largest message that is sent, in octets.
    pub message_size_max: usize,
    pub communities: Vec<Community>,
    pub vacm: Vacm,
}

impl Default for EngineConfig {
    /// Serves nobody: there is no community and no user.
    fn default() -> Self {
        let mut vacm = Vacm::default();
        vacm.contexts.insert(Name::default());
        Self {
            local: LocalFacts::default(),
            message_size_max: DATAGRAM_MAX,
            communities: Vec::new(),
            vacm,
        }
    }
}

impl EngineConfig {
    /// Lets who knows `community` read what is below `subtree`, by SNMPv1 and SNMPv2c.
    pub fn allow_read(&mut self, community: &str, subtree: &[u32]) -> &mut Self {
        let name = Name::from(format!("community-{}", self.communities.len()).as_str());
        self.communities.push(Community::new(community, name.clone()));
        for model in [SecurityModel::SNMPV1, SecurityModel::SNMPV2C] {
            self.vacm.add_group(model, name.clone(), name.clone());
        }
        self.vacm.add_family(name.clone(), subtree, true);
        let key = AccessKey {
            group: name.clone(),
            context_prefix: Name::default(),
            model: SecurityModel::ANY,
            level: SecurityLevel::NoAuthNoPriv,
        };
        let storage = StorageType::ReadOnly;
        let access = Access { read_view: name, storage, ..Access::default() };
        self.vacm.access.insert(key, access);
        self
    }
}

impl Vacm {
    /// Puts a security name into a group, by configuration.
    pub fn add_group(&mut self, model: SecurityModel, security_name: Name, group: Name) {
        let (storage, status) = (StorageType::ReadOnly, RowStatus::Active);
        self.groups.insert((model, security_name), Group { name: group, storage, status });
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
}

impl Community {
    pub fn new(name: &str, security_name: Name) -> Self {
        let name = Zeroizing::new(name.as_bytes().to_vec());
        Self { name, security_name, context: Name::default() }
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
