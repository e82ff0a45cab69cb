use store::wire::Lifetime;
use store::{
    Advertisement, CareOfAddress, Changed, ClockHealth, ClockState, Instance, Origin, Role, Scope,
    Setting, SettingIndex, SettingValue, StorageType, Unknown,
};

use super::{on, snapshot};
use crate::failure::ExitStatus;
use crate::fixture::{self, Fake};
use crate::source::SourceError;

#[test]
fn each_noun_in_each_format() {
    for noun in ["bindings", "status", "nodes", "statistics"] {
        for format in ["table", "json", "csv"] {
            let done = on(Fake::network(), &format!("-o {format} show {noun}"), "");
            snapshot!(format!("show_{noun}_{format}"), done);
        }
    }
}

#[test]
fn what_other_roles_keep_and_what_went_wrong() {
    for noun in ["visitors", "registrations", "violations", "trail 10.99.0.66"] {
        let name = noun.split(' ').next().unwrap();
        for format in ["table", "json"] {
            let done = on(Fake::whole_network(), &format!("-o {format} show {noun}"), "");
            snapshot!(format!("show_{name}_{format}"), done);
        }
    }
    let shown = |line: &str| on(Fake::whole_network(), line, "").status;
    assert_eq!(shown("show visitors --foreign-agent 203.0.113.1 --nai *"), ExitStatus::Success);
    assert_eq!(shown("show visitors --foreign-agent 203.0.113.2"), ExitStatus::NothingMatched);
    assert_eq!(shown("show registrations --foreign-agent 192.0.2.1"), ExitStatus::NothingMatched);
    assert_eq!(shown("show violations --home-agent 192.0.2.1"), ExitStatus::Success);
    assert_eq!(shown("show violations --foreign-agent 192.0.2.1"), ExitStatus::NothingMatched);
    assert_eq!(shown("show trail 10.99.0.7"), ExitStatus::NothingMatched);
}

#[test]
fn selectors_leave_what_matches() {
    let shown = |selectors: &str| {
        let done = on(Fake::network(), &format!("-o json show bindings {selectors}"), "");
        let document = done.json();
        let rows = document["rows"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["home_address"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (one, two) = ("10.99.0.7", "10.99.0.12");
    assert_eq!(shown("--all"), [one, two]);
    assert_eq!(shown("--home-address 10.99.0.7"), [one]);
    assert_eq!(shown("--home-address 10.99.0.0/29"), [one]);
    assert_eq!(shown("--home-address 10.99.0.7 --home-address 10.99.0.12"), [one, two]);
    assert_eq!(shown("--network 10.99.0.8/29"), [two]);
    assert_eq!(shown("--nai *@FLEET.example"), [two]);
    assert_eq!(shown("--care-of 198.51.100.0/24"), [one]);
    assert_eq!(shown("--foreign-agent 203.0.113.1"), [two]);
    assert_eq!(shown("--home-agent 192.0.2.1"), [one, two]);
    assert_eq!(shown("--home-agent 192.0.2.2"), [""; 0]);
    assert_eq!(shown("--nai * --care-of 198.51.100.20"), [""; 0]);
}

#[test]
fn a_selector_that_matches_nothing() {
    snapshot!("nothing_matched", on(Fake::network(), "show bindings --home-address 10.1.1.1", ""));
    snapshot!(
        "nothing_matched_json",
        on(Fake::network(), "-o json show nodes --nai x@* --care-of 10.0.0.0/8", "")
    );
}

#[test]
fn an_empty_table_is_no_failure() {
    for noun in ["bindings", "status", "nodes", "statistics"] {
        let done = on(Fake::default(), &format!("-o json show {noun} --all"), "");
        assert_eq!(done.status, ExitStatus::Success, "{noun}");
        assert_eq!(done.json()["rows"], serde_json::json!([]), "{noun}");
    }
}

#[test]
fn sorting_and_a_column_that_is_not_there() {
    let done = on(Fake::network(), "-o csv show bindings --sort -home_address", "");
    let addresses: Vec<_> =
        done.out.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(addresses, ["10.99.0.12", "10.99.0.7"]);
    // Words are checked first: no store is needed to find them wrong.
    snapshot!("unknown_column", on(None, "show bindings --sort size", ""));
}

#[test]
fn rows_of_a_silent_daemon_are_marked() {
    let silent = || {
        let mut fake = Fake::network();
        let mut instance = fixture::home_agent_instance();
        instance.heartbeat_at = fixture::seconds_ago(12);
        fake.put(instance);
        fake
    };
    snapshot!("stale", on(silent(), "show bindings", ""));
    snapshot!("stale_fresh", on(silent(), "--fresh show bindings", ""));
    for noun in ["bindings", "status", "nodes", "statistics"] {
        let done = on(silent(), &format!("-o json show {noun} --fresh"), "");
        assert_eq!(done.status, ExitStatus::Stale, "{noun}");
        let document = done.json();
        assert_eq!(document["error"]["code"], 7);
        assert_eq!(document["rows"][0]["freshness"], "stale");
        let live = on(Fake::network(), &format!("-o json show {noun} --fresh"), "");
        assert_eq!((live.status, live.err.as_str()), (ExitStatus::Success, ""), "{noun}");
    }
}

#[test]
fn remaining_time_is_on_the_owners_clock() {
    let mut fake = Fake::network();
    let mut instance = fixture::home_agent_instance();
    // The owner's clock was set an hour ahead; its stamps go on as before, so ours is ahead of them too.
    instance.clock_step = 3_600_000;
    instance.heartbeat_at = fixture::NOW.shifted(-3_600_000);
    fake.put(instance);
    let done = on(fake, "-o json show bindings --home-address 10.99.0.7", "");
    assert_eq!(done.json()["rows"][0]["time_remaining_seconds"], 1500 + 3600);
}

#[test]
fn the_store_says_no() {
    let failing = |error: fn() -> SourceError| Fake { error: Some(error), ..Fake::network() };
    snapshot!("unreachable", on(None, "show bindings", ""));
    snapshot!("unreachable_json", on(None, "-o json show status", ""));
    let denied = on(
        failing(|| SourceError::NotPermitted("group `mip4` is needed".to_owned())),
        "-o json show status",
        "",
    );
    assert_eq!(denied.json()["error"]["code"], 8);
    assert_eq!(denied.status.code(), 8);
}

#[test]
fn a_degraded_store_is_shown() {
    let degraded = Fake { degraded: Some("the disk is full".to_owned()), ..Fake::network() };
    let done = on(degraded, "-o json show status", "");
    let store = &done.json()["store"];
    assert_eq!(
        (&store["healthy"], &store["degraded"]),
        (&false.into(), &"the disk is full".into())
    );
}

#[test]
fn a_store_that_lost_its_source_is_stale() {
    let lost = || Fake { age: std::time::Duration::from_secs(9), ..Fake::network() };
    let done = on(lost(), "-o json --fresh show bindings", "");
    assert_eq!(done.json()["error"]["message"], "what the store shows is 9 s old");
    assert_eq!(done.status, ExitStatus::Stale);
    let warned = on(lost(), "show bindings", "");
    assert_eq!(warned.status, ExitStatus::Success);
    assert_eq!(warned.err, "warning: what the store shows is 9 s old\n");
}

/// A network whose foreign agent advertises.
fn advertising() -> Fake {
    let mut fake = Fake::whole_network();
    let instance = fixture::home_agent_instance().name;
    fake.put(Advertisement {
        instance: instance.clone(),
        role: Role::ForeignAgent,
        interface: 2,
        source: [203, 0, 113, 1].into(),
        destination: [224, 0, 0, 1].into(),
        sequence_number: 258,
        flags: 0x9100,
        registration_lifetime: Lifetime(600),
        lifetime: 30,
        care_of_addresses: vec![[203, 0, 113, 1].into()],
        routers: Vec::new(),
        prefix_lengths: Vec::new(),
        network_nai: None,
        at: None,
        schedule: None,
        unknown: Unknown::default(),
    });
    fake.put(CareOfAddress {
        instance,
        address: [203, 0, 113, 1].into(),
        active: true,
        origin: Origin::File,
        storage: StorageType::ReadOnly,
        changed: None,
        unknown: Unknown::default(),
    });
    fake
}

#[test]
fn advertisements_and_what_foreign_agents_offer() {
    let shown = |line: &str| {
        let done = on(advertising(), &format!("-o json show {line}"), "");
        assert_eq!(done.status, ExitStatus::Success, "{line}");
        done.json()["rows"].clone()
    };
    let advertised = shown("advertisements --foreign-agent 203.0.113.1 --sort -sequence_number");
    assert_eq!(advertised[0]["flags"], "RFT");
    assert_eq!(advertised[0]["direction"], "sent");
    let none = on(advertising(), "show advertisements --home-agent 203.0.113.1", "");
    assert_eq!(none.status, ExitStatus::NothingMatched);
    let offered = shown("care-of-addresses --care-of 203.0.113.0/24");
    assert_eq!(offered[0]["address"], "203.0.113.1");
    assert_eq!(offered[0]["origin"], "file");
}

#[test]
fn settings_are_shown_with_their_values_and_who_made_them() {
    let mut fake = Fake::network();
    fake.put(Setting {
        scope: Scope::Instance("fa@gate".to_owned()),
        index: Some(SettingIndex::Interface(2)),
        value: SettingValue::RegistrationRequired { required: true },
        origin: Origin::Snmp,
        storage: StorageType::NonVolatile,
        active: true,
        instance: None,
        changed: Some(Changed { by: "snmp:noc".to_owned(), at: store::UtcTime(0) }),
        unknown: Unknown::default(),
    });
    let done = on(fake, "-o json show settings", "");
    assert_eq!(done.status, ExitStatus::Success);
    let row = done.json()["rows"][0].clone();
    assert_eq!(row["scope"], "instance fa@gate");
    assert_eq!(
        (&row["kind"], &row["index"]),
        (&"registration-required".into(), &"interface 2".into())
    );
    assert_eq!(row["values"]["required"], true);
    assert_eq!((&row["storage"], &row["changed_by"]), (&"non-volatile".into(), &"snmp:noc".into()));
}

#[test]
fn a_clock_that_most_nodes_disagree_with_is_an_alarm() {
    let shown = |line: &str| {
        let mut fake = Fake::network();
        let (state, offset) = (ClockState::Suspect, Some(-3_600_400));
        let clock_health = Some(ClockHealth { state, nodes: 40, disagreeing: 31, offset });
        fake.put(Instance { clock_health, ..fixture::home_agent_instance() });
        on(fake, line, "")
    };
    let done = shown("show status");
    assert!(
        done.out.contains("ALARM:     the clock of `ha@gate` may be wrong: 31 of 40 mobile nodes"),
        "{}",
        done.out
    );
    assert!(done.out.contains("by -3600.4 s"), "{}", done.out);
    let row = shown("-o json show status").json()["rows"][0].clone();
    assert_eq!((&row["clock"], &row["clock_nodes"]), (&"suspect".into(), &40.into()));
    let explained = shown("explain 10.99.0.7");
    assert!(explained.out.contains("set the clock of the home agent"), "{}", explained.out);
}
