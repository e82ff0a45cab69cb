//! Indexes of the administrative tables (RFC 2578 §7.7).

use crate::security::Name;

/// Reads the parts of an index from its front.
#[derive(Clone, Copy)]
pub(crate) struct IndexReader<'a>(pub(super) &'a [u32]);

impl<'a> IndexReader<'a> {
    /// One sub-identifier.
    pub(super) fn number(&mut self) -> Option<u32> {
        let (&number, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(number)
    }

    /// A length and so many sub-identifiers.
    pub(super) fn sub_identifiers(&mut self) -> Option<&'a [u32]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    /// A string, octet by octet, that is no longer than 32.
    pub(super) fn name(&mut self) -> Option<Name> {
        name_of(self.sub_identifiers()?)
    }

    /// All that is left, as an IMPLIED string of 1 to 32 octets.
    pub(super) fn implied_name(&mut self) -> Option<Name> {
        name_of(self.rest()).filter(|name| !name.octets().is_empty())
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u32] {
        std::mem::take(&mut self.0)
    }

    /// Says that nothing may follow.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

fn name_of(part: &[u32]) -> Option<Name> {
    if part.len() > 32 {
        return None;
    }
    let octets = part.iter().map(|sub_id| u8::try_from(*sub_id));
    octets.collect::<Result<Vec<u8>, _>>().ok().map(Name)
}

/// Appends a name with its length.
pub(super) fn push_name(index: &mut Vec<u32>, name: &Name) {
    index.extend(u32::try_from(name.octets().len()));
    index.extend(implied(name.octets()));
}

/// The sub-identifiers of an IMPLIED string.
pub(super) fn implied(octets: &[u8]) -> impl Iterator<Item = u32> {
    octets.iter().map(|octet| u32::from(*octet))
}
