//! JSON along paths, and what is refused.

use super::super::testing::{find_first, find_rows};
use super::*;
use proptest::prelude::*;

fn find<'a>(payload: &'a str, paths: &[&str]) -> Result<Vec<Found<'a>>> {
    find_first(Cursor::new(payload.as_bytes()), paths)
}

fn text(says: &str) -> Found<'_> {
    Found::Text(Text::plain(says.as_bytes()))
}

#[test]
fn values_are_found_at_their_paths() {
    let payload = r#" {"a":{"b":[1,{"c":-2.5e1}],"d":"x\"y"},"e":true,"f":null,"a2":9} "#;
    let found = find(payload, &["a.b[1].c", "a.d", "e", "f", "a.b[7]", "a.b", "zz"]).unwrap();
    assert_eq!(found[0], Found::Number(-25.0));
    assert_eq!(found[1], Found::Text(Text::escaped(b"x\\\"y", Escapes::Json)));
    assert_eq!(found[2], Found::Bool(true));
    assert_eq!(found[3..], [Found::Other, Found::Absent, Found::Other, Found::Absent]);
}

#[test]
fn the_payload_itself_may_be_the_value() {
    assert_eq!(find("21.5", &[""]), Ok(vec![Found::Number(21.5)]));
    assert_eq!(find(" true ", &[""]), Ok(vec![Found::Bool(true)]));
    assert_eq!(find("[1,[2,3]]", &["[1][0]"]), Ok(vec![Found::Number(2.0)]));
}

#[test]
fn escaped_names_are_the_names_they_say() {
    assert_eq!(find(r#"{"\u0061\u00e9":1}"#, &["aé"]), Ok(vec![Found::Number(1.0)]));
    assert_eq!(find(r#"{"a\/b":1}"#, &["a/b"]), Ok(vec![Found::Number(1.0)]));
}

#[test]
fn a_name_that_stands_twice_counts_the_last_time() {
    assert_eq!(find(r#"{"a":1,"a":2}"#, &["a"]), Ok(vec![Found::Number(2.0)]));
}

#[test]
fn wildcards_make_a_row_of_everything_they_meet() {
    let payload = br#"{"devices":{"a":{"temp":1,"ts":10},"b":{"ts":20},"c\u00e9":{"temp":3}},"site":"x","ts":5}"#;
    let rows = find_rows(Cursor::new(payload), &["devices.{dev}.temp", "devices.*.ts", "site"]).unwrap();
    assert_eq!(
        rows,
        [
            ("a".into(), vec![Found::Number(1.0), Found::Number(10.0), text("x")]),
            ("b".into(), vec![Found::Absent, Found::Number(20.0), text("x")]),
            ("cé".into(), vec![Found::Number(3.0), Found::Absent, text("x")]),
        ]
    );
    let rows = find_rows(
        Cursor::new(br#"{"a":[{"b":{"x":1,"y":2}},{"b":{"z":3}}]}"#),
        &["a[*].b.{name}"],
    )
    .unwrap();
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["0/x", "0/y", "1/z"]);
}

#[test]
fn conditions_choose_among_elements_wherever_they_stand_in_them() {
    let payload = r#"[{"v":1,"n":"current"},{"v":2,"u":"V","n":"voltage"},{"n":"voltage"},{"n":7,"v":{"n":1}},4]"#;
    let found = find(
        payload,
        &[
            "[?n=voltage].u",
            "[?n=current].v",
            "[?n=7].v.n",
            "[?n=other].v",
            "[?v.n=1].n",
        ],
    );
    let seven = Found::Number(7.0);
    assert_eq!(
        found.unwrap(),
        [text("V"), Found::Number(1.0), Found::Number(1.0), Found::Absent, seven]
    );
    let nested = r#"{"a":[{"id":"x","s":[{"n":"t","v":5},{"n":"h","v":6}]},{"id":"y","s":[{"n":"t","v":7}]}]}"#;
    let found = find(nested, &["a[?id=x].s[?n=h].v", "a[?id=y].s[?n=t].v"]).unwrap();
    assert_eq!(found, [Found::Number(6.0), Found::Number(7.0)]);
}

#[test]
fn more_things_than_the_limit_are_refused() {
    let payload = format!("[{}0]", "0,".repeat(20_000));
    assert!(find(&payload, &["[3]"]).is_ok());
    assert_eq!(find(&payload, &["[*]"]), Err(CoreError::Limit));
}

#[test]
fn every_truncation_is_refused() {
    let payload = r#"{"a":[1,-2.5e-3,{"b":"x\u00e9"}],"c":{"d":null,"e":true}}"#;
    for end in 0..payload.len() {
        assert!(find(&payload[..end], &["a[?b=x].b", "*.d"]).is_err(), "{end}");
    }
}

#[test]
fn integers_beyond_2_to_the_53_keep_their_digits() {
    let found = find(
        "[9007199254740993,-18446744073709551615,1e300,18446744073709551616]",
        &["[0]", "[1]", "[3]"],
    );
    let whole = |negative, size| Found::Whole { negative, size };
    let found = found.unwrap();
    assert_eq!(found[..2], [whole(false, 9_007_199_254_740_993), whole(true, u64::MAX)]);
    assert_eq!(found[2].number(), Some(18_446_744_073_709_551_616.0));
}

#[test]
fn text_and_truth_can_be_numbers() {
    let found = find(r#"["21.5",false,"x",1e999,{}]"#, &["[0]", "[1]", "[2]", "[3]", "[4]"]).unwrap();
    let numbers: Vec<_> = found.iter().map(Found::number).collect();
    assert_eq!(numbers, [Some(21.5), Some(0.0), None, None, None]);
}

#[test]
fn what_is_not_json_is_refused_wherever_the_error_is() {
    for (payload, error) in [
        ("", CoreError::Truncated),
        ("{\"a\":1", CoreError::Truncated),
        ("{\"a\":tru", CoreError::Truncated),
        ("{\"a\":1,}", CoreError::Corrupt),
        ("{\"a\":1} x", CoreError::Corrupt),
        ("{\"a\":01}", CoreError::Corrupt),
        ("{\"b\":[1,2,x],\"a\":1}", CoreError::Corrupt),
        ("{\"a\" 1}", CoreError::Corrupt),
        ("{a:1}", CoreError::Corrupt),
        ("\"\\q\"", CoreError::Corrupt),
        ("\"\n\"", CoreError::Corrupt),
    ] {
        assert_eq!(find(payload, &["a"]), Err(error), "{payload}");
    }
    assert_eq!(find(&"[".repeat(100), &["a"]), Err(CoreError::Limit));
}

#[test]
fn nesting_is_bounded_the_same_whether_wanted_or_not() {
    for depth in [63, 64, 65, 66, 70] {
        let lists = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let wanted = find(&lists, &["[0]"]).map(|_| ());
        let passed = find(&format!("{{\"x\":{lists}}}"), &["a"]).map(|_| ());
        assert_eq!(
            wanted,
            if depth > 64 { Err(CoreError::Limit) } else { Ok(()) },
            "{depth}"
        );
        assert_eq!(
            passed,
            if depth > 63 { Err(CoreError::Limit) } else { Ok(()) },
            "{depth}"
        );
    }
}

proptest! {
    #[test]
    fn what_is_not_wanted_is_checked_as_what_is(text in "[\\[\\]{}\",:0-2eE.+\\-tab\\\\ ]{0,24}") {
        let wanted = find(&format!("[{text}]"), &["[0][0]", "[0].a", "*.*.*"]).is_ok();
        let passed = find(&format!("[{text}]"), &["x"]).is_ok();
        prop_assert_eq!(wanted, passed);
    }

    #[test]
    fn any_bytes_are_scanned_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = find_first(Cursor::new(&bytes), &["", "a.b[0]", "*.x", "[?a=1].b"]);
    }

    #[test]
    fn what_the_tree_parser_accepts_is_accepted(text in "[\\[\\]{}\",:0-2eE.+\\-tab\\\\ ]{0,24}") {
        let scanned = find(&text, &["a", "[0]"]).map(|_| ());
        // The tree parser also refuses what only a plan may not have: names that stand twice, infinite numbers.
        if crate::json::parse(text.as_bytes()).is_ok() {
            prop_assert_eq!(scanned, Ok(()));
        }
    }
}
