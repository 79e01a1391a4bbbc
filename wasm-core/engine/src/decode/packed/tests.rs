//! Payloads packed by a library come out, and what it refuses is refused.

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

/// What a library makes of it. The reader of flate2 takes what lies before the beginning for zeros, where there is no check that
/// would tell; zlib refuses it, as this does.
fn by_the_library(packing: Packing, payload: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let read = |reader: &mut dyn Read| bounded(reader, Vec::new(), bytes_max).ok();
    match packing {
        Packing::Gzip => read(&mut flate2::bufread::MultiGzDecoder::new(payload)),
        Packing::Zlib => read(&mut flate2::bufread::ZlibDecoder::new(payload)),
        _ => miniz_oxide::inflate::decompress_to_vec_with_limit(payload, bytes_max).ok(),
    }
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
fn a_header_with_all_that_it_may_have_is_passed_over() {
    let whole = gzip(b"{\"t\":21.5}");
    let mut header = whole[..10].to_vec();
    header[3] = 0x1f;
    header.extend(b"\x03\x00abcname\0what it is\0");
    let check = crc32(&header).to_le_bytes();
    header.extend(&check[..2]);
    let with = [&header[..], &whole[10..]].concat();
    let unpack = |bytes: &[u8]| Packing::Auto.unpack(bytes, 1000, &mut Unpacker::default());
    assert_eq!(unpack(&with), Ok(Some(b"{\"t\":21.5}".to_vec())));
    for end in 2..header.len() {
        assert_eq!(unpack(&with[..end]), Err(CoreError::Truncated), "{end}");
    }
    let mut wrong = with.clone();
    wrong[header.len() - 1] ^= 1;
    assert_eq!(unpack(&wrong), Err(CoreError::Corrupt));
}

#[test]
fn what_is_not_compressed_stays_as_it_is() {
    // Some of them begin as zlib may: numbers, lines of text, a negative number of CBOR.
    let plain = [
        &b"{\"t\":1}"[..],
        b"21.5",
        b"",
        b"x",
        b"80",
        b"80.5",
        b"8015.25781",
        b"x^2,site=a v=21.5\n",
        b"\x38\x11",
    ];
    for payload in plain {
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
    fn every_level_of_compression_comes_out(words in prop::collection::vec("[a-f]{1,9}|[0-9.]{1,20}", 0..400), runs in prop::collection::vec((any::<u8>(), 0_usize..600), 0..6), level in 0_u32..10) {
        let mut bytes = words.concat().into_bytes();
        runs.iter().for_each(|(byte, times)| bytes.extend(vec![*byte; *times]));
        bytes.extend_from_within(..);
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(&bytes).unwrap();
        let packed = encoder.finish().unwrap();
        prop_assert_eq!(Packing::Deflate.unpack(&packed, bytes.len(), &mut Unpacker::default()), Ok(Some(bytes.clone())));
        if !bytes.is_empty() {
            prop_assert_eq!(Packing::Deflate.unpack(&packed, bytes.len() - 1, &mut Unpacker::default()), Err(CoreError::Limit));
        }
    }

    #[test]
    fn what_the_library_takes_is_taken_and_what_it_refuses_is_refused(bytes in prop::collection::vec(0_u8..20, 0..300), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), any in prop::collection::vec(any::<u8>(), 0..40), members in 1_usize..3) {
        for (packing, pack) in &WAYS[..3] {
            let mut packed = pack(&bytes).repeat(members);
            for (at, byte) in &damage {
                let at = at.index(packed.len());
                packed[at] ^= byte;
            }
            for payload in [&packed, &any] {
                let ours = packing.unpack(payload, 2000, &mut Unpacker::default());
                prop_assert_eq!(ours.ok().flatten(), by_the_library(*packing, payload, 2000), "{:?} {:?}", packing, payload);
            }
        }
    }

    #[test]
    fn what_was_unpacked_before_changes_nothing(payloads in prop::collection::vec((prop::collection::vec(0_u8..20, 0..600), any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut kept = Unpacker::default();
        for (bytes, at, byte) in payloads {
            for (packing, pack) in WAYS {
                let mut packed = pack(&bytes);
                if byte < 128 {
                    let at = at.index(packed.len());
                    packed[at] = byte;
                }
                let again = packing.unpack(&packed, 2000, &mut kept);
                prop_assert_eq!(&again, &packing.unpack(&packed, 2000, &mut Unpacker::default()));
                kept.keep(again.ok().flatten().unwrap_or_default());
            }
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
