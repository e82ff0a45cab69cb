//! `counters`: what each agent counts, by the descriptors of the MIB.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

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
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Counters {
    /// The value of `counter`.
    pub fn value(&self, counter: Counter) -> u64 {
        self.values.get(&counter).copied().unwrap_or(0)
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
            Role::ForeignAgent => "Fa",
            Role::MobileNode => "Mn",
            Role::Snmp | Role::Store => return false,
        };
        let identifier = self.identifier();
        let shared = identifier.starts_with("Mip")
            || identifier.starts_with("Datagrams")
            || self == Self::SendErrors
            || (identifier.starts_with("Ma") && role != Role::MobileNode);
        shared || identifier.starts_with(own)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counter, Role};

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
