//! What became of every message: one account per source, one per task with a label topic, one for messages that no source
//! takes, and one for what sources of earlier plans had counted. Each message is received once and gets one fate.

use crate::codec::{Reader, Writer};
use crate::decode::Violation;
use crate::error::{CODES, CoreError, Result};
use crate::plan::Plan;
use crate::repeat::Verdict;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A reading or label of it entered the state.
    Used,
    /// Every reading of it came after all windows that could hold it had closed, or where no window holds it, behind its
    /// key's watermark.
    Late,
    /// It had been here before.
    Duplicate,
    /// The broker had kept it: initial values, no example.
    Retained,
    /// No source or label topic takes its topic.
    Filtered,
    /// It could not be read, for the reason given.
    Quarantined(CoreError),
}

/// One account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    /// Messages that came; the sum of the six below.
    pub received: u64,
    /// Entered the state.
    pub used: u64,
    /// Came too late.
    pub late: u64,
    /// Had been here before.
    pub duplicate: u64,
    /// Were kept by the broker.
    pub retained: u64,
    /// Nobody asked for.
    pub filtered: u64,
    /// Could not be read.
    pub quarantined: u64,
    /// Device numbers that are missing.
    pub gaps: u64,
    /// Messages whose device number is older than what is remembered: taken, though they may have been here.
    pub unknown: u64,
    /// Times that a device began to count anew.
    pub restarts: u64,
    /// What was quarantined, by the place of its code.
    pub reasons: [u64; CODES],
    /// Readings that broke their contract, whatever was done about them, by violation.
    pub violations: [u64; Violation::ALL.len()],
}

/// Numbers of an account up to version 4 of the state: the last two came later.
const NUMBERS_V4: usize = 8;

impl Account {
    /// Books `count` messages of one fate.
    pub fn book(&mut self, fate: Fate, count: u64) {
        self.received += count;
        *match fate {
            Fate::Used => &mut self.used,
            Fate::Late => &mut self.late,
            Fate::Duplicate => &mut self.duplicate,
            Fate::Retained => &mut self.retained,
            Fate::Filtered => &mut self.filtered,
            Fate::Quarantined(error) => {
                self.reasons[error.place()] += count;
                &mut self.quarantined
            }
        } += count;
    }

    /// Books what a device's number says about a message; true when the message was here before.
    pub fn book_number(&mut self, verdict: &Verdict) -> bool {
        match *verdict {
            Verdict::New(missing) => self.gaps = self.gaps.saturating_add_signed(missing),
            Verdict::Restarted => self.restarts += 1,
            Verdict::Unknown => self.unknown += 1,
            Verdict::Duplicate => return true,
        }
        false
    }

    fn numbers(&mut self) -> [&mut u64; 10] {
        [
            &mut self.received,
            &mut self.used,
            &mut self.late,
            &mut self.duplicate,
            &mut self.retained,
            &mut self.filtered,
            &mut self.quarantined,
            &mut self.gaps,
            &mut self.unknown,
            &mut self.restarts,
        ]
    }

    fn add(&mut self, other: &Self) {
        let mut other = other.clone();
        for (mine, theirs) in self.numbers().into_iter().zip(other.numbers()) {
            *mine += *theirs;
        }
        let counts = self.reasons.iter_mut().chain(&mut self.violations);
        for (mine, theirs) in counts.zip(other.reasons.into_iter().chain(other.violations)) {
            *mine += theirs;
        }
    }

    /// Readings that broke their contract.
    pub fn book_violations(&mut self, counts: [u64; Violation::ALL.len()]) {
        for (mine, count) in self.violations.iter_mut().zip(counts) {
            *mine += count;
        }
    }
}

/// Every account: the plan's sources in order, its tasks with labels in order, then "no source" and "earlier plans".
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    names: Vec<String>,
    accounts: Vec<Account>,
    /// Account of each task's labels; meaningless for a task without.
    labels: Vec<usize>,
}

impl Ledger {
    /// Empty accounts for a plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let mut names: Vec<String> = plan.sources.iter().map(|source| source.name.clone()).collect();
        let mut labels = Vec::new();
        for task in &plan.tasks {
            labels.push(names.len());
            if task.label.is_some() {
                names.push(format!("labels:{}", task.name));
            }
        }
        names.extend(["(no source)".into(), "(earlier plans)".into()]);
        let accounts = vec![Account::default(); names.len()];
        Self {
            names,
            accounts,
            labels,
        }
    }

    /// Index of the account of a task's labels.
    #[must_use]
    pub fn of_labels(&self, task: usize) -> usize {
        self.labels[task]
    }

    /// Index of the account for messages that no source takes.
    #[must_use]
    pub fn of_none(&self) -> usize {
        self.accounts.len() - 2
    }

    /// An account.
    pub fn account(&mut self, index: usize) -> &mut Account {
        &mut self.accounts[index]
    }

    /// Accounts with their names; the last only when there is something on it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Account)> {
        let last = self.accounts.len() - 1;
        let shown = if self.accounts[last].received > 0 {
            last + 1
        } else {
            last
        };
        self.names.iter().map(String::as_str).zip(&self.accounts).take(shown)
    }

    /// Takes over from the ledger of an earlier plan: sources and tasks for which `kept` gives their index there keep their
    /// accounts; the other accounts are added up.
    pub fn take_over(&mut self, earlier: &Self, sources: &[Option<usize>], tasks: &[Option<usize>]) {
        let none = self.of_none();
        let mut taken = vec![false; earlier.accounts.len()];
        let mut take = |mine: usize, theirs: usize| {
            self.accounts[mine] = earlier.accounts[theirs].clone();
            taken[theirs] = true;
        };
        for (mine, theirs) in sources.iter().enumerate() {
            if let Some(theirs) = theirs {
                take(mine, *theirs);
            }
        }
        for (mine, theirs) in tasks.iter().enumerate() {
            let name = &self.names[self.labels[mine]];
            if let Some(theirs) = theirs.map(|task| earlier.labels[task])
                && *name == earlier.names[theirs]
                && name.starts_with("labels:")
            {
                take(self.labels[mine], theirs);
            }
        }
        take(none, earlier.of_none());
        let last = self.accounts.len() - 1;
        for (account, taken) in earlier.accounts.iter().zip(taken) {
            if !taken {
                self.accounts[last].add(account);
            }
        }
    }

    /// Appends the state; the plan says which account is whose.
    pub fn save(&self, writer: &mut Writer) {
        for account in &self.accounts {
            for number in account.clone().numbers() {
                writer.u64(*number);
            }
            for counts in [&account.reasons[..], &account.violations[..]] {
                writer.u8(u8::try_from(counts.len()).expect("few codes"));
                for &count in counts {
                    writer.u64(count);
                }
            }
        }
    }

    /// Takes what `save` wrote for the same plan; in a state of version 4 or less unknown numbers and restarts were not
    /// counted, in one of version 8 or less neither reasons nor violations.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` when an account does not add up.
    pub fn load(plan: &Plan, version: u16, reader: &mut Reader) -> Result<Self> {
        let mut ledger = Self::new(plan);
        for account in &mut ledger.accounts {
            let saved = if version < 5 { NUMBERS_V4 } else { usize::MAX };
            for number in account.numbers().into_iter().take(saved) {
                *number = reader.counter()?;
            }
            if version >= 9 {
                load_counts(&mut account.reasons, reader)?;
                load_counts(&mut account.violations, reader)?;
            }
            let fates = [
                account.used,
                account.late,
                account.duplicate,
                account.retained,
                account.filtered,
                account.quarantined,
            ];
            let sum = fates.iter().try_fold(0_u64, |sum, &fate| sum.checked_add(fate));
            if sum != Some(account.received) {
                return Err(CoreError::Corrupt);
            }
        }
        Ok(ledger)
    }
}

/// Counts, of which a core that knew fewer kinds wrote the first ones.
fn load_counts(counts: &mut [u64], reader: &mut Reader) -> Result<()> {
    let written = usize::from(reader.u8()?);
    for count in counts.get_mut(..written).ok_or(CoreError::Corrupt)? {
        *count = reader.counter()?;
    }
    Ok(())
}
