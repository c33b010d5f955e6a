//! RTP as bytes: codecs, payload formats, sequence numbers. Pure; knows no socket, no session, no WebRTC library.

pub mod codec;
pub mod h264;
pub mod header;
pub mod packet;
pub mod sequence;
pub mod vp8;

pub use codec::{Codec, Format, Kind};
pub use header::Header;
pub use packet::{Extensions, Packet};
