//! `mip4ExtOperationFinished` and `mip4ExtOperationFailed`: an operation has ended.

use std::collections::BTreeMap;

use mibs::mip4_ext_mib as module;
use store::{Operation, OperationId};

use super::NotificationKind;
use crate::mib::{Context, ending};
use crate::notify::Notification;

/// Whether each operation had ended, as far as managers know.
#[derive(Clone, Debug, Default)]
pub(super) struct Endings(Option<BTreeMap<OperationId, bool>>);

impl Endings {
    /// Finds the operations that have ended. What had at the start is no news.
    pub(super) fn update(
        &mut self,
        context: Context<'_>,
        news: &mut Vec<(NotificationKind, Notification)>,
    ) {
        let rows = context.snapshot.rows::<Operation>();
        let state = rows.iter().map(|row| (row.id, row.state.is_final()));
        let Some(known) = &mut self.0 else {
            self.0 = Some(state.collect());
            return;
        };
        for row in rows.iter() {
            let has_ended = row.state.is_final();
            if known.insert(row.id, has_ended) != Some(true) && has_ended {
                let (has_failed, variables) = ending(row, context);
                let kind = if has_failed {
                    module::MIP4_EXT_OPERATION_FAILED
                } else {
                    module::MIP4_EXT_OPERATION_FINISHED
                };
                news.push((NotificationKind::Operation, Notification::new(kind, variables)));
            }
        }
        known.retain(|id, _| rows.get(id).is_some());
    }
}
