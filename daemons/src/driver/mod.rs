//! Drivers: they own sockets, the clock and the store, and do what the machines decide.

pub(crate) mod advertising;
pub(crate) mod agent;
pub(crate) mod agentx;
pub(crate) mod commits;
pub(crate) mod configuration;
pub(crate) mod machine;
pub(crate) mod mobile_node;
mod outbox;
mod region;
pub(crate) mod snmp;

use tokio::sync::watch;

/// Tells every driver to come to an end.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

/// Ends what holds a [`Shutdown`], when it is told to or dropped.
#[derive(Debug)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Stop {
    pub(crate) fn new() -> (Self, Shutdown) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Shutdown(receiver))
    }

    pub(crate) fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Whether it is time to stop.
    pub(crate) fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Returns when it is time to stop.
    pub(crate) async fn requested(&mut self) {
        // An error means that the sender is gone, which is as good a reason.
        let _ended = self.0.wait_for(|stop| *stop).await;
    }
}
