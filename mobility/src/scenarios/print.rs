//! Rows, datagrams and actions as a transcript shows them.

use std::fmt::{Display, Write};

use store::{
    AnyKey, AnyRow, Binding, Change, NodeCounters, TrailEvent, UtcTime, Violation, Visitor,
};
use wire::{
    AgentAdvertisement, AgentSolicitation, Authentication, Flags, Identification, Lifetime,
    RegistrationReply, RegistrationRequest,
};

use super::datagrams::{ADVERTISEMENT_LETTERS, FLAG_LETTERS};
use crate::clock::{ahead, ntp};
use crate::extensions::Extensions;
use crate::{SecurityAssociation, Service};

pub(super) fn flags(flags: Flags) -> String {
    let letters = FLAG_LETTERS.chars().enumerate();
    let set: String =
        letters.filter(|(bit, _)| flags.0 & (0x80 >> bit) != 0).map(|(_, letter)| letter).collect();
    if set.is_empty() { "-".to_owned() } else { set }
}

pub(super) fn lifetime(lifetime: Lifetime) -> String {
    if lifetime == Lifetime::INFINITE { "infinite".to_owned() } else { lifetime.0.to_string() }
}

/// What printing needs to know of the world.
pub(super) struct Printer<'a> {
    pub(super) associations: &'a [SecurityAssociation],
    pub(super) utc: UtcTime,
    /// The stamp that rows made now carry.
    pub(super) stamp: UtcTime,
}

impl Printer<'_> {
    pub(super) fn reply(&self, octets: &[u8], asked: Option<Identification>) -> String {
        let (reply, _) = RegistrationReply::parse(octets).unwrap();
        let extensions = Extensions::parse(octets, RegistrationReply::LEN).unwrap();
        let identification = match asked {
            Some(asked) if asked == reply.identification => "same".to_owned(),
            Some(asked) if asked.low() != reply.identification.low() => "other".to_owned(),
            _ if reply.identification.high() == ntp(self.utc).high() => "clock".to_owned(),
            _ => format!("nonce:{:08x}", reply.identification.high()),
        };
        format!(
            "reply {} lifetime={} home={} agent={} identification={identification}{}",
            reply.code,
            lifetime(reply.lifetime),
            reply.home_address,
            reply.home_agent,
            self.extensions(&extensions)
        )
    }

    pub(super) fn request(&self, octets: &[u8]) -> String {
        let (request, _) = RegistrationRequest::parse(octets).unwrap();
        let extensions = Extensions::parse(octets, RegistrationRequest::LEN).unwrap();
        let stamp = request.identification;
        // A timestamp within a day is printed as how far it is ahead.
        let offset = (i128::from(ahead(stamp, ntp(self.utc))) * 1000) >> 32;
        let identification = if offset.abs() < 86_400_000 {
            format!("timestamp={offset:+}ms")
        } else {
            format!("nonce={:08x}", stamp.high())
        };
        format!(
            "request lifetime={} home={} agent={} care-of={} flags={} {identification}{}",
            lifetime(request.lifetime),
            request.home_address,
            request.home_agent,
            request.care_of_address,
            flags(request.flags),
            self.extensions(&extensions)
        )
    }

    /// Messages that are neither requests nor replies.
    pub(super) fn other(&self, octets: &[u8]) -> String {
        let clock = |identifier: u32| {
            let offset = identifier.wrapping_sub(crate::clock::seconds(self.utc)).cast_signed();
            format!("identifier={offset:+}s")
        };
        match wire::message_type(octets) {
            Some(wire::RegistrationRevocation::TYPE) => {
                let (fixed, _) = wire::RegistrationRevocation::parse(octets).unwrap();
                let extensions = Extensions::parse(octets, wire::RegistrationRevocation::LEN);
                let agent = if fixed.is_from_home_agent() { " A" } else { "" };
                let inform = if fixed.informs() { " I" } else { "" };
                format!(
                    "revocation{agent}{inform} home={} home-agent={} foreign={} {}{}",
                    fixed.home_address,
                    fixed.home_domain_address,
                    fixed.foreign_domain_address,
                    clock(fixed.identifier),
                    self.extensions(&extensions.unwrap())
                )
            }
            Some(wire::RegistrationRevocationAcknowledgment::TYPE) => {
                type Ack = wire::RegistrationRevocationAcknowledgment;
                let (fixed, _) = Ack::parse(octets).unwrap();
                let extensions = Extensions::parse(octets, Ack::LEN).unwrap();
                let inform = if fixed.informs() { " I" } else { "" };
                let (home, identifier) = (fixed.home_address, clock(fixed.identifier));
                let extensions = self.extensions(&extensions);
                format!("revocation-acknowledgment{inform} home={home} {identifier}{extensions}")
            }
            Some(wire::GenericNotification::TYPE) => {
                let (fixed, _) = wire::GenericNotification::parse(octets).unwrap();
                let extensions = Extensions::parse(octets, wire::GenericNotification::LEN).unwrap();
                format!(
                    "notification {}{} home={} agent={} care-of={} {}{}",
                    direction(fixed.direction),
                    if fixed.wants_acknowledgement() { " A" } else { "" },
                    fixed.home_address,
                    fixed.home_agent,
                    fixed.care_of_address,
                    self.timestamp(fixed.identification),
                    self.extensions(&extensions)
                )
            }
            Some(wire::GenericNotificationAcknowledgement::TYPE) => {
                type Ack = wire::GenericNotificationAcknowledgement;
                let (fixed, _) = Ack::parse(octets).unwrap();
                let extensions = Extensions::parse(octets, Ack::LEN).unwrap();
                format!(
                    "notification-acknowledgement {} {} home={} {}{}",
                    fixed.code,
                    direction(fixed.direction),
                    fixed.home_address,
                    self.timestamp(fixed.identification),
                    self.extensions(&extensions)
                )
            }
            _ => self.regional(octets),
        }
    }

    /// How far a timestamp is ahead; the part below a millisecond is random.
    fn timestamp(&self, stamp: Identification) -> String {
        let offset = (i128::from(ahead(stamp, ntp(self.utc))) * 1000) >> 32;
        format!("timestamp={offset:+}ms")
    }

    pub(super) fn extensions(&self, extensions: &Extensions<'_>) -> String {
        let support = |name: &str, support: Option<wire::RevocationSupport>| {
            support.map(|it| format!(" {name}{}", if it.informs() { "=I" } else { "" }))
        };
        let covered = support("revocation-support", extensions.revocation_covered);
        let appended = support("revocation-support-between-agents", extensions.revocation_appended);
        let nai = extensions.nai.iter().map(|nai| format!(" nai={nai}"));
        let all = [
            ("mobile-home", &extensions.mobile_home),
            ("mobile-foreign", &extensions.mobile_foreign),
            ("foreign-home", &extensions.foreign_home),
            ("mobile-gateway", &extensions.mobile_gateway),
            ("foreign-foreign", &extensions.foreign_foreign),
        ];
        let authentications = all.into_iter().flat_map(|(name, list)| {
            list.iter().map(move |it| format!(" {name}={}", self.authentication(it)))
        });
        let texts = extensions.messages.iter();
        let texts = texts.map(|(from, text, _)| format!(" text[{from}]={text:?}"));
        let redirected = extensions.redirected_to.map(|it| format!(" redirected-to={it}"));
        let others = texts.chain(redirected);
        let regional = super::regional::extensions(extensions);
        let all = nai.chain(covered).chain(others).chain(authentications).chain(appended);
        all.chain([regional]).collect()
    }

    /// The association that an authenticator really fits.
    fn authentication(&self, authentication: &Authentication<'_>) -> String {
        let fitting = self.associations.iter().find(|it| it.verifies(authentication));
        match fitting {
            Some(association) => format!("{}@{}", association.spi, association.peer),
            None => format!("{}@nobody", authentication.spi),
        }
    }

    pub(super) fn change(&self, change: &Change) -> String {
        match change {
            Change::Put(AnyRow::Binding(row)) => format!("put {}", self.binding(row)),
            Change::Put(AnyRow::Node(row)) => {
                let nonce = row.nonce.map(|nonce| format!(" nonce={nonce:08x}"));
                let home = row.home_address;
                format!(
                    "put node {} home={home} spi={}{}",
                    row.identity,
                    row.last_spi,
                    nonce.unwrap_or_default()
                )
            }
            Change::Put(AnyRow::Operation(row)) => format!("put {}", operation(row)),
            Change::Put(AnyRow::OperationShare(row)) => format!("put {}", share(row)),
            Change::Put(AnyRow::OperationTarget(row)) => format!("put {}", target(row)),
            Change::Put(AnyRow::AuditEntry(row)) => {
                format!("put audit {} {} {}: {}", row.verb, row.what, row.outcome, row.detail)
            }
            Change::Put(AnyRow::Visitor(row)) => format!("put {}", self.visitor(row)),
            Change::Delete(AnyKey::Visitor(key)) => {
                format!("delete visitor {} at {}", key.identity, key.home_address)
            }
            Change::Put(row) => format!("put {}", row.key().path()),
            Change::Delete(AnyKey::Binding(key)) => {
                format!("delete binding {} at {}", key.home_address, key.care_of_address)
            }
            Change::Delete(key) => format!("delete {}", key.path()),
        }
    }

    pub(super) fn visitor(&self, row: &Visitor) -> String {
        let left = row.remaining_seconds(self.stamp).filter(|_| row.accepted);
        let left = left.map(|left| format!(" left={left}")).unwrap_or_default();
        let revocation = revocation(row.revocation.as_ref(), row.revoking.as_deref());
        let regional = row.regional.as_ref().map(|it| super::regional::visit(it, self.stamp));
        let regional = regional.unwrap_or_default();
        format!(
            "visitor {} home={} agent={} care-of={} from={} lifetime={}{left} accepted={}{revocation}{regional}",
            row.identity,
            row.home_address,
            row.home_agent,
            row.care_of_address,
            row.source,
            lifetime(row.lifetime_granted),
            row.accepted
        )
    }

    pub(super) fn binding(&self, row: &Binding) -> String {
        let left = row.remaining_seconds(self.stamp);
        let nai = row.nai.as_ref().map(|nai| format!(" nai={nai}")).unwrap_or_default();
        let through = row.foreign_agent.map(|it| format!(" through={it}")).unwrap_or_default();
        let revocation = revocation(row.revocation.as_ref(), row.revoking.as_deref());
        format!(
            "binding {} at {} lifetime={} left={} flags={} spi={}{nai}{through}{revocation}",
            row.home_address,
            row.care_of_address,
            lifetime(row.lifetime_granted),
            left.map_or("infinite".to_owned(), |left| left.to_string()),
            flags(row.flags),
            row.spi
        )
    }
}

/// The direction of a notification: from whom, to whom.
fn direction(direction: wire::MessageDirection) -> String {
    let words = [
        "home-agent-to-node",
        "home-agent-to-foreign-agent",
        "node-to-home-agent",
        "node-to-foreign-agent",
        "foreign-agent-to-node",
        "foreign-agent-to-home-agent",
    ];
    let word = words.get(usize::from(direction.0)).copied();
    word.map_or_else(|| format!("direction-{}", direction.0), str::to_owned)
}

/// What was negotiated, and the revocation on its way.
pub(super) fn revocation(
    negotiated: Option<&store::RevocationSupport>,
    revoking: Option<&store::Revoking>,
) -> String {
    let inform = |it: &store::RevocationSupport| crate::revocation::uses_inform(it);
    let negotiated = negotiated.map(|it| if inform(it) { " revocable=I" } else { " revocable" });
    let revoking = revoking.map(|it| format!(" revoking={}", it.identifiers.len()));
    format!("{}{}", negotiated.unwrap_or_default(), revoking.unwrap_or_default())
}

pub(super) fn operation(row: &store::Operation) -> String {
    let error = row.error.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    format!("operation {} {} {}{error}", row.id, row.action.word(), row.state.word())
}

pub(super) fn share(row: &store::OperationShare) -> String {
    let results = row.results.iter().map(|(word, count)| format!(" {word}={count}"));
    let results: String = results.collect();
    let (id, address, state) = (row.id, row.owner.address, row.state.word());
    format!("share of {id} by {address} {state} targets={}{results}", row.targets)
}

pub(super) fn target(row: &store::OperationTarget) -> String {
    let name = super::operations::name(&row.target);
    let state = match row.state {
        store::TargetState::Pending => "pending".to_owned(),
        store::TargetState::Sent => "sent".to_owned(),
        store::TargetState::Ended(store::TargetResult::TimedOut(sent)) => {
            format!("timed-out after {sent}")
        }
        store::TargetState::Ended(store::TargetResult::Denied(code)) => format!("denied {code}"),
        store::TargetState::Ended(result) => result.word().to_owned(),
    };
    format!("target of {} {name} {state}", row.id)
}

pub(super) fn violation(row: &Violation) -> String {
    let code = row.code.map_or("none".to_owned(), |code| code.to_string());
    let reason = crate::words::kebab(&format!("{:?}", row.reason));
    let (violator, address, count) = (&row.violator, row.address, row.count);
    format!(
        "violation {violator} from {address} {reason} spi={} code={code} count={count}",
        row.spi
    )
}

pub(super) fn trail_event(event: &TrailEvent) -> String {
    let code = event.code.map(|it| format!(" code={it}")).unwrap_or_default();
    let spi = event.spi.map(|it| format!(" spi={it}")).unwrap_or_default();
    let offset = event.clock_offset.map(|it| format!(" clock={it:+}ms")).unwrap_or_default();
    let peer = event.peer.map(|it| format!(" from={it}")).unwrap_or_default();
    let care_of = event.care_of_address.map(|it| format!(" care-of={it}")).unwrap_or_default();
    format!("  {}x {}{code}{spi}{offset}{peer}{care_of}", event.times, event.event)
}

pub(super) fn service(service: &Service) -> String {
    let encapsulation = format!("{:?}", service.encapsulation).to_lowercase();
    let reverse = if service.reverse_tunnel { " reverse-tunnel" } else { "" };
    let through = service.foreign_agent.map(|it| format!(" through={it}")).unwrap_or_default();
    let (home_address, care_of_address) = (service.home_address, service.care_of_address);
    format!("{home_address} at {care_of_address} {encapsulation}{reverse}{through}")
}

pub(super) fn node_counters(row: &NodeCounters, now: UtcTime) -> String {
    let served = row.served(row.counted_since, now).as_millis();
    let code = row.last_denied_code.map(|code| format!(" last-code={code}")).unwrap_or_default();
    let (accepted, denied) = (row.accepted, row.denied);
    format!("node {} accepted={accepted} denied={denied}{code} served={served}ms", row.identity)
}

fn advertisement_letters(flags: u16) -> String {
    let letters = ADVERTISEMENT_LETTERS.chars().enumerate();
    letters.filter(|(bit, _)| flags & (0x8000 >> bit) != 0).map(|(_, letter)| letter).collect()
}

/// ` key=value` of each value.
fn each<T: Display>(key: &str, values: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for value in values {
        write!(text, " {key}={value}").unwrap();
    }
    text
}

/// An ICMP message.
pub(super) fn icmp(octets: &[u8]) -> String {
    let Ok(advertisement) = AgentAdvertisement::parse(octets) else {
        AgentSolicitation::parse(octets).unwrap();
        return "solicitation".to_owned();
    };
    let mobility = advertisement.mobility.unwrap();
    let care_of = each("care-of", &mobility.care_of_addresses);
    let prefixes = each("prefix", advertisement.prefix_lengths.iter().flatten());
    let nai = each("fa-nai", advertisement.foreign_agent_nai.iter());
    format!(
        "advertisement sequence={} lifetime={} registration={} flags={}{care_of}{prefixes}{nai}",
        mobility.sequence_number,
        advertisement.lifetime,
        lifetime(mobility.registration_lifetime),
        advertisement_letters(mobility.flags.0)
    )
}

pub(super) fn advertisement(row: &store::Advertisement) -> String {
    let verb = if row.schedule.is_some() { "advertises" } else { "heard" };
    let care_of = each("care-of", &row.care_of_addresses);
    let flags = advertisement_letters(row.flags);
    let (interface, source, sequence) = (row.interface, row.source, row.sequence_number);
    format!("{verb} {source} interface={interface} sequence={sequence} flags={flags}{care_of}")
}

impl Printer<'_> {
    pub(super) fn registration(&self, row: &store::Registration) -> String {
        let left = row.expires_at.map(|at| format!(" left={}", at.since(self.stamp).as_secs()));
        format!(
            "registration {} with {} care-of={} flags={} lifetime={}{} accepted={} co-located={}{}{}",
            row.identity,
            row.agent_address,
            row.care_of_address,
            flags(row.flags),
            lifetime(row.lifetime),
            left.unwrap_or_default(),
            row.accepted,
            row.co_located,
            row.message
                .as_ref()
                .map_or_else(String::new, |it| format!(" message={:?} of {}", it.text, it.from)),
            row.regional
                .as_ref()
                .map_or_else(String::new, |it| super::regional::visit(it, self.stamp))
        )
    }
}
