//! What the Codes of Registration Replies are called.

use crate::Code;

impl Code {
    /// What it means in words for people (RFC 5944 §3.4 and the IANA registry); `None` if nothing is assigned.
    pub const fn meaning(self) -> Option<&'static str> {
        match self.0 {
            ..64 => Self::acceptance(self.0),
            64..128 => Self::foreign_agent_denial(self.0),
            128..192 => Self::home_agent_denial(self.0),
            _ => Self::other(self.0),
        }
    }

    const fn acceptance(code: u8) -> Option<&'static str> {
        Some(match code {
            0 => "accepted",
            1 => "accepted, without simultaneous bindings",
            _ => return None,
        })
    }

    const fn foreign_agent_denial(code: u8) -> Option<&'static str> {
        Some(match code {
            64 => "reason unspecified (foreign agent)",
            65 => "administratively prohibited (foreign agent)",
            66 => "insufficient resources (foreign agent)",
            67 => "mobile node failed authentication at the foreign agent",
            68 => "home agent failed authentication",
            69 => "requested lifetime too long",
            70 => "poorly formed request (foreign agent)",
            71 => "poorly formed reply",
            72 => "requested encapsulation unavailable (foreign agent)",
            73 => "requested Van Jacobson compression unavailable",
            74 => "requested reverse tunnel unavailable (foreign agent)",
            75 => "reverse tunnel is mandatory (foreign agent)",
            76 => "mobile node too distant",
            77 => "invalid care-of address",
            78 => "registration timeout",
            79 => "delivery style not supported",
            80..=88 | 91..=95 => "home agent or its network unreachable",
            89 => "vendor-specific reason (foreign agent)",
            90 => "non-zero home agent address required",
            96 => "non-zero home address required",
            97 => "network access identifier missing",
            98 => "home agent address missing",
            99 => "home address missing",
            100 => "critical vendor extension of the mobile node not understood (foreign agent)",
            101 => "critical vendor extension of the home agent not understood",
            104 => "unknown challenge",
            105 => "missing challenge",
            106 => "stale challenge",
            107 => "authentication between mobile node and foreign agent missing",
            108 => "AAA authentication failed (foreign agent)",
            109 => "wrong challenge from the home agent",
            110 => "replay protection style unavailable",
            111 => "zero care-of address not supported (gateway foreign agent)",
            112 => "unknown gateway foreign agent",
            113..=115 => "gateway foreign agent unreachable",
            116 => "invalid home agent address",
            127 => "experimental (foreign agent)",
            _ => return None,
        })
    }

    const fn home_agent_denial(code: u8) -> Option<&'static str> {
        Some(match code {
            128 => "reason unspecified",
            129 => "administratively prohibited",
            130 => "insufficient resources",
            131 => "mobile node failed authentication",
            132 => "foreign agent failed authentication",
            133 => "Identification mismatch: clock or replay",
            134 => "poorly formed request",
            135 => "too many simultaneous bindings",
            136 => "unknown home agent address",
            137 => "requested reverse tunnel unavailable",
            138 => "reverse tunnel is mandatory",
            139 => "requested encapsulation unavailable",
            140 => "critical vendor extension of the mobile node not understood",
            141 => "critical vendor extension of the foreign agent not understood",
            142 => "UDP encapsulation unavailable",
            143 => "redirected to another home agent",
            144 => "AAA authentication failed",
            145 => "zero care-of address not supported",
            146 => "dynamic gateway foreign agent not supported",
            147 => "mobile network: error",
            148 => "mobile network: not allowed",
            149 => "proxy registration not supported",
            150 => "proxy registration not allowed",
            151 => "service not authorized",
            152 => "several paths not allowed",
            153 => "invalid path identifier",
            _ => return None,
        })
    }

    const fn other(code: u8) -> Option<&'static str> {
        Some(match code {
            192 => "experimental",
            193 => "no home registration (gateway foreign agent)",
            194 => "invalid home agent address",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Code;

    /// Codes that MIP-MIB has no counter for are named all the same.
    #[test]
    fn codes_that_the_standard_module_forgot_have_names() {
        for code in [77, 78, 97, 98, 99, 108, 109].into_iter().chain(142..=151) {
            assert!(Code(code).meaning().is_some(), "{code}");
        }
        assert_eq!(Code(0).meaning(), Some("accepted"));
        assert_eq!(Code(2).meaning(), None);
        assert_eq!(Code(255).meaning(), None);
    }
}
