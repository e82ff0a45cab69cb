//! Revocation between a gateway and the foreign agents beneath it (RFC 3543, in a region of RFC 4857).
//!
//! A reading, where both RFCs are silent: the gateway is the home domain and the foreign agent the
//! foreign domain; the Foreign-Foreign authentication (RFC 4857 §11) protects what they say, and what they
//! agree upon (RFC 3543 §3.2) each says in a Revocation Support Extension before its own: the foreign
//! agent before it says where the node is, the gateway behind what is for the node.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use store::{
    Counter, Identity, Now, RevocationSupport, Revoking, Row as _, ViolationReason, Visitor,
    VisitorKey,
};
use wire::{Nai, RegistrationRevocation, RegistrationRevocationAcknowledgment};

use super::Gateway;
use super::pending::Pending;
use crate::action::{Action, Output, Received};
use crate::association::SecurityAssociation;
use crate::between::Between;
use crate::clock;
use crate::extensions::read;
use crate::refusal::Refuse as _;
use crate::revocation::{
    AT_ONCE, Draft, Meant, Offer, Outstanding, Recent, Revocation, Revoker as _, SPACING, Sender,
    Turn, Verdict, uses_inform,
};
use crate::visited::{Revokes as _, Work};

/// The revocations on this side; each has the name that the visitor has at the foreign agent.
#[derive(Debug, Default)]
pub(super) struct Beneath {
    pub(super) list: Outstanding<Visitor>,
    /// What foreign agents revoked lately.
    recent: Recent,
    /// The identifiers that we used last, beyond the visitors that they were for.
    used: Recent,
}

/// How a visitor is revoked at its foreign agent.
struct Way {
    signer: Arc<SecurityAssociation>,
    negotiated: RevocationSupport,
}

/// The foreign agent that a visitor is at: its last request came from there.
fn agent(visitor: &Visitor) -> Ipv4Addr {
    *visitor.source.ip()
}

/// What a visitor is called at its foreign agent.
pub(super) fn name(visitor: &Visitor) -> VisitorKey {
    VisitorKey { foreign_agent: agent(visitor), ..visitor.key() }
}

fn negotiated(visitor: &Visitor) -> Option<RevocationSupport> {
    visitor.regional.as_ref()?.revocation
}

/// Whether the home registration has ended, and the row waits for the foreign agent alone.
pub(super) fn is_leaving(visitor: &Visitor) -> bool {
    visitor.regional.as_ref().is_some_and(|it| it.revoking.is_some())
}

impl Gateway {
    /// What is offered to the foreign agent that a request came through, which has offered it.
    pub(super) fn offer_beneath(&self, pending: &Pending, now: Now) -> Option<Offer> {
        pending.vouching.as_ref()?;
        let (peer, home) = (*pending.source.ip(), pending.request.home_address);
        let visitor = self.visitors.get(&pending.identity, home);
        let before = visitor.filter(|it| agent(it) == peer).and_then(|it| negotiated(it));
        let used = self.beneath.used.last((peer, home, peer));
        self.config.revocation.offer(before, used, now.stamp())
    }

    pub(super) fn resume_beneath(&mut self, visitor: &Arc<Visitor>, now: Now) {
        let revoking = visitor.regional.as_ref().and_then(|it| it.revoking.as_ref());
        let Some(revoking) = revoking else { return };
        let wait = self.config.revocation.wait(revoking.identifiers.len());
        let at = self.visitors.uptime(revoking.sent_at + wait).max(now.uptime);
        let revocation = Revocation {
            identifiers: revoking.identifiers.clone(),
            ..Revocation::new(visitor, agent(visitor), revoking.inform, Vec::new())
        };
        let name = name(visitor);
        self.beneath.list.insert(name.clone(), revocation);
        self.beneath.list.arm(&name, at);
    }

    /// Ends and repeats what is due.
    pub(super) fn work_beneath(&mut self, now: Now) -> Output {
        let mut work = Work::default();
        for _ in 0..AT_ONCE {
            let (list, config) = (&mut self.beneath.list, &self.config.revocation);
            match list.turn(config, &mut self.tally, now) {
                Some(Turn::Send(name)) => self.revoke_beneath(&name, &mut work, now),
                Some(Turn::End(name, _)) => self.end_beneath(&name, &mut work),
                None => break,
            }
        }
        if work.batch.is_empty() {
            self.arm_work(&work.sent, &[], now);
            self.arm_beneath(&work.sent, now);
            return Output::at_once(work.actions);
        }
        self.commit(work, now)
    }

    /// Begins to wait for acknowledgments of messages that have left.
    pub(super) fn arm_beneath(&mut self, sent: &[VisitorKey], now: Now) {
        self.beneath.list.arm_sent(sent, &self.config.revocation, now.uptime);
    }

    /// The home registration has ended: the foreign agent is told, if that was agreed upon, and the
    /// row stays until it knows.
    pub(super) fn leave(
        &mut self,
        visitor: &Arc<Visitor>,
        inform: bool,
        work: &mut Work,
        now: Now,
    ) {
        if self.way(visitor).is_none() || self.is_ambiguous_beneath(visitor) {
            return self.drop_visitor(visitor, work);
        }
        if visitor.revoking.is_none() {
            work.actions.push(Action::StopService(self.config.service(visitor)));
        }
        work.ended.push((visitor.identity.clone(), "revoked"));
        let name = name(visitor);
        let revocation = Revocation::new(visitor, agent(visitor), inform, Vec::new());
        self.beneath.list.insert(name.clone(), revocation);
        let earliest = self.earliest(visitor);
        if earliest > now.uptime {
            self.intend_beneath(&name, work, now);
            self.beneath.list.arm(&name, earliest);
        } else {
            self.revoke_beneath(&name, work, now);
        }
    }

    /// A node is somewhere else: what it left with a foreign agent is revoked once its new place is
    /// durable, as a home agent does with what is left behind (§1); returns its name.
    pub(super) fn leave_behind(&mut self, old: &Arc<Visitor>) -> Option<VisitorKey> {
        let is_possible = self.config.revocation.on_handoff && !is_leaving(old);
        if !is_possible || self.way(old).is_none() || self.is_ambiguous_beneath(old) {
            return None;
        }
        let name = name(old);
        let revocation = Revocation::new(old, agent(old), false, Vec::new());
        self.beneath.list.insert(name.clone(), revocation);
        Some(name)
    }

    /// Begins with what was left behind: the new registration was a message about this node (§3.3).
    pub(super) fn arm_left_behind(&mut self, name: &VisitorKey, now: Now) {
        self.beneath.list.arm(name, now.uptime + SPACING);
    }

    /// Sends a revocation, or sends it again with another identifier.
    fn revoke_beneath(&mut self, name: &VisitorKey, work: &mut Work, now: Now) {
        let Some(revocation) = self.beneath.list.get(name) else { return };
        let (visitor, peer, inform) =
            (Arc::clone(&revocation.row), revocation.peer, revocation.inform);
        let Some(Way { signer, negotiated }) = self.way(&visitor) else {
            return self.end_beneath(name, work);
        };
        let own = self.config.address;
        let known_as = (peer, visitor.home_address, peer);
        let tells_apart = self.config.revocation.nai_peers.contains(&peer);
        let draft = Draft {
            from_home_agent: true,
            inform: inform && uses_inform(&negotiated),
            domains: (own, peer),
            negotiated,
            last: self.beneath.used.last(known_as),
            nai: visitor.identity.nai().filter(|_| tells_apart),
            signer: (Between::ForeignAgents, &signer),
        };
        let message = self.beneath.list.message(name, &draft, &mut self.tally, now);
        let Some(message) = message else { return };
        let from = SocketAddrV4::new(own, self.config.port);
        // Foreign agents send to us from where they are reached.
        let to = SocketAddrV4::new(peer, visitor.source.port());
        work.actions.push(Action::Send { from, to, octets: message.octets });
        work.sent.push(name.clone());
        self.beneath.used.remember(known_as, message.identifier, now.uptime);
        self.intend_beneath(name, work, now);
    }

    /// The identifiers are durable before they are on the wire; what was left behind has no row.
    fn intend_beneath(&mut self, name: &VisitorKey, work: &mut Work, now: Now) {
        let Some(row) = self.row_beneath(name) else { return };
        let Some(revocation) = self.beneath.list.get_mut(name) else { return };
        let mut row = Visitor::clone(&row);
        row.revoking = None;
        if let Some(regional) = &mut row.regional {
            regional.revoking = Some(Revoking {
                identifiers: revocation.identifiers.clone(),
                sent_at: now.stamp(),
                inform: revocation.inform,
                operations: Vec::new(),
            });
        }
        let row = Arc::new(row);
        revocation.row = Arc::clone(&row);
        self.insert(Arc::clone(&row));
        work.batch.put::<Visitor>(row);
    }

    /// The row that a revocation is about, if it is there and not that of a later registration.
    fn row_beneath(&self, name: &VisitorKey) -> Option<Arc<Visitor>> {
        let of = &self.beneath.list.get(name)?.row;
        let row = self.visitors.get(&name.identity, name.home_address)?;
        let is_same = row.registered_at == of.registered_at && agent(row) == agent(of);
        is_same.then(|| Arc::clone(row))
    }

    /// The foreign agent knows, or does not answer: what has waited for that goes.
    fn end_beneath(&mut self, name: &VisitorKey, work: &mut Work) {
        let row = self.row_beneath(name);
        self.beneath.list.remove(name);
        if let Some(row) = row.filter(|row| is_leaving(row)) {
            if let Some(gone) = self.visitors.remove(&row.identity, row.home_address) {
                self.disarm(&gone);
            }
            work.batch.delete::<Visitor>(row.key());
        }
    }

    /// How a visitor is revoked; `None` if that was not agreed upon, or there is no key.
    fn way(&self, visitor: &Visitor) -> Option<Way> {
        let negotiated = negotiated(visitor)?;
        let peer = Identity::Address(agent(visitor));
        let signer = Arc::clone(self.associations.with(&peer).next()?);
        Some(Way { signer, negotiated })
    }

    /// Whether a revocation could mean another node at the same foreign agent.
    fn is_ambiguous_beneath(&self, visitor: &Visitor) -> bool {
        let peer = agent(visitor);
        let is_other =
            |other: &&Arc<Visitor>| other.identity != visitor.identity && agent(other) == peer;
        !self.config.revocation.nai_peers.contains(&peer)
            && self.visitors.with_home(visitor.home_address).any(|other| is_other(&other))
    }

    /// A revocation came: the `A` bit says from which side (§3.5).
    pub(super) fn on_any_revocation(&mut self, received: &Received<'_>, now: Now) -> Output {
        match RegistrationRevocation::parse(received.octets) {
            Ok((fixed, _)) if !fixed.is_from_home_agent() => {
                self.on_revocation_beneath(received, now)
            }
            _ => self.on_revocation(received, now),
        }
    }

    /// A foreign agent revokes a visitor (§4.2.3.2).
    fn on_revocation_beneath(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegistrationRevocation;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&error),
        };
        self.tally.count(Counter::RevocationsReceived);
        let source = *received.source.ip();
        let list = &extensions.foreign_foreign;
        let signer = match self.associations.authenticate(list, &Identity::Address(source)) {
            Ok(signer) => signer,
            Err(failure) => return self.refuse_revocation(source, fixed.identifier, failure, now),
        };
        let nai = extensions.nai.as_ref();
        match self.judge_beneath(&fixed, nai, source) {
            Ok(Meant::Row(visitor)) => {
                let name = (source, fixed.home_address, source);
                self.beneath.recent.remember(name, fixed.identifier, now.uptime);
                let between = Between::ForeignAgents;
                let sender = Sender { received, nai, signer: &signer, between };
                self.pass_on(&fixed, visitor, sender, now)
            }
            Ok(Meant::BeingRemoved) => Output::default(), // It is repeated.
            Err(reason) => {
                let failure = (reason, signer.spi);
                self.refuse_revocation(source, fixed.identifier, failure, now)
            }
        }
    }

    /// What an authentic revocation of a foreign agent means, unless it is a replay or stale.
    fn judge_beneath(
        &self,
        fixed: &RegistrationRevocation,
        nai: Option<&Nai>,
        source: Ipv4Addr,
    ) -> Result<Meant<Visitor>, ViolationReason> {
        let domains = (fixed.home_domain_address, fixed.foreign_domain_address);
        if domains != (self.config.address, source) {
            return Err(ViolationReason::Other);
        }
        let name = (source, fixed.home_address, source);
        if self.beneath.recent.judge(name, fixed.identifier) == Verdict::Replay {
            return Err(ViolationReason::BadIdentifier);
        }
        let is_its = |it: &Visitor| agent(it) == source && negotiated(it).is_some();
        match self.named(fixed.home_address, nai, is_its).as_slice() {
            [] if self.is_being_removed(fixed) => Ok(Meant::BeingRemoved),
            // The node has moved on, or nothing is left: acknowledged, so that it is forgotten there.
            [] => Ok(Meant::Row(None)),
            [only] => {
                let is_fresh = negotiated(only)
                    .is_some_and(|it| clock::is_later(fixed.identifier, it.peer_timestamp));
                let row = Some(Arc::clone(only));
                is_fresh.then_some(Meant::Row(row)).ok_or(ViolationReason::BadIdentifier)
            }
            _ => Err(ViolationReason::Other),
        }
    }

    /// Acknowledges to the foreign agent, and goes on to the home agent.
    fn pass_on(
        &mut self,
        fixed: &RegistrationRevocation,
        visitor: Option<Arc<Visitor>>,
        sender: Sender<'_>,
        now: Now,
    ) -> Output {
        let agreed = visitor.as_ref().and_then(|visitor| negotiated(visitor));
        // §4.2.3.2: the side of the home agent decides; here that is our policy.
        let inform = agreed.as_ref().is_some_and(uses_inform) && self.config.revocation.informs;
        let acknowledgment = self.acknowledge(fixed, inform, sender);
        let Some(visitor) = visitor else { return Output::at_once(vec![acknowledgment]) };
        let mut work = Work::default();
        work.actions.push(acknowledgment);
        // Ours may be on its way to it: it has ended the visit by itself.
        self.beneath.list.remove(&name(&visitor));
        let mut row = Visitor::clone(&visitor);
        if let Some(regional) = &mut row.regional {
            regional.revocation = None;
        }
        let row = Arc::new(row);
        self.insert(Arc::clone(&row));
        let was_told = self.revocations.get(&row.key()).is_some();
        if !self.tell_home_agent(&row, inform, &mut work, now) {
            self.drop_visitor(&row, &mut work);
        } else if was_told {
            work.batch.put::<Visitor>(row);
        }
        work.ended = vec![(visitor.identity.clone(), "revoked-by-foreign-agent")];
        self.commit(work, now)
    }

    /// Somebody acknowledges a revocation of ours, on either side.
    pub(super) fn on_any_acknowledgment(&mut self, received: &Received<'_>, now: Now) -> Output {
        type Fixed = RegistrationRevocationAcknowledgment;
        let (fixed, extensions) = match read(received.octets, Fixed::LEN, Fixed::parse) {
            Ok(parsed) => parsed,
            Err(error) => return self.malformed(&error),
        };
        let source = *received.source.ip();
        let list = &mut self.beneath.list;
        let found = list.acknowledged_by(fixed.home_address, fixed.identifier, source);
        let Some(name) = found else {
            return self.on_revocation_acknowledgment(received, now);
        };
        let peer = Identity::Address(source);
        if let Err(failure) = self.associations.authenticate(&extensions.foreign_foreign, &peer) {
            return self.refuse_revocation(source, fixed.identifier, failure, now);
        }
        self.tally.count(Counter::RevocationsAcknowledged);
        self.beneath.list.acknowledge(name, fixed.informs());
        Output::default()
    }

    /// The visitors with a home address that a message may mean.
    pub(super) fn named(
        &self,
        home_address: Ipv4Addr,
        nai: Option<&Nai>,
        is_meant: impl Fn(&Visitor) -> bool,
    ) -> Vec<Arc<Visitor>> {
        let is_named = |visitor: &Visitor| match nai {
            Some(nai) => visitor.identity == Identity::Nai(nai.clone()),
            None => true,
        };
        let visitors = self.visitors.with_home(home_address);
        let fitting = visitors.filter(|it| is_meant(it) && !is_leaving(it) && is_named(it));
        fitting.cloned().collect()
    }

    /// A visitor has ended by itself: nobody has to be told of it any more.
    pub(super) fn forget_beneath(&mut self, visitor: &Visitor) {
        if is_leaving(visitor) {
            self.beneath.list.remove(&name(visitor));
        }
    }

    /// The store did not take what was to be sent.
    pub(super) fn unsend_beneath(&mut self, sent: &[VisitorKey], now: Now) {
        self.beneath.list.unsend(sent, now.uptime);
    }
}
