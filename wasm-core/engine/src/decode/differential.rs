//! The cursors against well-kept libraries of their formats: whatever those write, each value of it is found at its path,
//! the same to the last bit; and bytes that those take or refuse are taken or refused here, but for the differences named.

use proptest::prelude::*;

use super::found::Found;
use super::testing::find_first;
use super::walk::Cursor;
use super::{cbor, json, msgpack};
use crate::error::{CoreError, Result};

#[derive(Clone, Debug)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

fn trees() -> impl Strategy<Value = Tree> {
    let integers = prop_oneof![
        any::<i64>().prop_map(i128::from),
        any::<u64>().prop_map(i128::from),
        -300_i128..300,
        -70_000_i128..70_000
    ];
    let floats = any::<f64>().prop_filter("JSON has no other", |float| float.is_finite());
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        integers.prop_map(Tree::Integer),
        floats.prop_map(Tree::Float),
        any::<f32>()
            .prop_filter("finite", |float| float.is_finite())
            .prop_map(|float| Tree::Float(float.into())),
        "\\PC{0,40}[\"\\\\\n]{0,2}".prop_map(Tree::Text),
    ];
    leaf.prop_recursive(4, 40, 20, |inner| {
        let names = "[a-z.é\"\\\\*]{0,4}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Tree::List),
            prop::collection::btree_map(names, inner, 0..20).prop_map(|map| Tree::Map(map.into_iter().collect())),
        ]
    })
}

/// Every leaf with its path.
fn leaves<'t>(tree: &'t Tree, path: &str, out: &mut Vec<(String, &'t Tree)>) {
    match tree {
        Tree::List(items) => {
            for (place, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}[{place}]"), out);
            }
        }
        Tree::Map(members) => {
            for (name, item) in members {
                leaves(item, &format!("{path}['{name}']"), out);
            }
        }
        _ => out.push((path.into(), tree)),
    }
}

fn same(found: &Found, tree: &Tree) -> bool {
    match tree {
        Tree::Null => *found == Found::Other,
        Tree::Bool(bool) => *found == Found::Bool(*bool),
        #[expect(clippy::cast_precision_loss, reason = "rounds to the nearest")]
        Tree::Integer(integer) => {
            let mut name = String::new();
            found.number() == Some(*integer as f64)
                && found.append_name(&mut name) == Ok(true)
                && name == integer.to_string()
        }
        Tree::Float(float) => {
            found.number().map(f64::to_bits) == Some((*float + 0.0).to_bits()) || found.number() == Some(*float)
        }
        Tree::Text(text) => {
            let mut name = String::new();
            matches!(found, Found::Text(_)) && found.append_name(&mut name) == Ok(true) && name == *text
        }
        Tree::List(_) | Tree::Map(_) => false,
    }
}

fn all_found<'a, C: Cursor<'a>>(cursor: &C, tree: &Tree) {
    let mut wanted = Vec::new();
    leaves(tree, "", &mut wanted);
    for chunk in wanted.chunks(64) {
        let paths: Vec<&str> = chunk.iter().map(|(path, _)| path.as_str()).collect();
        let found = find_first(cursor.clone(), &paths).unwrap();
        for ((path, leaf), found) in chunk.iter().zip(found) {
            assert!(same(&found, leaf), "{path}: {leaf:?} was read as {found:?}");
        }
    }
}

fn to_json(tree: &Tree) -> serde_json::Value {
    use serde_json::Value;
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(bool) => (*bool).into(),
        Tree::Integer(integer) => {
            u64::try_from(*integer).map_or_else(|_| i64::try_from(*integer).unwrap().into(), Value::from)
        }
        Tree::Float(float) => (*float).into(),
        Tree::Text(text) => text.clone().into(),
        Tree::List(items) => items.iter().map(to_json).collect(),
        Tree::Map(members) => members
            .iter()
            .map(|(name, item)| (name.clone(), to_json(item)))
            .collect(),
    }
}

fn to_cbor(tree: &Tree) -> ciborium::Value {
    use ciborium::Value;
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(bool) => Value::Bool(*bool),
        Tree::Integer(integer) => Value::Integer((*integer).try_into().unwrap()),
        Tree::Float(float) => Value::Float(*float),
        Tree::Text(text) => Value::Text(text.clone()),
        Tree::List(items) => Value::Array(items.iter().map(to_cbor).collect()),
        Tree::Map(members) => Value::Map(
            members
                .iter()
                .map(|(name, item)| (Value::Text(name.clone()), to_cbor(item)))
                .collect(),
        ),
    }
}

fn to_msgpack(tree: &Tree) -> rmpv::Value {
    use rmpv::Value;
    match tree {
        Tree::Null => Value::Nil,
        Tree::Bool(bool) => (*bool).into(),
        Tree::Integer(integer) => {
            u64::try_from(*integer).map_or_else(|_| i64::try_from(*integer).unwrap().into(), Value::from)
        }
        #[expect(clippy::cast_possible_truncation, reason = "compared with the original")]
        Tree::Float(float) if f64::from(*float as f32).to_bits() == float.to_bits() => Value::F32(*float as f32),
        Tree::Float(float) => Value::F64(*float),
        Tree::Text(text) => text.as_str().into(),
        Tree::List(items) => Value::Array(items.iter().map(to_msgpack).collect()),
        Tree::Map(members) => Value::Map(
            members
                .iter()
                .map(|(name, item)| (name.as_str().into(), to_msgpack(item)))
                .collect(),
        ),
    }
}

pub(super) fn cbor_of(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&to_cbor(tree), &mut bytes).unwrap();
    bytes
}

pub(super) fn msgpack_of(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &to_msgpack(tree)).unwrap();
    bytes
}

fn taken<'a>(cursor: impl Cursor<'a>) -> Result<()> {
    find_first(cursor, &["", "a.b[0]", "[?a=1].b", "*.{x}"]).map(|_| ())
}

/// Bytes that are likely to be well-formed: short heads with few bytes behind them.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let head = prop_oneof![
        any::<u8>(),
        0_u8..4,
        0x40_u8..0x44,
        0x60_u8..0x64,
        0x80_u8..0xa4,
        0xc0_u8..0xe0,
        0xf4_u8..=0xff
    ];
    prop::collection::vec(head, 0..14)
}

proptest! {
    #[test]
    fn json_is_read_as_serde_json_writes_it(tree in trees()) {
        let text = serde_json::to_vec(&to_json(&tree)).unwrap();
        all_found(&json::Cursor::new(&text), &tree);
        let pretty = serde_json::to_vec_pretty(&to_json(&tree)).unwrap();
        all_found(&json::Cursor::new(&pretty), &tree);
    }

    #[test]
    fn cbor_is_read_as_ciborium_writes_it(tree in trees()) {
        all_found(&cbor::Cursor::new(&cbor_of(&tree)), &tree);
    }

    #[test]
    fn msgpack_is_read_as_rmpv_writes_it(tree in trees()) {
        all_found(&msgpack::Cursor::new(&msgpack_of(&tree)), &tree);
    }

    #[test]
    fn every_truncation_is_told(tree in trees(), more in any::<u8>()) {
        let (mut cbor, mut msgpack) = (cbor_of(&tree), msgpack_of(&tree));
        for end in 0..cbor.len() {
            prop_assert_eq!(taken(cbor::Cursor::new(&cbor[..end])), Err(CoreError::Truncated));
        }
        for end in 0..msgpack.len() {
            prop_assert_eq!(taken(msgpack::Cursor::new(&msgpack[..end])), Err(CoreError::Truncated));
        }
        cbor.push(more);
        msgpack.push(more);
        prop_assert_eq!(taken(cbor::Cursor::new(&cbor)), Err(CoreError::Corrupt));
        prop_assert_eq!(taken(msgpack::Cursor::new(&msgpack)), Err(CoreError::Corrupt));
    }

    #[test]
    fn json_is_taken_when_serde_json_takes_it(text in "[\\[\\]{}\",:0-2eE.+\\-tab\\\\u ]{0,16}|[0-9.eE+-]{1,8}|\"[\\\\u0-9a-f\"]{0,9}\"") {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        let mine = taken(json::Cursor::new(text.as_bytes()));
        // Numbers beyond binary64 are refused there, and here only where they are wanted.
        prop_assert!(theirs.is_err() || mine.is_ok(), "{:?}", theirs);
        prop_assert!(mine.is_err() || theirs.as_ref().map_or_else(|error| error.to_string().contains("out of range"), |_| true), "{:?}", theirs);
    }

    #[test]
    fn cbor_that_ciborium_takes_is_taken(bytes in heads()) {
        let mut rest = &bytes[..];
        let theirs = ciborium::from_reader::<ciborium::Value, _>(&mut rest);
        let mine = taken(cbor::Cursor::new(&bytes));
        if theirs.is_ok() && rest.is_empty() {
            // Maps whose keys are maps or arrays are not read here.
            prop_assert!(matches!(mine, Ok(()) | Err(CoreError::Foreign)), "{:?} but {:?}", theirs, mine);
        }
    }

    #[test]
    fn msgpack_is_taken_when_rmpv_takes_it(bytes in heads()) {
        let mut rest = &bytes[..];
        let theirs = rmpv::decode::read_value_ref(&mut rest).is_ok() && rest.is_empty();
        let mine = taken(msgpack::Cursor::new(&bytes));
        // Maps whose keys are maps or arrays are not read here; rmpv takes the reserved 0xc1 for nil, and any timestamp.
        let known = mine == Err(CoreError::Foreign) || bytes.iter().any(|byte| [0xc1, 0xff].contains(byte));
        prop_assert!(known || theirs == mine.is_ok(), "{} {:?}", theirs, mine);
    }
}

#[test]
fn cbor_of_the_standard_is_read() {
    // RFC 8949, appendix A.
    let number = |number: f64| Found::Number(number);
    for (bytes, found) in [
        (&[0xf9, 0x00, 0x01][..], number(5.960_464_477_539_063e-8)),
        (&[0xf9, 0x04, 0x00], number(6.103_515_625e-5)),
        (&[0xf9, 0x7b, 0xff], number(65504.0)),
        (&[0xf9, 0xc4, 0x00], number(-4.0)),
        (&[0xf9, 0x7c, 0x00], number(f64::INFINITY)),
        (&[0xfa, 0x47, 0xc3, 0x50, 0x00], number(100_000.0)),
        (
            &[0xc2, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            number(18_446_744_073_709_551_616.0),
        ),
        (
            &[0xc3, 0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            number(-18_446_744_073_709_551_616.0),
        ),
        (
            &[0x3b, 255, 255, 255, 255, 255, 255, 255, 255],
            number(-18_446_744_073_709_551_616.0),
        ),
        (&[0xc4, 0x82, 0x21, 0x19, 0x6a, 0xb3], number(273.15)),
        // §3.4.4: 3 times 2 to the power of -1; and beyond what binary64 holds.
        (&[0xc5, 0x82, 0x20, 0x03], number(1.5)),
        (&[0xc5, 0x82, 0x19, 0xff, 0xff, 0x20], number(f64::NEG_INFINITY)),
        (&[0xc1, 0x1a, 0x51, 0x4b, 0x67, 0xb0], number(1_363_896_240.0)),
        (&[0xf6], Found::Other),
        (&[0xf7], Found::Other),
        (&[0xf0], Found::Other),
        (&[0xf8, 0xff], Found::Other),
        (&[0x5f, 0x42, 1, 2, 0x41, 3, 0xff], Found::Other),
        (&[0x7f, 0x61, b'a', 0x61, b'b', 0xff], Found::Other),
    ] {
        assert_eq!(
            find_first(cbor::Cursor::new(bytes), &[""]),
            Ok(vec![found]),
            "{bytes:x?}"
        );
    }
    let indefinite = [0xbf, 0x61, b'a', 0x9f, 1, 0x82, 2, 3, 0xff, 0x20, 5, 0xff];
    let found = find_first(cbor::Cursor::new(&indefinite), &["a[1][0]", "['-1']", "{k}"]).unwrap();
    assert_eq!(found[..2], [number(2.0), number(5.0)]);
    for (bytes, error) in [
        (&[0x1c][..], CoreError::Corrupt),
        (&[0x1f], CoreError::Corrupt),
        (&[0xdf, 0], CoreError::Corrupt),
        (&[0xff], CoreError::Corrupt),
        (&[0xf8, 0x10], CoreError::Corrupt),
        (&[0x5f, 0x61, b'a', 0xff], CoreError::Corrupt),
        (&[0xbf, 1, 0xff], CoreError::Corrupt),
        (&[0xa1, 0x80, 1], CoreError::Foreign),
        (&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255, 1], CoreError::Truncated),
        (&[0x5b, 255, 255, 255, 255, 255, 255, 255, 255, 1], CoreError::Truncated),
        (&[0x81; 100], CoreError::Limit),
        (&[0xc1; 100], CoreError::Truncated),
    ] {
        assert_eq!(taken(cbor::Cursor::new(bytes)), Err(error), "{bytes:x?}");
    }
}

#[test]
fn msgpack_timestamps_are_times() {
    for bytes in [
        &[0xd6, 0xff, 0x68, 0xe7, 0x78, 0x00][..],
        &[0xd7, 0xff, 0, 0, 0, 0, 0x68, 0xe7, 0x78, 0x00],
        &[0xc7, 12, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x68, 0xe7, 0x78, 0x00],
    ] {
        let found = find_first(msgpack::Cursor::new(bytes), &[""]);
        assert_eq!(found, Ok(vec![Found::Time(1_760_000_000_000.0)]), "{bytes:x?}");
    }
    let half = [0xd7, 0xff, 0x77, 0x35, 0x94, 0x00, 0x68, 0xe7, 0x78, 0x00];
    assert_eq!(
        find_first(msgpack::Cursor::new(&half), &[""]),
        Ok(vec![Found::Time(1_760_000_000_500.0)])
    );
    assert!(taken(msgpack::Cursor::new(&[0xd7, 0xff, 255, 255, 255, 255, 0, 0, 0, 0])).is_err());
    assert_eq!(taken(msgpack::Cursor::new(&[0xc1])), Err(CoreError::Corrupt));
    assert_eq!(taken(msgpack::Cursor::new(&[0x91; 100])), Err(CoreError::Limit));
}
