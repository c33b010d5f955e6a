//! What daemon and workers say to each other. Both wings stand on this floor and share nothing else.
//!
//! Two socket pairs per job: [`control`] carries JSON lines on a stream socket, [`media`] carries access units on a seqpacket
//! socket. [`camera`] is the address of a camera, checked once and passed on without its credentials in the URL; [`compose`] is what a
//! composer is asked for, [`transcode`] a transcoder, [`thumbnail`] the maker of one picture. A worker
//! finds its end of the control socket as its standard input, and of the media socket as its standard output.

pub mod camera;
pub mod compose;
pub mod control;
pub mod media;
pub mod thumbnail;
pub mod transcode;
