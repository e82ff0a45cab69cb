use proptest::prelude::*;

use super::*;
use crate::testing::check_extension;

#[test]
fn one_octet_counts_the_data() {
    let mut out = Vec::new();
    assert!(Challenge(&[0; 255]).emit(&mut out).is_ok());
    assert_eq!(Challenge(&[0; 256]).emit(&mut out), Err(DataTooLong { kind: 132, length: 256 }));
    assert_eq!(out.len(), 257);
}

proptest! {
    #[test]
    fn survives(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let challenge = Challenge(&octets);
        let mut out = Vec::new();
        challenge.emit(&mut out).unwrap();
        check_extension!(challenge, Challenge::parse, out);
    }
}
