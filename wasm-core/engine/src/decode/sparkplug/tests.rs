//! Metrics of every kind, and payloads that are none.

use super::*;
use proptest::prelude::*;

/// A payload of time 5 and seq 7 with the metrics t (alias 1, Int8 −1 as 32 bits), u (double 2.5) and a null.
const VECTOR: &[u8] = &[
    0x08, 0x05, // timestamp
    0x12, 0x0d, 0x0a, 0x01, b't', 0x10, 0x01, 0x20, 0x01, 0x50, 0xff, 0xff, 0xff, 0xff, 0x0f, // t
    0x12, 0x10, 0x0a, 0x01, b'u', 0x18, 0x09, 0x20, 0x0a, 0x69, 0, 0, 0, 0, 0, 0, 0x04, 0x40, // u
    0x12, 0x07, 0x0a, 0x01, b'n', 0x20, 0x0a, 0x38, 0x01, // n
    0x18, 0x07, // seq
];

#[test]
fn metrics_have_the_value_that_their_type_says() {
    let payload = Payload::parse(VECTOR, Vec::new()).unwrap();
    assert_eq!((payload.time, payload.seq), (Some(5), Some(7)));
    let found: Vec<Found> = payload.metrics().map(|metric| metric.found(metric.datatype)).collect();
    assert_eq!(found, [Found::Number(-1.0), Found::Number(2.5), Found::Other]);
    let metric = payload.metrics().next().unwrap();
    assert_eq!((metric.name, metric.alias), (Some(&b"t"[..]), Some(1)));
}

#[test]
fn integers_of_every_size_and_sign_are_read() {
    for (datatype, bits, value) in [
        (1, 0xff, -1.0),
        (1, u64::MAX, -1.0),
        (2, 0xffff_8000, -32768.0),
        (3, 0xffff_ffff, -1.0),
        (4, u64::MAX, -1.0),
        (5, 0xff, 255.0),
        (8, 1 << 40, 1_099_511_627_776.0),
        (0, 7, 7.0),
    ] {
        let metric = Metric {
            value: Raw::Integer(bits),
            ..Metric::default()
        };
        assert_eq!(metric.found(datatype).number(), Some(value), "{datatype} {bits}");
    }
}

#[test]
fn what_is_no_number_gives_no_value_and_what_stands_beside_one_is_passed_over() {
    // Property 9 (and metadata 8) beside a value; a data set 16 and a template 17 for one; a null with a value.
    let beside = [
        0x0a, 1, b'p', 0x42, 2, 0x08, 1, 0x4a, 3, 0x0a, 1, b'q', 0x20, 10, 0x28, 1, 0x50, 7,
    ];
    let set = [0x0a, 1, b's', 0x20, 16, 0x82, 0x01, 2, 0x08, 1];
    let template = [0x0a, 1, b'm', 0x20, 19, 0x8a, 0x01, 2, 0x28, 1];
    let null = [0x0a, 1, b'n', 0x20, 10, 0x38, 1, 0x69, 0, 0, 0, 0, 0, 0, 0x04, 0x40];
    let metrics: [(&[u8], Found); 4] = [
        (&beside, Found::Number(7.0)),
        (&set, Found::Other),
        (&template, Found::Other),
        (&null, Found::Other),
    ];
    let mut bytes = Vec::new();
    for (metric, _) in &metrics {
        bytes.extend([0x12, u8::try_from(metric.len()).unwrap()]);
        bytes.extend(*metric);
    }
    let payload = Payload::parse(&bytes, Vec::new()).unwrap();
    let found = payload.metrics().map(|metric| metric.found(metric.datatype));
    assert!(found.eq(metrics.iter().map(|(_, found)| *found)));
    assert!(payload.metrics().next().unwrap().historical);
}

#[test]
fn metrics_behind_those_that_are_kept_are_read_all_the_same() {
    let metric = |n: u8| [0x12, 5, 0x0a, 1, b'a' + n % 26, 0x50, n];
    let mut bytes: Vec<u8> = (0..100).flat_map(metric).collect();
    bytes.extend([0x08, 5]);
    let payload = Payload::parse(&bytes, Vec::new()).unwrap();
    let values = payload.metrics().map(|metric| metric.value);
    assert!(values.eq((0..100).map(Raw::Integer)));
    assert_eq!((payload.time, payload.into_kept().len()), (Some(5), KEPT_MAX));
}

#[test]
fn what_is_cut_is_refused_and_what_nodes_control_is_no_reading() {
    for end in 3..VECTOR.len() {
        let cut = Payload::parse(&VECTOR[..end], Vec::new());
        // Between two fields a payload may end.
        assert!(cut.is_err() || [17, 35, 44].contains(&end), "{end}");
    }
    for name in ["bdSeq", "Node Control/Rebirth"] {
        let metric = Metric {
            name: Some(name.as_bytes()),
            value: Raw::Integer(1),
            ..Metric::default()
        };
        assert_eq!(metric.found(8), Found::Other);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(payload) = Payload::parse(&bytes, Vec::new()) {
            let _ = payload.metrics().count();
        }
    }
}
