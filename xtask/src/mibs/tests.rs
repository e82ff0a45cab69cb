use super::*;

#[test]
fn the_committed_tables_are_those_of_the_modules() {
    run(true).unwrap();
}

/// Reads a module of `lines` between its first and its last line.
fn check(lines: &str) -> anyhow::Result<Module> {
    parser::parse(&format!("TEST-MIB DEFINITIONS ::= BEGIN\n{lines}\nEND\n"))
}

#[test]
fn comments_are_skipped_and_texts_may_hold_anything() {
    let module =
        check("-- a {\nx OBJECT-IDENTITY STATUS current DESCRIPTION \"y -- }\n\" ::= { iso 3 }");
    assert_eq!(module.unwrap().definitions[0].sub_ids, [3]);
}

#[test]
fn errors_name_the_line() {
    let err = check("x OBJECT-TYPE\nSYNTAX Integer32\nACCESS read-only").unwrap_err();
    assert_eq!(format!("{err:#}"), "line 3: expected MAX-ACCESS, found Some(Word(\"ACCESS\"))");
}

#[test]
fn a_circle_of_names_is_an_error() {
    let module = check("a OBJECT IDENTIFIER ::= { b 1 }\nb OBJECT IDENTIFIER ::= { a 1 }").unwrap();
    let modules = BTreeMap::from([(module.name.clone(), module)]);
    assert!(generate(&modules).is_err());
}

#[test]
fn a_type_is_followed_through_its_conventions() {
    let text = "\
        Colour ::= TEXTUAL-CONVENTION STATUS current DESCRIPTION \"c\"\n\
        SYNTAX INTEGER { red(1), green(2) }\n\
        Shade ::= Colour\n\
        x OBJECT-TYPE SYNTAX Shade MAX-ACCESS read-only STATUS current DESCRIPTION \"x\"\n\
        ::= { iso 7 }";
    let module = check(text).unwrap();
    let modules = BTreeMap::from([(module.name.clone(), module)]);
    let file = generate(&modules).unwrap().remove("test_mib.rs").unwrap();
    assert!(file.contains("pub const X: &[u32] = &[1, 7];"), "{file}");
    assert!(file.contains(r#"labels: &[("red", 1), ("green", 2)]"#), "{file}");
}
