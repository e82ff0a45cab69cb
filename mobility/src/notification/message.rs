//! The octets of notifications and acknowledgements, before they are signed.

use std::net::Ipv4Addr;

use wire::{
    Code, GenericNotification, GenericNotificationAcknowledgement, Identification,
    MessageDirection, MessageString,
};

/// Whom a notification is about: home address, home agent, care-of address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct About {
    pub(crate) home_address: Ipv4Addr,
    pub(crate) home_agent: Ipv4Addr,
    pub(crate) care_of_address: Ipv4Addr,
}

impl About {
    pub(crate) const fn of(fixed: &GenericNotification) -> Self {
        Self {
            home_address: fixed.home_address,
            home_agent: fixed.home_agent,
            care_of_address: fixed.care_of_address,
        }
    }
}

/// A notification that wants an acknowledgement (RFC 6098 §4.1), with its text.
///
/// RFC 4917 §3 knows two sub-types, home agent and foreign agent. A reading: a mobile node, which
/// has none, says 1 to its home agent and 2 to its foreign agent; nobody looks at it.
pub(crate) fn notification(
    direction: MessageDirection,
    about: About,
    identification: Identification,
    text: &str,
) -> Vec<u8> {
    let mut octets = Vec::with_capacity(128);
    let About { home_address, home_agent, care_of_address } = about;
    let flags = GenericNotification::ACKNOWLEDGE;
    GenericNotification {
        direction,
        flags,
        home_address,
        home_agent,
        care_of_address,
        identification,
    }
    .emit(&mut octets);
    let from = match direction {
        MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE
        | MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT
        | MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT => MessageString::FROM_FOREIGN_AGENT,
        _ => MessageString::FROM_HOME_AGENT,
    };
    append_text(&mut octets, from, text);
    octets
}

/// Appends a text, cut to what one extension holds.
pub(crate) fn append_text(octets: &mut Vec<u8>, from: u8, text: &str) {
    let cut = MessageString::cut(from, text);
    if !cut.text.is_empty() {
        // It was cut to fit.
        let emitted = cut.emit(octets);
        debug_assert!(emitted.is_ok(), "{emitted:?}");
    }
}

/// The answer to a notification (§4.2, §7.1.1).
pub(crate) fn acknowledgement(
    answered: &GenericNotification,
    code: Code,
    identification: Identification,
) -> Vec<u8> {
    let mut octets = Vec::with_capacity(64);
    GenericNotificationAcknowledgement {
        direction: back(answered.direction),
        code,
        reserved: 0,
        home_address: answered.home_address,
        home_agent: answered.home_agent,
        care_of_address: answered.care_of_address,
        identification,
    }
    .emit(&mut octets);
    octets
}

/// The direction of the answer to a message: who was addressed sends to who sent.
pub(crate) const fn back(direction: MessageDirection) -> MessageDirection {
    match direction {
        MessageDirection::HOME_AGENT_TO_MOBILE_NODE => MessageDirection::MOBILE_NODE_TO_HOME_AGENT,
        MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT => {
            MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT
        }
        MessageDirection::MOBILE_NODE_TO_HOME_AGENT => MessageDirection::HOME_AGENT_TO_MOBILE_NODE,
        MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT => {
            MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE
        }
        MessageDirection::FOREIGN_AGENT_TO_MOBILE_NODE => {
            MessageDirection::MOBILE_NODE_TO_FOREIGN_AGENT
        }
        MessageDirection::FOREIGN_AGENT_TO_HOME_AGENT => {
            MessageDirection::HOME_AGENT_TO_FOREIGN_AGENT
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_of_the_way_back_is_the_way() {
        for direction in (0..=u8::MAX).map(MessageDirection) {
            assert_eq!(back(back(direction)), direction);
            assert_eq!(back(direction) == direction, direction.0 > 5);
        }
    }
}
