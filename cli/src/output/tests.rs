use super::*;

struct Sample {
    name: &'static str,
    count: u64,
}

const COLUMNS: &[Column<Sample>] = &[
    Column::text("name", "NAME", |row| Cell::text(row.name)),
    Column::number("count", "COUNT", |row| Cell::Number(row.count)),
    Column::detail("even", |row| Cell::Truth(row.count % 2 == 0)),
];

fn samples() -> Vec<Sample> {
    vec![
        Sample { name: "a, \"b\"", count: 10 },
        Sample { name: "ü", count: 9 },
        Sample { name: "two\nlines", count: 100 },
    ]
}

fn printed(layout: Layout) -> String {
    let mut out = Vec::new();
    Listing::new(Revision(5), COLUMNS, &samples()).print(layout, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn csv_quotes_what_needs_it() {
    assert_eq!(
        printed(Layout::Csv),
        "name,count,even\r\n\"a, \"\"b\"\"\",10,true\r\nü,9,false\r\n\"two\nlines\",100,true\r\n"
    );
}

#[test]
fn plain_columns_align_and_stay_on_their_line() {
    assert_eq!(
        printed(Layout::Plain),
        "NAME           COUNT\na, \"b\"            10\nü                  9\ntwo\\u{a}lines    100\n"
    );
}

#[test]
fn json_keeps_the_order_of_columns() {
    assert_eq!(
        printed(Layout::Json { compact: true }),
        "{\"revision\":5,\"rows\":[{\"name\":\"a, \\\"b\\\"\",\"count\":10,\"even\":true},\
         {\"name\":\"ü\",\"count\":9,\"even\":false},{\"name\":\"two\\nlines\",\"count\":100,\"even\":true}]}\n"
    );
}

#[test]
fn terminal_tables_are_no_wider_than_the_terminal() {
    let table = printed(Layout::Terminal(20));
    assert!(table.lines().all(|line| line.chars().count() <= 20), "{table}");
    assert!(table.contains("COUNT"));
}

#[test]
fn sort_takes_a_column_either_way_round() {
    let names = |column: &str| {
        let mut rows = samples();
        Sort { sort: Some(column.to_owned()) }.apply(COLUMNS, &mut rows).unwrap();
        rows.into_iter().map(|row| row.count).collect::<Vec<_>>()
    };
    assert_eq!(names("count"), [9, 10, 100]);
    assert_eq!(names("-count"), [100, 10, 9]);
    let unknown = Sort { sort: Some("size".to_owned()) }.check(COLUMNS).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "error: there is no column `size`\nhint: columns are name, count, even"
    );
}
