use std::sync::Arc;

use proptest::prelude::*;

use super::item::Item;
use super::record::{Header, Record};
use super::segment::{self, End, HeaderFault};
use super::*;
use crate::files::RealFiles;
use crate::{Class, Stamp};

fn stamp(created: u64, modified: u64, version: u64) -> Stamp {
    Stamp { created: Revision(created), modified: Revision(modified), version }
}

/// A segment from revision 1 whose records come in groups of these sizes.
fn segment_of(groups: &[u64]) -> (Vec<u8>, Vec<usize>) {
    let mut octets = segment::header(Revision(1)).to_vec();
    let mut ends = Vec::new();
    let mut revision = Revision(0);
    for group in groups {
        let synced = revision;
        for _ in 0..*group {
            revision = revision.next();
            let header = Header { class: Class::Durable, revision, synced };
            header.emit(1, &mut octets, |out| out.extend([0x5a; 700]));
            ends.push(octets.len());
        }
    }
    (octets, ends)
}

/// What a segment is found to hold, with room for more behind it or without.
fn scan(octets: &[u8], mark: u64) -> (u64, End) {
    let scan = segment::scan(octets, Revision(1), Revision(mark), |_| ());
    let with_room = [octets, &[0; 5000]].concat();
    let roomy = segment::scan(&with_room, Revision(1), Revision(mark), |_| ());
    assert_eq!((scan.last, &scan.end, scan.torn), (roomy.last, &roomy.end, roomy.torn));
    (scan.last.0, scan.end)
}

proptest! {
    #[test]
    fn items_parse_as_they_were_emitted(
        path in "[ -~]{0,300}",
        put in proptest::option::of((any::<[u64; 3]>(), proptest::collection::vec(any::<u8>(), 0..300))),
    ) {
        let put = put.as_ref().map(|([a, b, c], value)| (stamp(*a, *b, *c), &value[..]));
        let item = Item { path: &path, put };
        let mut octets = Vec::new();
        item.emit(&mut octets);
        item.emit(&mut octets);
        let parsed: Vec<_> = Item::parse_all(&octets).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(parsed, vec![item, item]);
        octets.pop();
        prop_assert!(Item::parse_all(&octets).any(|item| item.is_err()));
    }

    #[test]
    fn no_octets_make_a_parser_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Item::parse_all(&octets).count();
        let _ = Record::parse(&octets, 1);
        let _ = segment::parse_header(&octets);
        let _ = segment::scan(&octets, Revision(1), Revision(0), |_| ());
    }

    #[test]
    fn a_record_with_any_flipped_bit_is_none(
        payload in proptest::collection::vec(any::<u8>(), 0..100), place in any::<usize>(), bit in 0..8_u32,
    ) {
        let header =
            Header { class: Class::Relaxed, revision: Revision(7), synced: Revision(5) };
        let mut octets = Vec::new();
        header.emit(3, &mut octets, |out| out.extend(&payload));
        let record = Record::parse(&octets, 3).unwrap();
        prop_assert_eq!((record.header, record.payload), (header, &payload[..]));
        prop_assert!(Record::parse(&octets, 4).is_none(), "of another segment");
        let place = place % octets.len();
        octets[place] ^= 1 << bit;
        prop_assert!(Record::parse(&octets, 3).is_none());
    }
}

#[test]
fn the_end_of_a_segment_is_judged() {
    let (whole, ends) = segment_of(&[1, 1, 3]);
    assert_eq!(scan(&whole, 0), (5, End::Whole));
    // What was synced is not there, and nothing else is.
    let gone = [&whole[..ends[3]], &vec![0; ends[4] - ends[3]]].concat();
    let found = segment::scan(&gone, Revision(1), Revision(5), |_| ());
    assert!(matches!(found.end, End::Damaged(_)) && found.last == Revision(4));
    assert_eq!(scan(&gone, 4), (4, End::Whole));
    // Cut within the last group, which nobody was promised.
    assert_eq!(scan(&whole[..ends[2] + 90], 2), (3, End::Torn));
    // The same cut, when the mark vouches for more.
    assert!(matches!(scan(&whole[..ends[2] + 90], 4), (3, End::Damaged(_))));
    // A sector of the last group was never written, later ones were.
    let mut torn = whole.clone();
    let sector = (ends[2] / 512 + 1) * 512;
    torn[sector..sector + 512].fill(0);
    assert!(matches!(scan(&torn, 2), (3 | 4, End::Torn)));
    // A bit of an earlier group: the records behind it say that it was synced.
    let mut flipped = whole.clone();
    flipped[ends[0] + 100] ^= 1;
    assert!(matches!(scan(&flipped, 0), (1, End::Damaged(_))));
    // A bit of the last record, of its contents and of its length.
    for place in [ends[3] + 100, ends[3] + 5] {
        let mut flipped = whole.clone();
        flipped[place] ^= 0x40;
        assert!(matches!(scan(&flipped, 0), (4, End::Damaged(_))), "octet {place}");
    }
}

#[test]
fn a_header_is_torn_damaged_or_of_another_format() {
    let header = segment::header(Revision(9));
    assert_eq!(segment::parse_header(&header), Ok(Revision(9)));
    assert_eq!(segment::parse_header(&header[..31]), Err(HeaderFault::Torn));
    assert_eq!(segment::parse_header(&[0; 64]), Err(HeaderFault::Torn));
    for place in 0..28 {
        let mut flipped = header;
        flipped[place] ^= 1;
        assert_eq!(segment::parse_header(&flipped), Err(HeaderFault::Damaged));
    }
    let mut later = header;
    later[11] = 99;
    let checksum = crc32c::crc32c(&later[..24]).to_be_bytes();
    later[24..28].copy_from_slice(&checksum);
    assert_eq!(segment::parse_header(&later), Err(HeaderFault::Format(99)));
}

#[test]
fn an_empty_segment_is_not_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let files: Arc<dyn Files> = Arc::new(RealFiles);
    let path = folder.path().to_owned();
    let mut journal = Journal::create(files, path.clone(), Revision(1)).unwrap();
    journal.rotate().unwrap();
    let mut records = Vec::new();
    let header = Header { class: Class::Durable, revision: Revision(1), synced: Revision(0) };
    header.emit(journal.salt(), &mut records, |_| ());
    journal.append(&records, Revision(1)).unwrap();
    journal.rotate().unwrap();
    journal.rotate().unwrap();
    journal.forget(Revision(1)).unwrap();
    assert!(path.join(file_name(Revision(2))).exists());
    assert!(!path.join(file_name(Revision(1))).exists());
    assert_eq!(first_of(&file_name(Revision(2))), Some(Revision(2)));
    assert_eq!(first_of("2.journal"), None);
}
