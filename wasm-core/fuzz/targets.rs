//! What is fuzzed, as plain functions: cargo-fuzz calls them with bytes it makes up (`fuzz_targets/`), and a test of the
//! engine with the crashers found so far and with mutations of its own (`engine/tests/fuzz.rs`), on any compiler.
//! No bytes may make the core panic, and what it says about them has to hold together.

use rivulet_engine::codec::{Reader, Writer};
use rivulet_engine::engine::Engine;
use rivulet_engine::wire::{self, Packets};

const PLAN: &[u8] = include_bytes!("plan.canonical");
/// Topic levels behind `f/` of the plan's sources, one for each payload format.
const TOPICS: [&str; 10] = [
    "f/auto/r",
    "f/json/r",
    "f/number/r",
    "f/cbor/r",
    "f/msgpack/r",
    "f/senml",
    "f/influx",
    "f/csv",
    "f/binary",
    "labels/r",
];
const WALL_MS: i64 = 1_790_000_000_000;

fn engine() -> Engine {
    Engine::open(PLAN).expect("plan.canonical is a plan: node test/golden/fuzz_plan.ts makes it anew")
}

/// Any bytes as the payload of a block, in both framings: packets come one after the other, each a little further on.
pub fn packets(data: &[u8]) {
    for properties in [false, true] {
        let mut packets = Packets::new(data, properties);
        loop {
            let at = packets.position();
            assert!(at <= data.len());
            if packets.next().is_none() {
                break;
            }
            assert!(packets.position() > at, "no way forward from byte {at}");
        }
    }
    let mut reader = Reader::new(data);
    while wire::block(&mut reader).is_ok() {}
}

/// Any bytes as blocks, and as the payload of blocks of every kind: what the fold refuses leaves the state as it was, what
/// it takes is accounted for, and a checkpoint in the middle changes nothing.
pub fn blocks(data: &[u8]) {
    let mut out = Writer::new();
    let mut fold = engine();
    let before = state(&fold);
    if fold.ingest(data, &mut out).is_err() {
        assert!(state(&fold) == before, "refused blocks changed the state");
    }
    let Some((&kind, payload)) = data.split_first() else {
        return;
    };
    let (first, second) = payload.split_at(payload.len() / 2);
    let count = u32::from(kind >> 4);
    let mut log = Log::default();
    let blocks = [
        log.block(1 + kind % 6, count, first),
        log.block(1 + kind % 2, count + 1, second),
    ];
    straight_and_restored(&blocks);
}

/// Any bytes as the payload of a message, in the format that the first byte chooses; twice, since the second time finds what
/// the first left behind.
pub fn payloads(data: &[u8]) {
    let Some((&choice, payload)) = data.split_first() else {
        return;
    };
    let topic = TOPICS[usize::from(choice) % TOPICS.len()];
    let message = publish(topic, payload);
    let mut log = Log::default();
    let blocks = [log.block(1, 1, &message), log.block(1, 2, &message.repeat(2))];
    straight_and_restored(&blocks);
}

/// A good checkpoint, changed in the places that the data names (or the data itself): it is refused, or it opens, and then it
/// can be written, read back as it was, and gone on from.
pub fn restore(data: &[u8]) {
    let changed = match data.split_first() {
        Some((0xff, raw)) => raw.to_vec(),
        Some((_, edits)) => edited(SAMPLE.get_or_init(sample_state).clone(), edits),
        None => return,
    };
    let Ok(engine) = Engine::restore(&changed) else { return };
    let written = state(&engine);
    let again = Engine::restore(&written).expect("what a checkpoint wrote opens");
    assert!(
        state(&again) == written,
        "a checkpoint is not read back as it was written"
    );
    let _ = again.report();
    let mut out = Writer::new();
    again.delta(&mut out);
}

/// Each edit is four bytes: where (of 65,536 parts), what, and with which byte.
fn edited(mut bytes: Vec<u8>, edits: &[u8]) -> Vec<u8> {
    for edit in edits.chunks_exact(4) {
        let at = bytes.len() * usize::from(u16::from_le_bytes([edit[0], edit[1]])) / 65_536;
        match edit[2] % 8 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, edit[3]),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes[at..].iter_mut().take(8).for_each(|byte| *byte = edit[3]),
            _ if at < bytes.len() => bytes[at] ^= edit[3],
            _ => {}
        }
    }
    bytes
}

static SAMPLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();

/// The state after messages in several formats, with labels and something in quarantine.
fn sample_state() -> Vec<u8> {
    let mut log = Log::default();
    let mut fold = engine();
    let mut out = Writer::new();
    for n in 0..40 {
        let time = WALL_MS - 100_000 + n * 2_000;
        let value = (n % 7) as f64 + 0.5;
        let payloads = [
            (
                "f/auto/r",
                format!("{{\"value\":{value},\"ts\":{time},\"n\":{n},\"more\":{{\"b\":{n}}}}}"),
            ),
            ("f/number/r", format!("{value}")),
            ("labels/r", format!("{{\"value\":\"class {}\"}}", n % 3)),
            ("f/influx", format!("m,host=h a={value},b={n} {time}")),
            ("f/auto/r", "no number".to_string()),
        ];
        let packets: Vec<u8> = payloads
            .iter()
            .flat_map(|(topic, payload)| publish(topic, payload.as_bytes()))
            .collect();
        fold.ingest(&log.block(1, 5, &packets), &mut out)
            .expect("a block of the log");
    }
    state(&fold)
}

/// Folds blocks straight, and with a checkpoint and another instance between any two: the same state, the same outputs.
fn straight_and_restored(blocks: &[Vec<u8>]) {
    let mut straight = engine();
    let mut restored = engine();
    for block in blocks {
        let (mut out, mut out_restored) = (Writer::new(), Writer::new());
        let taken = straight.ingest(block, &mut out);
        restored = Engine::restore(&state(&restored)).expect("what a checkpoint wrote opens");
        assert_eq!(restored.ingest(block, &mut out_restored), taken);
        if taken.is_ok() {
            assert!(
                out.as_slice() == out_restored.as_slice(),
                "the restored puts out something else"
            );
        }
    }
    assert!(state(&straight) == state(&restored), "the restored is not the straight");
}

fn state(engine: &Engine) -> Vec<u8> {
    let mut bytes = Writer::new();
    engine.checkpoint(&mut bytes);
    bytes.into_vec()
}

#[derive(Default)]
struct Log {
    sequence: u64,
    offset: u64,
}

impl Log {
    fn block(&mut self, kind: u8, count: u32, payload: &[u8]) -> Vec<u8> {
        let count = if kind < 3 { count } else { 0 };
        let mut block = Writer::new();
        block.raw(b"RVBK");
        block.u8(1);
        block.u8(kind);
        block.u16(u16::from(kind < 3 || kind == 4));
        block.u32(u32::try_from(payload.len()).expect("short"));
        block.u32(count);
        block.u64(self.offset);
        block.u64(self.sequence);
        block.i64(WALL_MS + i64::try_from(self.sequence).expect("few") * 1000);
        block.u64(self.sequence * 1_000_000);
        block.u32(1);
        for _ in 0..3 {
            block.u32(0);
        }
        block.raw(payload);
        self.sequence += 1;
        self.offset += u64::from(count);
        block.into_vec()
    }
}

fn publish(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x30];
    let mut length = 2 + topic.len() + payload.len();
    loop {
        packet.push(u8::try_from(length & 0x7f).expect("7 bits") | if length > 0x7f { 0x80 } else { 0 });
        length >>= 7;
        if length == 0 {
            break;
        }
    }
    packet.extend_from_slice(&u16::try_from(topic.len()).expect("short").to_be_bytes());
    packet.extend_from_slice(topic.as_bytes());
    packet.extend_from_slice(payload);
    packet
}
