//! Payloads that were compressed by the device: gzip (RFC 1952), zlib (RFC 1950), deflate (RFC 1951) and zstd (RFC 8878). They are
//! unpacked here and not at the door: the log keeps the bytes that came, and replay goes the same way. What comes out is bounded by
//! the limit of a payload, and so is what is kept while unpacking, whatever a header promises.

mod check;
mod inflate;

use std::io::Read;

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use crate::error::{CoreError, Result};
use check::{adler32, crc32};
use inflate::Inflater;

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

/// What was unpacked is not kept as memory for the next when it is larger than this.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// What is used again from payload to payload; it remembers nothing of them.
#[derive(Default)]
pub struct Unpacker {
    inflater: Option<Box<Inflater>>,
    zstd: Option<Box<FrameDecoder>>,
    bytes: Vec<u8>,
}

impl Unpacker {
    /// Takes what was unpacked back, for its memory.
    pub fn keep(&mut self, bytes: Vec<u8>) {
        if bytes.capacity() <= KEPT_BYTES_MAX {
            self.bytes = bytes;
        }
    }

    /// Room for what was packed into `length` bytes.
    fn room(&mut self, length: usize, bytes_max: usize) -> Vec<u8> {
        let mut bytes = core::mem::take(&mut self.bytes);
        bytes.clear();
        // What JSON is seldom packed tighter than.
        bytes.reserve(bytes_max.min(8 * length));
        bytes
    }

    /// gzip (RFC 1952), one member or more.
    fn gzip(&mut self, payload: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
        let mut bytes = self.room(payload.len(), bytes_max);
        let inflater = self.inflater.get_or_insert_default();
        let mut rest = payload;
        loop {
            let from = bytes.len();
            let behind = inflater.inflate(gzip_body(rest)?, bytes_max, &mut bytes)?;
            let (check, behind) = behind.split_first_chunk().ok_or(CoreError::Truncated)?;
            let (length, behind) = behind.split_first_chunk().ok_or(CoreError::Truncated)?;
            let member = &bytes[from..];
            let same_length = member.len() as u64 & u64::from(u32::MAX) == u64::from(u32::from_le_bytes(*length));
            if !same_length || crc32(member) != u32::from_le_bytes(*check) {
                return Err(CoreError::Corrupt);
            }
            if behind.is_empty() {
                return Ok(bytes);
            }
            rest = behind;
        }
    }

    /// zlib (RFC 1950); what stands behind it is not looked at.
    fn zlib(&mut self, payload: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
        let (head, body) = payload.split_first_chunk::<2>().ok_or(CoreError::Truncated)?;
        // A dictionary that both sides know: nobody has told it here.
        if !is_zlib(head) || head[1] & 0x20 != 0 {
            return Err(CoreError::Corrupt);
        }
        let mut bytes = self.room(payload.len(), bytes_max);
        let inflater = self.inflater.get_or_insert_default();
        let behind = inflater.inflate(body, bytes_max, &mut bytes)?;
        let check = behind.first_chunk().ok_or(CoreError::Truncated)?;
        if adler32(&bytes) != u32::from_be_bytes(*check) {
            return Err(CoreError::Corrupt);
        }
        Ok(bytes)
    }

    /// deflate without a header; what stands behind it is not looked at.
    fn deflate(&mut self, payload: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
        let mut bytes = self.room(payload.len(), bytes_max);
        let inflater = self.inflater.get_or_insert_default();
        inflater.inflate(payload, bytes_max, &mut bytes)?;
        Ok(bytes)
    }

    fn zstd(&mut self, payload: &[u8], bytes_max: usize) -> Result<Vec<u8>> {
        let window = zstd_window(payload)?;
        if window > ZSTD_WINDOW_MAX {
            return Err(CoreError::Limit);
        }
        let bytes = self.room(payload.len(), bytes_max);
        let decoder = self.zstd.get_or_insert_default();
        let reader = StreamingDecoder::new_with_decoder(payload, &mut **decoder).map_err(|_| CoreError::Corrupt);
        let unpacked = reader.and_then(|reader| bounded(reader, bytes, bytes_max));
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
            Self::Auto if is_zlib(payload) && !may_be_plain(payload) => Self::Zlib,
            Self::Auto => return Ok(None),
            named => named,
        };
        match packing {
            Self::Gzip => unpacker.gzip(payload, bytes_max),
            Self::Zlib => unpacker.zlib(payload, bytes_max),
            Self::Deflate => unpacker.deflate(payload, bytes_max),
            Self::Zstd | Self::Auto => unpacker.zstd(payload, bytes_max),
        }
        .map(Some)
    }
}

/// Reads all of it into `bytes`, as long as that is not more than `bytes_max`.
fn bounded(reader: impl Read, mut bytes: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>> {
    match reader.take(bytes_max as u64 + 1).read_to_end(&mut bytes) {
        Ok(read) if read > bytes_max => Err(CoreError::Limit),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(CoreError::Truncated),
        Err(_) => Err(CoreError::Corrupt),
    }
}

/// What stands behind the header of a member (RFC 1952 §2.3).
fn gzip_body(member: &[u8]) -> Result<&[u8]> {
    let (&[one, two, method, flags, ..], mut rest) = member.split_first_chunk::<10>().ok_or(CoreError::Truncated)?;
    if [one, two] != GZIP_MAGIC || method != 8 || flags & 0xe0 != 0 {
        return Err(CoreError::Corrupt);
    }
    let (has_check, has_more, has_name, has_comment) =
        (flags & 2 != 0, flags & 4 != 0, flags & 8 != 0, flags & 16 != 0);
    if has_more {
        let (length, behind) = rest.split_first_chunk().ok_or(CoreError::Truncated)?;
        rest = behind
            .get(u16::from_le_bytes(*length).into()..)
            .ok_or(CoreError::Truncated)?;
    }
    for _ in 0..usize::from(has_name) + usize::from(has_comment) {
        let end = rest.iter().position(|&byte| byte == 0).ok_or(CoreError::Truncated)?;
        rest = &rest[end + 1..];
    }
    if has_check {
        let header = &member[..member.len() - rest.len()];
        let (check, behind) = rest.split_first_chunk().ok_or(CoreError::Truncated)?;
        if crc32(header) & 0xffff != u32::from(u16::from_le_bytes(*check)) {
            return Err(CoreError::Corrupt);
        }
        rest = behind;
    }
    Ok(rest)
}

/// RFC 1950 §2.2: deflate with a window of at most 32 KiB, and a check over the two bytes.
fn is_zlib(payload: &[u8]) -> bool {
    matches!(payload, [method, flags, ..]
        if method & 0x0f == 8 && method >> 4 <= 7 && (u32::from(*method) << 8 | u32::from(*flags)) % 31 == 0)
}

/// The least that zlib takes: its header, a block without content, the check.
const ZLIB_BYTES_MIN: usize = 8;

/// True for what begins as zlib may but is nothing packed: shorter than that, or text, as the number `80.5` is.
fn may_be_plain(payload: &[u8]) -> bool {
    let is_written = |char: char| !char.is_control() || char.is_ascii_whitespace();
    payload.len() < ZLIB_BYTES_MIN || core::str::from_utf8(payload).is_ok_and(|text| text.chars().all(is_written))
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
mod tests;
