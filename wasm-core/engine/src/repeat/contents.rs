//! Repeats by a device that counts nothing but says the time: the same content, its event time included, on the same topic as
//! one of its last messages. Only for sources that ask for it: a device that measures twice within the resolution of its clock,
//! and the same, would be taken to repeat itself.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::names::{NONE, Names, hash};
use crate::parts::Tracked;

/// Streams: one per source and topic. Those beyond are not remembered: their repeats look new.
const STREAMS_MAX: usize = 16_384;
/// Messages of a stream that are remembered: more than most clients have on their way when a connection breaks.
const MESSAGES: usize = 32;

/// The last messages of a stream, by the hashes of their contents; 0: none yet.
#[derive(Clone, Debug, PartialEq)]
struct Recent {
    hashes: [u64; MESSAGES],
    /// Where the oldest stands.
    next: u8,
}

impl Recent {
    /// True when the content is one of the remembered; else it is from now on.
    fn offer(&mut self, hash: u64) -> bool {
        if self.hashes.contains(&hash) {
            return true;
        }
        let at = usize::from(self.next);
        self.hashes[at] = hash;
        self.next = u8::try_from((at + 1) % MESSAGES).expect("few messages");
        false
    }
}

/// What is remembered of every stream.
#[derive(Default)]
pub struct Contents {
    names: Names,
    recent: Tracked<Recent>,
}

impl Contents {
    /// True when a stream has had this payload among its last messages.
    /// `index` is that of the stream, once it is known (else `NONE`), `name` says what it is called.
    pub fn repeated(&mut self, index: &mut u32, name: impl Fn() -> String, payload: &[u8]) -> bool {
        if *index == NONE {
            let name = name();
            let known = self.names.find(&name);
            let Some(found) = known.or_else(|| self.names.intern(&name, STREAMS_MAX).ok()) else {
                return false;
            };
            if known.is_none() {
                self.recent.push(Recent {
                    hashes: [0; MESSAGES],
                    next: 0,
                });
            }
            *index = found;
        }
        self.recent[*index as usize].offer(hash(&[payload]).max(1))
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        self.names.save(writer);
        self.recent.save(22, writer, |recent, writer| {
            writer.u8(recent.next);
            for hash in recent.hashes {
                writer.u64(hash);
            }
        });
    }

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let names = Names::load(reader)?;
        if names.len() > STREAMS_MAX {
            return Err(CoreError::Corrupt);
        }
        let recent = (0..names.len()).map(|_| {
            let next = reader.u8()?;
            if usize::from(next) >= MESSAGES {
                return Err(CoreError::Corrupt);
            }
            let mut hashes = [0; MESSAGES];
            for hash in &mut hashes {
                *hash = reader.u64()?;
            }
            Ok(Recent { hashes, next })
        });
        let recent = recent.collect::<Result<Vec<_>>>()?.into();
        Ok(Self { names, recent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated(contents: &mut Contents, stream: &str, payload: &str) -> bool {
        let mut index = NONE;
        contents.repeated(&mut index, || stream.to_string(), payload.as_bytes())
    }

    #[test]
    fn what_was_among_the_last_messages_of_a_stream_is_a_repeat() {
        let mut contents = Contents::default();
        assert!(!repeated(&mut contents, "a", "0"));
        assert!(repeated(&mut contents, "a", "0"));
        assert!(!repeated(&mut contents, "b", "0"), "each stream for itself");
        for n in 1..MESSAGES {
            assert!(!repeated(&mut contents, "a", &n.to_string()), "{n}");
        }
        assert!(repeated(&mut contents, "a", "0"), "a repeat puts nothing in its place");
        assert!(!repeated(&mut contents, "a", "one more"));
        assert!(!repeated(&mut contents, "a", "0"), "the oldest made room");
        assert!(repeated(&mut contents, "a", "2"));
    }

    #[test]
    fn streams_beyond_the_limit_are_not_remembered() {
        let mut contents = Contents::default();
        for n in 0..STREAMS_MAX {
            assert!(!repeated(&mut contents, &n.to_string(), "x"));
        }
        assert!(!repeated(&mut contents, "beyond", "x"));
        assert!(!repeated(&mut contents, "beyond", "x"));
        assert!(repeated(&mut contents, "0", "x"));
    }

    #[test]
    fn a_state_is_read_back_as_it_was_written_and_a_damaged_one_refused() {
        let mut contents = Contents::default();
        for n in 0..50 {
            repeated(&mut contents, ["a", "b"][n % 2], &n.to_string());
        }
        let mut writer = Writer::new();
        contents.save(&mut writer);
        let bytes = writer.as_slice().to_vec();
        let loaded = Contents::load(&mut Reader::new(&bytes)).unwrap();
        assert!(loaded.recent == contents.recent);
        for cut in 0..bytes.len() {
            assert!(Contents::load(&mut Reader::new(&bytes[..cut])).is_err());
        }
    }
}
