//! Which messages were here before. Two hops can repeat one: the broker, which says so (DUP, and the packet id it used the
//! first time), and the device, which can be told by a number it counts up itself, or by the event time it gives.

mod contents;
mod counting;
mod numbers;
mod sessions;

pub use contents::Contents;
pub use numbers::{Streams, Verdict, device_number};
pub use sessions::Doors;
