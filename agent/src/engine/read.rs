//! GET, GETNEXT and GETBULK (RFC 3416 §4.2.1 to §4.2.3).

use std::ops::ControlFlow;

use crate::Oid;
use crate::ber::{Writer, tag};
use crate::message::Pdu;
use crate::mib::{Context, GetResult, Registry, Walk};
use crate::vacm::{Skip, View};
use crate::value::Value;

use super::ErrorStatus;
use super::respond::Failure;
use Found::{End, Name};

/// How many variables one request may visit, those outside of its view included.
const STEPS_MAX: usize = 200_000;

/// One request that reads, at work.
pub(super) struct Reading<'a, 'w> {
    registry: &'a Registry,
    context: Context<'a>,
    view: View<'a>,
    writer: &'w mut Writer,
    /// How many octets of variable bindings surely fit.
    room: usize,
    steps_left: usize,
}

/// What stands in the way of the next variable.
enum Obstacle {
    TooManySteps,
    /// A handler returned a name that is not greater: going on could loop.
    NotIncreasing,
    /// What comes next is in the store, which is not there yet.
    Loading,
}

/// What there is for a request: a name, or the end of everything.
#[derive(Clone, Copy)]
enum Found<'a> {
    Name(&'a [u32]),
    End,
}

/// The subtrees whose objects are answered from the store.
const OF_THE_STORE: [&[u32]; 2] = [MIP_MIB, crate::mib::PRODUCT];

/// `mipMIB`.
const MIP_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 44];

impl<'a, 'w> Reading<'a, 'w> {
    pub(super) fn new(
        registry: &'a Registry,
        context: Context<'a>,
        view: View<'a>,
        writer: &'w mut Writer,
        room: usize,
    ) -> Self {
        Self { registry, context, view, writer, room, steps_left: STEPS_MAX }
    }

    /// §4.2.1; in SNMPv1 there is no exception, and no `Counter64` (RFC 3584 §4.2.2.1).
    pub(super) fn get(&mut self, pdu: &Pdu<'_>, v1: bool) -> Result<usize, Failure> {
        for (position, variable) in pdu.variables.iter().enumerate() {
            let name: &[u32] = &variable.name;
            if self.waits_for_the_store(name, Name(name)) && self.view.contains(name) {
                return Err(at(ErrorStatus::GenErr, position));
            }
            let result = if self.view.contains(name) {
                self.registry.get(self.context, name)
            } else {
                GetResult::NoSuchObject
            };
            match result {
                GetResult::Value(value) if !(v1 && is_counter64(&value)) => {
                    self.writer.append_variable(name, &value);
                }
                _ if v1 => return Err(at(ErrorStatus::NoSuchName, position)),
                GetResult::NoSuchObject => self.writer.append_empty(name, tag::NO_SUCH_OBJECT),
                GetResult::NoSuchInstance | GetResult::Value(_) => {
                    self.writer.append_empty(name, tag::NO_SUCH_INSTANCE);
                }
            }
            self.check_size()?;
        }
        Ok(pdu.variables.len())
    }

    /// §4.2.2; SNMPv1 skips every `Counter64` (RFC 3584 §4.2.2.1).
    pub(super) fn get_next(&mut self, pdu: &Pdu<'_>, v1: bool) -> Result<usize, Failure> {
        for (position, variable) in pdu.variables.iter().enumerate() {
            let requested: &[u32] = &variable.name;
            let mut name = Oid::from(requested);
            let mut walk = self.registry.walk(self.context, &name);
            match self.advance(&mut walk, &mut name, v1) {
                Ok(Some(value)) => self.writer.append_variable(&name, &value),
                Ok(None) if v1 => return Err(at(ErrorStatus::NoSuchName, position)),
                Ok(None) => self.writer.append_empty(requested, tag::END_OF_MIB_VIEW),
                Err(_) => return Err(at(ErrorStatus::GenErr, position)),
            }
            self.check_size()?;
        }
        Ok(pdu.variables.len())
    }

    /// §4.2.3: as many repetitions as fit, without `tooBig`.
    pub(super) fn get_bulk(&mut self, pdu: &Pdu<'_>) -> Result<usize, Failure> {
        let non_repeaters = usize::try_from(pdu.status).unwrap_or(0).min(pdu.variables.len());
        let repetitions = usize::try_from(pdu.index).unwrap_or(0);
        let (once, repeated) = pdu.variables.split_at(non_repeaters);
        let mut count = 0;
        for (position, variable) in once.iter().enumerate() {
            let mut single = self.repeater(position, &variable.name);
            match self.repeat(&mut single, &mut count, true)? {
                ControlFlow::Continue(_) => {}
                ControlFlow::Break(()) => return Ok(count),
            }
        }
        if repetitions == 0 || repeated.is_empty() {
            return Ok(count);
        }
        let mut repeaters: Vec<_> = repeated
            .iter()
            .enumerate()
            .map(|(position, variable)| self.repeater(non_repeaters + position, &variable.name))
            .collect();
        for repetition in 0..repetitions {
            let mut all_ended = true;
            for repeater in &mut repeaters {
                match self.repeat(repeater, &mut count, repetition == 0)? {
                    ControlFlow::Continue(ended) => all_ended &= ended,
                    ControlFlow::Break(()) => return Ok(count),
                }
            }
            if all_ended {
                break; // "may be truncated after" the first such repetition.
            }
        }
        Ok(count)
    }

    fn repeater(&self, position: usize, name: &[u32]) -> Repeater<'a> {
        let walk = Some(self.registry.walk(self.context, name));
        Repeater { position, name: Oid::from(name), walk }
    }

    /// One more variable binding of a repeater: says whether its walk has
    /// ended, or that the response is full.
    fn repeat(
        &mut self,
        repeater: &mut Repeater<'a>,
        count: &mut usize,
        first: bool,
    ) -> Result<ControlFlow<(), bool>, Failure> {
        let before = self.writer.len();
        let next = match &mut repeater.walk {
            Some(walk) => self.advance(walk, &mut repeater.name, false),
            None => Ok(None),
        };
        match next {
            Ok(Some(value)) => self.writer.append_variable(&repeater.name, &value),
            Ok(None) => {
                repeater.walk = None;
                self.writer.append_empty(&repeater.name, tag::END_OF_MIB_VIEW);
            }
            // One repetition must be complete; then what there is will do.
            Err(Obstacle::TooManySteps | Obstacle::Loading) if !first => {
                return Ok(ControlFlow::Break(()));
            }
            Err(_) => return Err(at(ErrorStatus::GenErr, repeater.position)),
        }
        // The first one stays: whether it fits is known when the message is complete.
        if self.writer.len() > self.room && *count > 0 {
            self.writer.truncate(before);
            return Ok(ControlFlow::Break(()));
        }
        *count += 1;
        Ok(ControlFlow::Continue(repeater.walk.is_none()))
    }

    /// The next variable after `name` that is in the view; `name` becomes its name.
    fn advance(
        &mut self,
        walk: &mut Walk<'a>,
        name: &mut Oid,
        v1: bool,
    ) -> Result<Option<Value>, Obstacle> {
        loop {
            self.steps_left = self.steps_left.checked_sub(1).ok_or(Obstacle::TooManySteps)?;
            let next = walk.next();
            let end = next.as_ref().map_or(End, |(next, _)| Name(next));
            if self.waits_for_the_store(name, end) {
                return Err(Obstacle::Loading);
            }
            let Some((next, value)) = next else { return Ok(None) };
            if !next.is_after(name) {
                return Err(Obstacle::NotIncreasing);
            }
            if self.view.contains(next) {
                name.clone_from(next);
                if v1 && is_counter64(&value) {
                    continue;
                }
                return Ok(Some(value));
            }
            match self.view.skip(next) {
                Skip::Nothing => {}
                Skip::To(last) => *walk = self.registry.walk(self.context, &last),
                Skip::ToEnd => return Ok(None),
            }
        }
    }

    /// Whether `name`, or what lies between it and what was found after it, would be answered from
    /// a store that is not there yet.
    fn waits_for_the_store(&self, name: &[u32], found: Found<'_>) -> bool {
        let is_hidden = |root: &[u32]| {
            let comes = name < root
                && self.view.contains(root)
                && match found {
                    Name(found) => found >= root,
                    End => true,
                };
            name.starts_with(root) || comes
        };
        self.context.local.is_loading && OF_THE_STORE.into_iter().any(is_hidden)
    }

    /// Stops when the response cannot fit any more, whatever follows.
    fn check_size(&self) -> Result<(), Failure> {
        // `room` is a little less than there may be; the end of the work decides.
        if self.writer.len() > self.room.saturating_add(SLACK) {
            return Err(Failure { status: ErrorStatus::TooBig, index: 0 });
        }
        Ok(())
    }
}

/// More than the headers of any message may take.
const SLACK: usize = 1024;

struct Repeater<'a> {
    position: usize,
    /// The last name that was returned; at first, the name in the request.
    name: Oid,
    /// `None` when it has ended.
    walk: Option<Walk<'a>>,
}

fn at(status: ErrorStatus, position: usize) -> Failure {
    Failure { status, index: position + 1 }
}

fn is_counter64(value: &Value) -> bool {
    matches!(value, Value::Counter64(_))
}
