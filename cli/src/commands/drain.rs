//! `mip4ctl drain home-agent`, and back: `mip4ctl undrain home-agent`

use std::net::Ipv4Addr;
use std::time::Duration;

use store::{Operation, OperationAction, OperationWish};

use super::operate::{FOLLOWED, Guard, Words, start};
use super::operation::wish;
use crate::failure::{ExitStatus, Failure, Stop};
use crate::selector::Selector;
use crate::session::Session;
use crate::timeout;

/// Take a home agent out of service without surprising anyone
///
/// From now on new mobile nodes are refused, or redirected to the alternate if they can be, and
/// renewals are granted at most the time left. Those that are there are notified; in the last
/// quarter of the time what is left is revoked, spread evenly or at `--rate`. What remains at the
/// end is reported and makes the exit status 1. The home agent stays out of service until `undrain
/// home-agent` puts it back, or it is started anew.
#[derive(clap::Args, Debug)]
#[command(mut_arg("deadline", |arg| arg.hide(true)))]
pub(crate) struct DrainHomeAgent {
    /// The home agent
    home_agent: Ipv4Addr,
    /// The home agent that mobile nodes are sent to
    #[arg(long, value_name = "ADDRESS")]
    alternate: Option<Ipv4Addr>,
    /// When it has to be out of service
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = timeout::parse)]
    by: Duration,
    #[command(flatten)]
    guard: Guard,
}

impl DrainHomeAgent {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        if self.alternate == Some(self.home_agent) {
            let message = "the alternate is the home agent that is to be drained";
            return Err(Failure::usage(message).into());
        }
        if self.by.is_zero() {
            let message = "a drain takes time: nobody can be told anything in none";
            return Err(Failure::usage(message).hint("`--by 10m` is the default").into());
        }
        let redirect = self.alternate.is_some();
        let action = OperationAction::Drain { alternate: self.alternate, redirect };
        let words = Words { verb: "drain", nouns: "bindings" };
        let selector = Selector::of_home_agent(self.home_agent);
        let guard = self.guard.with_deadline(self.by);
        start(session, &words, &selector, action, &guard)
    }
}

/// Put a home agent that was drained, or is being drained, back into service
///
/// It takes new mobile nodes from now on, and grants whole lifetimes. A drain that has not ended is
/// cancelled: what was begun is finished, the rest is left alone. Nodes that went to the alternate
/// stay there.
#[derive(clap::Args, Debug)]
pub(crate) struct UndrainHomeAgent {
    /// The home agent
    home_agent: Ipv4Addr,
}

impl UndrainHomeAgent {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let view = session.read(FOLLOWED)?;
        match Operation::drain_of(self.home_agent, &view.snapshot) {
            Some(drain) => wish(session, drain.id, OperationWish::Cancel),
            None => {
                let message = format!("no drain of home agent {} is in force", self.home_agent);
                let failure = Failure::new(ExitStatus::NothingMatched, message);
                Err(failure.hint("`show operations` lists drains, `show status` who drains").into())
            }
        }
    }
}
