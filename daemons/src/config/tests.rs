//! Every message that a wrong file can cause, with its place.

use std::path::Path;

use mobility::RateLimits;

use super::*;

/// What is said about `text`, one problem a line; nothing if it is right.
fn problems(text: &str) -> String {
    match Config::parse(Path::new("/etc/mip4/mip4d.toml"), text) {
        Ok(_) => String::new(),
        Err(problems) => {
            let path = PathBuf::from("mip4d.toml");
            ConfigError::Wrong { path, problems }.to_string()
        }
    }
}

fn good(text: &str) -> Config {
    Config::parse(Path::new("/etc/mip4/mip4d.toml"), text)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
        .config
}

const STORE: &str = "[store]\npath = \"/var/lib/mip4/store\"\n";

/// The file of the documentation, which has every table.
const WHOLE: &str = r#"
[store]
path = "/var/lib/mip4/store"
socket = "/run/mip4/store.sock"
[snmp]
listen = ["udp:127.0.0.1:1161", "udp:[::1]:1161"]
[[snmp.community]]
name = "public"
[home-agent]
address = "127.0.0.1"
port = 434
max-lifetime = 1800
[[association]]
peer = "10.99.0.7"
spi = 1000
algorithm = "hmac-md5"
key = "hex:00112233445566778899aabbccddeeff"
replay = "timestamps"
tolerance = 7
[[association]]
peer = "user@example.com"
spi = 0x100
algorithm = "keyed-md5"
key = "ascii:a good secret"
"#;

#[test]
fn the_whole_file_is_read() {
    let config = good(WHOLE);
    assert!(
        matches!(&config.store, StoreConfig::Owned { path, .. } if path.ends_with("mip4/store"))
    );
    assert_eq!(config.snmp.unwrap().listen.len(), 2);
    let home_agent = config.home_agent.unwrap();
    assert_eq!(home_agent.address.to_string(), "127.0.0.1:434");
    assert_eq!(home_agent.lifetime_max.unwrap().0, 1800);
    let [first, second] = config.associations.as_slice() else { panic!("two associations") };
    assert_eq!((first.peer.to_string().as_str(), first.spi.0), ("10.99.0.7", 1000));
    assert_eq!((second.peer.to_string().as_str(), second.spi.0), ("user@example.com", 256));
    assert_eq!(second.key.expose_octets(), b"a good secret");
    assert_eq!(second.tolerance, 7);
    assert!(config.warnings.is_empty());
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let config = good("[store]\npath = \"store\"\nsocket = \"/run/mip4/store.sock\"\n");
    let StoreConfig::Owned { path, socket, .. } = config.store else { panic!("owned") };
    assert_eq!(path, Path::new("/etc/mip4/store"));
    assert_eq!(socket.unwrap(), Path::new("/run/mip4/store.sock"));
}

/// What follows `[store]`, and what is said about it; line 3 is its first line.
const WRONG: &[(&str, &str)] = &[
    (
        "[home-agent]\nmaximum-lifetime = 5\naddress = \"127.0.0.1\"",
        "mip4d.toml:4:1: `home-agent.maximum-lifetime`: unknown key, `[home-agent]` knows: address, admission, dynamic-gateways, gre, home-interface, home-networks, max-bindings, max-lifetime, max-requests-per-second, max-requests-per-second-of-peer, max-simultaneous-bindings, message, minimal-encapsulation, notification, pools, port, reserved-bits, reverse-tunnel, revocation, shared-home-addresses",
    ),
    (
        "[home-agent]\naddress = \"127.0.0.1\"\nmax-lifetime = \"long\"",
        "mip4d.toml:5:16: `home-agent.max-lifetime`: expected an integer from 1 to 65535 seconds, found \"long\"",
    ),
    (
        "[home-agent]\naddress = \"127.0.0.1\"\nmax-lifetime = 70_000",
        "mip4d.toml:5:16: `home-agent.max-lifetime`: expected an integer from 1 to 65535 seconds, found 70000",
    ),
    (
        "[home-agent]\naddress = \"224.0.0.11\"",
        "mip4d.toml:4:11: `home-agent.address`: expected the IPv4 unicast address that mobile nodes register with, found \"224.0.0.11\"",
    ),
    (
        "[home-agent]\nport = 434",
        "mip4d.toml:3:2: `home-agent.address` is missing: expected the IPv4 unicast address that mobile nodes register with",
    ),
    (
        "[home-agent]\naddress = \"127.0.0.1\"\nreserved-bits = \"drop\"",
        "mip4d.toml:5:17: `home-agent.reserved-bits`: expected \"reject\" or \"ignore\", found \"drop\"",
    ),
    (
        "[home-agent]\naddress = \"127.0.0.1\"\npools = [\"10.0.0.0/8\", \"10.0.0.0/33\", 7]",
        "mip4d.toml:5:24: `home-agent.pools`: invalid IP address syntax; expected an IPv4 network such as `10.99.0.0/16`\nmip4d.toml:5:39: `home-agent.pools`: expected an IPv4 network such as `10.99.0.0/16`, found 7",
    ),
    (
        "[home-agents]\n",
        "mip4d.toml:3:2: `home-agents`: unknown key, the file knows: advertise, association, daemon, foreign-agent, gateway, home-agent, log, mobile-node, snmp, store",
    ),
    (
        "[mobile-node]\n",
        "mip4d.toml:3:2: `mobile-node.home-address` is missing: expected an IPv4 unicast address, or `nai` to be given one\nmip4d.toml:3:2: `mobile-node.home-agent` is missing: expected the address of the home agent, or `home-network` to find one\nmip4d.toml:3:2: `mobile-node.interface` is missing: expected the interface that agents are heard on, or a care-of address `co-located`",
    ),
    (
        "[[advertise]]\ninterface = \"eth1\"",
        "mip4d.toml:3:1: `advertise.agent` is missing: expected \"home-agent\" or \"foreign-agent\", one that this file configures",
    ),
    (
        "[home-agent]\naddress = \"10.0.0.1\"\n[[advertise]]\ninterface = \"eth1\"\nmax-interval = 30\nlifetime = 20\nprefix-lengths = 24",
        "mip4d.toml:5:1: `advertise`: the lifetime is the longest interval to 9000 seconds\nmip4d.toml:9:18: `advertise.prefix-lengths`: expected `true` or `false`, found 24",
    ),
    (
        "[foreign-agent]\naddress = \"127.0.0.2\"\npending-timeout = 5\nhome-agent-port = 0",
        "mip4d.toml:5:19: `foreign-agent.pending-timeout`: expected an integer from 8 to 3600 seconds, found 5\nmip4d.toml:6:19: `foreign-agent.home-agent-port`: expected an integer from 1 to 65535, found 0",
    ),
    (
        "[home-agent]\naddress = \"127.0.0.1\"\n[home-agent]",
        "mip4d.toml:5:2: not TOML: duplicate key",
    ),
    (
        "[snmp]\nlisten = [\"tcp:127.0.0.1:161\", \"udp:here\", \"161\"]",
        "mip4d.toml:4:32: `snmp.listen`: it is no address and port; expected `udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT`\nmip4d.toml:4:44: `snmp.listen`: it names no transport; expected `udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT`",
    ),
    (
        "[snmp]\n[[snmp.community]]\nname = 5",
        "mip4d.toml:5:8: `snmp.community.name`: expected a string of 1 to 255 octets",
    ),
    (
        "[snmp]\n[[snmp.community]]\nname = \"public\"\naccess = \"write\"",
        "mip4d.toml:6:10: `snmp.community.access`: expected \"read\", found \"write\"",
    ),
    (
        "[snmp]\n[[snmp.user]]\nname = \"noc\"\nauth = \"SHA-256\"\nauth-password = \"short\"",
        "mip4d.toml:7:17: `snmp.user.auth-password`: expected at least 8 characters",
    ),
    (
        "[snmp]\n[[snmp.user]]\nname = \"noc\"\npriv = \"AES\"\npriv-password = \"a long one\"",
        "mip4d.toml:4:1: `snmp.user.auth` is missing: expected an algorithm, because there is no privacy without authentication",
    ),
    (
        "[snmp]\n[[snmp.user]]\nname = \"noc\"\nauth = \"SHA-1\"\nauth-password = \"a long one\"\ncontext = \"lab\"",
        "mip4d.toml:6:8: `snmp.user.auth`: expected \"MD5\", \"SHA\", \"SHA-224\", \"SHA-256\", \"SHA-384\" or \"SHA-512\", found \"SHA-1\"",
    ),
    (
        "[[association]]\npeer = \"10.99.0.7\"\nspi = 1000\nalgorithm = \"rot13\"\nkey = \"hex:00\"",
        "mip4d.toml:6:13: `association.algorithm`: expected \"hmac-md5\", \"keyed-md5\", \"hmac-sha1\" or \"hmac-sha256\", found \"rot13\"",
    ),
    (
        "[[association]]\npeer = \"10.99.0\"\nspi = 1000\nkey = \"hex:00\"",
        "mip4d.toml:4:8: `association.peer`: expected a home address, the address of an agent, or an NAI such as `user@example.com`, found \"10.99.0\"",
    ),
    (
        "[[association]]\npeer = \"10.99.0.7\"\nspi = 12\nkey = \"hex:00\"",
        "mip4d.toml:5:7: `association.spi`: expected an integer from 256 to 4294967295 (below 256 with `allow-reserved-spi = true`), found 12",
    ),
    (
        "[[association]]\npeer = \"10.99.0.7\"\nspi = 1000\nkey = \"hex:0g\"",
        "mip4d.toml:6:7: `association.key`: a key in hexadecimal has an even number of the digits 0-9 a-f; expected `hex:` and pairs of digits, or `ascii:` and characters",
    ),
    (
        "[[association]]\npeer = \"10.99.0.7\"\nspi = 1000\nkey = \"sesame\"",
        "mip4d.toml:6:7: `association.key`: it starts with neither `hex:` nor `ascii:`; expected `hex:` and pairs of digits, or `ascii:` and characters",
    ),
    (
        "[[association]]\nspi = 1000",
        "mip4d.toml:3:1: `association.key` is missing: expected `hex:` and pairs of digits, or `ascii:` and characters, or `key-file` instead\nmip4d.toml:3:1: `association.peer` is missing: expected a home address, the address of an agent, or an NAI such as `user@example.com`",
    ),
    (
        "[[association]]\npeer = \"10.99.0.7\"\nspi = 1000\nkey-file = \"/nonexistent/key\"",
        "mip4d.toml:6:12: `association.key-file`: cannot read /nonexistent/key: No such file or directory (os error 2)",
    ),
    (
        "[[association]]\npeer = \"10.99.0.7\"\nspi = 1000\nkey = \"hex:00\"\n[[association]]\npeer = \"10.99.0.7\"\nspi = 1000\nkey = \"hex:01\"",
        "mip4d.toml:7:1: `association`: 10.99.0.7 has SPI 1000 twice",
    ),
    (
        "[log]\nlevel = \"mip4d=loud\"",
        "mip4d.toml:4:9: `log.level`: expected `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,mip4d::role=debug`, found \"mip4d=loud\"",
    ),
    (
        "[daemon]\nname = \"a/b\"",
        "mip4d.toml:4:8: `daemon.name`: expected 1 to 64 letters, digits or `.` `-` `_` `@`, found \"a/b\"",
    ),
];

#[test]
fn every_mistake_is_named_with_its_place() {
    let said = |text: &str| problems(&format!("{STORE}{text}\n"));
    let differing: Vec<_> = WRONG
        .iter()
        .map(|(text, expected)| (text, said(text), (*expected).to_owned()))
        .filter(|(_, said, expected)| said != expected)
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn a_store_is_owned_or_connected() {
    assert_eq!(
        problems(""),
        "mip4d.toml:1:1: `store` is missing: expected a table `[store]` with `path` or `connect`"
    );
    assert_eq!(
        problems("[store]\n"),
        "mip4d.toml:1:2: `store.path` is missing: expected the folder of the store, or `connect` instead"
    );
    assert_eq!(
        problems("[store]\npath = \"a\"\nconnect = \"unix:b\"\n"),
        "mip4d.toml:3:1: `store.path` and `store.connect` are both given: expected one"
    );
    assert_eq!(
        problems("[store]\nconnect = \"unix:b\"\nsocket = \"c\"\n"),
        "mip4d.toml:3:1: `store.socket`: unknown key, `[store]` knows: connect"
    );
    assert!(matches!(
        good("[store]\nconnect = \"unix:/run/mip4/store.sock\"\n").store,
        StoreConfig::Connected(_)
    ));
}

#[test]
fn a_cluster_has_certificates_and_a_key_file() {
    const CLUSTER: &str = "[store]\nconnect = \"etcd:https://a:2379,https://b:2379\"\n";
    let whole = "authority = \"ca.pem\"\ncertificate = \"/c.pem\"\ncertificate-key = \"c.key\"\n";
    let config = good(&format!("{CLUSTER}{whole}key-file = \"secret.key\"\n"));
    let StoreConfig::Connected(connected) = config.store else { panic!("connected") };
    assert_eq!(connected.etcd.authority.unwrap(), Path::new("/etc/mip4/ca.pem"));
    assert_eq!(connected.etcd.certificate.unwrap(), Path::new("/c.pem"));
    assert_eq!(connected.etcd.key.unwrap(), Path::new("/etc/mip4/c.key"));
    assert_eq!(connected.key_file.unwrap(), Path::new("/etc/mip4/secret.key"));
    assert_eq!(
        problems(&format!("{CLUSTER}certificate = \"c.pem\"\n")),
        "mip4d.toml:1:2: `store.certificate-key` is missing: expected a path: a certificate and its key go together"
    );
    assert_eq!(
        problems("[store]\nconnect = \"etcd:http://a:2379\"\nauthority = \"ca.pem\"\n"),
        "mip4d.toml:3:1: certificates are for endpoints that start with `https://`: none does"
    );
    let agent = "[home-agent]\naddress = \"127.0.0.1\"\n";
    let said = problems(&format!("{CLUSTER}{agent}"));
    assert!(said.contains("`store.key-file` is missing: expected a path: keys of"), "{said}");
}

#[test]
fn reserved_spis_need_a_switch_and_warn() {
    let text = "[[association]]\npeer = \"10.99.0.7\"\nspi = 12\nkey = \"hex:00\"\nallow-reserved-spi = true\n";
    let config = good(&format!("{STORE}{text}"));
    assert_eq!(config.warnings, ["the association with 10.99.0.7 uses the reserved SPI 12"]);
}

#[test]
fn a_short_tolerance_is_warned_of() {
    let association = "[[association]]\npeer = \"10.99.0.7\"\nspi = 256\nkey = \"hex:00\"\n";
    let warnings = |more: &str| good(&format!("{STORE}{association}{more}")).warnings;
    assert_eq!(warnings("tolerance = 4\n"), [""; 0]);
    assert_eq!(warnings("tolerance = 3\nreplay = \"nonces\"\n"), [""; 0]);
    let [warning] = warnings("tolerance = 3\n").try_into().unwrap();
    assert!(warning.starts_with("the association with 10.99.0.7, SPI 256, tolerates 3 s"));
}

#[test]
fn rate_limits_are_read_and_off_by_default() {
    let section =
        "[home-agent]\naddress = \"127.0.0.1\"\n[foreign-agent]\naddress = \"127.0.0.2\"\n";
    let config = good(&format!("{STORE}{section}max-requests-per-second-of-peer = 20\n"));
    assert_eq!(config.home_agent.unwrap().rate_limits, RateLimits::default());
    let limits = config.foreign_agent.unwrap().rate_limits;
    assert_eq!(limits, RateLimits { all: None, peer: Some(20) });
}

#[test]
fn an_agent_advertises_that_it_supports_revocation() {
    // RFC 3543 §4.2: X.
    let says = |more: &str, advertise: &str| {
        let text = format!(
            "{STORE}[foreign-agent]\naddress = \"192.0.2.1\"\n{more}[[advertise]]\ninterface = \"eth1\"\n{advertise}"
        );
        good(&text).advertise[0].flags & wire::AdvertisementFlags::REVOCATION != 0
    };
    let off = "[foreign-agent.revocation]\nenabled = false\n";
    assert!(says("", ""));
    assert!(!says(off, ""));
    assert!(!says("", "flags = [\"foreign-agent\"]\n"), "whoever says all flags says this one");
}

#[test]
fn agents_share_an_address_if_the_port_is_the_same() {
    let shared = |foreign_agent: &str| {
        let home_agent = "[home-agent]\naddress = \"127.0.0.1\"\n";
        good(&format!("{STORE}{home_agent}[foreign-agent]\n{foreign_agent}\n")).shared_address()
    };
    let address = Some("127.0.0.1:434".parse().unwrap());
    assert_eq!(shared("address = \"127.0.0.1\""), address);
    let care_of = "address = \"127.0.0.2\"\ncare-of-addresses = [\"127.0.0.1\"]";
    assert_eq!(shared(care_of), address);
    assert_eq!(shared("address = \"127.0.0.2\""), None);
    assert_eq!(shared("address = \"127.0.0.1\"\nport = 4434"), None);
}

#[test]
fn no_message_and_no_debug_output_has_a_secret() {
    let secret = "c0ffee00c0ffee00";
    let text = format!(
        "{STORE}[snmp]\n[[snmp.community]]\nname = \"{secret}\"\n[[association]]\npeer = \"10.99.0.7\"\nspi = 1000\nkey = \"hex:{secret}\"\n"
    );
    assert!(!format!("{:?}", good(&text)).contains(secret));
    let wrong = format!("{text}key-file = \"x\"\ntolerance = 0\n");
    let said = problems(&wrong);
    assert!(said.contains("tolerance") && !said.contains(secret), "{said}");
    let wrong = text.replace("hex:", "hax:");
    assert!(!problems(&wrong).contains(secret));
}

#[test]
fn several_mistakes_are_told_in_the_order_of_the_file() {
    let said = problems("[store]\npath = 5\n[home-agent]\naddress = \"x\"\nport = 0\n");
    let lines: Vec<&str> = said.lines().map(|line| line.split('`').nth(1).unwrap()).collect();
    assert_eq!(lines, ["store.path", "home-agent.address", "home-agent.port"]);
}
