//! Packs of RFC 8428, and what is none.

use super::super::testing::find_rows;
use super::super::{cbor, json};
use super::*;

const WALL_MS: f64 = 1_760_000_000_000.0;

type Resolved<'a> = Vec<(String, Option<f64>, Option<f64>)>;

fn read<'a>(cursor: impl walk::Cursor<'a>) -> Result<Resolved<'a>> {
    let rows = find_rows(Cursor::new(cursor, WALL_MS), &["*.name", "*.v", "*.t"])?;
    Ok(rows
        .into_iter()
        .map(|(_, found)| {
            let mut name = String::new();
            found[0].append_name(&mut name).unwrap();
            (name, found[1].number(), found[2].number())
        })
        .collect())
}

fn read_json(payload: &str) -> Result<Resolved<'_>> {
    read(json::Cursor::new(payload.as_bytes()))
}

fn row(name: &str, value: f64, time_ms: f64) -> (String, Option<f64>, Option<f64>) {
    (name.into(), Some(value), Some(time_ms))
}

/// RFC 8428 §5.1.3, shortened.
const MANY: &str = r#"[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1.320067464e+09,"bu":"%RH","v":20},
    {"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3}]"#;

#[test]
fn base_fields_count_from_their_record_on() {
    let name = "urn:dev:ow:10e2073a01080063:";
    let from = 1_320_067_464_000.0;
    assert_eq!(
        read_json(MANY).unwrap(),
        [
            row(name, 20.0, from),
            row(name, 24.30621, from),
            row(name, 60.07965, from),
            row(name, 20.3, from + 60_000.0)
        ]
    );
    // §5.1.2: a base name with names, times relative to now, the base behind its record's other members.
    let pack = r#"[{"n":"voltage","v":120.1,"t":-5,"bn":"dev:"},{"n":"current","t":-4,"v":1.2},{"n":"x","bv":100,"v":0.5,"t":0},{"n":"y","v":1}]"#;
    assert_eq!(
        read_json(pack).unwrap(),
        [
            row("dev:voltage", 120.1, WALL_MS - 5000.0),
            row("dev:current", 1.2, WALL_MS - 4000.0),
            row("dev:x", 100.5, WALL_MS),
            ("dev:y".into(), Some(101.0), None),
        ]
    );
}

#[test]
fn a_value_or_sum_that_is_missing_beside_its_base_counts_as_zero() {
    // §4.5.4. A record of base fields alone, or of a text, has no number.
    let pack =
        r#"[{"bn":"a","bv":20},{"n":"b"},{"n":"c","v":1},{"n":"d","vs":"x"},{"n":"e","vb":true},{"n":"f","bv":0}]"#;
    let values: Vec<_> = (read_json(pack).unwrap().into_iter())
        .map(|(name, value, _)| (name, value))
        .collect();
    assert_eq!(
        values,
        [
            ("a".into(), None),
            ("ab".into(), Some(20.0)),
            ("ac".into(), Some(21.0)),
            ("ad".into(), None),
            ("ae".into(), None),
            ("af".into(), Some(0.0)),
        ]
    );
}

#[test]
fn cbor_labels_are_numbers() {
    // §6: [{-2: "urn:dev:ow:10e2073a01080063", 0: "temperature", -3: 1.276020076e9, -4: "Cel", 2: 23.5}], decimal fraction.
    let mut pack = vec![0x81, 0xa4, 0x21, 0x64];
    pack.extend(b"dev:");
    pack.extend([
        0x22, 0x1a, 0x4c, 0x0e, 0x85, 0x6c, 0x00, 0x61, b't', 0x02, 0xc4, 0x82, 0x20, 0x18, 0xeb,
    ]);
    assert_eq!(
        read(cbor::Cursor::new(&pack)).unwrap(),
        [row("dev:t", 23.5, 1_276_020_076_000.0)]
    );
    for end in 0..pack.len() {
        assert!(read(cbor::Cursor::new(&pack[..end])).is_err());
    }
}

#[test]
fn what_is_no_pack_is_refused_with_its_code() {
    for (pack, error) in [
        (r#"{"n":"a","v":1}"#, CoreError::Corrupt),
        (r#"[{"n":"a","v":"1"}]"#, CoreError::Corrupt),
        (r#"[{"n":1,"v":1}]"#, CoreError::Corrupt),
        (r#"[{"n":"a","v":1,"vs":"x"}]"#, CoreError::Corrupt),
        (r#"[{"n":"a","v":[1]}]"#, CoreError::Corrupt),
        (r#"[{"n":"a","v":1e999}]"#, CoreError::BadNumbers),
        (r#"[{"bver":11,"n":"a","v":1}]"#, CoreError::TooNew),
        (r#"[{"n":"a","v":1,"new_":1}]"#, CoreError::Foreign),
        (r#"[{"n":"a","v":1}"#, CoreError::Truncated),
    ] {
        assert_eq!(read_json(pack), Err(error), "{pack}");
    }
    assert_eq!(read_json(r#"[{"n":"a","v":1,"new":[{"x":[1]}]}]"#).unwrap().len(), 1);
    for end in 0..MANY.len() {
        assert!(read_json(&MANY[..end]).is_err(), "{end}");
    }
}
