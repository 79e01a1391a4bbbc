//! The automatic set: which features a task gets when its plan names none. Made of the fields that most keys of the target
//! really deliver, once it is known which those are: a source may speak for devices of several kinds, and a feature that
//! the target's keys never carry would be missing in every row.
//!
//! The keys of a target are those that have delivered it; for a task with a label topic those that a label came for, and
//! all keys while there are none. Names stand in the order of their bytes, and nothing is decided while series of those
//! keys still come up, so that gateways with the same devices agree on the set, whoever spoke first.

use super::TIMES;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::names::NONE;
use crate::plan::{FEATURES_MAX, Plan, TaskPlan};
use crate::series::Table;

/// Messages used before a set is made, however few devices there are: a sensor may be slower than the target.
const USED_MIN: u64 = 64;
/// A set is made when every sensor of the target's keys has had the time to speak so many times since a new one came up:
/// in any order without a pattern, one in 3,000 is overheard.
const TIMES_HEARD: u64 = 8;
/// Rows up to which any new sensor makes the set wait.
const PATIENT_ROWS: u64 = 4096;
/// From then on it waits only while more than one sensor in so many is new: where devices come and go for ever, a majority
/// of those heard is as good as it gets.
const GROWTH_MAX: u64 = 16;
/// Rows after which the set is made of what there is.
const ROWS_MAX: u64 = 1 << 17;
/// Lags of the target in the automatic set.
const LAGS: [usize; 3] = [1, 2, 4];
const WINDOW_STATS: [&str; 4] = ["mean", "min", "max", "std"];

/// What a task knows of its keys before its features are made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gathering {
    /// Messages used before the task's first, plus one; 0: none came yet.
    began: u64,
    /// Rows seen: those with the target, or with a label topic each of any key.
    rows: u64,
    /// Readings in them.
    readings: u64,
    /// Rows at which to look next.
    look_at: u64,
    /// Series of the target's keys when they were last found to be others, and the rows and readings then.
    series: u64,
    marked: (u64, u64),
    /// Keys that a label came for, in order.
    labelled: Vec<u32>,
}

impl Gathering {
    /// A label came for a key.
    pub fn label(&mut self, key: u32) {
        if let Err(place) = self.labelled.binary_search(&key) {
            self.labelled.insert(place, key);
        }
    }

    /// The names of the set when the time to make it has come. `target` is the target's field, `readings` counts those of
    /// the row at hand, `used` the messages used so far.
    pub fn look(
        &mut self,
        (task, target): (&TaskPlan, u32),
        plan: &Plan,
        table: &Table,
        readings: usize,
        used: u64,
    ) -> Option<Vec<String>> {
        if self.began == 0 {
            self.began = used.max(1);
        }
        self.rows += 1;
        self.readings += readings as u64;
        if self.rows < self.look_at {
            return None;
        }
        let keys = self.keys(target, table);
        let series: usize = keys.iter().map(|&key| table.keys[key as usize].series.len()).sum();
        let (keys_heard, series) = (keys.len() as u64, series as u64);
        // Many keys are not gone through for every row.
        self.look_at = self.rows + 1 + keys_heard / 4;
        let slack = if self.rows < PATIENT_ROWS {
            0
        } else {
            series / GROWTH_MAX
        };
        if series.abs_diff(self.series) > slack {
            self.series = series;
            self.marked = (self.rows, self.readings);
        }
        let settled = if target == NONE {
            self.readings - self.marked.1 >= TIMES_HEARD * series
        } else {
            self.rows - self.marked.0 >= TIMES_HEARD * keys_heard
        };
        let due = used - self.began + 1 >= USED_MIN && (settled || self.rows >= ROWS_MAX);
        due.then(|| automatic(task, plan, carried(&keys, table)))
    }

    /// The target's keys.
    fn keys(&self, target: u32, table: &Table) -> Vec<u32> {
        let delivers = |&key: &u32| {
            table
                .find(key, target)
                .is_some_and(|index| table.series[index as usize].has_value())
        };
        let all = 0..u32::try_from(table.keys.len()).expect("indexes are u32");
        if target != NONE {
            all.filter(delivers).collect()
        } else if self.labelled.is_empty() {
            all.collect()
        } else {
            self.labelled.clone()
        }
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        let (rows, readings) = self.marked;
        for number in [
            self.began,
            self.rows,
            self.readings,
            self.look_at,
            self.series,
            rows,
            readings,
        ] {
            writer.u64(number);
        }
        writer.u32(u32::try_from(self.labelled.len()).expect("indexes are u32"));
        for &key in &self.labelled {
            writer.u32(key);
        }
    }

    /// Takes what `save` wrote beside `keys` keys after `used` messages.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(keys: usize, used: u64, reader: &mut Reader) -> Result<Self> {
        let mut numbers = [0; 7];
        for number in &mut numbers {
            *number = reader.counter()?;
        }
        let [began, rows, readings, look_at, series, marked_rows, marked_readings] = numbers;
        let count = reader.count(4)?;
        let labelled: Vec<u32> = (0..count).map(|_| reader.u32()).collect::<Result<_>>()?;
        let ordered = labelled.windows(2).all(|pair| pair[0] < pair[1]);
        let known = labelled.last().is_none_or(|&key| (key as usize) < keys);
        if !ordered || !known || began > used || marked_rows > rows || marked_readings > readings {
            return Err(CoreError::Corrupt);
        }
        Ok(Self {
            began,
            rows,
            readings,
            look_at,
            series,
            marked: (marked_rows, marked_readings),
            labelled,
        })
    }
}

/// Names of the fields that more than half of `keys` have delivered.
fn carried(keys: &[u32], table: &Table) -> Vec<String> {
    let mut counts = vec![0; table.field_names.len()];
    for &key in keys {
        for &index in &table.keys[key as usize].series {
            let series = &table.series[index as usize];
            counts[series.field as usize] += usize::from(series.has_value());
        }
    }
    let names = table.field_names.iter().zip(counts);
    names
        .filter(|&(_, count)| 2 * count > keys.len())
        .map(|(name, _)| String::from(name))
        .collect()
}

/// The set over `fields`: latest values, calendar, the target's lags and rate, differences, windows; as many as fit
/// `FEATURES_MAX`, the most telling kinds first.
fn automatic(task: &TaskPlan, plan: &Plan, mut fields: Vec<String>) -> Vec<String> {
    fields.extend(task.target.clone());
    fields.sort();
    fields.dedup();
    let mut names = fields.clone();
    names.extend(TIMES[..4].iter().map(|&name| String::from(name)));
    if let Some(target) = &task.target {
        names.extend(LAGS.map(|lag| format!("{target}.lag{lag}")));
        names.push(format!("{target}.rate"));
    }
    names.extend(fields.iter().map(|field| format!("{field}.delta")));
    for window in &plan.windows {
        for field in fields.iter().filter(|field| window.covers(field)) {
            names.extend(WINDOW_STATS.map(|stat| format!("{}.{field}.{stat}", window.name)));
        }
    }
    names.truncate(FEATURES_MAX);
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::target_field;
    use crate::output::Outputs;
    use crate::plan::tests::{FORECAST, OCCUPIED, building};

    /// Devices on one source: four of rooms, of which one has no humidity and one also counts people, and many that
    /// measure no co2 at all.
    const DEVICES: [(&str, &[&str]); 9] = [
        ("r1", &["co2", "temp", "humidity"]),
        ("r2", &["co2", "temp", "humidity"]),
        ("r3", &["co2", "temp", "humidity", "people"]),
        ("r4", &["co2", "temp"]),
        ("m1", &["power", "volt"]),
        ("m2", &["power", "volt"]),
        ("m3", &["power", "volt"]),
        ("m4", &["power", "volt"]),
        ("m5", &["power", "volt", "temp"]),
    ];

    /// The set, and after how many messages, when the series speak in this order.
    fn told(task: &str, order: &[usize], labelled: &[&str]) -> Option<(Vec<String>, u64)> {
        let plan = Plan::parse(building(task).as_bytes()).unwrap();
        let mut table = Table::new(&plan);
        let target = target_field(&plan.tasks[0], &plan, &mut table.field_names);
        let mut gathering = Gathering::default();
        let spoken: Vec<(&str, &str)> = DEVICES
            .iter()
            .flat_map(|(key, fields)| fields.iter().map(|field| (*key, *field)))
            .collect();
        for (used, &at) in order.iter().enumerate() {
            let (key_name, field) = spoken[at % spoken.len()];
            let key = table.key(key_name, &plan).unwrap();
            let series = table.series(key, field, &plan).unwrap();
            table.add(
                series,
                used as f64,
                1.0,
                &plan.windows,
                &mut Outputs::new(&mut Writer::new()),
            );
            if labelled.contains(&key_name) {
                gathering.label(key);
            }
            let used = used as u64 + 1;
            let is_row = target == NONE || table.series[series as usize].field == target;
            if is_row && let Some(names) = gathering.look((&plan.tasks[0], target), &plan, &table, 1, used) {
                return Some((names, used));
            }
        }
        None
    }

    #[test]
    fn the_set_holds_what_most_keys_of_the_target_deliver_sorted_by_name() {
        let order: Vec<usize> = (0..1000).collect();
        let (names, used) = told(FORECAST, &order, &[]).unwrap();
        assert_eq!(
            names.join(" "),
            "co2 humidity temp time.day_sin time.day_cos time.week_sin time.week_cos co2.lag1 co2.lag2 co2.lag4 co2.rate \
             co2.delta humidity.delta temp.delta m.co2.mean m.co2.min m.co2.max m.co2.std m.humidity.mean m.humidity.min \
             m.humidity.max m.humidity.std m.temp.mean m.temp.min m.temp.max m.temp.std"
        );
        // Of 23 sensors; the first round has the new ones, eight more follow, and not every row is looked at.
        assert_eq!(used, 9 * 23 + 4);
    }

    #[test]
    fn a_task_with_labels_looks_at_the_keys_that_labels_came_for() {
        let order: Vec<usize> = (0..1000).collect();
        let (names, _) = told(OCCUPIED, &order, &["r1", "r2", "r4"]).unwrap();
        assert_eq!(names[..3], ["co2", "humidity", "temp"]);
        let (names, _) = told(OCCUPIED, &order, &[]).unwrap();
        assert_eq!(names[..3], ["power", "temp", "volt"]);
    }

    #[test]
    fn the_set_waits_for_a_device_that_comes_later() {
        let one: Vec<usize> = (0..60).map(|n| n % 3).collect();
        let all: Vec<usize> = (0..2000).collect();
        let early = told(FORECAST, &[&one[..], &one[..]].concat(), &[]).unwrap();
        assert_eq!(early.1, USED_MIN);
        let later = told(FORECAST, &[&one[..], &all[..]].concat(), &[]).unwrap();
        assert_eq!(later.0, told(FORECAST, &all, &[]).unwrap().0);
        assert!(later.1 > 200);
    }

    #[test]
    fn the_state_is_loaded_as_it_was_saved() {
        let mut gathering = Gathering {
            began: 3,
            rows: 9,
            readings: 12,
            look_at: 11,
            series: 4,
            marked: (2, 3),
            labelled: vec![],
        };
        gathering.label(5);
        gathering.label(1);
        gathering.label(5);
        let mut writer = Writer::new();
        gathering.save(&mut writer);
        assert_eq!(
            Gathering::load(6, 3, &mut Reader::new(writer.as_slice())),
            Ok(gathering)
        );
        assert_eq!(
            Gathering::load(5, 3, &mut Reader::new(writer.as_slice())),
            Err(CoreError::Corrupt)
        );
        assert_eq!(
            Gathering::load(6, 2, &mut Reader::new(writer.as_slice())),
            Err(CoreError::Corrupt)
        );
    }

    #[test]
    fn gateways_with_the_same_devices_agree_whoever_spoke_first() {
        let orderly: Vec<usize> = (0..4000).collect();
        let expected = told(FORECAST, &orderly, &[]).unwrap().0;
        // One sensor in 3,000 is overheard, and three decide about humidity.
        let disagree = (0..400).filter(|&seed: &u64| {
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mixed: Vec<usize> = orderly
                .iter()
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    (state >> 33) as usize
                })
                .collect();
            told(FORECAST, &mixed, &[]).unwrap().0 != expected
        });
        assert!(disagree.count() <= 4);
    }
}
