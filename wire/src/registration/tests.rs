use proptest::prelude::*;

use super::*;

prop_compose! {
    fn a_request()(
        flags: u8, lifetime: u16, home_address: u32, home_agent: u32, care_of_address: u32,
        identification: u64,
    ) -> RegistrationRequest {
        RegistrationRequest {
            flags: Flags(flags),
            lifetime: Lifetime(lifetime),
            home_address: home_address.into(),
            home_agent: home_agent.into(),
            care_of_address: care_of_address.into(),
            identification: Identification(identification),
        }
    }
}

prop_compose! {
    fn a_reply()(
        code: u8, lifetime: u16, home_address: u32, home_agent: u32, identification: u64,
    ) -> RegistrationReply {
        RegistrationReply {
            code: Code(code),
            lifetime: Lifetime(lifetime),
            home_address: home_address.into(),
            home_agent: home_agent.into(),
            identification: Identification(identification),
        }
    }
}

#[test]
fn request_has_the_layout_of_the_figure() {
    let request = RegistrationRequest {
        flags: Flags(Flags::DECAPSULATION_BY_MOBILE_NODE | Flags::REVERSE_TUNNEL),
        lifetime: Lifetime(1800),
        home_address: Ipv4Addr::new(10, 99, 0, 7),
        home_agent: Ipv4Addr::new(192, 0, 2, 1),
        care_of_address: Ipv4Addr::new(198, 51, 100, 9),
        identification: Identification(0x0102_0304_0506_0708),
    };
    let octets =
        [1, 0x22, 0x07, 0x08, 10, 99, 0, 7, 192, 0, 2, 1, 198, 51, 100, 9, 1, 2, 3, 4, 5, 6, 7, 8];
    let mut out = Vec::new();
    request.emit(&mut out);
    assert_eq!(out, octets);
    assert_eq!(RegistrationRequest::parse(&octets), Ok((request, &[][..])));
}

#[test]
fn reply_has_the_layout_of_the_figure() {
    let reply = RegistrationReply {
        code: Code(133),
        lifetime: Lifetime::INFINITE,
        home_address: Ipv4Addr::new(10, 99, 0, 7),
        home_agent: Ipv4Addr::new(192, 0, 2, 1),
        identification: Identification(0x0102_0304_0506_0708),
    };
    let octets = [3, 133, 0xff, 0xff, 10, 99, 0, 7, 192, 0, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8];
    let mut out = Vec::new();
    reply.emit(&mut out);
    assert_eq!(out, octets);
    assert_eq!(RegistrationReply::parse(&octets), Ok((reply, &[][..])));
}

#[test]
fn another_message_type_is_an_error() {
    let octets = [3; 24];
    let error = ParseError::UnexpectedType { got: 3, want: 1 };
    assert_eq!(RegistrationRequest::parse(&octets), Err(error));
}

proptest! {
    #[test]
    fn request_survives(request in a_request(), tail: Vec<u8>) {
        let mut out = Vec::new();
        request.emit(&mut out);
        prop_assert_eq!(out.len(), RegistrationRequest::LEN);
        for end in 0..out.len() {
            let is_truncated =
                matches!(RegistrationRequest::parse(&out[..end]), Err(ParseError::Truncated { .. }));
            prop_assert!(is_truncated);
        }
        out.extend(&tail);
        prop_assert_eq!(RegistrationRequest::parse(&out), Ok((request, &tail[..])));
    }

    #[test]
    fn reply_survives(reply in a_reply(), tail: Vec<u8>) {
        let mut out = Vec::new();
        reply.emit(&mut out);
        prop_assert_eq!(out.len(), RegistrationReply::LEN);
        for end in 0..out.len() {
            let is_truncated =
                matches!(RegistrationReply::parse(&out[..end]), Err(ParseError::Truncated { .. }));
            prop_assert!(is_truncated);
        }
        out.extend(&tail);
        prop_assert_eq!(RegistrationReply::parse(&out), Ok((reply, &tail[..])));
    }
}
