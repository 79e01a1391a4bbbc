//! What Sparkplug edge nodes have announced of themselves (Eclipse Sparkplug 3.0, chapters 4 to 6): the names behind their aliases, the types of
//! their metrics, and where the numbering of their messages stands. A gap, or data that no birth announced, asks for a rebirth.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::codec::{Reader, Writer};
use crate::decode::sparkplug::{Metric, Payload};
use crate::error::{CoreError, Result};
use crate::names::Names;

/// Edge nodes of one gateway.
const NODES_MAX: usize = 4096;
/// Metrics of all of them.
const METRICS_MAX: usize = 262_144;
/// A node is not asked again within this time: a birth may be large and come slowly.
const ASK_AGAIN_US: u64 = 10_000_000;
/// Messages are numbered from 0 to 255 and over again (§6.4.5).
const NUMBERS: u64 = 256;

/// A message's kind and whom it is about, as its topic says: `spBv1.0/GROUP/KIND/NODE[/DEVICE]`.
struct Topic<'t> {
    group: &'t str,
    edge: &'t str,
    device: Option<&'t str>,
    kind: &'t str,
}

impl<'t> Topic<'t> {
    fn parse(topic: &'t str) -> Result<Self> {
        let mut levels = topic.split('/');
        let mut next = || levels.next();
        let (Some("spBv1.0"), Some(group), Some(kind), Some(edge), device, None) =
            (next(), next(), next(), next(), next(), next())
        else {
            return Err(CoreError::Foreign);
        };
        let known = match device {
            None => matches!(kind, "NBIRTH" | "NDATA" | "NDEATH"),
            Some(_) => matches!(kind, "DBIRTH" | "DDATA" | "DDEATH"),
        };
        if !known {
            return Err(CoreError::Foreign);
        }
        Ok(Self {
            group,
            edge,
            device,
            kind,
        })
    }

    /// Group and node, as states name them.
    fn node(&self) -> String {
        [self.group, "/", self.edge].concat()
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
    /// By device (empty: the node itself) and name.
    metrics: BTreeMap<(String, u32), u8>,
}

/// All edge nodes.
#[derive(Default)]
pub struct Nodes {
    nodes: BTreeMap<String, Node>,
    names: Names,
}

/// What a message asks for.
#[derive(Debug, PartialEq)]
pub struct Rebirth {
    /// Where its node takes commands.
    pub topic: String,
}

impl Nodes {
    /// Takes note of a message: births announce, deaths forget, numbers are followed. Says whether its node is to be born again,
    /// and how many messages are missing.
    ///
    /// # Errors
    /// `Foreign` for a topic that is not of Sparkplug's nodes and devices, `Limit` for too many nodes or metrics.
    pub fn take(&mut self, topic: &str, payload: &Payload, now_us: u64) -> Result<(Option<Rebirth>, i64)> {
        let topic = Topic::parse(topic)?;
        let count = self.nodes.len();
        let node = match self.nodes.entry(topic.node()) {
            Entry::Occupied(node) => node.into_mut(),
            Entry::Vacant(_) if count >= NODES_MAX => return Err(CoreError::Limit),
            Entry::Vacant(place) => place.insert(Node::default()),
        };
        if topic.kind == "NDEATH" {
            // The will of a connection that ended; it has no number.
            node.born = false;
            return Ok((None, 0));
        }
        let mut missing = 0;
        if topic.kind == "NBIRTH" {
            *node = Node {
                born: true,
                next: payload.seq.unwrap_or(0) % NUMBERS,
                ..Node::default()
            };
        } else if let (true, Some(seq)) = (node.born, payload.seq) {
            missing = i64::try_from((seq % NUMBERS + NUMBERS - node.next) % NUMBERS).expect("below NUMBERS");
        }
        node.next = payload.seq.map_or(node.next, |seq| (seq + 1) % NUMBERS);
        if topic.kind.ends_with("BIRTH") {
            announce(node, &mut self.names, topic.device.unwrap_or(""), payload)?;
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
            let topic = format!("spBv1.0/{}/NCMD/{}", topic.group, topic.edge);
            return Ok((Some(Rebirth { topic }), missing));
        }
        Ok((None, missing))
    }

    /// What was announced of the metrics of a message with this topic.
    pub fn announced(&self, topic: &str) -> impl Fn(&Metric) -> Option<Announced> + Clone {
        let topic = Topic::parse(topic).ok();
        let node = topic.as_ref().and_then(|topic| self.nodes.get(&topic.node()));
        let device = topic.and_then(|topic| topic.device).unwrap_or("");
        move |metric: &Metric| {
            let node = node?;
            match (metric.name, metric.alias) {
                (None, Some(alias)) => node.aliases.get(&alias).copied(),
                (None, None) => None,
                // With a name it is only the type that may be missing.
                (Some(_), _) if metric.datatype != 0 => None,
                (Some(name), _) => {
                    let name = self.names.find(core::str::from_utf8(name).ok()?)?;
                    let datatype = node.metrics.get(&(device.into(), name))?;
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
        for (name, node) in &self.nodes {
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
            writer.u32(count(node.metrics.len()));
            for ((device, name), datatype) in &node.metrics {
                writer.str(device);
                writer.u32(*name);
                writer.u8(*datatype);
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
        let mut nodes = BTreeMap::new();
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
                let device: String = reader.str()?.into();
                let name = known(reader.u32()?)?;
                node.metrics.insert((device, name), reader.u8()?);
            }
            nodes.insert(name, node);
        }
        Ok(Self { nodes, names })
    }
}

/// Takes note of the metrics that a birth announces.
fn announce(node: &mut Node, names: &mut Names, device: &str, payload: &Payload) -> Result<()> {
    for metric in payload.metrics() {
        let Some(name) = metric.name else { continue };
        let name = core::str::from_utf8(name).map_err(|_| CoreError::Corrupt)?;
        let index = names.intern(name, METRICS_MAX)?;
        if node.metrics.len() >= METRICS_MAX || node.aliases.len() >= METRICS_MAX {
            return Err(CoreError::Limit);
        }
        node.metrics.insert((device.into(), index), metric.datatype);
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
        let (rebirth, missing) = nodes.take(topic, &Payload::parse(bytes).unwrap(), now_us).unwrap();
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
        let announced = nodes.announced(DATA);
        let names: Vec<Option<&str>> = (Payload::parse(&data).unwrap().metrics())
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
        let (rebirth, _) = nodes
            .take(DATA, &Payload::parse(&payload(5, &[])).unwrap(), 9 * ASK_AGAIN_US)
            .unwrap();
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
        let mut nodes = Nodes::default();
        for topic in [
            "spBv1.0/g/NCMD/e",
            "spBv1.0/STATE/h",
            "spBv1.0/g/DDATA/e",
            "x/g/NDATA/e",
        ] {
            let payload = Payload::parse(&[]).unwrap();
            assert_eq!(nodes.take(topic, &payload, 0), Err(CoreError::Foreign), "{topic}");
        }
    }
}
