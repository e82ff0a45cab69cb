//! The module against a list of facts that was taken from the draft by another hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::mip_mib::MODULE;
use crate::{Access, Base, Kind, Object, Status, Syntax};

/// `facts/mip-mib.tsv`: one definition a line, by the names in its first line.
fn facts() -> Vec<BTreeMap<&'static str, &'static str>> {
    let mut lines = include_str!("../../facts/mip-mib.tsv").lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines.map(|line| names.iter().copied().zip(line.split('\t')).collect()).collect()
}

fn oid(text: &str) -> Vec<u32> {
    text.split('.').map(|sub_id| sub_id.parse().unwrap()).collect()
}

/// The syntax as the facts write it: `Convention = BASE {labels}` or `BASE (ranges)`.
fn syntax_text(syntax: &Syntax) -> String {
    let mut text = syntax.convention.map_or(String::new(), |name| format!("{name} = "));
    let is_enumeration = !syntax.labels.is_empty();
    text.push_str(match syntax.base {
        Base::Integer32 if is_enumeration => "INTEGER",
        Base::Integer32 => "Integer32",
        Base::OctetString => "OCTET STRING",
        Base::ObjectIdentifier => "OBJECT IDENTIFIER",
        Base::Bits => "BITS",
        Base::IpAddress => "IpAddress",
        Base::Counter32 => "Counter32",
        Base::Gauge32 => "Gauge32",
        Base::Unsigned32 => "Unsigned32",
        Base::TimeTicks => "TimeTicks",
        Base::Counter64 => "Counter64",
        Base::Table | Base::Entry => "",
    });
    let labels: Vec<String> =
        syntax.labels.iter().map(|(label, number)| format!("{label}({number})")).collect();
    if is_enumeration {
        let _ = write!(text, " {{{}}}", labels.join(", "));
    }
    for (low, high) in syntax.ranges {
        let range = if low == high { low.to_string() } else { format!("{low}..{high}") };
        let size = if syntax.base == Base::OctetString { "SIZE (" } else { "" };
        let end = if size.is_empty() { "" } else { ")" };
        let _ = write!(text, " ({size}{range}{end})");
    }
    text
}

fn check_object(object: &Object, fact: &BTreeMap<&str, &str>) {
    let kind = match object.kind {
        Kind::Scalar => "scalar",
        Kind::Table => "table",
        Kind::Entry => "entry",
        Kind::Column => "column",
    };
    let access = match object.access {
        Access::NotAccessible => "not-accessible",
        Access::AccessibleForNotify => "accessible-for-notify",
        Access::ReadOnly => "read-only",
        Access::ReadWrite => "read-write",
        Access::ReadCreate => "read-create",
    };
    let name = object.name;
    assert_eq!(kind, fact["kind"], "{name}");
    assert_eq!(access, fact["max-access"], "{name}");
    assert_eq!(status(object.status), fact["status"], "{name}");
    assert_eq!(object.units.unwrap_or(""), fact["units"], "{name}");
    assert_eq!(object.default.unwrap_or(""), fact["default"], "{name}");
    assert_eq!(object.index.join(","), fact["index-or-augments"], "{name}");
    if matches!(object.kind, Kind::Scalar | Kind::Column) {
        assert_eq!(syntax_text(&object.syntax), fact["syntax"], "{name}");
    }
    let groups: Vec<&str> = MODULE
        .groups
        .iter()
        .filter(|group| group.members.contains(&name))
        .map(|group| group.name)
        .collect();
    assert_eq!(groups.join(","), fact["group"], "{name}");
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Current => "current",
        Status::Deprecated => "deprecated",
        Status::Obsolete => "obsolete",
    }
}

/// The members in braces behind `word`.
fn members<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let start = text.find(word).unwrap() + word.len();
    let end = text[start..].find('}').unwrap() + start;
    text[start..end].trim_start_matches(" {").split(", ").collect()
}

#[test]
fn every_definition_is_as_the_facts_say() {
    let mut objects = 0;
    for fact in facts() {
        let name = fact["name"];
        match fact["kind"] {
            "scalar" | "table" | "entry" | "column" => {
                let object = MODULE.object(name).unwrap_or_else(|| panic!("{name} is missing"));
                assert_eq!(object.oid, oid(fact["oid"]), "{name}");
                check_object(object, &fact);
                objects += 1;
            }
            "notification" => {
                let mut all = MODULE.notifications.iter();
                let found = all.find(|found| found.name == name).unwrap();
                assert_eq!(found.oid, oid(fact["oid"]), "{name}");
                assert_eq!(found.objects, members(fact["syntax"], "OBJECTS"), "{name}");
                assert_eq!(status(found.status), fact["status"], "{name}");
            }
            "object-group" | "notification-group" => {
                let group = MODULE.group(name).unwrap();
                let word = if fact["kind"] == "object-group" { "OBJECTS" } else { "NOTIFICATIONS" };
                assert_eq!(group.oid, oid(fact["oid"]), "{name}");
                assert_eq!(group.members, members(fact["syntax"], word), "{name}");
                assert_eq!(status(group.status), fact["status"], "{name}");
            }
            "compliance" => {
                let mut all = MODULE.compliances.iter();
                let found = all.find(|found| found.name == name).unwrap();
                let (_, conditional) = fact["syntax"].split_once("; GROUP ").unwrap();
                assert_eq!(found.oid, oid(fact["oid"]), "{name}");
                assert_eq!(found.mandatory, members(fact["syntax"], "MANDATORY-GROUPS"));
                assert_eq!(found.conditional.join(", "), conditional, "{name}");
                assert_eq!(status(found.status), fact["status"], "{name}");
            }
            _ => {}
        }
    }
    assert_eq!(objects, MODULE.objects.len(), "the module has nothing that the facts do not");
}

#[test]
fn as_many_objects_are_readable_as_the_draft_has() {
    let readable = MODULE.objects.iter().filter(|object| object.access.is_readable());
    let (current, old): (Vec<_>, Vec<_>) =
        readable.partition(|object| object.status == Status::Current);
    assert_eq!((current.len(), old.len()), (182, 36));
}
