//! Rows of configuration while the variables of a request are written to them, in any order.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::mobility_agent::{AdvertisementDraft, CareOfAddressDraft};
use crate::engine::{ErrorStatus, Staging};

/// Why a row cannot be as it was written, and the number of the variable to blame.
pub(crate) type Fault = (ErrorStatus, usize);

/// All rows that a request writes to, by what their tables are indexed by.
#[derive(Default)]
pub(crate) struct Drafts {
    /// `maAdvertConfTable`, by interface.
    pub(crate) advertisements: BTreeMap<u32, AdvertisementDraft>,
    /// `faCOATable`.
    pub(crate) care_of_addresses: BTreeMap<Ipv4Addr, CareOfAddressDraft>,
}

impl Drafts {
    /// The checks between variables; what passes them is staged.
    pub(crate) fn finish(self, staging: &mut Staging<'_>) -> Result<(), Fault> {
        for (interface, draft) in self.advertisements {
            draft.finish(interface, staging)?;
        }
        for (address, draft) in self.care_of_addresses {
            draft.finish(address, staging)?;
        }
        Ok(())
    }
}
