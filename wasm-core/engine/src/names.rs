//! Names and their numbers. Keys, fields and topics are text only where they come in and go out; in between they are dense
//! indexes, given in the order the names were first seen, so that state lives in vectors and nothing ever walks a hash map.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::parts::Tracked;

/// "Not known yet", where an index would stand.
pub const NONE: u32 = u32::MAX;

/// A hash of bytes that is the same on every machine and in every run. Not secret: whoever may publish can make names
/// collide, which costs time in tables whose size is bounded, and nothing else. Eight bytes a step with one multiplication
/// of 64 bits, since a product of 128 bits is a dozen instructions in wasm; two lanes, so that the steps overlap.
#[derive(Default, Clone, Copy)]
pub struct FixedHasher {
    state: u64,
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

fn stir(state: u64, word: u64) -> u64 {
    (state ^ word).wrapping_mul(MULTIPLIER).rotate_left(29)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a slice of eight bytes"))
}

fn half_word(bytes: &[u8], at: usize) -> u64 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a slice of four bytes")).into()
}

/// The last bytes behind the chunks of 16, as two words that may overlap; with the length they say all.
fn tail(bytes: &[u8]) -> (u64, u64) {
    match bytes.len() {
        length @ 16.. => (word(bytes, length - 16), word(bytes, length - 8)),
        length @ 8..16 => (word(bytes, 0), word(bytes, length - 8)),
        length @ 4..8 => (half_word(bytes, 0), half_word(bytes, length - 4)),
        length @ 1..4 => (
            u64::from(bytes[0]) << 8 | u64::from(bytes[length / 2]),
            bytes[length - 1].into(),
        ),
        0 => (0, 0),
    }
}

impl Hasher for FixedHasher {
    /// The end of `MurmurHash3` (A. Appleby, 2011): every bit of the state reaches every bit of the hash.
    fn finish(&self) -> u64 {
        let mut state = self.state;
        state = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        state = (state ^ (state >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        state ^ (state >> 33)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut one = self.state ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
        let mut other = one.rotate_left(32);
        let mut at = 0;
        while at + 16 < bytes.len() {
            one = stir(one, word(bytes, at));
            other = stir(other, word(bytes, at + 8));
            at += 16;
        }
        let (first, last) = tail(bytes);
        // Turned, so that what the lanes have in common does not cancel out.
        self.state = stir(stir(one, first), stir(other, last).rotate_left(17));
    }

    fn write_u8(&mut self, value: u8) {
        self.state = stir(self.state, value.into());
    }

    fn write_usize(&mut self, value: usize) {
        self.state = stir(self.state, value as u64);
    }
}

/// A hash map whose hashes are the same everywhere; only looked up in, never walked.
pub type FixedMap<K, V> = HashMap<K, V, BuildHasherDefault<FixedHasher>>;

/// Hash of several byte strings in a row.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = FixedHasher::default();
    for part in parts {
        hasher.write(part);
    }
    hasher.finish()
}

/// The hash of several byte strings as states hold it: of session ids, and of messages up to version 2 of the state.
#[must_use]
pub fn stored_hash(parts: &[&[u8]]) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the two halves of the product are what is wanted"
        )]
        let (low, high) = (product as u64, (product >> 64) as u64);
        low ^ high
    };
    let mut state = 0;
    for bytes in parts {
        state ^= (bytes.len() as u64).wrapping_mul(MULTIPLIER);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            state = fold(state ^ word(chunk, 0), 0xa076_1d64_78bd_642f);
        }
        let mut tail = [0; 8];
        tail[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        state = fold(state ^ u64::from_le_bytes(tail), 0xe703_7ed1_a0b4_28db);
    }
    fold(state ^ MULTIPLIER, 0xd6e8_feb8_6659_fd93)
}

/// Names in the order they were first seen, with their indexes.
#[derive(Default)]
pub struct Names {
    names: Tracked<Box<str>>,
    index: FixedMap<Box<str>, u32>,
}

impl Names {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The index of `name`, if it was seen.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u32> {
        self.index.get(name).copied()
    }

    /// The name with index `index`, which must have been given out.
    #[must_use]
    pub fn name(&self, index: u32) -> &str {
        &self.names[index as usize]
    }

    /// All names in the order of their indexes.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// The index of `name`, new or old.
    ///
    /// # Errors
    /// `Limit` when it is new and there are `count_max` already.
    pub fn intern(&mut self, name: &str, count_max: usize) -> Result<u32> {
        if let Some(index) = self.find(name) {
            return Ok(index);
        }
        if self.names.len() >= count_max {
            return Err(CoreError::Limit);
        }
        let index = u32::try_from(self.names.len()).map_err(|_| CoreError::Limit)?;
        self.names.push(name.into());
        self.index.insert(name.into(), index);
        Ok(index)
    }

    /// Appends the names in order.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.names.len()).expect("indexes are u32"));
        self.names.save(1, writer, |name, writer| writer.str(name));
    }

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` for a name that stands twice.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let count = reader.count(4)?;
        let mut names = Self::default();
        for at in 0..count {
            if names.intern(reader.str()?, usize::MAX)? as usize != at {
                return Err(CoreError::Corrupt);
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_index_and_the_limit_holds() {
        let mut names = Names::default();
        assert_eq!(names.intern("a", 2), Ok(0));
        assert_eq!(names.intern("b", 2), Ok(1));
        assert_eq!(names.intern("a", 2), Ok(0));
        assert_eq!(names.intern("c", 2), Err(CoreError::Limit));
        assert_eq!(names.name(1), "b");
        assert_eq!(names.find("c"), None);
    }

    #[test]
    fn names_are_loaded_with_the_indexes_they_had() {
        let mut names = Names::default();
        for name in ["z", "", "é"] {
            names.intern(name, 9).unwrap();
        }
        let mut writer = Writer::new();
        names.save(&mut writer);
        let loaded = Names::load(&mut Reader::new(writer.as_slice())).unwrap();
        assert_eq!(loaded.iter().collect::<Vec<_>>(), ["z", "", "é"]);
        assert_eq!(loaded.find("é"), Some(2));
    }

    #[test]
    fn the_hash_is_the_same_in_every_build() {
        assert_eq!(hash(&[b"building/a/co2", b"{}"]), hash(&[b"building/a/co2", b"{}"]));
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"", b"a"]), hash(&[b"a", b""]));
        assert_eq!(hash(&[b"building/a/co2", b"{}"]), 13_520_794_267_097_979_000);
        assert_eq!(stored_hash(&[b"building/a/co2", b"{}"]), 7_448_600_757_281_088_167);
    }

    #[test]
    fn every_byte_and_the_length_count_in_the_hash() {
        for length in 0..70 {
            let bytes = vec![7_u8; length];
            assert_ne!(hash(&[&bytes]), hash(&[&vec![7_u8; length + 1]]));
            for at in 0..length {
                for bit in 0..8 {
                    let mut other = bytes.clone();
                    other[at] ^= 1 << bit;
                    assert_ne!(hash(&[&bytes]), hash(&[&other]), "{length} {at} {bit}");
                }
            }
        }
    }
}
