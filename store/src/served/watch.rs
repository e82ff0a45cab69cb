//! The service `Watch`: several watches on one stream.
//!
//! Nothing is buffered for a reader beyond a few messages: each watch reads from
//! the bounded history of the store. Who falls behind that is told where to start
//! again, and who does not read at all is cut off.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::feed::Feed;
use super::generated::etcdserverpb::watch_request::RequestUnion;
use super::generated::etcdserverpb::watch_server::Watch;
use super::generated::etcdserverpb::{WatchCreateRequest, WatchRequest, WatchResponse};
use super::kv::{Server, Shared, header};
use super::span::Span;

/// How many messages wait for a reader before its watches wait.
const QUEUE: usize = 16;
/// How long a reader may leave a message unread.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many watches a stream may have.
const WATCHES_MAX: usize = 256;
/// What a progress report on request is sent as; etcd's.
const PROGRESS: i64 = -1;

#[tonic::async_trait]
impl Watch for Shared {
    type WatchStream = Answers;

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let access = self.0.policy.access(&request)?;
        let mut requests = request.into_inner();
        let (messages, queue) = mpsc::channel(QUEUE);
        let (cut, cut_off) = watch::channel(false);
        let out = Outgoing { messages, cut: Arc::new(cut) };
        let mut session =
            Session { server: Arc::clone(&self.0), out, watches: BTreeMap::new(), next_id: 0 };
        tokio::spawn(async move {
            let mut closing = session.server.closing.clone();
            loop {
                let request = tokio::select! {
                    request = requests.next() => request,
                    _ = closing.wait_for(|closing| *closing) => break,
                    () = session.out.messages.closed() => break,
                };
                let Some(Ok(WatchRequest { request_union: Some(request) })) = request else {
                    break;
                };
                if session.handle(access, request).await.is_none() {
                    break;
                }
            }
        });
        Ok(Response::new(Answers { queue, cut_off, ended: false }))
    }
}

/// One stream of watches.
struct Session {
    server: Arc<Server>,
    out: Outgoing,
    watches: BTreeMap<i64, JoinHandle<()>>,
    next_id: i64,
}

impl Drop for Session {
    fn drop(&mut self) {
        for watch in self.watches.values() {
            watch.abort();
        }
    }
}

impl Session {
    /// `None` once the reader is gone.
    async fn handle(&mut self, access: super::access::Access, request: RequestUnion) -> Option<()> {
        match request {
            RequestUnion::CreateRequest(request) => {
                let span = Span::new(request.key.clone(), request.range_end.clone());
                match span.and_then(|span| access.read(&span).map(|()| span)) {
                    Ok(span) => self.create(span, &request).await,
                    Err(status) => self.refuse(request.watch_id, status.message()).await,
                }
            }
            RequestUnion::CancelRequest(request) => {
                let watch = self.watches.remove(&request.watch_id)?;
                watch.abort();
                let header = Some(self.server.header_now());
                let watch_id = request.watch_id;
                let canceled = true;
                let answer = WatchResponse { header, watch_id, canceled, ..Default::default() };
                self.out.send(answer).await
            }
            RequestUnion::ProgressRequest(_) => {
                let header = Some(self.server.header_now());
                let answer = WatchResponse { header, watch_id: PROGRESS, ..Default::default() };
                self.out.send(answer).await
            }
        }
    }

    async fn create(&mut self, span: Span, request: &WatchCreateRequest) -> Option<()> {
        self.watches.retain(|_, watch| !watch.is_finished());
        if self.watches.len() >= WATCHES_MAX {
            return self.refuse(request.watch_id, "too many watches on one stream").await;
        }
        let watch_id = match request.watch_id {
            0 => self.free_id(),
            id if self.watches.contains_key(&id) => {
                return self.refuse(-1, "etcdserver: duplicate watch ID").await;
            }
            id => id,
        };
        let mut feed = Feed::new(&self.server, span, request, watch_id);
        let header = Some(header(&self.server.store, feed.begun_at()));
        let answer = WatchResponse { header, watch_id, created: true, ..Default::default() };
        self.out.send(answer).await?;
        let out = self.out.clone();
        let watch = tokio::spawn(async move {
            while let Some(answers) = feed.next().await {
                for answer in answers {
                    if out.send(answer).await.is_none() {
                        return;
                    }
                }
            }
        });
        self.watches.insert(watch_id, watch);
        Some(())
    }

    fn free_id(&mut self) -> i64 {
        while self.watches.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Says that a watch cannot be, the way etcd does: created and canceled at once.
    async fn refuse(&self, watch_id: i64, reason: &str) -> Option<()> {
        let answer = WatchResponse {
            header: Some(self.server.header_now()),
            watch_id,
            created: true,
            canceled: true,
            cancel_reason: reason.to_owned(),
            ..Default::default()
        };
        self.out.send(answer).await
    }
}

/// Where watches put their messages.
#[derive(Clone)]
struct Outgoing {
    messages: mpsc::Sender<WatchResponse>,
    cut: Arc<watch::Sender<bool>>,
}

impl Outgoing {
    /// Waits for the reader, but not for ever; `None` once it is gone or cut off.
    async fn send(&self, message: WatchResponse) -> Option<()> {
        match tokio::time::timeout(PATIENCE, self.messages.send(message)).await {
            Ok(sent) => sent.ok(),
            Err(_) => {
                tracing::warn!("a watch is cut off because nobody reads it");
                self.cut.send_replace(true);
                None
            }
        }
    }
}

/// The messages of a stream, until the reader is cut off.
pub(crate) struct Answers {
    queue: mpsc::Receiver<WatchResponse>,
    cut_off: watch::Receiver<bool>,
    ended: bool,
}

impl Stream for Answers {
    type Item = Result<WatchResponse, Status>;

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<WatchResponse, Status>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        if *this.cut_off.borrow() {
            this.ended = true;
            this.queue.close();
            let seconds = PATIENCE.as_secs();
            let reason = format!("cut off: nothing was read for {seconds} seconds");
            return Poll::Ready(Some(Err(Status::resource_exhausted(reason))));
        }
        this.queue.poll_recv(context).map(|message| message.map(Ok))
    }
}
