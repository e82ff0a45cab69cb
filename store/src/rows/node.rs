//! `nodes`: what a home agent remembers of a mobile node beyond its bindings.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use wire::{Identification, Spi};

use super::json::Object;
use super::written::Written;
use super::{Unknown, decode_known};
use crate::key::push_address;
use crate::{Identity, Key, Row, Table, UtcTime};

/// Replay state and identity of a mobile node.
///
/// It outlives the binding: §5.7.1 compares with all previously accepted
/// Identifications, also after a deregistration or a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub home_agent: Ipv4Addr,
    pub identity: Identity,
    /// The home address it used last.
    pub home_address: Ipv4Addr,
    pub last_identification: Identification,
    /// The nonce it has to use next, in the nonce style (§5.7.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u32>,
    pub last_spi: Spi,
    pub last_accepted_at: UtcTime,
    /// The greatest Revocation Identifier that was sent or accepted about it (RFC 3543 §3.5): the
    /// timestamp of a new registration is not less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_revocation: Option<u32>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// [`Node`] without fields that this version does not know.
#[derive(Deserialize)]
#[serde(remote = "Node", deny_unknown_fields)]
struct Known {
    home_agent: Ipv4Addr,
    identity: Identity,
    home_address: Ipv4Addr,
    last_identification: Identification,
    #[serde(default)]
    nonce: Option<u32>,
    last_spi: Spi,
    last_accepted_at: UtcTime,
    #[serde(default)]
    last_revocation: Option<u32>,
    #[serde(skip)]
    unknown: Unknown,
}

/// Names a per-node row of a home agent.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NodeKey {
    pub home_agent: Ipv4Addr,
    pub identity: Identity,
}

impl Key for NodeKey {
    fn path(&self) -> String {
        let mut path = String::new();
        self.push_path(&mut path);
        path
    }

    fn push_path(&self, path: &mut String) {
        push_address(path, self.home_agent);
        path.push('/');
        self.identity.push_segment(path);
    }

    fn from_path(path: &str) -> Option<Self> {
        let (home_agent, identity) = path.split_once('/')?;
        Some(Self {
            home_agent: home_agent.parse().ok()?,
            identity: Identity::from_segment(identity)?,
        })
    }
}

impl Node {
    /// Reads what this version writes.
    pub(super) fn of_written(octets: &[u8]) -> Option<Self> {
        Written::read(octets, |from| {
            from.word("{\"home_agent\":\"")?;
            let home_agent = from.address()?;
            from.word("\",\"identity\":")?;
            let identity = from.identity()?;
            from.word(",\"home_address\":\"")?;
            let home_address = from.address()?;
            from.word("\",\"last_identification\":")?;
            let last_identification = Identification(from.number()?);
            let nonce = if from.has(",\"nonce\":") { Some(from.number()?) } else { None };
            from.word(",\"last_spi\":")?;
            let last_spi = Spi(from.number()?);
            from.word(",\"last_accepted_at\":")?;
            let last_accepted_at = from.instant()?;
            let last_revocation =
                if from.has(",\"last_revocation\":") { Some(from.number()?) } else { None };
            from.end()?;
            Some(Self {
                home_agent,
                identity,
                home_address,
                last_identification,
                nonce,
                last_spi,
                last_accepted_at,
                last_revocation,
                unknown: Unknown::default(),
            })
        })
    }
}

impl Row for Node {
    type Key = NodeKey;
    type Orders = ();
    const TABLE: Table = Table::Nodes;

    fn decode(octets: &[u8]) -> Result<Self, serde_json::Error> {
        decode_known(octets, Self::of_written, |json| Known::deserialize(json))
    }

    fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        if !self.unknown.is_empty() {
            return serde_json::to_writer(out, self);
        }
        let mut object = Object::begin(out);
        object.address("\"home_agent\":", self.home_agent);
        object.field("\"identity\":", &self.identity)?;
        object.address("\"home_address\":", self.home_address);
        object.field("\"last_identification\":", &self.last_identification)?;
        object.optional("\"nonce\":", self.nonce.as_ref())?;
        object.field("\"last_spi\":", &self.last_spi)?;
        object.field("\"last_accepted_at\":", &self.last_accepted_at)?;
        object.optional("\"last_revocation\":", self.last_revocation.as_ref())?;
        object.end();
        Ok(())
    }

    fn key(&self) -> NodeKey {
        NodeKey { home_agent: self.home_agent, identity: self.identity.clone() }
    }
}

#[cfg(test)]
mod tests {
    use wire::Nai;

    use super::*;
    use crate::rows::json::assert_stored_as_serde_does;

    #[test]
    fn rows_decode_the_same_with_and_without_unknown_fields() {
        let mut row = Node {
            home_agent: Ipv4Addr::LOCALHOST,
            identity: Identity::Nai(Nai::new("node@example.com").unwrap()),
            home_address: Ipv4Addr::new(10, 0, 0, 1),
            last_identification: Identification(0xe000_0000_1234_5678),
            nonce: Some(7),
            last_spi: Spi(1000),
            last_accepted_at: UtcTime(1),
            last_revocation: None,
            unknown: Unknown::default(),
        };
        let octets = serde_json::to_vec(&row).unwrap();
        assert_eq!(Node::decode(&octets).unwrap(), row);
        assert_eq!(serde_json::from_slice::<Node>(&octets).unwrap(), row);
        assert_eq!(Node::of_written(&octets).unwrap(), row);
        assert_stored_as_serde_does(&row);
        row.nonce = None;
        row.last_revocation = Some(u32::MAX);
        row.identity = Identity::Address(Ipv4Addr::new(10, 99, 100, 255));
        assert_stored_as_serde_does(&row);
        row.unknown.insert("mood", "good");
        let octets = serde_json::to_vec(&row).unwrap();
        assert_eq!(Node::decode(&octets).unwrap(), row);
        assert_stored_as_serde_does(&row);
        assert_eq!(Node::of_written(&octets), None);
        assert!(Node::decode(&octets[..octets.len() - 1]).is_err());
    }
}
