//! Operations, and revocations made by hand.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use store::{
    Batch, NotificationPath, Operation, OperationAction, OperationId, OperationSelector,
    OperationState, OperationWish, TargetKey, Unknown, UtcTime, VisitorKey,
};
use wire::{
    Nai, RegistrationRevocation, RegistrationRevocationAcknowledgment, Spi, extension_type,
};

use super::datagrams::{association, identity, socket};
use super::notifications::spaced;
use super::words::Words;
use super::world::{Recorded, World};
use crate::clock::seconds;

fn prefixes(words: &Words<'_>, key: &str) -> Vec<Ipv4Net> {
    let prefix = |text: &str| {
        text.parse().unwrap_or_else(|_| Ipv4Net::from(text.parse::<Ipv4Addr>().unwrap()))
    };
    words.all(key).into_iter().map(prefix).collect()
}

fn addresses(words: &Words<'_>, key: &str) -> Vec<Ipv4Addr> {
    words.all(key).into_iter().map(|text| text.parse().unwrap()).collect()
}

fn selector(words: &Words<'_>) -> OperationSelector {
    OperationSelector {
        home_addresses: prefixes(words, "home-address"),
        nais: words.all("nai").into_iter().map(str::to_owned).collect(),
        care_of_addresses: prefixes(words, "care-of"),
        home_agents: addresses(words, "home-agent"),
        foreign_agents: addresses(words, "foreign-agent"),
        networks: prefixes(words, "network"),
        all: words.has("all"),
    }
}

fn action(words: &Words<'_>, now: UtcTime) -> OperationAction {
    let inform = words.text("inform").map(|text| text == "yes");
    match words.word(1).unwrap() {
        "revoke-bindings" => OperationAction::RevokeBindings { inform },
        "revoke-visitors" => OperationAction::RevokeVisitors { inform },
        "notify-shutdown" => OperationAction::NotifyShutdown {
            at: now + Duration::from_secs(words.value("in").unwrap()),
            alternate: words.value("alternate"),
        },
        "notify-message" => OperationAction::NotifyMessage {
            text: spaced(words.text("text").unwrap()),
            path: match words.text("path") {
                None => NotificationPath::HomeAgentToMobileNode,
                Some("to-foreign-agent") => NotificationPath::HomeAgentToForeignAgent,
                Some("from-foreign-agent") => NotificationPath::ForeignAgentToMobileNode,
                Some("between-agents") => NotificationPath::ForeignAgentToHomeAgent,
                Some("node-to-home-agent") => NotificationPath::MobileNodeToHomeAgent,
                Some("node-to-foreign-agent") => NotificationPath::MobileNodeToForeignAgent,
                Some(other) => panic!("path={other}"),
            },
        },
        "drain" => OperationAction::Drain {
            alternate: words.value("alternate"),
            redirect: words.has("redirect"),
        },
        other => panic!("operation {other}"),
    }
}

impl World {
    /// An operator asks for something.
    pub(super) fn operation(&mut self, words: &Words<'_>) {
        let now = self.now();
        let after = |seconds: u64| now.stamp() + Duration::from_secs(seconds);
        let mut operation = Operation {
            id: OperationId(words.word(0).unwrap().parse().unwrap()),
            action: action(words, now.stamp()),
            selector: selector(words),
            counted_at: self.snapshot.revision,
            maximum: 1000,
            owners: Vec::new(),
            deadline: words.value("deadline").map(after),
            rate: words.value("rate"),
            reason: None,
            who: "operator".to_owned(),
            created_at: now.stamp(),
            wish: OperationWish::Run,
            state: OperationState::Pending,
            finished_at: None,
            error: None,
            unknown: Unknown::default(),
        };
        operation.count(&self.snapshot);
        operation.maximum = words.or("maximum", operation.maximum);
        let mut batch = Batch::default();
        batch.put(operation);
        self.apply(&batch);
    }

    pub(super) fn wish(&mut self, words: &Words<'_>) {
        let id = OperationId(words.word(0).unwrap().parse().unwrap());
        let row = self.snapshot.rows::<Operation>().get(&id).unwrap();
        let mut row = Operation::clone(row);
        row.wish = match words.word(1).unwrap() {
            "run" => OperationWish::Run,
            "pause" => OperationWish::Pause,
            "cancel" => OperationWish::Cancel,
            other => panic!("wish {other}"),
        };
        let mut batch = Batch::default();
        batch.put(row);
        self.apply(&batch);
    }

    /// The machines look at operations, as their drivers let them whenever these have changed.
    pub(super) fn observe(&mut self, lines: &mut Vec<String>) {
        let now = self.now();
        if self.snapshot.rows::<Operation>().is_empty() || self.held {
            return;
        }
        for _ in 0..100 {
            let snapshot = self.snapshot.clone();
            let own = self.home_agent.as_mut().map(|(_, it)| it.on_operations(&snapshot, now));
            if let Some(output) = own.filter(|output| !output.is_empty()) {
                self.take(output, "", None, lines);
                continue;
            }
            let own = self.foreign_agent.as_mut().map(|(_, it)| it.on_operations(&snapshot, now));
            if let Some(output) = own.filter(|output| !output.is_empty()) {
                self.take(output, "fa", None, lines);
                continue;
            }
            let own = self.gateway.as_mut().map(|(_, it)| it.on_operations(&snapshot, now));
            if let Some(output) = own.filter(|output| !output.is_empty()) {
                self.take(output, "gw", None, lines);
                continue;
            }
            let node_now = self.node_now();
            let own = self.node.as_mut().map(|(_, it)| it.on_operations(&snapshot, node_now));
            match own.filter(|output| !output.is_empty()) {
                Some(output) => self.take(output, "mn", None, lines),
                None => return,
            }
        }
        panic!("operations never come to rest");
    }

    /// Forwarding sees nothing of a visitor any more.
    pub(super) fn idle(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let now = self.now();
        let (config, foreign_agent) = self.foreign_agent.as_mut().unwrap();
        let who = identity(words.word(0).unwrap());
        let home_address = words.value("home");
        let home_address = home_address.unwrap_or_else(|| match &who {
            store::Identity::Address(address) => *address,
            store::Identity::Nai(_) => panic!("home="),
        });
        let key = VisitorKey { foreign_agent: config.address, identity: who, home_address };
        let output = foreign_agent.on_idle(&key, now);
        if output.is_empty() {
            lines.push("nothing".to_owned());
        }
        self.take(output, "fa", None, lines);
    }

    /// A Registration Revocation made by hand: `revocation SPI@PEER`.
    pub(super) fn revocation(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let from = socket(words.text("from").unwrap());
        let to = socket(words.text("to").unwrap());
        let is_from_home_agent = words.has("A");
        let (home_agent, foreign) =
            if is_from_home_agent { (*from.ip(), *to.ip()) } else { (*to.ip(), *from.ip()) };
        let agent = if is_from_home_agent { RegistrationRevocation::FROM_HOME_AGENT } else { 0 };
        let inform = if words.has("I") { RegistrationRevocation::INFORM } else { 0 };
        let clock = seconds(self.now().utc);
        let offset: i32 = words.or("ahead", 0);
        let fixed = RegistrationRevocation {
            reserved: 0,
            flags: agent | inform,
            home_address: words.value("home").unwrap(),
            home_domain_address: words.or("home-agent", home_agent),
            foreign_domain_address: words.or("foreign", foreign),
            identifier: clock.wrapping_add_signed(offset),
        };
        let mut octets = Vec::new();
        fixed.emit(&mut octets);
        for nai in words.all("nai") {
            Nai::new(nai).unwrap().emit(&mut octets);
        }
        self.sign(words, &mut octets, words.word(0));
        let recorded = Recorded { octets, from, to, ttl: None };
        if let Some(name) = words.text("as") {
            self.recorded.insert(name.to_owned(), recorded.clone());
        }
        self.deliver(&recorded, lines);
    }

    /// An acknowledgment made by hand, of the revocation that a machine sent last.
    pub(super) fn acknowledgment(&mut self, words: &Words<'_>, lines: &mut Vec<String>) {
        let way = self.last_revocation.clone().unwrap();
        let (revocation, _) = RegistrationRevocation::parse(&way.octets).unwrap();
        let inform = if words.has("I") { RegistrationRevocationAcknowledgment::INFORM } else { 0 };
        let offset: i32 = words.or("identifier", 0);
        let fixed = RegistrationRevocationAcknowledgment {
            reserved: 0,
            flags: inform,
            home_address: words.or("home", revocation.home_address),
            identifier: revocation.identifier.wrapping_add_signed(offset),
        };
        let mut octets = Vec::new();
        fixed.emit(&mut octets);
        self.sign(words, &mut octets, words.word(0));
        let from = words.text("from").map_or(way.to, socket);
        self.deliver(&Recorded { octets, from, to: way.from, ttl: None }, lines);
    }

    fn sign(&self, words: &Words<'_>, octets: &mut Vec<u8>, signer: Option<&str>) {
        if words.has("unauthenticated") {
            return;
        }
        let mut signer = association(&self.known, signer.unwrap()).clone();
        signer.spi = words.value("spi").map_or(signer.spi, Spi);
        if words.has("foreign-foreign") {
            signer.sign_generalized(octets, wire::GeneralizedAuthentication::FOREIGN_FOREIGN);
        } else if words.has("mobile-home") {
            signer.sign(octets, extension_type::MOBILE_HOME_AUTHENTICATION);
        } else {
            signer.sign(octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
        }
        if let Some(offset) = words.value::<usize>("flip") {
            octets[offset] ^= 1;
        }
    }
}

/// A target as transcripts show it.
pub(super) fn name(target: &TargetKey) -> String {
    match target {
        TargetKey::Binding(key) => {
            let nai = key.nai.as_ref().map(|nai| format!(" nai={nai}")).unwrap_or_default();
            format!("binding {} at {}{nai}", key.home_address, key.care_of_address)
        }
        TargetKey::Visitor(key) => format!("visitor {} at {}", key.identity, key.home_address),
        TargetKey::Registration(key) => {
            format!("registration {} at {}", key.identity, key.care_of_address)
        }
    }
}
