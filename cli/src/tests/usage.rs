use super::{on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::Fake;

#[test]
fn wrong_words_are_usage_errors_with_hints() {
    let lines = [
        ("unknown_verb", "shew bindings"),
        ("unknown_noun", "show bindnigs"),
        ("missing_noun", "show"),
        ("ambiguous_noun", "show stat"),
        ("unknown_option", "show bindings --home-adress 10.0.0.1"),
        ("not_an_address", "show bindings --home-address 10.0.0"),
        ("missing_value", "show bindings --nai"),
        ("not_a_format", "-o xml show bindings"),
        ("conflict", "show bindings --all --nai *"),
        ("not_applicable", "show status --nai *"),
        ("not_a_store", "--store gopher://x show bindings"),
        ("file_and_command", "-f x show bindings"),
    ];
    for (name, line) in lines {
        let done = on(None, line, "");
        assert_eq!(done.status, ExitStatus::Usage, "{line}: {done}");
        assert_eq!(done.out, "", "{line}");
        snapshot!(format!("usage_{name}"), done);
        if name != "not_a_format" {
            let done = on(None, &format!("-o json {line}"), "");
            assert_eq!(done.json()["error"]["code"], 2, "{line}");
            assert_eq!(done.json()["error"]["kind"], "usage", "{line}");
        }
    }
}

#[test]
fn the_format_is_known_although_the_line_is_wrong() {
    for option in ["-o json", "-ojson", "-o=json", "--output json", "--output=json"] {
        let done = on(None, &format!("show nonsense {option}"), "");
        assert_eq!(done.json()["error"]["code"], 2, "{option}");
    }
}

#[test]
fn help_is_data() {
    for line in ["--help", "show --help", "help show bindings", "--version"] {
        let done = on(None, line, "");
        assert_eq!((done.status, done.err.as_str()), (ExitStatus::Success, ""), "{line}");
        assert!(!done.out.is_empty(), "{line}");
    }
    snapshot!("help", on(None, "--help", ""));
    snapshot!("help_show_bindings", on(None, "help show bindings", ""));
}

#[test]
fn unique_abbreviations_are_understood() {
    let whole = on(Fake::network(), "show bindings --home-address 10.99.0.7", "").out;
    assert_eq!(on(Fake::network(), "sh bi --home-ad 10.99.0.7", "").out, whole);
}

#[test]
fn shells_are_told_what_can_follow() {
    let told = |source: Option<Fake>, line: &str| {
        let (words, done) = (["complete", "--", line], super::Buffers::default());
        assert_eq!(done.run(source, &words), ExitStatus::Success);
        done.out().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let network = || Some(Fake::network());
    assert_eq!(told(network(), "mip4ctl show bi"), ["bindings"]);
    let addresses = ["10.99.0.7", "10.99.0.12"];
    assert_eq!(told(network(), "mip4ctl show bindings --home-address "), addresses);
    assert_eq!(told(network(), "mip4ctl --store unix:x wai"), ["wait"]);
    assert_eq!(told(None, "mip4ctl show bindings --home-address 1"), [""; 0]);
}

#[test]
fn the_manual_names_every_command_and_option() {
    use clap::CommandFactory as _;
    const MANUAL: &str = include_str!("../../../contrib/man/mip4ctl.1");
    /// The words of `command` and all below it that the manual lacks.
    fn missing(command: &clap::Command, path: &str) -> Vec<String> {
        let options = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let longs = options.filter_map(clap::Arg::get_long).filter(|long| *long != "help");
        let option = |long: &str| format!("\\-\\-{}", long.replace('-', "\\-"));
        let mut lacking: Vec<_> =
            longs.map(option).filter(|option| !MANUAL.contains(option)).collect();
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            let path = format!("{path} {}", below.get_name());
            let path = path.trim_start();
            if !below.has_subcommands() && !MANUAL.contains(&format!("\n.B {path}\n")) {
                lacking.push(path.to_owned());
            }
            lacking.extend(missing(below, path));
        }
        lacking
    }
    assert_eq!(missing(&crate::grammar::Cli::command(), ""), [""; 0]);
}
