//! What names the features of a task, so that gateways whose rows mean the same are told from others.

use sha2::{Digest, Sha256};

use crate::json;
use crate::plan::TaskPlan;

/// Bytes of the hash that names the definitions behind a schema.
const DEFINITIONS_HASH_BYTES: usize = 16;

/// Canonical JSON of a task's schema (FORMATS.md §6). The target of labels from a topic is the path they stand at.
pub(super) fn schema(definition: &TaskPlan, features: &[String], definitions: &str) -> String {
    let mut text = String::from("{\"task\":");
    json::write_str(&mut text, &definition.name);
    text.push_str(",\"kind\":");
    json::write_str(&mut text, definition.kind.word());
    text.push_str(",\"target\":");
    let label = definition.label.as_ref().map(|label| label.path_text.as_str());
    json::write_str(&mut text, definition.target.as_deref().or(label).unwrap_or_default());
    text.push_str(",\"horizon_ms\":");
    json::write_f64(&mut text, definition.horizon_ms);
    text.push_str(",\"features\":[");
    for (index, name) in features.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        json::write_str(&mut text, name);
    }
    text.push(']');
    if !definitions.is_empty() {
        text.push_str(",\"definitions\":\"");
        for byte in &Sha256::digest(definitions)[..DEFINITIONS_HASH_BYTES] {
            text.push_str(&format!("{byte:02x}"));
        }
        text.push('"');
    }
    text.push('}');
    text
}
