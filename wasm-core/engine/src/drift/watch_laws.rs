//! Laws of the watch: batches, the multivariate measure, what is evidence and what is not.

use super::batches::{BATCH_MAX, Batched, Batches};
use super::multivariate::Hotelling;
use super::watch::{EVIDENCE_MAX, Evidence, Place, Watch, Watched};
use super::{DriftSpec, Kind};
use crate::codec::{Reader, Writer};
use crate::plan::DriftPlan;

const PLACE: Place = Place {
    key: 0,
    at_ms: 0.0,
    offset: 0,
};

/// Normal numbers, near enough.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * libm::ldexp(1.0, -53)
    }

    fn next(&mut self) -> f64 {
        (0..12).fold(0.0, |sum, _| sum + self.uniform()) - 6.0
    }
}

fn plan(run_length: f64) -> DriftPlan {
    DriftPlan {
        spec: DriftSpec {
            kind: Kind::Adwin,
            run_length,
        },
        features: true,
        multivariate: true,
        ..DriftPlan::default()
    }
}

fn state(watch: &Watch) -> Vec<u8> {
    let mut writer = Writer::new();
    watch.save(&mut writer);
    writer.into_vec()
}

fn load(plan: &DriftPlan, features: usize, bytes: &[u8]) -> crate::error::Result<Watch> {
    let mut reader = Reader::new(bytes);
    let watch = Watch::load(plan, features, 1, &mut reader)?;
    reader.finish()?;
    Ok(watch)
}

#[test]
fn batches_grow_until_neighbours_no_longer_go_together_and_not_before() {
    let mut normal = Normal(1);
    let mut alone = Batches::default();
    for _ in 0..100_000 {
        alone.push(normal.next());
    }
    assert_eq!(alone.length(), 1);
    let (mut together, mut level) = (Batches::default(), 0.0);
    for _ in 0..100_000 {
        level = 0.95 * level + normal.next();
        together.push(level);
    }
    assert!((16..=512).contains(&together.length()), "{}", together.length());
    let mut ramp = Batches::default();
    for row in 0..2_000_000 {
        ramp.push(f64::from(row));
    }
    assert_eq!(ramp.length(), BATCH_MAX);
    assert_eq!(ramp.push(f64::NAN), Batched::Waiting);
}

/// Row at which a change of the rows after the 8,000th is found; `None` when it is not, `Some(0)` for a false alarm.
fn found_at(d: usize, seed: u64, row: impl Fn(&mut Normal, bool) -> Vec<f64>) -> Option<usize> {
    let only = DriftPlan {
        error: false,
        prediction: false,
        features: false,
        ..plan(1e5)
    };
    let mut watch = Watch::new(&only, d);
    let mut normal = Normal(seed);
    for at in 0..16_000_usize {
        let x = row(&mut normal, at >= 8_000);
        let mut found = false;
        watch.served(PLACE, &x, 0.0, |evidence| {
            assert_eq!(evidence.of, Watched::Multivariate);
            assert!(evidence.after > evidence.before);
            found = true;
        });
        if found {
            return Some(at.saturating_sub(7_999));
        }
    }
    None
}

#[test]
fn rows_that_no_longer_hang_together_are_found_though_each_column_is_what_it_was() {
    for seed in 0..4 {
        let turned = found_at(4, seed, |normal, changed| {
            let (a, b) = (normal.next(), normal.next());
            let sign = if changed { -1.0 } else { 1.0 };
            vec![a, sign * (0.9 * a + 0.44 * b), normal.next(), normal.next()]
        });
        assert!(turned.is_some_and(|rows| (1..2_000).contains(&rows)), "{turned:?}");
    }
}

#[test]
fn columns_that_move_together_are_found_in_narrow_and_in_wide_rows_and_nothing_in_none() {
    for (d, moved) in [(3, 0.5), (40, 0.5)] {
        for seed in 0..3 {
            let rows = |by: f64| {
                found_at(d, 100 + seed, move |normal, changed| {
                    (0..d).map(|_| normal.next() + if changed { by } else { 0.0 }).collect()
                })
            };
            assert_eq!(rows(0.0), None, "{d} columns, nothing changes");
            assert!(
                rows(moved).is_some_and(|rows| (1..1_500).contains(&rows)),
                "{d} columns"
            );
        }
    }
}

#[test]
fn scale_and_shift_of_columns_and_missing_values_change_nothing_that_matters() {
    let rows = |scale: f64, shift: f64| {
        found_at(3, 9, move |normal, changed| {
            let moved = if changed { 0.7 } else { 0.0 };
            let mut row: Vec<f64> = (0..3).map(|_| (normal.next() + moved) * scale + shift).collect();
            if normal.uniform() < 0.1 {
                row[0] = f64::NAN;
            }
            row
        })
    };
    assert_eq!(rows(1e6, 1e6), rows(1.0, 0.0));
}

#[test]
fn an_error_alarms_when_it_rises_and_not_when_it_falls() {
    let errors_only = DriftPlan {
        prediction: false,
        features: false,
        multivariate: false,
        ..plan(1e5)
    };
    let mut watch = Watch::new(&errors_only, 1);
    let mut normal = Normal(3);
    let mut run = |watch: &mut Watch, rows: usize, share: f64| {
        let mut found: Vec<(usize, Evidence)> = Vec::new();
        for row in 0..rows {
            let error = f64::from(u8::from(normal.uniform() < share));
            watch.matured(PLACE, error, |evidence| found.push((row, *evidence)));
        }
        found
    };
    assert_eq!(run(&mut watch, 4_000, 0.4), []);
    assert_eq!(run(&mut watch, 4_000, 0.1), [], "an error that falls");
    let found = run(&mut watch, 4_000, 0.4);
    let [(row, evidence)] = found[..] else {
        panic!("{found:?}")
    };
    assert!(row < 100);
    assert!(
        (0.05..0.15).contains(&evidence.before) && evidence.after > 0.2,
        "{evidence:?}"
    );
    assert_eq!((evidence.of, evidence.batch, watch.alarms()), (Watched::Error, 1, 1));
}

#[test]
fn the_day_of_a_prediction_is_no_drift_and_a_new_level_is() {
    let predictions = DriftPlan {
        error: false,
        features: false,
        multivariate: false,
        ..plan(1e5)
    };
    let mut watch = Watch::new(&predictions, 1);
    let mut normal = Normal(5);
    let mut level = 0.0;
    let mut found = Vec::new();
    for row in 0..200_000 {
        level = 0.97 * level + normal.next();
        let moved = if row >= 150_000 { 6.0 } else { 0.0 };
        watch.served(PLACE, &[], level + moved, |_| found.push(row));
    }
    // A detector alone alarms some thousand times here; each alarm of values that go together makes the batches longer.
    assert!(found.iter().filter(|&&row| row < 150_000).count() <= 12, "{found:?}");
    assert!(found.iter().any(|&row| (150_000..165_000).contains(&row)), "{found:?}");
}

#[test]
fn restored_at_any_row_the_watch_goes_on_as_if_nothing_had_been_and_its_evidence_is_bounded() {
    for (_, kind) in Kind::ALL {
        let mut plan = plan(1e3);
        plan.spec.kind = kind;
        let (mut straight, mut restored) = (Watch::new(&plan, 2), Watch::new(&plan, 2));
        let mut normal = Normal(7);
        for row in 0..30_000 {
            let level = f64::from(row / 300 % 2) * 3.0;
            let x = [normal.next() + level, normal.next()];
            let (mut a, mut b) = (Vec::new(), Vec::new());
            straight.served(PLACE, &x, x[0], |evidence| a.push(*evidence));
            straight.matured(PLACE, x[1].abs() + level, |evidence| a.push(*evidence));
            if row % 499 == 0 {
                restored = load(&plan, 2, &state(&restored)).unwrap();
            }
            restored.served(PLACE, &x, x[0], |evidence| b.push(*evidence));
            restored.matured(PLACE, x[1].abs() + level, |evidence| b.push(*evidence));
            assert_eq!(a, b);
        }
        assert_eq!(state(&restored), state(&straight));
        assert!(straight.evidence().len() <= EVIDENCE_MAX);
        assert!(state(&straight).len() < 30_000);
    }
}

#[test]
fn a_state_that_is_cut_or_turned_is_refused_or_read_but_never_panics() {
    let plan = plan(1e3);
    let mut watch = Watch::new(&plan, 2);
    let mut normal = Normal(11);
    for row in 0..3_000 {
        let level = f64::from(row / 300 % 2) * 3.0;
        let x = [normal.next() + level, normal.next()];
        watch.served(PLACE, &x, x[0], |_| {});
        watch.matured(PLACE, x[1], |_| {});
    }
    assert!(watch.alarms() > 0);
    let bytes = state(&watch);
    (0..bytes.len()).for_each(|end| assert!(load(&plan, 2, &bytes[..end]).is_err()));
    for at in 0..bytes.len() {
        let mut turned = bytes.clone();
        turned[at] ^= 0xff;
        if let Ok(mut watch) = load(&plan, 2, &turned) {
            for row in 0..70 {
                watch.served(PLACE, &[f64::from(row), f64::NAN], 1e308, |_| {});
                watch.matured(PLACE, 0.0, |_| {});
            }
        }
    }
}

#[test]
fn a_row_without_columns_is_never_measured() {
    let mut measure = Hotelling::new(0);
    assert!((0..2_000).all(|_| measure.push(&[]).is_none()));
}

#[test]
fn a_saved_metric_without_a_center_is_refused() {
    let mut writer = Writer::new();
    for _ in 0..3 {
        writer.f64(0.0); // the column
    }
    writer.u64(0);
    for _ in 0..3 {
        writer.f64(0.0); // sum, mean, scatter
    }
    writer.u64(0);
    writer.f64s(&[]);
    writer.bool(true);
    writer.f64(1.0);
    let mut measure = Hotelling::new(1);
    let loaded = measure.load(&mut Reader::new(writer.as_slice()));
    assert_eq!(loaded, Err(crate::error::CoreError::Corrupt));
}
