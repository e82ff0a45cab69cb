//! Mobility security associations, with their keys (RFC 5944 §1.6).

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use store::{Identity, ReplayProtection, ViolationReason};
use wire::{Authentication, AuthenticationAlgorithm, SecretKey, Spi};

/// How to authenticate what a peer sends, and what is sent to it.
#[derive(Clone, Debug)]
pub struct SecurityAssociation {
    /// A mobile node (home address or NAI) or a mobility agent (address).
    pub peer: Identity,
    pub spi: Spi,
    pub algorithm: AuthenticationAlgorithm,
    pub key: SecretKey,
    pub replay: ReplayProtection,
    /// How far the peer's timestamps may be off.
    pub tolerance: Duration,
}

impl SecurityAssociation {
    /// Whether `authentication` was made with this association.
    pub(crate) fn verifies(&self, authentication: &Authentication<'_>) -> bool {
        authentication.spi == self.spi && wire::verify(authentication, self.algorithm, &self.key)
    }

    /// Appends an authentication extension of type `kind` that covers all of `message`.
    pub(crate) fn sign(&self, message: &mut Vec<u8>, kind: u8) {
        wire::append_authentication(message, kind, self.spi, self.algorithm, &self.key);
    }
}

impl SecurityAssociation {
    /// Appends a Generalized Authentication Extension (RFC 4857 §11) that covers all of `message`.
    pub(crate) fn sign_generalized(&self, message: &mut Vec<u8>, subtype: u8) {
        wire::append_generalized_authentication(
            message,
            subtype,
            self.spi,
            self.algorithm,
            &self.key,
        );
    }
}

/// What was wrong with a message, and the SPI that it names; 0 if it names none.
pub(crate) type Failure = (ViolationReason, Spi);

/// What a message is authenticated with: types of extensions, in the order that they stand in it.
pub(crate) type Signers = Vec<(u8, Arc<SecurityAssociation>)>;

/// Every association that one machine may use.
#[derive(Debug, Default)]
pub(crate) struct Associations(BTreeMap<(Identity, Spi), Arc<SecurityAssociation>>);

impl Associations {
    pub(crate) fn get(&self, peer: &Identity, spi: Spi) -> Option<&Arc<SecurityAssociation>> {
        self.0.get(&(peer.clone(), spi))
    }

    /// The associations with `peer`, in the order of their SPIs.
    pub(crate) fn with<'a>(
        &'a self,
        peer: &Identity,
    ) -> impl Iterator<Item = &'a Arc<SecurityAssociation>> {
        let from = Bound::Included((peer.clone(), Spi(0)));
        let to = Bound::Included((peer.clone(), Spi(u32::MAX)));
        self.0.range((from, to)).map(|(_, association)| association)
    }

    /// The association with `peer` of the one authentication that there has to be.
    pub(crate) fn authenticate(
        &self,
        authentications: &[Authentication<'_>],
        peer: &Identity,
    ) -> Result<Arc<SecurityAssociation>, Failure> {
        let [only] = authentications else {
            return Err((ViolationReason::MissingSecurityExtension, Spi(0)));
        };
        let Some(association) = self.get(peer, only.spi) else {
            return Err((ViolationReason::NoMobilitySecurityAssociation, only.spi));
        };
        if association.verifies(only) {
            Ok(Arc::clone(association))
        } else {
            Err((ViolationReason::BadAuthenticator, only.spi))
        }
    }
}

impl FromIterator<SecurityAssociation> for Associations {
    fn from_iter<T: IntoIterator<Item = SecurityAssociation>>(associations: T) -> Self {
        let entry = |association: SecurityAssociation| {
            ((association.peer.clone(), association.spi), Arc::new(association))
        };
        Self(associations.into_iter().map(entry).collect())
    }
}
