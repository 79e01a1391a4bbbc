//! What Sparkplug edge nodes have announced of themselves (Eclipse Sparkplug 3.0, chapters 4 to 6): the names behind their aliases, the types of
//! their metrics, and where the numbering of their messages stands. A gap, or data that no birth announced, asks for a rebirth.

use std::collections::BTreeMap;

use crate::codec::{Reader, Writer};
use crate::decode::sparkplug::{Metric, Payload};
use crate::error::{CoreError, Result};
use crate::names::{NONE, Names};

/// Edge nodes of one gateway.
const NODES_MAX: usize = 4096;
/// Metrics of all of them.
const METRICS_MAX: usize = 262_144;
/// A node is not asked again within this time: a birth may be large and come slowly.
const ASK_AGAIN_US: u64 = 10_000_000;
/// Messages are numbered from 0 to 255 and over again (§6.4.5).
const NUMBERS: u64 = 256;

/// What a message of a node or device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    NodeBirth,
    DeviceBirth,
    NodeDeath,
    /// Data, and the death of a device.
    Other,
}

/// Whom the messages of a topic are about, as it says: `spBv1.0/GROUP/KIND/NODE[/DEVICE]`.
#[derive(Debug, PartialEq)]
pub struct About {
    kind: Kind,
    /// Group and node, as states name them.
    node_name: String,
    /// Empty: the node itself.
    device: String,
    /// Where the node takes commands.
    commands: String,
    /// Index of the node, once it was heard.
    node: u32,
}

impl About {
    /// Reads a topic.
    ///
    /// # Errors
    /// `Foreign` for one that is not of Sparkplug's nodes and devices.
    pub fn of(topic: &str) -> Result<Self> {
        let mut levels = topic.split('/');
        let mut next = || levels.next();
        let (Some("spBv1.0"), Some(group), Some(kind), Some(edge), device, None) =
            (next(), next(), next(), next(), next(), next())
        else {
            return Err(CoreError::Foreign);
        };
        Ok(Self {
            kind: match (kind, device) {
                ("NBIRTH", None) => Kind::NodeBirth,
                ("DBIRTH", Some(_)) => Kind::DeviceBirth,
                ("NDEATH", None) => Kind::NodeDeath,
                ("NDATA", None) | ("DDATA" | "DDEATH", Some(_)) => Kind::Other,
                _ => return Err(CoreError::Foreign),
            },
            node_name: [group, "/", edge].concat(),
            device: device.unwrap_or_default().into(),
            commands: format!("spBv1.0/{group}/NCMD/{edge}"),
            node: NONE,
        })
    }
}

/// A metric that was announced: its name's index and its type.
type Announced = (u32, u8);

/// What is known of one edge node.
#[derive(Default)]
struct Node {
    /// False before its birth and after its death.
    born: bool,
    /// The number its next message should have.
    next: u64,
    /// Arrival clock of the last request for a rebirth.
    asked_us: Option<u64>,
    aliases: BTreeMap<u64, Announced>,
    /// By device (empty: the node itself), then by name.
    metrics: BTreeMap<String, BTreeMap<u32, u8>>,
    /// How many those are.
    count: usize,
}

impl Node {
    fn announce(&mut self, device: &str, name: u32, datatype: u8) {
        let metrics = match self.metrics.get_mut(device) {
            Some(metrics) => metrics,
            None => self.metrics.entry(device.into()).or_default(),
        };
        self.count += usize::from(metrics.insert(name, datatype).is_none());
    }
}

/// All edge nodes.
#[derive(Default)]
pub struct Nodes {
    nodes: Vec<Node>,
    /// Their places by their names.
    places: BTreeMap<String, u32>,
    names: Names,
}

/// What a message asks for.
#[derive(Debug, PartialEq)]
pub struct Rebirth<'t> {
    /// Where its node takes commands.
    pub topic: &'t str,
}

impl Nodes {
    /// Takes note of a message: births announce, deaths forget, numbers are followed. Says whether its node is to be born again,
    /// and how many messages are missing.
    ///
    /// # Errors
    /// `Limit` for too many nodes or metrics, `Corrupt` for a name that is not UTF-8.
    pub fn take<'t>(
        &mut self,
        about: &'t mut About,
        payload: &Payload,
        now_us: u64,
    ) -> Result<(Option<Rebirth<'t>>, i64)> {
        let place = self.place(about)?;
        about.node = place;
        let node = &mut self.nodes[place as usize];
        if about.kind == Kind::NodeDeath {
            // The will of a connection that ended; it has no number.
            node.born = false;
            return Ok((None, 0));
        }
        let mut missing = 0;
        if about.kind == Kind::NodeBirth {
            *node = Node {
                born: true,
                next: payload.seq.unwrap_or(0) % NUMBERS,
                ..Node::default()
            };
        } else if let (true, Some(seq)) = (node.born, payload.seq) {
            missing = i64::try_from((seq % NUMBERS + NUMBERS - node.next) % NUMBERS).expect("below NUMBERS");
        }
        node.next = payload.seq.map_or(node.next, |seq| (seq + 1) % NUMBERS);
        if matches!(about.kind, Kind::NodeBirth | Kind::DeviceBirth) {
            announce(node, &mut self.names, &about.device, payload)?;
        }
        let unknown = payload.has_aliases
            && payload.metrics().any(|metric| {
                metric.name.is_none() && metric.alias.is_none_or(|alias| !node.aliases.contains_key(&alias))
            });
        let due = node
            .asked_us
            .is_none_or(|asked| now_us.saturating_sub(asked) >= ASK_AGAIN_US);
        if (!node.born || missing > 0 || unknown) && due {
            node.asked_us = Some(now_us);
            let topic = &about.commands;
            return Ok((Some(Rebirth { topic }), missing));
        }
        Ok((None, missing))
    }

    /// The place of the node that a topic is about, which is made for one that is new.
    fn place(&mut self, about: &About) -> Result<u32> {
        if about.node != NONE {
            return Ok(about.node);
        }
        if let Some(&place) = self.places.get(&about.node_name) {
            return Ok(place);
        }
        if self.nodes.len() >= NODES_MAX {
            return Err(CoreError::Limit);
        }
        let place = u32::try_from(self.nodes.len()).expect("at most NODES_MAX");
        self.nodes.push(Node::default());
        self.places.insert(about.node_name.clone(), place);
        Ok(place)
    }

    /// What was announced of the metrics of a message that is about this.
    pub fn announced(&self, about: &About) -> impl Fn(&Metric) -> Option<Announced> + Clone {
        let known = (about.node != NONE).then_some(about.node);
        let place = known.or_else(|| self.places.get(&about.node_name).copied());
        let node = place.map(|place| &self.nodes[place as usize]);
        move |metric: &Metric| {
            let node = node?;
            match (metric.name, metric.alias) {
                (None, Some(alias)) => node.aliases.get(&alias).copied(),
                (None, None) => None,
                // With a name it is only the type that may be missing.
                (Some(_), _) if metric.datatype != 0 => None,
                (Some(name), _) => {
                    let name = self.names.find(core::str::from_utf8(name).ok()?)?;
                    let datatype = node.metrics.get(about.device.as_str())?.get(&name)?;
                    Some((name, *datatype))
                }
            }
        }
    }

    /// The name of an announced metric.
    #[must_use]
    pub fn name(&self, index: u32) -> &str {
        self.names.name(index)
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        let count = |count: usize| u32::try_from(count).expect("at most METRICS_MAX");
        self.names.save(writer);
        writer.u32(count(self.nodes.len()));
        for (name, &place) in &self.places {
            let node = &self.nodes[place as usize];
            writer.str(name);
            writer.bool(node.born);
            writer.u64(node.next);
            writer.u64(node.asked_us.map_or(u64::MAX, |asked| asked));
            writer.u32(count(node.aliases.len()));
            for (alias, (name, datatype)) in &node.aliases {
                writer.u64(*alias);
                writer.u32(*name);
                writer.u8(*datatype);
            }
            writer.u32(count(node.count));
            for (device, metrics) in &node.metrics {
                for (name, datatype) in metrics {
                    writer.str(device);
                    writer.u32(*name);
                    writer.u8(*datatype);
                }
            }
        }
    }

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let names = Names::load(reader)?;
        let known = |index: u32| {
            ((index as usize) < names.len())
                .then_some(index)
                .ok_or(CoreError::Corrupt)
        };
        let (mut nodes, mut places) = (Vec::new(), BTreeMap::new());
        for _ in 0..reader.u32()? {
            let name: String = reader.str()?.into();
            let mut node = Node {
                born: reader.bool()?,
                next: reader.u64()?,
                asked_us: Some(reader.u64()?).filter(|asked| *asked != u64::MAX),
                ..Node::default()
            };
            if node.next >= NUMBERS {
                return Err(CoreError::Corrupt);
            }
            for _ in 0..reader.u32()? {
                let alias = reader.u64()?;
                node.aliases.insert(alias, (known(reader.u32()?)?, reader.u8()?));
            }
            for _ in 0..reader.u32()? {
                let device = reader.str()?;
                let name = known(reader.u32()?)?;
                node.announce(device, name, reader.u8()?);
            }
            let place = u32::try_from(nodes.len()).map_err(|_| CoreError::Corrupt)?;
            if places.insert(name, place).is_some() {
                return Err(CoreError::Corrupt);
            }
            nodes.push(node);
        }
        Ok(Self { nodes, places, names })
    }
}

/// Takes note of the metrics that a birth announces.
fn announce(node: &mut Node, names: &mut Names, device: &str, payload: &Payload) -> Result<()> {
    for metric in payload.metrics() {
        let Some(name) = metric.name else { continue };
        let name = core::str::from_utf8(name).map_err(|_| CoreError::Corrupt)?;
        let index = names.intern(name, METRICS_MAX)?;
        if node.count >= METRICS_MAX || node.aliases.len() >= METRICS_MAX {
            return Err(CoreError::Limit);
        }
        node.announce(device, index, metric.datatype);
        if let Some(alias) = metric.alias {
            node.aliases.insert(alias, (index, metric.datatype));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A metric with a name, an alias and type Double, or an alias alone.
    fn metric(name: Option<&str>, alias: u8) -> Vec<u8> {
        let mut metric = Vec::new();
        if let Some(name) = name {
            metric.extend([0x0a, u8::try_from(name.len()).unwrap()]);
            metric.extend(name.as_bytes());
            metric.extend([0x20, 10]);
        }
        metric.extend([0x10, alias]);
        metric
    }

    fn payload(seq: u8, metrics: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for metric in metrics {
            bytes.extend([0x12, u8::try_from(metric.len()).unwrap()]);
            bytes.extend(metric);
        }
        bytes.push(0x18);
        bytes.extend(if seq < 128 { vec![seq] } else { vec![seq | 128, 1] });
        bytes
    }

    fn take(nodes: &mut Nodes, topic: &str, bytes: &[u8], now_us: u64) -> (bool, i64) {
        let payload = Payload::parse(bytes, Vec::new()).unwrap();
        let mut about = About::of(topic).unwrap();
        let (rebirth, missing) = nodes.take(&mut about, &payload, now_us).unwrap();
        (rebirth.is_some(), missing)
    }

    const BIRTH: &str = "spBv1.0/g/NBIRTH/e";
    const DATA: &str = "spBv1.0/g/NDATA/e";

    #[test]
    fn aliases_are_named_by_the_birth_of_their_node() {
        let mut nodes = Nodes::default();
        take(&mut nodes, BIRTH, &payload(0, &[metric(Some("temp"), 3)]), 0);
        take(
            &mut nodes,
            "spBv1.0/g/DBIRTH/e/d",
            &payload(1, &[metric(Some("flow"), 4)]),
            0,
        );
        let data = payload(2, &[metric(None, 3), metric(None, 4), metric(None, 5)]);
        assert_eq!(take(&mut nodes, DATA, &data, 0), (true, 0)); // alias 5
        let about = About::of(DATA).unwrap();
        let announced = nodes.announced(&about);
        let names: Vec<Option<&str>> = (Payload::parse(&data, Vec::new()).unwrap().metrics())
            .map(|metric| announced(&metric).map(|(name, _)| nodes.name(name)))
            .collect();
        assert_eq!(names, [Some("temp"), Some("flow"), None]);
    }

    #[test]
    fn a_gap_or_a_node_that_was_not_born_asks_for_a_rebirth_once_in_a_while() {
        let mut nodes = Nodes::default();
        assert_eq!(take(&mut nodes, DATA, &payload(9, &[]), 0), (true, 0));
        assert_eq!(take(&mut nodes, DATA, &payload(10, &[]), ASK_AGAIN_US - 1), (false, 0));
        assert_eq!(take(&mut nodes, DATA, &payload(11, &[]), ASK_AGAIN_US), (true, 0));
        let birth = payload(0, &[metric(Some("temp"), 3)]);
        assert_eq!(take(&mut nodes, BIRTH, &birth, ASK_AGAIN_US), (false, 0));
        for seq in 1..=255 {
            assert_eq!(
                take(&mut nodes, DATA, &payload(seq, &[]), ASK_AGAIN_US),
                (false, 0),
                "{seq}"
            );
        }
        assert_eq!(take(&mut nodes, DATA, &payload(0, &[]), ASK_AGAIN_US), (false, 0));
        assert_eq!(take(&mut nodes, DATA, &payload(3, &[]), ASK_AGAIN_US), (true, 2));
        assert_eq!(take(&mut nodes, "spBv1.0/g/NDEATH/e", &[], ASK_AGAIN_US), (false, 0));
        assert_eq!(take(&mut nodes, DATA, &payload(4, &[]), 3 * ASK_AGAIN_US), (true, 0));
        let mut about = About::of(DATA).unwrap();
        let bytes = payload(5, &[]);
        let fifth = Payload::parse(&bytes, Vec::new()).unwrap();
        let (rebirth, _) = nodes.take(&mut about, &fifth, 9 * ASK_AGAIN_US).unwrap();
        assert_eq!(rebirth.unwrap().topic, "spBv1.0/g/NCMD/e");
    }

    #[test]
    fn the_state_comes_back_as_it_was() {
        let mut nodes = Nodes::default();
        take(&mut nodes, BIRTH, &payload(0, &[metric(Some("temp"), 3)]), 0);
        take(&mut nodes, DATA, &payload(7, &[]), 5);
        let mut writer = Writer::new();
        nodes.save(&mut writer);
        let loaded = Nodes::load(&mut Reader::new(writer.as_slice())).unwrap();
        let mut again = Writer::new();
        loaded.save(&mut again);
        assert_eq!(writer.as_slice(), again.as_slice());
        for end in 0..writer.as_slice().len() {
            assert!(Nodes::load(&mut Reader::new(&writer.as_slice()[..end])).is_err());
        }
    }

    #[test]
    fn other_topics_are_foreign() {
        for topic in [
            "spBv1.0/g/NCMD/e",
            "spBv1.0/STATE/h",
            "spBv1.0/g/DDATA/e",
            "x/g/NDATA/e",
        ] {
            assert_eq!(About::of(topic), Err(CoreError::Foreign), "{topic}");
        }
    }
}
