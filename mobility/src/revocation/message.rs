//! The octets of revocations and acknowledgments, before they are signed.

use std::net::Ipv4Addr;

use wire::{Nai, RegistrationRevocation, RegistrationRevocationAcknowledgment};

use crate::clock;

/// A revocation (RFC 3543 §3.3).
pub(crate) fn revocation(fixed: RegistrationRevocation, nai: Option<&Nai>) -> Vec<u8> {
    let mut octets = Vec::with_capacity(96);
    fixed.emit(&mut octets);
    if let Some(nai) = nai {
        nai.emit(&mut octets);
    }
    octets
}

/// The answer to a revocation (§3.4); `inform` counts only if the revocation asked (the `I` bit).
pub(crate) fn acknowledgment(
    revocation: &RegistrationRevocation,
    inform: bool,
    nai: Option<&Nai>,
) -> Vec<u8> {
    let informs = inform && revocation.informs();
    let flags = if informs { RegistrationRevocationAcknowledgment::INFORM } else { 0 };
    let mut octets = Vec::with_capacity(64);
    let (home_address, identifier) = (revocation.home_address, revocation.identifier);
    RegistrationRevocationAcknowledgment { reserved: 0, flags, home_address, identifier }
        .emit(&mut octets);
    if let Some(nai) = nai {
        nai.emit(&mut octets);
    }
    octets
}

/// The fixed part of a revocation that we send.
pub(crate) fn fixed(
    from_home_agent: bool,
    inform: bool,
    home_address: Ipv4Addr,
    (home_agent, foreign): (Ipv4Addr, Ipv4Addr),
    identifier: u32,
) -> RegistrationRevocation {
    let agent = if from_home_agent { RegistrationRevocation::FROM_HOME_AGENT } else { 0 };
    let inform = if inform { RegistrationRevocation::INFORM } else { 0 };
    RegistrationRevocation {
        reserved: 0,
        flags: agent | inform,
        home_address,
        home_domain_address: home_agent,
        foreign_domain_address: foreign,
        identifier,
    }
}

/// The identifier of the next revocation (§3.5): the clock, but greater than the one before it and
/// than the timestamp of the registration, so that no two are the same and none looks stale.
pub(crate) fn identifier(clock: u32, last: Option<u32>, registration: u32) -> u32 {
    let greatest = clock::later(last.unwrap_or(registration), registration);
    clock::later(clock, greatest.wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::identifier;

    #[test]
    fn identifiers_rise_whatever_the_clock_does() {
        assert_eq!(identifier(100, None, 90), 100);
        assert_eq!(identifier(100, None, 100), 101);
        assert_eq!(identifier(100, Some(100), 90), 101);
        assert_eq!(identifier(50, Some(100), 90), 101, "the clock was set back");
        assert_eq!(identifier(3, Some(u32::MAX), u32::MAX - 5), 3, "across the era of 2036");
        assert_eq!(identifier(u32::MAX, Some(u32::MAX), u32::MAX - 9), 0);
    }
}
