//! Laws of statistics and their merge (design.md, invariant 10), over both forms: what comes out depends on the set of
//! gateways and their newest statistics, and on nothing else; hostile statistics are refused and leave no trace.

use proptest::prelude::*;
use rivulet_engine::codec::{Reader, Writer};
use rivulet_engine::error::CoreError;
use rivulet_engine::merge::Merge;
use rivulet_engine::release::ReleaseModel;
use rivulet_engine::statistics::{CLASSES_MAX, ClassStatistics, CoMoments, Statistics, VALUE_ABS_MAX};
use sha2::{Digest, Sha256};

const FORMS: [u8; 2] = [1, 2];
const RIDGE: f64 = 1e-4;

/// Numbers from a seed, so that a failing case is repeated by its seed (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// In −1 … 1.
    fn even(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }
}

/// One row: features around different levels and on different scales, a target and a label that depend on them.
fn row(numbers: &mut Numbers, d: usize) -> (Vec<f64>, f64, String) {
    let x: Vec<f64> = (0..d)
        .map(|i| [20.0, 400.0, 0.0, -3e5][i % 4] + [1.0, 150.0, 1e-3, 2e4][i % 4] * numbers.even())
        .collect();
    let y = x
        .iter()
        .enumerate()
        .map(|(i, v)| v * [0.5, -0.01, 100.0, 1e-4][i % 4])
        .sum::<f64>()
        + 0.1 * numbers.even();
    let label = ["occupied", "empty", "über", "", "cleaning"][numbers.below(5).min((y.abs() * 1e3) as usize % 5)];
    (x, y, label.to_owned())
}

fn empty(form: u8, d: usize) -> Statistics {
    if form == 1 {
        Statistics::CoMoments(CoMoments::new(d))
    } else {
        Statistics::Classes(ClassStatistics::new(d))
    }
}

fn push(statistics: &mut Statistics, (x, y, label): &(Vec<f64>, f64, String)) {
    assert!(match statistics {
        Statistics::CoMoments(statistics) => statistics.push(x, *y),
        Statistics::Classes(statistics) => statistics.push(x, label),
    });
}

fn statistics(form: u8, d: usize, rows: usize, seed: u64) -> Statistics {
    let mut numbers = Numbers(seed);
    let mut statistics = empty(form, d);
    for _ in 0..rows {
        push(&mut statistics, &row(&mut numbers, d));
    }
    statistics
}

fn bytes(statistics: &Statistics) -> Vec<u8> {
    let mut writer = Writer::new();
    statistics.encode(&mut writer);
    writer.into_vec()
}

/// Hashes in eight buckets only, so that some gateways share one and others do not.
fn gateway(id: usize) -> [u8; 32] {
    let mut hash: [u8; 32] = Sha256::digest(format!("gateway-{id}")).into();
    hash[0] &= 0x81;
    hash[1] &= 0x1f;
    hash
}

/// A merge driven through its bytes, as the coordinator drives it.
struct Fleet {
    merge: Merge,
}

impl Fleet {
    fn open(form: u8, d: usize) -> Self {
        let mut fleet = Self { merge: Merge::new() };
        fleet
            .operate(|input| {
                input.u8(1);
                input.bytes(&schema(d));
                input.u8(form);
            })
            .unwrap();
        fleet
    }

    fn operate(&mut self, write: impl FnOnce(&mut Writer)) -> Result<Vec<u8>, CoreError> {
        let mut input = Writer::new();
        write(&mut input);
        let mut out = Writer::new();
        self.merge.operate(input.as_slice(), &mut out).map(|()| out.into_vec())
    }

    fn put_bytes(&mut self, gateway: [u8; 32], statistics: &[u8]) -> Result<Vec<u8>, CoreError> {
        self.operate(|input| {
            input.u8(2);
            input.raw(&gateway);
            input.bytes(statistics);
        })
    }

    fn put(&mut self, id: usize, statistics: &Statistics) {
        self.put_bytes(gateway(id), &bytes(statistics)).unwrap();
    }

    fn remove(&mut self, id: usize) {
        self.operate(|input| {
            input.u8(3);
            input.raw(&gateway(id));
        })
        .unwrap();
    }

    fn measure(&mut self) -> Vec<u8> {
        self.operate(|input| input.u8(5)).unwrap()
    }

    fn solve(&mut self) -> Result<Vec<u8>, CoreError> {
        self.operate(|input| {
            input.u8(4);
            input.f64(RIDGE);
            input.bool(false);
        })
    }
}

fn schema(d: usize) -> Vec<u8> {
    let features: Vec<String> = (0..d).map(|i| format!("\"room, {i}.\\\"co2\\\"\"")).collect();
    format!(
        "{{\"task\":\"t\",\"kind\":\"regression\",\"target\":\"y\",\"horizon_ms\":0,\"features\":[{}]}}",
        features.join(",")
    )
    .into_bytes()
}

fn model(solved: &[u8]) -> (u32, f64, ReleaseModel) {
    let mut reader = Reader::new(solved);
    let (gateways, rows) = (reader.u32().unwrap(), reader.f64().unwrap());
    let model = ReleaseModel::decode(reader.bytes().unwrap()).unwrap();
    (gateways, rows, model)
}

fn close(left: f64, right: f64, scale: f64) -> bool {
    (left - right).abs() <= 1e-9 * scale.abs().max(f64::MIN_POSITIVE)
}

/// Asserts that two sets of statistics agree within 1e-9 of each column's own scale.
fn assert_close(left: &Statistics, right: &Statistics) {
    assert_eq!(left.n(), right.n());
    let (means, scatters, order) = match (left, right) {
        (Statistics::CoMoments(a), Statistics::CoMoments(b)) => {
            (vec![(a.means(), b.means())], (a.scatter(), b.scatter()), a.d() + 1)
        }
        (Statistics::Classes(a), Statistics::Classes(b)) => {
            assert_eq!(a.classes().len(), b.classes().len());
            let means = a.classes().iter().zip(b.classes()).map(|(a, b)| {
                assert_eq!((&a.label, a.n), (&b.label, b.n));
                (&a.means[..], &b.means[..])
            });
            (means.collect(), (a.scatter(), b.scatter()), a.d())
        }
        _ => panic!("statistics of two forms"),
    };
    for (a, b) in means {
        a.iter()
            .zip(b)
            .for_each(|(a, b)| assert!(close(*a, *b, *a), "means {a} and {b}"));
    }
    let deviation = |i: usize| scatters.0[i * (i + 1) / 2 + i].sqrt();
    for i in 0..order {
        for j in 0..=i {
            let at = i * (i + 1) / 2 + j;
            let (a, b) = (scatters.0[at], scatters.1[at]);
            assert!(close(a, b, deviation(i) * deviation(j)), "scatter {i} {j}: {a} and {b}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_repeats_and_replaced_statistics_leave_no_trace_in_the_bits(
        seed: u64, form in prop::sample::select(&FORMS[..]), gateways in 1usize..60, d in 0usize..7,
    ) {
        let newest: Vec<_> = (0..gateways).map(|id| statistics(form, d, 20, seed ^ id as u64)).collect();
        let mut straight = Fleet::open(form, d);
        newest.iter().enumerate().for_each(|(id, statistics)| straight.put(id, statistics));

        let mut numbers = Numbers(seed);
        let mut disturbed = Fleet::open(form, d);
        for id in (0..gateways).rev() {
            if numbers.below(2) == 0 {
                disturbed.put(id, &statistics(form, d, 7, seed ^ 0xabc ^ id as u64));
            }
            if numbers.below(3) == 0 {
                let _ = disturbed.solve();
            }
            disturbed.put(id, &newest[id]);
        }
        for _ in 0..gateways {
            let id = numbers.below(gateways);
            disturbed.put(id, &newest[id]);
        }
        prop_assert_eq!(straight.solve(), disturbed.solve());
    }

    #[test]
    fn removal_equals_never_had_and_re_adding_equals_never_removed(
        seed: u64, form in prop::sample::select(&FORMS[..]), gateways in 2usize..60, d in 0usize..7,
    ) {
        let newest: Vec<_> = (0..gateways).map(|id| statistics(form, d, 20, seed ^ id as u64)).collect();
        let mut numbers = Numbers(seed);
        let leaves: Vec<bool> = (0..gateways).map(|_| numbers.below(2) == 0).collect();
        let mut never_had = Fleet::open(form, d);
        let mut fleet = Fleet::open(form, d);
        for id in 0..gateways {
            fleet.put(id, &newest[id]);
            if !leaves[id] {
                never_had.put(id, &newest[id]);
            }
        }
        let whole = fleet.solve();
        (0..gateways).filter(|id| leaves[*id]).for_each(|id| fleet.remove(id));
        prop_assert_eq!(fleet.solve(), never_had.solve());
        (0..gateways).filter(|id| leaves[*id]).for_each(|id| fleet.put(id, &newest[id]));
        prop_assert_eq!(fleet.solve(), whole);
    }

    #[test]
    fn merged_statistics_equal_those_of_the_pooled_rows(
        seed: u64, form in prop::sample::select(&FORMS[..]), cuts in prop::collection::vec(1usize..200, 1..12), d in 1usize..9,
    ) {
        let mut numbers = Numbers(seed);
        let mut pooled = empty(form, d);
        let mut merged = empty(form, d);
        for rows in cuts {
            let mut part = empty(form, d);
            for _ in 0..rows {
                let row = row(&mut numbers, d);
                push(&mut pooled, &row);
                push(&mut part, &row);
            }
            merged.merge(&part).unwrap();
        }
        assert_close(&pooled, &merged);
        prop_assert_eq!(merged.check(), Ok(()));
    }

    #[test]
    fn honest_statistics_pass_the_check_and_survive_their_bytes(
        seed: u64, form in prop::sample::select(&FORMS[..]), rows in 0usize..300, d in 0usize..12,
    ) {
        let honest = statistics(form, d, rows, seed);
        prop_assert_eq!(honest.check(), Ok(()));
        prop_assert_eq!(Statistics::decode(&bytes(&honest)), Ok(honest.clone()));
        let mut saved = Writer::new();
        honest.save(&mut saved);
        prop_assert_eq!(Statistics::load(&mut Reader::new(saved.as_slice())), Ok(honest));
    }

    #[test]
    fn mutilated_statistics_never_crash_and_a_refusal_changes_nothing(
        seed: u64, form in prop::sample::select(&FORMS[..]), d in 0usize..5, at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
    ) {
        let honest = bytes(&statistics(form, d, 40, seed));
        let mut fleet = Fleet::open(form, d);
        fleet.put(1, &statistics(form, d, 40, seed ^ 1));
        let before = fleet.solve();
        let mut changed = honest.clone();
        changed[at.index(honest.len())] = byte;
        if fleet.put_bytes(gateway(2), &changed).is_ok() {
            let _ = fleet.solve();
            fleet.remove(2);
        }
        prop_assert_eq!(fleet.put_bytes(gateway(2), &honest[..cut.index(honest.len())]), Err(CoreError::Truncated));
        prop_assert_eq!(fleet.solve(), before);
    }
}

#[test]
fn ridge_of_the_fleet_finds_the_law_behind_the_rows() {
    let mut fleet = Fleet::open(1, 4);
    (0..50).for_each(|id| fleet.put(id, &statistics(1, 4, 200, id as u64)));
    let (gateways, rows, model) = model(&fleet.solve().unwrap());
    assert_eq!((gateways, rows), (50, 10_000.0));
    let ReleaseModel::Ridge {
        coefficients,
        residual_sd,
        ..
    } = &model
    else {
        panic!("a ridge")
    };
    for (found, expected) in coefficients.iter().zip([0.5, -0.01, 100.0, 1e-4]) {
        assert!((found / expected - 1.0).abs() < 0.05, "{found} is not near {expected}");
    }
    assert!(
        (residual_sd - 0.1 / 3f64.sqrt()).abs() < 2e-3,
        "the noise is {residual_sd}"
    );
    let (x, y, _) = row(&mut Numbers(99), 4);
    assert!((model.value(&x) - y).abs() < 0.2);
}

#[test]
fn a_feature_that_is_the_same_everywhere_gets_coefficient_zero() {
    let mut fleet = Fleet::open(1, 2);
    for id in 0..3 {
        let mut numbers = Numbers(id);
        let mut statistics = CoMoments::new(2);
        for _ in 0..50 {
            let x = numbers.even();
            assert!(statistics.push(&[x, 21.3], 3.0 * x + 1.0));
        }
        fleet.put(id as usize, &Statistics::CoMoments(statistics));
    }
    let (_, _, model) = model(&fleet.solve().unwrap());
    let ReleaseModel::Ridge { coefficients, .. } = &model else {
        panic!("a ridge")
    };
    assert_eq!(coefficients[1], 0.0);
    assert!((model.value(&[0.5, 21.3]) - 2.5).abs() < 1e-3);
}

#[test]
fn lda_of_the_fleet_tells_classes_apart_that_no_gateway_had_together() {
    let mut fleet = Fleet::open(2, 3);
    for id in 0..9 {
        let mut numbers = Numbers(id);
        let mut statistics = ClassStatistics::new(3);
        for _ in 0..80 {
            let class = id as usize % 3;
            // The last feature is constant within each class.
            let x = [
                400.0 + 300.0 * class as f64 + 40.0 * numbers.even(),
                20.0 + numbers.even(),
                (class == 2) as u8 as f64,
            ];
            assert!(statistics.push(&x, ["none", "one", "many"][class]));
        }
        fleet.put(id as usize, &Statistics::Classes(statistics));
    }
    let (_, rows, model) = model(&fleet.solve().unwrap());
    assert_eq!(rows, 720.0);
    assert_eq!(model.labels(), ["many", "none", "one"]);
    for (x, expected) in [
        ([410.0, 20.0, 0.0], 1),
        ([690.0, 20.5, 0.0], 2),
        ([1010.0, 19.5, 1.0], 0),
    ] {
        let mut scores = [0.0; 3];
        model.class_scores(&x, &mut scores);
        let best = (0..3).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        assert_eq!(best, expected, "{x:?} scored {scores:?}");
    }
}

#[test]
fn a_mean_a_million_times_its_deviation_keeps_its_variance() {
    let mut numbers = Numbers(5);
    let offsets: Vec<f64> = (0..20_000)
        .map(|_| (numbers.even() * 1024.0).round() / 1024.0)
        .collect();
    let mut near = CoMoments::new(1);
    let mut far = CoMoments::new(1);
    for &offset in &offsets {
        near.push(&[offset], 0.0);
        far.push(&[1e6 + offset], 0.0);
    }
    assert!((far.scatter()[0] / near.scatter()[0] - 1.0).abs() < 1e-10);
}

#[test]
fn rows_with_numbers_that_would_poison_the_sums_are_not_added() {
    let mut co_moments = CoMoments::new(1);
    let mut classes = ClassStatistics::new(1);
    for value in [f64::NAN, f64::INFINITY, -2.0 * VALUE_ABS_MAX] {
        assert!(!co_moments.push(&[value], 1.0) && !co_moments.push(&[1.0], value) && !classes.push(&[value], "a"));
    }
    assert_eq!((co_moments, classes), (CoMoments::new(1), ClassStatistics::new(1)));
}

#[test]
fn the_largest_values_that_are_added_do_not_overflow() {
    let mut statistics = CoMoments::new(1);
    for sign in [1.0, -1.0, 1.0, -1.0] {
        assert!(statistics.push(&[sign * VALUE_ABS_MAX], -sign * VALUE_ABS_MAX));
    }
    assert_eq!(Statistics::CoMoments(statistics).check(), Ok(()));
}

/// Co-moments of one feature with the numbers given: n, means, scatter.
fn forged(numbers: [f64; 6]) -> Vec<u8> {
    let mut forged = bytes(&Statistics::CoMoments(CoMoments::new(1)));
    let at = forged.len() - 48;
    for (i, number) in numbers.iter().enumerate() {
        forged[at + 8 * i..at + 8 * i + 8].copy_from_slice(&number.to_le_bytes());
    }
    forged
}

#[test]
fn hostile_co_moments_are_refused_with_the_code_that_names_the_reason() {
    let mut fleet = Fleet::open(1, 1);
    fleet.put(1, &statistics(1, 1, 50, 3));
    let before = fleet.solve().unwrap();
    let sound = [10.0, 1.0, 2.0, 4.0, 2.0, 4.0];
    let with = |at: usize, value: f64| {
        let mut numbers = sound;
        numbers[at] = value;
        forged(numbers)
    };
    for (what, bytes) in [
        ("a count below zero", with(0, -10.0)),
        ("a count that is not a number", with(0, f64::NAN)),
        ("more rows than can be counted", with(0, 1e300)),
        ("a mean that is not finite", with(1, f64::INFINITY)),
        ("a variance below zero", with(3, -4.0)),
        ("a covariance beyond both variances", with(4, 5.0)),
        ("a covariance without a variance", with(3, 0.0)),
        ("all co-moments times −4", forged([10.0, 1.0, 2.0, -16.0, -8.0, -16.0])),
        ("rows without a count", with(0, 0.0)),
    ] {
        assert_eq!(
            fleet.put_bytes(gateway(2), &bytes),
            Err(CoreError::BadNumbers),
            "{what}"
        );
    }
    assert_eq!(
        fleet.put_bytes(gateway(2), &bytes(&statistics(1, 2, 9, 3))),
        Err(CoreError::SchemaMismatch)
    );
    assert_eq!(
        fleet.put_bytes(gateway(2), &bytes(&statistics(2, 1, 9, 3))),
        Err(CoreError::SchemaMismatch)
    );
    let mut header = forged(sound);
    header[0] = b'X';
    assert_eq!(fleet.put_bytes(gateway(2), &header), Err(CoreError::Foreign));
    let mut header = forged(sound);
    header[4] = 2;
    assert_eq!(fleet.put_bytes(gateway(2), &header), Err(CoreError::TooNew));
    let mut header = forged(sound);
    header[6] = 9;
    assert_eq!(fleet.put_bytes(gateway(2), &header), Err(CoreError::Foreign));
    let mut header = forged(sound);
    header[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(fleet.put_bytes(gateway(2), &header), Err(CoreError::Limit));
    assert_eq!(fleet.solve(), Ok(before), "no refusal left a trace");
    assert_eq!(
        fleet.put_bytes(gateway(2), &forged(sound)),
        Ok(vec![1]),
        "the sound numbers pass"
    );
}

#[test]
fn a_fleet_never_knows_more_classes_than_the_bound() {
    let half = |from: usize| {
        let mut statistics = ClassStatistics::new(0);
        for label in from..from + CLASSES_MAX / 2 {
            assert!(statistics.push(&[], &format!("label-{label}")));
        }
        Statistics::Classes(statistics)
    };
    let mut fleet = Fleet::open(2, 0);
    fleet.put(1, &half(0));
    fleet.put(2, &half(CLASSES_MAX / 2));
    let full = fleet.solve();
    let more = bytes(&half(CLASSES_MAX / 2 + 1));
    assert_eq!(fleet.put_bytes(gateway(3), &more), Err(CoreError::Limit));
    assert_eq!(fleet.solve(), full, "the refusal left no trace");
    assert_eq!(
        fleet.put_bytes(gateway(2), &more),
        Ok(vec![1]),
        "a gateway may exchange its labels for new ones"
    );
    fleet.remove(2);
    assert_eq!(
        fleet.put_bytes(gateway(3), &more),
        Ok(vec![1]),
        "labels of a removed gateway are free again"
    );
}

#[test]
fn a_merge_answers_wrong_calls_with_codes() {
    let mut fleet = Fleet { merge: Merge::new() };
    assert_eq!(fleet.solve(), Err(CoreError::NotOpen));
    assert_eq!(fleet.operate(|_| {}), Err(CoreError::Truncated));
    assert_eq!(fleet.operate(|input| input.u8(9)), Err(CoreError::Foreign));
    let mut fleet = Fleet::open(1, 3);
    assert_eq!(fleet.solve(), Err(CoreError::TooFewRows), "no gateways");
    fleet.put(1, &statistics(1, 3, 5, 1));
    assert_eq!(fleet.solve(), Err(CoreError::TooFewRows), "5 rows for 3 features");
    let solve = |fleet: &mut Fleet, ridge: f64| {
        fleet
            .operate(|input| {
                input.u8(4);
                input.f64(ridge);
                input.bool(false);
            })
            .err()
    };
    fleet.put(1, &statistics(1, 3, 60, 1));
    assert_eq!(solve(&mut fleet, -1.0), Some(CoreError::BadNumbers));
    assert_eq!(solve(&mut fleet, f64::NAN), Some(CoreError::BadNumbers));
    let mut twins = CoMoments::new(2);
    (0..20).for_each(|i| assert!(twins.push(&[f64::from(i), f64::from(i)], f64::from(i))));
    let mut fleet = Fleet::open(1, 2);
    fleet.put(1, &Statistics::CoMoments(twins));
    assert_eq!(
        solve(&mut fleet, 0.0),
        Some(CoreError::Singular),
        "two equal features, no ridge"
    );
    assert_eq!(solve(&mut fleet, 1e-6), None);
}

#[test]
fn opening_again_forgets_the_fleet() {
    let mut fleet = Fleet::open(1, 1);
    fleet.put(1, &statistics(1, 1, 50, 3));
    let reopened = |input: &mut Writer| {
        input.u8(1);
        input.bytes(&schema(1));
        input.u8(1);
    };
    fleet.operate(reopened).unwrap();
    assert_eq!(fleet.solve(), Err(CoreError::TooFewRows));
    let unreadable = |input: &mut Writer| {
        input.u8(1);
        input.bytes(b"{\"features\":[nonsense]}");
        input.u8(1);
    };
    assert_eq!(fleet.operate(unreadable), Err(CoreError::Corrupt));
}

#[test]
fn a_measure_tells_rows_and_digest_also_when_there_is_too_little_for_a_model() {
    for form in FORMS {
        let mut fleet = Fleet::open(form, 4);
        assert_eq!(fleet.measure(), [0; 76], "no gateways");
        fleet.put(1, &statistics(form, 4, 3, 1));
        let measured = fleet.measure();
        assert_eq!(fleet.solve(), Err(CoreError::TooFewRows));
        assert_eq!(measured[..4], 1_u32.to_le_bytes());
        assert_eq!(measured[4..12], 3_f64.to_le_bytes());
        fleet.put(2, &statistics(form, 4, 50, 2));
        let solved = fleet.solve().unwrap();
        assert_eq!(fleet.measure()[12..44], solved[solved.len() - 32..]);
        fleet.remove(2);
        assert_eq!(fleet.measure(), measured, "as if the second had never been there");
    }
}
