//! `counters`: what each agent counts, by the descriptors of the MIB.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use wire::Code;

use super::{Role, Unknown};
use crate::{Key, Row, Table, UtcTime};

/// Everything one agent of an instance has counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    pub instance: String,
    pub role: Role,
    /// The agent's address; the home address for a mobile node.
    pub address: Ipv4Addr,
    /// When counting began anew: at first start, or because relaxed writes were lost.
    pub discontinuity_at: UtcTime,
    /// Counters that are not here are zero.
    pub values: BTreeMap<Counter, u64>,
    /// Replies by their Code, in the order of codes: sent by an agent, received by a mobile node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<(Code, u64)>,
    /// What the agent has a limited number of, in the order of the resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<Usage>,
    /// How many messages wait for their acknowledgments at the moment; what is not here is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<Awaited, u64>,
    /// Where the agent went on counting when it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Began>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// When an agent started, and what it had counted before: who has not looked by then can still tell
/// how much came since.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Began {
    pub at: UtcTime,
    /// [`Counter::MipSecTotalViolations`].
    pub violations: u64,
}

/// A kind of message that is acknowledged.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Awaited {
    /// RFC 3543 §3.3.
    Revocations,
    /// RFC 6098 §4.1.
    Notifications,
}

/// How much of something an agent uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub resource: Resource,
    /// How many there may be; requests for more are refused.
    pub limit: u64,
    pub in_use: u64,
    /// How many there were at most.
    pub peak: u64,
    /// When that was.
    pub peak_at: UtcTime,
}

/// What an agent has a limited number of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    Bindings,
    Visitors,
    /// Registrations that wait for the disk, or for the reply of a home agent.
    Pending,
}

impl Resource {
    /// Its word in rows and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bindings => "bindings",
            Self::Visitors => "visitors",
            Self::Pending => "pending",
        }
    }
}

impl Counters {
    /// The value of `counter`.
    pub fn value(&self, counter: Counter) -> u64 {
        self.values.get(&counter).copied().unwrap_or(0)
    }

    /// How many messages of a kind wait for their acknowledgments.
    pub fn waiting(&self, awaited: Awaited) -> u64 {
        self.waiting.get(&awaited).copied().unwrap_or(0)
    }

    /// Counts a reply with that Code.
    pub fn add_reply(&mut self, code: Code) {
        match self.replies.binary_search_by_key(&code, |(code, _)| *code) {
            Ok(place) => {
                if let Some((_, count)) = self.replies.get_mut(place) {
                    *count = count.wrapping_add(1);
                }
            }
            Err(place) => self.replies.insert(place, (code, 1)),
        }
    }

    /// Takes down how much of a resource is used at `now`; says whether that is news.
    pub fn set_usage(&mut self, resource: Resource, limit: u64, in_use: u64, now: UtcTime) -> bool {
        let place = self.usage.binary_search_by_key(&resource, |usage| usage.resource);
        let old = place.ok().and_then(|place| self.usage.get(place).copied());
        let first = Usage { resource, limit, in_use, peak: in_use, peak_at: now };
        let mut usage = Usage { limit, in_use, ..old.unwrap_or(first) };
        if in_use > usage.peak {
            (usage.peak, usage.peak_at) = (in_use, now);
        }
        match place {
            Ok(place) => self.usage.get_mut(place).into_iter().for_each(|it| *it = usage),
            Err(place) => self.usage.insert(place, usage),
        }
        old != Some(usage)
    }
}

/// Names a row of counters.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CountersKey {
    pub instance: String,
    pub role: Role,
    pub address: Ipv4Addr,
}

impl Key for CountersKey {
    fn path(&self) -> String {
        format!("{}/{}/{}", self.instance.path(), self.role.as_str(), self.address)
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let key = Self {
            instance: String::from_path(parts.next()?)?,
            role: Role::from_str(parts.next()?)?,
            address: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(key)
    }
}

impl Row for Counters {
    type Key = CountersKey;
    type Orders = ();
    const TABLE: Table = Table::Counters;

    fn key(&self) -> CountersKey {
        CountersKey { instance: self.instance.clone(), role: self.role, address: self.address }
    }
}

macro_rules! counters {
    ($($counter:ident,)*) => {
        /// A counter, named and spelt as its object in MIP-MIB; below them those that only our MIB shows.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub enum Counter { $($counter,)* }

        impl Counter {
            pub const ALL: &[Self] = &[$(Self::$counter,)*];

            /// Its name with a capital; see [`Self::descriptor`].
            const fn identifier(self) -> &'static str {
                match self { $(Self::$counter => stringify!($counter),)* }
            }
        }
    };
}

counters! {
    MipSecTotalViolations,
    MnSolicitationsSent,
    MnAdvertisementsReceived,
    MnAdvsDroppedInvalidExtension,
    MnAdvsIgnoredUnknownExtension,
    MnMoveFromHAToFA,
    MnMoveFromFAToFA,
    MnMoveFromFAToHA,
    MnGratuitousARPsSend,
    MnAgentRebootsDectected,
    MnRegRequestsSent,
    MnDeRegRequestsSent,
    MnRegRepliesRecieved,
    MnDeRegRepliesRecieved,
    MnRepliesInvalidHomeAddress,
    MnRepliesUnknownHA,
    MnRepliesUnknownFA,
    MnRepliesInvalidID,
    MnRepliesDroppedInvalidExtension,
    MnRepliesIgnoredUnknownExtension,
    MnRepliesHAAuthenticationFailure,
    MnRepliesFAAuthenticationFailure,
    MnRegRequestsAccepted,
    MnRegRequestsDeniedByHA,
    MnRegRequestsDeniedByFA,
    MnRegRequestsDeniedByHADueToID,
    MnRegRequestsWithDirectedBroadcast,
    MaAdvertisementsSent,
    MaAdvsSentForSolicitation,
    MaSolicitationsReceived,
    FaRegRequestsReceived,
    FaRegRequestsRelayed,
    FaReasonUnspecified,
    FaAdmProhibited,
    FaInsufficientResource,
    FaMNAuthenticationFailure,
    FaRegLifetimeTooLong,
    FaPoorlyFormedRequests,
    FaEncapsulationUnavailable,
    FaVJCompressionUnavailable,
    FaHAUnreachable,
    FaRegRepliesRecieved,
    FaRegRepliesRelayed,
    FaHAAuthenticationFailure,
    FaPoorlyFormedReplies,
    FaReverseTunnelUnavailable,
    FaReverseTunnelBitNotSet,
    FaMnTooDistant,
    FaDeliveryStyleUnsupported,
    FaNonZeroHomeAddressRequired,
    FaUnknownChallenge,
    FaMissingChallenge,
    FaStaleChallenge,
    FaCvsesFromMnUnsupported,
    FaCvsesFromHaUnsupported,
    FaNvsesFromMnIgnored,
    FaNvsesFromHaIgnored,
    HaRegistrationAccepted,
    HaMultiBindingUnsupported,
    HaReasonUnspecified,
    HaAdmProhibited,
    HaInsufficientResource,
    HaMNAuthenticationFailure,
    HaFAAuthenticationFailure,
    HaIDMismatch,
    HaPoorlyFormedRequest,
    HaTooManyBindings,
    HaUnknownHA,
    HaGratuitiousARPsSent,
    HaProxyARPsSent,
    HaRegRequestsReceived,
    HaDeRegRequestsReceived,
    HaRegRepliesSent,
    HaDeRegRepliesSent,
    HaReverseTunnelUnavailable,
    HaReverseTunnelBitNotSet,
    HaEncapsulationUnavailable,
    HaCvsesFromMnUnsupported,
    HaCvsesFromFaUnsupported,
    HaNvsesFromMnIgnored,
    HaNvsesFromFaIgnored,
    // Ours: datagrams that never became a message, by reason.
    DatagramsReceived,
    DatagramsTruncated,
    DatagramsUnknownType,
    DatagramsUnskippableExtension,
    DatagramsMalformed,
    DatagramsUnexpected,
    DatagramsRateLimited,
    SendErrors,
    // Ours: registration revocation, which any agent may begin (RFC 3543).
    RevocationsSent,
    RevocationsRetried,
    RevocationsAcknowledged,
    RevocationsTimedOut,
    RevocationsReceived,
    RevocationsDiscarded,
    RevocationAcknowledgmentsSent,
    RevocationAcknowledgmentsUnexpected,
    // Ours: generic notification, between any two of the three (RFC 6098).
    NotificationsSent,
    NotificationsRetried,
    NotificationsAcknowledged,
    NotificationsDenied,
    NotificationsTimedOut,
    NotificationsReceived,
    NotificationsDiscarded,
    NotificationsRelayed,
    NotificationAcknowledgementsSent,
    NotificationAcknowledgementsUnexpected,
    // Ours: texts for people that went out with replies (RFC 4917).
    MessageStringsSent,
    MessageStringsReceived,
    // Ours: regional registration, at gateways and the foreign agents beneath them (RFC 4857).
    RegionalRequestsReceived,
    RegionalRequestsRelayed,
    RegionalRequestsAccepted,
    RegionalRequestsDenied,
    RegionalRepliesRelayed,
    RegionalStrangersRefused,
    // Ours: the same at mobile nodes.
    MnGatewayRegistrations,
    MnRegionalRequestsSent,
    MnRegionalRequestsAccepted,
    MnRegionalRequestsDenied,
    MnRegionalRepliesDiscarded,
    MnRepliesWithoutGateway,
    MnGatewayFailures,
    MnGatewayReturns,
}

impl Counter {
    /// The descriptor of its object: `haIDMismatch`.
    pub fn descriptor(self) -> String {
        let identifier = self.identifier();
        let (first, rest) = identifier.split_at(1);
        first.to_ascii_lowercase() + rest
    }

    /// Whether an agent in `role` keeps it. Mobility agents also count datagrams and violations.
    pub fn belongs_to(self, role: Role) -> bool {
        let own = match role {
            Role::HomeAgent => "Ha",
            // A gateway is a foreign agent with more to do (RFC 4857 §4.1.1).
            Role::ForeignAgent | Role::Gateway => "Fa",
            Role::MobileNode => "Mn",
            Role::Snmp | Role::Store => return false,
        };
        let identifier = self.identifier();
        let in_regions = matches!(role, Role::ForeignAgent | Role::Gateway);
        let shared = identifier.starts_with("Mip")
            || identifier.starts_with("Datagrams")
            || identifier.starts_with("Revocation")
            || identifier.starts_with("Notification")
            || identifier.starts_with("MessageStrings")
            || self == Self::SendErrors
            || (identifier.starts_with("Ma") && role != Role::MobileNode);
        let regional = in_regions && identifier.starts_with("Regional");
        shared || regional || identifier.starts_with(own)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use wire::Code;

    use super::{Counter, Counters, Resource, Role, Unknown, UtcTime};

    fn row() -> Counters {
        Counters {
            instance: "ha".to_owned(),
            role: Role::HomeAgent,
            address: Ipv4Addr::LOCALHOST,
            discontinuity_at: UtcTime(0),
            values: BTreeMap::new(),
            replies: Vec::new(),
            usage: Vec::new(),
            waiting: BTreeMap::new(),
            began: None,
            unknown: Unknown::default(),
        }
    }

    #[test]
    fn replies_and_usage_are_kept_in_order_and_survive_the_store() {
        let mut row = row();
        for code in [133, 0, 133, 77] {
            row.add_reply(Code(code));
        }
        assert_eq!(row.replies, [(Code(0), 1), (Code(77), 1), (Code(133), 2)]);
        assert!(row.set_usage(Resource::Pending, 8, 1, UtcTime(1)));
        assert!(row.set_usage(Resource::Bindings, 100, 40, UtcTime(1)));
        assert!(row.set_usage(Resource::Bindings, 100, 30, UtcTime(2)));
        assert!(!row.set_usage(Resource::Bindings, 100, 30, UtcTime(3)));
        let [bindings, pending] = row.usage[..] else { panic!("{:?}", row.usage) };
        assert_eq!((bindings.in_use, bindings.peak, bindings.peak_at), (30, 40, UtcTime(1)));
        assert_eq!(pending.resource, Resource::Pending);
        let stored = serde_json::to_vec(&row).unwrap();
        assert_eq!(serde_json::from_slice::<Counters>(&stored).unwrap(), row);
    }

    #[test]
    fn rows_of_older_versions_have_neither() {
        let mut old = serde_json::to_value(row()).unwrap();
        assert!(old.get("replies").is_none() && old.get("usage").is_none());
        old["mood"] = "good".into();
        let row: Counters = serde_json::from_value(old).unwrap();
        assert_eq!(row.replies, []);
    }

    #[test]
    fn a_descriptor_is_the_stored_name() {
        for &counter in Counter::ALL {
            let stored = serde_json::to_value(counter).unwrap();
            assert_eq!(stored, counter.descriptor());
        }
    }

    #[test]
    fn each_counter_belongs_to_some_role() {
        for &counter in Counter::ALL {
            assert!(Role::ALL.into_iter().any(|role| counter.belongs_to(role)), "{counter:?}");
        }
        assert!(!Counter::FaMnTooDistant.belongs_to(Role::HomeAgent));
        assert!(!Counter::MaAdvertisementsSent.belongs_to(Role::MobileNode));
    }
}
