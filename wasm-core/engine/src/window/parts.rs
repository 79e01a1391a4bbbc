//! What a window may keep of its readings beyond the moments that every aggregate has: one small state per kind, each in a
//! file of its own under one contract. A part is kept only where a statistic of the window needs it.

mod autocorrelation;
mod changes;
mod distinct;
mod duration;
mod energy;
mod ewma;
mod first;
mod integral;
mod quantiles;
mod shape;
mod slope;
mod top;

pub use autocorrelation::{Autocorrelation, LAG_MAX};
pub use changes::{Changes, STATES_MAX};
pub use distinct::Distinct;
pub use duration::Duration;
pub use energy::Energy;
pub use ewma::Ewma;
pub use first::First;
pub use integral::Integral;
pub use quantiles::Quantiles;
pub use shape::Shape;
pub use slope::Slope;
pub use top::{LISTED_MAX, Top};

use crate::codec::{Reader, Writer};
use crate::error::Result;

/// Milliseconds of an hour: rates, slopes and integrals are per hour, or times hours, as features are.
pub const HOUR_MS: f64 = 3_600_000.0;

/// The contract of a part. Parts whose answer depends on the order of the readings are given them in the order of event
/// time, and merged with what covers later times; the others may be given and merged in any order.
trait Part: Clone {
    /// Adds a reading.
    fn add(&mut self, time_ms: f64, value: f64);
    /// Adds the readings of `later`.
    fn merge(&mut self, later: &Self);
    /// Appends the state.
    fn save(&self, writer: &mut Writer);
}

macro_rules! parts {
    ($($kind:ident $(($($parameter:ident: $type:ty),*))? $ordered:literal),* $(,)?) => {
        /// Which part, and its parameters.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum PartKind {
            $(#[doc = concat!("See `", stringify!($kind), "`.")] $kind $(($($type),*))?),*
        }

        /// A part's state.
        #[derive(Clone, Debug, PartialEq)]
        pub enum PartState {
            $(#[doc = concat!("See `", stringify!($kind), "`.")] $kind($kind)),*
        }

        impl PartKind {
            /// True when the readings must come in the order of event time.
            #[must_use]
            pub fn is_ordered(self) -> bool {
                match self { $(Self::$kind { .. } => $ordered),* }
            }

            /// A state without readings.
            #[must_use]
            pub fn empty(self) -> PartState {
                match self {
                    $(Self::$kind $(($($parameter),*))? => PartState::$kind($kind::new($($($parameter),*)?))),*
                }
            }

            /// Takes what `PartState::save` wrote.
            ///
            /// # Errors
            /// `Truncated` or `Corrupt`.
            pub fn load(self, reader: &mut Reader) -> Result<PartState> {
                Ok(match self {
                    $(Self::$kind $(($($parameter),*))? =>
                        PartState::$kind($kind::load($($($parameter,)*)? reader)?)),*
                })
            }
        }

        impl PartState {
            /// Adds a reading.
            pub fn add(&mut self, time_ms: f64, value: f64) {
                match self { $(Self::$kind(part) => part.add(time_ms, value)),* }
            }

            /// Adds the readings of a state of the same kind.
            pub fn merge(&mut self, later: &Self) {
                match (self, later) {
                    $((Self::$kind(part), Self::$kind(later)) => part.merge(later),)*
                    _ => unreachable!("the parts of one window have one order"),
                }
            }

            /// Appends the state.
            pub fn save(&self, writer: &mut Writer) {
                match self { $(Self::$kind(part) => part.save(writer)),* }
            }
        }
    };
}

parts! {
    First false,
    Shape false,
    Quantiles false,
    Distinct false,
    Top false,
    Slope false,
    Ewma(half_life_ms: f64) false,
    Integral true,
    Duration(state: f64) true,
    Changes true,
    Autocorrelation(lag: usize) true,
    Energy(from_hz: f64, to_hz: f64) true,
}

/// Counts as numbers to calculate with.
fn number(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let number = count as f64;
    number
}
