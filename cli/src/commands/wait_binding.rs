//! `mip4ctl wait binding`

use std::time::Duration;

use store::Table;

use super::show_bindings::{self, COLUMNS};
use super::wait::until;
use crate::failure::{Failure, Stop};
use crate::output::Listing;
use crate::selector::Selector;
use crate::session::Session;
use crate::timeout;
use crate::view::View;

/// Wait until a binding matches, then show what does
#[derive(clap::Args, Debug)]
pub(crate) struct WaitBinding {
    #[command(flatten)]
    selector: Selector,
    /// Wait until no binding matches, instead
    #[arg(long)]
    gone: bool,
    /// Give up after this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = timeout::parse)]
    timeout: Duration,
}

impl WaitBinding {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        if !self.selector.is_given() {
            let hint = "name nodes with `--home-address`, `--nai`, …, or all of them with `--all`";
            return Err(Failure::usage("a selector is missing").hint(hint).into());
        }
        let tables = [Table::Bindings, Table::Instances];
        let awaited = if self.gone { "no binding to match" } else { "a binding to match" };
        let found = |view: View| {
            let rows = show_bindings::rows(&view, &self.selector);
            let is_there = rows.iter().any(|row| row.freshness.is_live());
            let done = if self.gone { rows.is_empty() } else { is_there };
            done.then(|| (view.revision(), rows))
        };
        let (revision, rows) = until(session, &tables, self.timeout, awaited, found)?;
        session.print(&Listing::new(revision, COLUMNS, &rows))
    }
}
