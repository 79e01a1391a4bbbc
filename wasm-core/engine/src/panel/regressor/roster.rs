//! Which experts a panel for numbers has, in the order of their predictions: the bases first, the release last.

use super::{LAST, MEAN, MEMORY, NEAR};
use crate::panel::choice::{Choice, Family};
use crate::panel::experts::NumberExpert;
use crate::panel::experts::adagrad::AdaGrad;
use crate::panel::experts::adam::Adam;
use crate::panel::experts::base::{Base, ShortMean};
use crate::panel::experts::coin::CoinNumbers;
use crate::panel::experts::descent::Descent;
use crate::panel::experts::factorisation::Factorisation;
use crate::panel::experts::ftrl::Ftrl;
use crate::panel::experts::holt_winters::HoltWinters;
use crate::panel::experts::key_offset::KeyOffset;
use crate::panel::experts::levels::Levels;
use crate::panel::experts::nearest::Nearest;
use crate::panel::experts::network::{Network, Parts};
use crate::panel::experts::release::Release;
use crate::panel::experts::seasonal::Seasonal;
use crate::panel::experts::second_order::SecondOrderNumbers;
use crate::panel::experts::sgd::Sgd;
use crate::panel::experts::snarimax::Snarimax;
use crate::panel::experts::tiles::{self, TileNumbers};
use crate::panel::experts::trees::{TreeNumbers, Way};
use crate::panel::inputs::{Inputs, Map};

/// The experts over these inputs: the bases, the default ones or those asked for, and what comes from the fleet.
#[must_use]
pub fn experts(inputs: &Inputs, residual: bool, choice: Choice) -> Vec<Box<dyn NumberExpert>> {
    let mut experts: Vec<Box<dyn NumberExpert>> = Vec::new();
    for base in [MEAN, LAST, NEAR, MEMORY] {
        experts.push(Box::new(Base::new(base, residual)));
    }
    if choice.default_ones() {
        experts.push(Box::new(ShortMean));
        experts.extend(if inputs.small() {
            small(inputs, residual)
        } else {
            large(inputs, residual)
        });
    }
    let (map, near) = (inputs.or_columns(Map::Full), if residual { NEAR } else { LAST });
    if choice.has(Family::Ftrl) {
        experts.push(Box::new(Descent::<Ftrl>::new(inputs, map, near)));
    }
    if choice.has(Family::AdaGrad) {
        experts.push(Box::new(Descent::<AdaGrad>::new(inputs, map, near)));
    }
    if choice.has(Family::Adam) {
        experts.push(Box::new(Descent::<Adam>::new(inputs, map, near)));
    }
    if choice.has(Family::Factorisation) {
        experts.push(Box::new(Factorisation::new(inputs, MEAN)));
    }
    if choice.has(Family::KeyOffset) {
        experts.push(Box::new(KeyOffset::new([MEAN, NEAR], residual)));
    }
    if choice.has(Family::Seasonal) {
        experts.push(Box::new(Seasonal));
    }
    if choice.has(Family::HoltWinters) {
        experts.push(Box::<HoltWinters>::default());
    }
    if choice.has(Family::Snarimax)
        && let Some(snarimax) = Snarimax::new(inputs, [MEAN, near], residual)
    {
        experts.push(Box::new(snarimax));
    }
    if choice.has(Family::Forest) {
        let bases: &[usize] = if residual { &[MEAN, NEAR] } else { &[MEAN, LAST] };
        experts.push(Box::new(TreeNumbers::new(inputs, bases, residual, Way::Forest)));
    }
    if choice.has(Family::Network)
        && let Some(network) = Network::new(inputs, MEAN, Parts::default())
    {
        experts.push(Box::new(network));
    }
    experts.push(Box::<Release>::default());
    experts
}

fn small(inputs: &Inputs, residual: bool) -> Vec<Box<dyn NumberExpert>> {
    let near = if residual { NEAR } else { LAST };
    vec![
        Box::new(CoinNumbers::new(inputs, Map::Label, near, residual)),
        Box::new(SecondOrderNumbers::new(
            inputs,
            Map::Label,
            &[MEAN, LAST, NEAR],
            1.0,
            1e-3,
            residual,
        )),
    ]
}

fn large(inputs: &Inputs, residual: bool) -> Vec<Box<dyn NumberExpert>> {
    let mut experts: Vec<Box<dyn NumberExpert>> = Vec::new();
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
    experts.push(Box::new(TreeNumbers::new(inputs, bases, residual, Way::Boosted)));
    if tiles::fits(inputs) {
        experts.push(Box::new(TileNumbers::new(inputs, MEAN, residual, 0.3, 3e-4)));
    }
    if let Some(nearest) = Nearest::new(inputs) {
        experts.push(Box::new(nearest));
    }
    for forgetting in [1e-3, 1e-2] {
        experts.push(Box::new(Levels::new(inputs, forgetting)));
    }
    let models: [(Map, &'static [usize], f64, f64); 8] = [
        (Map::Label, &[MEAN, LAST, NEAR], 1.0, 1e-3),
        (Map::Full, &[MEAN, LAST, NEAR], 0.03, 1e-4),
        (Map::Context, &[MEAN, NEAR], 0.03, 1e-4),
        (Map::Waves, &[MEAN, NEAR], 0.1, 1e-4),
        (Map::Products, &[MEAN, NEAR], 0.1, 1e-4),
        (Map::Memory, &[MEAN, LAST, MEMORY], 1.0, 1e-4),
        (Map::Memory, &[MEAN, MEMORY], 10.0, 1e-3),
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
    experts
}
