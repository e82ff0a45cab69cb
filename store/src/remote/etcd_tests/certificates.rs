//! Clusters that want to know who asks, and say who they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cluster::{Cluster, options};
use crate::testing::{put, value};
use crate::{Class, EtcdOptions, OpenError, OpenOptions, Store, StoreUrl};

fn openssl(folder: &Path, words: &[&str]) {
    let done =
        Command::new("openssl").args(words).current_dir(folder).stderr(Stdio::null()).status();
    assert!(done.expect("these tests need `openssl`").success(), "openssl {words:?}");
}

/// Makes an authority called `name` in `folder`.
fn authority(folder: &Path, name: &str) {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let subject = format!("/CN={name}");
    openssl(
        folder,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &certificate,
        ],
    );
}

/// Makes a certificate for 127.0.0.1 that `authority` signs.
fn certificate(folder: &Path, authority: &str, name: &str) {
    let file = |extension: &str| format!("{name}.{extension}");
    let subject = format!("/CN={name}");
    openssl(
        folder,
        &[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &subject,
            "-keyout",
            &file("key"),
            "-out",
            &file("csr"),
        ],
    );
    let extensions = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n";
    fs::write(folder.join(file("ext")), extensions).unwrap();
    openssl(
        folder,
        &[
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            &file("csr"),
            "-CA",
            &format!("{authority}.pem"),
            "-CAkey",
            &format!("{authority}.key"),
            "-CAcreateserial",
            "-extfile",
            &file("ext"),
            "-out",
            &file("pem"),
        ],
    );
}

fn with(folder: &Path, authority: &str, certificate: Option<&str>) -> OpenOptions {
    let file =
        |name: &str, extension: &str| -> PathBuf { folder.join(format!("{name}.{extension}")) };
    let etcd = EtcdOptions {
        authority: Some(file(authority, "pem")),
        certificate: certificate.map(|name| file(name, "pem")),
        key: certificate.map(|name| file(name, "key")),
    };
    OpenOptions { etcd, ..options(folder) }
}

#[tokio::test]
async fn a_cluster_with_certificates_is_used_with_ours_and_not_without() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    authority(&path, "authority");
    authority(&path, "stranger");
    certificate(&path, "authority", "server");
    certificate(&path, "authority", "client");
    certificate(&path, "stranger", "impostor");
    let file = |name: &str| path.join(name).to_str().unwrap().to_owned();
    let arguments = [
        "--client-cert-auth",
        "--trusted-ca-file",
        &file("authority.pem"),
        "--cert-file",
        &file("server.pem"),
        "--key-file",
        &file("server.key"),
    ];
    let mut cluster = Cluster::start_in(folder, 3, &arguments, true);
    let good = with(&path, "authority", Some("client"));
    let store = cluster.open_with(&good).await;
    store.commit(put(Class::Durable, 1, 7)).await.unwrap();
    store.put_secret("a", b"octets").await.unwrap();
    assert_eq!(&store.secret("a").await.unwrap().unwrap()[..], b"octets");

    let strangers = [
        with(&path, "authority", None),
        with(&path, "authority", Some("impostor")),
        with(&path, "stranger", Some("client")),
    ];
    for options in strangers {
        let refused = Store::open(&cluster.url(), options).await;
        assert!(matches!(refused, Err(OpenError::Unreachable(_))), "{refused:?}");
    }
    // The certificates hold for every member, whichever is asked.
    cluster.kill(0);
    let again = cluster.open_with(&good).await;
    assert_eq!(value(&again.snapshot(), 1), Some(7));
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_named() {
    let url: StoreUrl = "etcd:https://127.0.0.1:1".parse().unwrap();
    let mut options = OpenOptions::default();
    options.etcd.authority = Some("/nonexistent/ca.pem".into());
    let error = Store::open(&url, options).await.unwrap_err();
    assert!(matches!(&error, OpenError::Io { path, .. } if path.ends_with("ca.pem")), "{error}");
    let mut options = OpenOptions::default();
    options.etcd.certificate = Some("client.pem".into());
    let error = Store::open(&url, options).await.unwrap_err();
    assert!(matches!(error, OpenError::KeyFile { .. }), "{error}");
}
