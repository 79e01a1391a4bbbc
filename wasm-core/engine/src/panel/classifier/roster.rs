//! Which experts a panel for classes has, in the order of their predictions. The last three
//! are this gateway's own logistic, the models of the release, and the fork that goes on from it.

use crate::panel::choice::{Choice, Family};
use crate::panel::experts::ClassExpert;
use crate::panel::experts::adagrad::AdaGrad;
use crate::panel::experts::adam::Adam;
use crate::panel::experts::anchors::Memory;
use crate::panel::experts::coin::CoinClasses;
use crate::panel::experts::descent::Descent;
use crate::panel::experts::factorisation::Factorisation;
use crate::panel::experts::fleet::Fleet;
use crate::panel::experts::ftrl::Ftrl;
use crate::panel::experts::logistic::{Fork, Own};
use crate::panel::experts::naive_bayes::NaiveBayes;
use crate::panel::experts::nearest::Nearest;
use crate::panel::experts::network::{Network, Parts};
use crate::panel::experts::passive_aggressive::PassiveAggressive;
use crate::panel::experts::prior::{LastClass, Share};
use crate::panel::experts::second_order::SecondOrderClasses;
use crate::panel::experts::sgd::Sgd;
use crate::panel::experts::tiles::{self, TileClasses};
use crate::panel::experts::trees::{TreeClasses, Way};
use crate::panel::inputs::{Inputs, Map};

/// How many at the end come from the fleet and stay: the logistic that is told, the models of the release, and what goes
/// on from them. Small panels tell no logistic: it alone would take half of what they may.
#[must_use]
pub fn fleet(inputs: &Inputs) -> usize {
    if inputs.small() { 2 } else { 3 }
}

/// The experts over these inputs: the floor, the default ones or those asked for, and what comes from the fleet.
#[must_use]
pub fn experts(inputs: &Inputs, choice: Choice, memory: Memory) -> Vec<Box<dyn ClassExpert>> {
    let mut experts: Vec<Box<dyn ClassExpert>> = vec![Box::new(Share)];
    if choice.default_ones() {
        experts.extend(if inputs.small() { small(inputs) } else { large(inputs) });
    }
    if choice.has(Family::NaiveBayes) {
        experts.push(Box::new(NaiveBayes::new(inputs)));
    }
    let map = inputs.or_columns(Map::Full);
    if choice.has(Family::Ftrl) {
        experts.push(Box::new(Descent::<Ftrl>::new(inputs, map, 0)));
    }
    if choice.has(Family::AdaGrad) {
        experts.push(Box::new(Descent::<AdaGrad>::new(inputs, map, 0)));
    }
    if choice.has(Family::Adam) {
        experts.push(Box::new(Descent::<Adam>::new(inputs, map, 0)));
    }
    if choice.has(Family::Factorisation) {
        experts.push(Box::new(Factorisation::new(inputs, 0)));
    }
    if choice.has(Family::Forest) {
        experts.push(Box::new(TreeClasses::new(inputs, Way::Forest)));
    }
    if choice.has(Family::Network)
        && let Some(network) = Network::new(inputs, 0, Parts::of(memory))
    {
        experts.push(Box::new(network));
    }
    if !inputs.small() {
        experts.push(Box::new(Own::new(inputs)));
    }
    experts.push(Box::<Fleet>::default());
    experts.push(Box::new(Fork::new(inputs.width(Map::Columns) - 1)));
    experts
}

fn small(inputs: &Inputs) -> Vec<Box<dyn ClassExpert>> {
    vec![
        Box::new(LastClass),
        Box::new(PassiveAggressive::new(inputs, Map::Label)),
        Box::new(CoinClasses::new(inputs, Map::Label)),
        Box::new(SecondOrderClasses::new(inputs, Map::Label, 1.0, 1e-3)),
    ]
}

fn large(inputs: &Inputs) -> Vec<Box<dyn ClassExpert>> {
    let mut experts: Vec<Box<dyn ClassExpert>> = vec![
        Box::new(LastClass),
        Box::new(Sgd::classes(inputs, Map::Label)),
        Box::new(PassiveAggressive::new(inputs, Map::Label)),
    ];
    if inputs.width(Map::Full) > 0 {
        experts.push(Box::new(PassiveAggressive::new(inputs, Map::Full)));
        experts.push(Box::new(CoinClasses::new(inputs, Map::Full)));
    }
    if inputs.width(Map::Products) > 0 {
        experts.push(Box::new(PassiveAggressive::new(inputs, Map::Products)));
    }
    experts.push(Box::new(TreeClasses::new(inputs, Way::Boosted)));
    if tiles::fits(inputs) {
        experts.push(Box::new(TileClasses::new(inputs, 1.0, 3e-4)));
    }
    if let Some(nearest) = Nearest::new(inputs) {
        experts.push(Box::new(nearest));
    }
    for (map, prior, forgetting) in [
        (Map::Label, 1.0, 1e-3),
        (Map::Label, 1.0, 1e-5),
        (Map::Full, 1.0, 1e-3),
        (Map::Context, 1.0, 1e-4),
        (Map::Waves, 1.0, 1e-4),
        (Map::OneHot, 0.3, 1e-4),
        (Map::Memory, 0.3, 1e-4),
    ] {
        if inputs.second_order(map) || map.typed() {
            experts.push(Box::new(SecondOrderClasses::new(inputs, map, prior, forgetting)));
        }
    }
    experts
}
