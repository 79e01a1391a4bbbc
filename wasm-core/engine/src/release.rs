//! A release as it travels: the envelope around a global model (FORMATS.md section 7). Its hash is the SHA-256 of all
//! of its bytes, so nothing in it can change without a new name.

mod heads;
mod model;

pub use heads::{ClassHeads, ForkStart, Reference};
pub use model::ReleaseModel;

use sha2::{Digest, Sha256};

use crate::codec::Reader;
use crate::error::{CoreError, Result};

const MAGIC: &[u8; 4] = b"RVRL";
/// Version 1 had no line: its releases begin one each.
const VERSION: u16 = 2;

/// The fields of a release, borrowed from its bytes. The model in it is not decoded yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Release<'a> {
    /// SHA-256 of the whole release.
    pub hash: [u8; 32],
    /// The task it is for.
    pub task: &'a str,
    /// SHA-256 of `schema`, verified.
    pub schema_hash: [u8; 32],
    /// Hash of the release it follows; zero: none.
    pub parent: [u8; 32],
    /// Hash of the first release of its line; zero: it begins one. Along a line every release holds the statistics of
    /// the one before and what was added to them since, and nothing was taken out.
    pub line: [u8; 32],
    /// The kernel that merged it.
    pub kernel_hash: [u8; 32],
    /// Gateways whose statistics are in it.
    pub gateways: u32,
    /// Rows behind it.
    pub rows: f64,
    /// Canonical JSON of the schema (FORMATS.md section 6).
    pub schema: &'a [u8],
    /// The model's bytes, for `ReleaseModel::decode`.
    pub model: &'a [u8],
}

impl<'a> Release<'a> {
    /// Reads the whole of `bytes` as one release.
    ///
    /// # Errors
    /// `Truncated`, `Foreign`, `TooNew`, `Corrupt` (also when the schema is not the one its hash names), or
    /// `BadNumbers` when `rows` is not a count.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let version = reader.magic(MAGIC, VERSION)?;
        if reader.u16()? != 0 {
            return Err(CoreError::Corrupt);
        }
        let release = Self {
            hash: Sha256::digest(bytes).into(),
            task: reader.str()?,
            schema_hash: hash(&mut reader)?,
            parent: hash(&mut reader)?,
            line: if version == 1 { [0; 32] } else { hash(&mut reader)? },
            kernel_hash: hash(&mut reader)?,
            gateways: reader.u32()?,
            rows: reader.f64()?,
            schema: reader.bytes()?,
            model: reader.bytes()?,
        };
        reader.finish()?;
        if release.schema_hash[..] != Sha256::digest(release.schema)[..] {
            return Err(CoreError::Corrupt);
        }
        if !(release.rows >= 0.0 && release.rows.is_finite()) {
            return Err(CoreError::BadNumbers);
        }
        Ok(release)
    }

    /// What tells a panel whether it knows this release's line already.
    #[must_use]
    pub fn descent(&self) -> Descent {
        Descent {
            hash: self.hash,
            line: if self.line == [0; 32] { self.hash } else { self.line },
            rows: self.rows,
        }
    }
}

/// Where a release comes from, as far as a panel needs to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// SHA-256 of the release.
    pub hash: [u8; 32],
    /// Hash of the first release of its line: its own when it is the first.
    pub line: [u8; 32],
    /// Rows behind it.
    pub rows: f64,
}

impl Descent {
    /// True when this release is `earlier` with more rows (or the same again): what `earlier` has earned is its own. A
    /// gateway that missed releases in between sees it too; a step back along a line is not a continuation.
    #[must_use]
    pub fn continues(&self, earlier: &Self) -> bool {
        self.line == earlier.line && self.rows >= earlier.rows
    }
}

fn hash(reader: &mut Reader) -> Result<[u8; 32]> {
    Ok(reader.raw(32)?.try_into().expect("raw returned the length asked for"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Writer;

    fn encoded() -> Vec<u8> {
        let schema = br#"{"task":"t"}"#;
        let mut writer = Writer::new();
        writer.raw(MAGIC);
        writer.u16(VERSION);
        writer.u16(0);
        writer.str("t");
        writer.raw(&Sha256::digest(schema));
        writer.raw(&[0; 32]);
        writer.raw(&[6; 32]);
        writer.raw(&[7; 32]);
        writer.u32(3);
        writer.f64(1200.0);
        writer.bytes(schema);
        writer.bytes(b"model");
        writer.into_vec()
    }

    #[test]
    fn a_release_is_read_with_its_hash() {
        let bytes = encoded();
        let release = Release::parse(&bytes).unwrap();
        assert_eq!(
            (release.task, release.gateways, release.rows, release.model),
            ("t", 3, 1200.0, &b"model"[..])
        );
        assert_eq!(release.hash[..], Sha256::digest(&bytes)[..]);
    }

    #[test]
    fn a_release_cut_anywhere_is_truncated() {
        let bytes = encoded();
        for length in 0..bytes.len() {
            assert_eq!(
                Release::parse(&bytes[..length]),
                Err(CoreError::Truncated),
                "cut at {length}"
            );
        }
    }

    #[test]
    fn a_release_continues_what_has_its_line_and_no_more_rows() {
        let bytes = encoded();
        let release = Release::parse(&bytes).unwrap();
        let descent = release.descent();
        assert_eq!(descent.line, [6; 32]);
        let earlier = |line: [u8; 32], rows: f64| Descent {
            hash: [1; 32],
            line,
            rows,
        };
        assert!(descent.continues(&earlier([6; 32], 1100.0)));
        assert!(descent.continues(&descent));
        assert!(!descent.continues(&earlier([6; 32], 1300.0)), "a step back");
        assert!(!descent.continues(&earlier([5; 32], 1100.0)), "another line");
        let first = Release {
            line: [0; 32],
            ..release
        };
        assert_eq!(first.descent().line, first.hash);
    }

    #[test]
    fn a_release_of_another_kind_or_schema_is_refused_by_name() {
        let with = |at: usize, byte: u8| {
            let mut bytes = encoded();
            bytes[at] = byte;
            Release::parse(&bytes).err()
        };
        assert_eq!(with(0, b'X'), Some(CoreError::Foreign));
        assert_eq!(with(4, 3), Some(CoreError::TooNew));
        assert_eq!(with(6, 1), Some(CoreError::Corrupt));
        assert_eq!(
            with(13, 0xff),
            Some(CoreError::Corrupt),
            "the schema hash no longer fits"
        );
        let mut longer = encoded();
        longer.push(0);
        assert_eq!(Release::parse(&longer), Err(CoreError::Corrupt));
    }
}
