//! Reading a served store without loading all of it.

use std::marker::PhantomData;
use std::sync::Arc;

use tonic::{Code, Status};

use super::calls::{self, Calls, Peer};
use super::connect;
use crate::served::generated::mvccpb::KeyValue;
use crate::served::span::prefix;
use crate::served::status::{describe, to_commit};
use crate::{Batch, CommitError, Entry, OpenError, Revision, Row, Stamp, StoreUrl};

/// A connection for scripts: typed reads and commits, no mirror.
#[derive(Clone)]
pub struct Client {
    calls: Calls,
}

/// Why a store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("cannot reach the store: {0}")]
    Unreachable(String),
    #[error("not permitted: {0}")]
    NotPermitted(String),
    /// The revision that was asked for is forgotten; begin with the newest.
    #[error("that revision is forgotten")]
    Compacted,
    #[error("the store says: {0}")]
    Refused(String),
    #[error("a row of {table} cannot be read")]
    Row { table: &'static str, source: serde_json::Error },
}

/// Some rows of a table, in the order of their paths.
#[derive(Clone, Debug)]
pub struct Page<R: Row> {
    pub revision: Revision,
    pub rows: Vec<Entry<R>>,
    next: Option<Vec<u8>>,
    table: PhantomData<R>,
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => {
                Self::NotPermitted(status.message().to_owned())
            }
            Code::OutOfRange => Self::Compacted,
            Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled => {
                Self::Unreachable(describe(&status))
            }
            _ => Self::Refused(describe(&status)),
        }
    }
}

impl From<OpenError> for ClientError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotPermitted(words) => Self::NotPermitted(words),
            OpenError::Unreachable(words) => Self::Unreachable(words),
            error => Self::Unreachable(error.to_string()),
        }
    }
}

impl Client {
    /// Connects to a store that is served; nothing is read yet.
    pub async fn connect(url: &StoreUrl) -> Result<Self, ClientError> {
        match url {
            StoreUrl::Unix(path) => {
                Ok(Self { calls: Calls::new(Peer::Served, vec![connect::unix(path).await?]) })
            }
            StoreUrl::Sled(_) | StoreUrl::Etcd(_) => {
                Err(ClientError::Refused(format!("`{url}` is not a socket of ours")))
            }
        }
    }

    /// One row.
    pub async fn get<R: Row>(&self, key: &R::Key) -> Result<Option<Entry<R>>, ClientError> {
        let found = self.calls.get(&R::any_key(key.clone()).path()).await?;
        found.as_ref().map(entry).transpose()
    }

    /// The first page of a table, at its newest revision.
    pub async fn first_page<R: Row>(&self) -> Result<Page<R>, ClientError> {
        self.page(None, Revision::default()).await
    }

    /// The page after `page`, at the same revision; `None` if that was the last.
    pub async fn next_page<R: Row>(&self, page: &Page<R>) -> Result<Option<Page<R>>, ClientError> {
        match &page.next {
            None => Ok(None),
            Some(start) => self.page(Some(start.clone()), page.revision).await.map(Some),
        }
    }

    /// Makes the changes of `batch`; returns once they are durable.
    pub async fn commit(&self, batch: &Batch) -> Result<Revision, CommitError> {
        Ok(self.calls.commit(batch).await?.revision)
    }

    /// Seals `octets` and keeps them at `path`, durably.
    pub async fn put_secret(&self, path: &str, octets: &[u8]) -> Result<Revision, CommitError> {
        let key = format!("{}{path}", crate::secrets::PREFIX);
        self.calls.put(&key, octets.to_vec()).await.map_err(|status| to_commit(&status))
    }

    async fn page<R: Row>(
        &self,
        start: Option<Vec<u8>>,
        revision: Revision,
    ) -> Result<Page<R>, ClientError> {
        let page = self.calls.raw_page(&prefix(R::TABLE), start, revision).await?;
        let rows = page.rows.iter().map(entry).collect::<Result<_, _>>()?;
        Ok(Page { revision: page.revision, rows, next: page.next, table: PhantomData })
    }
}

fn entry<R: Row>(kv: &KeyValue) -> Result<Entry<R>, ClientError> {
    let row = serde_json::from_slice(&kv.value)
        .map_err(|source| ClientError::Row { table: R::TABLE.name(), source })?;
    let stamp = calls::stamp(kv);
    let Stamp { created, modified, version } = stamp;
    Ok(Entry { row: Arc::new(row), created, modified, version })
}
