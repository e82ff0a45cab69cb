use proptest::prelude::*;

use super::*;
use crate::testing::{check_extension, emitted};

#[test]
fn the_longest_nai_is_carried_by_one_extension_only() {
    let nai = Nai::new(&"n".repeat(255)).unwrap();
    assert_eq!(emitted!(nai).len(), 257);
    let mut out = Vec::new();
    let carrying = NaiCarrying { subtype: NaiCarrying::FOREIGN_AGENT, nai };
    assert_eq!(carrying.emit(&mut out), Err(DataTooLong { kind: 136, length: 255 }));
    assert!(out.is_empty());
}

proptest! {
    #[test]
    fn nai_survives(text in "[^\\p{Cc}]{1,60}") {
        let nai = Nai::new(&text).unwrap();
        check_extension!(nai.clone(), Nai::parse, emitted!(nai));
    }

    #[test]
    fn carried_nai_survives(subtype: u8, text in "[^\\p{Cc}]{1,60}") {
        let carrying = NaiCarrying { subtype, nai: Nai::new(&text).unwrap() };
        let mut octets = Vec::new();
        carrying.emit(&mut octets).unwrap();
        check_extension!(carrying.clone(), NaiCarrying::parse, octets);
    }
}
