//! SNMPv3: message processing (RFC 3412 §7.2) over the User-based Security
//! Model (RFC 3414 §3.2).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use store::{Now, Snapshot};

use crate::ber::Malformed;
use crate::message::{Pdu, PduType, ScopedPdu, UsmParameters, V3Data, V3Message, Version};
use crate::row_status::RowStatus;
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::usm::{ENGINE_BOOTS_MAX, PrivacyContext, TIME_WINDOW, User};
use crate::vacm::Asker;

use super::counters::count;
use super::respond::{Envelope, Request};
use super::secure::Secured;
use super::{Action, Counters, Engine};

/// A counter that a Report tells the value of, by the root of its object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported {
    counter: fn(&mut Counters) -> &mut u32,
    object: &'static [u32],
}

const UNSUPPORTED_SEC_LEVELS: Reported = Reported {
    counter: |counters| &mut counters.usm_unsupported_sec_levels,
    object: &[1, 3, 6, 1, 6, 3, 15, 1, 1, 1],
};
const NOT_IN_TIME_WINDOWS: Reported = Reported {
    counter: |counters| &mut counters.usm_not_in_time_windows,
    object: &[1, 3, 6, 1, 6, 3, 15, 1, 1, 2],
};
const UNKNOWN_USER_NAMES: Reported = Reported {
    counter: |counters| &mut counters.usm_unknown_user_names,
    object: &[1, 3, 6, 1, 6, 3, 15, 1, 1, 3],
};
const UNKNOWN_ENGINE_IDS: Reported = Reported {
    counter: |counters| &mut counters.usm_unknown_engine_ids,
    object: &[1, 3, 6, 1, 6, 3, 15, 1, 1, 4],
};
const WRONG_DIGESTS: Reported = Reported {
    counter: |counters| &mut counters.usm_wrong_digests,
    object: &[1, 3, 6, 1, 6, 3, 15, 1, 1, 5],
};
const DECRYPTION_ERRORS: Reported = Reported {
    counter: |counters| &mut counters.usm_decryption_errors,
    object: &[1, 3, 6, 1, 6, 3, 15, 1, 1, 6],
};
const UNKNOWN_PDU_HANDLERS: Reported = Reported {
    counter: |counters| &mut counters.unknown_pdu_handlers,
    object: &[1, 3, 6, 1, 6, 3, 11, 2, 1, 3],
};
const UNKNOWN_CONTEXTS: Reported = Reported {
    counter: |counters| &mut counters.unknown_contexts,
    object: &[1, 3, 6, 1, 6, 3, 12, 1, 5],
};

/// When, from whom, and on what.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    now: Now,
    snapshot: &'a Snapshot,
    peer: SocketAddr,
}

/// Why the security model refuses a message, and at which level to say so.
struct SecurityError {
    reported: Reported,
    user: Option<Arc<User>>,
    level: SecurityLevel,
}

impl SecurityError {
    /// Reports are neither authenticated nor encrypted, unless there is a reason.
    fn plain(reported: Reported) -> Self {
        Self { reported, user: None, level: SecurityLevel::NoAuthNoPriv }
    }
}

impl Engine {
    /// Answers an SNMPv3 message; `None` is silence.
    pub(super) fn handle_v3(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        peer: SocketAddr,
        datagram: &[u8],
    ) -> Result<Option<Action>, Malformed> {
        let message = V3Message::parse(datagram)?;
        let counters = &mut self.local.engine.counters;
        if SecurityModel(message.security_model) != SecurityModel::USM {
            count(&mut counters.unknown_security_models);
            return Ok(None);
        }
        let Some(level) = message.level() else {
            count(&mut counters.invalid_msgs);
            return Ok(None);
        };
        if let Some(place) = self.inform_answered(peer, message.id) {
            return Ok(self.on_answer_v3(now, place, &message));
        }
        let parameters = message.usm_parameters()?;
        match self.unwrap_message(now, &message, &parameters, level) {
            Ok((user, scoped)) => {
                let scoped = ScopedPdu::parse(&scoped)?;
                let arrival = Arrival { now, snapshot, peer };
                self.dispatch_v3(arrival, &message, level, &user, scoped)
            }
            Err(error) => Ok(self.report_security_error(now, &message, &error).map(Action::Reply)),
        }
    }

    /// Takes what an engine says to an inform: a response, or a report.
    pub(super) fn handle_v3_answer(
        &mut self,
        now: Now,
        peer: SocketAddr,
        datagram: &[u8],
    ) -> Result<Option<Action>, Malformed> {
        let message = V3Message::parse(datagram)?;
        match self.inform_answered(peer, message.id) {
            Some(place) => Ok(self.on_answer_v3(now, place, &message)),
            None => {
                // RFC 3412 §7.2 step 12: nothing outstanding.
                count(&mut self.local.engine.counters.unknown_pdu_handlers);
                Ok(None)
            }
        }
    }

    /// Authenticates and decrypts: RFC 3414 §3.2 from step 3, in its order.
    fn unwrap_message<'a>(
        &self,
        now: Now,
        message: &V3Message<'a>,
        parameters: &UsmParameters<'_>,
        level: SecurityLevel,
    ) -> Result<(Arc<User>, Cow<'a, [u8]>), SecurityError> {
        let facts = &self.local.engine;
        if parameters.engine_id != facts.engine_id() {
            return Err(SecurityError::plain(UNKNOWN_ENGINE_IDS));
        }
        let user = facts.admin.users.get(&Name::new(parameters.user_name));
        let user = user
            .filter(|user| user.status == RowStatus::Active)
            .ok_or(SecurityError::plain(UNKNOWN_USER_NAMES))?;
        if level > user.level_max() {
            return Err(SecurityError::plain(UNSUPPORTED_SEC_LEVELS));
        }
        if let (true, Some((protocol, key))) = (level.is_authenticated(), &user.authentication) {
            if !protocol.verify(key, message.whole, parameters.mac_place.clone()) {
                return Err(SecurityError::plain(WRONG_DIGESTS));
            }
            if !is_in_time(parameters, facts.engine_boots, facts.engine_time(now)) {
                // The manager learns the time of a report only if it is authentic.
                let level = SecurityLevel::AuthNoPriv;
                let user = Some(Arc::clone(user));
                return Err(SecurityError { reported: NOT_IN_TIME_WINDOWS, user, level });
            }
        }
        let scoped = decrypted(message, parameters, level, user)
            .ok_or(SecurityError::plain(DECRYPTION_ERRORS))?;
        Ok((Arc::clone(user), scoped))
    }

    /// From RFC 3412 §7.2 step 8 to §4.2.2: finds who is to answer.
    fn dispatch_v3(
        &mut self,
        Arrival { now, snapshot, peer }: Arrival<'_>,
        message: &V3Message<'_>,
        level: SecurityLevel,
        user: &Arc<User>,
        scoped: ScopedPdu<'_>,
    ) -> Result<Option<Action>, Malformed> {
        let kind = PduType::peek(scoped.pdu)?;
        let secured = self.secured(now, message.id, Some(user), level);
        let secured = Secured { context_name: scoped.context_name, ..secured };
        match kind {
            PduType::Get | PduType::GetNext | PduType::GetBulk | PduType::Set => {}
            PduType::TrapV1 => return Err(Malformed),
            // There is no request of ours that this could belong to (§7.2 step 10).
            PduType::Response | PduType::Report => return Ok(None),
            PduType::Inform | PduType::Trap => {
                let id = Pdu::peek(scoped.pdu)?.1;
                let report = self.report(&secured, UNKNOWN_PDU_HANDLERS, kind.is_confirmed(), id);
                return Ok(report.map(Action::Reply));
            }
        }
        let pdu = Pdu::parse(scoped.pdu)?;
        if scoped.context_engine_id != self.local.engine.engine_id() {
            let report = self.report(&secured, UNKNOWN_PDU_HANDLERS, true, pdu.request_id);
            return Ok(report.map(Action::Reply));
        }
        if !self.local.engine.admin.vacm.has_context(scoped.context_name) {
            let report = self.report(&secured, UNKNOWN_CONTEXTS, true, pdu.request_id);
            return Ok(report.map(Action::Reply));
        }
        let asker = Asker {
            model: SecurityModel::USM,
            security_name: user.name.octets(),
            level,
            context: scoped.context_name,
        };
        let peer_max = usize::try_from(message.max_size).unwrap_or(0);
        let request = Request {
            peer,
            octets: scoped.pdu,
            pdu: &pdu,
            asker,
            version: Version::V3,
            envelope: Envelope::V3(secured),
            size_max: self.message_size_max.min(peer_max),
        };
        Ok(self.respond(now, snapshot, &request))
    }

    /// Counts the error and tells the sender, if that is allowed (RFC 3412 §7.1 step 3).
    fn report_security_error(
        &mut self,
        now: Now,
        message: &V3Message<'_>,
        error: &SecurityError,
    ) -> Option<Vec<u8>> {
        let scoped = match message.data {
            V3Data::Plain(octets) => ScopedPdu::parse(octets).ok(),
            V3Data::Encrypted(_) => None,
        };
        let (wanted, request_id) = match scoped.map(|scoped| Pdu::peek(scoped.pdu)) {
            Some(Ok((kind, request_id))) => (kind.is_confirmed(), request_id),
            _ => (message.is_reportable(), 0),
        };
        let secured = self.secured(now, message.id, error.user.as_ref(), error.level);
        self.report(&secured, error.reported, wanted, request_id)
    }

    /// Counts, and makes a Report with the new value of the counter.
    fn report(
        &mut self,
        secured: &Secured<'_>,
        reported: Reported,
        wanted: bool,
        request_id: i32,
    ) -> Option<Vec<u8>> {
        let counters = &mut self.local.engine.counters;
        let counter = (reported.counter)(counters);
        count(counter);
        let value = *counter;
        if !wanted {
            return None;
        }
        count(&mut counters.out_pkts);
        let name = [reported.object, &[0]].concat();
        self.seal_report(secured, &name, value, request_id)
    }
}

/// RFC 3414 §3.2 step 7 a).
fn is_in_time(parameters: &UsmParameters<'_>, boots: i32, time: i32) -> bool {
    let apart = i64::from(parameters.engine_time) - i64::from(time);
    boots != ENGINE_BOOTS_MAX && parameters.engine_boots == boots && apart.abs() <= TIME_WINDOW
}

/// The scoped PDU in plain text; `None` if it cannot be had.
pub(super) fn decrypted<'a>(
    message: &V3Message<'a>,
    parameters: &UsmParameters<'_>,
    level: SecurityLevel,
    user: &User,
) -> Option<Cow<'a, [u8]>> {
    match (message.data, level.is_private()) {
        (V3Data::Plain(octets), false) => Some(Cow::Borrowed(octets)),
        (V3Data::Encrypted(octets), true) => {
            let (protocol, key) = user.privacy.as_ref()?;
            let context = PrivacyContext {
                engine_boots: parameters.engine_boots,
                engine_time: parameters.engine_time,
                salt: parameters.privacy.try_into().ok()?,
            };
            let mut octets = octets.to_vec();
            protocol.decrypt(key, &context, &mut octets).ok()?;
            Some(Cow::Owned(octets))
        }
        // What the flags say and what there is do not agree.
        (V3Data::Plain(_), true) | (V3Data::Encrypted(_), false) => None,
    }
}
