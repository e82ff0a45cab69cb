//! A small MIB that is all in the test, and a manager of it.

use std::collections::BTreeMap;
use std::ops::Bound;

use rasn_snmp::v2::{Pdus, VarBindValue};
use store::{Now, Snapshot};

use super::super::*;
use crate::ber::{Writer, tag};
use crate::message::PduType;
use crate::mib::{Context, Cursor, GetResult, Object};
use crate::security::Name;
use crate::value::Value;
use crate::{Community, Oid};

pub(super) const ROOT: &[u32] = &[1, 3, 6, 1, 4, 1, 99];

/// Objects with the values that the test says, by suffix: `[column, index…]`.
#[derive(Default)]
pub(super) struct Fixed(pub(super) BTreeMap<Vec<u32>, Value>);

impl Object for Fixed {
    fn get(&self, _: Context<'_>, suffix: &[u32]) -> GetResult {
        match self.0.get(suffix) {
            Some(value) => GetResult::Value(value.clone()),
            None if self.0.keys().any(|name| name.first() == suffix.first()) => {
                GetResult::NoSuchInstance
            }
            None => GetResult::NoSuchObject,
        }
    }

    fn seek<'a>(&'a self, _: Context<'a>, suffix: &[u32]) -> Box<dyn Cursor + 'a> {
        let after = (Bound::Excluded(suffix.to_vec()), Bound::Unbounded);
        Box::new(FixedCursor(self.0.range(after)))
    }
}

struct FixedCursor<'a>(std::collections::btree_map::Range<'a, Vec<u32>, Value>);

impl Cursor for FixedCursor<'_> {
    fn next(&mut self, name: &mut Oid) -> Option<Value> {
        let (suffix, value) = self.0.next()?;
        name.extend_from_slice(suffix);
        Some(value.clone())
    }
}

/// Column 1: 300 integers; column 2: a `Counter64` a row; column 3: strings.
pub(super) fn objects() -> Fixed {
    let mut fixed = Fixed::default();
    for row in 1..=300_u32 {
        let number = i32::try_from(row).unwrap();
        fixed.0.insert(vec![1, row], Value::Integer32(number));
        fixed.0.insert(vec![2, row], Value::Counter64(u64::from(row) << 40));
        fixed.0.insert(vec![3, row], Value::octets(format!("row {row}")));
    }
    fixed
}

pub(super) fn name(suffix: &[u32]) -> Vec<u32> {
    [ROOT, suffix].concat()
}

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) snapshot: Snapshot,
    pub(super) now: Now,
}

/// What came back: status, index, names and values.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) request_id: i32,
    pub(super) status: u32,
    pub(super) index: u32,
    pub(super) variables: Vec<(Vec<u32>, VarBindValue)>,
    pub(super) size: usize,
}

impl Answer {
    pub(super) fn names(&self) -> Vec<Vec<u32>> {
        self.variables.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn values(&self) -> Vec<VarBindValue> {
        self.variables.iter().map(|(_, value)| value.clone()).collect()
    }
}

pub(super) fn integer(value: i32) -> VarBindValue {
    use rasn_smi::v2::{ObjectSyntax, SimpleSyntax};
    VarBindValue::Value(ObjectSyntax::Simple(SimpleSyntax::Integer(value.into())))
}

/// A message by a community, with NULL for every value.
pub(super) fn message(
    version: i32,
    community: &str,
    pdu_type: PduType,
    [request_id, status, index]: [i32; 3],
    names: &[Vec<u32>],
) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.clear();
    for name in names {
        writer.append_empty(name, tag::NULL);
    }
    writer.wrap(tag::SEQUENCE, 0);
    writer.prepend_integer(index);
    writer.prepend_integer(status);
    writer.prepend_integer(request_id);
    writer.wrap(pdu_type.tag(), 0);
    writer.prepend_octet_string(community.as_bytes());
    writer.prepend_integer(version);
    writer.wrap(tag::SEQUENCE, 0);
    writer.octets().to_vec()
}

impl World {
    pub(super) fn new() -> Self {
        let mut config = EngineConfig::default();
        config.allow_read("public", &[1]);
        Self::with(config)
    }

    pub(super) fn with(config: EngineConfig) -> Self {
        let mut registry = Registry::new();
        registry.add(ROOT, objects());
        let engine = Engine::with_registry(config, registry);
        Self { engine, snapshot: Snapshot::default(), now: Now::default() }
    }

    /// A world where `public` sees what `families` say.
    pub(super) fn seeing(families: &[(&[u32], bool)]) -> Self {
        let mut config = EngineConfig::default();
        config.allow_read("public", &[9]);
        for (subtree, included) in families {
            config.vacm.add_family(Name::from("community-0"), subtree, *included);
        }
        Self::with(config)
    }

    pub(super) fn send(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let peer = "127.0.0.1:40000".parse().unwrap();
        let actions = self.engine.handle(self.now, &self.snapshot, peer, datagram);
        assert!(actions.len() <= 1);
        actions.into_iter().next().map(|action| match action {
            Action::Reply(octets) => octets,
            Action::Commit { .. } | Action::Notify { .. } | Action::Publish(_) => {
                panic!("not in this world")
            }
        })
    }

    pub(super) fn ask(
        &mut self,
        pdu_type: PduType,
        [status, index]: [i32; 2],
        names: &[Vec<u32>],
    ) -> Option<Answer> {
        let request = message(1, "public", pdu_type, [77, status, index], names);
        self.send(&request).map(|octets| read_answer(&octets))
    }

    pub(super) fn get(&mut self, names: &[Vec<u32>]) -> Answer {
        self.ask(PduType::Get, [0, 0], names).unwrap()
    }

    pub(super) fn get_next(&mut self, names: &[Vec<u32>]) -> Answer {
        self.ask(PduType::GetNext, [0, 0], names).unwrap()
    }

    pub(super) fn get_bulk(&mut self, fields: [i32; 2], names: &[Vec<u32>]) -> Answer {
        self.ask(PduType::GetBulk, fields, names).unwrap()
    }

    pub(super) fn counters(&self) -> Counters {
        self.engine.counters().clone()
    }
}

/// Reads a response with `rasn` alone.
pub(super) fn read_answer(octets: &[u8]) -> Answer {
    let message: rasn_snmp::v2c::Message<Pdus> = rasn::ber::decode(octets).unwrap();
    let Pdus::Response(response) = message.data else { panic!("no response: {message:?}") };
    let pdu = response.0;
    Answer {
        request_id: pdu.request_id,
        status: pdu.error_status,
        index: pdu.error_index,
        variables: pdu
            .variable_bindings
            .into_iter()
            .map(|binding| (binding.name.to_vec(), binding.value))
            .collect(),
        size: octets.len(),
    }
}

/// A configuration whose only community has an engine with a small `size_max`.
pub(super) fn small(size_max: usize) -> World {
    let mut config = EngineConfig { message_size_max: size_max, ..EngineConfig::default() };
    config.allow_read("public", &[1]);
    World::with(config)
}

/// A community of which nothing is configured but its name.
pub(super) fn stray_community() -> World {
    let mut config = EngineConfig::default();
    config.allow_read("public", &[1]);
    config.communities.push(Community::new("stray", Name::from("stray")));
    World::with(config)
}
