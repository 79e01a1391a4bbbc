//! How a gateway's statistics travel to the coordinator. What adds up exactly goes as it is; the correlations of a logistic,
//! nine tenths of the bytes, go in as few bits as cost nothing that can be measured: the gateway solves its own model from
//! what it would send and compares it with the one it has.

use crate::codec::{Reader, Writer};
use crate::statistics::{ClassStatistics, Logistic, Precision, Precisions, Statistics};

use super::solve_logistic::loss_of;

/// What may be lost by it, in nats a row: the fourth digit of a log loss.
const LOSS_MAX: f64 = 1e-4;
/// Bits that are tried, in this order.
const BITS: [u8; 5] = [8, 10, 12, 14, 16];
/// Sets times order cubed up to which the bits are measured: some ten milliseconds each time.
const MEASURED_MAX: usize = 4_000_000;

/// Appends the byte form in which statistics are sent (FORMATS.md section 6).
pub fn encode_sent(statistics: &Statistics, writer: &mut Writer) {
    match statistics {
        Statistics::Classes(classes) if classes.own().is_some() || classes.forked().is_some() => {
            let precision = |logistic: Option<&Logistic>| {
                logistic.map_or(Precision::Float, |logistic| precision_for(logistic, classes))
            };
            let own = precision(classes.own());
            let forked = if classes.forked() == classes.own() {
                own
            } else {
                precision(classes.forked())
            };
            classes.encode_sent(&Precisions { own, forked }, writer);
        }
        _ => statistics.encode(writer),
    }
}

fn precision_for(logistic: &Logistic, statistics: &ClassStatistics) -> Precision {
    let order = statistics.d() + 1;
    let sets = logistic.classes().len() + 1;
    if sets.saturating_mul(order * order * order) > MEASURED_MAX {
        return Precision::Bits(16).within(sets, order);
    }
    BITS.into_iter()
        .map(Precision::Bits)
        .find(|&precision| {
            let sent = as_sent(logistic, statistics, precision);
            sent.and_then(|sent| loss_of(logistic, &sent, statistics))
                .is_some_and(|loss| loss <= LOSS_MAX)
        })
        .unwrap_or(Precision::Float)
}

/// The logistic as the coordinator will read it.
fn as_sent(logistic: &Logistic, statistics: &ClassStatistics, precision: Precision) -> Option<Logistic> {
    let mut bytes = Writer::new();
    logistic.encode(precision, &mut bytes);
    let (d, classes) = (statistics.d(), logistic.classes().len());
    Logistic::decode(d, classes, precision, &mut Reader::new(bytes.as_slice())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CoreError;
    use crate::statistics::CoMoments;

    /// Rows of `d` correlated features in three classes, with the information of a logistic over them.
    fn statistics(d: usize, rows: u32) -> (ClassStatistics, Logistic) {
        let mut statistics = ClassStatistics::new(d);
        let mut sets = vec![CoMoments::new(d); 4];
        let mut state = 1_u32;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1_u32 << 24) - 0.5
        };
        for row in 0..rows {
            let common = draw();
            let x: Vec<f64> = (0..d).map(|_| common + draw()).collect();
            let class = (row % 3) as usize;
            statistics.push(&x, ["a", "b", "c"][class]);
            for (at, set) in sets.iter_mut().enumerate() {
                let y = if at == class { 1.0 } else { 0.0 };
                set.push_weighted(&x, 2.0 * x[0] - x[1] + (y - 0.4) / 0.24 + draw(), 0.24, &mut Vec::new());
            }
        }
        let other = sets.pop().expect("four");
        (statistics, Logistic::new(sets, other))
    }

    fn sent(statistics: &ClassStatistics) -> (usize, ClassStatistics) {
        let mut writer = Writer::new();
        encode_sent(&Statistics::Classes(statistics.clone()), &mut writer);
        for length in 0..writer.len() {
            assert!(Statistics::decode(&writer.as_slice()[..length]).is_err());
        }
        match Statistics::decode(writer.as_slice()) {
            Ok(Statistics::Classes(read)) => (writer.len(), read),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_adds_up_exactly_is_sent_exactly_and_a_logistic_in_fewer_bits() {
        let (plain, logistic) = statistics(20, 600);
        let whole = plain.with_logistic(Some(logistic.clone()), None);
        let mut floats = Writer::new();
        whole.encode(&mut floats);
        let (bytes, read) = sent(&whole);
        assert!(bytes * 10 < floats.len() * 9, "{bytes} of {}", floats.len());
        assert_eq!(read.with_logistic(None, None), plain);
        assert_eq!(read.check(), Ok(()));
        let loss = loss_of(&logistic, read.own().expect("sent"), &plain).expect("solvable");
        assert!((0.0..=LOSS_MAX).contains(&loss), "{loss}");
        for (read, sent) in read.own().expect("sent").sets().zip(logistic.sets()) {
            assert_eq!((read.n(), read.means()), (sent.n(), sent.means()));
        }
    }

    #[test]
    fn a_fork_that_has_begun_from_nothing_is_not_sent_twice() {
        let (plain, logistic) = statistics(6, 90);
        let (once, _) = sent(&plain.with_logistic(Some(logistic.clone()), None));
        let (both, read) = sent(&plain.with_logistic(Some(logistic.clone()), Some(logistic)));
        assert_eq!(both, once);
        assert_eq!(read.own(), read.forked());
        assert!(read.forked().is_some());
    }

    #[test]
    fn more_than_can_be_read_in_time_is_refused() {
        let (plain, logistic) = statistics(220, 450);
        let bits = Precision::Bits(8);
        let mut writer = Writer::new();
        plain.with_logistic(Some(logistic), None).encode_sent(
            &Precisions {
                own: bits,
                forked: bits,
            },
            &mut writer,
        );
        assert_eq!(Statistics::decode(writer.as_slice()).err(), Some(CoreError::Limit));
    }

    #[test]
    fn a_wide_task_is_sent_without_measuring() {
        let logistic = statistics(30, 90).1;
        assert_eq!(precision_for(&logistic, &statistics(200, 3).0), Precision::Bits(16));
        assert_eq!(precision_for(&logistic, &statistics(300, 3).0), Precision::Float);
    }
}
