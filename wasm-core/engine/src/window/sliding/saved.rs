//! Slices as a checkpoint holds them.

use super::super::aggregate::Aggregate;
use super::super::definition::{Shape, Window};
use super::super::parts::{PartKind, PartState};
use super::{Fired, Piece, Sliding};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

impl Sliding {
    /// Appends the state. The stacks follow from the slices and from how far they reach.
    pub fn save(&self, definition: &Window, writer: &mut Writer) {
        let length = |length: usize| u32::try_from(length).expect("bounded by STEPS_MAX");
        writer.u32(length(self.slices.len()));
        for (start, piece) in &self.slices {
            writer.f64(*start);
            piece.aggregate.save(definition, writer);
            if is_counted(definition) {
                writer.f64(piece.first_ms);
            }
        }
        writer.u32(length(self.front.len()));
        writer.u32(length(self.folded));
        writer.f64(self.next);
        writer.f64(self.seen);
        writer.u32(length(self.fired.len()));
        for fired in &self.fired {
            writer.f64(fired.start);
            writer.u32(fired.results);
            writer.bool(fired.changed);
        }
    }

    /// Takes what a core with this version of the state wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(definition: &Window, version: u16, reader: &mut Reader) -> Result<Self> {
        let mut sliding = Self::default();
        for _ in 0..reader.count(8 + 64)? {
            let start = reader.f64()?;
            let follows = sliding.slices.back().is_none_or(|slice| slice.0 < start);
            if !start.is_finite() || !follows {
                return Err(CoreError::Corrupt);
            }
            let piece = Piece::load(definition, version, reader)?;
            sliding.slices.push_back((start, piece));
        }
        let (front, folded) = (reader.u32()? as usize, reader.u32()? as usize);
        if front > folded || folded > sliding.slices.len() {
            return Err(CoreError::Corrupt);
        }
        (sliding.next, sliding.seen) = (reader.f64()?, reader.f64()?);
        for _ in 0..reader.count(13)? {
            sliding.fired.push(Fired {
                start: reader.f64()?,
                results: reader.u32()?,
                changed: reader.bool()?,
            });
        }
        sliding.front.turn(definition, &sliding.slices, front);
        for (_, slice) in sliding.slices.iter().take(folded).skip(front) {
            match &mut sliding.back {
                Some(back) => back.merge(definition, slice),
                None => sliding.back = Some(slice.clone()),
            }
        }
        sliding.folded = folded;
        if sliding.next.is_nan() || sliding.seen.is_nan() {
            return Err(CoreError::Corrupt);
        }
        Ok(sliding)
    }
}

impl Piece {
    fn load(definition: &Window, version: u16, reader: &mut Reader) -> Result<Self> {
        let (aggregate, led_by) = Aggregate::load(definition, version, reader)?;
        let first_ms = match led_by {
            _ if !is_counted(definition) => 0.0,
            Some(first_ms) => first_ms,
            None if version <= 13 => first_ms(definition, &aggregate),
            None => reader.f64()?,
        };
        if first_ms.is_nan() {
            return Err(CoreError::Corrupt);
        }
        Ok(Self { aggregate, first_ms })
    }
}

fn is_counted(definition: &Window) -> bool {
    matches!(definition.shape, Shape::Count { .. })
}

/// Event time of the earliest reading of an aggregate that keeps it.
fn first_ms(definition: &Window, aggregate: &Aggregate) -> f64 {
    let place = definition.parts.iter().position(|&kept| kept == PartKind::First);
    match place.and_then(|place| aggregate.part(place)) {
        Some(PartState::First(first)) => first.time_ms,
        _ => aggregate.last_time,
    }
}
