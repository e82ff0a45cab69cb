//! The links that one agent advertises on.

use std::task::{Context, Poll};

use mobility::{Action, Advertiser, Output};
use store::{Advertisement, Batch, Change, Class, Counter, Now, Role, Row as _, Snapshot, Time};
use tracing::debug;

use crate::link::{Link, Message};

/// Advertises on one link.
pub(crate) struct Advertising {
    advertiser: Advertiser,
    link: Link,
}

impl Advertising {
    pub(crate) fn new(advertiser: Advertiser, link: Link) -> Self {
        Self { advertiser, link }
    }
}

/// Everything that an agent advertises.
#[derive(Default)]
pub(crate) struct Advertisers(Vec<Advertising>);

impl Advertisers {
    pub(crate) fn new(all: Vec<Advertising>) -> Self {
        Self(all)
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.0.iter().filter_map(|it| it.advertiser.next_deadline()).min()
    }

    /// The next message from any of the links, with the number of the link.
    pub(crate) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<(usize, Message)> {
        for (number, it) in self.0.iter_mut().enumerate() {
            if let Poll::Ready(message) = it.link.poll_receive(context) {
                return Poll::Ready((number, message));
            }
        }
        Poll::Pending
    }

    /// Takes a message of a link.
    pub(crate) fn on_message(&mut self, number: usize, message: &Message, busy: bool, now: Now) {
        if let Some(Advertising { advertiser, link }) = self.0.get_mut(number) {
            advertiser.set_busy(busy);
            send(link, advertiser.on_icmp(&message.octets, message.source, now));
        }
    }

    /// Sends what is due.
    pub(crate) fn on_deadline(&mut self, busy: bool, now: Now) {
        for Advertising { advertiser, link } in &mut self.0 {
            advertiser.set_busy(busy);
            send(link, advertiser.on_deadline(now));
        }
    }

    /// Tells a mobile node by unicast that its binding is gone (RFC 3543 §4.1), on every link that it
    /// may be on.
    pub(crate) fn inform(&mut self, to: std::net::Ipv4Addr, busy: bool, now: Now) {
        for Advertising { advertiser, link } in &mut self.0 {
            send(link, advertiser.inform(to, busy, now));
        }
    }

    /// Says on all links that the agent goes (RFC 1256 §6.2.2).
    pub(crate) fn shut_down(&mut self, now: Now) {
        for Advertising { advertiser, link } in &mut self.0 {
            send(link, advertiser.shut_down(now));
        }
    }

    /// What was counted since this was asked last.
    pub(crate) fn take_counts(&mut self) -> Vec<(Counter, u64)> {
        self.0.iter_mut().flat_map(|it| it.advertiser.take_counts()).collect()
    }

    /// Puts the rows that have changed into `batch`.
    pub(crate) fn put_rows(&mut self, batch: &mut Batch) {
        for it in &mut self.0 {
            batch.changes.append(&mut it.advertiser.take_row().changes);
        }
    }

    /// What an earlier run of the agent advertised where this one does not.
    pub(crate) fn forget_others(
        &mut self,
        instance: &str,
        role: Role,
        snapshot: &Snapshot,
    ) -> Batch {
        let mut batch = Batch::new(Class::Relaxed);
        self.put_rows(&mut batch);
        let ours: Vec<_> = batch
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Put(store::AnyRow::Advertisement(row)) => Some(row.key()),
                Change::Put(_) | Change::Delete(_) => None,
            })
            .collect();
        for row in snapshot.rows::<Advertisement>().iter() {
            let is_of_agent = row.instance == instance && row.role == role;
            if is_of_agent && !ours.contains(&row.key()) {
                batch.delete::<Advertisement>(row.key());
            }
        }
        batch
    }
}

fn send(link: &Link, output: Output) {
    for action in output.actions {
        if let Action::SendIcmp { from, to, octets, .. } = action {
            let message = Message { source: from, destination: to, octets };
            if !link.send(message) {
                debug!(interface = link.interface(), %to, "failed to send an advertisement");
            }
        }
    }
}
