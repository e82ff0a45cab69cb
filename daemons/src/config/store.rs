//! `[store]`: where the tables are.

use std::path::{Path, PathBuf};

use ::store::{EtcdOptions, StoreUrl};

use super::section::Section;

/// `[store]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum StoreConfig {
    /// This process owns the files and serves them to others.
    Owned {
        path: PathBuf,
        /// Where operators connect.
        socket: Option<PathBuf>,
        /// Where those connect that may only read.
        view_socket: Option<PathBuf>,
        /// The key that secrets are sealed with.
        key_file: Option<PathBuf>,
        /// Who may use `socket` beside the owner of the process.
        group: Option<String>,
        view_group: Option<String>,
    },
    /// Another process has it, or a cluster.
    Connected(Connected),
}

/// A store that is not this process's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Connected {
    pub(crate) url: StoreUrl,
    /// Certificates for a cluster.
    pub(crate) etcd: EtcdOptions,
    /// The key that secrets in a cluster are sealed with, the same for all of its users.
    pub(crate) key_file: Option<PathBuf>,
}

impl StoreConfig {
    /// Files of this process, served on `socket` to its owner alone.
    pub(crate) fn owned(path: PathBuf, socket: PathBuf) -> Self {
        Self::Owned {
            path,
            socket: Some(socket),
            view_socket: None,
            key_file: None,
            group: None,
            view_group: None,
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self::owned(PathBuf::new(), PathBuf::new())
    }
}

/// What else is said of a cluster; of a socket there is nothing to say.
fn read_connected(section: &mut Section<'_, '_>, url: StoreUrl, folder: &Path) -> Connected {
    let mut etcd = EtcdOptions::default();
    let StoreUrl::Etcd(endpoints) = &url else {
        return Connected { url, etcd, key_file: None };
    };
    let certificate_at = section.key_span("certificate");
    let authority_at = section.key_span("authority");
    let mut file = |key| section.string(key, "a path").map(|path| folder.join(path));
    etcd.authority = file("authority");
    etcd.certificate = file("certificate");
    etcd.key = file("certificate-key");
    let key_file = file("key-file");
    if etcd.certificate.is_some() != etcd.key.is_some() {
        let missing = if etcd.key.is_none() { "certificate-key" } else { "certificate" };
        section.missing(missing, "a path: a certificate and its key go together");
    }
    let is_plain = !endpoints.iter().any(|endpoint| endpoint.starts_with("https://"));
    if let Some(at) = authority_at.or(certificate_at).filter(|_| is_plain) {
        let message = "certificates are for endpoints that start with `https://`: none does";
        section.problems.add(&at, message);
    }
    Connected { url, etcd, key_file }
}

pub(super) fn read(mut section: Section<'_, '_>, folder: &Path) -> StoreConfig {
    let connect_at = section.key_span("connect");
    let path_at = section.key_span("path");
    let config = match (&connect_at, &path_at) {
        (Some(connect_at), path_at) => {
            if path_at.is_some() {
                let message = "`store.path` and `store.connect` are both given: expected one";
                section.problems.add(connect_at, message);
                section.take("path");
            }
            let expected = "`unix:PATH` or `etcd:https://HOST:PORT,…`";
            let url = section.parsed("connect", expected, |value| {
                let url: StoreUrl = value.as_str()?.parse().ok()?;
                matches!(url, StoreUrl::Unix(_) | StoreUrl::Etcd(_)).then_some(url)
            });
            match url {
                Some(url) => StoreConfig::Connected(read_connected(&mut section, url, folder)),
                None => StoreConfig::default(),
            }
        }
        (None, Some(_)) => {
            let mut file = |key| section.string(key, "a path").map(|path| folder.join(path));
            StoreConfig::Owned {
                path: file("path").unwrap_or_default(),
                socket: file("socket"),
                view_socket: file("view-socket"),
                key_file: file("key-file"),
                group: section.string("group", "the name of a group"),
                view_group: section.string("view-group", "the name of a group"),
            }
        }
        (None, None) => {
            section.missing("path", "the folder of the store, or `connect` instead");
            StoreConfig::default()
        }
    };
    section.finish();
    config
}
