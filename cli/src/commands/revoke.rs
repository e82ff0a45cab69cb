//! `mip4ctl revoke binding` and `mip4ctl revoke visitor`

use store::OperationAction;

use super::operate::{Guard, Words, start};
use crate::failure::Stop;
use crate::selector::Selector;
use crate::session::Session;

/// Whether mobile nodes are told.
#[derive(clap::Args, Clone, Copy, Debug)]
struct Inform {
    /// Have mobile nodes informed, whatever the configuration says
    #[arg(long, conflicts_with = "no_inform")]
    inform: bool,
    /// Have them not informed
    #[arg(long)]
    no_inform: bool,
}

impl Inform {
    const fn wanted(self) -> Option<bool> {
        match (self.inform, self.no_inform) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}

/// Have home agents revoke bindings (RFC 3543)
///
/// Foreign agents, and mobile nodes without one, are told if that was negotiated; what was not is
/// removed all the same. The command returns when the operation is written, or with `--wait` when
/// it has ended.
#[derive(clap::Args, Debug)]
pub(crate) struct RevokeBinding {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    inform: Inform,
    #[command(flatten)]
    guard: Guard,
}

impl RevokeBinding {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let action = OperationAction::RevokeBindings { inform: self.inform.wanted() };
        let words = Words { verb: "revoke", nouns: "bindings" };
        start(session, &words, &self.selector, action, &self.guard)
    }
}

/// Have foreign agents revoke visitors (RFC 3543)
#[derive(clap::Args, Debug)]
pub(crate) struct RevokeVisitor {
    #[command(flatten)]
    selector: Selector,
    #[command(flatten)]
    inform: Inform,
    #[command(flatten)]
    guard: Guard,
}

impl RevokeVisitor {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let action = OperationAction::RevokeVisitors { inform: self.inform.wanted() };
        let words = Words { verb: "revoke", nouns: "visitors" };
        start(session, &words, &self.selector, action, &self.guard)
    }
}
