//! `bindings`: the mobility binding list of every home agent (RFC 5944 §3.8.1).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wire::{Flags, Identification, Lifetime, Nai, Spi};

use super::json::Object;
use super::written::Written;
use super::{OperationId, Unknown, decode_known, share, shared_name};
use crate::key::{push_address, push_escaped, unescape};
use crate::{BindingOrders, Identity, Key, Row, Table, UtcTime};

/// One mobility binding, with all that a restarted home agent needs to act on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    pub home_agent: Ipv4Addr,
    pub home_address: Ipv4Addr,
    pub care_of_address: Ipv4Addr,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nai: Option<Nai>,
    /// The instance that owns it; rows that are read share the name.
    #[serde(deserialize_with = "shared_name")]
    pub instance: Arc<str>,
    /// Where the last request came from (RFC 6098 §4 sends there).
    pub source: SocketAddrV4,
    /// Where it arrived.
    pub local: SocketAddrV4,
    /// The foreign agent it came through; `None` if the node registered directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_agent: Option<Ipv4Addr>,
    /// Flags of the request, as they were on the wire.
    pub flags: Flags,
    /// The SPI of the Mobile-Home association that authenticated it.
    pub spi: Spi,
    pub identification: Identification,
    pub lifetime_granted: Lifetime,
    /// When the binding came to be; renewals keep it.
    pub created_at: UtcTime,
    /// When the last request was granted.
    pub registered_at: UtcTime,
    /// `None` if it never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<UtcTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationSupport>,
    /// A revocation that waits for its acknowledgment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoking: Option<Box<Revoking>>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// [`Binding`] without fields that this version does not know.
#[derive(Deserialize)]
#[serde(remote = "Binding", deny_unknown_fields)]
struct Known {
    home_agent: Ipv4Addr,
    home_address: Ipv4Addr,
    care_of_address: Ipv4Addr,
    #[serde(default)]
    nai: Option<Nai>,
    #[serde(deserialize_with = "shared_name")]
    instance: Arc<str>,
    source: SocketAddrV4,
    local: SocketAddrV4,
    #[serde(default)]
    foreign_agent: Option<Ipv4Addr>,
    flags: Flags,
    spi: Spi,
    identification: Identification,
    lifetime_granted: Lifetime,
    created_at: UtcTime,
    registered_at: UtcTime,
    #[serde(default)]
    expires_at: Option<UtcTime>,
    #[serde(default)]
    revocation: Option<RevocationSupport>,
    #[serde(default)]
    revoking: Option<Box<Revoking>>,
    #[serde(skip)]
    unknown: Unknown,
}

/// What both sides said in their Revocation Support Extensions (RFC 3543 §3.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RevocationSupport {
    pub peer_inform: bool,
    pub own_inform: bool,
    pub peer_timestamp: u32,
    pub own_timestamp: u32,
}

impl RevocationSupport {
    fn of_written(from: &mut Written<'_>) -> Option<Self> {
        from.word("{\"peer_inform\":")?;
        let peer_inform = from.truth()?;
        from.word(",\"own_inform\":")?;
        let own_inform = from.truth()?;
        from.word(",\"peer_timestamp\":")?;
        let peer_timestamp = from.number()?;
        from.word(",\"own_timestamp\":")?;
        let own_timestamp = from.number()?;
        from.end()?;
        Some(Self { peer_inform, own_inform, peer_timestamp, own_timestamp })
    }
}

/// A revocation on its way, with all that a restarted agent needs to go on with it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Revoking {
    /// The Revocation Identifiers that were sent, oldest first; an acknowledgment of any of them
    /// counts. Written before the message is sent.
    pub identifiers: Vec<u32>,
    /// When the last one was sent.
    pub sent_at: UtcTime,
    /// Whether the mobile node is to be informed.
    pub inform: bool,
    /// The operations that this is a target of; none if policy asked for it.
    #[serde(default)]
    pub operations: Vec<OperationId>,
}

impl Binding {
    /// What per-node rows are named by: the NAI if there is one.
    pub fn identity(&self) -> Identity {
        Identity::of_node(self.nai.as_ref(), self.home_address)
    }

    /// Reads what this version writes, but for a binding that is being revoked.
    pub(super) fn of_written(octets: &[u8]) -> Option<Self> {
        Written::read(octets, |from| {
            from.word("{\"home_agent\":\"")?;
            let home_agent = from.address()?;
            from.word("\",\"home_address\":\"")?;
            let home_address = from.address()?;
            from.word("\",\"care_of_address\":\"")?;
            let care_of_address = from.address()?;
            from.word("\"")?;
            let nai = if from.has(",\"nai\":\"") { Some(from.nai()?) } else { None };
            from.word(",\"instance\":\"")?;
            let instance = share(from.string()?);
            from.word(",\"source\":\"")?;
            let source = from.socket()?;
            from.word(",\"local\":\"")?;
            let local = from.socket()?;
            let foreign_agent = if from.has(",\"foreign_agent\":\"") {
                let address = from.address()?;
                from.word("\"")?;
                Some(address)
            } else {
                None
            };
            from.word(",\"flags\":")?;
            let flags = Flags(from.number()?);
            from.word(",\"spi\":")?;
            let spi = Spi(from.number()?);
            from.word(",\"identification\":")?;
            let identification = Identification(from.number()?);
            from.word(",\"lifetime_granted\":")?;
            let lifetime_granted = Lifetime(from.number()?);
            from.word(",\"created_at\":")?;
            let created_at = from.instant()?;
            from.word(",\"registered_at\":")?;
            let registered_at = from.instant()?;
            let expires_at =
                if from.has(",\"expires_at\":") { Some(from.instant()?) } else { None };
            let revocation = if from.has(",\"revocation\":") {
                Some(RevocationSupport::of_written(from)?)
            } else {
                None
            };
            from.end()?;
            Some(Self {
                home_agent,
                home_address,
                care_of_address,
                nai,
                instance,
                source,
                local,
                foreign_agent,
                flags,
                spi,
                identification,
                lifetime_granted,
                created_at,
                registered_at,
                expires_at,
                revocation,
                revoking: None,
                unknown: Unknown::default(),
            })
        })
    }

    /// Whole seconds left at `now`, which is on the owner's clock; `None` for ever.
    pub fn remaining_seconds(&self, now: UtcTime) -> Option<u64> {
        self.expires_at.map(|at| at.since(now).as_secs())
    }
}

/// Names a binding. Home addresses need not be unique, so the NAI is part of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct BindingKey {
    pub home_agent: Ipv4Addr,
    pub home_address: Ipv4Addr,
    pub care_of_address: Ipv4Addr,
    pub nai: Option<Nai>,
}

impl Key for BindingKey {
    fn path(&self) -> String {
        let mut path = String::new();
        self.push_path(&mut path);
        path
    }

    fn push_path(&self, path: &mut String) {
        for address in [self.home_agent, self.home_address, self.care_of_address] {
            push_address(path, address);
            path.push('/');
        }
        match &self.nai {
            None => path.push('-'),
            Some(nai) if nai.as_str() == "-" => path.push_str("%2D"),
            Some(nai) => push_escaped(path, nai.as_str()),
        }
    }

    fn from_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let key = Self {
            home_agent: parts.next()?.parse().ok()?,
            home_address: parts.next()?.parse().ok()?,
            care_of_address: parts.next()?.parse().ok()?,
            nai: match parts.next()? {
                "-" => None,
                text => Some(Nai::new(&unescape(text)?).ok()?),
            },
        };
        parts.next().is_none().then_some(key)
    }
}

impl Row for Binding {
    type Key = BindingKey;
    type Orders = BindingOrders;
    const TABLE: Table = Table::Bindings;

    fn decode(octets: &[u8]) -> Result<Self, serde_json::Error> {
        decode_known(octets, Self::of_written, |json| Known::deserialize(json))
    }

    fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        if !self.unknown.is_empty() {
            return serde_json::to_writer(out, self);
        }
        let mut object = Object::begin(out);
        object.address("\"home_agent\":", self.home_agent);
        object.address("\"home_address\":", self.home_address);
        object.address("\"care_of_address\":", self.care_of_address);
        object.optional("\"nai\":", self.nai.as_ref())?;
        object.field("\"instance\":", &self.instance)?;
        object.socket("\"source\":", self.source)?;
        object.socket("\"local\":", self.local)?;
        if let Some(foreign_agent) = self.foreign_agent {
            object.address("\"foreign_agent\":", foreign_agent);
        }
        object.field("\"flags\":", &self.flags)?;
        object.field("\"spi\":", &self.spi)?;
        object.field("\"identification\":", &self.identification)?;
        object.field("\"lifetime_granted\":", &self.lifetime_granted)?;
        object.field("\"created_at\":", &self.created_at)?;
        object.field("\"registered_at\":", &self.registered_at)?;
        object.optional("\"expires_at\":", self.expires_at.as_ref())?;
        object.optional("\"revocation\":", self.revocation.as_ref())?;
        object.optional("\"revoking\":", self.revoking.as_ref())?;
        object.end();
        Ok(())
    }

    fn key(&self) -> BindingKey {
        BindingKey {
            home_agent: self.home_agent,
            home_address: self.home_address,
            care_of_address: self.care_of_address,
            nai: self.nai.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::rows::json::assert_stored_as_serde_does;
    use crate::testing::binding;

    #[test]
    fn rows_decode_the_same_with_and_without_unknown_fields() {
        let mut row = binding(7, Ipv4Addr::new(192, 168, 0, 1), Some("node@example.com"));
        row.revocation = Some(RevocationSupport {
            peer_inform: true,
            own_inform: false,
            peer_timestamp: 1,
            own_timestamp: 2,
        });
        let octets = serde_json::to_vec(&row).unwrap();
        assert_eq!(Binding::decode(&octets).unwrap(), row);
        assert_eq!(serde_json::from_slice::<Binding>(&octets).unwrap(), row);
        // What is written is read in the quick way: without it a restart takes twice as long.
        assert_eq!(Binding::of_written(&octets).unwrap(), row);
        assert_eq!(Binding::of_written(b"{}"), None);
        assert_stored_as_serde_does(&row);
        row.nai = None;
        row.foreign_agent = Some(Ipv4Addr::new(10, 0, 200, 9));
        row.source = SocketAddrV4::new(Ipv4Addr::BROADCAST, 0);
        row.expires_at = None;
        row.revoking = Some(Box::new(Revoking {
            identifiers: vec![1, 2],
            sent_at: UtcTime(-3),
            inform: false,
            operations: Vec::new(),
        }));
        assert_stored_as_serde_does(&row);
        row.unknown.insert("mood", "good");
        let octets = serde_json::to_vec(&row).unwrap();
        assert_eq!(Binding::decode(&octets).unwrap(), row);
        assert_stored_as_serde_does(&row);
        assert_eq!(Binding::of_written(&octets), None);
        assert!(Binding::decode(b"{}").is_err());
        assert!(Binding::decode(&[&octets[..], b"x"].concat()).is_err());
    }
}
