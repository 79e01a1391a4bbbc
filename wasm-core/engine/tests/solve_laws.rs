//! Laws of the models solved from statistics: least squares is least squares, units do not matter, the discriminant is
//! Bayes' rule where that is known; and no bytes from outside make any of it panic.

#![allow(
    clippy::disallowed_methods,
    reason = "expected values may come from the platform: they are compared with a tolerance"
)]

use proptest::prelude::*;
use rivulet_engine::codec::Writer;
use rivulet_engine::error::CoreError;
use rivulet_engine::merge::{Merge, solve_lda, solve_ridge};
use rivulet_engine::release::{Release, ReleaseModel};
use rivulet_engine::statistics::{ClassStatistics, CoMoments, Statistics};

/// Rows of `d` features and a target.
fn rows(d: usize, count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<(Vec<f64>, f64)>> {
    let row = (prop::collection::vec(-100.0..100.0, d), -10.0..10.0);
    prop::collection::vec(row, count)
}

fn pushed(d: usize, rows: &[(Vec<f64>, f64)]) -> CoMoments {
    let mut statistics = CoMoments::new(d);
    for (x, y) in rows {
        assert!(statistics.push(x, *y));
    }
    statistics
}

fn ridge_parts(model: &ReleaseModel) -> (&[f64], f64) {
    let ReleaseModel::Ridge {
        coefficients,
        residual_sd,
        ..
    } = model
    else {
        panic!("a ridge")
    };
    (coefficients, *residual_sd)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn residuals_of_least_squares_sum_to_zero_and_are_orthogonal_to_every_feature(rows in rows(4, 20..60)) {
        let model = solve_ridge(&pushed(4, &rows), 0.0).unwrap();
        let residuals: Vec<f64> = rows.iter().map(|(x, y)| y - model.value(x)).collect();
        prop_assert!(residuals.iter().sum::<f64>().abs() < 1e-9 * rows.len() as f64);
        for feature in 0..4 {
            let product: f64 = rows.iter().zip(&residuals).map(|((x, _), residual)| x[feature] * residual).sum();
            prop_assert!(product.abs() < 1e-7 * rows.len() as f64, "feature {} has {}", feature, product);
        }
        let (_, sd) = ridge_parts(&model);
        let rss: f64 = residuals.iter().map(|residual| residual * residual).sum();
        prop_assert!((sd * sd * (rows.len() as f64 - 5.0) / rss - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_stronger_ridge_never_fits_the_rows_better(rows in rows(3, 10..60), weak in 0.0..1.0f64, more in 1e-3..10.0f64) {
        let statistics = pushed(3, &rows);
        let (weak, strong) = (solve_ridge(&statistics, weak).unwrap(), solve_ridge(&statistics, weak + more).unwrap());
        prop_assert!(ridge_parts(&weak).1 <= ridge_parts(&strong).1 * (1.0 + 1e-12));
    }

    #[test]
    fn the_unit_of_a_feature_changes_no_prediction(rows in rows(3, 10..40), unit in -30i32..30) {
        // A power of four, so that scaling is exact in squares and roots, and the bits must be the same.
        let factor = 4f64.powi(unit);
        let scaled: Vec<_> = rows.iter().map(|(x, y)| (vec![x[0], x[1] * factor, x[2]], *y)).collect();
        let model = solve_ridge(&pushed(3, &rows), 1e-3).unwrap();
        let other = solve_ridge(&pushed(3, &scaled), 1e-3).unwrap();
        prop_assert_eq!(ridge_parts(&model).0[1], ridge_parts(&other).0[1] * factor);
        for ((x, _), (scaled, _)) in rows.iter().zip(&scaled) {
            prop_assert_eq!(model.value(x), other.value(scaled));
        }
    }

    #[test]
    fn two_classes_of_one_spread_part_at_the_middle_moved_by_their_shares(
        middle in -1e3..1e3f64, half in 0.5..5.0f64, rows in prop::collection::vec(-1.0..1.0f64, 8..40), times in 1usize..5,
    ) {
        let mut statistics = ClassStatistics::new(1);
        for offset in &rows {
            // Each offset and its opposite, so that the class means are known.
            for sign in [1.0, -1.0] {
                prop_assert!(statistics.push(&[middle - half + sign * offset], "low"));
                for _ in 0..times {
                    prop_assert!(statistics.push(&[middle + half + sign * offset], "high"));
                }
            }
        }
        let model = solve_lda(&statistics, 0.0, false).unwrap();
        prop_assert_eq!(model.labels(), ["high", "low"]);
        let variance = rows.iter().map(|offset| offset * offset).sum::<f64>() / rows.len() as f64;
        prop_assume!(variance > 1e-3);
        let low = 2.0 * rows.len() as f64;
        let shares = ((low * times as f64 + 0.5) / (low + 0.5)).ln();
        let boundary = middle - shares * variance / (2.0 * half);
        let mut scores = [0.0; 2];
        model.class_scores(&[boundary], &mut scores);
        let scale = 1.0 + half * half / variance + middle.abs() * half / variance;
        prop_assert!((scores[0] - scores[1]).abs() < 1e-9 * scale, "{:?} at {}", scores, boundary);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), form in 0u8..4, start in 0usize..4) {
        let magic = [&b"RVST"[..], b"RVRM", b"RVRL", b""][start];
        let mut whole = magic.to_vec();
        if !magic.is_empty() {
            whole.extend_from_slice(&[1, 0, form, 0]);
        }
        whole.extend_from_slice(&bytes);
        let _ = Statistics::decode(&whole).and_then(|statistics| statistics.check());
        let _ = ReleaseModel::decode(&whole);
        let _ = Release::parse(&whole);
        let _ = Merge::new().operate(&whole, &mut Writer::new());
    }

    #[test]
    fn numbers_that_pass_the_check_solve_to_a_sound_model_or_a_code(
        n in 4.0..1e15f64, means in prop::collection::vec(-1e100..1e100f64, 3), magnitudes in prop::collection::vec(-200.0..200.0f64, 3),
        tilt in -1.0..1.0f64, ridge in 0.0..1.0f64,
    ) {
        // Co-moments [a², ab·tilt, b², 0, 0, c²] of wildly different sizes.
        let squares: Vec<f64> = magnitudes.iter().map(|magnitude| 10f64.powf(*magnitude)).collect();
        let mut writer = Writer::new();
        Statistics::CoMoments(CoMoments::new(2)).encode(&mut writer);
        let mut bytes = writer.into_vec();
        let product = tilt * squares[0].sqrt() * squares[1].sqrt();
        let numbers = [n, means[0], means[1], means[2], squares[0], product, squares[1], 0.0, product, squares[2]];
        let at = bytes.len() - 8 * numbers.len();
        for (i, number) in numbers.iter().enumerate() {
            bytes[at + 8 * i..at + 8 * i + 8].copy_from_slice(&number.to_le_bytes());
        }
        let statistics = Statistics::decode(&bytes).unwrap();
        if statistics.check().is_ok() {
            let Statistics::CoMoments(co_moments) = statistics else { panic!("co-moments") };
            match solve_ridge(&co_moments, ridge) {
                Ok(model) => prop_assert_eq!(model.check(), Ok(())),
                Err(code) => prop_assert!(matches!(code, CoreError::Singular | CoreError::BadNumbers), "{:?}", code),
            }
        }
    }
}
