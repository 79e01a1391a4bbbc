//! The vectors served for a key: how many, and a hash over all of them.

use sha2::{Digest, Sha256};

use crate::codec::Writer;

/// Bytes of the hash that names what was served.
pub(super) const SERVED_HASH_BYTES: usize = 16;

/// The vectors served for a key: how many, and a hash over all of them, so that whoever rebuilds them can prove that they
/// are those.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Served {
    /// Vectors.
    pub count: u64,
    /// The first bytes of the SHA-256 of the hash before, the offset of the message, the event time and the features.
    pub hash: [u8; SERVED_HASH_BYTES],
}

impl Served {
    pub(super) fn add(&mut self, offset: u64, at_ms: f64, x: &[f64], bytes: &mut Writer) {
        bytes.clear();
        bytes.raw(&self.hash);
        bytes.u64(offset);
        bytes.f64(at_ms);
        for &value in x {
            bytes.f64(value);
        }
        let hash = Sha256::digest(bytes.as_slice());
        self.hash.copy_from_slice(&hash[..SERVED_HASH_BYTES]);
        self.count += 1;
    }
}
