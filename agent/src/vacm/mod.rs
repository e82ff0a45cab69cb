//! The View-based Access Control Model (RFC 3415).

use std::collections::{BTreeMap, BTreeSet};

use crate::row_status::{RowStatus, StorageType};
use crate::security::{Name, SecurityLevel, SecurityModel};

mod view;

pub(crate) use view::Skip;
pub use view::{Family, View};

/// Who may see and change what: the four tables of the model, in index order.
#[derive(Clone, Debug, Default)]
pub struct Vacm {
    /// `vacmContextTable`.
    pub contexts: BTreeSet<Name>,
    /// `vacmSecurityToGroupTable`.
    pub groups: BTreeMap<(SecurityModel, Name), Group>,
    /// `vacmAccessTable`.
    pub access: BTreeMap<AccessKey, Access>,
    /// `vacmViewTreeFamilyTable`, by view and subtree.
    pub families: BTreeMap<(Name, Subtree), Family>,
}

/// A row of `vacmSecurityToGroupTable`.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub name: Name,
    pub storage: StorageType,
    pub status: RowStatus,
}

/// The index of `vacmAccessTable`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AccessKey {
    pub group: Name,
    pub context_prefix: Name,
    pub model: SecurityModel,
    pub level: SecurityLevel,
}

/// A row of `vacmAccessTable`; an empty view name gives no access.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Whether a context may be longer than the prefix.
    pub prefix_match: bool,
    pub read_view: Name,
    pub write_view: Name,
    pub notify_view: Name,
    pub storage: StorageType,
    pub status: RowStatus,
}

/// An object identifier as an index part: the shorter come first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Subtree(pub Vec<u32>);

impl Ord for Subtree {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Subtree {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What is to be done with an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ViewType {
    Read,
    Write,
    Notify,
}

/// Who asks for access, and in which context.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    pub model: SecurityModel,
    pub security_name: &'a [u8],
    pub level: SecurityLevel,
    pub context: &'a [u8],
}

/// Why there is no access to any object (RFC 3415 §2.4); `notInView` is an
/// answer of [`View::contains`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccessDenied {
    #[error("no such context")]
    NoSuchContext,
    #[error("the security name is in no group")]
    NoGroupName,
    #[error("the group has no access at this security level")]
    NoAccessEntry,
    #[error("there is no such view")]
    NoSuchView,
}

impl Vacm {
    /// The view of the asker (RFC 3415 §3.2 steps 1 to 4).
    pub fn view(&self, asker: Asker<'_>, wanted: ViewType) -> Result<View<'_>, AccessDenied> {
        if !self.has_context(asker.context) {
            return Err(AccessDenied::NoSuchContext);
        }
        let access = self.access_entry(asker)?;
        let name = match wanted {
            ViewType::Read => &access.read_view,
            ViewType::Write => &access.write_view,
            ViewType::Notify => &access.notify_view,
        };
        self.view_named(name).ok_or(AccessDenied::NoSuchView)
    }

    /// Whether the context exists.
    pub fn has_context(&self, context: &[u8]) -> bool {
        self.contexts.iter().any(|name| name.is(context))
    }

    /// The view of this name, if it has a family.
    pub(crate) fn view_named(&self, name: &Name) -> Option<View<'_>> {
        let first = (name.clone(), Subtree::default());
        let families: Vec<_> = self
            .families
            .range(first..)
            .take_while(|((view, _), _)| view == name)
            .filter(|(_, family)| family.status == RowStatus::Active)
            .map(|((_, subtree), family)| (subtree.0.as_slice(), family))
            .collect();
        (!families.is_empty()).then(|| View::new(families))
    }

    /// The row of the access table that decides (§3.2 steps 2 and 3, and the
    /// order of preference that the description of `vacmAccessTable` gives).
    fn access_entry(&self, asker: Asker<'_>) -> Result<&Access, AccessDenied> {
        let key = (asker.model, Name::new(asker.security_name));
        let group = self.groups.get(&key).filter(|group| group.status == RowStatus::Active);
        let group = &group.ok_or(AccessDenied::NoGroupName)?.name;
        self.access
            .iter()
            .filter(|(key, access)| key.group == *group && applies(key, access, asker))
            .max_by_key(|(key, _)| {
                let exact = key.context_prefix.is(asker.context);
                let prefix_len = key.context_prefix.octets().len();
                (key.model == asker.model, exact, prefix_len, key.level)
            })
            .map(|(_, access)| access)
            .ok_or(AccessDenied::NoAccessEntry)
    }
}

fn applies(key: &AccessKey, access: &Access, asker: Asker<'_>) -> bool {
    let prefix = &key.context_prefix;
    let context = prefix.is(asker.context)
        || access.prefix_match && asker.context.starts_with(prefix.octets());
    let model = key.model == SecurityModel::ANY || key.model == asker.model;
    context && model && key.level <= asker.level && access.status == RowStatus::Active
}

#[cfg(test)]
mod tests;
