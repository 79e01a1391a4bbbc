//! Slices as a checkpoint holds them.

use super::super::aggregate::Aggregate;
use super::super::definition::Window;
use super::{Fired, Sliding};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

impl Sliding {
    /// Appends the state. The stacks follow from the slices and from how far they reach.
    pub fn save(&self, definition: &Window, writer: &mut Writer) {
        let length = |length: usize| u32::try_from(length).expect("bounded by STEPS_MAX");
        writer.u32(length(self.slices.len()));
        for (start, aggregate) in &self.slices {
            writer.f64(*start);
            aggregate.save(definition, writer);
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

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(definition: &Window, reader: &mut Reader) -> Result<Self> {
        let mut sliding = Self::default();
        for _ in 0..reader.count(8 + 64)? {
            let start = reader.f64()?;
            let follows = sliding.slices.back().is_none_or(|slice| slice.0 < start);
            if !start.is_finite() || !follows {
                return Err(CoreError::Corrupt);
            }
            sliding.slices.push_back((start, Aggregate::load(definition, reader)?));
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
        sliding.turn(definition, front);
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
