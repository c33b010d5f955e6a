//! RTP as bytes: codecs, payload formats, sequence numbers. Pure; knows no socket, no session, no WebRTC library.

pub mod codec;

pub use codec::{Codec, Format, Kind};
