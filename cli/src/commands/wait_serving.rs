//! `mip4ctl wait serving`

use std::time::Duration;

use store::{InstanceState, Table};

use super::show_status::{self, COLUMNS};
use super::wait::until;
use crate::failure::Stop;
use crate::output::Listing;
use crate::selector::{Field, Selector};
use crate::session::Session;
use crate::timeout;
use crate::view::View;

/// Wait until a daemon serves, then show those that do
///
/// The store itself may still be on its way up.
#[derive(clap::Args, Debug)]
pub(crate) struct WaitServing {
    #[command(flatten)]
    selector: Selector,
    /// Give up after this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = timeout::parse)]
    timeout: Duration,
}

impl WaitServing {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        self.selector.require(Field::AGENTS, "wait serving")?;
        let tables = [Table::Instances, Table::Bindings];
        let found = |view: View| {
            let mut rows = show_status::rows(&view, &self.selector);
            rows.retain(|row| {
                row.freshness.is_live() && row.instance.state == InstanceState::Serving
            });
            (!rows.is_empty()).then(|| (view.revision(), rows))
        };
        let (revision, rows) = until(session, &tables, self.timeout, "a daemon to serve", found)?;
        session.print(&Listing::new(revision, COLUMNS, &rows))
    }
}
