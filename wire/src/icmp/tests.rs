use proptest::prelude::*;

use super::*;

fn emitted(advertisement: &AgentAdvertisement) -> Vec<u8> {
    let mut out = Vec::new();
    advertisement.emit(&mut out).unwrap();
    out
}

/// An ICMP message of the given octets behind the first four, with a right checksum.
fn message(rest: &[u8]) -> Vec<u8> {
    let mut octets = [&[9, 0, 0, 0], rest].concat();
    fill_sum(&mut octets);
    octets
}

#[test]
fn advertisement_has_the_layout_of_the_figures() {
    let advertisement = AgentAdvertisement {
        code: 16,
        lifetime: 1800,
        routers: vec![RouterAddress { address: [192, 0, 2, 1].into(), preference: -1 }],
        mobility: Some(MobilityAgentAdvertisement {
            sequence_number: 0x0102,
            registration_lifetime: Lifetime(600),
            flags: AdvertisementFlags(
                AdvertisementFlags::FOREIGN_AGENT | AdvertisementFlags::REVOCATION,
            ),
            care_of_addresses: vec![[192, 0, 2, 7].into()],
        }),
        prefix_lengths: Some(vec![24]),
        challenge: None,
        foreign_agent_nai: None,
    };
    let octets = emitted(&advertisement);
    let want = [
        9, 16, 0, 0, 1, 2, 0x07, 0x08, 192, 0, 2, 1, 0xff, 0xff, 0xff, 0xff, 16, 10, 1, 2, 0x02,
        0x58, 0x10, 0x40, 192, 0, 2, 7, 19, 1, 24, 0,
    ];
    assert_eq!((&octets[..2], &octets[4..]), (&want[..2], &want[4..]));
    assert_eq!(sum(&octets), 0xffff);
    assert_eq!(AgentAdvertisement::parse(&octets), Ok(advertisement));
}

/// A router advertisement from RFC 1256 alone; the sum was added up by hand:
/// 0900 + 0102 + 0708 + c000 + 0201 = d30b, whose complement is 2cf4.
#[test]
fn the_checksum_is_the_complement_of_the_sum() {
    let octets = [9, 0, 0x2c, 0xf4, 1, 2, 7, 8, 192, 0, 2, 1, 0, 0, 0, 0];
    let parsed = AgentAdvertisement::parse(&octets).unwrap();
    assert_eq!(parsed.mobility, None);
    assert_eq!(emitted(&parsed), octets);
    assert_eq!(sum(&[0xff, 0xff, 0, 1]), 1, "the carry comes round");
    assert_eq!(sum(&[1]), 0x0100, "an odd octet is the upper half of a word");
}

#[test]
fn entries_may_be_longer_and_not_shorter() {
    let long = message(&[1, 3, 0, 9, 10, 0, 0, 1, 0, 0, 0, 5, 0xaa, 0xaa, 0xaa, 0xaa, 200, 1, 0]);
    let parsed = AgentAdvertisement::parse(&long).unwrap();
    assert_eq!(parsed.routers, [RouterAddress { address: [10, 0, 0, 1].into(), preference: 5 }]);
    let short = message(&[1, 1, 0, 9, 10, 0, 0, 1]);
    assert_eq!(AgentAdvertisement::parse(&short), Err(ParseError::Truncated { need: 4, have: 0 }));
}

#[test]
fn unknown_extensions() {
    let header = [0, 2, 0, 9];
    let parse =
        |extension: &[u8]| AgentAdvertisement::parse(&message(&[&header, extension].concat()));
    assert!(parse(&[200, 2, 1, 1, 0]).is_ok());
    assert_eq!(parse(&[17, 2, 1, 1]), Err(ParseError::UnskippableExtension(17)));
    assert_eq!(parse(&[200, 2, 1]), Err(ParseError::Truncated { need: 2, have: 1 }));
    for length in [0, 5, 7, 9] {
        let extension = [&[16, length][..], &vec![0; length.into()]].concat();
        let error = ParseError::ExtensionLength { kind: 16, length: length.into() };
        assert_eq!(parse(&extension), Err(error));
    }
    assert!(parse(&[136, 2, 1, b'n']).is_ok_and(|parsed| parsed.foreign_agent_nai.is_none()));
    assert_eq!(parse(&[136, 1, 3]).unwrap_err().reason(), "nai");
}

#[test]
fn the_first_of_several_counts() {
    let octets = message(&[0, 2, 0, 9, 24, 1, 7, 24, 1, 8, 19, 0, 19, 1, 8, 0]);
    let parsed = AgentAdvertisement::parse(&octets).unwrap();
    assert_eq!((parsed.challenge, parsed.prefix_lengths), (Some(vec![7]), Some(vec![])));
}

#[test]
fn what_does_not_fit_is_refused() {
    let router = RouterAddress { address: [10, 0, 0, 1].into(), preference: 0 };
    let mut advertisement = AgentAdvertisement { routers: vec![router; 255], ..Default::default() };
    advertisement.mobility = Some(MobilityAgentAdvertisement {
        care_of_addresses: vec![[10, 0, 0, 2].into(); 62],
        ..Default::default()
    });
    assert_eq!(AgentAdvertisement::parse(&emitted(&advertisement)).as_ref(), Ok(&advertisement));
    let mut out = Vec::new();
    let mut more = advertisement.clone();
    more.routers.push(router);
    assert!(more.emit(&mut out).is_err());
    let mobility = advertisement.mobility.as_mut().unwrap();
    mobility.care_of_addresses.push([10, 0, 0, 3].into());
    assert!(advertisement.emit(&mut out).is_err());
    assert!(out.is_empty(), "nothing is appended on error");
}

#[test]
fn sequence_numbers_skip_the_first_256_when_they_wrap() {
    let after = MobilityAgentAdvertisement::sequence_number_after;
    assert_eq!((after(0), after(255), after(0xfffe), after(0xffff)), (1, 256, 0xffff, 256));
}

/// RFC 5944 §2.1.3: one octet, the last.
#[test]
fn an_odd_advertisement_is_padded_at_its_end() {
    let advertisement =
        AgentAdvertisement { prefix_lengths: Some(vec![24]), ..AgentAdvertisement::default() };
    let mut octets = Vec::new();
    advertisement.emit(&mut octets).unwrap();
    assert_eq!(octets.get(8..), Some([19, 1, 24, 0].as_slice()));
    let advertisement = AgentAdvertisement { prefix_lengths: Some(vec![24, 24]), ..advertisement };
    octets.clear();
    advertisement.emit(&mut octets).unwrap();
    assert_eq!(octets.get(8..), Some([19, 2, 24, 24].as_slice()));
}

#[test]
fn solicitation_has_the_layout_of_the_figure() {
    let mut out = Vec::new();
    AgentSolicitation::default().emit(&mut out);
    assert_eq!(out, [10, 0, 0xf5, 0xff, 0, 0, 0, 0]);
    out[7] = 1;
    assert_eq!(AgentSolicitation::parse(&out), Err(ParseError::Checksum(1)));
}

prop_compose! {
    fn a_mobility()(
        sequence_number: u16, lifetime: u16, flags: u16,
        care_of in prop::collection::vec(any::<u32>(), 0..4),
    ) -> MobilityAgentAdvertisement {
        MobilityAgentAdvertisement {
            sequence_number,
            registration_lifetime: Lifetime(lifetime),
            flags: AdvertisementFlags(flags),
            care_of_addresses: care_of.into_iter().map(Ipv4Addr::from).collect(),
        }
    }
}

prop_compose! {
    fn an_advertisement()(
        code: u8, lifetime: u16,
        routers in prop::collection::vec(any::<(u32, i32)>(), 0..4),
        mobility in prop::option::of(a_mobility()),
        prefix_lengths in prop::option::of(prop::collection::vec(any::<u8>(), 0..4)),
        challenge in prop::option::of(prop::collection::vec(any::<u8>(), 0..9)),
        nai in prop::option::of("[a-z@.]{1,20}"),
    ) -> AgentAdvertisement {
        AgentAdvertisement {
            code,
            lifetime,
            routers: routers
                .into_iter()
                .map(|(address, preference)| RouterAddress { address: address.into(), preference })
                .collect(),
            mobility,
            prefix_lengths,
            challenge,
            foreign_agent_nai: nai.map(|text| Nai::new(&text).unwrap()),
        }
    }
}

proptest! {
    #[test]
    fn advertisement_survives(advertisement in an_advertisement(), flip: prop::sample::Index) {
        let mut octets = emitted(&advertisement);
        prop_assert!(octets.len().is_multiple_of(2));
        prop_assert_eq!(AgentAdvertisement::parse(&octets), Ok(advertisement));
        let bit = flip.index(octets.len() * 8);
        octets[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(AgentAdvertisement::parse(&octets).is_err(), "a flipped bit is noticed");
    }

    /// A prefix with a checksum of its own is an error unless it ends between two extensions.
    #[test]
    fn a_cut_advertisement_never_gains_anything(
        advertisement in an_advertisement(), cut: prop::sample::Index,
    ) {
        let octets = emitted(&advertisement);
        let mut cut = octets[..cut.index(octets.len())].to_vec();
        if cut.len() >= 4 {
            cut[2..4].fill(0);
            fill_sum(&mut cut);
        }
        if let Ok(parsed) = AgentAdvertisement::parse(&cut) {
            prop_assert!(cut.len() >= 8 + 8 * advertisement.routers.len());
            prop_assert_eq!(parsed.routers, advertisement.routers);
            prop_assert!(parsed.mobility.is_none() || parsed.mobility == advertisement.mobility);
        }
    }

    #[test]
    fn solicitation_survives(code: u8, reserved: u32) {
        let solicitation = AgentSolicitation { code, reserved };
        let mut octets = Vec::new();
        solicitation.emit(&mut octets);
        prop_assert_eq!(octets.len(), AgentSolicitation::LEN);
        prop_assert_eq!(AgentSolicitation::parse(&octets), Ok(solicitation));
        for end in 0..octets.len() {
            prop_assert!(AgentSolicitation::parse(&octets[..end]).is_err());
        }
    }

    #[test]
    fn random_octets_never_panic(mut octets: Vec<u8>, kind in 9..=10_u8, right: bool) {
        if let [first, _, a, b, ..] = octets.as_mut_slice() {
            *first = kind;
            (*a, *b) = (0, 0);
            if right {
                fill_sum(&mut octets);
            }
        }
        let _ = AgentAdvertisement::parse(&octets);
        let _ = AgentSolicitation::parse(&octets);
    }
}
