//! What the agent shows, as JSON text: counts since the beginning of the log, and each task's panel as it stands.

use super::State;
use crate::decode::Violation;
use crate::json::{write_f64, write_str, write_u64};
use crate::ledger::Account;
use crate::series::Table;
use crate::task::Task;

impl State {
    pub(super) fn report(&self) -> String {
        let mut out = String::from("{");
        let numbers = [
            ("offset", self.next_offset),
            ("messages", self.messages),
            ("keys", self.table.keys.len() as u64),
            ("series", self.table.series.len() as u64),
            ("times_corrected", self.skews.corrected),
            ("releases_refused", self.releases_refused),
        ];
        write_numbers(&mut out, &numbers);
        out.push_str(",\"sources\":[");
        for (index, (name, account)) in self.ledger.iter().enumerate() {
            separate(&mut out, index);
            out.push_str("{\"name\":");
            write_str(&mut out, name);
            out.push(',');
            let numbers = [
                ("received", account.received),
                ("used", account.used),
                ("late", account.late),
                ("duplicate", account.duplicate),
                ("retained", account.retained),
                ("filtered", account.filtered),
                ("quarantined", account.quarantined),
                ("gaps", account.gaps),
                ("unknown", account.unknown),
                ("restarts", account.restarts),
            ];
            write_numbers(&mut out, &numbers);
            write_reasons(&mut out, account);
            out.push('}');
        }
        out.push_str("],\"windows\":[");
        for (index, (window, counts)) in self.plan.windows.iter().zip(self.table.counts()).enumerate() {
            separate(&mut out, index);
            out.push_str("{\"name\":");
            write_str(&mut out, &window.name);
            out.push(',');
            write_numbers(&mut out, &[("results", counts.results), ("late", counts.late)]);
            out.push('}');
        }
        out.push_str("],\"tasks\":[");
        for (index, task) in self.tasks.iter().enumerate() {
            separate(&mut out, index);
            self.write_task(&mut out, task);
        }
        out.push_str("]}");
        out
    }

    fn write_task(&self, out: &mut String, task: &Task) {
        write_task(out, task);
        out.push_str(",\"breaker\":");
        match task.breaker() {
            Some(breaker) => {
                out.push('{');
                let numbers = [
                    ("open", u64::from(breaker.is_open())),
                    ("opened", breaker.opened),
                    ("held", breaker.held() as u64),
                    ("dropped", breaker.dropped),
                ];
                write_numbers(out, &numbers);
                out.push('}');
            }
            None => out.push_str("null"),
        }
        out.push_str(",\"drift\":");
        write_drift(out, task, &self.table);
        out.push('}');
    }
}

fn write_drift(out: &mut String, task: &Task, table: &Table) {
    let Some(watch) = task.watch() else {
        out.push_str("null");
        return;
    };
    out.push_str("{\"detector\":");
    write_str(out, watch.plan().spec.kind.name());
    out.push_str(",\"run_length\":");
    write_f64(out, watch.plan().spec.run_length);
    out.push_str(",\"alarms\":");
    write_u64(out, watch.alarms());
    out.push_str(",\"evidence\":[");
    for (index, found) in watch.evidence().enumerate() {
        separate(out, index);
        for (name, text) in [
            ("{\"of\":", found.of.word()),
            (",\"feature\":", found.of.feature(task.features())),
            (",\"key\":", table.key_names.name(found.key)),
        ] {
            out.push_str(name);
            write_str(out, text);
        }
        for (name, number) in [
            (",\"at\":", found.at_ms),
            (",\"before\":", found.before),
            (",\"after\":", found.after),
        ] {
            out.push_str(name);
            write_f64(out, number);
        }
        out.push(',');
        let numbers = [
            ("rows", found.rows),
            ("batch", u64::from(found.batch)),
            ("offset", found.offset),
        ];
        write_numbers(out, &numbers);
        out.push('}');
    }
    out.push_str("]}");
}

/// What was quarantined by code (a name would be the host's), and what broke its contract by violation; only what there is.
fn write_reasons(out: &mut String, account: &Account) {
    out.push_str(",\"quarantined_by\":{");
    let reasons = account.reasons.iter().enumerate().filter(|&(_, &count)| count > 0);
    for (index, (place, &count)) in reasons.enumerate() {
        separate(out, index);
        out.push_str("\"-");
        write_u64(out, place as u64 + 1);
        out.push_str("\":");
        write_u64(out, count);
    }
    out.push_str("},\"violations\":{");
    let violations = Violation::ALL.map(|violation| (violation.word(), account.violations[violation as usize]));
    let violations: Vec<(&str, u64)> = violations.into_iter().filter(|&(_, count)| count > 0).collect();
    write_numbers(out, &violations);
    out.push('}');
}

fn write_task(out: &mut String, task: &Task) {
    out.push_str("{\"name\":");
    write_str(out, &task.definition().name);
    out.push_str(",\"kind\":");
    write_str(out, task.definition().kind.word());
    out.push(',');
    let counts = task.counts();
    let numbers = [
        ("predictions", counts.predictions),
        ("matured", counts.matured),
        ("expired", counts.expired),
        ("pending", task.pending()),
        ("unmatched", counts.unmatched),
        ("unserved", counts.unserved),
        ("alarms", counts.alarms),
        ("repeated", counts.repeated),
        ("conflicting", counts.conflicting),
        ("corrected", counts.corrected),
    ];
    write_numbers(out, &numbers);
    out.push_str(",\"error_sum\":");
    write_f64(out, counts.error_sum);
    out.push_str(",\"baseline_sum\":");
    write_f64(out, counts.baseline_sum);
    out.push_str(",\"schema\":");
    write_hash(out, task.schema().map(|(_, hash)| hash));
    out.push_str(",\"features\":[");
    for (index, name) in task.features().iter().enumerate() {
        separate(out, index);
        write_str(out, name);
    }
    out.push_str("],\"missing\":[");
    for (index, &count) in task.missing().iter().enumerate() {
        separate(out, index);
        write_u64(out, count);
    }
    out.push_str("],\"rows\":");
    write_f64(out, task.statistics().map_or(0.0, |statistics| statistics.n()));
    out.push_str(",\"release\":");
    write_hash(out, task.learner().and_then(|learner| learner.release()).as_ref());
    out.push_str(",\"releases\":");
    write_u64(out, counts.releases);
    out.push_str(",\"panel\":[");
    let experts = task.learner().map(|learner| learner.experts()).unwrap_or_default();
    for (index, expert) in experts.iter().enumerate() {
        separate(out, index);
        out.push_str("{\"expert\":");
        write_str(out, &expert.name);
        out.push_str(",\"weight\":");
        write_f64(out, expert.weight);
        out.push_str(",\"labels\":");
        write_f64(out, expert.labels);
        out.push_str(",\"error\":");
        write_f64(out, expert.error);
        out.push('}');
    }
    out.push_str("],\"leader\":");
    match task.learner().map(|learner| learner.leader()) {
        Some((leader, since, labels)) => {
            out.push_str("{\"expert\":");
            write_str(out, leader);
            out.push(',');
            write_numbers(out, &[("since", since), ("labels", labels)]);
            out.push('}');
        }
        None => out.push_str("null"),
    }
}

fn write_numbers(out: &mut String, numbers: &[(&str, u64)]) {
    for (index, (name, number)) in numbers.iter().enumerate() {
        separate(out, index);
        write_str(out, name);
        out.push(':');
        write_u64(out, *number);
    }
}

fn write_hash(out: &mut String, hash: Option<&[u8; 32]>) {
    let Some(hash) = hash else {
        out.push_str("null");
        return;
    };
    out.push('"');
    for byte in hash {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    out.push('"');
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}
