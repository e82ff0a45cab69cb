//! SNMPv1 and SNMPv2c: the community-based security model (RFC 3584 §5.2).

use std::net::SocketAddr;

use store::{Now, Snapshot};

use crate::ber::Malformed;
use crate::message::{CommunityMessage, Pdu, PduType, Version};
use crate::security::{SecurityLevel, SecurityModel};
use crate::vacm::Asker;

use super::counters::count;
use super::respond::{Envelope, Request};
use super::{Action, Engine};

impl Engine {
    /// Answers a message of SNMPv1 or SNMPv2c; `None` is silence.
    pub(super) fn handle_community(
        &mut self,
        now: Now,
        snapshot: &Snapshot,
        peer: SocketAddr,
        version: Version,
        datagram: &[u8],
    ) -> Result<Option<Action>, Malformed> {
        let message = CommunityMessage::parse(datagram)?;
        // Every community is compared, so that the time does not tell which one is near.
        let mut matching = None;
        for community in &self.local.engine.admin.communities {
            if community.is(message.community) {
                matching = Some(community);
            }
        }
        let is_response = PduType::peek(message.pdu) == Ok(PduType::Response);
        let matching = matching.filter(|it| is_response || !it.is_for_notifications);
        let Some(community) = matching.cloned() else {
            count(&mut self.local.engine.counters.in_bad_community_names);
            return Ok(None);
        };
        if is_response {
            self.on_response(peer, message.pdu)?;
        }
        if self.is_for_nobody(PduType::peek(message.pdu)?, version)? {
            return Ok(None);
        }
        let pdu = Pdu::parse(message.pdu)?;
        let model = match version {
            Version::V1 => SecurityModel::SNMPV1,
            _ => SecurityModel::SNMPV2C,
        };
        let asker = Asker {
            model,
            security_name: community.security_name.octets(),
            level: SecurityLevel::NoAuthNoPriv,
            context: community.context.octets(),
        };
        let envelope = Envelope::Community { version, community: message.community };
        let size_max = self.message_size_max;
        let request =
            Request { peer, octets: message.pdu, pdu: &pdu, asker, version, envelope, size_max };
        Ok(self.respond(now, snapshot, &request))
    }

    /// Takes a response to an inform, if it is one.
    pub(super) fn handle_community_answer(
        &mut self,
        peer: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Malformed> {
        let message = CommunityMessage::parse(datagram)?;
        let communities = &self.local.engine.admin.communities;
        // Every community is compared, as with requests.
        let known = communities.iter().filter(|it| it.is(message.community)).count();
        match PduType::peek(message.pdu)? {
            _ if known == 0 => count(&mut self.local.engine.counters.in_bad_community_names),
            PduType::Response => {
                count(&mut self.local.engine.counters.in_get_responses);
                self.on_response(peer, message.pdu)?;
            }
            _ => count(&mut self.local.engine.counters.unknown_pdu_handlers),
        }
        Ok(())
    }

    /// Whether no application here takes this type of PDU: responses, reports
    /// and notifications are not answered, whoever sent them.
    fn is_for_nobody(&mut self, pdu_type: PduType, version: Version) -> Result<bool, Malformed> {
        let counters = &mut self.local.engine.counters;
        match pdu_type {
            PduType::Get | PduType::GetNext | PduType::Set => return Ok(false),
            PduType::GetBulk if version != Version::V1 => return Ok(false),
            // SNMPv1 has none of these (RFC 1157 §4.1).
            PduType::GetBulk | PduType::Inform | PduType::Trap | PduType::Report
                if version == Version::V1 =>
            {
                return Err(Malformed);
            }
            PduType::Response => count(&mut counters.in_get_responses),
            PduType::TrapV1 | PduType::Trap => count(&mut counters.in_traps),
            PduType::GetBulk | PduType::Inform | PduType::Report => {}
        }
        count(&mut counters.unknown_pdu_handlers);
        Ok(true)
    }
}
