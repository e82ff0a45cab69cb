//! How two parties authenticate what they say to each other about a registration.

use wire::{Authentication, GeneralizedAuthentication, extension_type};

use crate::association::SecurityAssociation;
use crate::extensions::Extensions;

/// Which two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Between {
    /// A home agent and the foreign agent or gateway that it knows: the Foreign-Home authentication
    /// (RFC 5944 §3.5.4).
    HomeAndForeign,
    /// A gateway and a foreign agent beneath it: the Foreign-Foreign authentication (RFC 4857 §11).
    ForeignAgents,
    /// A home agent and a mobile node: the Mobile-Home authentication (RFC 5944 §3.5.2).
    HomeAndNode,
}

impl Between {
    /// Which two agents a message says that it is between: the Foreign-Home authentication counts, if
    /// there is one.
    pub(crate) fn of(extensions: &Extensions<'_>) -> Self {
        if extensions.foreign_home.is_empty() && !extensions.foreign_foreign.is_empty() {
            Self::ForeignAgents
        } else {
            Self::HomeAndForeign
        }
    }

    /// The authentications that a message has for them.
    pub(crate) fn list<'a, 'b>(self, extensions: &'b Extensions<'a>) -> &'b [Authentication<'a>] {
        match self {
            Self::HomeAndForeign => &extensions.foreign_home,
            Self::ForeignAgents => &extensions.foreign_foreign,
            Self::HomeAndNode => &extensions.mobile_home,
        }
    }

    /// Appends the authentication that covers all of `octets`.
    pub(crate) fn sign(self, association: &SecurityAssociation, octets: &mut Vec<u8>) {
        match self {
            Self::HomeAndForeign => {
                association.sign(octets, extension_type::FOREIGN_HOME_AUTHENTICATION);
            }
            Self::ForeignAgents => {
                association.sign_generalized(octets, GeneralizedAuthentication::FOREIGN_FOREIGN);
            }
            Self::HomeAndNode => {
                association.sign(octets, extension_type::MOBILE_HOME_AUTHENTICATION);
            }
        }
    }
}
