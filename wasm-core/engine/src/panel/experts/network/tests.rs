//! The network alone: gradients, rows taught again, weights that are held, columns that are frozen.

use super::*;
use crate::panel::experts::prior::Prior;

const NOTHING: Parts = Parts {
    replay: false,
    prioritised: false,
    hold: false,
    columns: false,
};

fn network(parts: Parts) -> Network {
    let inputs = Inputs::new(vec![false; 2], 1, true);
    Network::new(&inputs, 0, parts).expect("two columns are few")
}

/// Inputs whose two last numbers are a corner of a square, and the class that no line tells.
fn corner(at: usize) -> ([f64; 7], usize) {
    let (one, other) = (at * 7 / 3 % 2, at * 5 / 7 % 2);
    let mut z = [0.0; 7];
    z[4] = 1.0;
    z[5] = 2.0 * one as f64 - 1.0 + 0.1 * (at % 5) as f64;
    z[6] = 2.0 * other as f64 - 1.0 - 0.1 * (at % 3) as f64;
    (z, one ^ other)
}

/// Share of right answers over some rows, learning them or not; in the other world labels are turned around, and an input tells it.
fn right(network: &mut Network, rows: std::ops::Range<usize>, turned: usize, learns: bool) -> f64 {
    let count = rows.len() as f64;
    let mut sum = 0.0;
    for at in rows {
        let (mut z, class) = corner(at);
        let class = class ^ turned;
        z[0] = 2.0 * turned as f64;
        network.forward(&z);
        sum += f64::from(u8::from((network.scores[0] > 0.0) == (class == 1)));
        if learns {
            network.learn_row(&z, class as f64, 0.0);
        }
    }
    sum / count
}

#[test]
fn what_comes_back_is_the_slope_of_the_loss() {
    let mut network = network(NOTHING);
    right(&mut network, 0..50, 0, true);
    let (z, _) = corner(51);
    let loss = |network: &mut Network| {
        network.forward(&z);
        -libm::log(sigmoid(network.scores[0]))
    };
    network.forward(&z);
    network.judge(1.0, 0.0);
    for unit in 0..UNITS {
        let back = network.out.back(1 + unit, &network.scores.clone());
        // The same by moving what the unit says: the score is linear in it.
        let gradient = network.scores[0];
        let weight = network.out.scores(&unit_of(unit)).next().expect("there is one output");
        assert!((back - gradient * weight).abs() < 1e-12);
    }
    let before = loss(&mut network);
    network.step(&z, 1.0, 0.0);
    assert!(loss(&mut network) < before);
}

fn unit_of(unit: usize) -> [f64; UNITS + 1] {
    let mut said = [0.0; UNITS + 1];
    said[1 + unit] = 1.0;
    said
}

#[test]
fn it_learns_what_no_line_tells_sooner_when_rows_are_taught_again() {
    let mut plain = network(NOTHING);
    let mut again = network(Parts {
        replay: true,
        prioritised: true,
        ..NOTHING
    });
    let (first, early) = (right(&mut plain, 0..150, 0, true), right(&mut again, 0..150, 0, true));
    assert!(early > first, "{early} over {first}");
    right(&mut plain, 150..1500, 0, true);
    assert!(right(&mut plain, 1500..2000, 0, false) > 0.98);
}

#[test]
fn held_weights_keep_more_of_the_world_before() {
    let left = |hold: bool| {
        let mut network = network(Parts { hold, ..NOTHING });
        right(&mut network, 0..1024, 0, true);
        Expert::changed(&mut network);
        right(&mut network, 0..300, 1, true);
        right(&mut network, 2000..2300, 0, false)
    };
    let (held, free) = (left(true), left(false));
    assert!(
        held > free,
        "{held} of the first world is left where it is held, else {free}"
    );
}

#[test]
fn a_new_column_leaves_the_units_of_the_old_one_as_they_are() {
    let mut network = network(Parts {
        columns: true,
        ..NOTHING
    });
    right(&mut network, 0..500, 0, true);
    let (z, _) = corner(3);
    network.forward(&z);
    let (said, score) = (network.said.clone(), network.scores[0]);
    Expert::changed(&mut network);
    network.forward(&z);
    assert_eq!(network.scores[0], score, "a new column begins with nothing to say");
    right(&mut network, 0..500, 1, true);
    network.forward(&z);
    assert_eq!(network.said[..said.len()], said[..]);
    for _ in 0..10 {
        Expert::changed(&mut network);
    }
    assert_eq!(network.hidden.len(), COLUMNS_MAX);
}

#[test]
fn restored_with_everything_on_it_goes_on_as_if_nothing_had_been() {
    let all = Parts {
        replay: true,
        prioritised: true,
        hold: true,
        columns: true,
    };
    let inputs = Inputs::new(vec![false; 2], 1, true);
    let prior = Prior::new(3);
    let bytes = |network: &Network| {
        let mut writer = Writer::new();
        network.save(&mut writer);
        writer.into_vec()
    };
    let (mut straight, mut parts) = (network(all), network(all));
    for at in 0..900 {
        for network in [&mut straight, &mut parts] {
            let (z, class) = corner(at);
            if at == 600 {
                network.grow(3);
            }
            if at % 300 == 299 {
                Expert::changed(network);
            }
            let row = ClassRow {
                z: &z,
                x: &[0.0; 2],
                serial: 1,
                last: None,
                prior: &prior,
                inputs: &inputs,
                release: None,
            };
            let classes = if at < 600 { 2 } else { 3 };
            let class = if at >= 600 && at % 4 == 0 { 2 } else { class };
            ClassExpert::learn(network, &row, Truth { class, classes });
        }
        if at % 97 == 0 {
            let saved = bytes(&parts);
            parts = network(all);
            if at >= 600 {
                parts.grow(3);
            }
            parts
                .load(&mut Reader::new(&saved))
                .expect("what was saved can be loaded");
            for cut in (0..saved.len()).step_by(997) {
                let mut other = network(all);
                other.grow(if at < 600 { 2 } else { 3 });
                assert!(other.load(&mut Reader::new(&saved[..cut])).is_err());
            }
        }
    }
    assert!(bytes(&straight) == bytes(&parts));
}

#[test]
fn a_class_that_a_damaged_state_remembers_and_that_is_none_is_harmless() {
    let parts = Parts {
        replay: true,
        ..NOTHING
    };
    let mut damaged = network(parts);
    for at in 0..20 {
        damaged.learn_row(&corner(at).0, 9.0, 0.0);
    }
    let mut writer = Writer::new();
    damaged.save(&mut writer);
    let mut loaded = network(parts);
    loaded
        .load(&mut Reader::new(&writer.into_vec()))
        .expect("of two classes any label is one of numbers too");
    loaded.grow(4);
    for at in 0..50 {
        loaded.learn_row(&corner(at).0, 3.0, 0.0);
    }
    loaded.forward(&corner(0).0);
    assert!(loaded.scores.iter().all(|score| score.is_finite()));
}
