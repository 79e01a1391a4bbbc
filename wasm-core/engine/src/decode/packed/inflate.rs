//! Inflate (RFC 1951) for short payloads: a whole payload at once, into one buffer, with tables that are used again. A block of a
//! hundred bytes has its own code, so what counts is how soon it can be decoded and not how fast then: codes of up to nine bits
//! are looked up, longer ones followed bit by bit through the canonical code (as M. Adler's `puff` does).

#![expect(clippy::cast_possible_truncation, reason = "bits are cut to size before")]

use crate::error::{CoreError, Result};

/// Bits of a code (§3.2.7), of one that is looked up, and of one for distances that is.
const CODE_BITS: usize = 15;
const LITERAL_BITS: usize = 9;
const DISTANCE_BITS: usize = 6;
/// Codes of literals and lengths, with two that never stand in a block (§3.2.6), and of distances.
const LITERALS: usize = 288;
const DISTANCES: usize = 32;
/// Of them, those that a block may describe (§3.2.7), and those that mean something.
const LITERALS_MAX: usize = 286;
const DISTANCES_MAX: usize = 30;
const END_OF_BLOCK: u16 = 256;

/// In what order the lengths of the code of code lengths stand (§3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
/// The least length of each code for one (§3.2.5).
const LENGTHS: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
];

/// Bits of a payload, from the lowest of its first byte on.
struct Bits<'a> {
    rest: &'a [u8],
    held: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// Holds as many bits as there is room for.
    fn fill(&mut self) {
        if let Some(chunk) = self.rest.first_chunk() {
            self.held |= u64::from_le_bytes(*chunk) << self.count;
            let bytes = (63 - self.count) / 8;
            self.rest = &self.rest[bytes as usize..];
            self.count += 8 * bytes;
        } else {
            while self.count < 56
                && let Some((&byte, rest)) = self.rest.split_first()
            {
                self.held |= u64::from(byte) << self.count;
                self.rest = rest;
                self.count += 8;
            }
        }
        // What is above them is read again.
        self.held &= (1 << self.count) - 1;
    }

    /// The next `count` bits, at most 16.
    fn take(&mut self, count: u32) -> Result<usize> {
        if self.count < count {
            self.fill();
        }
        let bits = (self.held & ((1 << count) - 1)) as u16;
        self.drop(count)?;
        Ok(bits.into())
    }

    fn drop(&mut self, count: u32) -> Result<()> {
        self.count = self.count.checked_sub(count).ok_or(CoreError::Truncated)?;
        self.held >>= count;
        Ok(())
    }

    /// Goes to the next whole byte; what stands from there on.
    fn bytes(mut self, payload: &'a [u8]) -> &'a [u8] {
        self.count /= 8;
        &payload[payload.len() - self.rest.len() - self.count as usize..]
    }
}

/// A canonical code (§3.2.2).
struct Code<const FAST: usize, const ENTRIES: usize, const SYMBOLS: usize> {
    /// By the next `FAST` bits: a symbol and the length of its code in the lowest four bits; 0 where that is longer, or none.
    fast: [u16; ENTRIES],
    /// Codes of each length, and their symbols in order.
    counts: [u16; CODE_BITS + 1],
    symbols: [u16; SYMBOLS],
}

impl<const FAST: usize, const ENTRIES: usize, const SYMBOLS: usize> Code<FAST, ENTRIES, SYMBOLS> {
    const fn new() -> Self {
        Self {
            fast: [0; ENTRIES],
            counts: [0; CODE_BITS + 1],
            symbols: [0; SYMBOLS],
        }
    }

    /// Makes the code of these symbols, each with the length of its own, in their order. One that leaves bits without a meaning is
    /// taken when it has one symbol at most, whose code is a bit long, and `may_be_one` says so: as zlib does.
    fn make(&mut self, of: &[(u16, u8)], may_be_one: bool) -> Result<()> {
        self.counts = [0; CODE_BITS + 1];
        for &(_, length) in of {
            self.counts[usize::from(length)] += 1;
        }
        let mut left = 1_i32;
        let mut places = [0_u16; CODE_BITS + 1];
        for length in 1..=CODE_BITS {
            left = 2 * left - i32::from(self.counts[length]);
            if left < 0 {
                return Err(CoreError::Corrupt);
            }
            places[length] = places[length - 1] + self.counts[length - 1];
        }
        let single = self.counts[2..].iter().all(|&count| count == 0);
        if left > 0 && !(may_be_one && single) {
            return Err(CoreError::Corrupt);
        }
        for &(symbol, length) in of {
            let place = &mut places[usize::from(length)];
            self.symbols[usize::from(*place)] = symbol;
            *place += 1;
        }
        // From the shortest on: what a bit more may be stands twice then, until a code says what it is.
        self.fast[0] = 0;
        let (mut code, mut place) = (0_u16, 0);
        for length in 1..=FAST {
            let half = 1 << (length - 1);
            self.fast.copy_within(..half, half);
            for _ in 0..self.counts[length] {
                // Codes stand with their first bit lowest.
                self.fast[usize::from(code.reverse_bits() >> (16 - length))] = self.symbols[place] << 4 | length as u16;
                code += 1;
                place += 1;
            }
            code <<= 1;
        }
        Ok(())
    }

    /// The symbol whose code comes next.
    fn symbol(&self, bits: &mut Bits) -> Result<u16> {
        if bits.count < 16 {
            bits.fill();
        }
        let entry = self.fast[(bits.held & ((1 << FAST) - 1)) as usize];
        if entry != 0 {
            bits.drop((entry & 15).into())?;
            return Ok(entry >> 4);
        }
        let (mut code, mut first, mut place) = (0, 0, 0);
        for length in 1..=CODE_BITS {
            code |= (bits.held >> (length - 1)) as u16 & 1;
            let count = self.counts[length];
            if code < first + count {
                bits.drop(u32::try_from(length).expect("at most CODE_BITS"))?;
                return Ok(self.symbols[usize::from(place + code - first)]);
            }
            place += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        // No code begins so; or does, further on than the payload goes.
        Err(if bits.count < 16 {
            CoreError::Truncated
        } else {
            CoreError::Corrupt
        })
    }
}

/// Memory for codes; nothing of a payload is remembered.
pub(super) struct Inflater {
    literals: Code<LITERAL_BITS, { 1 << LITERAL_BITS }, LITERALS>,
    distances: Code<DISTANCE_BITS, { 1 << DISTANCE_BITS }, DISTANCES>,
    /// Of the code lengths of the two.
    lengths: Code<7, 128, 19>,
    /// The first two are those of blocks that describe none. They are kept: ten bits are such a block, and a hostile payload
    /// may have hundreds of thousands.
    are_fixed: bool,
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            literals: Code::new(),
            distances: Code::new(),
            lengths: Code::new(),
            are_fixed: false,
        }
    }
}

impl Inflater {
    /// Appends what `payload` holds to `out`, which may become `bytes_max` long; what stands behind it.
    ///
    /// # Errors
    /// `Truncated`, `Corrupt`, or `Limit` for more.
    pub fn inflate<'a>(&mut self, payload: &'a [u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<&'a [u8]> {
        let from = out.len();
        let mut bits = Bits {
            rest: payload,
            held: 0,
            count: 0,
        };
        loop {
            let last = bits.take(1)? == 1;
            match bits.take(2)? {
                0 => {
                    let (stored, behind) = stored(bits.bytes(payload))?;
                    if stored.len() > bytes_max - out.len() {
                        return Err(CoreError::Limit);
                    }
                    out.extend_from_slice(stored);
                    bits = Bits {
                        rest: behind,
                        held: 0,
                        count: 0,
                    };
                }
                1 => {
                    self.fixed()?;
                    self.block(&mut bits, from, bytes_max, out)?;
                }
                2 => {
                    self.described(&mut bits)?;
                    self.block(&mut bits, from, bytes_max, out)?;
                }
                _ => return Err(CoreError::Corrupt),
            }
            if last {
                return Ok(bits.bytes(payload));
            }
        }
    }

    /// The codes of a block that describes none (§3.2.6).
    fn fixed(&mut self) -> Result<()> {
        if self.are_fixed {
            return Ok(());
        }
        let length = |symbol: usize| match symbol {
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        };
        let literals: [(u16, u8); LITERALS] = core::array::from_fn(|symbol| (symbol as u16, length(symbol)));
        let distances: [(u16, u8); DISTANCES] = core::array::from_fn(|symbol| (symbol as u16, 5));
        self.literals.make(&literals, false)?;
        self.distances.make(&distances, false)?;
        self.are_fixed = true;
        Ok(())
    }

    /// The codes that a block describes (§3.2.7).
    fn described(&mut self, bits: &mut Bits) -> Result<()> {
        let (literals, distances) = (bits.take(5)? + 257, bits.take(5)? + 1);
        let count = bits.take(4)? + 4;
        if literals > LITERALS_MAX || distances > DISTANCES_MAX {
            return Err(CoreError::Corrupt);
        }
        let mut lengths = [0_u8; ORDER.len()];
        for &place in &ORDER[..count] {
            lengths[place] = bits.take(3)? as u8;
        }
        let mut used = [(0, 0); LITERALS_MAX + DISTANCES_MAX];
        let mut count = 0;
        for (symbol, &length) in (0..).zip(&lengths).filter(|(_, length)| **length != 0) {
            used[count] = (symbol, length);
            count += 1;
        }
        self.lengths.make(&used[..count], false)?;
        // Only what is used is noted: most bytes never stand in a payload.
        let (mut count, mut of_literals, mut ends) = (0, 0, false);
        let (mut at, mut last) = (0, 0);
        while at < literals + distances {
            let (length, times) = match self.lengths.symbol(bits)? {
                16 if at > 0 => (last, bits.take(2)? + 3),
                16 => return Err(CoreError::Corrupt),
                17 => (0, bits.take(3)? + 3),
                18 => (0, bits.take(7)? + 11),
                length => (length as u8, 1),
            };
            let end = at + times;
            if end > literals + distances {
                return Err(CoreError::Corrupt);
            }
            if length != 0 {
                for place in at..end {
                    let symbol = if place < literals { place } else { place - literals };
                    used[count] = (symbol as u16, length);
                    count += 1;
                    of_literals += usize::from(place < literals);
                }
                ends |= (at..end).contains(&usize::from(END_OF_BLOCK));
            }
            (at, last) = (end, length);
        }
        if !ends {
            return Err(CoreError::Corrupt);
        }
        self.are_fixed = false;
        self.literals.make(&used[..of_literals], true)?;
        self.distances.make(&used[of_literals..count], true)
    }

    /// Appends a block, up to its end.
    fn block(&self, bits: &mut Bits, from: usize, bytes_max: usize, out: &mut Vec<u8>) -> Result<()> {
        loop {
            let symbol = self.literals.symbol(bits)?;
            if symbol < END_OF_BLOCK {
                if out.len() >= bytes_max {
                    return Err(CoreError::Limit);
                }
                out.push(symbol as u8);
                continue;
            }
            if symbol == END_OF_BLOCK {
                return Ok(());
            }
            let symbol = symbol - END_OF_BLOCK - 1;
            let least = *LENGTHS.get(usize::from(symbol)).ok_or(CoreError::Corrupt)?;
            // Four codes to each bit that is added, but for the first eight and the last.
            let more = if symbol < 8 || symbol == 28 { 0 } else { symbol / 4 - 1 };
            let length = usize::from(least) + bits.take(more.into())?;
            let symbol = usize::from(self.distances.symbol(bits)?);
            let distance = match symbol {
                0..4 => symbol + 1,
                4..DISTANCES_MAX => {
                    // Two to each power of two (§3.2.5).
                    let more = symbol / 2 - 1;
                    ((2 + symbol % 2) << more) + 1 + bits.take(more as u32)?
                }
                _ => return Err(CoreError::Corrupt),
            };
            if distance > out.len() - from {
                return Err(CoreError::Corrupt);
            }
            if length > bytes_max - out.len() {
                return Err(CoreError::Limit);
            }
            let start = out.len() - distance;
            if distance >= length {
                out.extend_from_within(start..start + length);
            } else {
                for at in start..start + length {
                    out.push(out[at]);
                }
            }
        }
    }
}

/// What a stored block holds (§3.2.4), and what stands behind it.
fn stored(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let (&[a, b, c, d], rest) = bytes.split_first_chunk().ok_or(CoreError::Truncated)?;
    let length = u16::from_le_bytes([a, b]);
    if length != !u16::from_le_bytes([c, d]) {
        return Err(CoreError::Corrupt);
    }
    rest.split_at_checked(length.into()).ok_or(CoreError::Truncated)
}
