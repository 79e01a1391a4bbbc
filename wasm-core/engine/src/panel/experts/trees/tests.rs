//! What trees find, forget and hold, and that a damaged state is refused.

use super::leaves::{Leaves, scrambled};
use super::tree::Tree;
use super::{TREES, TREES_BYTES_MAX, Trees, Way};
use crate::codec::{Reader, Writer};
use crate::error::CoreError;
use crate::panel::inputs::Inputs;

const INPUTS: usize = 7;

fn tree(outputs: usize) -> Tree {
    Tree::new(outputs, Leaves::new(INPUTS, (0, INPUTS), outputs, 5))
}

/// Inputs between -1 and 1.
fn row(at: u64) -> Vec<f64> {
    let number = |input: u64| (scrambled(at * 64 + input) >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
    (0..INPUTS as u64).map(number).collect()
}

/// Two thresholds that only count together.
fn crossed(row: &[f64]) -> f64 {
    f64::from(u8::from((row[2] > 0.3) != (row[5] > -0.2)))
}

/// Mean square error over rows that are learned.
fn run(tree: &mut Tree, rows: std::ops::Range<u64>, label: impl Fn(&[f64]) -> f64) -> f64 {
    let count = (rows.end - rows.start) as f64;
    let errors = rows.map(|at| {
        let (inputs, mut out, mut said) = (row(at), [0.0], [0.0]);
        tree.predict(&inputs, &mut said);
        tree.learn(&inputs, &[label(&inputs)], &mut out);
        assert_eq!(said, out, "learning says what predicting said");
        (label(&inputs) - out[0]) * (label(&inputs) - out[0])
    });
    errors.sum::<f64>() / count
}

fn saved(tree: &Tree) -> Vec<u8> {
    let mut writer = Writer::new();
    tree.save(&mut writer);
    writer.into_vec()
}

fn loaded(bytes: &[u8], outputs: usize) -> Option<Tree> {
    let (mut tree, mut reader) = (tree(outputs), Reader::new(bytes));
    tree.load(&mut reader).and_then(|()| reader.finish()).ok()?;
    Some(tree)
}

#[test]
fn what_hangs_on_two_thresholds_together_is_found() {
    let mut tree = tree(1);
    let first = run(&mut tree, 0..500, crossed);
    run(&mut tree, 500..4_000, crossed);
    let last = run(&mut tree, 4_000..5_000, crossed);
    assert!(first > 0.15 && last < 0.1, "{first} to {last}");
}

#[test]
fn a_world_turned_around_is_learned_again() {
    let mut tree = tree(1);
    run(&mut tree, 0..5_000, crossed);
    let turned = |row: &[f64]| 1.0 - crossed(row);
    run(&mut tree, 5_000..10_000, turned);
    let last = run(&mut tree, 10_000..11_000, turned);
    assert!(last < 0.1, "{last}");
}

#[test]
fn noise_is_not_taken_for_much() {
    let mut tree = tree(1);
    let noise = |row: &[f64]| f64::from(u8::from(scrambled(row[0].to_bits()).is_multiple_of(2)));
    run(&mut tree, 0..3_000, noise);
    let error = run(&mut tree, 3_000..6_000, noise);
    assert!(error < 0.27, "{error} where the mean has 0.25");
}

#[test]
fn a_tree_holds_no_more_than_it_says_and_goes_on_as_if_it_had_never_been_saved() {
    for outputs in [1, 2, 5, 31] {
        let targets = |row: &[f64]| -> Vec<f64> {
            let class = (0.5 * outputs as f64 * (1.0 + row[1] * row[4])) as usize;
            (0..outputs)
                .map(|output| f64::from(u8::from(output == class)))
                .collect()
        };
        let (mut straight, mut parts) = (tree(outputs), tree(outputs));
        let mut out = vec![0.0; outputs];
        for at in 0..12_000 {
            let inputs = row(at);
            straight.walk(&inputs);
            straight.learn(&inputs, &targets(&inputs), &mut out);
            parts.walk(&inputs);
            parts.learn(&inputs, &targets(&inputs), &mut out);
            if at % 1_500 == 700 {
                let bytes = saved(&parts);
                assert!(bytes.len() <= Tree::bytes(outputs), "{} of {outputs}", bytes.len());
                parts = loaded(&bytes, outputs).expect("what was saved can be loaded");
                assert!(saved(&parts) == bytes);
            }
        }
        assert!(saved(&straight) == saved(&parts), "{outputs}");
    }
    assert!(TREES as usize * Tree::bytes(8) <= TREES_BYTES_MAX);
}

#[test]
fn a_damaged_state_is_refused_or_harmless() {
    let mut tree = tree(1);
    run(&mut tree, 0..2_000, crossed);
    let bytes = saved(&tree);
    assert!(loaded(&bytes[..bytes.len() - 1], 1).is_none());
    let mut refused = 0;
    // Nodes and what leaves count come first, then many numbers of histograms.
    for at in (0..3_000).chain((3_000..bytes.len()).step_by(997)) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x41;
        let Some(mut tree) = loaded(&bytes, 1) else {
            refused += 1;
            continue;
        };
        let mut out = [0.0];
        for at in 0..20 {
            tree.walk(&row(at));
            tree.learn(&row(at), &[1.0], &mut out);
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn leaves_that_have_had_more_places_than_can_be_counted_are_refused() {
    for (served, read) in [(1_u64 << 53, Ok(())), (u64::MAX, Err(CoreError::Corrupt))] {
        // None of them there, none of them free.
        let bytes = [&served.to_le_bytes()[..], &[0; 8]].concat();
        let mut leaves = Leaves::new(INPUTS, (0, INPUTS), 1, 5);
        assert_eq!(leaves.load(&mut Reader::new(&bytes)), read);
    }
}

#[test]
fn a_forest_says_it_better_than_its_trees_each_of_which_has_seen_some_of_the_rows() {
    let inputs = Inputs::new(vec![false; INPUTS], 1, true);
    let mut forest = Trees::new(&inputs, 1, Way::Forest);
    let (mut together, mut apart) = (0.0, 0.0);
    let mut learned = [0_u32; TREES as usize];
    for at in 0..4_000_u64 {
        let z: Vec<f64> = [0.0; 5].into_iter().chain(row(at)).collect();
        let wrong = f64::from(u8::from(scrambled(at).is_multiple_of(10)));
        let label = (crossed(&z[5..]) - wrong).abs();
        forest.ask(at + 1, &z, &[]);
        if at >= 2_000 {
            together += (forest.sum[0] - label) * (forest.sum[0] - label);
            for place in 0..forest.trees.len() {
                let mut said = [0.0];
                forest.trees[place].predict(&forest.inputs, &mut said);
                apart += (said[0] - label) * (said[0] - label) / TREES as f64;
            }
        }
        for (place, learned) in learned.iter_mut().enumerate() {
            *learned += u32::from(forest.draws(place));
        }
        forest.targets = vec![label];
        forest.teach(at + 1, &z, &[]);
    }
    assert!(together < 0.97 * apart, "{together} of all, {apart} of one");
    assert!(learned.iter().all(|rows| (2_250..2_550).contains(rows)), "{learned:?}");
}
