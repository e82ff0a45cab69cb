//! `mip4ctl notify ha-shutdown` and `mip4ctl notify message`

use std::net::Ipv4Addr;
use std::time::Duration;

use clap::ValueEnum;
use store::{NotificationPath, OperationAction};

use super::operate::{Guard, Words, start};
use crate::failure::{Failure, Stop};
use crate::selector::Selector;
use crate::session::Session;
use crate::timeout;

/// Have home agents tell mobile nodes that they will shut down (RFC 6098)
///
/// Mobile nodes that understand it register with the alternate in time; others show it to their
/// users. The home agents go on as before: `drain home-agent` takes one out of service.
#[derive(clap::Args, Debug)]
pub(crate) struct NotifyHaShutdown {
    #[command(flatten)]
    selector: Selector,
    /// The home agent that serves instead
    #[arg(long, value_name = "ADDRESS")]
    alternate: Option<Ipv4Addr>,
    /// How long the home agents still serve
    #[arg(long = "in", value_name = "TIME", default_value = "10m", value_parser = timeout::parse)]
    after: Duration,
    #[command(flatten)]
    guard: Guard,
}

impl NotifyHaShutdown {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let at = (session.world.now)() + self.after;
        let action = OperationAction::NotifyShutdown { at, alternate: self.alternate };
        let words = Words { verb: "notify", nouns: "bindings" };
        start(session, &words, &self.selector, action, &self.guard)
    }
}

/// Have agents send a text to mobile nodes, or to each other about them (RFC 6098)
///
/// Each message is acknowledged or repeated. It changes nothing: a mobile node shows it to its user,
/// an agent notes it in the trail of the node. Mobile nodes whose daemons are on this store can be
/// told to send as well.
#[derive(clap::Args, Debug)]
pub(crate) struct NotifyMessage {
    /// What to say, at most 254 octets
    text: String,
    #[command(flatten)]
    selector: Selector,
    /// Who says it: the home agents of bindings, the foreign agents of visitors, or the mobile
    /// nodes of registrations
    #[arg(long, value_enum, default_value = "home-agent")]
    from: Sender,
    /// Whom it is said to; by default agents tell mobile nodes, and these their home agents
    #[arg(long, value_enum)]
    to: Option<Receiver>,
    #[command(flatten)]
    guard: Guard,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sender {
    HomeAgent,
    ForeignAgent,
    MobileNode,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Receiver {
    MobileNode,
    HomeAgent,
    ForeignAgent,
}

impl NotifyMessage {
    pub(crate) fn run(&self, session: &mut Session) -> Result<(), Stop> {
        let to = self.to.unwrap_or(match self.from {
            Sender::HomeAgent | Sender::ForeignAgent => Receiver::MobileNode,
            Sender::MobileNode => Receiver::HomeAgent,
        });
        let (path, nouns) = match (self.from, to) {
            (Sender::HomeAgent, Receiver::MobileNode) => {
                (NotificationPath::HomeAgentToMobileNode, "bindings")
            }
            (Sender::HomeAgent, Receiver::ForeignAgent) => {
                (NotificationPath::HomeAgentToForeignAgent, "bindings")
            }
            (Sender::ForeignAgent, Receiver::MobileNode) => {
                (NotificationPath::ForeignAgentToMobileNode, "visitors")
            }
            (Sender::ForeignAgent, Receiver::HomeAgent) => {
                (NotificationPath::ForeignAgentToHomeAgent, "visitors")
            }
            (Sender::MobileNode, Receiver::HomeAgent) => {
                (NotificationPath::MobileNodeToHomeAgent, "registrations")
            }
            (Sender::MobileNode, Receiver::ForeignAgent) => {
                (NotificationPath::MobileNodeToForeignAgent, "registrations")
            }
            (Sender::HomeAgent, Receiver::HomeAgent)
            | (Sender::ForeignAgent, Receiver::ForeignAgent)
            | (Sender::MobileNode, Receiver::MobileNode) => {
                let message = "who notifies tells others, not itself";
                return Err(Failure::usage(message).hint("see `--from` and `--to`").into());
            }
        };
        let action = OperationAction::NotifyMessage { text: self.text.clone(), path };
        let words = Words { verb: "notify about", nouns };
        start(session, &words, &self.selector, action, &self.guard)
    }
}
