//! Tumbling event-time windows of one series: what is open, what was closed last. A window [start, start + every) takes
//! readings until the time of its key reaches its end plus its lateness; then it is put out once, final.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::plan::Window;

/// What is known of the readings of a window. Mean and deviation by B. P. Welford, "Note on a Method for Calculating
/// Corrected Sums of Squares and Products", 1962.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Readings.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// Their mean.
    pub mean: f64,
    m2: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The one with the latest event time; of equal times the one that came last.
    pub last: f64,
    last_time: f64,
}

impl Aggregate {
    fn of(value: f64, time: f64) -> Self {
        Self {
            count: 1,
            sum: value,
            mean: value,
            m2: 0.0,
            min: value,
            max: value,
            last: value,
            last_time: time,
        }
    }

    fn add(&mut self, value: f64, time: f64) {
        self.count += 1;
        self.sum += value;
        let step = value - self.mean;
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let count = self.count as f64;
        self.mean += step / count;
        self.m2 += step * (value - self.mean);
        self.min = if value < self.min { value } else { self.min };
        self.max = if value > self.max { value } else { self.max };
        if time >= self.last_time {
            self.last = value;
            self.last_time = time;
        }
    }

    /// Standard deviation of the readings (population).
    #[must_use]
    pub fn std(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let count = self.count as f64;
        (self.m2 / count).sqrt()
    }

    fn save(&self, writer: &mut Writer) {
        writer.u64(self.count);
        for value in [
            self.sum,
            self.mean,
            self.m2,
            self.min,
            self.max,
            self.last,
            self.last_time,
        ] {
            writer.f64(value);
        }
    }

    fn load(reader: &mut Reader) -> Result<Self> {
        let count = reader.u64()?;
        if count == 0 {
            return Err(CoreError::Corrupt);
        }
        Ok(Self {
            count,
            sum: reader.f64()?,
            mean: reader.f64()?,
            m2: reader.f64()?,
            min: reader.f64()?,
            max: reader.f64()?,
            last: reader.f64()?,
            last_time: reader.f64()?,
        })
    }
}

/// One window's state for one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Index of the window in the plan.
    pub window: usize,
    /// Open windows by start, earliest first; their number is bounded by lateness over length.
    open: Vec<(f64, Aggregate)>,
    /// The latest window closed.
    pub closed: Option<Aggregate>,
}

impl Span {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(window: usize) -> Self {
        Self {
            window,
            open: Vec::new(),
            closed: None,
        }
    }

    /// True when the window that holds `time` is still open for a key complete up to `complete_ms`.
    #[must_use]
    pub fn accepts(definition: &Window, time: f64, complete_ms: f64) -> bool {
        closes_at(definition, start(definition, time)) > complete_ms
    }

    /// Adds a reading that is accepted; returns the key's time at which its window closes.
    pub fn add(&mut self, definition: &Window, time: f64, value: f64) -> f64 {
        let start = start(definition, time);
        match self.open.iter().rposition(|&(other, _)| other <= start) {
            Some(at) if self.open[at].0 == start => self.open[at].1.add(value, time),
            at => self
                .open
                .insert(at.map_or(0, |at| at + 1), (start, Aggregate::of(value, time))),
        }
        closes_at(definition, start)
    }

    /// Closes what a key complete up to `complete_ms` has done with, earliest first, and hands each to `put_out` with its
    /// start. Returns the key's time at which the next one closes; infinite when none is open.
    pub fn close(&mut self, definition: &Window, complete_ms: f64, mut put_out: impl FnMut(f64, &Aggregate)) -> f64 {
        while let Some(&(start, _)) = self.open.first() {
            let at = closes_at(definition, start);
            if at > complete_ms {
                return at;
            }
            let (start, aggregate) = self.open.remove(0);
            put_out(start, &aggregate);
            self.closed = Some(aggregate);
        }
        f64::INFINITY
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.open.len()).expect("bounded by OPEN_WINDOWS_MAX"));
        for (start, aggregate) in &self.open {
            writer.f64(*start);
            aggregate.save(writer);
        }
        writer.bool(self.closed.is_some());
        if let Some(closed) = &self.closed {
            closed.save(writer);
        }
    }

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(window: usize, reader: &mut Reader) -> Result<Self> {
        let count = reader.count(8 + 64)?;
        let open: Vec<_> = (0..count)
            .map(|_| Ok((reader.f64()?, Aggregate::load(reader)?)))
            .collect::<Result<_>>()?;
        if open.iter().any(|(start, _)| !start.is_finite()) || open.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(CoreError::Corrupt);
        }
        let closed = if reader.bool()? {
            Some(Aggregate::load(reader)?)
        } else {
            None
        };
        Ok(Self { window, open, closed })
    }
}

/// Start of the window that holds `time`.
fn start(definition: &Window, time: f64) -> f64 {
    let start = (time / definition.every_ms).floor() * definition.every_ms;
    // The quotient of a time just below a boundary may round up to it.
    if start > time {
        start - definition.every_ms
    } else {
        start
    }
}

fn closes_at(definition: &Window, start: f64) -> f64 {
    start + definition.every_ms + definition.lateness_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute() -> Window {
        Window {
            name: "m".into(),
            every_ms: 60_000.0,
            of: vec![],
            lateness_ms: 5000.0,
        }
    }

    #[test]
    fn a_window_takes_readings_until_its_end_plus_lateness_and_is_put_out_once() {
        let mut span = Span::new(0);
        span.add(&minute(), 1000.0, 2.0);
        span.add(&minute(), 61_000.0, 9.0);
        assert!(Span::accepts(&minute(), 59_999.0, 64_999.0));
        span.add(&minute(), 500.0, 4.0);
        assert!(!Span::accepts(&minute(), 59_999.0, 65_000.0));
        let mut put_out = Vec::new();
        let next = span.close(&minute(), 65_000.0, |start, window| {
            put_out.push((start, window.clone()))
        });
        assert_eq!(next, 125_000.0);
        assert_eq!(put_out.len(), 1);
        let (start, window) = &put_out[0];
        assert_eq!(
            (*start, window.count, window.sum, window.mean, window.std()),
            (0.0, 2, 6.0, 3.0, 1.0)
        );
        assert_eq!((window.min, window.max, window.last), (2.0, 4.0, 2.0));
        assert_eq!(span.close(&minute(), 1e9, |_, _| ()), f64::INFINITY);
        assert_eq!(span.closed.as_ref().unwrap().last, 9.0);
    }

    #[test]
    fn windows_that_open_out_of_order_close_in_order() {
        let mut span = Span::new(0);
        for time in [130_000.0, 10_000.0, 70_000.0, -10.0] {
            span.add(&minute(), time, time);
        }
        let mut starts = Vec::new();
        span.close(&minute(), f64::MAX, |start, _| starts.push(start));
        assert_eq!(starts, [-60_000.0, 0.0, 60_000.0, 120_000.0]);
    }

    #[test]
    fn a_time_just_below_a_boundary_is_in_the_window_before_it() {
        let definition = Window {
            every_ms: 0.1 + 1.0,
            ..minute()
        };
        for step in 1..1000 {
            let boundary = f64::from(step) * definition.every_ms;
            let below = f64::from_bits(boundary.to_bits() - 1);
            assert!(start(&definition, below) <= below);
        }
    }

    #[test]
    fn a_span_is_loaded_as_it_was_saved() {
        let mut span = Span::new(3);
        for time in [130_000.0, 10_000.0] {
            span.add(&minute(), time, time);
        }
        span.close(&minute(), 70_000.0, |_, _| ());
        let mut writer = Writer::new();
        span.save(&mut writer);
        assert_eq!(Span::load(3, &mut Reader::new(writer.as_slice())), Ok(span));
    }
}
