//! Rows on their way into a table.

use std::sync::Arc;

use crate::Stamp;

/// Things that are handed over one by one, in any order.
type Chunk<T> = Vec<Option<T>>;

/// Rows of one table on their way to [`Rows`](super::Rows).
///
/// There may be millions: chunks need not be moved to where there is room for more, and are taken
/// over as they are from who has read some of them.
pub(super) struct Gathering<R> {
    chunks: Vec<Chunk<(Arc<R>, Stamp)>>,
}

impl<R> Default for Gathering<R> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<R> Gathering<R> {
    /// How many rows a chunk has.
    const CHUNK: usize = 8192;

    pub(super) fn push(&mut self, row: Arc<R>, stamp: Stamp) {
        match self.chunks.last_mut() {
            Some(last) if last.len() < Self::CHUNK => last.push(Some((row, stamp))),
            // The first grows as it is filled, for most tables are small.
            Some(_) => {
                let mut next = Vec::with_capacity(Self::CHUNK);
                next.push(Some((row, stamp)));
                self.chunks.push(next);
            }
            None => self.chunks.push(vec![Some((row, stamp))]),
        }
    }

    /// Takes all rows of `other`, which come after these.
    pub(super) fn append(&mut self, other: Self) {
        self.chunks.extend(other.chunks);
    }

    /// Whether there are so few that they are not worth a thread.
    pub(super) fn is_small(&self) -> bool {
        self.chunks.len() <= 1
    }

    /// Hands over every row as [`packed`] says.
    pub(super) fn packed(mut self, each: impl FnMut((Arc<R>, Stamp))) {
        packed(&mut self.chunks, each);
    }
}

/// Hands over what is sorted in such an order that a B-tree filled with it has full nodes.
///
/// Ascending insertion leaves every node half full, having split it at its
/// middle; every second item first, and the others fit into the gaps.
pub(crate) fn packed<T>(sorted: &mut [Chunk<T>], mut each: impl FnMut(T)) {
    for chunk in &mut *sorted {
        chunk.iter_mut().step_by(2).filter_map(Option::take).for_each(&mut each);
    }
    for chunk in sorted {
        // What is handed over is freed as it goes.
        std::mem::take(chunk).into_iter().flatten().for_each(&mut each);
    }
}
