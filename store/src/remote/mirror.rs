//! The copy of the tables that follows a server.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};

use super::calls::{self, Calls, Done, Peer, ROWS};
use crate::progress::Progress;
use crate::published::Published;
use crate::served::generated::etcdserverpb::watch_request::RequestUnion;
use crate::served::generated::etcdserverpb::{
    WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse,
};
use crate::served::generated::mvccpb;
use crate::served::generated::mvccpb::event::EventType;
use crate::served::span::{after_prefix, prefix};
use crate::served::status::{describe, signed, unsigned};
use crate::{AnyKey, Change, CommitError, Event, Revision, Snapshot, Stamp, Table};

/// How long a server may be silent; it is asked more often than that.
const SILENCE_MAX: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_secs(3);
const BACK_OFF_MIN: Duration = Duration::from_millis(20);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);
/// A table that is always small: a page of it costs nothing.
const FEW: Table = Table::Instances;
/// How often loading starts over because the server forgot the revision meanwhile.
const LOADS_MAX: u32 = 5;

/// A mirror of the tables, and how it stands with the server.
pub(crate) struct Mirror {
    pub(crate) calls: Calls,
    pub(crate) published: Arc<Published>,
    /// What is copied; everything if `None`.
    selected: Option<BTreeSet<Table>>,
    contact: Mutex<Contact>,
}

#[derive(Clone)]
pub(crate) struct Contact {
    /// When the server was heard of last.
    pub(crate) last: Instant,
    /// Why it is not heard of now.
    pub(crate) lost: Option<String>,
    pub(crate) last_error: Option<String>,
    /// Why it takes no commits, if the last one failed for want of room.
    pub(crate) refusing: Option<String>,
    /// Why our server cannot write, as it says.
    pub(crate) server: Option<String>,
}

/// Why following has to begin anew.
enum Lost {
    /// The way from our revision to the server's is unknown.
    History,
    Contact(Status),
}

impl Mirror {
    /// Loads the tables that are `selected`, or everything.
    pub(crate) async fn load(
        calls: Calls,
        selected: Option<BTreeSet<Table>>,
        progress: &Progress,
    ) -> Result<Self, Status> {
        let (snapshot, lineage) = load(&calls, selected.as_ref(), progress).await?;
        let server = match calls.peer {
            Peer::Served => calls.server_degraded().await?,
            Peer::Etcd => None,
        };
        let contact =
            Contact { last: Instant::now(), lost: None, last_error: None, refusing: None, server };
        let published = Published::new(snapshot, lineage);
        Ok(Self { calls, published, selected, contact: Mutex::new(contact) })
    }

    pub(crate) fn contact(&self) -> Contact {
        self.contact.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how a commit went.
    pub(crate) fn committed(&self, done: &Result<Done, CommitError>) {
        let refusing = match done {
            Err(error @ (CommitError::Full(_) | CommitError::ReadOnly(_))) => error.to_string(),
            Ok(_) | Err(_) => String::new(),
        };
        let mut contact = self.contact.lock().unwrap_or_else(PoisonError::into_inner);
        if refusing.is_empty() {
            if done.is_ok() && contact.refusing.take().is_some() {
                tracing::info!("the store takes commits again");
            }
            return;
        }
        if contact.refusing.is_none() {
            tracing::error!(error = refusing, "the store takes no commits");
        }
        contact.refusing = Some(refusing.clone());
        contact.last_error = Some(refusing);
    }

    /// Follows the server for ever.
    pub(crate) async fn follow(&self) {
        let mut back_off = BACK_OFF_MIN;
        loop {
            let begun = Instant::now();
            let status = match self.session().await {
                Lost::Contact(status) => status,
                Lost::History => match self.reload().await {
                    Ok(()) => continue,
                    Err(status) => status,
                },
            };
            if begun.elapsed() > BACK_OFF_MAX {
                back_off = BACK_OFF_MIN;
            }
            self.out_of_contact(&status);
            tokio::time::sleep(back_off).await;
            back_off = (back_off * 2).min(BACK_OFF_MAX);
        }
    }

    /// Follows the server until something breaks.
    async fn session(&self) -> Lost {
        let (requests, queue) = mpsc::channel(4);
        let mut snapshot = Snapshot::clone(&self.published.snapshot());
        if self.calls.peer == Peer::Etcd {
            // A member that a watch is on may lag behind; only a read asks the cluster.
            match self.calls.newest().await {
                Err(status) => return Lost::Contact(status),
                Ok(newest) if newest < snapshot.revision => return Lost::History,
                Ok(_) => {}
            }
        }
        let create = WatchCreateRequest {
            key: ROWS.into(),
            range_end: after_prefix(ROWS),
            start_revision: signed(snapshot.revision.next()),
            progress_notify: true,
            fragment: true,
            ..WatchCreateRequest::default()
        };
        let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
        // There is room: nothing else is in the queue.
        let _ = requests.try_send(create);
        let mut client = self.calls.watch_client();
        let mut watch = Request::new(ReceiverStream::new(queue));
        if self.calls.peer == Peer::Etcd {
            // A member that is cut off from the others ends the watch instead of going silent.
            watch.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
        }
        let opening = client.watch(watch);
        let mut stream = match tokio::time::timeout(SILENCE_MAX, opening).await {
            Ok(Ok(stream)) => stream.into_inner(),
            Ok(Err(status)) => return Lost::Contact(status),
            Err(_) => return Lost::Contact(Status::unavailable("no answer to a watch")),
        };
        let mut fragments = Vec::new();
        let mut heard = Instant::now();
        loop {
            let message = tokio::select! {
                message = stream.message() => message,
                () = tokio::time::sleep(ASK_EVERY) => {
                    if heard.elapsed() > SILENCE_MAX {
                        return Lost::Contact(Status::unavailable("the server is silent"));
                    }
                    let ask = RequestUnion::ProgressRequest(WatchProgressRequest {});
                    // A queue that is full is full of the same question.
                    let _ = requests.try_send(WatchRequest { request_union: Some(ask) });
                    self.ask_server().await;
                    continue;
                }
            };
            heard = Instant::now();
            let step = match message {
                Ok(Some(message)) => self.step(&mut snapshot, &mut fragments, message),
                Ok(None) => Err(Lost::Contact(Status::unavailable("the server closed the watch"))),
                Err(status) => Err(Lost::Contact(status)),
            };
            if let Err(lost) = step {
                return lost;
            }
        }
    }

    /// Takes in one message.
    fn step(
        &self,
        snapshot: &mut Snapshot,
        fragments: &mut Vec<mvccpb::Event>,
        message: WatchResponse,
    ) -> Result<(), Lost> {
        if message.canceled {
            return Err(if message.compact_revision > 0 {
                Lost::History
            } else {
                Lost::Contact(Status::permission_denied(message.cancel_reason))
            });
        }
        let header = message.header.unwrap_or_default();
        let now = Revision(unsigned(header.revision));
        let is_behind = self.calls.peer == Peer::Served && now < snapshot.revision;
        if message.created && (is_behind || header.cluster_id != self.published.lineage()) {
            // A server that lost its past, or has another: ours is not its.
            return Err(Lost::History);
        }
        self.in_contact();
        fragments.extend(message.events);
        if message.fragment {
            return Ok(());
        }
        if !fragments.is_empty() {
            self.server_says(None);
        }
        let events = apply(snapshot, std::mem::take(fragments), self.selected.as_ref());
        // Our server says how far the watch is; etcd how far the cluster is, which may be more.
        let is_progress = self.calls.peer == Peer::Served && !message.created;
        if is_progress && message.watch_id >= 0 && now > snapshot.revision {
            snapshot.revision = now;
        } else if events.is_empty() {
            return Ok(());
        }
        self.published.publish(snapshot.clone(), events);
        Ok(())
    }

    async fn reload(&self) -> Result<(), Status> {
        tracing::info!("the history since the last revision is gone: loading everything");
        let unseen = Progress::default();
        let (snapshot, lineage) = load(&self.calls, self.selected.as_ref(), &unseen).await?;
        self.in_contact();
        self.published.reset(snapshot, lineage);
        Ok(())
    }

    /// Asks our server, which is silent, whether that is because it cannot write.
    async fn ask_server(&self) {
        if self.calls.peer == Peer::Served
            && let Ok(degraded) = self.calls.server_degraded().await
        {
            self.server_says(degraded);
        }
    }

    fn server_says(&self, degraded: Option<String>) {
        self.contact.lock().unwrap_or_else(PoisonError::into_inner).server = degraded;
    }

    fn in_contact(&self) {
        let mut contact = self.contact.lock().unwrap_or_else(PoisonError::into_inner);
        contact.last = Instant::now();
        if contact.lost.take().is_some() {
            tracing::info!("the store is back");
        }
    }

    fn out_of_contact(&self, status: &Status) {
        let words = describe(status);
        let mut contact = self.contact.lock().unwrap_or_else(PoisonError::into_inner);
        if contact.lost.is_none() {
            tracing::warn!(error = words, "the store is out of reach; its last revision stays");
        }
        contact.lost = Some(words.clone());
        contact.last_error = Some(words);
    }
}

/// Reads all rows that are `selected` at one revision; and which past that belongs to.
async fn load(
    calls: &Calls,
    selected: Option<&BTreeSet<Table>>,
    progress: &Progress,
) -> Result<(Snapshot, u64), Status> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match load_once(calls, selected, progress).await {
            Err(status) if status.code() == Code::OutOfRange && attempts < LOADS_MAX => {}
            done => return done,
        }
    }
}

async fn load_once(
    calls: &Calls,
    selected: Option<&BTreeSet<Table>>,
    progress: &Progress,
) -> Result<(Snapshot, u64), Status> {
    let mut snapshot = Snapshot::default();
    let Some(selected) = selected else {
        let lineage = load_span(calls, ROWS, &mut snapshot, progress).await?;
        return Ok((snapshot, lineage));
    };
    // The first page says at which revision to read all of them, also if none is wanted.
    let page = calls.raw_page(&prefix(FEW), None, Revision::default()).await?;
    snapshot.revision = page.revision;
    for table in selected {
        load_span(calls, &prefix(*table), &mut snapshot, progress).await?;
    }
    Ok((snapshot, page.lineage))
}

/// Reads what starts with `prefix` at the revision of `snapshot`, or at the newest if it has none.
async fn load_span(
    calls: &Calls,
    prefix: &str,
    snapshot: &mut Snapshot,
    progress: &Progress,
) -> Result<u64, Status> {
    let mut start = None;
    loop {
        let is_first = start.is_none();
        let page = calls.raw_page(prefix, start, snapshot.revision).await?;
        if is_first {
            progress.begin("reading the store", page.count);
        }
        progress.advance(u64::try_from(page.rows.len()).unwrap_or(0));
        snapshot.revision = page.revision;
        for (row, stamp) in page.rows.iter().filter_map(calls::row) {
            snapshot.tables.restore(row, stamp);
        }
        start = page.next;
        if start.is_none() {
            return Ok(page.lineage);
        }
    }
}

/// Makes the changes that `events` report in the tables that are `selected`; one event for each
/// revision comes out.
fn apply(
    snapshot: &mut Snapshot,
    events: Vec<mvccpb::Event>,
    selected: Option<&BTreeSet<Table>>,
) -> Vec<Event> {
    let mut applied: Vec<(Revision, Vec<Change>, Vec<Stamp>)> = Vec::new();
    let known = snapshot.revision;
    for event in events {
        let kind = event.r#type();
        let Some(kv) = event.kv else { continue };
        let at = Revision(unsigned(kv.mod_revision));
        if at <= known {
            continue; // Seen before the watch was resumed.
        }
        if applied.last().is_none_or(|(last, ..)| *last != at) {
            applied.push((at, Vec::new(), Vec::new()));
            snapshot.revision = at;
        }
        if selected.is_some_and(|tables| !table_of(&kv.key).is_some_and(|it| tables.contains(&it)))
        {
            continue;
        }
        let change = match kind {
            EventType::Put => calls::row(&kv).map(|(row, stamp)| {
                snapshot.tables.restore(row.clone(), stamp);
                (Change::Put(row), stamp)
            }),
            EventType::Delete => {
                let key = std::str::from_utf8(&kv.key).ok().and_then(AnyKey::from_path);
                let there = key.filter(|key| snapshot.tables.remove(key));
                there.map(|key| (Change::Delete(key), Stamp::default()))
            }
        };
        if let (Some((change, stamp)), Some((_, changes, stamps))) = (change, applied.last_mut()) {
            changes.push(change);
            stamps.push(stamp);
        }
    }
    let events = applied.into_iter().map(|(revision, changes, stamps)| Event {
        revision,
        changes: changes.into(),
        stamps: stamps.into(),
    });
    events.collect()
}

/// The table that a key is of.
fn table_of(key: &[u8]) -> Option<Table> {
    let (table, _) = std::str::from_utf8(key).ok()?.strip_prefix(ROWS)?.split_once('/')?;
    Table::from_name(table)
}
