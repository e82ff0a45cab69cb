//! Outgoing SNMPv3 messages (RFC 3412 §7.1, RFC 3414 §3.1).

use std::sync::Arc;

use store::Now;

use crate::ber::{Writer, tag};
use crate::message::{PduType, Version};
use crate::security::{SecurityLevel, SecurityModel};
use crate::usm::{AuthenticationProtocol, CipherError, Key, PrivacyContext, User};
use crate::value::Value;

use super::Engine;

/// All that goes around a PDU in an SNMPv3 message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Secured<'a> {
    pub(super) message_id: i32,
    pub(super) flags: u8,
    pub(super) level: SecurityLevel,
    pub(super) user: Option<&'a Arc<User>>,
    pub(super) context_name: &'a [u8],
    /// The authoritative engine, if it is not this one.
    pub(super) engine_id: Option<&'a [u8]>,
    pub(super) engine_boots: i32,
    pub(super) engine_time: i32,
    pub(super) salt: u64,
}

/// Of an engine: what its messages say, whoever they are for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) engine_id: &'a [u8],
    pub(super) message_size_max: usize,
}

impl Engine {
    /// The envelope for a response to the message `message_id`.
    pub(super) fn secured<'a>(
        &mut self,
        now: Now,
        message_id: i32,
        user: Option<&'a Arc<User>>,
        level: SecurityLevel,
    ) -> Secured<'a> {
        let facts = &self.local.engine;
        self.salt = self.salt.wrapping_add(1);
        Secured {
            message_id,
            flags: 0,
            level,
            user,
            context_name: b"",
            engine_id: None,
            engine_boots: facts.engine_boots,
            engine_time: facts.engine_time(now),
            salt: self.salt,
        }
    }

    /// A Report-PDU with one counter in it; `None` if it cannot be encrypted.
    pub(super) fn seal_report(
        &mut self,
        secured: &Secured<'_>,
        name: &[u32],
        value: u32,
        request_id: i32,
    ) -> Option<Vec<u8>> {
        let writer = &mut self.writer;
        writer.clear();
        writer.append_variable(name, &Value::Counter32(value));
        writer.wrap(tag::SEQUENCE, 0);
        writer.prepend_integer(0);
        writer.prepend_integer(0);
        writer.prepend_integer(request_id);
        writer.wrap(PduType::Report.tag(), 0);
        let origin = Origin {
            engine_id: self.local.engine.engine_id(),
            message_size_max: self.message_size_max,
        };
        secured.seal(origin, writer)?;
        Some(writer.octets().to_vec())
    }
}

impl Secured<'_> {
    /// The flag that asks for reports (RFC 3412 §6.4).
    pub(super) const REPORTABLE: u8 = 0x04;

    /// No fewer octets than what surrounds the PDU.
    pub(super) fn overhead(&self) -> usize {
        let user = self.user.map_or(0, |user| user.name.octets().len());
        // Headers of up to 5 octets, integers of up to 6, engine IDs of up to 32, a MAC of up to 48.
        let header = 5 + 3 + 2 + 6 + 6 + 3 + 6;
        let parameters = 10 + 34 + 6 + 6 + user + 2 + 50 + 10;
        header + parameters + 10 + 34 + self.context_name.len() + 5 + 8
    }

    /// Puts a message around the PDU in the writer; `None` if it cannot be encrypted.
    pub(super) fn seal(&self, origin: Origin<'_>, writer: &mut Writer) -> Option<()> {
        writer.prepend_octet_string(self.context_name);
        writer.prepend_octet_string(origin.engine_id);
        writer.wrap(tag::SEQUENCE, 0);
        let privacy = self.encrypt(writer).ok()?;
        let after_parameters = writer.len();
        writer.prepend_octet_string(privacy.as_ref().map_or(&[], |context| &context.salt));
        let authentication = self.authentication();
        let mac_len = authentication.map_or(0, |(protocol, _)| protocol.mac_len());
        let after_mac = writer.len();
        writer.prepend_octet_string([0; 48].get(..mac_len)?);
        writer.prepend_octet_string(self.user.map_or(&[], |user| user.name.octets()));
        writer.prepend_integer(self.engine_time);
        writer.prepend_integer(self.engine_boots);
        writer.prepend_octet_string(self.engine_id.unwrap_or(origin.engine_id));
        writer.wrap(tag::SEQUENCE, after_parameters);
        writer.wrap(tag::OCTET_STRING, after_parameters);
        let after_header = writer.len();
        writer.prepend_integer(SecurityModel::USM.0);
        writer.prepend_octet_string(&[self.flags | self.level_flags()]);
        writer.prepend_integer(i32::try_from(origin.message_size_max).unwrap_or(i32::MAX));
        writer.prepend_integer(self.message_id);
        writer.wrap(tag::SEQUENCE, after_header);
        writer.prepend_integer(Version::V3.number());
        writer.wrap(tag::SEQUENCE, 0);
        if let Some((protocol, key)) = authentication {
            let mac = protocol.mac(key, &[writer.octets()]);
            let end = writer.len() - after_mac;
            writer.octets_mut().get_mut(end - mac_len..end)?.copy_from_slice(&mac);
        }
        Some(())
    }

    /// Encrypts what is in the writer, if that is asked for; returns the context of it.
    fn encrypt(&self, writer: &mut Writer) -> Result<Option<PrivacyContext>, CipherError> {
        if !self.level.is_private() {
            return Ok(None);
        }
        let privacy = self.user.and_then(|user| user.privacy.as_ref());
        let (protocol, key) = privacy.ok_or(CipherError)?;
        let context = PrivacyContext {
            engine_boots: self.engine_boots,
            engine_time: self.engine_time,
            salt: protocol.salt(self.engine_boots, self.salt),
        };
        let padding = [0; 8];
        writer.append(padding.get(..protocol.padding(writer.len())).unwrap_or_default());
        protocol.encrypt(key, &context, writer.octets_mut())?;
        writer.wrap(tag::OCTET_STRING, 0);
        Ok(Some(context))
    }

    fn authentication(&self) -> Option<&(AuthenticationProtocol, Key)> {
        let user = self.user.filter(|_| self.level.is_authenticated())?;
        user.authentication.as_ref()
    }

    fn level_flags(&self) -> u8 {
        match self.level {
            SecurityLevel::NoAuthNoPriv => 0,
            SecurityLevel::AuthNoPriv => 1,
            SecurityLevel::AuthPriv => 3,
        }
    }
}
