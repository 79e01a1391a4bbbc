//! Same bytes anywhere (design.md, invariant 5): the native engine plays the golden scripts of `test/golden` and gives
//! the digests that both wasm builds give. The format of a script is in `test/golden/script.ts`; after a change of the
//! arithmetic or of a format `npm run build:wasm && node test/golden/make.ts` writes the digests anew.

use std::fs;
use std::path::PathBuf;

use rivulet_engine::codec::{Reader, Writer};
use rivulet_engine::engine::Engine;
use rivulet_engine::error::{CoreError, Result};
use rivulet_engine::evaluate::Evaluation;
use rivulet_engine::merge::Merge;
use rivulet_engine::{json, plan};
use sha2::{Digest, Sha256};

/// What a script has opened, as at the boundary (`wasm-core/src/lib.rs`).
enum Session {
    Closed,
    Live(Box<Engine>),
    Evaluating(Box<Evaluation>),
}

impl Session {
    fn open(bytes: &[u8]) -> Result<Self> {
        Ok(match plan::evaluation(bytes)? {
            Some(spec) => Self::Evaluating(Box::new(Evaluation::new(spec)?)),
            None => Self::Live(Box::new(Engine::open(bytes)?)),
        })
    }

    fn live(&mut self) -> Result<&mut Engine> {
        match self {
            Self::Live(engine) => Ok(engine),
            Self::Closed | Self::Evaluating(_) => Err(CoreError::NotOpen),
        }
    }

    fn checkpoint(&mut self, out: &mut Writer) -> Result<()> {
        match self {
            Self::Live(engine) => engine.checkpoint(out),
            Self::Evaluating(evaluation) => evaluation.save(out),
            Self::Closed => return Err(CoreError::NotOpen),
        }
        Ok(())
    }

    fn report(&self) -> Result<String> {
        match self {
            Self::Live(engine) => Ok(engine.report()),
            Self::Evaluating(evaluation) => Ok(evaluation.report()),
            Self::Closed => Err(CoreError::NotOpen),
        }
    }

    fn rows(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Evaluating(evaluation) => evaluation.rows(bytes),
            Self::Closed | Self::Live(_) => Err(CoreError::NotOpen),
        }
    }
}

/// Plays a script; the result is its digest in hex.
fn play(script: &[u8]) -> String {
    let mut reader = Reader::new(script);
    let mut session = Session::Closed;
    let mut merge = Merge::new();
    let mut checkpoint = Vec::new();
    let mut digest = Sha256::new();
    while reader.remaining() > 0 {
        let call = reader.u8().expect("a script is whole");
        let input = reader.bytes().expect("a script is whole");
        let mut out = Writer::new();
        let result = match call {
            1 => Session::open(input).map(|opened| session = opened),
            2 => session.live().and_then(|engine| engine.ingest(input, &mut out)),
            3 => session
                .checkpoint(&mut out)
                .map(|()| checkpoint = out.as_slice().to_vec()),
            4 => Engine::restore(&checkpoint).map(|engine| session = Session::Live(Box::new(engine))),
            5 => session.report().map(|text| out.raw(text.as_bytes())),
            6 => session.live().map(|engine| engine.delta(&mut out)),
            7 => session.rows(input),
            8 => merge.operate(input, &mut out),
            _ => panic!("no golden call {call}"),
        };
        match result {
            Ok(()) => {
                digest.update(i32::try_from(out.len()).expect("outputs are short").to_le_bytes());
                digest.update(out.as_slice());
            }
            Err(code) => digest.update((code as i32).to_le_bytes()),
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_native_engine_gives_the_golden_digests() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test/golden");
    let golden = json::parse(&fs::read(folder.join("digests.json")).unwrap()).unwrap();
    let json::Value::Object(members) = golden else {
        panic!("the digests are an object")
    };
    assert!(!members.is_empty());
    for (name, outcome) in &members {
        let script = fs::read(folder.join(format!("{name}.golden"))).unwrap();
        assert_eq!(
            Some(play(&script).as_str()),
            outcome.get("digest").and_then(json::Value::as_str),
            "{name}"
        );
    }
}
