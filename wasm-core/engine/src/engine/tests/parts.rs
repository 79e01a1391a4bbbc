//! Checkpoints in parts: what was kept and what changed, laid end to end, are the canonical bytes of the state, whatever
//! came in between.

use super::hostile::{hostile_log, write_hostile};
use super::*;
use crate::parts::tests::Kept;
use proptest::prelude::*;

/// Takes a checkpoint in parts; true when it was whole.
fn take(engine: &Engine, all: bool, kept: &mut Kept) -> (bool, usize) {
    let mut out = Writer::new();
    engine.checkpoint_parts(all, &mut out);
    let (whole, groups) = out.as_slice().split_first().unwrap();
    kept.take(*whole == 1, groups);
    (*whole == 1, out.len())
}

/// Folds a log with a checkpoint behind some of its blocks; every one is compared with the canonical bytes.
fn compare_at(engine: &mut Engine, log: &Log, behind: impl Fn(usize) -> bool) {
    let mut kept = Kept::default();
    let mut outputs = Writer::new();
    take(engine, false, &mut kept);
    for (at, block) in log.blocks.iter().enumerate() {
        engine.ingest(block, &mut outputs).unwrap();
        if behind(at) {
            take(engine, false, &mut kept);
            assert!(kept.state() == state(engine), "behind block {at}");
        }
    }
}

/// Many rooms, so that every list has several groups; each message is about one of them.
fn many_rooms() -> Log {
    let mut log = Log::new();
    log.plan(&rich_plan()).session(false);
    for step in 0..1200_i64 {
        log.wall_ms = step * 1000;
        let room = format!("r{}", (step * step) % 60);
        let body = format!(
            "{{\"value\":{},\"ts\":{},\"seq\":{}}}",
            400 + step % 23,
            step * 1000 + DAY,
            step / 60
        );
        let id = u16::try_from((step * 397) % 65_000 + 1).unwrap();
        log.packets(&[publish(
            0b0010,
            id,
            &format!("building/{room}/co2"),
            body.as_bytes(),
            None,
        )]);
        if step % 10 == 0 {
            log.message(&format!("labels/{room}/occupied"), "{\"value\":\"yes\"}");
        }
        if step % 400 == 399 {
            log.tick(step * 1000).session(step % 800 == 399);
        }
    }
    log
}

#[test]
fn parts_are_the_canonical_bytes_behind_every_block() {
    for (log, every) in [(rich_log(), 1), (rich_log(), 7), (many_rooms(), 3), (many_rooms(), 100)] {
        let mut engine = Engine::open(rich_plan().as_bytes()).unwrap();
        compare_at(&mut engine, &log, |at| at % every == 0);
        // A restored engine knows nothing of what was written before: it begins with all of it.
        let restored = Engine::restore(&state(&engine)).unwrap();
        let mut kept = Kept::default();
        assert!(take(&restored, false, &mut kept).0);
        assert!(kept.state() == state(&restored));
    }
}

#[test]
fn parts_are_the_canonical_bytes_when_sessions_of_different_size_change_places() {
    let mut log = Log::new();
    let say = |log: &mut Log, pages: u16| {
        for page in 0..pages {
            let body = format!("{{\"value\":400,\"ts\":{DAY},\"seq\":{page}}}");
            log.packets(&[publish(0b0010, page * 256 + 1, "building/a/co2", body.as_bytes(), None)]);
        }
    };
    // The large one first, then a small one behind it, then the large one again, and the small one forgets all it had.
    for (id, present, pages) in [
        ("a", false, 40),
        ("b", false, 1),
        ("a", true, 1),
        ("b", true, 20),
        ("a", false, 1),
        ("b", true, 1),
    ] {
        log.session_of(id, present);
        say(&mut log, pages);
    }
    let mut engine = Engine::open(rich_plan().as_bytes()).unwrap();
    compare_at(&mut engine, &log, |_| true);
    let mut engine = Engine::open(rich_plan().as_bytes()).unwrap();
    compare_at(&mut engine, &log, |at| at % 7 == 0);
}

#[test]
fn a_message_about_one_key_of_many_is_a_small_part() {
    let log = many_rooms();
    let mut engine = run(&rich_plan(), &log).0;
    let mut kept = Kept::default();
    let (_, all) = take(&engine, true, &mut kept);
    let mut more = Log::new();
    (more.blocks, more.offset, more.wall_ms) = (log.blocks.clone(), log.offset, log.wall_ms);
    more.reading("r1", "co2", 1_300_000, 401.0);
    engine.ingest(more.blocks.last().unwrap(), &mut Writer::new()).unwrap();
    let (whole, changed) = take(&engine, false, &mut kept);
    assert!(!whole && kept.state() == state(&engine));
    let (_, least) = take(&engine, false, &mut kept);
    // What is written each time is what all keys share: the plan, the ledger, the weights of three tasks.
    assert!(changed - least < (all - least) / 5, "{all} {changed} {least}");
}

proptest! {
    #[test]
    fn parts_are_the_canonical_bytes_of_hostile_logs(script in hostile_log(), cuts in prop::collection::vec(any::<bool>(), 12)) {
        let log = write_hostile(&script);
        let mut engine = Engine::open(rich_plan().as_bytes()).unwrap();
        compare_at(&mut engine, &log, |at| cuts[at % cuts.len()]);
    }
}
