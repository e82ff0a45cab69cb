//! Words for the numbers of the protocol.

use std::borrow::Cow;

use store::wire::{Code, Flags, Nai};
use store::{ClockState, Identity, InstanceState, ViolationReason};

/// The set flags of a Registration Request (RFC 5944 §3.3), in the order of their bits.
pub(crate) fn flags(flags: Flags) -> impl Iterator<Item = &'static str> {
    const NAMES: [(u8, &str); 8] = [
        (Flags::SIMULTANEOUS_BINDINGS, "simultaneous_bindings"),
        (Flags::BROADCAST_DATAGRAMS, "broadcast_datagrams"),
        (Flags::DECAPSULATION_BY_MOBILE_NODE, "decapsulation_by_mobile_node"),
        (Flags::MINIMAL_ENCAPSULATION, "minimal_encapsulation"),
        (Flags::GRE, "gre"),
        (0x04, "reserved_r"),
        (Flags::REVERSE_TUNNEL, "reverse_tunnel"),
        (0x01, "reserved_x"),
    ];
    NAMES.into_iter().filter(move |(mask, _)| flags.any(*mask)).map(|(_, name)| name)
}

/// The flags as a table shows them, a letter for each: `S-----T-`.
pub(crate) fn flag_letters(flags: Flags) -> String {
    let letters = b"SBDMGrTx".iter().zip((0..8).rev());
    letters
        .map(|(&letter, bit)| if flags.any(1 << bit) { char::from(letter) } else { '-' })
        .collect()
}

/// `address` or `nai`
pub(crate) const fn identity_type(identity: &Identity) -> &'static str {
    match identity {
        Identity::Address(_) => "address",
        Identity::Nai(_) => "nai",
    }
}

/// The NAI of `identity`, if it is one.
pub(crate) fn nai(identity: &Identity) -> Option<&str> {
    identity.nai().map(Nai::as_str)
}

pub(crate) const fn violation_reason(reason: ViolationReason) -> &'static str {
    match reason {
        ViolationReason::NoMobilitySecurityAssociation => "no mobility security association",
        ViolationReason::BadAuthenticator => "bad authenticator",
        ViolationReason::BadIdentifier => "bad identifier",
        ViolationReason::BadSpi => "bad SPI",
        ViolationReason::MissingSecurityExtension => "missing security extension",
        ViolationReason::Other => "other",
    }
}

pub(crate) const fn clock(state: ClockState) -> &'static str {
    match state {
        ClockState::Unknown => "unknown",
        ClockState::Good => "good",
        ClockState::Suspect => "suspect",
    }
}

pub(crate) const fn state(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Starting => "starting",
        InstanceState::Serving => "serving",
        InstanceState::Draining => "draining",
        InstanceState::Gone => "gone",
    }
}

/// What a Code of a Registration Reply means (RFC 5944 §3.4 and the IANA registry).
pub(crate) fn code(code: Code) -> Cow<'static, str> {
    code.meaning().map_or_else(|| format!("code {code}").into(), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named_in_the_order_of_their_bits() {
        let set = Flags(0b1000_1010);
        let names: Vec<_> = flags(set).collect();
        assert_eq!(names, ["simultaneous_bindings", "gre", "reverse_tunnel"]);
        assert_eq!(flag_letters(set), "S---G-T-");
        assert_eq!(flags(Flags(0xff)).count(), 8);
        assert_eq!(flag_letters(Flags(0xff)), "SBDMGrTx");
    }
}
