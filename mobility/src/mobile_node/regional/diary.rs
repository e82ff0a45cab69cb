//! What became of a mobile node in regions, for `explain`: the same list that agents keep of it.

use std::net::{Ipv4Addr, SocketAddrV4};

use store::{Batch, Identity, NodeKey, Now, Snapshot, Trail, TrailEvent, Unknown};
use wire::Code;

use crate::mobile_node::{MobileNode, MobileNodeConfig};
use crate::trails;

/// The last events, oldest first.
#[derive(Debug, Default)]
pub(super) struct Diary {
    events: Vec<TrailEvent>,
    is_changed: bool,
}

impl Diary {
    /// Goes on with what the last run left.
    pub(super) fn load(config: &MobileNodeConfig, snapshot: &Snapshot) -> Self {
        let Some(home_address) = config.home_address else { return Self::default() };
        let key = NodeKey { home_agent: home_address, identity: identity(config, home_address) };
        let events = snapshot.rows::<Trail>().get(&key).map(|row| row.events.clone());
        Self { events: events.unwrap_or_default(), is_changed: false }
    }
}

fn identity(config: &MobileNodeConfig, home_address: Ipv4Addr) -> Identity {
    Identity::of_node(config.nai.as_ref(), home_address)
}

impl MobileNode {
    /// Takes down what happened, and where the node was then.
    pub(super) fn note_region(
        &mut self,
        event: &'static str,
        gateway: Option<Ipv4Addr>,
        code: Option<Code>,
        now: Now,
    ) {
        let peer = self.foreign_agent().map(|it| SocketAddrV4::new(it, self.home_agent.port()));
        let event = TrailEvent {
            at: now.stamp(),
            event: event.into(),
            code,
            peer,
            care_of_address: gateway,
            spi: None,
            clock_offset: None,
            times: 1,
        };
        trails::append(&mut self.region.diary.events, event);
        self.region.diary.is_changed = true;
    }

    /// Puts the list if it has changed. The row is that of an agent with the node's own address: no
    /// agent has one of these.
    pub(in crate::mobile_node) fn put_diary(&mut self, batch: &mut Batch) {
        let Some(home_address) = self.home_address else { return };
        if std::mem::take(&mut self.region.diary.is_changed) {
            batch.put(Trail {
                agent: home_address,
                identity: identity(&self.config, home_address),
                events: self.region.diary.events.clone(),
                unknown: Unknown::default(),
            });
        }
    }
}
