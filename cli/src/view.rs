//! What a command sees: all tables at one revision, and how far to trust them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use store::{Instance, InstanceState, Revision, Row, Rows, Snapshot, UtcTime};

/// An instance writes its heartbeat every second; it is stale after three were missed.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(3);

/// Whether the owner of a row still keeps it true.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Freshness {
    Live,
    /// Its heartbeat stopped this long ago; `None` if it was never heard of.
    Stale(Option<Duration>),
    /// It said goodbye.
    Gone,
}

impl Freshness {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale(_) => "stale",
            Self::Gone => "gone",
        }
    }

    /// Whether rows of this owner are what is true at this moment.
    pub(crate) fn is_live(self) -> bool {
        self == Self::Live
    }
}

/// A snapshot, and when it was read.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) now: UtcTime,
}

impl View {
    pub(crate) fn revision(&self) -> Revision {
        self.snapshot.revision
    }

    pub(crate) fn rows<R: Row>(&self) -> &Rows<R> {
        self.snapshot.rows()
    }

    pub(crate) fn instance(&self, name: &str) -> Option<&Arc<Instance>> {
        self.rows::<Instance>().get(&name.to_owned())
    }

    /// The instance whose agent serves at `address`; the latest, if several say so.
    pub(crate) fn owner(&self, address: Ipv4Addr) -> Option<&Arc<Instance>> {
        let instances = self.rows::<Instance>().iter();
        let serving = instances.filter(|instance| instance.addresses.contains(&address));
        serving.max_by_key(|instance| instance.heartbeat_at)
    }

    /// This moment on the clock that `instance` stamps its rows with.
    pub(crate) fn owner_now(&self, instance: &str) -> UtcTime {
        let step = self.instance(instance).map_or(0, |instance| instance.clock_step);
        self.now.shifted(step.saturating_neg())
    }

    /// How long ago `instance` wrote its last heartbeat.
    pub(crate) fn heartbeat_age(&self, instance: &Instance) -> Duration {
        self.owner_now(&instance.name).since(instance.heartbeat_at)
    }

    pub(crate) fn freshness(&self, instance: &str) -> Freshness {
        let Some(instance) = self.instance(instance) else { return Freshness::Stale(None) };
        let age = self.heartbeat_age(instance);
        if instance.state == InstanceState::Gone {
            Freshness::Gone
        } else if age > STALE_AFTER {
            Freshness::Stale(Some(age))
        } else {
            Freshness::Live
        }
    }
}

#[cfg(test)]
mod tests;
