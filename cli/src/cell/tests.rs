use super::*;

#[test]
fn text_of_others_cannot_steer_the_terminal() {
    let cell = Cell::text("red\u{1b}[31m\u{202e}x");
    assert_eq!(cell.for_people(), r"red\u{1b}[31m\u{202e}x");
    assert_eq!(cell.for_programs(), "red\u{1b}[31m\u{202e}x");
}

#[test]
fn addresses_and_numbers_sort_by_value() {
    let address = |text: &str| Cell::Address(text.parse().unwrap());
    let ascending = |a: Cell, b: Cell| a.order(&b).is_lt() && b.order(&a).is_gt();
    assert!(ascending(address("10.0.0.9"), address("10.0.0.10")));
    assert!(ascending(address("10.0.0.10"), Cell::text("node@example.com")));
    assert!(ascending(Cell::Number(9), Cell::Number(10)));
    assert!(ascending(Cell::Number(u64::MAX), Cell::Infinite));
    assert!(ascending(Cell::Absent, Cell::Number(0)));
    assert!(ascending(Cell::Signed(-10), Cell::Signed(-9)));
}

#[test]
fn json_has_types() {
    let cells = [
        Cell::Absent,
        Cell::Infinite,
        Cell::Truth(true),
        Cell::Signed(-3),
        Cell::Number(7),
        Cell::Instant(UtcTime(0)),
        Cell::list(["home-agent", "snmp"]),
        Cell::Flags(Flags(0x0a)),
        Cell::Map(vec![("haIDMismatch".to_owned(), Cell::Number(2))]),
    ];
    assert_eq!(
        serde_json::to_string(&cells).unwrap(),
        concat!(
            r#"[null,null,true,-3,7,"1970-01-01T00:00:00.000Z",["home-agent","snmp"],"#,
            r#"{"octet":10,"names":["gre","reverse_tunnel"]},{"haIDMismatch":2}]"#
        )
    );
}
