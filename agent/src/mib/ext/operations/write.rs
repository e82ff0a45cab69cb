//! Writes to `mip4ExtOperationTable`: operations that managers ask for, pause and cancel.
//!
//! The readings:
//!
//! - A row is made in one request, by `createAndGo` with action, selector and maximum, and what the
//!   action needs beside them. It is counted at that moment; nothing to do, or too much, is refused at
//!   once (`inconsistentValue`), and so is what does not belong to the action. A drain concerns its
//!   home agent also when nobody is bound there.
//! - Its number is that of `mip4ExtOperationNextId`, so that no number ever means two operations.
//! - Of a row that is there the wish alone can be written, and rows are not destroyed: what was done
//!   to nodes stays told until newer operations take its place.
//! - All of it is taken only from a request that was encrypted.
//! - In the context of one daemon an operation must not concern others.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use store::{
    Changed, NotificationPath, Operation, OperationAction, OperationId, OperationSelector,
    OperationState, OperationWish, Revision, Unknown, UtcTime,
};

use crate::Value;
use crate::engine::{ErrorStatus, Staging};
use crate::mib::Context;
use crate::mib::conventions::integer;
use crate::row_status::RowAction;
use crate::security::SecurityLevel;

/// Writes to a column of an operation.
pub(super) fn set(
    staging: &mut Staging<'_>,
    suffix: &[u32],
    value: &Value,
) -> Result<(), ErrorStatus> {
    let [1, column @ (2..=9 | 18..=22), index @ ..] = suffix else {
        return Err(ErrorStatus::NotWritable);
    };
    let [id] = index else { return Err(ErrorStatus::NoCreation) };
    if *id == 0 {
        return Err(ErrorStatus::NoCreation);
    }
    if staging.requester.level != SecurityLevel::AuthPriv {
        return Err(ErrorStatus::AuthorizationError);
    }
    let context = staging.context;
    let is_alone = |row: &Operation| row.owners.iter().all(|owner| context.shows(&owner.instance));
    let draft = staging.operation(OperationId(*id));
    if draft.before.as_deref().is_some_and(|row| !is_alone(row)) {
        return Err(ErrorStatus::NoAccess);
    }
    match column {
        9 => draft.set_wish(value),
        18 => {
            let action = RowAction::from_value(value)?;
            // Neither does it wait for more, nor does it end.
            if matches!(action, RowAction::CreateAndWait | RowAction::Destroy) {
                return Err(ErrorStatus::WrongValue);
            }
            draft.action = Some(action);
            Ok(())
        }
        _ if draft.before.is_some() => Err(ErrorStatus::InconsistentValue),
        2 => draft.set_action(value),
        3 => draft.set_selector(value),
        4 => {
            draft.maximum = Some(positive(value)?);
            Ok(())
        }
        5 => {
            draft.rate = number(value)?;
            Ok(())
        }
        6 => draft.set_inform(value),
        7 => draft.set_reason(value),
        19 => draft.set_text(value),
        20 => draft.set_path(value),
        21 => draft.set_alternate(value),
        22 => {
            draft.delay = Some(number(value)?);
            Ok(())
        }
        _ => {
            draft.time_limit = number(value)?;
            Ok(())
        }
    }
}

/// `mip4ExtOperationDelay` unless it is written, in seconds.
const DELAY: u32 = 600;

/// `mip4ExtOperationAction`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    RevokeBindings,
    RevokeVisitors,
    NotifyShutdown,
    NotifyMessage,
    Drain,
}

/// An operation while the variables of a request are written to it.
#[derive(Debug)]
pub(crate) struct OperationDraft {
    before: Option<Arc<Operation>>,
    what: Option<What>,
    selector: Option<OperationSelector>,
    maximum: Option<u32>,
    rate: u32,
    inform: Option<bool>,
    text: String,
    path: NotificationPath,
    alternate: Option<Ipv4Addr>,
    /// In seconds, if it was written.
    delay: Option<u32>,
    reason: Option<String>,
    time_limit: u32,
    pub(super) wish: Option<OperationWish>,
    pub(super) action: Option<RowAction>,
    /// The first variable that is in it.
    pub(crate) variable: usize,
}

impl OperationDraft {
    pub(crate) fn new(before: Option<Arc<Operation>>, variable: usize) -> Self {
        Self {
            before,
            what: None,
            selector: None,
            maximum: None,
            rate: 0,
            inform: None,
            text: String::new(),
            path: NotificationPath::default(),
            alternate: None,
            delay: None,
            reason: None,
            time_limit: 0,
            wish: None,
            action: None,
            variable,
        }
    }

    pub(super) fn set_wish(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        self.wish = Some(match integer(value)? {
            1 => OperationWish::Run,
            2 => OperationWish::Pause,
            3 => OperationWish::Cancel,
            _ => return Err(ErrorStatus::WrongValue),
        });
        Ok(())
    }

    pub(super) fn set_action(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        self.what = Some(match integer(value)? {
            1 => What::RevokeBindings,
            2 => What::RevokeVisitors,
            3 => What::NotifyShutdown,
            4 => What::NotifyMessage,
            5 => What::Drain,
            _ => return Err(ErrorStatus::WrongValue),
        });
        Ok(())
    }

    pub(super) fn set_selector(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        let text = text(value, 1..=255)?;
        let selector: OperationSelector = text.parse().map_err(|_| ErrorStatus::WrongValue)?;
        self.selector = Some(selector);
        Ok(())
    }

    pub(super) fn set_inform(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        self.inform = match integer(value)? {
            1 => None,
            2 => Some(true),
            3 => Some(false),
            _ => return Err(ErrorStatus::WrongValue),
        };
        Ok(())
    }

    pub(super) fn set_text(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        self.text = text(value, 0..=wire::MessageString::TEXT_MAX)?;
        Ok(())
    }

    pub(super) fn set_path(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        self.path = match integer(value)? {
            1 => NotificationPath::HomeAgentToMobileNode,
            2 => NotificationPath::HomeAgentToForeignAgent,
            3 => NotificationPath::ForeignAgentToMobileNode,
            4 => NotificationPath::ForeignAgentToHomeAgent,
            5 => NotificationPath::MobileNodeToHomeAgent,
            6 => NotificationPath::MobileNodeToForeignAgent,
            _ => return Err(ErrorStatus::WrongValue),
        };
        Ok(())
    }

    pub(super) fn set_alternate(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        let Value::IpAddress(octets) = value else { return Err(ErrorStatus::WrongType) };
        let address = Ipv4Addr::from(*octets);
        if address.is_broadcast() || address.is_multicast() {
            return Err(ErrorStatus::WrongValue);
        }
        self.alternate = Some(address).filter(|address| !address.is_unspecified());
        Ok(())
    }

    pub(super) fn set_reason(&mut self, value: &Value) -> Result<(), ErrorStatus> {
        let text = text(value, 0..=Operation::REASON_MAX)?;
        self.reason = (!text.is_empty()).then_some(text);
        Ok(())
    }

    /// The last checks, when all variables are written; the row to put, if anything changes.
    pub(crate) fn finish(
        self,
        id: OperationId,
        context: Context<'_>,
        changed: Changed,
    ) -> Result<Option<Operation>, ErrorStatus> {
        match (&self.before, self.action) {
            (Some(before), None | Some(RowAction::Active)) => self.wished(before),
            (None, Some(RowAction::CreateAndGo)) => self.created(id, context, changed).map(Some),
            // Nothing asks for the row to be made.
            (None, None) => Err(ErrorStatus::InconsistentName),
            _ => Err(ErrorStatus::InconsistentValue),
        }
    }

    /// Whether something was written that belongs to another action: it is not passed over.
    fn has_more_than(&self, what: What) -> bool {
        let is_revocation = matches!(what, What::RevokeBindings | What::RevokeVisitors);
        let (is_shutdown, is_message) = (what == What::NotifyShutdown, what == What::NotifyMessage);
        let informs = self.inform.is_some() && !is_revocation;
        let says = !self.text.is_empty() || self.path != NotificationPath::default();
        let sends_away = self.alternate.is_some() && !is_shutdown && what != What::Drain;
        let waits = self.delay.is_some_and(|delay| delay > 0) && !is_shutdown;
        informs || (says && !is_message) || sends_away || waits
    }

    /// The action with what belongs to it.
    fn take_action(&mut self, what: What, now: UtcTime) -> Result<OperationAction, ErrorStatus> {
        let (inform, path, alternate) = (self.inform, self.path, self.alternate);
        if self.has_more_than(what) {
            return Err(ErrorStatus::InconsistentValue);
        }
        let delay = Duration::from_secs(self.delay.unwrap_or(DELAY).into());
        Ok(match what {
            What::RevokeBindings => OperationAction::RevokeBindings { inform },
            What::RevokeVisitors => OperationAction::RevokeVisitors { inform },
            What::NotifyShutdown => OperationAction::NotifyShutdown { at: now + delay, alternate },
            What::NotifyMessage => {
                OperationAction::NotifyMessage { text: std::mem::take(&mut self.text), path }
            }
            // Nodes that are sent elsewhere are sent there when they come, too.
            What::Drain => OperationAction::Drain { alternate, redirect: alternate.is_some() },
        })
    }

    fn wished(&self, before: &Operation) -> Result<Option<Operation>, ErrorStatus> {
        let Some(wish) = self.wish.filter(|wish| *wish != before.wish) else { return Ok(None) };
        let row = Operation { wish, ..before.clone() };
        if before.wish == OperationWish::Cancel || Operation::admits(Some(before), &row).is_err() {
            return Err(ErrorStatus::InconsistentValue);
        }
        Ok(Some(row))
    }

    fn created(
        mut self,
        id: OperationId,
        context: Context<'_>,
        changed: Changed,
    ) -> Result<Operation, ErrorStatus> {
        let (Some(what), Some(selector), Some(maximum)) =
            (self.what, self.selector.clone(), self.maximum)
        else {
            return Err(ErrorStatus::InconsistentValue);
        };
        if id != OperationId::next(context.snapshot) {
            return Err(ErrorStatus::InconsistentName);
        }
        let action = self.take_action(what, changed.at)?;
        let limit = (self.time_limit > 0).then(|| Duration::from_secs(self.time_limit.into()));
        let mut row = Operation {
            id,
            action,
            selector,
            counted_at: Revision::default(),
            maximum,
            owners: Vec::new(),
            deadline: limit.map(|after| changed.at + after),
            rate: (self.rate > 0).then_some(self.rate),
            reason: self.reason,
            who: changed.by,
            created_at: changed.at,
            wish: self.wish.unwrap_or_default(),
            state: OperationState::Pending,
            finished_at: None,
            error: None,
            unknown: Unknown::default(),
        };
        let count: usize = row.count(context.snapshot).into_iter().map(|(_, count)| count).sum();
        let is_too_much = u32::try_from(count).is_ok_and(|count| count > maximum);
        if row.owners.iter().any(|owner| !context.shows(&owner.instance)) {
            return Err(ErrorStatus::NoAccess);
        }
        // The home agent itself is what a drain is about.
        let is_nothing = count == 0 && (what != What::Drain || row.owners.is_empty());
        if is_nothing || is_too_much || Operation::admits(None, &row).is_err() {
            return Err(ErrorStatus::InconsistentValue);
        }
        Ok(row)
    }
}

#[cfg(test)]
impl OperationDraft {
    /// What a whole request writes.
    pub(super) fn set_all(&mut self, selector: &str, maximum: u32) {
        self.what = Some(What::RevokeBindings);
        self.selector = selector.parse().ok();
        self.maximum = Some(maximum);
        self.action = Some(RowAction::CreateAndGo);
    }

    /// When things end, in seconds.
    pub(super) const fn set_times(&mut self, delay: Option<u32>, time_limit: u32) {
        (self.delay, self.time_limit) = (delay, time_limit);
    }
}

fn number(value: &Value) -> Result<u32, ErrorStatus> {
    match value {
        Value::Gauge32(number) => Ok(*number),
        _ => Err(ErrorStatus::WrongType),
    }
}

fn positive(value: &Value) -> Result<u32, ErrorStatus> {
    match number(value)? {
        0 => Err(ErrorStatus::WrongValue),
        number => Ok(number),
    }
}

fn text(value: &Value, lengths: std::ops::RangeInclusive<usize>) -> Result<String, ErrorStatus> {
    let Value::OctetString(octets) = value else { return Err(ErrorStatus::WrongType) };
    if !lengths.contains(&octets.len()) {
        return Err(ErrorStatus::WrongLength);
    }
    let text = std::str::from_utf8(octets).map_err(|_| ErrorStatus::WrongValue)?;
    Ok(text.to_owned())
}
