//! How many different readings: exact up to 64, then HyperLogLog with 2,048 registers (standard error 2.3 %). P. Flajolet et
//! al., "HyperLogLog", 2007; estimated as in O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches",
//! 2017, algorithm 6. The answer depends on the set of readings alone.

use super::{Part, number};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Hashes kept as they are before registers take over.
const EXACT_MAX: usize = 64;
const REGISTER_BITS: u32 = 11;
const REGISTERS: usize = 1 << REGISTER_BITS;
/// Bits of the hash behind the register's number.
const RANK_BITS: usize = 64 - REGISTER_BITS as usize;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub enum Distinct {
    /// The hashes, sorted.
    Few(Vec<u64>),
    /// For each register the longest run of zeros seen, plus one.
    Many(Box<[u8]>),
}

impl Distinct {
    pub(super) fn new() -> Self {
        Self::Few(Vec::new())
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        if reader.bool()? {
            let registers = reader.raw(REGISTERS)?;
            if registers.iter().any(|&rank| usize::from(rank) > RANK_BITS + 1) {
                return Err(CoreError::Corrupt);
            }
            return Ok(Self::Many(registers.into()));
        }
        let hashes: Vec<u64> = (0..reader.count(8)?).map(|_| reader.u64()).collect::<Result<_>>()?;
        if hashes.len() > EXACT_MAX || hashes.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(CoreError::Corrupt);
        }
        Ok(Self::Few(hashes))
    }

    /// The estimate; exact up to 64.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let registers = match self {
            Self::Few(hashes) => return number(hashes.len() as u64),
            Self::Many(registers) => registers,
        };
        let mut ranks = [0_u32; RANK_BITS + 2];
        registers.iter().for_each(|&rank| ranks[usize::from(rank)] += 1);
        let m = number(REGISTERS as u64);
        let mut z = m * tau(1.0 - f64::from(ranks[RANK_BITS + 1]) / m);
        for rank in (1..=RANK_BITS).rev() {
            z = 0.5 * (z + f64::from(ranks[rank]));
        }
        z += m * sigma(f64::from(ranks[0]) / m);
        (m * m / (2.0 * core::f64::consts::LN_2 * z)).round()
    }

    fn add_hash(&mut self, hash: u64) {
        match self {
            Self::Few(hashes) => {
                if let Err(at) = hashes.binary_search(&hash) {
                    hashes.insert(at, hash);
                    if hashes.len() > EXACT_MAX {
                        let mut registers = vec![0; REGISTERS];
                        hashes.iter().for_each(|&hash| register(&mut registers, hash));
                        *self = Self::Many(registers.into());
                    }
                }
            }
            Self::Many(registers) => register(registers, hash),
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let at = usize::try_from(hash >> RANK_BITS).expect("eleven bits");
    let rest = hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1);
    let rank = u8::try_from(rest.leading_zeros() + 1).expect("at most 54");
    registers[at] = registers[at].max(rank);
}

/// A mix of the number's bits that makes each of them depend on all (S. Vigna's splitmix64).
fn hash(value: f64) -> u64 {
    // -0 and 0 are the same reading.
    let mut bits = (value + 0.0).to_bits().wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

impl Part for Distinct {
    fn add(&mut self, _time_ms: f64, value: f64) {
        self.add_hash(hash(value));
    }

    fn merge(&mut self, later: &Self) {
        match later {
            Self::Few(hashes) => hashes.iter().for_each(|&hash| self.add_hash(hash)),
            Self::Many(others) => {
                let mut registers = others.clone();
                match self {
                    Self::Few(hashes) => hashes.iter().for_each(|&hash| register(&mut registers, hash)),
                    Self::Many(mine) => {
                        for (register, &mine) in registers.iter_mut().zip(mine.iter()) {
                            *register = (*register).max(mine);
                        }
                    }
                }
                *self = Self::Many(registers);
            }
        }
    }

    fn save(&self, writer: &mut Writer) {
        writer.bool(matches!(self, Self::Many(_)));
        match self {
            Self::Few(hashes) => {
                writer.u32(u32::try_from(hashes.len()).expect("at most EXACT_MAX"));
                hashes.iter().for_each(|&hash| writer.u64(hash));
            }
            Self::Many(registers) => writer.raw(registers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_counted_and_many_are_estimated_whatever_the_grouping() {
        for distinct in [0_u32, 1, 64, 65, 1000, 30_000, 300_000] {
            let (mut whole, mut even, mut odd) = (Distinct::new(), Distinct::new(), Distinct::new());
            for n in 0..distinct {
                let value = f64::from(n) * 0.1;
                whole.add(0.0, value);
                whole.add(0.0, value);
                if n % 2 == 0 { &mut even } else { &mut odd }.add(0.0, value);
            }
            even.merge(&odd);
            assert_eq!(even, whole);
            let exact = f64::from(distinct);
            let bound = if distinct <= 64 { 0.0 } else { 4.0 * 0.023 * exact };
            assert!(
                (whole.estimate() - exact).abs() <= bound,
                "{} for {distinct}",
                whole.estimate()
            );
            let mut writer = Writer::new();
            whole.save(&mut writer);
            assert_eq!(Distinct::load(&mut Reader::new(writer.as_slice())), Ok(whole));
        }
    }
}
