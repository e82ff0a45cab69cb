//! `[home-agent.revocation]` and `[foreign-agent.revocation]`

use std::time::Duration;

use mobility::{RevocationConfig, RevocationPort};

use super::section::Section;

/// Where revocations are sent to.
const PORT: &[(&str, RevocationPort)] = &[
    ("standard", RevocationPort::Fixed(mobility::PORT)),
    ("of-registration", RevocationPort::OfRegistration),
];

/// Takes the table `[….revocation]`; what it does not say is the default.
pub(super) fn read(section: &mut Section<'_, '_>) -> RevocationConfig {
    let default = RevocationConfig::default();
    let Some(mut section) = section.section("revocation") else { return default };
    let seconds = section.integer("timeout", 1..=60, " seconds");
    let config = RevocationConfig {
        enabled: section.boolean("enabled").unwrap_or(default.enabled),
        negotiates_inform: section.boolean("negotiate-inform").unwrap_or(default.negotiates_inform),
        informs: section.boolean("inform").unwrap_or(default.informs),
        is_required: section.boolean("required").unwrap_or(default.is_required),
        on_handoff: section.boolean("on-handoff").unwrap_or(default.on_handoff),
        attempts_max: section.integer("attempts", 1..=10, "").unwrap_or(default.attempts_max),
        timeout: seconds.map_or(default.timeout, |it| Duration::from_secs(it.into())),
        port: section.word("port", PORT).unwrap_or(default.port),
        nai_peers: section
            .texts("nai-peers", "the IPv4 address of an agent")
            .map_or(default.nai_peers, |peers| peers.into_iter().collect()),
    };
    section.finish();
    config
}
