//! `[[snmp.user]]`: users of SNMPv3.

use std::collections::BTreeSet;
use std::path::Path;

use agent::usm::{AuthenticationProtocol, PrivacyProtocol};

use super::problem::Problems;
use super::secret::{self, Password};
use super::section::Section;
use super::snmp::{INTERNET, view};

/// One `[[snmp.user]]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct UserConfig {
    pub(crate) name: String,
    pub(crate) authentication: Option<(AuthenticationProtocol, Password)>,
    pub(crate) privacy: Option<(PrivacyProtocol, Password)>,
    pub(crate) access: UserAccess,
    /// The one context that the user may see; any of them if there is none.
    pub(crate) context: Option<String>,
    /// What the user may see: everything below these.
    pub(crate) subtrees: Vec<Vec<u32>>,
    /// Whether a password is in the file itself.
    pub(super) is_inline: bool,
}

/// What a user may do with what it sees.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum UserAccess {
    #[default]
    Read,
    /// Writes too, but not who may do what, unless the view names that.
    Write,
}

/// The protocols, in the words of Net-SNMP.
pub(crate) const AUTHENTICATION: &[(&str, AuthenticationProtocol)] = &[
    ("MD5", AuthenticationProtocol::Md5),
    ("SHA", AuthenticationProtocol::Sha1),
    ("SHA-224", AuthenticationProtocol::Sha224),
    ("SHA-256", AuthenticationProtocol::Sha256),
    ("SHA-384", AuthenticationProtocol::Sha384),
    ("SHA-512", AuthenticationProtocol::Sha512),
];
pub(crate) const PRIVACY: &[(&str, PrivacyProtocol)] = &[
    ("DES", PrivacyProtocol::Des),
    ("AES", PrivacyProtocol::Aes128),
    ("AES-192", PrivacyProtocol::Aes192),
    ("AES-256", PrivacyProtocol::Aes256),
];

pub(super) fn read<'i>(
    sections: Vec<Section<'i, '_>>,
    folder: &Path,
    problems: &Problems<'i>,
) -> Vec<UserConfig> {
    let mut names = BTreeSet::new();
    let mut users = Vec::new();
    for section in sections {
        let span = section.span().clone();
        let Some(user) = read_one(section, folder) else { continue };
        if !names.insert(user.name.clone()) {
            problems.add(&span, format!("`snmp.user`: `{}` is there twice", user.name));
        }
        users.push(user);
    }
    users
}

fn read_one(mut section: Section<'_, '_>, folder: &Path) -> Option<UserConfig> {
    const NAME: &str = "a string of 1 to 32 octets";
    if section.key_span("name").is_none() {
        section.missing("name", NAME);
    }
    let name = section.parsed("name", NAME, |value| {
        value.as_str().filter(|text| (1..=32).contains(&text.len())).map(str::to_owned)
    });
    let [auth_at, auth_password_at, priv_at, priv_password_at] =
        ["auth", "auth-password", "priv", "priv-password"].map(|key| section.key_span(key));
    let auth_file_at = section.key_span("auth-password-file");
    let priv_file_at = section.key_span("priv-password-file");
    let auth = section.word("auth", AUTHENTICATION);
    let auth_password =
        secret::password(&mut section, folder, "auth-password", "auth-password-file");
    let privacy = section.word("priv", PRIVACY);
    let priv_password =
        secret::password(&mut section, folder, "priv-password", "priv-password-file");
    if auth_at.is_some() && auth_password_at.is_none() && auth_file_at.is_none() {
        section.missing("auth-password", "a password, or `auth-password-file` instead");
    }
    if priv_at.is_some() && priv_password_at.is_none() && priv_file_at.is_none() {
        section.missing("priv-password", "a password, or `priv-password-file` instead");
    }
    if auth_at.is_none() && (priv_at.is_some() || auth_password_at.is_some()) {
        section.missing("auth", "an algorithm, because there is no privacy without authentication");
    }
    let access =
        section.word("access", &[("read", UserAccess::Read), ("write", UserAccess::Write)]);
    let view = view(&mut section);
    let context = section.parsed("context", NAME, |value| {
        value.as_str().filter(|text| (1..=32).contains(&text.len())).map(str::to_owned)
    });
    section.finish();
    Some(UserConfig {
        name: name?,
        authentication: auth.zip(auth_password),
        privacy: privacy.zip(priv_password),
        access: access.unwrap_or_default(),
        context,
        subtrees: view.unwrap_or_else(|| vec![INTERNET.to_vec()]),
        is_inline: auth_password_at.is_some() || priv_password_at.is_some(),
    })
}
