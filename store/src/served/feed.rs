//! What one watch has to say.

use std::collections::VecDeque;
use std::time::Duration;

use prost::Message as _;
use tokio::time::Instant;

use super::generated::etcdserverpb::watch_create_request::FilterType;
use super::generated::etcdserverpb::{WatchCreateRequest, WatchResponse};
use super::generated::mvccpb::event::EventType;
use super::generated::mvccpb::{self, KeyValue};
use super::kv::{Server, header};
use super::range;
use super::span::Span;
use super::status::{signed, unsigned};
use crate::{
    AnyKey, Batch, Change, Event, Revision, Snapshot, Stamp, Store, Tables, WatchEvent, WatchStream,
};

/// A message ends when it has grown to this, if its revision ends.
const MESSAGE_OCTETS: usize = 1 << 20;
/// How often a watch that asks for it hears how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Reads the history of the store for one watch.
#[expect(clippy::struct_excessive_bools, reason = "the request has as many")]
pub(crate) struct Feed {
    store: Store,
    stream: WatchStream,
    span: Span,
    watch_id: i64,
    fragment: bool,
    puts: bool,
    deletes: bool,
    progress: bool,
    /// Whether the reader wants to hear what was there before.
    previous: bool,
    /// The tables as the reader knows them. Of the past they are unknown, unless it is kept;
    /// then they begin once the reader has caught up.
    before: Option<Tables>,
    begun_at: Revision,
    /// What of the history has been read.
    read: Revision,
    reported: Instant,
    /// Said, or about to be: the last word.
    ended: bool,
}

impl Feed {
    pub(crate) fn new(
        server: &Server,
        span: Span,
        request: &WatchCreateRequest,
        watch_id: i64,
    ) -> Self {
        let store = server.store.clone();
        let snapshot = store.snapshot();
        let next = snapshot.revision.next();
        let start = match request.start_revision {
            ..=0 => next,
            revision => Revision(unsigned(revision)),
        };
        let filters: Vec<FilterType> = request.filters().collect();
        Self {
            stream: store.watch(Some(start)),
            span,
            watch_id,
            fragment: request.fragment,
            puts: !filters.contains(&FilterType::Noput),
            deletes: !filters.contains(&FilterType::Nodelete),
            progress: request.progress_notify,
            previous: request.prev_kv,
            before: request.prev_kv.then(|| before(server, &snapshot, start)).flatten(),
            begun_at: snapshot.revision,
            read: start.min(snapshot.revision),
            reported: Instant::now(),
            ended: false,
            store,
        }
    }

    /// The revision of the store when the watch began.
    pub(crate) fn begun_at(&self) -> Revision {
        self.begun_at
    }

    /// The next messages: those of one or more whole revisions.
    pub(crate) async fn next(&mut self) -> Option<Vec<WatchResponse>> {
        if self.ended {
            return None;
        }
        loop {
            let report_at = self.reported + PROGRESS_EVERY;
            let first = tokio::select! {
                event = self.stream.next() => event?,
                () = tokio::time::sleep_until(report_at), if self.progress => {
                    // Whatever was visible before the stream had nothing has been read.
                    let visible = self.store.snapshot().revision;
                    match self.stream.try_next() {
                        Some(event) => event,
                        None => return Some(vec![self.progress_report(self.read.max(visible))]),
                    }
                }
            };
            let answers = self.collect(first);
            if !answers.is_empty() {
                return Some(answers);
            }
        }
    }

    /// Turns `first` and what is ready after it into messages.
    fn collect(&mut self, first: WatchEvent) -> Vec<WatchResponse> {
        let mut events = VecDeque::new();
        let mut octets = 0;
        let mut next = Some(first);
        let mut answers = Vec::new();
        while let Some(event) = next {
            match event {
                WatchEvent::Compacted(revision) => {
                    self.ended = true;
                    answers = self.flush(&mut events);
                    answers.push(self.compacted(revision));
                    return answers;
                }
                WatchEvent::Changed(event) => {
                    self.read = event.revision;
                    let matching = self.matching(&event);
                    octets += matching.iter().map(prost::Message::encoded_len).sum::<usize>();
                    events.extend(matching);
                }
            }
            if octets >= MESSAGE_OCTETS {
                break;
            }
            next = self.stream.try_next();
        }
        if self.previous && self.before.is_none() {
            let snapshot = self.store.snapshot();
            self.before = (snapshot.revision == self.read).then(|| snapshot.tables.clone());
        }
        answers.extend(self.flush(&mut events));
        if answers.is_empty() && self.progress {
            // A commit that changed nothing here: whoever made it waits to hear of it.
            answers.push(self.progress_report(self.read));
        }
        answers
    }

    fn flush(&mut self, events: &mut VecDeque<mvccpb::Event>) -> Vec<WatchResponse> {
        let mut answers = Vec::new();
        while !events.is_empty() {
            let mut part = Vec::new();
            let mut octets = 0;
            while let Some(event) = events.pop_front() {
                octets += event.encoded_len();
                part.push(event);
                if self.fragment && octets >= MESSAGE_OCTETS {
                    break;
                }
            }
            let mut answer = self.progress_report(self.read);
            answer.events = part;
            answer.fragment = !events.is_empty();
            answers.push(answer);
        }
        answers
    }

    /// The changes of `event` that the watch is about.
    fn matching(&mut self, event: &Event) -> Vec<mvccpb::Event> {
        let mut matching = Vec::new();
        for (change, stamp) in event.changes.iter().zip(event.stamps.iter()) {
            let (key, wanted) = match change {
                Change::Put(row) => (row.key(), self.puts),
                Change::Delete(key) => (key.clone(), self.deletes),
            };
            let path = key.path();
            if !wanted || !self.span.contains(&path) {
                continue;
            }
            let prev_kv = self.before.as_ref().and_then(|tables| previous(tables, &key, &path));
            matching.extend(translate(change, *stamp, &path, event.revision, prev_kv));
        }
        if let Some(tables) = &mut self.before {
            let batch = Batch { changes: event.changes.to_vec(), ..Batch::default() };
            tables.apply(&batch, event.revision);
        }
        matching
    }

    fn progress_report(&mut self, revision: Revision) -> WatchResponse {
        self.reported = Instant::now();
        WatchResponse {
            header: Some(header(&self.store, revision)),
            watch_id: self.watch_id,
            ..WatchResponse::default()
        }
    }

    fn compacted(&mut self, revision: Revision) -> WatchResponse {
        let visible = self.store.snapshot().revision;
        WatchResponse {
            canceled: true,
            compact_revision: signed(revision.next()),
            cancel_reason: "etcdserver: mvcc: required revision has been compacted".to_owned(),
            ..self.progress_report(visible)
        }
    }
}

/// The tables just before `start`, if they are still known.
fn before(server: &Server, newest: &Snapshot, start: Revision) -> Option<Tables> {
    if start == newest.revision.next() {
        return Some(newest.tables.clone());
    }
    let before = Revision(start.0.checked_sub(1)?);
    let view = server.views.at(&server.store, signed(before)).ok()?;
    Some(view.snapshot.tables.clone())
}

fn previous(tables: &Tables, key: &AnyKey, path: &str) -> Option<KeyValue> {
    let (row, stamp) = tables.find(key)?;
    range::key_value(path, Some(&row), stamp).ok()
}

fn translate(
    change: &Change,
    stamp: Stamp,
    path: &str,
    revision: Revision,
    prev_kv: Option<KeyValue>,
) -> Option<mvccpb::Event> {
    let (kind, kv) = match change {
        Change::Put(row) => (EventType::Put, range::key_value(path, Some(row), stamp).ok()?),
        Change::Delete(_) => {
            let stamp = Stamp { modified: revision, ..Stamp::default() };
            (EventType::Delete, range::key_value(path, None, stamp).ok()?)
        }
    };
    Some(mvccpb::Event { r#type: kind.into(), kv: Some(kv), prev_kv })
}
