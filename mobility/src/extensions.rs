//! The extensions of one message, sorted by what the machines want to know.

use std::net::Ipv4Addr;

use wire::{
    Authentication, DynamicHomeAgent, Extension, GeneralizedAuthentication, GfaIpAddress,
    HierarchicalForeignAgent, Lifetime, MessageString, Nai, ParseError,
    RegionalRegistrationLifetime, ReplayProtectionStyle, RevocationSupport, extension_type,
};

/// What a message carries after its fixed part.
///
/// The Mobile-Home Authentication Extension ends what the mobile node and the
/// home agent say to each other; what follows it is between other parties, and
/// the fields here keep the two apart (RFC 5944 §3.6.1.3, §3.8.3.3).
#[derive(Debug, Default)]
pub(crate) struct Extensions<'a> {
    /// The NAI that the Mobile-Home authentication covers (RFC 2794 §2).
    pub(crate) nai: Option<Nai>,
    /// Whether there is an NAI that it does not cover, or a second one that says otherwise.
    pub(crate) nai_misplaced: bool,
    pub(crate) mobile_home: Vec<Authentication<'a>>,
    pub(crate) mobile_foreign: Vec<Authentication<'a>>,
    pub(crate) foreign_home: Vec<Authentication<'a>>,
    /// Vendor extensions before the Mobile-Home authentication, and after it.
    pub(crate) covered: Vendor,
    pub(crate) appended: Vendor,
    /// Whether the encapsulating delivery style is asked for (RFC 3024 §3.3).
    pub(crate) delivery: bool,
    /// How many unknown extensions were skipped.
    pub(crate) skipped: usize,
    /// The Revocation Support Extension that the Mobile-Home authentication covers (RFC 3543
    /// §3.2): that of a mobile node, or of a home agent for a mobile node.
    pub(crate) revocation_covered: Option<RevocationSupport>,
    /// The one between it and the Foreign-Home authentication, or between it and a Foreign-Foreign
    /// one (RFC 4857 §11): what agents say to each other.
    pub(crate) revocation_appended: Option<RevocationSupport>,
    /// Where that begins.
    pub(crate) revocation_appended_at: Option<usize>,
    /// Texts for people, with the Sub-Type that says whose they are (RFC 4917 §3), and whether the
    /// Mobile-Home authentication covers them.
    pub(crate) messages: Vec<(u8, String, bool)>,
    /// Where a node that can be redirected would like to be (RFC 4433 §3.4.1), in a request; and
    /// where it is redirected to, in a reply.
    pub(crate) requested_home_agent: Option<Ipv4Addr>,
    pub(crate) redirected_to: Option<Ipv4Addr>,
    /// Whether there is something that a Generic Notification may not carry (RFC 6098 §4.1).
    pub(crate) not_for_notifications: bool,
    /// The gateway that a GFA IP Address Extension names before the Mobile-Home authentication, and
    /// between it and the Foreign-Home authentication (RFC 4857 §9.1).
    pub(crate) gateway_covered: Option<Ipv4Addr>,
    pub(crate) gateway_appended: Option<Ipv4Addr>,
    /// The last Hierarchical Foreign Agent Extension (RFC 4857 §9.2), and where it begins.
    pub(crate) hierarchical: Option<(Ipv4Addr, usize)>,
    /// Generalized authentications between foreign agents, and between node and gateway (§11).
    pub(crate) foreign_foreign: Vec<Authentication<'a>>,
    pub(crate) mobile_gateway: Vec<Authentication<'a>>,
    /// The replay protection that is asked for, or agreed to (§9.3), and where that is said.
    pub(crate) replay_style: Option<(ReplayProtectionStyle, usize)>,
    /// The lifetime of the regional registration (§9.4).
    pub(crate) regional_lifetime: Option<Lifetime>,
}

/// Which kinds of vendor extension there are; none is understood (RFC 3115 §2).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vendor {
    pub(crate) critical: bool,
    pub(crate) normal: bool,
}

/// The fixed part of `message`, which has `fixed_len` octets, and its extensions.
pub(crate) fn read<'a, T, R>(
    message: &'a [u8],
    fixed_len: usize,
    parse: impl FnOnce(&'a [u8]) -> Result<(T, R), ParseError>,
) -> Result<(T, Extensions<'a>), ParseError> {
    let (fixed, _) = parse(message)?;
    Ok((fixed, Extensions::parse(message, fixed_len)?))
}

impl<'a> Extensions<'a> {
    /// Walks the extensions of `message`, which begin at octet `fixed`.
    ///
    /// An unknown extension that must not be skipped ends the message
    /// (RFC 5944 §1.8); unknown means unknown to the machines here, not to the codec.
    pub(crate) fn parse(message: &'a [u8], fixed: usize) -> Result<Self, ParseError> {
        let mut found = Self::default();
        for extension in wire::extensions_from(message, fixed) {
            found.take(message, &extension?)?;
        }
        Ok(found)
    }

    fn take(&mut self, message: &'a [u8], extension: &Extension<'a>) -> Result<(), ParseError> {
        let authentication = || Authentication::parse(message, extension);
        self.not_for_notifications |= !matches!(
            extension.kind,
            extension_type::MOBILE_HOME_AUTHENTICATION
                | extension_type::MOBILE_FOREIGN_AUTHENTICATION
                | extension_type::FOREIGN_HOME_AUTHENTICATION
                | extension_type::MESSAGE_STRING
        );
        match extension.kind {
            extension_type::MOBILE_HOME_AUTHENTICATION => self.mobile_home.push(authentication()?),
            extension_type::MOBILE_FOREIGN_AUTHENTICATION => {
                self.mobile_foreign.push(authentication()?);
            }
            extension_type::FOREIGN_HOME_AUTHENTICATION => {
                self.foreign_home.push(authentication()?);
            }
            extension_type::MOBILE_NODE_NAI => self.take_nai(extension.body),
            extension_type::CRITICAL_VENDOR_SPECIFIC => self.vendor().critical = true,
            extension_type::NORMAL_VENDOR_SPECIFIC => self.vendor().normal = true,
            extension_type::ENCAPSULATING_DELIVERY_STYLE => self.delivery = true,
            extension_type::REVOCATION_SUPPORT => {
                self.take_revocation_support(RevocationSupport::parse(extension)?, extension.start);
            }
            extension_type::MESSAGE_STRING => {
                let message = MessageString::parse(extension)?;
                let is_covered = self.mobile_home.is_empty();
                self.messages.push((message.from, message.text.to_owned(), is_covered));
            }
            extension_type::DYNAMIC_HOME_AGENT => {
                let dynamic = DynamicHomeAgent::parse(extension)?;
                if self.mobile_home.is_empty() {
                    let redirect = dynamic.subtype == DynamicHomeAgent::REDIRECTED;
                    let place = if redirect {
                        &mut self.redirected_to
                    } else {
                        &mut self.requested_home_agent
                    };
                    *place = Some(dynamic.home_agent);
                }
            }
            extension_type::GENERALIZED_AUTHENTICATION => {
                self.take_generalized(message, extension)?;
            }
            extension_type::GFA_IP_ADDRESS => {
                let GfaIpAddress(gateway) = GfaIpAddress::parse(extension)?;
                if self.mobile_home.is_empty() {
                    self.gateway_covered = Some(gateway);
                } else if self.foreign_home.is_empty() {
                    self.gateway_appended = Some(gateway);
                }
            }
            extension_type::HIERARCHICAL_FOREIGN_AGENT => {
                let HierarchicalForeignAgent(address) = HierarchicalForeignAgent::parse(extension)?;
                self.hierarchical = Some((address, extension.start));
            }
            extension_type::REPLAY_PROTECTION_STYLE => {
                let style = ReplayProtectionStyle::parse(extension)?;
                self.replay_style = Some((style, extension.start));
            }
            extension_type::REGIONAL_REGISTRATION_LIFETIME => {
                let lifetime = RegionalRegistrationLifetime::parse(extension)?;
                self.regional_lifetime = Some(lifetime.lifetime());
            }
            kind if extension.is_skippable() => {
                debug_assert!(kind > 127, "only 128-255 may be skipped");
                self.skipped += 1;
            }
            kind => return Err(ParseError::UnskippableExtension(kind)),
        }
        Ok(())
    }

    /// RFC 4857 §11; what is between other parties is unknown here, and must not be skipped.
    fn take_generalized(
        &mut self,
        message: &'a [u8],
        extension: &Extension<'a>,
    ) -> Result<(), ParseError> {
        let generalized = GeneralizedAuthentication::parse(message, extension)?;
        match generalized.subtype {
            GeneralizedAuthentication::FOREIGN_FOREIGN => {
                self.foreign_foreign.push(generalized.authentication);
            }
            GeneralizedAuthentication::MOBILE_GATEWAY => {
                self.mobile_gateway.push(generalized.authentication);
            }
            _ => return Err(ParseError::UnskippableExtension(extension.kind)),
        }
        Ok(())
    }

    /// Behind the authentication of agents nothing protects it, so it says nothing there. Regional
    /// messages have the Mobile-Gateway authentication in the place of the Mobile-Home one.
    fn take_revocation_support(&mut self, support: RevocationSupport, start: usize) {
        if self.mobile_home.is_empty() && self.mobile_gateway.is_empty() {
            self.revocation_covered = Some(support);
        } else if self.foreign_home.is_empty() && self.foreign_foreign.is_empty() {
            self.revocation_appended = Some(support);
            self.revocation_appended_at = Some(start);
        }
    }

    /// Where the last Mobile-Home authentication ends; 0 if there is none.
    pub(crate) fn mobile_home_end(&self) -> usize {
        self.mobile_home.last().map_or(0, |last| last.covered.len() + last.authenticator.len())
    }

    fn vendor(&mut self) -> &mut Vendor {
        if self.mobile_home.is_empty() { &mut self.covered } else { &mut self.appended }
    }

    fn take_nai(&mut self, body: &[u8]) {
        let nai = Nai::from_octets(body).ok();
        if nai.is_none() || !self.mobile_home.is_empty() || self.nai.is_some() && self.nai != nai {
            self.nai_misplaced = true;
        } else {
            self.nai = nai;
        }
    }
}
