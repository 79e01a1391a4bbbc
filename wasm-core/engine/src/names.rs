//! Names and their numbers. Keys, fields and topics are text only where they come in and go out; in between they are dense
//! indexes, given in the order the names were first seen, so that state lives in vectors and nothing ever walks a hash map.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// "Not known yet", where an index would stand.
pub const NONE: u32 = u32::MAX;

/// A hash of bytes that is the same on every machine and in every run. Not secret: whoever may publish can make names
/// collide, which costs time in tables whose size is bounded, and nothing else.
#[derive(Default, Clone, Copy)]
pub struct FixedHasher {
    state: u64,
}

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves of the product are what is wanted"
    )]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

impl Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        fold(self.state ^ MULTIPLIER, 0xd6e8_feb8_6659_fd93)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut state = self.state ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word = u64::from_le_bytes(chunk.try_into().expect("a chunk of eight bytes"));
            state = fold(state ^ word, 0xa076_1d64_78bd_642f);
        }
        let mut tail = [0; 8];
        tail[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        self.state = fold(state ^ u64::from_le_bytes(tail), 0xe703_7ed1_a0b4_28db);
    }

    fn write_usize(&mut self, value: usize) {
        self.state = fold(self.state ^ value as u64, MULTIPLIER);
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

/// Names in the order they were first seen, with their indexes.
#[derive(Default)]
pub struct Names {
    names: Vec<Box<str>>,
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
        for name in &self.names {
            writer.str(name);
        }
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
    }
}
