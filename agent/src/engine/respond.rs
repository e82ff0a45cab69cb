//! The command responder (RFC 3413 §3.2): from a request to a response that fits.

use std::net::SocketAddr;

use store::{Now, Snapshot};

use crate::ber::{Reader, Writer, tag};
use crate::message::{Pdu, PduType, Version};
use crate::mib::Context;
use crate::vacm::{AccessDenied, Asker, View, ViewType};

use super::counters::{add, count};
use super::read::Reading;
use super::secure::{Origin, Secured};
use super::{Action, Counters, Engine, ErrorStatus};

/// One request, with what message processing and security found out about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) peer: SocketAddr,
    /// The PDU as it arrived, or was decrypted.
    pub(super) octets: &'a [u8],
    pub(super) pdu: &'a Pdu<'a>,
    pub(super) asker: Asker<'a>,
    pub(super) version: Version,
    pub(super) envelope: Envelope<'a>,
    /// The largest response that both sides can bear.
    pub(super) size_max: usize,
}

impl Request<'_> {
    /// The status in the words of the version.
    fn words(&self, status: ErrorStatus) -> ErrorStatus {
        match self.version {
            Version::V1 => status.in_v1(),
            _ => status,
        }
    }
}

/// What a response is put into.
#[derive(Clone, Copy, Debug)]
pub(super) enum Envelope<'a> {
    Community { version: Version, community: &'a [u8] },
    V3(Secured<'a>),
}

impl Envelope<'_> {
    /// No fewer octets than what surrounds the variable bindings.
    fn overhead(&self) -> usize {
        // Headers of message, PDU and list, 5 each; three integers of 6, the version, a string's header.
        let pdu = 5 + 5 + 5 + 3 * 6 + 3 + 5;
        match self {
            Self::Community { community, .. } => pdu + community.len(),
            Self::V3(secured) => pdu + secured.overhead(),
        }
    }

    /// Makes the message; `None` if it cannot be encrypted.
    pub(super) fn seal(&self, origin: Origin<'_>, writer: &mut Writer) -> Option<()> {
        match self {
            Self::Community { version, community } => {
                writer.prepend_octet_string(community);
                writer.prepend_integer(version.number());
                writer.wrap(tag::SEQUENCE, 0);
                Some(())
            }
            Self::V3(secured) => secured.seal(origin, writer),
        }
    }
}

/// What a request failed with: the status and the number of the variable, or 0.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Failure {
    pub(crate) status: ErrorStatus,
    pub(crate) index: usize,
}

impl Engine {
    /// Answers one request from one snapshot; `None` is silence.
    pub(super) fn respond(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        request: &Request<'_>,
    ) -> Option<Action> {
        count_request(&mut self.local.engine.counters, request.pdu.kind);
        if request.pdu.kind == PduType::Set {
            return self.set(now, snapshot, request);
        }
        self.writer.clear();
        let reply = match self.read(now, snapshot, request) {
            Ok(variables) => {
                add(&mut self.local.engine.counters.in_total_req_vars, variables);
                self.reply(request, None)
            }
            Err(refusal) => self.refuse(request, &refusal),
        };
        reply.map(Action::Reply)
    }

    /// Says that the request was not done, and why.
    pub(super) fn refuse(&mut self, request: &Request<'_>, refusal: &Refusal) -> Option<Vec<u8>> {
        let counters = &mut self.local.engine.counters;
        match refusal {
            Refusal::Failed(failure) => {
                let denied = failure.status == ErrorStatus::AuthorizationError;
                if denied && request.version != Version::V3 {
                    count(&mut counters.in_bad_community_uses);
                }
                self.reply(request, Some(*failure))
            }
            Refusal::UnknownContext => {
                count(&mut counters.unknown_contexts);
                None
            }
        }
    }

    /// What the asker may see or change.
    pub(super) fn view(
        &self,
        request: &Request<'_>,
        wanted: ViewType,
    ) -> Result<View<'_>, Refusal> {
        self.local.engine.admin.vacm.view(request.asker, wanted).map_err(|denied| match denied {
            AccessDenied::NoSuchContext => Refusal::UnknownContext,
            // RFC 3413 §3.2 (5): no variable is to blame.
            AccessDenied::NoGroupName | AccessDenied::NoAccessEntry | AccessDenied::NoSuchView => {
                Refusal::Failed(Failure { status: ErrorStatus::AuthorizationError, index: 0 })
            }
        })
    }

    /// Reads what is asked; leaves the variable bindings of the response in the writer.
    fn read(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        request: &Request<'_>,
    ) -> Result<usize, Refusal> {
        let room = request.size_max.saturating_sub(request.envelope.overhead());
        let mut writer = std::mem::take(&mut self.writer);
        let done = self.view(request, ViewType::Read).and_then(|view| {
            let instance = shown(request.asker.context);
            let context = Context { now, snapshot, local: &self.local, instance };
            let mut reading = Reading::new(&self.registry, context, view, &mut writer, room);
            let v1 = request.version == Version::V1;
            let done = match request.pdu.kind {
                PduType::GetNext => reading.get_next(request.pdu, v1),
                PduType::GetBulk => reading.get_bulk(request.pdu),
                _ => reading.get(request.pdu, v1),
            };
            done.map_err(Refusal::Failed)
        });
        self.writer = writer;
        done
    }

    /// Makes the response; something shorter if it does not fit.
    pub(super) fn reply(
        &mut self,
        request: &Request<'_>,
        failure: Option<Failure>,
    ) -> Option<Vec<u8>> {
        let mut failure = failure.unwrap_or_default();
        if failure.status != ErrorStatus::NoError {
            self.echo(request, failure.status);
        }
        if self.seal(request, failure)? > request.size_max {
            failure = Failure { status: ErrorStatus::TooBig, index: 0 };
            self.echo(request, failure.status);
            if self.seal(request, failure)? > request.size_max {
                count(&mut self.local.engine.counters.silent_drops);
                return None;
            }
        }
        let counters = &mut self.local.engine.counters;
        request.words(failure.status).count_out(counters);
        count(&mut counters.out_pkts);
        count(&mut counters.out_get_responses);
        Some(self.writer.octets().to_vec())
    }

    /// Fills the writer with the variable bindings of an error response.
    ///
    /// They are those of the request, but none with `tooBig` (RFC 3416 §4.2.1;
    /// SNMPv1 has them there too, RFC 1157 §4.1.2).
    pub(super) fn echo(&mut self, request: &Request<'_>, status: ErrorStatus) {
        self.writer.clear();
        if status == ErrorStatus::TooBig && request.version != Version::V1 {
            return;
        }
        let list = Reader::new(&request.pdu.list).tlv().map(|list| list.content);
        self.writer.append(list.unwrap_or_default());
    }

    /// Puts the headers around the variable bindings; returns the size, if there can be a message.
    fn seal(&mut self, request: &Request<'_>, failure: Failure) -> Option<usize> {
        let status = request.words(failure.status);
        let writer = &mut self.writer;
        writer.wrap(tag::SEQUENCE, 0);
        writer.prepend_integer(i32::try_from(failure.index).unwrap_or(i32::MAX));
        writer.prepend_integer(status.number());
        writer.prepend_integer(request.pdu.request_id);
        writer.wrap(PduType::Response.tag(), 0);
        let origin = Origin {
            engine_id: self.local.engine.engine_id(),
            message_size_max: self.message_size_max,
        };
        request.envelope.seal(origin, writer)?;
        Some(writer.len())
    }
}

/// Why a request is not answered with what it asked for.
pub(super) enum Refusal {
    Failed(Failure),
    UnknownContext,
}

/// The daemon whose rows are in a context: contexts are called like instances, and the default one
/// has the rows of all.
pub(super) fn shown(context: &[u8]) -> Option<&str> {
    // A name that is no text is no instance's; there is no context of that name either.
    Some(context).filter(|name| !name.is_empty()).map(|name| str::from_utf8(name).unwrap_or(""))
}

fn count_request(counters: &mut Counters, pdu_type: PduType) {
    match pdu_type {
        PduType::Get => count(&mut counters.in_get_requests),
        PduType::GetNext => count(&mut counters.in_get_nexts),
        PduType::Set => count(&mut counters.in_set_requests),
        _ => {}
    }
}
