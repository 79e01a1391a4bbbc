//! Which experts a panel for classes has, in the order of their predictions. The last three
//! are this gateway's own logistic, the models of the release, and the fork that goes on from it.

use crate::panel::experts::ClassExpert;
use crate::panel::experts::coin::CoinClasses;
use crate::panel::experts::fleet::Fleet;
use crate::panel::experts::logistic::{Fork, Own};
use crate::panel::experts::nearest::Nearest;
use crate::panel::experts::passive_aggressive::PassiveAggressive;
use crate::panel::experts::prior::{LastClass, Share};
use crate::panel::experts::second_order::SecondOrderClasses;
use crate::panel::experts::sgd::Sgd;
use crate::panel::experts::tiles::{self, TileClasses};
use crate::panel::experts::trees::TreeClasses;
use crate::panel::inputs::{Inputs, Map};

/// How many at the end come from the fleet and stay: the logistic that is told, the models of the release, and what goes
/// on from them. Small panels tell no logistic: it alone would take half of what they may.
#[must_use]
pub fn fleet(inputs: &Inputs) -> usize {
    if inputs.small() { 2 } else { 3 }
}

fn small(inputs: &Inputs) -> Vec<Box<dyn ClassExpert>> {
    vec![
        Box::new(Share),
        Box::new(LastClass),
        Box::new(PassiveAggressive::new(inputs, Map::Label)),
        Box::new(CoinClasses::new(inputs, Map::Label)),
        Box::new(SecondOrderClasses::new(inputs, Map::Label, 1.0, 1e-3)),
        Box::<Fleet>::default(),
        Box::new(Fork::new(inputs.width(Map::Columns) - 1)),
    ]
}

/// The experts over these inputs.
#[must_use]
pub fn experts(inputs: &Inputs) -> Vec<Box<dyn ClassExpert>> {
    if inputs.small() {
        return small(inputs);
    }
    let mut experts: Vec<Box<dyn ClassExpert>> = vec![
        Box::new(Share),
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
    experts.push(Box::new(TreeClasses::new(inputs)));
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
    let d = inputs.width(Map::Columns) - 1;
    experts.push(Box::new(Own::new(inputs)));
    experts.push(Box::<Fleet>::default());
    experts.push(Box::new(Fork::new(d)));
    experts
}
