//! Informs: notifications that are sent again until they are acknowledged
//! (RFC 3413 §3.3 (6)).
//!
//! In SNMPv3 the receiver is the authoritative engine: its ID is discovered
//! and its time learned first (RFC 3414 §4), from what it reports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use store::{Now, Time};

use crate::ber::Malformed;
use crate::message::{Pdu, PduType, ScopedPdu, UsmParameters, V3Message, Version};
use crate::notify::TargetParameters;
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::usm::{ENGINE_BOOTS_MAX, TIME_WINDOW, User};

use super::counters::count;
use super::respond::Envelope;
use super::secure::Secured;
use super::v3::decrypted;
use super::{Action, Engine};

/// How many informs may wait for their acknowledgement.
pub(super) const INFORMS_MAX: usize = 1000;

/// An inform that waits for its acknowledgement.
#[derive(Debug)]
pub(super) struct Inform {
    pub(super) to: SocketAddr,
    /// The same in every retry; it is the message ID in SNMPv3, too.
    pub(super) request_id: i32,
    pub(super) parameters: TargetParameters,
    /// Its variable bindings.
    pub(super) list: Vec<u8>,
    pub(super) context: Name,
    /// In hundredths of a second.
    pub(super) timeout: i32,
    pub(super) sends_left: i32,
    pub(super) deadline: Time,
}

/// An engine that acknowledges our informs, and what we know of its clock.
#[derive(Debug)]
pub(super) struct RemoteEngine {
    engine_id: Vec<u8>,
    boots: i32,
    time: i32,
    /// When `time` was right.
    learned_at: Time,
    /// Our users, with the keys of that engine.
    users: Vec<Arc<User>>,
}

impl RemoteEngine {
    /// The time there, by what was learned last.
    fn time_at(&self, now: Now) -> i32 {
        let elapsed = now.uptime.since(self.learned_at).as_secs();
        self.time.saturating_add(i32::try_from(elapsed).unwrap_or(i32::MAX))
    }

    /// Whether a message is from before the time window (RFC 3414 §3.2 step 7 b) 2)).
    fn is_old(&self, now: Now, parameters: &UsmParameters<'_>) -> bool {
        let behind = i64::from(self.time_at(now)) - i64::from(parameters.engine_time);
        self.boots == ENGINE_BOOTS_MAX
            || parameters.engine_boots < self.boots
            || (parameters.engine_boots == self.boots && behind > TIME_WINDOW)
    }
}

impl Engine {
    /// When to call [`Self::on_deadline`].
    pub fn next_deadline(&self) -> Option<Time> {
        self.informs.iter().map(|inform| inform.deadline).min()
    }

    /// Sends again what was not acknowledged in time, or gives it up.
    pub fn on_deadline(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        let (due, waiting) = std::mem::take(&mut self.informs)
            .into_iter()
            .partition::<Vec<_>, _>(|inform| inform.deadline <= now.uptime);
        self.informs = waiting;
        for inform in due {
            if inform.sends_left > 0 {
                actions.extend(self.send_inform(now, inform));
            } else {
                count(&mut self.local.engine.counters.informs_failed);
                // Perhaps another engine is there by now.
                self.remote_engines.remove(&inform.to);
            }
        }
        actions
    }

    /// Sends an inform for the first time; too many are dropped.
    pub(super) fn begin_inform(&mut self, now: Now, inform: Inform) -> Option<Action> {
        if self.informs.len() >= INFORMS_MAX {
            count(&mut self.local.engine.counters.notifications_dropped);
            return None;
        }
        self.send_inform(now, inform)
    }

    fn send_inform(&mut self, now: Now, mut inform: Inform) -> Option<Action> {
        inform.sends_left -= 1;
        let wait = u64::try_from(inform.timeout).unwrap_or(0).max(1) * 10;
        inform.deadline = now.uptime + Duration::from_millis(wait);
        let octets = match inform.parameters.model {
            SecurityModel::SNMPV2C => self.inform_v2c(&inform),
            _ => self.inform_v3(now, &inform),
        };
        let (to, octets) = (inform.to, octets?);
        self.informs.push(inform);
        count(&mut self.local.engine.counters.out_pkts);
        Some(Action::Notify { to, octets })
    }

    fn inform_v2c(&mut self, inform: &Inform) -> Option<Vec<u8>> {
        let community = self.community_of(&inform.parameters.security_name)?;
        let envelope = Envelope::Community { version: Version::V2c, community: &community };
        self.wrap_pdu(PduType::Inform, inform.request_id, &inform.list, envelope)
    }

    /// The inform, or a probe if the receiver's engine is not known yet.
    fn inform_v3(&mut self, now: Now, inform: &Inform) -> Option<Vec<u8>> {
        let Some(remote) = self.remote_engines.get(&inform.to) else {
            let mut secured =
                self.secured(now, inform.request_id, None, SecurityLevel::NoAuthNoPriv);
            secured.engine_id = Some(b"");
            (secured.engine_boots, secured.engine_time) = (0, 0);
            secured.flags = Secured::REPORTABLE;
            return self.wrap_pdu(PduType::Get, inform.request_id, &[], Envelope::V3(secured));
        };
        let name = &inform.parameters.security_name;
        let user = remote.users.iter().find(|user| user.name == *name).map(Arc::clone)?;
        if inform.parameters.level > user.level_max() {
            return None;
        }
        let (engine_id, boots) = (remote.engine_id.clone(), remote.boots);
        let time = remote.time_at(now);
        let level = inform.parameters.level;
        let mut secured = self.secured(now, inform.request_id, Some(&user), level);
        secured.engine_id = Some(&engine_id);
        (secured.engine_boots, secured.engine_time) = (boots, time);
        secured.flags = Secured::REPORTABLE;
        secured.context_name = inform.context.octets();
        self.wrap_pdu(PduType::Inform, inform.request_id, &inform.list, Envelope::V3(secured))
    }

    /// Takes a response in SNMPv2c: an acknowledgement, if it is from the target.
    pub(super) fn on_response(&mut self, peer: SocketAddr, pdu: &[u8]) -> Result<(), Malformed> {
        let (_, request_id) = Pdu::peek(pdu)?;
        let asked = |inform: &Inform| {
            inform.parameters.model == SecurityModel::SNMPV2C
                && inform.to == peer
                && inform.request_id == request_id
        };
        if let Some(place) = self.informs.iter().position(asked) {
            self.informs.swap_remove(place);
            count(&mut self.local.engine.counters.informs_acknowledged);
        }
        Ok(())
    }

    /// Which inform an SNMPv3 message from `peer` may answer.
    pub(super) fn inform_answered(&self, peer: SocketAddr, message_id: i32) -> Option<usize> {
        let asked = |inform: &Inform| {
            inform.parameters.model == SecurityModel::USM
                && inform.to == peer
                && inform.request_id == message_id
        };
        self.informs.iter().position(asked)
    }

    /// Takes an SNMPv3 message that may answer the inform at `place`.
    pub(super) fn on_answer_v3(
        &mut self,
        now: Now,
        place: usize,
        message: &V3Message<'_>,
    ) -> Option<Action> {
        let inform = self.informs.get(place)?;
        let (peer, wanted) = (inform.to, inform.parameters.level);
        let parameters = message.usm_parameters().ok()?;
        let Some(remote) = self.remote_engines.get_mut(&peer) else {
            self.discover(now, peer, parameters.engine_id)?;
            return self.send_again(now, place);
        };
        let name = parameters.user_name;
        let user = Arc::clone(remote.users.iter().find(|user| user.name.octets() == name)?);
        let level = message.level()?;
        if !level.is_authenticated() {
            // It proves nothing, so it ends only what nobody wanted to be proved.
            let pdu = message.data_plain().filter(|_| !wanted.is_authenticated())?;
            self.end_inform(place, pdu);
            return None;
        }
        let (protocol, key) = user.authentication.as_ref()?;
        let authentic = protocol.verify(key, message.whole, parameters.mac_place.clone());
        if !authentic || parameters.engine_id != remote.engine_id {
            return None;
        }
        // RFC 3414 §3.2 step 7 b): one from too long ago is a replay,
        if remote.is_old(now, &parameters) {
            count(&mut self.local.engine.counters.answers_not_in_time);
            return None;
        }
        // and an authentic message from later tells the time.
        let newer = (parameters.engine_boots, parameters.engine_time) > (remote.boots, remote.time);
        if newer {
            remote.boots = parameters.engine_boots;
            remote.time = parameters.engine_time;
            remote.learned_at = now.uptime;
        }
        let scoped = decrypted(message, &parameters, level, &user)?;
        let scoped = ScopedPdu::parse(&scoped).ok()?;
        if PduType::peek(scoped.pdu) == Ok(PduType::Report) {
            // Not in the time window: once the clock is right, it is worth another try.
            return if newer { self.send_again(now, place) } else { None };
        }
        self.end_inform(place, scoped.pdu);
        None
    }

    /// Remembers the engine at `peer`, which reported that it is not the one
    /// that a probe was for. An ID of an illegal size is none (RFC 3411 §5).
    fn discover(&mut self, now: Now, peer: SocketAddr, engine_id: &[u8]) -> Option<()> {
        if !(5..=32).contains(&engine_id.len()) {
            return None;
        }
        let users = self.remote_users.iter().map(|user| Arc::new(user.at(engine_id))).collect();
        let engine_id = engine_id.to_vec();
        let remote = RemoteEngine { engine_id, boots: 0, time: 0, learned_at: now.uptime, users };
        self.remote_engines.insert(peer, remote);
        Some(())
    }

    /// The inform at `place` is done, if this PDU is the response to it.
    fn end_inform(&mut self, place: usize, pdu: &[u8]) {
        let wanted = self.informs.get(place).map(|inform| inform.request_id);
        if Pdu::peek(pdu).is_ok_and(|(kind, id)| kind == PduType::Response && Some(id) == wanted) {
            self.informs.swap_remove(place);
            count(&mut self.local.engine.counters.informs_acknowledged);
        }
    }

    /// Sends an inform again at once; it is no retry, as it was not sent in earnest before.
    fn send_again(&mut self, now: Now, place: usize) -> Option<Action> {
        let mut inform = self.informs.swap_remove(place);
        inform.sends_left += 1;
        self.send_inform(now, inform)
    }
}
