//! Answers to requests that read (RFC 2741 §7.2.3).

use super::{ErrorCode, SearchRange, VarBind, VarData};
use crate::Oid;
use crate::mib::{Context, GetResult, Registry, Walk};
use crate::value::Value;

/// How many octets of variables are enough: the largest SNMP message holds no more.
const ROOM: usize = 65_536;

/// The fields of a Response-PDU that are not of administration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub(super) error: ErrorCode,
    pub(super) index: u16,
    pub(super) variables: Vec<VarBind>,
}

impl Answer {
    pub(super) fn empty() -> Self {
        Self { error: ErrorCode::NO_ERROR, index: 0, variables: Vec::new() }
    }

    /// `position` counts from 0.
    pub(super) fn failed(error: ErrorCode, position: usize) -> Self {
        let index = u16::try_from(position + 1).unwrap_or(u16::MAX);
        Self { error, index, variables: Vec::new() }
    }
}

/// A handler returned a name that is not greater, or is too long: going on could loop.
struct Misled;

/// The objects, and the moment that a request is answered from.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) registry: &'a Registry,
    pub(super) context: Context<'a>,
}

impl Reading<'_> {
    /// §7.2.3.1
    pub(super) fn get(self, ranges: &[SearchRange]) -> Answer {
        let mut answer = Answer::empty();
        for range in ranges {
            let data = match self.registry.get(self.context, &range.start) {
                GetResult::Value(value) => VarData::Value(value),
                GetResult::NoSuchObject => VarData::NoSuchObject,
                GetResult::NoSuchInstance => VarData::NoSuchInstance,
            };
            answer.variables.push(VarBind { name: range.start.clone(), data });
        }
        answer
    }

    /// §7.2.3.2
    pub(super) fn get_next(self, ranges: &[SearchRange]) -> Answer {
        self.get_bulk(ranges.len(), 0, ranges)
    }

    /// §7.2.3.3; as many repetitions as there is room for, but a whole one if there are any.
    pub(super) fn get_bulk(
        self,
        non_repeaters: usize,
        repetitions: usize,
        ranges: &[SearchRange],
    ) -> Answer {
        let mut answer = Answer::empty();
        let (once, repeated) = ranges.split_at(non_repeaters.min(ranges.len()));
        for (position, range) in once.iter().enumerate() {
            match Repeater::new(self, range).next() {
                Ok(variable) => answer.variables.push(variable),
                Err(Misled) => return Answer::failed(ErrorCode::GEN_ERR, position),
            }
        }
        let mut repeaters: Vec<_> = match repetitions {
            0 => Vec::new(),
            _ => repeated.iter().map(|range| Repeater::new(self, range)).collect(),
        };
        let mut octets: usize = answer.variables.iter().map(size).sum();
        for repetition in 0..repetitions {
            let mut all_ended = true;
            for (position, repeater) in repeaters.iter_mut().enumerate() {
                let Ok(variable) = repeater.next() else {
                    return Answer::failed(ErrorCode::GEN_ERR, once.len() + position);
                };
                octets += size(&variable);
                if repetition > 0 && octets > ROOM {
                    return answer;
                }
                all_ended &= variable.data == VarData::EndOfMibView;
                answer.variables.push(variable);
            }
            if all_ended {
                break;
            }
        }
        answer
    }
}

/// No less than the octets of a variable on the wire.
fn size(variable: &VarBind) -> usize {
    let data = match &variable.data {
        VarData::Value(Value::OctetString(octets)) | VarData::Opaque(octets) => octets.len() + 7,
        VarData::Value(Value::ObjectIdentifier(oid)) => 4 + 4 * oid.len(),
        _ => 8,
    };
    8 + 4 * variable.name.len() + data
}

/// A search range, and how far the search in it has come.
struct Repeater<'a, 'r> {
    range: &'r SearchRange,
    /// The last name that was returned; at first, the start.
    name: Oid,
    /// The start itself, where it counts and exists.
    included: Option<Value>,
    /// `None` when the range has ended.
    walk: Option<Walk<'a>>,
}

impl<'a, 'r> Repeater<'a, 'r> {
    fn new(reading: Reading<'a>, range: &'r SearchRange) -> Self {
        let Reading { registry, context } = reading;
        let included = match registry.get(context, &range.start) {
            GetResult::Value(value) if range.include => Some(value),
            _ => None,
        };
        let walk = Some(registry.walk(context, &range.start));
        Self { range, name: range.start.clone(), included, walk }
    }

    fn next(&mut self) -> Result<VarBind, Misled> {
        if let Some(value) = self.included.take()
            && self.is_inside(&self.range.start)
        {
            return Ok(VarBind { name: self.name.clone(), data: VarData::Value(value) });
        }
        let next = match &mut self.walk {
            Some(walk) => walk.next().map(|(name, value)| (name.clone(), value)),
            None => None,
        };
        match next {
            Some((name, _)) if name <= self.name || name.len() > Oid::LEN_MAX => Err(Misled),
            Some((name, value)) if self.is_inside(&name) => {
                self.name.clone_from(&name);
                Ok(VarBind { name, data: VarData::Value(value) })
            }
            _ => {
                self.walk = None;
                Ok(VarBind { name: self.name.clone(), data: VarData::EndOfMibView })
            }
        }
    }

    fn is_inside(&self, name: &Oid) -> bool {
        self.range.end.is_empty() || *name < self.range.end
    }
}
