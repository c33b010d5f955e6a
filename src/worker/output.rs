//! Access units to the media socket: what a job gives. Each stream's state is written by its own streaming thread; [`Shared`] is what they share.
//!
//! A video stream starts at a keyframe. When the socket is full, a unit is dropped and with it all video up to the next keyframe
//! (the rest could not be decoded), counted, and reported by the job once a second at most.

use super::socket::{MediaSocket, Sent};
use super::unit::{Assembler, Facts};
use super::{Turn, Turns};
use crate::clock::monotonic_ns;
use crate::rtp::{Codec, Format, Kind};
use crate::wire::control::{AUDIO_SLOT, VIDEO_SLOT};
use crate::wire::media::{AccessUnit, encode_format};
use gstreamer::prelude::*;
use gstreamer::{BufferRef, ClockTime, FlowError, FlowSuccess, FormattedSegment, Sample};
use gstreamer_app::{AppSink, AppSinkCallbacks};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What the streams of a job share. Holds no GStreamer object.
#[derive(Debug)]
pub struct Shared {
    pub media: MediaSocket,
    turns: Turns,
    /// CLOCK_MONOTONIC in ns; 0 = nothing yet.
    last_arrival: AtomicU64,
    /// Bytes of the packets that came.
    arrived: AtomicU64,
    last_sent: AtomicU64,
    dropped: AtomicU64,
    ready: AtomicBool,
}

impl Shared {
    pub fn new(media: MediaSocket, turns: Turns) -> Shared {
        let (last_arrival, arrived, last_sent, dropped, ready) = Default::default();
        Shared { media, turns, last_arrival, arrived, last_sent, dropped, ready }
    }

    /// Packets of so many bytes came from the camera.
    pub fn arrive(&self, bytes: usize) {
        self.last_arrival.store(monotonic_ns(), Relaxed);
        self.arrived.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes of the packets that came so far.
    pub fn arrived(&self) -> u64 {
        self.arrived.load(Relaxed)
    }

    /// When the last packet came, CLOCK_MONOTONIC in ns.
    pub fn last_arrival(&self) -> Option<u64> {
        Some(self.last_arrival.load(Relaxed)).filter(|at| *at != 0)
    }

    /// When the last access unit left for the daemon, or was dropped because that did not take it; CLOCK_MONOTONIC in ns.
    pub fn last_sent(&self) -> Option<u64> {
        Some(self.last_sent.load(Relaxed)).filter(|at| *at != 0)
    }

    /// Access units dropped since the last call, if there were any.
    pub fn take_dropped(&self) -> Option<u64> {
        Some(self.dropped.swap(0, Relaxed)).filter(|dropped| *dropped != 0)
    }

    fn ready(&self) {
        if !self.ready.swap(true, Relaxed) {
            self.turns.send(Turn::Ready);
        }
    }
}

/// Name of the sink at the end of the video's elements.
pub const VIDEO_SINK: &str = "video";

/// A sink that takes the packets of one stream as the payloader makes them: in lists where it makes lists, and at once.
pub fn sink(codec: Codec, shared: &Arc<Shared>) -> AppSink {
    let mut stream = Stream::new(codec, shared.clone());
    let callbacks = AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| FlowError::Eos)?;
        // unset only while the pipeline is not playing
        let base = sink.base_time().unwrap_or(ClockTime::ZERO);
        stream.take(&sample, base);
        Ok(FlowSuccess::Ok)
    });
    // the callback takes each sample before the next comes, so more than one never waits
    let name = if codec.kind() == Kind::Video { VIDEO_SINK } else { "audio" };
    AppSink::builder().name(name).sync(false).async_(false).buffer_list(true).max_buffers(4).callbacks(callbacks.build()).build()
}

/// One stream on its way out.
#[derive(Debug)]
struct Stream {
    assembler: Assembler,
    gate: Gate,
}

impl Stream {
    fn new(codec: Codec, shared: Arc<Shared>) -> Stream {
        let slot = match codec.kind() {
            Kind::Video => VIDEO_SLOT,
            Kind::Audio => AUDIO_SLOT,
        };
        Stream { assembler: Assembler::new(codec, slot), gate: Gate::new(codec, slot, shared) }
    }

    fn take(&mut self, sample: &Sample, base: ClockTime) {
        let segment = sample.segment().and_then(|segment| segment.downcast_ref::<ClockTime>());
        if let Some(list) = sample.buffer_list() {
            list.iter().for_each(|buffer| self.take_packet(buffer, segment, base));
        } else if let Some(buffer) = sample.buffer() {
            self.take_packet(buffer, segment, base);
        }
    }

    fn take_packet(&mut self, buffer: &BufferRef, segment: Option<&FormattedSegment<ClockTime>>, base: ClockTime) {
        let Ok(packet) = buffer.map_readable() else { return };
        let now = monotonic_ns();
        let running = buffer.pts().and_then(|pts| segment.and_then(|segment| segment.to_running_time(pts)));
        // a time stamp ahead of the clock (the jitter buffer smooths) is no time of capture
        let captured = running.map_or(now, |running| (base + running).nseconds().min(now));
        self.assembler.push(captured, &packet, |facts, unit| self.gate.send(facts, unit));
    }
}

/// Decides what goes out: format first, video from a keyframe on, nothing behind a hole.
#[derive(Debug)]
struct Gate {
    codec: Codec,
    slot: u8,
    shared: Arc<Shared>,
    /// What the daemon was told.
    format: Option<Format>,
    /// Video waits for a keyframe.
    waiting: bool,
    /// RTP timestamp of the last unit.
    newest: Option<u32>,
    warned: bool,
}

impl Gate {
    fn new(codec: Codec, slot: u8, shared: Arc<Shared>) -> Gate {
        Gate { codec, slot, shared, format: None, waiting: codec.kind() == Kind::Video, newest: None, warned: false }
    }

    fn send(&mut self, facts: Facts, unit: &AccessUnit) {
        self.check_order(facts.timestamp);
        if self.waiting && !facts.keyframe {
            // before the first keyframe nothing is lost: the stream has not begun
            if self.format.is_some() {
                self.shared.dropped.fetch_add(1, Relaxed);
            }
            return;
        }
        self.shared.last_sent.store(monotonic_ns(), Relaxed);
        let sent = match self.announce(facts) {
            Sent::Yes => unit.messages().map(|message| self.shared.media.send(message)).find(|sent| *sent != Sent::Yes),
            other => Some(other),
        };
        match sent {
            None => {
                self.waiting = false;
                self.shared.ready();
            }
            Some(Sent::Full) => {
                self.shared.dropped.fetch_add(1, Relaxed);
                self.waiting = self.codec.kind() == Kind::Video;
            }
            Some(Sent::Gone | Sent::Yes) => {}
        }
    }

    /// Tells the daemon the format, when it does not know it yet or it changed.
    fn announce(&mut self, facts: Facts) -> Sent {
        let known = self.format.and_then(|format| format.profile_level_id);
        let format = Format { codec: self.codec, profile_level_id: facts.profile_level_id.or(known) };
        if self.format == Some(format) {
            return Sent::Yes;
        }
        let mut message = Vec::new();
        encode_format(&mut message, self.slot, &format);
        let sent = self.shared.media.send(&message);
        if sent == Sent::Yes {
            self.format = Some(format);
        }
        sent
    }

    /// Viewers show pictures in the order they come: B-frames would stutter. Said once.
    fn check_order(&mut self, timestamp: u32) {
        let backwards = self.newest.is_some_and(|newest| (timestamp.wrapping_sub(newest) as i32) < 0);
        if backwards && !self.warned && self.codec.kind() == Kind::Video {
            self.warned = true;
            self.shared.turns.send(Turn::Warning("the camera sends B-frames, viewers will see them stutter; turn them off there".into()));
        }
        self.newest = Some(timestamp);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::media::{MAX_MESSAGE, Message, pair};
    use nix::sys::socket::{MsgFlags, recv};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::sync::mpsc::Receiver;

    struct Bench {
        gate: Gate,
        daemon: OwnedFd,
        turns: Receiver<Turn>,
    }

    fn bench(codec: Codec) -> Bench {
        let (daemon, worker) = pair().unwrap();
        let (sender, turns) = Turns::channel();
        let shared = Arc::new(Shared::new(MediaSocket::new(worker), sender));
        Bench { gate: Gate::new(codec, 0, shared), daemon, turns }
    }

    impl Bench {
        fn send(&mut self, timestamp: u32, keyframe: bool, profile_level_id: Option<u32>, size: usize) {
            let mut unit = AccessUnit::default();
            unit.begin(0, timestamp.into());
            unit.push(&vec![0x80; size]).unwrap();
            self.gate.send(Facts { keyframe, profile_level_id, timestamp }, &unit);
        }

        /// What the daemon has received: `f` and the profile for a format, the capture time for packets.
        fn received(&self) -> Vec<String> {
            let mut buffer = vec![0; MAX_MESSAGE];
            let mut got = Vec::new();
            while let Ok(length) = recv(self.daemon.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                got.push(match Message::parse(&buffer[..length]).unwrap() {
                    Message::Format { format, .. } => format!("f{:x}", format.profile_level_id.unwrap_or(0)),
                    Message::Packets { captured_ns, .. } => captured_ns.to_string(),
                    Message::KeyframeRequest { .. } => panic!("the worker asks for nothing"),
                });
            }
            got
        }
    }

    #[test]
    fn video_starts_at_a_keyframe_and_says_its_format_first_and_again_when_it_changes() {
        let mut bench = bench(Codec::H264);
        bench.send(1, false, None, 100);
        assert!(bench.turns.try_recv().is_err());
        bench.send(2, true, Some(0x42c01f), 100);
        bench.send(3, false, None, 100);
        bench.send(4, true, Some(0x42c01f), 100);
        bench.send(5, true, Some(0x640028), 100);
        assert_eq!(bench.received(), ["f42c01f", "2", "3", "4", "f640028", "5"]);
        assert!(matches!(bench.turns.try_recv(), Ok(Turn::Ready)));
        assert!(bench.turns.try_recv().is_err());
        assert_eq!(bench.gate.shared.take_dropped(), None);
    }

    #[test]
    fn a_full_socket_drops_video_up_to_the_next_keyframe_and_counts() {
        let mut bench = bench(Codec::H264);
        bench.send(0, true, Some(1), 100);
        let mut timestamp = 0;
        while !bench.gate.waiting {
            timestamp += 1;
            bench.send(timestamp, false, None, 60_000);
        }
        assert_eq!(bench.received().len() as u32, timestamp + 1);
        bench.send(timestamp + 1, false, None, 100);
        bench.send(timestamp + 2, true, Some(1), 100);
        bench.send(timestamp + 3, false, None, 100);
        assert_eq!(bench.received(), [(timestamp + 2).to_string(), (timestamp + 3).to_string()]);
        assert_eq!(bench.gate.shared.take_dropped(), Some(2));
        assert_eq!(bench.gate.shared.take_dropped(), None);
    }

    #[test]
    fn audio_needs_no_keyframe() {
        let mut bench = bench(Codec::Opus);
        bench.send(1, true, None, 100);
        assert_eq!(bench.received(), ["f0", "1"]);
    }

    #[test]
    fn b_frames_are_reported_once() {
        let mut bench = bench(Codec::H264);
        for timestamp in [u32::MAX - 1, 2, 1, 4, 3] {
            bench.send(timestamp, true, Some(1), 100);
        }
        let warnings = bench.turns.try_iter().filter(|turn| matches!(turn, Turn::Warning(_))).count();
        assert_eq!(warnings, 1);
    }
}
