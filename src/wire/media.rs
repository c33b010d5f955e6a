//! The media socket: seqpacket messages with the RTP packets of one access unit each.
