//! SET (RFC 3416 §4.2.5): all of it or nothing.
//!
//! ```text
//!  request ──► staged on one snapshot ──► nothing for the store ──► done, reply
//!                        ▲                     │
//!                        │ refused, once       ▼
//!                        └────────────── Action::Commit ──► on_commit ──► reply
//! ```
//!
//! A retransmission of a request that waits for its commit is ignored: the one
//! reply answers both.

use std::net::SocketAddr;

use rasn_smi::v2::{ApplicationSyntax, ObjectSyntax, SimpleSyntax};
use rasn_snmp::v2::{VarBind, VarBindValue};
use store::{Now, Snapshot};

use crate::message::{Pdu, Version};
use crate::mib::Context;
use crate::security::{Name, SecurityLevel, SecurityModel};
use crate::vacm::{Asker, ViewType};
use crate::value::Value;
use crate::{Oid, Registry};

use super::admin::{Admin, Requester, Saved, USER_CLONE_FROM};
use super::counters::add;
use super::respond::{Envelope, Failure, Refusal, Request, shown};
use super::secure::Secured;
use super::staging::Staged;
use super::{Action, Engine, ErrorStatus, Staging};

/// Names a commit that was asked for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CommitId(pub u64);

/// How a commit ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CommitOutcome {
    /// It is done, and the snapshot that is handed over shows it.
    Done,
    /// A row was changed by somebody else.
    Refused,
    /// The store, or the disk, could not do it.
    Failed,
    /// The store has done it, and then what the engine keeps could not be saved.
    Half,
}

/// How many SETs may wait for the store.
const PENDING_MAX: usize = 64;

/// A SET that waits for the store.
#[derive(Debug)]
pub(super) struct Pending {
    id: CommitId,
    request: HeldRequest,
    /// What changes in the engine as soon as the store has changed.
    admin: Option<Box<Admin>>,
    retried: bool,
}

impl Pending {
    /// Whether the engine itself is other than before once this is done.
    pub(super) fn changes_engine(&self) -> bool {
        self.admin.is_some()
    }
}

/// All that a reply needs to know of its request.
#[derive(Debug)]
struct HeldRequest {
    peer: SocketAddr,
    pdu: Vec<u8>,
    version: Version,
    model: SecurityModel,
    security_name: Name,
    level: SecurityLevel,
    context: Name,
    envelope: HeldEnvelope,
    size_max: usize,
}

#[derive(Debug)]
enum HeldEnvelope {
    Community(Vec<u8>),
    V3 { message_id: i32, user: Option<std::sync::Arc<crate::usm::User>> },
}

impl HeldRequest {
    fn new(request: &Request<'_>) -> Self {
        let asker = request.asker;
        Self {
            peer: request.peer,
            pdu: request.octets.to_vec(),
            version: request.version,
            model: asker.model,
            security_name: Name::new(asker.security_name),
            level: asker.level,
            context: Name::new(asker.context),
            envelope: match request.envelope {
                Envelope::Community { community, .. } => HeldEnvelope::Community(community.into()),
                Envelope::V3(secured) => {
                    HeldEnvelope::V3 { message_id: secured.message_id, user: secured.user.cloned() }
                }
            },
            size_max: request.size_max,
        }
    }

    /// The request again; `secured` is for an SNMPv3 reply of this moment.
    fn request<'a>(&'a self, pdu: &'a Pdu<'a>, secured: Secured<'a>) -> Request<'a> {
        let asker = Asker {
            model: self.model,
            security_name: self.security_name.octets(),
            level: self.level,
            context: self.context.octets(),
        };
        let envelope = match &self.envelope {
            HeldEnvelope::Community(community) => {
                Envelope::Community { version: self.version, community }
            }
            HeldEnvelope::V3 { .. } => Envelope::V3(secured),
        };
        let (peer, octets) = (self.peer, self.pdu.as_slice());
        let size_max = self.size_max;
        Request { peer, octets, pdu, asker, version: self.version, envelope, size_max }
    }

    fn is_retransmitted_by(&self, request: &Request<'_>) -> bool {
        self.peer == request.peer && self.pdu == request.octets
    }
}

impl Engine {
    /// Does a SET, or begins it.
    pub(super) fn set(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        request: &Request<'_>,
    ) -> Option<Action> {
        if self.pending.iter().any(|pending| pending.request.is_retransmitted_by(request)) {
            return None;
        }
        if self.local.is_loading {
            // Whatever it is about, it could not be kept.
            let failure = Failure { status: ErrorStatus::ResourceUnavailable, index: 0 };
            return self.refuse(request, &Refusal::Failed(failure)).map(Action::Reply);
        }
        let staged = match self.stage(now, snapshot, request) {
            Ok(staged) => staged,
            Err(refusal) => return self.refuse(request, &refusal).map(Action::Reply),
        };
        let saved = staged.admin.as_deref().and_then(|admin| self.to_save(admin));
        if staged.batch.changes.is_empty() && saved.is_none() {
            return self.finish_set(request, staged.admin).map(Action::Reply);
        }
        // A change of the engine itself must not be overtaken by another one.
        let busy = staged.admin.is_some() && self.pending.iter().any(Pending::changes_engine);
        if busy || self.pending.len() >= PENDING_MAX {
            let failure = Failure { status: ErrorStatus::ResourceUnavailable, index: 0 };
            return self.refuse(request, &Refusal::Failed(failure)).map(Action::Reply);
        }
        self.last_commit += 1;
        let id = CommitId(self.last_commit);
        let (admin, request) = (staged.admin, HeldRequest::new(request));
        self.pending.push(Pending { id, request, admin, retried: false });
        let Staged { batch, secrets, .. } = staged;
        Some(Action::Commit { id, batch, secrets, saved })
    }

    /// What the driver has to keep once `admin` is in force, if that is other than before.
    fn to_save(&self, admin: &Admin) -> Option<Box<Saved>> {
        let saved = Saved::of(admin);
        (saved != Saved::of(&self.local.engine.admin)).then(|| Box::new(saved))
    }

    /// Takes the end of a commit; the reply is for the peer of that request.
    pub fn on_commit(
        &mut self,
        id: CommitId,
        outcome: CommitOutcome,
        now: Now,
        snapshot: &Snapshot,
    ) -> Vec<Action> {
        let Some(place) = self.pending.iter().position(|pending| pending.id == id) else {
            return Vec::new();
        };
        let pending = self.pending.swap_remove(place);
        let held = &pending.request;
        let Ok(pdu) = Pdu::parse(&held.pdu) else { return Vec::new() };
        let (message_id, user) = match &held.envelope {
            HeldEnvelope::Community(_) => (0, None),
            HeldEnvelope::V3 { message_id, user } => (*message_id, user.as_ref()),
        };
        let secured = self.secured(now, message_id, user, held.level);
        let secured = Secured { context_name: held.context.octets(), ..secured };
        let request = held.request(&pdu, secured);
        let failed = |status| Refusal::Failed(Failure { status, index: 0 });
        let reply = match outcome {
            CommitOutcome::Done => self.finish_set(&request, pending.admin),
            CommitOutcome::Refused if !pending.retried => {
                match self.stage(now, snapshot, &request) {
                    Ok(Staged { batch, admin, secrets }) => {
                        let saved = admin.as_deref().and_then(|admin| self.to_save(admin));
                        let request = pending.request;
                        self.pending.push(Pending { id, request, admin, retried: true });
                        return vec![Action::Commit { id, batch, secrets, saved }];
                    }
                    Err(refusal) => self.refuse(&request, &refusal),
                }
            }
            CommitOutcome::Refused | CommitOutcome::Failed => {
                self.refuse(&request, &failed(ErrorStatus::CommitFailed))
            }
            CommitOutcome::Half => self.refuse(&request, &failed(ErrorStatus::UndoFailed)),
        };
        reply.map(Action::Reply).into_iter().collect()
    }

    /// Checks every variable, without a change to anything.
    fn stage(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        request: &Request<'_>,
    ) -> Result<Staged, Refusal> {
        let view = self.view(request, ViewType::Write)?;
        let asker = request.asker;
        let requester = Requester {
            model: asker.model,
            security_name: Name::new(asker.security_name),
            level: asker.level,
        };
        let instance = shown(asker.context);
        let context = Context { now, snapshot, local: &self.local, instance };
        let mut staging = Staging::new(context, requester);
        // All are set at the same time; that a user is cloned is what its other columns start from.
        let is_clone = |variable: &VarBind| variable.name.starts_with(USER_CLONE_FROM);
        let variables = || request.pdu.variables.iter().enumerate();
        let first = variables().filter(|(_, variable)| is_clone(variable));
        let others = variables().filter(|(_, variable)| !is_clone(variable));
        for (position, variable) in first.chain(others) {
            let name: &[u32] = &variable.name;
            staging.turn_to(position);
            let checked = if view.contains(name) {
                stage_variable(&self.registry, &mut staging, name, variable)
            } else {
                Err(ErrorStatus::NoAccess)
            };
            checked.map_err(|status| Refusal::Failed(Failure { status, index: position + 1 }))?;
        }
        staging.finish().map_err(Refusal::Failed)
    }

    /// Changes the engine and makes the reply, which is the request again.
    fn finish_set(&mut self, request: &Request<'_>, admin: Option<Box<Admin>>) -> Option<Vec<u8>> {
        if let Some(admin) = admin {
            self.local.engine.admin = *admin;
        }
        let variables = request.pdu.variables.len();
        add(&mut self.local.engine.counters.in_total_set_vars, variables);
        self.echo(request, ErrorStatus::NoError);
        self.reply(request, None)
    }
}

fn stage_variable(
    registry: &Registry,
    staging: &mut Staging<'_>,
    name: &[u32],
    variable: &VarBind,
) -> Result<(), ErrorStatus> {
    let value = value_of(&variable.value)?;
    registry.set(staging, name, &value)?;
    staging.record(name, &value)
}

/// The value that a manager sent, in our words.
fn value_of(value: &VarBindValue) -> Result<Value, ErrorStatus> {
    let VarBindValue::Value(value) = value else {
        // NULL and the exceptions are no values of any object.
        return Err(ErrorStatus::WrongType);
    };
    Ok(match value {
        ObjectSyntax::Simple(SimpleSyntax::Integer(number)) => {
            // The message was refused before if it had more than 32 bits.
            Value::Integer32(i32::try_from(number).map_err(|_| ErrorStatus::WrongEncoding)?)
        }
        ObjectSyntax::Simple(SimpleSyntax::String(octets)) => Value::octets(octets),
        ObjectSyntax::Simple(SimpleSyntax::ObjectId(oid)) => {
            let sub_ids: &[u32] = oid;
            Value::ObjectIdentifier(Oid::from(sub_ids))
        }
        ObjectSyntax::ApplicationWide(application) => match application {
            ApplicationSyntax::Address(address) => {
                let octets: &[u8] = address.0.as_ref();
                Value::IpAddress(octets.try_into().map_err(|_| ErrorStatus::WrongLength)?)
            }
            ApplicationSyntax::Counter(counter) => Value::Counter32(counter.0),
            ApplicationSyntax::Unsigned(gauge) => Value::Gauge32(gauge.0),
            ApplicationSyntax::Ticks(ticks) => Value::TimeTicks(ticks.0),
            ApplicationSyntax::BigCounter(counter) => Value::Counter64(counter.0),
            // No object of ours has it.
            ApplicationSyntax::Arbitrary(_) => return Err(ErrorStatus::WrongType),
        },
    })
}
