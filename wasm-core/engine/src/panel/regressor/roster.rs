//! Which experts a panel for numbers has, in the order of their predictions: the bases first, the release last.

use super::{LAST, MEAN, MEMORY, NEAR};
use crate::panel::experts::NumberExpert;
use crate::panel::experts::base::{Base, ShortMean};
use crate::panel::experts::coin::CoinNumbers;
use crate::panel::experts::levels::Levels;
use crate::panel::experts::nearest::Nearest;
use crate::panel::experts::release::Release;
use crate::panel::experts::second_order::SecondOrderNumbers;
use crate::panel::experts::sgd::Sgd;
use crate::panel::experts::tiles::{self, TileNumbers};
use crate::panel::experts::trees::TreeNumbers;
use crate::panel::inputs::{Inputs, Map};

/// The experts over these inputs.
#[must_use]
pub fn experts(inputs: &Inputs, residual: bool) -> Vec<Box<dyn NumberExpert>> {
    let mut experts: Vec<Box<dyn NumberExpert>> = vec![
        Box::new(Base::new(MEAN, residual)),
        Box::new(Base::new(LAST, residual)),
        Box::new(Base::new(NEAR, residual)),
        Box::new(Base::new(MEMORY, residual)),
        Box::new(ShortMean),
    ];
    if inputs.small() {
        experts.push(Box::new(CoinNumbers::new(
            inputs,
            Map::Label,
            if residual { NEAR } else { LAST },
            residual,
        )));
        experts.push(Box::new(SecondOrderNumbers::new(
            inputs,
            Map::Label,
            &[MEAN, LAST, NEAR],
            1.0,
            1e-3,
            residual,
        )));
        experts.push(Box::<Release>::default());
        return experts;
    }
    experts.push(Box::new(Sgd::numbers(
        inputs,
        Map::Label,
        if residual { NEAR } else { LAST },
    )));
    if inputs.width(Map::Full) > 0 {
        experts.push(Box::new(CoinNumbers::new(
            inputs,
            Map::Full,
            if residual { NEAR } else { LAST },
            residual,
        )));
        experts.push(Box::new(CoinNumbers::new(inputs, Map::Full, MEAN, residual)));
    }
    let bases: &[usize] = if residual { &[MEAN, NEAR] } else { &[MEAN, LAST] };
    experts.push(Box::new(TreeNumbers::new(inputs, bases, residual)));
    if tiles::fits(inputs) {
        experts.push(Box::new(TileNumbers::new(inputs, MEAN, residual, 0.3, 3e-4)));
    }
    if let Some(nearest) = Nearest::new(inputs) {
        experts.push(Box::new(nearest));
    }
    for forgetting in [1e-3, 1e-2] {
        experts.push(Box::new(Levels::new(inputs, forgetting)));
    }
    let models: [(Map, &'static [usize], f64, f64); 7] = [
        (Map::Label, &[MEAN, LAST, NEAR], 1.0, 1e-3),
        (Map::Full, &[MEAN, LAST, NEAR], 0.03, 1e-4),
        (Map::Context, &[MEAN, NEAR], 0.03, 1e-4),
        (Map::Waves, &[MEAN, NEAR], 0.1, 1e-4),
        (Map::Products, &[MEAN, NEAR], 0.1, 1e-4),
        (Map::Memory, &[MEAN, LAST, MEMORY], 1.0, 1e-4),
        (Map::OneHot, &[MEAN], 1.0, 1e-4),
    ];
    for (map, bases, prior, forgetting) in models {
        let map = if map == Map::Full { inputs.or_columns(map) } else { map };
        if inputs.second_order(map) || map.typed() {
            experts.push(Box::new(SecondOrderNumbers::new(
                inputs, map, bases, prior, forgetting, residual,
            )));
        }
    }
    experts.push(Box::<Release>::default());
    experts
}
