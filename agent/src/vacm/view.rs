//! Views: which objects there are for an asker (RFC 3415 §4, `vacmViewTreeFamilyTable`).

use crate::Oid;
use crate::row_status::{RowStatus, StorageType};

/// A row of `vacmViewTreeFamilyTable`.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// Bit n (from the most significant of the first octet) is 0 where any
    /// sub-identifier matches; missing bits are 1.
    pub mask: Vec<u8>,
    pub included: bool,
    pub storage: StorageType,
    pub status: RowStatus,
}

impl Family {
    /// Whether the sub-identifier at `position` must be equal.
    fn is_exact(&self, position: usize) -> bool {
        match self.mask.get(position / 8) {
            Some(octet) => octet & (0x80 >> (position % 8)) != 0,
            None => true,
        }
    }

    fn matches(&self, subtree: &[u32], name: &[u32]) -> bool {
        let Some(head) = name.get(..subtree.len()) else { return false };
        if self.mask.is_empty() {
            return head == subtree;
        }
        let mut pairs = head.iter().zip(subtree).enumerate();
        pairs.all(|(position, (have, want))| have == want || !self.is_exact(position))
    }

    fn has_wildcard(&self, subtree: &[u32]) -> bool {
        (0..subtree.len()).any(|position| !self.is_exact(position))
    }
}

/// The families of one view, the longest subtree first and, among those of one
/// length, the lexicographically greatest first: the first that matches decides.
#[derive(Clone, Debug)]
pub struct View<'a> {
    families: Vec<(&'a [u32], &'a Family)>,
}

impl<'a> View<'a> {
    pub(crate) fn new(mut families: Vec<(&'a [u32], &'a Family)>) -> Self {
        families.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| b.cmp(a)));
        Self { families }
    }

    /// Whether the variable is in the view (RFC 3415 §3.2 step 5).
    pub fn contains(&self, name: &[u32]) -> bool {
        self.includes(name) == Some(true)
    }

    /// Whether the family that decides includes the name; `None` if none matches.
    pub(crate) fn includes(&self, name: &[u32]) -> Option<bool> {
        self.decisive(name).map(|(_, family)| family.included)
    }

    /// Where to go on looking when the variable `name` is not in the view.
    ///
    /// Without this a walk by somebody who may see little would cost as much
    /// as reading everything.
    pub(crate) fn skip(&self, name: &[u32]) -> Skip {
        if self.families.iter().any(|(subtree, family)| family.has_wildcard(subtree)) {
            return Skip::Nothing; // What matches is scattered.
        }
        let included = self.families.iter().filter(|(_, family)| family.included);
        let later = included.map(|(subtree, _)| *subtree).filter(|subtree| *subtree > name);
        // An included family around an excluded one goes on behind it.
        let outer = self.decisive(name).and_then(|(subtree, _)| after_subtree(subtree));
        match later.map(<[u32]>::to_vec).chain(outer).min() {
            Some(first) => Skip::To(just_before(first)),
            None => Skip::ToEnd,
        }
    }

    fn decisive(&self, name: &[u32]) -> Option<(&'a [u32], &'a Family)> {
        self.families.iter().find(|(subtree, family)| family.matches(subtree, name)).copied()
    }
}

/// What [`View::skip`] answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Skip {
    /// The next variable may be in the view.
    Nothing,
    /// No variable up to this name, inclusive, is in the view.
    To(Vec<u32>),
    /// No later variable is in the view.
    ToEnd,
}

/// The greatest name before `name` that is possible (RFC 2578 §3.5: 128 sub-identifiers).
fn just_before(mut name: Vec<u32>) -> Vec<u32> {
    if let Some(last) = name.pop()
        && let Some(less) = last.checked_sub(1)
    {
        name.push(less);
        name.resize(Oid::LEN_MAX, u32::MAX);
    }
    name
}

/// The first name that is greater than all names in the subtree.
fn after_subtree(subtree: &[u32]) -> Option<Vec<u32>> {
    let mut name = subtree.to_vec();
    while let Some(last) = name.pop() {
        if let Some(next) = last.checked_add(1) {
            name.push(next);
            return Some(name);
        }
    }
    None
}
