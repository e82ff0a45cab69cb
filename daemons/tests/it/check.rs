//! `mip4d` as a person meets it on the command line: files, messages, exit statuses.

use crate::support::{Files, mip4d};

const GOOD: &str = r#"
[store]
path = "store"
[home-agent]
address = "127.0.0.1"
[[association]]
peer = "10.99.0.7"
spi = 1000
key-file = "key"
"#;

#[test]
fn a_good_file_is_said_to_be_good() {
    let files = Files::new();
    files.write("key", "hex:00112233445566778899aabbccddeeff\n");
    let config = files.write("mip4d.toml", GOOD);
    let done = mip4d(&["check", "--config", &config]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let store = files.path("store");
    assert_eq!(
        done.stdout,
        format!("{config}: good: store {store}, home agent 127.0.0.1:434, 1 association\n")
    );
    assert_eq!(done.stderr, "");
    assert!(!std::path::Path::new(&store).exists(), "`check` changes nothing");
}

#[test]
fn a_wrong_file_lists_all_that_is_wrong_and_exits_5() {
    let files = Files::new();
    let config = files.write(
        "mip4d.toml",
        "[store]\npath = \"store\"\n[home-agent]\naddress = \"::1\"\nport = \"mip\"\ncolour = 1\n",
    );
    for verb in ["check", "run"] {
        let done = mip4d(&[verb, "--config", &config]);
        assert_eq!(done.status, 5);
        let lines: Vec<&str> = done.stderr.lines().collect();
        assert_eq!(lines.len(), 3, "{}", done.stderr);
        for (line, place) in lines.iter().zip([
            "4:11: `home-agent.address`",
            "5:8: `home-agent.port`",
            "6:1: `home-agent.colour`",
        ]) {
            assert!(line.contains(&format!("{config}:{place}: ")), "{line}");
        }
        assert_eq!(done.stdout, "");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let files = Files::new();
    let path = files.path("none.toml");
    let done = mip4d(&["check", "--config", &path]);
    assert_eq!(done.status, 5);
    assert_eq!(
        done.stderr,
        format!(
            "mip4d: cannot read the configuration {path}: No such file or directory (os error 2)\n"
        )
    );
}

#[test]
fn keys_that_others_may_read_are_warned_about() {
    let files = Files::new();
    let text = GOOD.replace("key-file = \"key\"", "key = \"hex:00112233445566778899aabbccddeeff\"");
    let config = files.write("mip4d.toml", &text);
    files.set_mode("mip4d.toml", 0o644);
    let done = mip4d(&["check", "--config", &config]);
    assert_eq!(done.status, 0);
    assert_eq!(
        done.stderr,
        format!(
            "mip4d: warning: {config} holds keys and others may read it: `chmod 600 {config}`\n"
        )
    );
    files.set_mode("mip4d.toml", 0o600);
    assert_eq!(mip4d(&["check", "--config", &config]).stderr, "");
}

#[test]
fn usage_errors_exit_2_with_words() {
    for (words, said) in [
        (vec!["lab", "--snmp", "192.0.2.1:1161"], "loopback"),
        (vec!["lab", "--nodes", "0"], "--nodes"),
        (vec!["lab", "--mip-port", "70000"], "--mip-port"),
        (vec!["run", "--log-level", "info,mip4d=loud"], "--log-level"),
        (vec!["check", "--log-format", "xml"], "journald"),
        (vec!["fly"], "fly"),
    ] {
        let done = mip4d(&words);
        assert_eq!(done.status, 2, "{words:?}: {}", done.stderr);
        assert!(done.stderr.contains(said), "{words:?}: {}", done.stderr);
        assert_eq!(done.stdout, "");
    }
}

#[test]
fn the_example_file_is_good_and_names_every_key() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../contrib/examples/mip4d.toml");
    let done = mip4d(&["check", "--config", example]);
    assert_eq!(done.status, 0, "{}", done.stderr);
    let samples = with_every_sample(&std::fs::read_to_string(example).unwrap());
    let files = Files::new();
    std::fs::create_dir(files.path("keys")).unwrap();
    files.write("keys/10.99.0.7", "ascii:a good secret\n");
    files.write("keys/noc-auth", "a good password\n");
    files.write("keys/noc-priv", "another password\n");
    let config = files.write("mip4d.toml", &samples);
    let done = mip4d(&["check", "--config", &config]);
    assert_eq!((done.status, done.stderr.as_str()), (0, ""));
    let with_unknown: String =
        samples
            .lines()
            .map(|line| {
                if line.starts_with('[') { format!("{line}\nx = 1\n") } else { format!("{line}\n") }
            })
            .collect();
    let unknown = files.write("unknown.toml", &with_unknown);
    let said = mip4d(&["check", "--config", &unknown]).stderr;
    let tables = samples.lines().filter(|line| line.starts_with('[')).count();
    assert_eq!(said.lines().count(), tables, "{said}");
    for key in said.lines().flat_map(|line| line.split("knows: ").nth(1).unwrap().split(", ")) {
        let named = [format!("{key} = "), format!(".{key}]")];
        assert!(
            named.iter().any(|text| samples.contains(text)) || LATER.contains(&key),
            "`{key}` is not in the example"
        );
    }
}

/// The example with every sample switched on, less those of a store that somebody else has: from
/// the first `#connect` to the next table, they stand for all keys before them.
fn with_every_sample(example: &str) -> String {
    let mut connects = false;
    let mut samples = String::new();
    for line in example.lines() {
        connects = (connects || line.starts_with("#connect")) && !line.starts_with('[');
        let line = match line.strip_prefix('#') {
            Some(sample) if !sample.starts_with(' ') && connects => continue,
            Some(sample) if !sample.starts_with(' ') => sample,
            _ => line,
        };
        samples.push_str(line);
        samples.push('\n');
    }
    samples
}

/// Known, and told about in words.
const LATER: &[&str] = &["context", "key", "allow-reserved-spi", "auth-password", "priv-password"];
