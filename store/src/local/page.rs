//! A page of the checkpoint: many rows, as one value of sled.
//!
//! ```text
//! format 3:     CRC-32C u32 · how long the items are u32 · the items, an LZ4 block
//! formats 1, 2: CRC-32C u32 · the items
//! ```
//!
//! The checksum covers all that follows it. Rows resemble each other: a page takes a fifth to a tenth of its
//! items, which is less to write, to verify and to hand through sled, and takes less time than that.

use super::checkpoint::Totals;
use crate::journal::item::{Item, PATH_MAX, VALUE_MAX};

/// How many octets of items make a page; with less of them, sled writes each of its nodes anew
/// more often.
pub(crate) const PAGE: usize = 32 * 1024;
/// More than a page can hold: an item may begin when it is nearly full.
const ITEMS_MAX: usize = PAGE + PATH_MAX + VALUE_MAX + 1024;
/// The first format whose pages are compressed.
const COMPRESSED: u32 = 3;
/// Checksum and length.
const HEADER: usize = 8;

/// Makes a page of `items` in the place of what is in `page`.
pub(crate) fn write(items: &[u8], page: &mut Vec<u8>) -> Result<(), String> {
    let length = u32::try_from(items.len()).map_err(|error| error.to_string())?;
    page.clear();
    page.resize(HEADER + lz4_flex::block::get_maximum_output_size(items.len()), 0);
    let room = page.get_mut(HEADER..).unwrap_or_default();
    let compressed = lz4_flex::block::compress_into(items, room);
    page.truncate(HEADER + compressed.map_err(|error| error.to_string())?);
    if let Some(place) = page.first_chunk_mut::<HEADER>() {
        let [.., a, b, c, d] = place;
        [*a, *b, *c, *d] = length.to_be_bytes();
    }
    let checksum = crc32c::crc32c(page.get(4..).unwrap_or_default());
    if let Some(place) = page.first_chunk_mut::<4>() {
        *place = checksum.to_be_bytes();
    }
    Ok(())
}

/// Reads pages of one format, one after the other.
pub(crate) struct Reader {
    format: u32,
    /// What was read, the items counted by whoever takes them.
    pub(crate) totals: Totals,
    /// Where the items of a page are put, if they are not in it as they are.
    room: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(format: u32) -> Self {
        Self { format, totals: Totals::default(), room: Vec::new() }
    }

    /// Counts a page and verifies its checksum; returns its items, which are not counted.
    pub(crate) fn items<'a>(&'a mut self, page: &'a [u8]) -> Option<&'a [u8]> {
        let body = self.totals.page(page)?;
        if self.format < COMPRESSED {
            return Some(body);
        }
        let (length, block) = body.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        if length > ITEMS_MAX {
            return None;
        }
        // Longer than any page so far is what it seldom becomes: nothing is cleared again.
        if self.room.len() < length {
            self.room.resize(length, 0);
        }
        let room = self.room.get_mut(..length)?;
        let found = lz4_flex::block::decompress_into(block, room).ok()?;
        (found == length).then_some(&*room)
    }

    /// Counts a page and its items.
    pub(crate) fn count(&mut self, page: &[u8]) -> Option<()> {
        let mut count = 0;
        for item in Item::parse_all(self.items(page)?) {
            item.ok()?;
            count += 1;
        }
        self.totals.items += count;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(count: usize) -> Vec<u8> {
        let mut items = Vec::new();
        for number in 0..count {
            let path = format!("/mip4/nodes/127.0.0.1/address=10.0.0.{number}");
            Item { path: &path, put: None }.emit(&mut items);
        }
        items
    }

    #[test]
    fn pages_read_back_and_every_flipped_octet_of_one_is_noticed() {
        let items = items(200);
        let mut page = Vec::new();
        write(&items, &mut page).unwrap();
        assert!(page.len() * 4 < items.len());
        let mut reader = Reader::new(COMPRESSED);
        assert_eq!(reader.items(&page).unwrap(), items);
        reader.count(&page).unwrap();
        assert_eq!((reader.totals.pages, reader.totals.items), (2, 200));
        for at in 0..page.len() {
            let mut flipped = page.clone();
            flipped[at] ^= 4;
            assert!(Reader::new(COMPRESSED).items(&flipped).is_none(), "octet {at}");
            assert!(Reader::new(COMPRESSED).items(&page[..at]).is_none(), "cut at {at}");
        }
        // A page before this format is its items; neither is taken for the other.
        let old = [&crc32c::crc32c(&items).to_be_bytes()[..], &items].concat();
        assert_eq!(Reader::new(2).items(&old).unwrap(), items);
        assert!(Reader::new(2).count(&page).is_none());
        assert!(Reader::new(COMPRESSED).count(&old).is_none());
    }

    proptest! {
        /// A checksum that happens to be right makes no octets items, and no room without end.
        #[test]
        fn octets_that_no_page_was_made_of_are_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let page = [&crc32c::crc32c(&body).to_be_bytes()[..], &body].concat();
            let mut reader = Reader::new(COMPRESSED);
            let _ = reader.count(&page);
            prop_assert!(reader.room.len() <= ITEMS_MAX);
        }
    }
}
