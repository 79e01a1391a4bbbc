//! Which experts a panel begins with: the default ones, those that a task names, or both. What is asked for competes for
//! the budget like all others; a panel without the default keeps its floor (the share of classes, or the bases of
//! numbers) and what comes from the fleet.

/// A family of experts that is not among the default ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Gaussian naive Bayes.
    NaiveBayes,
    /// FTRL-proximal.
    Ftrl,
    /// AdaGrad.
    AdaGrad,
    /// Adam.
    Adam,
    /// Factorisation machine.
    Factorisation,
    /// An offset per key.
    KeyOffset,
    /// The seasonal last value.
    Seasonal,
    /// Holt-Winters.
    HoltWinters,
    /// A seasonal autoregression with other inputs.
    Snarimax,
    /// A network with one hidden layer.
    Network,
    /// A forest of trees that follow drift.
    Forest,
}

/// Per family its name in plans, whether it is for classes, and whether it is for numbers.
const FAMILIES: [(Family, &str, bool, bool); 11] = [
    (Family::NaiveBayes, "naive_bayes", true, false),
    (Family::Ftrl, "ftrl", true, true),
    (Family::AdaGrad, "adagrad", true, true),
    (Family::Adam, "adam", true, true),
    (Family::Factorisation, "factorisation", true, true),
    (Family::KeyOffset, "key_offset", false, true),
    (Family::Seasonal, "seasonal", false, true),
    (Family::HoltWinters, "holt_winters", false, true),
    (Family::Snarimax, "snarimax", false, true),
    (Family::Network, "network", true, true),
    (Family::Forest, "forest", true, true),
];
/// The name of those that a panel has when nothing is said.
const DEFAULT: &str = "default";

impl Family {
    fn bit(self) -> u32 {
        2 << self as u32
    }
}

/// A set of families; the default ones are the lowest bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice(u32);

impl Default for Choice {
    fn default() -> Self {
        Self(1)
    }
}

impl Choice {
    /// The default, and every family that is for classes, or for numbers.
    #[must_use]
    pub fn all(classes: bool) -> Self {
        FAMILIES
            .iter()
            .filter(|family| if classes { family.2 } else { family.3 })
            .fold(Self::default(), |choice, family| Self(choice.0 | family.0.bit()))
    }

    /// By names; `None` for none, for one that is unknown, and for one that is not for classes (or numbers).
    pub fn named<'a>(names: impl Iterator<Item = &'a str>, classes: bool) -> Option<Self> {
        let mut bits = 0;
        for name in names {
            bits |= if name == DEFAULT {
                1
            } else {
                FAMILIES.iter().find(|family| family.1 == name)?.0.bit()
            };
        }
        Self::from_bits(bits, classes)
    }

    /// As bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// From bits; `None` for none at all, and for families that are not for classes (or numbers).
    #[must_use]
    pub fn from_bits(bits: u32, classes: bool) -> Option<Self> {
        (bits != 0 && bits & !Self::all(classes).0 == 0).then_some(Self(bits))
    }

    /// True for a panel that begins with the default experts.
    #[must_use]
    pub fn default_ones(self) -> bool {
        self.0 & 1 == 1
    }

    /// True when one was asked for that forecasts from the labels as a series.
    #[must_use]
    pub fn forecasts(self) -> bool {
        [Family::Seasonal, Family::HoltWinters, Family::Snarimax]
            .iter()
            .any(|&family| self.has(family))
    }

    /// True when a family was asked for.
    #[must_use]
    pub fn has(self, family: Family) -> bool {
        self.0 & family.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_or_of_the_other_kind_is_refused() {
        let named = |names: &[&str], classes| Choice::named(names.iter().copied(), classes);
        assert_eq!(named(&["default"], true), Some(Choice::default()));
        let both = named(&["naive_bayes", "default"], true).expect("both are known");
        assert!(both.default_ones() && both.has(Family::NaiveBayes));
        let alone = named(&["naive_bayes"], true).expect("it is known");
        assert!(!alone.default_ones() && alone.has(Family::NaiveBayes));
        for (names, classes) in [
            (&[][..], true),
            (&["bayes"], true),
            (&["naive_bayes"], false),
            (&["default", ""], true),
        ] {
            assert_eq!(named(names, classes), None, "{names:?}");
        }
    }

    #[test]
    fn every_family_has_a_bit_of_its_own_that_survives() {
        for classes in [false, true] {
            let all = Choice::all(classes);
            assert_eq!(Choice::from_bits(all.bits(), classes), Some(all));
            for (family, name, for_classes, for_numbers) in FAMILIES {
                let fits = if classes { for_classes } else { for_numbers };
                assert_eq!(all.has(family), fits, "{name}");
                assert_eq!(Choice::named([name].into_iter(), classes).is_some(), fits, "{name}");
            }
        }
        assert_eq!(Choice::from_bits(0, true), None);
        assert_eq!(Choice::from_bits(1 << 31, true), None);
    }
}
