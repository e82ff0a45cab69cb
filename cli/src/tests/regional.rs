use std::net::Ipv4Addr;
use std::rc::Rc;

use store::wire::Spi;
use store::{
    Algorithm, Association, Change, Identity, Instance, Origin, RegionalCommit, ReplayProtection,
    Role, StorageType, Unknown,
};

use super::{Done, on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::{Fake, home_agent_instance};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
const FOREIGN_AGENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 11);

fn instance(name: &str, role: Role, address: Ipv4Addr) -> Instance {
    Instance {
        name: name.to_owned(),
        roles: vec![role],
        addresses: vec![address],
        ..home_agent_instance()
    }
}

fn association(peer: Ipv4Addr, role: Role) -> Association {
    Association {
        peer: Identity::Address(peer),
        spi: Spi(5000),
        reserved_spi: false,
        keyless: false,
        algorithm: Algorithm::HmacMd5,
        replay: ReplayProtection::None,
        tolerance: 7,
        origin: Origin::Cli,
        storage: StorageType::NonVolatile,
        active: true,
        role,
        instance: None,
        changed: None,
        unknown: Unknown::default(),
    }
}

/// A gateway and a foreign agent that can be a region.
fn region() -> Fake {
    let mut fake = Fake::network();
    fake.put(instance("gw", Role::Gateway, GATEWAY));
    fake.put(instance("fa", Role::ForeignAgent, FOREIGN_AGENT));
    fake.put(association(FOREIGN_AGENT, Role::Gateway));
    fake.put(association(GATEWAY, Role::ForeignAgent));
    fake
}

/// Runs a script on `source`; whoever runs the tests is called `me`.
fn script(source: Fake, options: &str, lines: &'static str) -> Done {
    let mut done = on(source, options, lines);
    let own = store::Changed::by_own_user(crate::fixture::NOW).by;
    for text in [&mut done.out, &mut done.err] {
        // The width of a column is that of the name.
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        *text =
            lines.map(|line| format!("{line} \n").replace(&format!(" {own} "), " me ")).collect();
        *text = text.replace(" \n", "\n");
    }
    done
}

#[test]
fn from_nothing_to_a_region() {
    let lines = concat!(
        "regional set gateway 192.0.2.9 --regional-lifetime 600 --candidate alice\n",
        "regional set foreign-agent 192.0.2.11 --gateway 192.0.2.9 --nai fa1@region.example --spi 5000 --candidate alice\n",
        "regional diff --candidate alice\n",
        "regional validate --candidate alice\n",
        "regional commit --reason 'a first region' --candidate alice\n",
        "regional show\n",
        "regional set gateway 192.0.2.9 --replay any --dynamic yes --candidate alice\n",
        "regional commit --candidate alice\n",
        "regional history\n",
        "regional history 2\n",
        "regional rollback --reason 'too early'\n",
        "regional diff 1\n",
    );
    snapshot!("regional", script(region(), "", lines));
}

#[test]
fn what_does_not_validate_changes_nothing() {
    let fake = Fake::network();
    let told = Rc::clone(&fake.told);
    let lines = concat!(
        "regional set gateway 192.0.2.9 --candidate alice\n",
        "regional set foreign-agent 192.0.2.11 --gateway 192.0.2.9 --candidate alice\n",
        "regional commit --candidate alice\n",
    );
    let done = script(fake, "", lines);
    assert_eq!(done.status, ExitStatus::Refused, "{done}");
    snapshot!("regional_invalid", done);
    let told = told.borrow();
    let changes = told.committed.iter().flat_map(|batch| &batch.changes);
    let tables: Vec<_> = changes.map(|change| change.key().table().name()).collect();
    assert!(tables.iter().all(|table| table.starts_with("candidate")), "{tables:?}");
}

#[test]
fn what_cannot_be_is_refused_although_it_is_forced() {
    let lines = concat!(
        "regional set foreign-agent 192.0.2.11 --gateway 192.0.2.9 --assignment dynamic --candidate alice\n",
        "-o json regional commit --force --candidate alice\n",
    );
    let done = script(region(), "", lines);
    assert_eq!(done.status, ExitStatus::Refused);
    let document = done.json();
    assert_eq!(document["rows"][0]["problem"], "there is no gateway 192.0.2.9");
    assert_eq!(document["rows"][0]["severity"], "fatal");
    assert_eq!(document["error"]["code"], 5);
}

#[test]
fn values_are_checked_when_they_are_set() {
    let refused = |line: &str| on(region(), line, "");
    let done = refused("regional set gateway 192.0.2.9 --lifetime 60 --regional-lifetime 61");
    assert_eq!(done.status, ExitStatus::Refused);
    assert!(
        done.err.contains("`regional-lifetime`: more than `lifetime`, which is 60 s"),
        "{done}"
    );
    let done = refused("regional set foreign-agent 192.0.2.11 --nai a@b");
    assert_eq!(done.status, ExitStatus::Refused);
    assert!(done.err.contains("it needs `--gateway`"), "{done}");
    for (line, status) in [
        ("regional set gateway 192.0.2.9 --lifetime 65536", ExitStatus::Usage),
        ("regional set gateway 192.0.2.9 --replay sometimes", ExitStatus::Usage),
        ("regional set gateway 224.0.0.1", ExitStatus::Refused),
        ("regional set foreign-agent 192.0.2.11 --gateway 192.0.2.11", ExitStatus::Refused),
        (
            "regional set foreign-agent 192.0.2.11 --gateway 192.0.2.9 --spi 255",
            ExitStatus::Refused,
        ),
        ("regional delete gateway 192.0.2.9", ExitStatus::NothingMatched),
        ("regional commit", ExitStatus::Refused),
        ("regional commit confirmed 0s", ExitStatus::Usage),
        ("regional commit 10m", ExitStatus::Usage),
        ("regional confirm", ExitStatus::Refused),
        ("regional rollback", ExitStatus::Refused),
        ("regional rebase", ExitStatus::NothingMatched),
        ("regional history 7", ExitStatus::NothingMatched),
        ("regional diff 7", ExitStatus::NothingMatched),
    ] {
        let done = refused(line);
        assert_eq!(done.status, status, "{line}: {done}");
    }
}

#[test]
fn two_editors_are_told_of_each_other_and_the_slower_one_what_changed() {
    let lines = concat!(
        "regional set gateway 192.0.2.9 --regional-lifetime 600 --candidate alice\n",
        "regional set gateway 192.0.2.9 --regional-lifetime 300 --candidate bob\n",
        "regional commit --reason 'longer' --candidate alice\n",
        "regional commit --candidate bob\n",
        "regional rebase --candidate bob\n",
        "regional diff --candidate bob\n",
        "regional commit --candidate bob\n",
    );
    snapshot!("regional_two_editors", script(region(), "--keep-going", lines));
}

#[test]
fn a_commit_that_waits_is_confirmed_or_taken_back() {
    let lines = concat!(
        "regional set gateway 192.0.2.9 --candidate alice\n",
        "regional commit confirmed 90s --candidate alice\n",
        "regional set gateway 192.0.2.9 --dynamic yes --candidate alice\n",
        "regional commit --candidate alice\n",
        "regional confirm\n",
        "regional commit confirmed --candidate alice\n",
        "regional rollback\n",
        "regional history\n",
    );
    snapshot!("regional_confirmed", script(region(), "--keep-going", lines));
}

#[test]
fn a_commit_says_within_which_time_in_its_row() {
    let fake = region();
    let told = Rc::clone(&fake.told);
    let lines = "regional set gateway 192.0.2.9\nregional commit confirmed 10m\n";
    let done = script(fake, "", lines);
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    let told = told.borrow();
    let rows = told.committed.iter().flat_map(|batch| &batch.changes);
    let commits: Vec<&RegionalCommit> = rows
        .filter_map(|change| match change {
            Change::Put(store::AnyRow::RegionalCommit(row)) => Some(&**row),
            _ => None,
        })
        .collect();
    assert_eq!(commits.len(), 1);
    assert_eq!(commits[0].confirm_within, Some(600));
}

#[test]
fn a_file_is_loaded_and_saved_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("region.toml");
    let text = "\
[[gateway]]
address = \"192.0.2.9\"
regional-lifetime = 600
replay = \"any\"

[[foreign-agent]]
address = \"192.0.2.11\"
gateway = \"192.0.2.9\"
nai = \"fa1@region.example\"
spi = 5000
";
    std::fs::write(&path, text).unwrap();
    let lines = format!(
        "regional set gateway 192.0.2.77\nregional load {0}\nregional commit\nregional save {0}\n\
         regional load {0}\n",
        path.display()
    );
    let done = script(region(), "", lines.leak());
    assert_eq!(done.status, ExitStatus::Success, "{done}");
    assert!(done.err.ends_with("changes nothing\n"), "{done}");
    let saved = std::fs::read_to_string(&path).unwrap();
    assert!(saved.starts_with("# The configuration of regions: commit 1\n"), "{saved}");
    assert!(
        !saved.contains("192.0.2.77") && saved.contains("nai = \"fa1@region.example\""),
        "{saved}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_file_that_is_wrong_is_refused_with_its_place() {
    for (text, why) in [
        (
            "[[gateway]]\naddress = \"192.0.2.9\"\ncolour = 1\n",
            "<stdin>:3:1: unknown field `colour`",
        ),
        ("[[gateway]]\naddress = \"192.0.2\"\n", ":2:11: invalid IPv4 address"),
        (
            "[[gateway]]\naddress = \"192.0.2.9\"\n[[gateway]]\naddress = \"192.0.2.9\"\n",
            "is there twice",
        ),
        ("[[foreign-agent]]\naddress = \"192.0.2.1\"\n", "missing field `gateway`"),
    ] {
        let fake = region();
        let told = Rc::clone(&fake.told);
        let done = on(fake, "regional load -", text);
        assert_eq!(done.status, ExitStatus::Refused, "{text}: {done}");
        let why = why.trim_start_matches("<stdin>");
        assert!(done.err.contains(why), "{done}");
        assert!(told.borrow().committed.is_empty());
    }
}

#[test]
fn a_candidate_is_thrown_away() {
    let lines = concat!(
        "regional set gateway 192.0.2.9 --candidate alice\n",
        "regional discard --candidate alice\n",
        "regional commit --candidate alice\n",
    );
    let done = script(region(), "", lines);
    assert_eq!(done.status, ExitStatus::Refused, "{done}");
    assert!(done.err.contains("candidate `alice` is gone, with its changes of 1 agent"), "{done}");
    assert!(done.err.contains("there is nothing to commit"), "{done}");
}

#[test]
fn a_daemon_that_does_not_act_on_it_is_told_of() {
    let mut fake = region();
    let path = "/mip4/regional/gateway/192.0.2.9".to_owned();
    fake.apply_errors.insert(path, "it takes no part".to_owned());
    let lines = concat!(
        "regional set gateway 192.0.2.9 --candidate alice\n",
        "regional commit --candidate alice\n",
    );
    let done = script(fake, "", lines);
    assert_eq!(done.status, ExitStatus::PartlyFailed, "{done}");
    assert!(done.err.contains("`gw` does not act on it: it takes no part"), "{done}");
}
