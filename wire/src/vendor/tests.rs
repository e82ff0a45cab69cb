use proptest::prelude::*;

use super::*;
use crate::testing::check_extension;

#[test]
fn octets_of_the_figures() {
    let mut out = Vec::new();
    let normal = VendorExtension { critical: false, vendor: 9, vendor_type: 14, value: &[1, 2] };
    normal.emit(&mut out).unwrap();
    assert_eq!(out, [134, 10, 0, 0, 0, 0, 0, 9, 0, 14, 1, 2]);
    out.clear();
    VendorExtension { critical: true, ..normal }.emit(&mut out).unwrap();
    assert_eq!(out, [38, 0, 0, 8, 0, 0, 0, 9, 0, 14, 1, 2]);
}

#[test]
fn data_that_do_not_fit() {
    let value = vec![0; 65_536];
    let mut out = Vec::new();
    for (critical, length) in [(false, 247), (true, 65_529)] {
        let extension = |length| VendorExtension {
            critical,
            vendor: 1,
            vendor_type: 1,
            value: &value[..length],
        };
        assert!(extension(length).emit(&mut out).is_ok());
        out.clear();
        assert!(extension(length + 1).emit(&mut out).is_err());
        assert!(out.is_empty(), "nothing is appended on error");
    }
}

#[test]
fn too_short_for_a_vendor() {
    let body = [0; 8];
    for (kind, least) in [(38, 6), (134, 8)] {
        for length in 0..least {
            let extension =
                Extension { kind, subtype: None, body: &body[..length], start: 0, end: 0 };
            assert_eq!(
                VendorExtension::parse(&extension),
                Err(ParseError::ExtensionLength { kind, length })
            );
        }
    }
}

proptest! {
    #[test]
    fn survives(
        critical: bool, vendor: u32, vendor_type: u16,
        value in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let extension = VendorExtension { critical, vendor, vendor_type, value: &value };
        let mut octets = Vec::new();
        extension.emit(&mut octets).unwrap();
        check_extension!(extension, VendorExtension::parse, octets);
    }
}
