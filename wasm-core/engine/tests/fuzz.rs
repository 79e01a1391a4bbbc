//! The fuzz targets on any compiler: every crasher that was found so far, and mutations of some good inputs for a second.
//! `FUZZ_SECONDS=300 FUZZ_SEED=7 cargo test -p rivulet-engine --test fuzz` goes on for longer, from another seed;
//! `cargo +nightly fuzz run blocks` (in `wasm-core/`) is guided by coverage.

#[path = "../../fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

type Target = fn(&[u8]);

/// Inputs to begin with, beside the crashers: what the mutations are made of.
const GOOD: [&[u8]; 8] = [
    b"\x00{\"value\":21.5,\"ts\":1790000000000,\"n\":7,\"more\":{\"b\":1}}",
    b"\x01{\"ts\":\"2026-05-01T12:00:00Z\",\"devices\":{\"d1\":{\"list\":[1,2e3],\"x y\":-0.5}}}",
    b"\x03\xa2aa\x19\x01\x00bts\x1b\x00\x00\x01\xa0\xc4\x6e\xf0\x00",
    b"\x04\x82\xa1a\xcb@5\x80\x00\x00\x00\x00\x00\xa2ts\xcf\x00\x00\x01\xa0\xc4\x6e\xf0\x00",
    b"\x05[{\"bn\":\"dev\",\"n\":\"t\",\"v\":20,\"t\":-5},{\"n\":\"h\",\"v\":60}]",
    b"\x06m,host=a\\ b temp=20.5,on=true,n=7i 1790000000000\n",
    b"\x07x;\"y, z\"\n1.5,2\n\"3\",\n",
    b"\x30\x0b\x00\x03a/bhello!\x32\x08\x00\x01a\x00\x0721.\x62\x02\x00\x07",
];

/// xorshift64*: the same mutations for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % bound.max(1)
    }

    fn byte(&mut self) -> u8 {
        // The bytes that lengths, ends and signs are made of come often.
        const ODD: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'\n'];
        if self.below(3) == 0 {
            ODD[self.below(ODD.len())]
        } else {
            (self.next() >> 40) as u8
        }
    }

    /// A few changes of one input, or two of them spliced.
    fn mutated(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 => bytes.insert(at, self.byte()),
                1 => bytes.truncate(at),
                2 => {
                    let other = &corpus[self.below(corpus.len())];
                    bytes.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
                3 => {
                    let part: Vec<u8> = bytes[at..].iter().copied().take(16).collect();
                    bytes.extend_from_slice(&part);
                }
                _ if at < bytes.len() => bytes[at] = self.byte(),
                _ => {}
            }
        }
        bytes.truncate(4096);
        bytes
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[expect(clippy::disallowed_methods, reason = "how long to try is no part of the core")]
fn survives(name: &str, target: Target) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/crashers")
        .join(name);
    let mut corpus: Vec<Vec<u8>> = GOOD.iter().map(|bytes| bytes.to_vec()).collect();
    if let Ok(files) = fs::read_dir(folder) {
        for file in files {
            let path = file.expect("a file of the folder").path();
            println!("{}", path.display());
            let bytes = fs::read(&path).expect("a readable crasher");
            target(&bytes);
            corpus.push(bytes);
        }
    }
    let seed = number("FUZZ_SEED", 1);
    let end = Instant::now() + Duration::from_secs(number("FUZZ_SECONDS", 1));
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut runs = 0_u64;
    while Instant::now() < end {
        let bytes = random.mutated(&corpus);
        let failed = std::panic::catch_unwind(|| target(&bytes)).is_err();
        assert!(
            !failed,
            "FUZZ_SEED={seed}, run {runs}: keep these bytes under fuzz/crashers/{name}: {bytes:02x?}"
        );
        runs += 1;
    }
    println!("{name}: {runs} runs from seed {seed}");
}

#[test]
fn no_packets_stop_the_framing() {
    survives("packets", targets::packets);
}

#[test]
fn no_blocks_stop_the_fold() {
    survives("blocks", targets::blocks);
}

#[test]
fn no_payload_stops_the_decoding() {
    survives("payloads", targets::payloads);
}

#[test]
fn no_checkpoint_stops_the_restoring() {
    survives("restore", targets::restore);
}
