//! Rows that can be revoked.

use std::net::Ipv4Addr;

use store::{Binding, Revoking, Row, TargetKey, UtcTime, Visitor};

/// A registration as one side of it has it: a binding of a home agent, a visitor of a foreign agent.
pub(crate) trait Revocable: Row + Clone {
    fn home_address(&self) -> Ipv4Addr;
    fn expires_at(&self) -> Option<UtcTime>;
    /// The revocation that is on its way.
    fn revoking(&self) -> Option<&Revoking>;
    fn set_revoking(&mut self, revoking: Revoking);
    /// The peer's timestamp of the negotiation, which its revocations have to be later than.
    fn peer_timestamp(&self) -> Option<u32>;
    /// How operations name it.
    fn target(key: Self::Key) -> TargetKey;
    /// What an operation names, if it is a row of this kind.
    fn named_by(target: &TargetKey) -> Option<&Self::Key>;
}

/// The same fields mean the same in both.
macro_rules! revocable {
    ($row:ty, $target:path) => {
        impl Revocable for $row {
            fn home_address(&self) -> Ipv4Addr {
                self.home_address
            }

            fn expires_at(&self) -> Option<UtcTime> {
                self.expires_at
            }

            fn revoking(&self) -> Option<&Revoking> {
                self.revoking.as_deref()
            }

            fn set_revoking(&mut self, revoking: Revoking) {
                self.revoking = Some(Box::new(revoking));
            }

            fn peer_timestamp(&self) -> Option<u32> {
                self.revocation.map(|negotiated| negotiated.peer_timestamp)
            }

            fn target(key: <Self as Row>::Key) -> TargetKey {
                $target(key)
            }

            fn named_by(target: &TargetKey) -> Option<&<Self as Row>::Key> {
                match target {
                    $target(key) => Some(key),
                    _ => None,
                }
            }
        }
    };
}

revocable!(Binding, TargetKey::Binding);
revocable!(Visitor, TargetKey::Visitor);
