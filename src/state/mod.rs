//! What comes back after a restart or a power cut: sessions with cameras, as plain records that the session actors fill.
//!
//! A box that watches a gate has to watch it again when the power is back, without anybody's doing: same session, same connection, same
//! stream. Browsers come and go by themselves and are not kept, neither are tokens that nobody used.

mod record;
mod store;

pub use record::{CameraRecord, OutputRecord, PropertiesRecord, RecordingRecord, SessionRecord};
pub use store::Store;
