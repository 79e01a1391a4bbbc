//! Any bytes: packets that are not, states that are damaged, calls cut anywhere.

use super::*;
use proptest::prelude::*;

/// The block as it would stand far behind in the log.
fn renumbered(block: &[u8]) -> Vec<u8> {
    let mut block = block.to_vec();
    for place in [16, 24] {
        let number = u64::from_le_bytes(block[place..place + 8].try_into().unwrap()) + 1_000_000;
        block[place..place + 8].copy_from_slice(&number.to_le_bytes());
    }
    block
}

/// A packet that may be well-formed, nearly so, or not at all.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..30),
        "\\{\"value\":-?[0-9]{1,3}(\\.[0-9])?,\"ts\":[0-9]{1,2}(,\"seq\":[0-9])?\\}".prop_map(String::into_bytes),
        "\\{\"value\":\"?(yes|no|1)\"?,\"ts\":[0-9]{1,2}\\}".prop_map(String::into_bytes),
    ];
    let topic = prop_oneof![
        Just("building/a/co2".to_owned()),
        Just("labels/a/occupied".to_owned()),
        "building/[ab]/(co2|t)",
        "[a-c/+#]{0,6}",
    ];
    let whole = (0_u8..16, 0_u16..4, topic, payload)
        .prop_map(|(flags, id, topic, body)| publish(flags, id, &topic, &body, None));
    prop_oneof![8 => whole, 1 => prop::collection::vec(any::<u8>(), 1..20), 1 => Just(vec![0x62, 2, 0, 1])]
}

pub(super) fn hostile_log() -> impl Strategy<Value = Vec<(u8, Vec<Vec<u8>>)>> {
    prop::collection::vec((0_u8..8, prop::collection::vec(packet(), 0..6)), 1..12)
}

pub(super) fn write_hostile(script: &[(u8, Vec<Vec<u8>>)]) -> Log {
    let mut log = Log::new();
    for (what, packets) in script {
        log.wall_ms += 20_000;
        match what {
            0 => log.session(packets.len() % 2 == 0),
            1 => log.tick(log.wall_ms),
            2 => log.plan(&building(if packets.len() % 2 == 0 { UNUSUAL } else { OCCUPIED })),
            3 => log.block(2, u32::try_from(packets.len()).unwrap(), &packets.concat()),
            _ => log.packets(packets),
        };
    }
    log
}

proptest! {
    #[test]
    fn the_ledger_adds_up_on_hostile_packets(script in hostile_log()) {
        let log = write_hostile(&script);
        let (engine, _) = run(&rich_plan(), &log);
        let report = report(&engine);
        let sources = at(&report, "sources").as_list().unwrap();
        let mut received = 0.0;
        for (index, source) in sources.iter().enumerate() {
            let sum: u64 = fates(&engine, index).iter().sum();
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let sum = sum as f64;
            prop_assert_eq!(number(source, "received"), sum);
            received += sum;
        }
        prop_assert_eq!(number(&report, "messages"), received);
    }

    #[test]
    fn any_cut_into_calls_gives_the_same_state_and_outputs(script in hostile_log(), cuts in prop::collection::vec(any::<bool>(), 12)) {
        let log = write_hostile(&script);
        let (straight, out) = run(&rich_plan(), &log);
        let mut engine = Engine::open(rich_plan().as_bytes()).unwrap();
        let mut outputs = Writer::new();
        let mut batch = Vec::new();
        for (block, cut) in log.blocks.iter().zip(cuts.iter().cycle()) {
            batch.extend_from_slice(block);
            if *cut {
                engine.ingest(&batch, &mut outputs).unwrap();
                engine = Engine::restore(&state(&engine)).unwrap();
                batch.clear();
            }
        }
        engine.ingest(&batch, &mut outputs).unwrap();
        prop_assert!(state(&engine) == state(&straight));
        prop_assert!(outputs.as_slice() == out);
    }

    #[test]
    fn a_damaged_state_is_restored_or_refused_without_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        thread_local! { static STATE: Vec<u8> = state(&run(&rich_plan(), &rich_log()).0); }
        let mut bytes = STATE.with(Clone::clone);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut { bytes.truncate(at); }
        if let Ok(mut engine) = Engine::restore(&bytes) {
            let mut more = rich_log();
            for block in more.blocks.split_off(100).iter().take(60) {
                let _ = engine.ingest(&renumbered(block), &mut Writer::new());
            }
            let _ = (engine.report(), engine.next_due_ms());
            engine.delta(&mut Writer::new());
        }
    }

    #[test]
    fn random_bytes_are_no_state_and_no_blocks(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Engine::restore(&bytes).is_err());
        let (mut engine, _) = run(&rich_plan(), &Log::new());
        let _ = engine.ingest(&bytes, &mut Writer::new());
    }
}
