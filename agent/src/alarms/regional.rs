//! `mip4ExtRegionalRolledBack`: the configuration of regions went back to what it was.

use std::ops::Bound;

use mibs::mip4_ext_mib as module;
use store::{RegionalCommit, RegionalCommitId};

use super::NotificationKind;
use crate::mib::{Context, going_back};
use crate::notify::Notification;

/// The last commit that managers know of, if it was looked at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Returns(Option<RegionalCommitId>);

impl Returns {
    /// Finds the commits that took others back. What was there at the start is no news.
    pub(super) fn update(
        &mut self,
        context: Context<'_>,
        news: &mut Vec<(NotificationKind, Notification)>,
    ) {
        let last = RegionalCommit::last_id(context.snapshot);
        // In a store that was put back, numbers begin anew.
        let known = self.0.replace(last).unwrap_or(last).min(last);
        let commits = context
            .snapshot
            .rows::<RegionalCommit>()
            .range((Bound::Excluded(known), Bound::Unbounded));
        for (_, entry) in commits {
            if let Some(variables) = going_back(&entry.row, context) {
                let kind = module::MIP4_EXT_REGIONAL_ROLLED_BACK;
                news.push((NotificationKind::Regional, Notification::new(kind, variables)));
            }
        }
    }
}
