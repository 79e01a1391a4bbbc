//! From bytes to packets: blocks of the log (FORMATS.md §1) and the MQTT PUBLISH and PUBREL packets in them, 3.1.1
//! (OASIS, §2.2, §3.3) and 5 (§3.3). What devices sent is data: a packet that is none is reported with a code and
//! skipped, never a reason to stop. What the host wrote (the headers) is trusted no further than its own bytes: the
//! checksum is the log's concern, which verifies it on reading.

use crate::codec::Reader;
use crate::error::{CoreError, Result};

/// Bytes of a block header.
pub const HEADER_BYTES: usize = 64;
const MAGIC: &[u8; 4] = b"RVBK";
const VERSION: u8 = 1;
/// Bytes of a payload: one MQTT packet may be as large as a gateway takes, and a batch is cut there.
const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// Front doors of one gateway, the agent itself included: a config with more is a mistake.
pub const DOORS_MAX: u16 = 64;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Messages in MQTT 3.1.1 framing.
    MessagesV4,
    /// Messages in MQTT 5 framing.
    MessagesV5,
    /// A plan.
    Plan,
    /// A connection made or lost.
    Session,
    /// The passing of time.
    Tick,
    /// A release from the coordinator.
    Release,
}

/// One block: its header's fields and its payload.
#[derive(Clone, Debug)]
pub struct Block<'a> {
    /// What it holds.
    pub kind: Kind,
    /// The front door it came through; 0 for the agent itself.
    pub door: u16,
    /// Messages in the payload.
    pub count: u32,
    /// Offset of the first of them, or of the next message.
    pub first_offset: u64,
    /// Ordinal of the block in the log.
    pub sequence: u64,
    /// Wall clock at arrival, epoch milliseconds.
    pub wall_ms: i64,
    /// Monotonic clock at arrival, microseconds since the boot.
    pub mono_us: u64,
    /// Connection epoch of the door.
    pub epoch: u32,
    /// Hash of the boot id.
    pub boot: u32,
    /// The bytes behind the header.
    pub payload: &'a [u8],
}

/// Takes the next block off `reader`.
///
/// # Errors
/// `Truncated`, `Foreign` (magic or kind), `TooNew`, `Corrupt` (a length, a count or a door over its limit).
pub fn block<'a>(reader: &mut Reader<'a>) -> Result<Block<'a>> {
    if reader.raw(4)? != MAGIC {
        return Err(CoreError::Foreign);
    }
    match reader.u8()? {
        VERSION => {}
        0 => return Err(CoreError::Foreign),
        _ => return Err(CoreError::TooNew),
    }
    let kind = match reader.u8()? {
        1 => Kind::MessagesV4,
        2 => Kind::MessagesV5,
        3 => Kind::Plan,
        4 => Kind::Session,
        5 => Kind::Tick,
        6 => Kind::Release,
        _ => return Err(CoreError::Foreign),
    };
    let door = reader.u16()?;
    let payload_length = reader.u32()? as usize;
    let count = reader.u32()?;
    let first_offset = reader.u64()?;
    let sequence = reader.u64()?;
    let wall_ms = reader.i64()?;
    let mono_us = reader.u64()?;
    let epoch = reader.u32()?;
    let boot = reader.u32()?;
    reader.raw(8)?; // segment and crc: the log verifies them
    let messages = matches!(kind, Kind::MessagesV4 | Kind::MessagesV5);
    if payload_length > PAYLOAD_BYTES_MAX || door >= DOORS_MAX || (!messages && count != 0) {
        return Err(CoreError::Corrupt);
    }
    let payload = reader.raw(payload_length)?;
    Ok(Block {
        kind,
        door,
        count,
        first_offset,
        sequence,
        wall_ms,
        mono_us,
        epoch,
        boot,
        payload,
    })
}

/// One packet of a payload.
#[derive(Debug, PartialEq)]
pub enum Packet<'a> {
    /// A message.
    Publish(Publish<'a>),
    /// The sender's release of the packet id of a QoS 2 message.
    Pubrel(u16),
}

/// The parts of a PUBLISH that matter.
#[derive(Debug, PartialEq)]
pub struct Publish<'a> {
    /// Quality of service, 0 to 2.
    pub qos: u8,
    /// Set when the sender had sent it before.
    pub dup: bool,
    /// Set when the broker had kept it.
    pub retain: bool,
    /// Packet id; 0 for QoS 0.
    pub id: u16,
    /// The topic: no wildcards, not empty.
    pub topic: &'a str,
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// The same message with another payload.
    #[must_use]
    pub fn with<'b>(&self, payload: &'b [u8]) -> Publish<'b>
    where
        'a: 'b,
    {
        Publish { payload, ..*self }
    }
}

/// Walks over the packets of one payload.
pub struct Packets<'a> {
    payload: &'a [u8],
    at: usize,
    properties: bool,
}

impl<'a> Packets<'a> {
    /// Over `payload`; `properties` for MQTT 5.
    #[must_use]
    pub fn new(payload: &'a [u8], properties: bool) -> Self {
        Self {
            payload,
            at: 0,
            properties,
        }
    }

    /// Byte position of the next packet.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next packet, or why it is none. After a broken frame (`Truncated`) nothing follows: where the next packet
    /// begins is unknown.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not say where it stands")]
    pub fn next(&mut self) -> Option<Result<Packet<'a>>> {
        let rest = self.payload.get(self.at..).filter(|rest| !rest.is_empty())?;
        let Some((header_bytes, remaining)) = frame(rest) else {
            self.at = self.payload.len();
            return Some(Err(CoreError::Truncated));
        };
        self.at += header_bytes + remaining;
        Some(packet(
            rest[0],
            &rest[header_bytes..header_bytes + remaining],
            self.properties,
        ))
    }
}

/// Length of the fixed header and remaining length; `None` when the whole packet is not there.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (remaining, taken) = variable_length(bytes.get(1..)?)?;
    let header_bytes = 1 + taken;
    (remaining <= bytes.len() - header_bytes).then_some((header_bytes, remaining))
}

/// A variable byte integer (MQTT 5 §1.5.5) and the bytes it took; `None` when it does not end within four bytes.
fn variable_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

fn packet(first: u8, body: &[u8], properties: bool) -> Result<Packet<'_>> {
    let mut reader = Body { bytes: body };
    match first >> 4 {
        3 => {
            let qos = (first >> 1) & 3;
            if qos == 3 {
                return Err(CoreError::Corrupt);
            }
            let topic_length = reader.u16()?;
            let topic = core::str::from_utf8(reader.take(topic_length.into())?).map_err(|_| CoreError::Corrupt)?;
            if topic.is_empty() || has_wildcard(topic.as_bytes()) {
                return Err(CoreError::Corrupt);
            }
            let id = if qos > 0 { reader.u16()? } else { 0 };
            if qos > 0 && id == 0 {
                return Err(CoreError::Corrupt);
            }
            if properties {
                reader.skip_properties()?;
            }
            let (dup, retain) = (first & 8 != 0, first & 1 != 0);
            Ok(Packet::Publish(Publish {
                qos,
                dup,
                retain,
                id,
                topic,
                payload: reader.bytes,
            }))
        }
        6 if first == 0x62 => Ok(Packet::Pubrel(reader.u16()?)),
        _ => Err(CoreError::Foreign),
    }
}

/// True where one of the bytes is what no topic holds (OASIS 3.1.1 §3.3.2.1, §1.5.3): `+`, `#` or zero. Eight at a time, as in
/// `decode/scan.rs`.
fn has_wildcard(topic: &[u8]) -> bool {
    let each = |byte: u8| u64::from_le_bytes([byte; 8]);
    let zero = |word: u64| word.wrapping_sub(each(1)) & !word & each(0x80);
    let (chunks, rest) = topic.as_chunks();
    let holds = |chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(*chunk);
        zero(word) | zero(word ^ each(b'+')) | zero(word ^ each(b'#')) != 0
    };
    chunks.iter().any(holds) || rest.iter().any(|byte| matches!(byte, b'+' | b'#' | 0))
}

struct Body<'a> {
    bytes: &'a [u8],
}

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        if count > self.bytes.len() {
            return Err(CoreError::Truncated);
        }
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(
            self.take(2)?.try_into().expect("take returned the length asked for"),
        ))
    }

    fn skip_properties(&mut self) -> Result<()> {
        let (length, taken) = variable_length(self.bytes).ok_or(CoreError::Truncated)?;
        self.take(taken + length).map(|_| ())
    }
}

/// What a session block says.
#[derive(Debug, PartialEq)]
pub struct Session<'a> {
    /// True for a connection made, false for one lost.
    pub connected: bool,
    /// True when the broker had kept the session.
    pub present: bool,
    /// The session's id.
    pub id: &'a str,
}

/// Reads the payload of a session block.
///
/// # Errors
/// `Truncated`, `Foreign` (unknown event or protocol), `Corrupt`.
pub fn session(payload: &[u8]) -> Result<Session<'_>> {
    let mut reader = Reader::new(payload);
    let connected = match reader.u8()? {
        1 => true,
        2 => false,
        _ => return Err(CoreError::Foreign),
    };
    let present = reader.bool()?;
    if !matches!(reader.u8()?, 4 | 5) {
        return Err(CoreError::Foreign);
    }
    let id = reader.str()?;
    reader.finish()?;
    Ok(Session { connected, present, id })
}

#[cfg(test)]
#[expect(missing_docs, reason = "what other tests build on")]
pub mod tests {
    use super::*;
    use crate::codec::Writer;
    use proptest::prelude::*;

    /// A PUBLISH packet; `flags` as in its first byte, `properties` for MQTT 5.
    pub fn publish(flags: u8, id: u16, topic: &str, payload: &[u8], properties: Option<&[u8]>) -> Vec<u8> {
        let mut body = u16::try_from(topic.len()).unwrap().to_be_bytes().to_vec();
        body.extend_from_slice(topic.as_bytes());
        if flags & 6 != 0 {
            body.extend_from_slice(&id.to_be_bytes());
        }
        if let Some(properties) = properties {
            body.push(u8::try_from(properties.len()).unwrap());
            body.extend_from_slice(properties);
        }
        body.extend_from_slice(payload);
        let mut packet = vec![0x30 | flags];
        let mut length = body.len();
        loop {
            packet.push(u8::try_from(length & 0x7f).unwrap() | if length > 0x7f { 0x80 } else { 0 });
            length >>= 7;
            if length == 0 {
                break;
            }
        }
        packet.extend_from_slice(&body);
        packet
    }

    fn only(bytes: &[u8], properties: bool) -> Result<Packet<'_>> {
        let mut packets = Packets::new(bytes, properties);
        let packet = packets.next().unwrap();
        assert!(packets.next().is_none());
        packet
    }

    #[test]
    fn a_publish_of_either_version_gives_its_parts() {
        for (bytes, properties) in [
            (publish(0b1011, 7, "a/b", b"21.5", None), false),
            (publish(0b1011, 7, "a/b", b"21.5", Some(&[1, 1, 2, 0, 0, 0, 9])), true),
        ] {
            let expected = Publish {
                qos: 1,
                dup: true,
                retain: true,
                id: 7,
                topic: "a/b",
                payload: b"21.5",
            };
            assert_eq!(only(&bytes, properties), Ok(Packet::Publish(expected)));
        }
    }

    #[test]
    fn packets_follow_each_other_and_a_long_one_is_framed() {
        let long = vec![b'1'; 70_000];
        let mut bytes = publish(0, 0, "t", &long, None);
        bytes.extend_from_slice(&[0x62, 2, 0, 9]);
        let mut packets = Packets::new(&bytes, false);
        let Some(Ok(Packet::Publish(message))) = packets.next() else {
            panic!("a message was expected")
        };
        assert_eq!(message.payload.len(), 70_000);
        assert_eq!(packets.next(), Some(Ok(Packet::Pubrel(9))));
        assert_eq!(packets.next(), None);
    }

    #[test]
    fn what_mqtt_forbids_is_refused_with_a_code() {
        for (bytes, error) in [
            (publish(0b0110, 1, "t", b"", None), CoreError::Corrupt),
            (publish(0, 0, "", b"", None), CoreError::Corrupt),
            (publish(0, 0, "a/+", b"", None), CoreError::Corrupt),
            (publish(0b0010, 0, "t", b"", None), CoreError::Corrupt),
            (vec![0x30, 4, 0, 9, b'a', b'b'], CoreError::Truncated),
            (vec![0x30, 3, 0, 1, 0xff], CoreError::Corrupt),
            (vec![0x30, 0x80, 0x80, 0x80, 0x80, 0], CoreError::Truncated),
            (vec![0x30, 9, 0], CoreError::Truncated),
            (vec![0x40, 2, 0, 1], CoreError::Foreign),
            (vec![0x60, 2, 0, 1], CoreError::Foreign),
        ] {
            assert_eq!(only(&bytes, false), Err(error), "{bytes:?}");
        }
        assert_eq!(only(&publish(0, 0, "t", b"", Some(&[9])), false).map(|_| ()), Ok(()));
        assert_eq!(only(&[0x30, 4, 0, 1, b't', 200], true), Err(CoreError::Truncated));
    }

    #[test]
    fn a_session_block_reads_back() {
        let mut writer = Writer::new();
        writer.u8(1);
        writer.bool(true);
        writer.u8(5);
        writer.str("plant-7");
        let expected = Session {
            connected: true,
            present: true,
            id: "plant-7",
        };
        assert_eq!(session(writer.as_slice()), Ok(expected));
    }

    proptest! {
        #[test]
        fn wildcards_are_found_wherever_they_stand(bytes in prop::collection::vec(prop::sample::select(b"ab/\x80\xff\x01+#\0*\"".to_vec()), 0..30)) {
            prop_assert_eq!(has_wildcard(&bytes), bytes.iter().any(|byte| matches!(byte, b'+' | b'#' | 0)));
        }

        #[test]
        fn any_bytes_are_walked_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..300), five in any::<bool>()) {
            let mut packets = Packets::new(&bytes, five);
            let mut last = 0;
            while packets.next().is_some() {
                prop_assert!(packets.position() > last);
                last = packets.position();
            }
            prop_assert_eq!(last, bytes.len());
        }

        #[test]
        fn any_bytes_are_a_block_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = block(&mut Reader::new(&bytes));
            let _ = session(&bytes);
            for (byte, magic) in bytes.iter_mut().zip(b"RVBK\x01\x01") { *byte = *magic; }
            let _ = block(&mut Reader::new(&bytes));
        }
    }
}
