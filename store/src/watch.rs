//! Following changes as they become visible.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;
use tokio_stream::Stream;

use crate::engine::Boxed;
use crate::published::{Lookup, Of, Published};
use crate::{Change, Revision};

/// What one commit changed.
#[derive(Clone, Debug)]
pub struct Event {
    pub revision: Revision,
    /// In the order they were made; a deletion of a row that was not there is left out.
    pub changes: Arc<[Change]>,
    /// What the store knows of each row after its change; one for each of `changes`.
    pub stamps: Arc<[Stamp]>,
}

/// What the store knows about a row beside its contents; all zero once it is deleted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stamp {
    pub created: Revision,
    pub modified: Revision,
    pub version: u64,
}

/// What a [`WatchStream`] yields.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    Changed(Event),
    /// What was asked for, up to this revision, is forgotten: load a snapshot and watch from there. The last item.
    Compacted(Revision),
}

/// Every change from some revision on, in order.
///
/// Nothing is buffered for a slow reader: it reads from the bounded history of
/// the store, and is told when that has moved past it.
pub struct WatchStream {
    published: Arc<Published>,
    /// `None` after the last item.
    revisions: Option<watch::Receiver<Revision>>,
    next: Revision,
    of: Of,
    waiting: Option<Boxed<'static, Option<watch::Receiver<Revision>>>>,
}

impl WatchStream {
    pub(crate) fn new(
        published: Arc<Published>,
        revisions: watch::Receiver<Revision>,
        next: Revision,
        of: Of,
    ) -> Self {
        Self { published, revisions: Some(revisions), next, of, waiting: None }
    }

    /// The next change; `None` once the store is gone or after [`WatchEvent::Compacted`].
    pub async fn next(&mut self) -> Option<WatchEvent> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The next change if it is there, without waiting.
    pub fn try_next(&mut self) -> Option<WatchEvent> {
        if self.revisions.is_none() && self.waiting.is_none() {
            return None;
        }
        match self.published.event(self.next, self.of) {
            Lookup::Found(event) => {
                self.next = event.revision.next();
                Some(WatchEvent::Changed(event))
            }
            Lookup::Compacted(revision) => {
                self.revisions = None;
                self.waiting = None;
                Some(WatchEvent::Compacted(revision))
            }
            Lookup::NotYet(next) => {
                self.next = next;
                None
            }
        }
    }
}

impl Stream for WatchStream {
    type Item = WatchEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        let stream = self.get_mut();
        loop {
            // Marked as seen before looking, so that nothing published in between is slept through.
            if let Some(revisions) = &mut stream.revisions {
                revisions.mark_unchanged();
            }
            if let Some(event) = stream.try_next() {
                return Poll::Ready(Some(event));
            }
            if let Some(mut revisions) = stream.revisions.take() {
                stream.waiting = Some(Box::pin(async move {
                    revisions.changed().await.ok()?;
                    Some(revisions)
                }));
            }
            let Some(waiting) = &mut stream.waiting else { return Poll::Ready(None) };
            match waiting.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(revisions) => {
                    stream.waiting = None;
                    stream.revisions = revisions;
                }
            }
        }
    }
}

impl std::fmt::Debug for WatchStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchStream").field("next", &self.next).finish_non_exhaustive()
    }
}
