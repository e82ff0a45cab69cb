//! `[….notification]` of agents and mobile nodes, and `[[….message]]` of agents

use std::time::Duration;

use mobility::{NotificationConfig, ReplyMessage};
use wire::{Code, MessageString};

use super::section::Section;

/// Takes the table `[….notification]`; what it does not say is the default.
pub(super) fn read(section: &mut Section<'_, '_>) -> NotificationConfig {
    let default = NotificationConfig::default();
    let Some(mut section) = section.section("notification") else { return default };
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let config = NotificationConfig {
        enabled: section.boolean("enabled").unwrap_or(default.enabled),
        attempts_max: section.integer("attempts", 1..=10, "").unwrap_or(default.attempts_max),
        timeout: section.integer("timeout", 1..=60, " seconds").map_or(default.timeout, seconds),
        timeout_max: section
            .integer("max-timeout", 1..=3600, " seconds")
            .map_or(default.timeout_max, seconds),
    };
    section.finish();
    config
}

/// Takes the tables `[[….message]]`.
pub(super) fn read_messages(section: &mut Section<'_, '_>) -> Vec<ReplyMessage> {
    const TEXT: &str = "a text of 1 to 254 octets in UTF-8";
    const REALM: &str = "what stands behind the `@` of NAIs, such as `example.com`";
    let mut messages = Vec::new();
    for mut section in section.sections("message") {
        if section.key_span("text").is_none() {
            section.missing("text", TEXT);
        }
        let code = section.integer("code", 0..=255, "");
        let realm = section.parsed("realm", REALM, |value| {
            value.as_str().filter(|it| !it.is_empty() && !it.contains('@')).map(str::to_owned)
        });
        let text = section.parsed("text", TEXT, |value| {
            let text = value.as_str()?;
            (1..=MessageString::TEXT_MAX).contains(&text.len()).then(|| text.to_owned())
        });
        section.finish();
        let code = code.and_then(|code| u8::try_from(code).ok()).map(Code);
        messages.extend(text.map(|text| ReplyMessage { code, realm, text }));
    }
    messages
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const START: &str = "[store]\npath = \"/s\"\n[home-agent]\naddress = \"10.0.0.1\"\n";

    fn read(text: &str) -> Result<Config, String> {
        let read = Config::parse(Path::new("/etc/mip4d.toml"), &format!("{START}{text}"));
        read.map(|good| good.config).map_err(|problems| format!("{problems:?}"))
    }

    #[test]
    fn texts_have_codes_and_realms() {
        let text = "[home-agent.notification]\nattempts = 5\ntimeout = 2\n\
                    [[home-agent.message]]\ncode = 129\nrealm = \"one.example\"\ntext = \"é\"\n\
                    [[home-agent.message]]\ntext = \"welcome\"\n";
        let home_agent = read(text).unwrap().home_agent.unwrap();
        assert_eq!(home_agent.notification.attempts_max, 5);
        assert_eq!(home_agent.notification.timeout, Duration::from_secs(2));
        let [first, second] = &home_agent.messages[..] else { panic!() };
        assert_eq!((first.code, first.realm.as_deref()), (Some(Code(129)), Some("one.example")));
        assert_eq!((second.code, second.text.as_str()), (None, "welcome"));
    }

    #[test]
    fn what_no_extension_holds_is_refused() {
        let long = "é".repeat(128);
        for wrong in [
            "text = \"\"".to_owned(),
            format!("text = \"{long}\""),
            "code = 129".to_owned(),
            "code = 256\ntext = \"x\"".to_owned(),
            "realm = \"@x\"\ntext = \"x\"".to_owned(),
            "colour = 1\ntext = \"x\"".to_owned(),
        ] {
            let problem = read(&format!("[[home-agent.message]]\n{wrong}\n")).unwrap_err();
            assert!(problem.contains("home-agent.message"), "{wrong}: {problem}");
        }
        assert!(read(&format!("[[home-agent.message]]\ntext = \"{}\"\n", "é".repeat(127))).is_ok());
    }
}
