//! Payloads with shapes and without: what is read, and what is refused, is the same.

use super::super::differential::{Tree, cbor_of, msgpack_of};
use super::super::influx::Precision;
use super::super::path::Path;
use super::super::testing;
use super::*;
use proptest::prelude::*;

const PATHS: [&str; 6] = ["a", "b.c", "b.d[1]", "e", "b.d[0].x", "f.g"];

fn selection(paths: &[&str]) -> Selection {
    let paths: Vec<Path> = paths.iter().map(|path| Path::parse(path).unwrap()).collect();
    Selection::new(&paths).unwrap()
}

/// What a payload says, to the last bit.
fn says(read: Result<()>, selection: &Selection, decoded: &Decoded) -> String {
    match read {
        Ok(()) => {
            let found = (0..selection.routes.len()).map(|path| decoded.whole(selection, path));
            let found: Vec<Found> = found.collect();
            format!("{found:?} {:?}", testing::rows(selection, &decoded.rows))
        }
        Err(error) => format!("{error:?}"),
    }
}

/// Reads `payloads` one after the other with shapes and without; true for those that were of a known shape.
fn compare_as(format: &Format, payloads: &[Vec<u8>], paths: &[&str]) -> Vec<bool> {
    let mut selection = selection(paths);
    if *format == Format::Senml {
        let placed = paths
            .iter()
            .map(|path| format.place(Path::parse(path).unwrap()).unwrap());
        selection = Selection::new(&placed.collect::<Vec<_>>()).unwrap();
        selection.in_records(format.members());
    }
    let (mut shapes, mut last) = (Shapes::default(), 0);
    let known = payloads.iter().map(|payload| {
        let (mut with, mut without) = (Decoded::default(), Decoded::default());
        let before = shapes.credit;
        let read = shapes.decode(&mut last, format, payload, 0.0, &selection, &mut with);
        let plain = decode(format, payload, 0.0, &selection, &mut without);
        let text = String::from_utf8_lossy(payload);
        assert_eq!(
            says(read, &selection, &with),
            says(plain, &selection, &without),
            "{text}"
        );
        shapes.credit > before
    });
    known.collect()
}

fn compare(payloads: &[Vec<u8>], paths: &[&str]) -> Vec<bool> {
    compare_as(&Format::Json, payloads, paths)
}

fn texts(payloads: &[&str]) -> Vec<Vec<u8>> {
    payloads.iter().map(|payload| payload.as_bytes().to_vec()).collect()
}

#[test]
fn a_payload_with_other_values_is_of_the_same_shape() {
    let payloads = texts(&[
        r#"{"a":1,"b":{"c":"x","d":[{"x":2},3]},"e":true}"#,
        r#"{"a":-12.5e3,"b":{"c":"x\u00e9\"y","d":[{"x":null},"3"]},"e":1e999}"#,
        r#"{"a":1,"b":{"c":"x","d":[{"x":2},3]},"e":true}"#,
        r#"{"a":10,"b":{"c":"","d":[{"x":20},9007199254740993]},"e":false}"#,
    ]);
    assert_eq!(compare(&payloads, &PATHS), [false, true, true, true]);
    let payloads = texts(&[
        r#"[{"t":1,"n":"a"},{"t":2,"n":"b"}]"#,
        r#"[{"t":10,"n":"a"},{"t":"","n":"bc"}]"#,
        r#"[{"t":1,"n":"a"},{"t":2,"n":"b"}]"#,
    ]);
    assert_eq!(compare(&payloads, &["*.t", "*.n", "[1].t"]), [false, true, true]);
    let payloads = texts(&[
        "m,a=b value=1,on=t 1700000000000000000\n",
        "m,a=b value=-2.5e3,on=f 1700000000000000001\n",
        "m,a=xyz value=1i,on=\"t\" 17\n",
    ]);
    let format = Format::Influx(Precision::Nanoseconds);
    let paths = ["*.fields.value", "*.fields.on", "*.tags.a", "*.time"];
    assert_eq!(compare_as(&format, &payloads, &paths), [false, true, true]);
}

/// Of every record of a pack, and of those of one name.
const OF_PACKS: [&str; 6] = ["[?n=a].v", "[?name=dev:b].v", "[?n=a].t", "[?n=b].t", "vs", "u"];

#[test]
fn a_pack_of_the_same_shape_is_resolved_anew() {
    let payloads = texts(&[
        r#"[{"bn":"dev:","bt":1e9,"bv":5,"n":"a","v":1},{"n":"b","v":2,"t":3},{"n":"c","vs":"x","u":"%","own":1}]"#,
        r#"[{"bn":"dev:","bt":-2,"bv":5.5,"n":"a","v":1},{"n":"b","v":20,"t":0.5},{"n":"c","vs":"yz","u":"K","own":2}]"#,
        r#"[{"bn":"x:","bt":1e9,"bv":0,"n":"b","v":1},{"n":"a","v":2,"t":3},{"n":"","vs":"","u":"","own":null}]"#,
    ]);
    assert_eq!(compare_as(&Format::Senml, &payloads, &OF_PACKS), [false, true, true]);
    // What a label does not have, two values, a later version, what is further in: as without a shape.
    let payloads = texts(&[
        r#"[{"n":"a","v":1},{"n":"b","v":2,"bver":5}]"#,
        r#"[{"n":"a","v":"1"},{"n":"b","v":2,"bver":5}]"#,
        r#"[{"n":"a","v":null},{"n":"b","v":2,"bver":5}]"#,
        r#"[{"n":1,"v":1},{"n":"b","v":2,"bver":5}]"#,
        r#"[{"n":"a","v":1},{"n":"b","v":1e999,"bver":5}]"#,
        r#"[{"n":"a","v":1},{"n":"b","v":2,"bver":11}]"#,
        r#"[{"n":"a","v":[1]},{"n":"b","v":2,"bver":5}]"#,
        r#"[{"n":"a","v":1},{"n":"b","v":2,"bver":5},{"n":"c","v":1}]"#,
        r#"[{"n":"a","v":9},{"n":"b","v":8,"bver":10}]"#,
    ]);
    let known = compare_as(&Format::Senml, &payloads, &OF_PACKS);
    assert_eq!(known.iter().filter(|known| **known).count(), 1);
    assert!(known[8]);
    let payloads = texts(&[
        r#"[{"n":"a","v":1,"v":2,"new":{"x":1}}]"#,
        r#"[{"n":"a","v":1,"v":3,"new":{"x":1}}]"#,
    ]);
    assert_eq!(compare_as(&Format::Senml, &payloads, &OF_PACKS), [false, false]);
}

#[test]
fn text_that_only_begins_like_a_payload_is_not_learned() {
    let payloads = texts(&["000000000000007", "000000000000007", "0000000000000071"]);
    assert_eq!(compare_as(&Format::Auto, &payloads, &[""]), [false; 3]);
}

#[test]
fn a_payload_of_another_shape_is_read_without_one() {
    let payloads = texts(&[
        r#"{"a":1,"e":2}"#,
        r#"{"a":1, "e":2}"#,
        r#"{"e":1,"a":2}"#,
        r#"{"a":{},"e":2}"#,
        r#"{"a":1,"e":2,"f":3}"#,
        r#"{"a":1,"e":2} "#,
        r#"{"a":1,"e":2"#,
        r#"{"a":1,"e":2}}"#,
        r#"{"a":01,"e":2}"#,
        r#"{"a":1,"e":}"#,
        r#"{"a":"1,"e":2}"#,
        "",
    ]);
    let known = compare(&payloads, &PATHS);
    assert_eq!(known.iter().filter(|known| **known).count(), 0);
}

#[test]
fn a_name_that_stands_twice_counts_the_last_time() {
    let payloads = texts(&[
        r#"{"a":1,"a":2,"e":3}"#,
        r#"{"a":4,"a":"x","e":3}"#,
        r#"{"a":4,"a":2,"e":3}"#,
    ]);
    assert_eq!(compare(&payloads, &PATHS), [false, true, true]);
}

#[test]
fn payloads_that_never_fit_are_not_learned_for_ever() {
    let payloads: Vec<Vec<u8>> = (0..2000).map(|n| format!("{{\"name {n}\":1}}").into_bytes()).collect();
    let selection = selection(&["a"]);
    let (mut shapes, mut last, mut learned) = (Shapes::default(), 0, 0);
    for payload in &payloads {
        shapes
            .decode(
                &mut last,
                &Format::Json,
                payload,
                0.0,
                &selection,
                &mut Decoded::default(),
            )
            .unwrap();
        learned += u32::from(shapes.unknown == 0);
    }
    assert!(shapes.shapes.len() == SHAPES_MAX && learned <= 2000 / ATTEMPT_AFTER + CREDIT_MAX / LEARN_COST);
}

/// Scalars, some of them none.
fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        3 => "\"[a-c ,:{}\\[\\]é]{0,9}\"",
        1 => "\"[ab\"\\\\nu0/]{0,6}\"",
        2 => prop::sample::select(vec!["true", "false", "null"]).prop_map(String::from),
        1 => "[-+.0-9eEtrufalsn\"{}\\[\\], ]{0,5}",
    ]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let of = |template: &'static str| {
        prop::collection::vec(scalar(), 6).prop_map(move |values| {
            let mut text = String::from(template);
            for value in values {
                text = text.replacen('V', &value, 1);
            }
            text.into_bytes()
        })
    };
    let text = prop_oneof![
        5 => of(r#"{"a":V,"b":{"c":V,"d":[{"x":V},V]},"e":V}"#),
        2 => of("{ \"a\" : V ,\n \"f\" : { \"g\" : V } , \"a\" : V }"),
        2 => of(r#"[V,{"a":V},[V,V]]"#),
        1 => of("V"),
        1 => of(r#"{"a":V,"b":{},"e":[]}"#),
    ];
    (text, damage()).prop_map(|(text, damage)| damaged(text, damage))
}

/// Payloads of one layout in a binary format, with scalars of every width.
fn packed(pack: fn(&Tree) -> Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let scalar = || {
        prop_oneof![
            any::<u64>().prop_map(|bits| Tree::Integer((bits >> (bits % 64)).into())),
            (-70_000_i128..70_000).prop_map(Tree::Integer),
            any::<f64>()
                .prop_filter("same bits", |float| !float.is_nan())
                .prop_map(Tree::Float),
            any::<bool>().prop_map(Tree::Bool),
            Just(Tree::Null),
            "[a-zé]{0,40}".prop_map(Tree::Text),
            prop::collection::vec(Just(Tree::Null), 0..2).prop_map(Tree::List),
        ]
    };
    let map = |members: Vec<(&str, Tree)>| Tree::Map(members.into_iter().map(|(name, of)| (name.into(), of)).collect());
    let tree = prop::collection::vec(scalar(), 5).prop_map(move |scalars| {
        let [a, c, x, d, e] = <[Tree; 5]>::try_from(scalars).expect("five");
        let list = Tree::List(vec![map(vec![("x", x)]), d]);
        map(vec![("a", a), ("b", map(vec![("c", c), ("d", list)])), ("e", e)])
    });
    (tree, damage()).prop_map(move |(tree, damage)| damaged(pack(&tree), damage))
}

/// Where a payload is damaged, and how.
type Damage = Option<(prop::sample::Index, u8)>;

fn damage() -> impl Strategy<Value = Damage> {
    prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<u8>()))
}

fn damaged(mut payload: Vec<u8>, damage: Damage) -> Vec<u8> {
    if let Some((at, byte)) = damage
        && !payload.is_empty()
    {
        let at = at.index(payload.len());
        if byte < 40 {
            payload.truncate(at);
        } else {
            payload[at] = byte;
        }
    }
    payload
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        3 => "-?[0-9]{1,12}(\\.[0-9]{1,3})?[iu]?",
        1 => "\"[a-c ,=\\\\]{0,6}\"",
        1 => prop::sample::select(vec!["t", "F", "true"]).prop_map(String::from),
        1 => "[-+.0-9eEtf\"\\\\ ,=\r\n]{0,5}",
    ];
    let lines = (
        prop::collection::vec(value, 4),
        "[a-z]{0,3}",
        prop::sample::select(vec!["\n", "\r\n", "", " \n"]),
    );
    let text = lines.prop_map(|(values, tag, end)| {
        format!(
            "m,a={tag} value={},on={} 17{end}m value={} {}{end}",
            values[0], values[1], values[2], values[3]
        )
    });
    (text, damage()).prop_map(|(text, damage)| damaged(text.into_bytes(), damage))
}

fn pack() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        6 => "-?[0-9]{1,10}(\\.[0-9]{1,3})?(e[0-9])?",
        2 => prop::sample::select(vec!["\"a\"", "\"b\"", "\"\"", "true", "null", "1e999", "\"v\\u0061\"", "[1]"]).prop_map(String::from),
    ];
    let templates = prop::sample::select(vec![
        r#"[{"bn":"dev:","bt":V,"n":"a","v":V},{"n":"b","v":V,"t":V},{"n":"c","vs":"x","t":V}]"#,
        r#"[{"n":"a","v":V,"bv":V},{"n":V,"s":V,"bs":V},{"n":"b","vb":true,"own":V,"v":2}]"#,
        r#" [ {"bver":V, "n":"b", "u":V, "v":1}, {"n":"a", "V":V, "v":V} ]"#,
    ]);
    let text = (templates, prop::collection::vec(value, 6)).prop_map(|(template, values)| {
        let mut text = String::from(template);
        for value in values {
            text = text.replacen("V", &value, 1);
        }
        text.into_bytes()
    });
    (text, damage()).prop_map(|(text, damage)| damaged(text, damage))
}

/// A pack in CBOR: numbers for labels.
fn packed_pack() -> impl Strategy<Value = Vec<u8>> {
    let values = (any::<f64>(), -70_000_i128..70_000, "[ab]{1,2}", any::<bool>(), damage());
    values.prop_map(|(float, integer, name, flag, damage)| {
        let record = |members: Vec<(i128, Tree)>| {
            let label = |label: i128| ciborium::Value::Integer(label.try_into().unwrap());
            let of = |tree| match tree {
                Tree::Integer(whole) => ciborium::Value::Integer(whole.try_into().unwrap()),
                Tree::Float(float) => ciborium::Value::Float(float),
                Tree::Text(text) => ciborium::Value::Text(text),
                _ => ciborium::Value::Bool(flag),
            };
            ciborium::Value::Map(
                members
                    .into_iter()
                    .map(|(name, tree)| (label(name), of(tree)))
                    .collect(),
            )
        };
        let pack = ciborium::Value::Array(vec![
            record(vec![
                (-2, Tree::Text("dev:".into())),
                (-3, Tree::Integer(integer)),
                (0, Tree::Text(name)),
                (2, Tree::Float(float)),
            ]),
            record(vec![
                (0, Tree::Text("b".into())),
                (6, Tree::Integer(integer)),
                (2, Tree::Integer(integer)),
            ]),
            record(vec![(0, Tree::Text("a".into())), (4, Tree::Null)]),
        ]);
        let mut bytes = Vec::new();
        ciborium::into_writer(&pack, &mut bytes).unwrap();
        damaged(bytes, damage)
    })
}

proptest! {
    #[test]
    fn packs_with_shapes_are_packs_without(json in prop::collection::vec(pack(), 1..24), cbor in prop::collection::vec(packed_pack(), 1..24)) {
        compare_as(&Format::Senml, &json, &OF_PACKS);
        compare_as(&Format::Senml, &cbor, &OF_PACKS);
        let both: Vec<Vec<u8>> = json.into_iter().zip(cbor).flat_map(|(one, other)| [one, other]).collect();
        compare_as(&Format::Senml, &both, &["name", "v", "t"]);
    }

    #[test]
    fn every_payload_says_the_same_with_shapes_and_without(payloads in prop::collection::vec(payload(), 1..24)) {
        compare(&payloads, &PATHS);
        compare(&payloads, &["[0]", "[1].a", "[2][1]", "a", ""]);
    }

    #[test]
    fn shapes_of_binary_formats_change_nothing(cbor in prop::collection::vec(packed(cbor_of), 1..24), msgpack in prop::collection::vec(packed(msgpack_of), 1..24)) {
        let paths = ["a", "b.c", "b.d[1]", "e", "b.d[*].x", "f.g"];
        compare_as(&Format::Cbor, &cbor, &paths);
        compare_as(&Format::Msgpack, &msgpack, &paths);
    }

    #[test]
    fn shapes_of_lines_change_nothing(lines in prop::collection::vec(line(), 1..24)) {
        let format = Format::Influx(Precision::Milliseconds);
        compare_as(&format, &lines, &["*.fields.value", "*.fields.on", "*.tags.a", "*.time", "*.measurement"]);
        compare_as(&format, &lines, &["[1].fields.value", "[0].time", "*.fields.value"]);
    }
}
