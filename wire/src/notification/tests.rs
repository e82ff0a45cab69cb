use proptest::prelude::*;

use super::*;
use crate::extensions;
use crate::testing::{check_extension, check_message, emitted};

#[test]
fn octets_of_the_figures() {
    let notification = GenericNotification {
        direction: MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT,
        flags: GenericNotification::ACKNOWLEDGE,
        home_address: [10, 99, 0, 7].into(),
        home_agent: [192, 0, 2, 1].into(),
        care_of_address: [198, 51, 100, 9].into(),
        identification: Identification(0x0102_0304_0506_0708),
    };
    assert!(notification.wants_acknowledgement());
    let addresses = [10, 99, 0, 7, 192, 0, 2, 1, 198, 51, 100, 9, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(emitted!(notification), [&[22, 5, 0x80, 0][..], &addresses].concat());
    let acknowledgement = GenericNotificationAcknowledgement {
        direction: MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT,
        code: Code(133),
        reserved: 0,
        home_address: notification.home_address,
        home_agent: notification.home_agent,
        care_of_address: notification.care_of_address,
        identification: notification.identification,
    };
    assert_eq!(emitted!(acknowledgement), [&[23, 1, 133, 0][..], &addresses].concat());
}

#[test]
fn text_is_cut_between_characters() {
    let text = "é".repeat(200);
    let message = MessageString::cut(MessageString::FROM_HOME_AGENT, &text);
    assert_eq!(message.text.len(), 254);
    let odd = format!("a{text}");
    let message = MessageString::cut(MessageString::FROM_HOME_AGENT, &odd);
    assert_eq!(message.text.len(), 253);
    let mut out = Vec::new();
    message.emit(&mut out).unwrap();
    assert_eq!(out[..4], [145, 254, 1, b'a']);
    out.clear();
    assert_eq!(
        MessageString { from: 1, text: &odd }.emit(&mut out),
        Err(DataTooLong { kind: 145, length: 401 })
    );
    assert!(out.is_empty());
    assert_eq!(MessageString::cut(2, "short").text, "short");
    assert_eq!(MessageString::cut(2, "").text, "");
}

#[test]
fn text_is_utf_8_of_at_least_one_octet() {
    let parse = |octets: &[u8]| {
        let extension = extensions(octets).next().unwrap().unwrap();
        MessageString::parse(&extension).map(drop)
    };
    assert_eq!(parse(&[145, 2, 1, 0xff]), Err(ParseError::ExtensionText(145)));
    assert_eq!(parse(&[145, 1, 1]), Err(ParseError::ExtensionLength { kind: 145, length: 0 }));
}

proptest! {
    #[test]
    fn notification_survives(
        direction: u8, flags: u16, home: u32, agent: u32, care_of: u32, identification: u64,
        tail: Vec<u8>,
    ) {
        let notification = GenericNotification {
            direction: MessageDirection(direction),
            flags,
            home_address: home.into(),
            home_agent: agent.into(),
            care_of_address: care_of.into(),
            identification: Identification(identification),
        };
        check_message!(GenericNotification, notification, tail);
    }

    #[test]
    fn acknowledgement_survives(
        direction: u8, code: u8, reserved: u8, home: u32, agent: u32, care_of: u32,
        identification: u64, tail: Vec<u8>,
    ) {
        let acknowledgement = GenericNotificationAcknowledgement {
            direction: MessageDirection(direction),
            code: Code(code),
            reserved,
            home_address: home.into(),
            home_agent: agent.into(),
            care_of_address: care_of.into(),
            identification: Identification(identification),
        };
        check_message!(GenericNotificationAcknowledgement, acknowledgement, tail);
    }

    #[test]
    fn text_survives(from: u8, text in "\\PC{1,60}") {
        let message = MessageString { from, text: &text };
        let mut octets = Vec::new();
        message.emit(&mut octets).unwrap();
        check_extension!(message, MessageString::parse, octets);
    }
}
