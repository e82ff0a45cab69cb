//! Notifications made by hand, and texts of replies.

use wire::{
    Code, GenericNotification, GenericNotificationAcknowledgement, Identification,
    MessageDirection, MessageString, extension_type,
};

use super::datagrams::{association, socket};
use super::words::Words;
use super::world::{Recorded, World};
use crate::clock::ntp;
use crate::notification::message::back;
use crate::{NotificationReceiver, ReplyMessage};

/// `[CODE][@REALM]:TEXT`, with `_` for spaces.
pub(super) fn reply_messages(words: &Words<'_>) -> Vec<ReplyMessage> {
    let message = |text: &str| {
        let (which, text) = text.split_once(':').unwrap();
        let (code, realm) = which.split_once('@').map_or((which, None), |(c, r)| (c, Some(r)));
        ReplyMessage {
            code: (!code.is_empty()).then(|| Code(code.parse().unwrap())),
            realm: realm.map(str::to_owned),
            text: spaced(text),
        }
    };
    words.all("message").into_iter().map(message).collect()
}

/// A text of a scenario, in which `_` stands for a space.
pub(super) fn spaced(text: &str) -> String {
    text.replace('_', " ")
}

/// The kind of the authentication that a word names.
fn kind(word: &str) -> u8 {
    match word {
        "mobile-home" => extension_type::MOBILE_HOME_AUTHENTICATION,
        "mobile-foreign" => extension_type::MOBILE_FOREIGN_AUTHENTICATION,
        "foreign-home" => extension_type::FOREIGN_HOME_AUTHENTICATION,
        other => panic!("{other}"),
    }
}

impl World {
    /// The mobile node notifies: `notify home-agent|foreign-agent text=`.
    pub(super) fn notify(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let receiver = match words.word(0).unwrap() {
            "home-agent" => NotificationReceiver::HomeAgent,
            "foreign-agent" => NotificationReceiver::ForeignAgent,
            other => panic!("notify {other}"),
        };
        let text = spaced(words.text("text").unwrap());
        self.tell(lines, |node, now| node.notify(receiver, &text, now));
        if lines.is_empty() {
            lines.push("nothing".to_owned());
        }
    }

    /// A Generic Notification made by hand: `notification DIRECTION`.
    pub(super) fn notification(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let from = socket(words.text("from").unwrap());
        let to = socket(words.text("to").unwrap());
        let utc = self.now().utc.shifted(words.or("ahead", 0));
        let fixed = GenericNotification {
            direction: MessageDirection(words.word(0).unwrap().parse().unwrap()),
            flags: if words.has("A") { GenericNotification::ACKNOWLEDGE } else { 0 },
            home_address: words.value("home").unwrap(),
            home_agent: words.value("agent").unwrap(),
            care_of_address: words.value("care-of").unwrap(),
            identification: ntp(utc),
        };
        let mut octets = Vec::new();
        fixed.emit(&mut octets);
        if let Some(text) = words.text("text") {
            MessageString { from: 1, text: &spaced(text) }.emit(&mut octets).unwrap();
        }
        if let Some(nai) = words.text("nai") {
            wire::Nai::new(nai).unwrap().emit(&mut octets);
        }
        self.authenticate(words, &mut octets);
        let recorded = Recorded { octets, from, to, ttl: None };
        if let Some(name) = words.text("as") {
            self.recorded.insert(name.to_owned(), recorded.clone());
        }
        let before = lines.len();
        self.deliver(&recorded, lines);
        if lines.len() == before {
            lines.push("silence".to_owned());
        }
    }

    /// An answer made by hand to the notification that a machine sent last: `notified CODE`.
    pub(super) fn notified(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let way = self.last_notification.clone().unwrap();
        let (asked, _) = GenericNotification::parse(&way.octets).unwrap();
        let mut identification = asked.identification;
        if let Some(offset) = words.value::<i64>("clock") {
            let clock = ntp(self.now().utc.shifted(offset * 1000));
            identification = Identification::from_halves(clock.high(), identification.low());
        }
        if words.has("other-identification") {
            identification.0 ^= 1;
        }
        let direction = words.value("direction").map(MessageDirection);
        let fixed = GenericNotificationAcknowledgement {
            direction: direction.unwrap_or(back(asked.direction)),
            code: Code(words.word(0).unwrap().parse().unwrap()),
            reserved: 0,
            home_address: words.or("home", asked.home_address),
            home_agent: asked.home_agent,
            care_of_address: asked.care_of_address,
            identification,
        };
        let mut octets = Vec::new();
        fixed.emit(&mut octets);
        self.authenticate(words, &mut octets);
        let from = words.text("from").map_or(way.to, socket);
        let before = lines.len();
        self.deliver(&Recorded { octets, from, to: way.from, ttl: None }, lines);
        if lines.len() == before {
            lines.push("silence".to_owned());
        }
    }

    /// Appends the authentications that `mobile-home=SPI@PEER` and the like name, in the order of
    /// RFC 5944 §3.6.1.3.
    fn authenticate(&self, words: &Words<'_>, octets: &mut Vec<u8>) {
        for name in ["mobile-home", "mobile-foreign", "foreign-home"] {
            for text in words.all(name) {
                let signer = association(&self.known, text).clone();
                signer.sign(octets, kind(name));
            }
        }
        if let Some(offset) = words.value::<usize>("flip") {
            octets[offset] ^= 1;
        }
    }
}
