//! Mobile IPv4 without a clock and without a socket: home agent, foreign agent and mobile node.
//!
//! A machine takes datagrams and the time as arguments and returns [`Output`]:
//! rows to commit, and what to do once they are durable. Drivers in `daemons`
//! own sockets, clocks, randomness and the store.

mod action;
mod advertiser;
mod association;
mod between;
mod clock;
mod clock_health;
mod dispatch;
mod extensions;
mod foreign_agent;
mod gateway;
mod home_agent;
mod limits;
mod mobile_node;
mod notification;
mod operations;
mod pending;
mod random;
mod refusal;
mod revocation;
mod tally;
mod trails;
mod violations;
mod visited;
mod words;

#[cfg(test)]
mod scenarios;

pub use action::{Action, Arp, CommitId, Encapsulation, Output, Received, Service};
pub use advertiser::{AdvertisedRegion, Advertiser, AdvertiserConfig, AdvertiserConfigError};
pub use association::SecurityAssociation;
pub use dispatch::Dispatcher;
pub use foreign_agent::{
    ForeignAgent, ForeignAgentConfig, ForeignAgentDenial, RegionConfig, Unreachable,
};
pub use gateway::{Gateway, GatewayConfig, GatewayDenial};
pub use home_agent::{Admission, Denial, HomeAgent, HomeAgentConfig, ReservedBits, ReverseTunnel};
pub use limits::RateLimits;
pub use mobile_node::{MobileNode, MobileNodeConfig, MobileNodeState, NotificationReceiver};
pub use notification::{NotificationConfig, ReplyMessage, ShutdownNotice};
pub use operations::operation_change;
pub use revocation::{RevocationConfig, RevocationPort};

/// The UDP port of registration messages (RFC 5944 §3.3).
pub const PORT: u16 = 434;
