//! Line protocol along paths, and what is refused.

use super::super::testing::{find_first, find_rows};
use super::*;
use proptest::prelude::*;

fn cursor(text: &str) -> Cursor<'_> {
    Cursor::new(text.as_bytes(), Precision::Nanoseconds)
}

fn text(says: &str) -> Found<'_> {
    Found::Text(Text::plain(says.as_bytes()))
}

const VECTOR: &str = "# a comment\n\nweather,site=north\\ 1,dev=a temp=21.5,wind=3i,n=4u,ok=t,say=\"a \\\"b\\\", c\" 1760000000123456789\r\nweather,dev=b temp=-1e-1\n";

#[test]
fn a_series_is_measurement_and_tags() {
    let rows = find_rows(cursor(VECTOR), &["[*].series", "[*].fields.wind"]).unwrap();
    let mut name = String::new();
    assert_eq!(rows[0].1[0].append_name(&mut name), Ok(true));
    assert_eq!(name, "weather,site=north 1,dev=a");
    assert_eq!(rows[1].1[0], text("weather,dev=b"));
}

#[test]
fn a_line_has_a_measurement_tags_typed_fields_and_a_time() {
    let paths = [
        "[0].measurement",
        "[0].tags.site",
        "[0].fields.temp",
        "[0].fields.wind",
        "[0].fields.n",
        "[0].fields.ok",
    ];
    let found = find_first(cursor(VECTOR), &paths).unwrap();
    let site = Found::Text(Text::escaped(b"north\\ 1", Escapes::LineName));
    let number = Found::Number;
    assert_eq!(
        found,
        [
            text("weather"),
            site,
            number(21.5),
            number(3.0),
            number(4.0),
            Found::Bool(true)
        ]
    );
    let found = find_first(
        cursor(VECTOR),
        &["[0].fields.say", "[0].time", "[1].time", "[1].fields.temp"],
    )
    .unwrap();
    assert_eq!(
        found[0],
        Found::Text(Text::escaped(b"a \\\"b\\\", c", Escapes::LineString))
    );
    assert_eq!(
        found[1..],
        [Found::Time(1_760_000_000_123.456_8), Found::Absent, number(-0.1)]
    );
    let rows = find_rows(cursor(VECTOR), &["*.fields.temp", "*.tags.dev"]).unwrap();
    assert_eq!(rows[1].1, [number(-0.1), text("b")]);
}

#[test]
fn timestamps_are_in_the_precision_that_the_source_names() {
    for (precision, time) in [
        (Precision::Nanoseconds, "1760000000500000000"),
        (Precision::Microseconds, "1760000000500000"),
        (Precision::Milliseconds, "1760000000500"),
    ] {
        let line = format!("m v=1 {time}");
        let found = find_first(Cursor::new(line.as_bytes(), precision), &["[0].time"]).unwrap();
        assert_eq!(found, [Found::Time(1_760_000_000_500.0)]);
    }
    let found = find_first(Cursor::new(b"m v=1 -2", Precision::Seconds), &["[0].time"]).unwrap();
    assert_eq!(found, [Found::Time(-2000.0)]);
}

#[test]
fn malformed_lines_are_refused() {
    for line in [
        "m",
        "m ",
        "m v",
        "m v=",
        "m v=1,",
        "m v=1 x",
        "m v=1 2 3",
        ",a=b v=1",
        "m,a v=1",
        "m,a= v=1",
        "m,=b v=1",
        "m =1",
        "m v=\"a",
        "m v=1x",
        "m v=nan",
        "m v=inf",
        "m v=--1",
        "m v=+1i",
        "m v=-1u",
        "m v=1.5i",
        "m v=99999999999999999999i",
        "m v=tru",
        "m,a=b=c v=1",
        "m v=1 1.5",
        "m v=1\nm v",
    ] {
        assert!(find_first(cursor(line), &["[0].fields.v"]).is_err(), "{line}");
    }
    let found = find_first(cursor("m v=1e999,w=.5"), &["[0].fields.v", "[0].fields.w"]).unwrap();
    assert_eq!(found, [Found::Number(f64::INFINITY), Found::Number(0.5)]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = find_first(Cursor::new(&bytes, Precision::Nanoseconds), &["[0].fields.v", "*.tags.{t}", "[?tags.a=b].time"]);
    }

    #[test]
    fn any_line_like_text_is_read_or_refused(text in "[mav,= \\\\\"1itu.e\\n\\r#-]{0,40}") {
        let _ = find_first(cursor(&text), &["[0].fields.v", "*.tags.{t}", "[?tags.a=b].time"]);
    }

    #[test]
    fn floats_are_rounded_as_the_standard_library_rounds(value in "-?[0-9]{1,20}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{1,2})?") {
        let line = format!("m v={value}");
        let expected: f64 = value.parse().unwrap();
        prop_assert_eq!(find_first(cursor(&line), &["[0].fields.v"]).unwrap(), [Found::Number(expected)]);
    }
}
