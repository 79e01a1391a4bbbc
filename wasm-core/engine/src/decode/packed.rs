//! Payloads that were compressed by the device: gzip (RFC 1952), zlib (RFC 1950), deflate (RFC 1951) and zstd (RFC 8878). They are
//! unpacked here and not at the door: the log keeps the bytes that came, and replay goes the same way. What comes out is bounded by
//! the limit of a payload, and so is what is kept while unpacking, whatever a header promises.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use crate::error::{CoreError, Result};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What a zstd frame may ask its reader to look back: the least that RFC 8878 §3.1.1.1.2 wants supported.
const ZSTD_WINDOW_MAX: u64 = 8 << 20;

/// How a source's payloads may be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Whatever a payload begins with says, gzip, zlib or zstd; anything else is not compressed.
    Auto,
    /// gzip, several members too.
    Gzip,
    /// zlib.
    Zlib,
    /// deflate without a header.
    Deflate,
    /// zstd, one frame; its checksum, if it has one, is not looked at.
    Zstd,
}

/// A zstd reader whose window is larger than this is not kept: a gateway's payloads are small.
const KEPT_WINDOW_MAX: u64 = 128 << 10;

/// What is used again from payload to payload; it remembers nothing of them.
#[derive(Default)]
pub struct Unpacker {
    zstd: Option<Box<FrameDecoder>>,
}

impl Unpacker {
    fn zstd(&mut self, payload: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
        let window = zstd_window(payload)?;
        if window > ZSTD_WINDOW_MAX {
            return Err(CoreError::Limit);
        }
        let decoder = self.zstd.get_or_insert_default();
        let reader = StreamingDecoder::new_with_decoder(payload, &mut **decoder).map_err(|_| CoreError::Corrupt);
        let unpacked = reader.and_then(|reader| bounded(reader, payload.len(), bytes_max));
        if window > KEPT_WINDOW_MAX || unpacked.is_err() {
            self.zstd = None;
        }
        unpacked
    }
}

impl Packing {
    /// Reads a source's `compression`.
    ///
    /// # Errors
    /// `BadPlan` for one that this core does not know.
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "auto" => Self::Auto,
            "gzip" => Self::Gzip,
            "zlib" => Self::Zlib,
            "deflate" => Self::Deflate,
            "zstd" => Self::Zstd,
            _ => return Err(CoreError::BadPlan),
        })
    }

    /// What `payload` holds; `None` when it is not compressed.
    ///
    /// # Errors
    /// `Limit` for more than `bytes_max`, `Truncated` when it ends too soon, `Corrupt` for anything else that is wrong.
    pub fn unpack(self, payload: &[u8], bytes_max: usize, unpacker: &mut Unpacker) -> Result<Option<Vec<u8>>> {
        let packing = match self {
            Self::Auto if payload.starts_with(&GZIP_MAGIC) => Self::Gzip,
            Self::Auto if payload.starts_with(&ZSTD_MAGIC) => Self::Zstd,
            Self::Auto if is_zlib(payload) => Self::Zlib,
            Self::Auto => return Ok(None),
            named => named,
        };
        match packing {
            Self::Gzip => bounded(MultiGzDecoder::new(payload), payload.len(), bytes_max),
            Self::Zlib => bounded(ZlibDecoder::new(payload), payload.len(), bytes_max),
            Self::Deflate => bounded(DeflateDecoder::new(payload), payload.len(), bytes_max),
            Self::Zstd | Self::Auto => unpacker.zstd(payload, bytes_max),
        }
        .map(Some)
    }
}

/// Reads all of it, as long as that is not more than `bytes_max`. It was packed into `length` bytes.
fn bounded(reader: impl Read, length: usize, bytes_max: usize) -> Result<Vec<u8>> {
    // What JSON is seldom packed tighter than.
    let mut bytes = Vec::with_capacity(bytes_max.min(8 * length));
    match reader.take(bytes_max as u64 + 1).read_to_end(&mut bytes) {
        Ok(read) if read > bytes_max => Err(CoreError::Limit),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(CoreError::Truncated),
        Err(_) => Err(CoreError::Corrupt),
    }
}

/// RFC 1950 §2.2: deflate with a window of at most 32 KiB, and a check over the two bytes.
fn is_zlib(payload: &[u8]) -> bool {
    matches!(payload, [method, flags, ..]
        if method & 0x0f == 8 && method >> 4 <= 7 && (u32::from(*method) << 8 | u32::from(*flags)) % 31 == 0)
}

/// How far back a frame's reader must be able to look (RFC 8878 §3.1.1.1): its window, or all of its content.
fn zstd_window(payload: &[u8]) -> Result<u64> {
    let byte = |at: usize| payload.get(at).copied().map(u64::from).ok_or(CoreError::Truncated);
    let descriptor = byte(ZSTD_MAGIC.len())?;
    let at = ZSTD_MAGIC.len() + 1;
    if descriptor & 0x20 == 0 {
        let window = byte(at)?;
        let base = 1 << (10 + (window >> 3));
        return Ok(base + (base >> 3) * (window & 7));
    }
    let at = at + [0, 1, 2, 4][usize::try_from(descriptor & 3).expect("two bits")];
    let length = 1 << (descriptor >> 6);
    let size = (0..length).try_fold(0, |size, index| Ok(size | byte(at + index)? << (8 * index)))?;
    Ok(if length == 2 { size + 256 } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use proptest::prelude::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    type Pack = fn(&[u8]) -> Vec<u8>;
    const WAYS: [(Packing, Pack); 4] = [
        (Packing::Gzip, gzip),
        (Packing::Zlib, zlib),
        (Packing::Deflate, deflate),
        (Packing::Zstd, zstd),
    ];

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let zeros = vec![0; 10 << 20];
        for (packing, pack) in WAYS {
            let bomb = pack(&zeros);
            assert!(bomb.len() < 100_000);
            assert_eq!(
                packing.unpack(&bomb, 100_000, &mut Unpacker::default()),
                Err(CoreError::Limit),
                "{packing:?}"
            );
        }
    }

    #[test]
    fn a_window_beyond_all_measure_is_refused_before_it_is_made() {
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0x01, 0x00, 0x00];
        assert_eq!(
            Packing::Zstd.unpack(&frame, 1000, &mut Unpacker::default()),
            Err(CoreError::Limit)
        );
        let single = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0x7f, 0x01, 0x00, 0x00];
        assert_eq!(
            Packing::Zstd.unpack(&single, 1000, &mut Unpacker::default()),
            Err(CoreError::Limit)
        );
    }

    #[test]
    fn what_is_cut_or_wrong_is_refused() {
        for (packing, pack) in WAYS {
            let whole = pack(b"{\"temperature\":21.5,\"temperature\":21.5}");
            for end in 0..whole.len() {
                assert!(
                    packing.unpack(&whole[..end], 1000, &mut Unpacker::default()).is_err(),
                    "{packing:?} {end}"
                );
            }
        }
        let mut changed = gzip(b"{\"t\":21.5}");
        let at = changed.len() - 6;
        changed[at] ^= 1;
        assert_eq!(
            Packing::Gzip.unpack(&changed, 1000, &mut Unpacker::default()),
            Err(CoreError::Corrupt)
        );
    }

    #[test]
    fn what_is_not_compressed_stays_as_it_is() {
        for payload in [&b"{\"t\":1}"[..], b"21.5", b"", b"x"] {
            assert_eq!(Packing::Auto.unpack(payload, 1000, &mut Unpacker::default()), Ok(None));
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(bytes in prop::collection::vec(0_u8..8, 0..2000)) {
            for (packing, pack) in WAYS {
                let packed = pack(&bytes);
                prop_assert_eq!(packing.unpack(&packed, 2000, &mut Unpacker::default()).unwrap().unwrap(), bytes.clone());
                if packing != Packing::Deflate {
                    prop_assert_eq!(Packing::Auto.unpack(&packed, 2000, &mut Unpacker::default()).unwrap().unwrap(), bytes.clone());
                }
            }
        }

        #[test]
        fn what_was_unpacked_before_changes_nothing(payloads in prop::collection::vec((prop::collection::vec(0_u8..20, 0..600), any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            let mut kept = Unpacker::default();
            for (bytes, at, byte) in payloads {
                let mut packed = zstd(&bytes);
                if byte < 128 {
                    let at = at.index(packed.len());
                    packed[at] = byte;
                }
                prop_assert_eq!(Packing::Zstd.unpack(&packed, 2000, &mut kept), Packing::Zstd.unpack(&packed, 2000, &mut Unpacker::default()));
            }
        }

        #[test]
        fn any_bytes_are_unpacked_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for (packing, _) in WAYS {
                let _ = packing.unpack(&bytes, 10_000, &mut Unpacker::default());
            }
            bytes.splice(..0, ZSTD_MAGIC);
            let _ = Packing::Auto.unpack(&bytes, 10_000, &mut Unpacker::default());
        }
    }
}
