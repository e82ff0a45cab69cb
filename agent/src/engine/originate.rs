//! The notification originator (RFC 3413 §3.3).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use store::{Health, Instance, Now, Snapshot};

use crate::ber::{Writer, tag};
use crate::message::{PduType, Version};
use crate::mib::Context;
use crate::notify::{
    AUTHENTICATION_FAILURE, COLD_START, Notification, TargetAddress, TargetParameters, WARM_START,
};
use crate::security::SecurityModel;
use crate::vacm::{Asker, ViewType};
use crate::value::Value;
use crate::{Name, Oid};

use super::counters::count;
use super::informs::Inform;
use super::respond::Envelope;
use super::secure::{Origin, Secured};
use super::{Action, Engine};

const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
const SNMP_TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// `snmpTraps`: the standard notifications are below it (RFC 3418).
const SNMP_TRAPS: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 5];

/// The most octets that `vacmContextName` has (RFC 3415).
const CONTEXT_NAME_MAX: usize = 32;

/// One target of one notification, by value: sending needs the engine.
struct Addressee {
    to: SocketAddr,
    parameters: TargetParameters,
    inform: bool,
    timeout: i32,
    retry_count: i32,
}

impl Engine {
    /// Says that the engine has started: `coldStart`, or `warmStart` when its
    /// configuration did not change. To be called once.
    pub fn announce_start(&mut self, now: Now, warm: bool) -> Vec<Action> {
        let kind = if warm { WARM_START } else { COLD_START };
        self.notify(now, &Notification::new(kind, Vec::new()))
    }

    /// Looks at what the store shows and how it is; tells managers what is news.
    /// To be called once a second, and soon after violations.
    pub fn observe(&mut self, now: Now, snapshot: &Snapshot, health: Health) -> Vec<Action> {
        self.local.store = health;
        self.follow_contexts(snapshot);
        let mut alarms = std::mem::take(&mut self.local.alarms);
        let news = alarms
            .observe(Context { now, snapshot, local: &self.local, instance: None }, &self.registry);
        self.local.alarms = alarms;
        news.iter().flat_map(|notification| self.notify(now, notification)).collect()
    }

    /// There is a context for each daemon of the store, beside those of the configuration.
    fn follow_contexts(&mut self, snapshot: &Snapshot) {
        let instances = snapshot.rows::<Instance>().iter().map(|row| row.name.as_str());
        let instances = instances.filter(|name| name.len() <= CONTEXT_NAME_MAX).map(Name::from);
        let contexts = self.own_contexts.iter().cloned().chain(instances).collect();
        if self.local.engine.admin.vacm.contexts != contexts {
            self.local.engine.admin.vacm.contexts = contexts;
        }
    }

    /// Sends a notification to every target that is to have it and may.
    ///
    /// Nothing here waits: what is too much is dropped and counted.
    pub fn notify(&mut self, now: Now, notification: &Notification) -> Vec<Action> {
        if !self.notify_limit.allows(&notification.kind, now.uptime) {
            count(&mut self.local.engine.counters.notifications_limited);
            return Vec::new();
        }
        let targets = &self.local.engine.admin.targets;
        let addressees: Vec<Addressee> = targets
            .selected()
            .filter(|(to, _, parameters, _)| self.may_notify(to, parameters, notification))
            .map(|(row, to, parameters, inform)| Addressee {
                to,
                parameters,
                inform,
                timeout: row.timeout,
                retry_count: row.retry_count,
            })
            .collect();
        let mut actions = Vec::new();
        // A start of ours is none of the master, and who asks it badly is its own business.
        if self.has_master && !notification.kind.starts_with(SNMP_TRAPS) {
            actions.push(Action::Publish(notification.clone()));
        }
        for addressee in addressees {
            actions.extend(self.send_notification(now, notification, addressee));
        }
        actions
    }

    /// `authenticationFailure`, if it is enabled (RFC 3418).
    pub(super) fn notify_authentication_failure(&mut self, now: Now) -> Vec<Action> {
        if !self.local.engine.admin.authentication_traps {
            return Vec::new();
        }
        self.notify(now, &Notification::new(AUTHENTICATION_FAILURE, Vec::new()))
    }

    /// Steps (1) to (3) of the procedure: the filter, and access to all of it.
    fn may_notify(
        &self,
        to: &TargetAddress,
        parameters: &TargetParameters,
        notification: &Notification,
    ) -> bool {
        let admin = &self.local.engine.admin;
        let asker = Asker {
            model: parameters.model,
            security_name: parameters.security_name.octets(),
            level: parameters.level,
            context: notification.context.octets(),
        };
        let Ok(view) = admin.vacm.view(asker, ViewType::Notify) else { return false };
        admin.targets.passes(&to.parameters, notification)
            && view.contains(&notification.kind)
            && notification.variables.iter().all(|(name, _)| view.contains(name))
    }

    fn send_notification(
        &mut self,
        now: Now,
        notification: &Notification,
        addressee: Addressee,
    ) -> Option<Action> {
        let parameters = addressee.parameters;
        let up_time = self.up_time(now);
        self.last_request = self.last_request.checked_add(1).unwrap_or(1);
        let request_id = self.last_request;
        // SNMPv1 has no InformRequest: what cannot be acknowledged is sent as a trap.
        if addressee.inform && parameters.model != SecurityModel::SNMPV1 {
            let inform = Inform {
                to: addressee.to,
                request_id,
                parameters,
                list: variables(up_time, notification),
                context: notification.context.clone(),
                timeout: addressee.timeout,
                sends_left: addressee.retry_count.saturating_add(1),
                deadline: now.uptime,
            };
            return self.begin_inform(now, inform);
        }
        let octets = match parameters.model {
            SecurityModel::SNMPV1 => self.trap_v1(notification, up_time, &parameters)?,
            SecurityModel::SNMPV2C => {
                let list = variables(up_time, notification);
                let community = self.community_of(&parameters.security_name)?;
                let envelope = Envelope::Community { version: Version::V2c, community: &community };
                self.wrap_pdu(PduType::Trap, request_id, &list, envelope)?
            }
            _ => {
                let list = variables(up_time, notification);
                let name = &parameters.security_name;
                let user = self.local.engine.admin.users.get(name).map(Arc::clone)?;
                if parameters.level > user.level_max() {
                    return None;
                }
                let secured = self.secured(now, request_id, Some(&user), parameters.level);
                let context_name = notification.context.octets();
                let secured = Secured { context_name, ..secured };
                self.wrap_pdu(PduType::Trap, request_id, &list, Envelope::V3(secured))?
            }
        };
        let counters = &mut self.local.engine.counters;
        count(&mut counters.out_traps);
        count(&mut counters.out_pkts);
        Some(Action::Notify { to: addressee.to, octets })
    }

    /// The message of a PDU; `None` if it is too long, or cannot be encrypted.
    pub(super) fn wrap_pdu(
        &mut self,
        kind: PduType,
        request_id: i32,
        list: &[u8],
        envelope: Envelope<'_>,
    ) -> Option<Vec<u8>> {
        let origin = Origin {
            engine_id: self.local.engine.engine_id(),
            message_size_max: self.message_size_max,
        };
        let writer = &mut self.writer;
        writer.clear();
        writer.append(list);
        writer.wrap(tag::SEQUENCE, 0);
        writer.prepend_integer(0);
        writer.prepend_integer(0);
        writer.prepend_integer(request_id);
        writer.wrap(kind.tag(), 0);
        envelope.seal(origin, writer)?;
        (writer.len() <= self.message_size_max).then(|| writer.octets().to_vec())
    }

    /// A Trap-PDU (RFC 1157 §4.1.6), translated as in RFC 3584 §3.2. It cannot
    /// carry a `Counter64`: such a notification is not sent to this target.
    fn trap_v1(
        &mut self,
        notification: &Notification,
        up_time: u32,
        parameters: &TargetParameters,
    ) -> Option<Vec<u8>> {
        let community = self.community_of(&parameters.security_name)?;
        let writer = &mut self.writer;
        writer.clear();
        for (name, value) in &notification.variables {
            if matches!(value, Value::Counter64(_)) {
                return None;
            }
            writer.append_variable(name, value);
        }
        writer.wrap(tag::SEQUENCE, 0);
        let (enterprise, generic, specific) = translated(&notification.kind)?;
        writer.prepend_value(&Value::TimeTicks(up_time));
        writer.prepend_integer(specific);
        writer.prepend_integer(generic);
        writer.prepend_value(&Value::IpAddress(self.agent_address));
        writer.prepend_value(&Value::ObjectIdentifier(Oid::from(enterprise)));
        writer.wrap(PduType::TrapV1.tag(), 0);
        let origin = Origin { engine_id: b"", message_size_max: 0 };
        let envelope = Envelope::Community { version: Version::V1, community: &community };
        envelope.seal(origin, writer)?;
        (writer.len() <= self.message_size_max).then(|| writer.octets().to_vec())
    }

    /// Which community to use for a security name (`snmpCommunityTable`).
    pub(super) fn community_of(&self, security_name: &Name) -> Option<Vec<u8>> {
        let communities = &self.local.engine.admin.communities;
        let found = communities.iter().find(|it| it.security_name == *security_name);
        found.map(|community| community.octets().to_vec())
    }

    /// `sysUpTime`: it counts hundredths of a second, modulo 2³².
    fn up_time(&self, now: Now) -> u32 {
        let elapsed = now.uptime.since(self.local.started).as_millis() / 10;
        u32::try_from(elapsed % (1 << 32)).unwrap_or(0)
    }

    /// Tells the address to put into traps of SNMPv1; 0.0.0.0 until then.
    pub fn set_agent_address(&mut self, address: IpAddr) {
        if let IpAddr::V4(address) = address {
            self.agent_address = address.octets();
        }
    }
}

/// The variable bindings of a notification (RFC 3416 §4.2.6).
fn variables(up_time: u32, notification: &Notification) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.clear();
    writer.append_variable(SYS_UP_TIME, &Value::TimeTicks(up_time));
    let kind = Value::ObjectIdentifier(notification.kind.clone());
    writer.append_variable(SNMP_TRAP_OID, &kind);
    for (name, value) in &notification.variables {
        writer.append_variable(name, value);
    }
    writer.octets().to_vec()
}

/// Enterprise, generic-trap and specific-trap of a kind (RFC 3584 §3.2 (1), (3), (4)).
fn translated(kind: &[u32]) -> Option<(&[u32], i32, i32)> {
    if let Some([number @ 1..=6]) = kind.strip_prefix(SNMP_TRAPS) {
        let generic = i32::try_from(*number).ok()?.checked_sub(1)?;
        return Some((SNMP_TRAPS, generic, 0));
    }
    let (enterprise, specific) = match kind {
        [enterprise @ .., 0, last] | [enterprise @ .., last] => (enterprise, *last),
        [] => return None,
    };
    Some((enterprise, 6, i32::try_from(specific).ok()?))
}
