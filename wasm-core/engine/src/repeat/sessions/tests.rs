use super::*;

fn message(qos: u8, dup: bool, id: u16, payload: &[u8]) -> Publish<'_> {
    Publish {
        qos,
        dup,
        retain: false,
        id,
        topic: "t",
        payload,
    }
}

fn connect(doors: &mut Doors, epoch: u32, present: bool, id: &str) {
    let connected = true;
    doors.session(1, epoch, &Session { connected, present, id });
}

#[test]
fn a_redelivery_over_a_later_connection_is_a_repeat_and_a_lookalike_is_not() {
    let mut doors = Doors::default();
    connect(&mut doors, 1, false, "s");
    assert!(!doors.repeated(1, 1, &message(1, false, 7, b"a")));
    assert!(!doors.repeated(1, 1, &message(1, true, 7, b"a")), "the same connection");
    connect(&mut doors, 2, true, "s");
    assert!(!doors.repeated(1, 2, &message(1, true, 8, b"a")), "another id");
    assert!(doors.repeated(1, 2, &message(1, true, 7, b"a")));
    assert!(!doors.repeated(1, 2, &message(1, false, 7, b"a")), "not marked");
    connect(&mut doors, 3, true, "s");
    assert!(!doors.repeated(1, 3, &message(1, true, 7, b"b")), "other content");
    assert!(!doors.repeated(2, 3, &message(1, true, 7, b"b")), "another door");
}

#[test]
fn a_session_that_the_broker_forgot_has_no_repeats() {
    let mut doors = Doors::default();
    for (epoch, present, id) in [(1, false, "s"), (3, true, "other")] {
        connect(&mut doors, epoch, true, "s");
        doors.repeated(1, epoch, &message(1, false, 7, b"a"));
        connect(&mut doors, epoch + 1, present, id);
        assert!(!doors.repeated(1, epoch + 1, &message(1, true, 7, b"a")));
    }
}

#[test]
fn a_device_that_connects_does_not_touch_what_others_have_sent() {
    let mut doors = Doors::default();
    for (epoch, id) in [(1, "a"), (2, "b"), (3, "c")] {
        connect(&mut doors, epoch, true, id);
        assert!(!doors.repeated(1, epoch, &message(1, false, 7, id.as_bytes())));
    }
    for (epoch, id) in [(4, "b"), (5, "a"), (6, "c")] {
        connect(&mut doors, epoch, true, id);
        assert!(doors.repeated(1, epoch, &message(1, true, 7, id.as_bytes())), "{id}");
    }
    connect(&mut doors, 7, false, "b");
    connect(&mut doors, 8, true, "a");
    assert!(!doors.repeated(1, 7, &message(1, true, 7, b"b")), "it began anew");
    assert!(doors.repeated(1, 8, &message(1, true, 7, b"a")));
}

#[test]
fn sessions_and_pages_stay_within_their_limits_and_the_oldest_make_room() {
    let mut doors = Doors::default();
    for epoch in 0..3000 {
        connect(&mut doors, epoch, true, &format!("s{epoch}"));
        for id in [1, 300] {
            doors.repeated(1, epoch, &message(1, false, id, b"a"));
        }
    }
    let door = &doors.doors[1];
    assert_eq!((door.sessions.len(), door.pages), (SESSIONS_MAX, PAGES_MAX));
    let held: usize = door.sessions.iter().map(|session| session.pages.len()).sum();
    assert_eq!(held, PAGES_MAX);
    connect(&mut doors, 3000, true, "s2999");
    assert!(
        doors.repeated(1, 3000, &message(1, true, 300, b"a")),
        "the newest is known"
    );
    connect(&mut doors, 3001, true, "s2000");
    assert!(
        !doors.repeated(1, 3001, &message(1, true, 300, b"a")),
        "its pages made room"
    );
}

#[test]
fn one_session_may_use_every_packet_id() {
    let mut doors = Doors::default();
    connect(&mut doors, 1, true, "s");
    for id in 1..=u16::MAX {
        assert!(!doors.repeated(1, 1, &message(1, false, id, b"a")));
    }
    connect(&mut doors, 2, true, "s");
    for id in 1..=u16::MAX {
        assert!(doors.repeated(1, 2, &message(1, true, id, b"a")), "{id}");
    }
}

#[test]
fn saved_and_loaded_doors_judge_alike_and_give_the_same_bytes() {
    let mut doors = Doors::default();
    for epoch in 1..40 {
        let name = format!("s{}", epoch % 7);
        connect(&mut doors, epoch, epoch % 11 > 0, &name);
        for id in 1..(epoch as u16 * 40) {
            doors.repeated(1, epoch, &message(1 + (id % 2) as u8, id % 3 == 0, id, b"a"));
        }
        doors.released(1, epoch, 9);
        doors.session(
            1,
            epoch,
            &Session {
                connected: false,
                present: false,
                id: &name,
            },
        );
    }
    let saved = |doors: &Doors| {
        let mut writer = Writer::new();
        doors.save(&mut writer);
        writer.as_slice().to_vec()
    };
    let bytes = saved(&doors);
    let mut again = Doors::load(&mut Reader::new(&bytes)).unwrap();
    assert_eq!(saved(&again), bytes);
    for id in 1..500 {
        let publish = message(1, true, id, b"a");
        assert_eq!(again.repeated(1, 40, &publish), doors.repeated(1, 40, &publish));
    }
    assert_eq!(saved(&again), saved(&doors));
    for cut in 0..bytes.len().min(300) {
        assert!(Doors::load(&mut Reader::new(&bytes[..cut])).is_err());
    }
}

#[test]
fn the_one_table_per_door_of_version_1_becomes_the_session_it_was_of() {
    let mut writer = Writer::new();
    writer.u32(2);
    for used in [0_u32, 8] {
        writer.u64(if used == 0 { 0 } else { stored_hash(&[b"s"]) });
        writer.u32(used);
        for id in 0..used {
            let older = content(&message(1, false, 7, b"a"), stored_hash);
            let (hash, epoch) = if id == 7 { (older, 3) } else { (0, 0) };
            writer.u32(hash);
            writer.u32(epoch);
        }
    }
    let mut doors = Doors::load_v1(&mut Reader::new(writer.as_slice())).unwrap();
    connect(&mut doors, 4, true, "s");
    assert!(doors.repeated(1, 4, &message(1, true, 7, b"a")));
}

#[test]
fn a_qos_2_message_repeats_until_it_is_released() {
    let mut doors = Doors::default();
    assert!(!doors.repeated(1, 1, &message(2, false, 7, b"a")));
    assert!(doors.repeated(1, 1, &message(2, true, 7, b"a")));
    doors.released(1, 1, 7);
    assert!(!doors.repeated(1, 1, &message(2, true, 7, b"a")));
}
