//! The report of an evaluation as JSON.

use std::fmt::Write as _;

use super::{CONFUSION_CLASSES_MAX, Evaluation, EvaluationKind};
use crate::json::write_f64;

impl Evaluation {
    /// The report as one JSON object: rows, matured, metrics, reliability (classes only), classes, confusion, panel, and what the
    /// panel takes by its own account.
    #[must_use]
    pub fn report(&self) -> String {
        let tally = &self.tally;
        let n = if tally.scored > 0 { tally.scored as f64 } else { 1.0 };
        let mut text = String::new();
        let _ = write!(
            text,
            "{{\"rows\":{},\"matured\":{},\"metrics\":{{",
            tally.scored, tally.matured
        );
        if self.spec.kind == EvaluationKind::Classification {
            let _ = write!(
                text,
                "\"accuracy\":{},\"kappa\":{},\"log_loss\":{},\"accuracy_last_class\":{},\"calibration_error\":{}}}",
                number(1.0 - tally.error_sum / n),
                number(tally.kappa(self.learner.classes())),
                number(tally.log_loss_sum / n),
                number(1.0 - tally.baseline_sum / n),
                number(tally.reliability.error())
            );
            self.reliability(&mut text);
        } else {
            let [coverage, width, pinball] = tally.coverage.means();
            let r2 = if tally.label_m2 > 0.0 {
                1.0 - tally.square_sum / tally.label_m2
            } else {
                f64::NAN
            };
            let _ = write!(
                text,
                "\"mae\":{},\"rmse\":{},\"r2\":{},\"mae_last_value\":{},\
                 \"coverage\":{},\"interval_width\":{},\"pinball_loss\":{}}}",
                number(tally.error_sum / n),
                number((tally.square_sum / n).sqrt()),
                number(r2),
                number(tally.baseline_sum / n),
                number(coverage),
                number(width),
                number(pinball)
            );
        }
        let classes = self.learner.classes();
        let _ = write!(text, ",\"classes\":{classes}");
        if classes > 0 && classes <= CONFUSION_CLASSES_MAX && !tally.confusion.is_empty() {
            text.push_str(",\"confusion\":[");
            for truth in 0..classes {
                let row = &tally.confusion[truth * CONFUSION_CLASSES_MAX..][..classes];
                let row: Vec<String> = row.iter().map(u64::to_string).collect();
                let _ = write!(text, "{}[{}]", if truth > 0 { "," } else { "" }, row.join(","));
            }
            text.push(']');
        }
        text.push_str(",\"panel\":[");
        for (place, expert) in self.learner.experts().iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let (name, weight, error) = (&expert.name, number(expert.weight), number(expert.error));
            let labels = number(expert.labels);
            let _ = write!(
                text,
                "{comma}{{\"expert\":\"{name}\",\"weight\":{weight},\"labels\":{labels},\"error\":{error}}}"
            );
        }
        let (leader, since, labels) = self.learner.leader();
        let _ = write!(
            text,
            "],\"leader\":{{\"expert\":\"{leader}\",\"since\":{since},\"labels\":{labels}}},\"nominal_us\":{}",
            number(self.learner.nominal_ns() / 1e3)
        );
        if let Some(watch) = &self.watch {
            watch.report(&mut text);
        }
        text.push('}');
        text
    }

    /// Per bin with rows: how many, the mean probability served and the share of right answers.
    fn reliability(&self, text: &mut String) {
        text.push_str(",\"reliability\":[");
        let bins = self.tally.reliability.bins.iter().filter(|bin| bin.rows > 0.0);
        for (place, bin) in bins.enumerate() {
            let (probability, right) = bin.means();
            let comma = if place > 0 { "," } else { "" };
            let _ = write!(
                text,
                "{comma}{{\"rows\":{},\"probability\":{},\"accuracy\":{}}}",
                bin.rows,
                number(probability),
                number(right)
            );
        }
        text.push(']');
    }
}

/// A JSON number, or null where there is none: sums over labels near the largest double overflow.
fn number(value: f64) -> String {
    let mut text = String::new();
    write_f64(&mut text, value);
    text
}
