//! A composer process and the sources that play to it. One thread does it all: [`Bench::play_until`] is the world's time.

pub mod reels;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};
use reels::{audio_reel, prepare, video_reel};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use viduct::clock::monotonic_ns;
use viduct::layout::{Rect, best_fit, letterbox};
use viduct::rtp::{Codec, Format, Kind};
use viduct::wire::compose::{ComposeSlot, ComposeSpec, ComposedAudio, ComposedVideo, Written, part_name};
use viduct::wire::control::{Failure, FromWorker, Lines, Spec, ToWorker, encode_line};
use viduct::wire::media::{self, MAX_MESSAGE, Message};
use viduct_testkit::flashes::film::{Area, Film};
use viduct_testkit::flashes::source::{Look, Player, Reel, VideoCodec};

pub const S: u64 = 1_000_000_000;
pub const MS: u64 = 1_000_000;
/// Time of arrival after capture, ns: between the first and both together, for most sources.
const DELAY: u64 = 30 * MS;
const JITTER: u64 = 60 * MS;
/// Nothing a composer is asked for takes longer, ns.
const LONG: u64 = 20 * S;
/// Who is ready within this time leaves the tests' plans as they are, ns; and how many are tried.
const SOON: u64 = 800 * MS;
const ATTEMPTS: usize = 5;
/// Lips and voice fall apart at 45 ms; half a frame of it is the output's own grid. In s.
pub const TOGETHER: f64 = 0.040;

pub const WIDTH: u32 = 1280;
pub const HEIGHT: u32 = 720;

pub fn look(codec: VideoCodec, width: usize, height: usize, fps: usize) -> Look {
    Look { codec, width, height, fps }
}

/// Seconds between two pictures of the recording.
pub const PICTURE: f64 = 0.040;

/// Where the picture of source `number` of `count` is, when all have the canvas' shape; without its edges.
pub fn cell(number: usize, count: usize) -> Area {
    let cell = best_fit(count, WIDTH, HEIGHT)[number];
    let Rect { x, y, width, height } = letterbox(WIDTH, HEIGHT, cell);
    Area { x, y, width, height }.inner()
}

/// One thing at a time: films are made in real time, and whoever encodes or reads one meanwhile takes away their processor.
static STUDIO: Mutex<()> = Mutex::new(());

fn studio() -> MutexGuard<'static, ()> {
    STUDIO.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A composer and who plays to it.
pub struct Bench {
    _studio: MutexGuard<'static, ()>,
    pub child: Child,
    control: UnixStream,
    lines: Lines,
    media: OwnedFd,
    /// Its end, as the supervisor keeps it.
    its_media: Option<OwnedFd>,
    folder: TempDir,
    spec: ComposeSpec,
    feeds: BTreeMap<u8, Feed>,
    random: u64,
    /// Everything the composer said and when, ns.
    pub said: Vec<(u64, FromWorker)>,
    /// Keyframes asked for: slots.
    pub requests: Vec<u8>,
    /// The recording's first moment, ns.
    pub began: u64,
}

/// One track that plays.
pub struct Feed {
    player: Player,
    /// Silent sound, while muted.
    muted: Option<Player>,
    /// Sends nothing; what it would send is lost.
    pub stalled: bool,
    /// Packets are numbered on while stalled.
    last: u64,
    /// Added to what it says of its capture times, ns.
    pub shift: i64,
    /// Between the shortest and the longest way of a packet, ns.
    pub jitter: u64,
    /// One packet of so many is lost.
    pub lose_one_in: Option<u64>,
    /// Goes on with a keyframe only.
    waits_for_key: bool,
}

impl Bench {
    /// Starts a composer of pictures and sound.
    pub fn start() -> Bench {
        Bench::of(Some(ComposedVideo { width: WIDTH, height: HEIGHT, frame_rate: 25, kbps: 2000 }), Some(ComposedAudio { kbps: 128 }))
    }

    /// One of pictures and sound that is ready. What a test plans counts from the recording's first moment, so a composer that took
    /// long to begin (its libraries may have to come from a disk) is replaced by another.
    pub fn ready() -> Bench {
        let mut attempts = 0;
        loop {
            let mut bench = Bench::start();
            bench.wait_ready();
            attempts += 1;
            if attempts == ATTEMPTS || monotonic_ns() - bench.began < SOON {
                return bench;
            }
        }
    }

    /// One that is ready and to which sources of these looks play, numbered from 0 on.
    pub fn playing(looks: &[Look]) -> Bench {
        let sources: Vec<(u8, Look)> = (0..).zip(looks.iter().copied()).collect();
        prepare(&sources);
        let mut bench = Bench::ready();
        sources.iter().for_each(|(number, look)| bench.join(*number, *look));
        bench
    }

    pub fn of(video: Option<ComposedVideo>, audio: Option<ComposedAudio>) -> Bench {
        Bench::with_room(video, audio, None)
    }

    /// No file gets longer than `room` bytes, when there is a limit.
    pub fn with_room(video: Option<ComposedVideo>, audio: Option<ComposedAudio>, room: Option<u64>) -> Bench {
        let _studio = studio();
        let folder = tempfile::tempdir().unwrap();
        let (media, its_media) = media::pair().unwrap();
        let began = monotonic_ns();
        let spec = ComposeSpec { folder: folder.path().to_str().unwrap().into(), began_ns: began, video, audio };
        let (child, control) = process(&its_media, room);
        let mut bench = Bench {
            _studio,
            child,
            control,
            lines: Lines::default(),
            media,
            its_media: Some(its_media),
            folder,
            spec,
            feeds: BTreeMap::new(),
            random: 0x9e37_79b9_7f4a_7c15,
            said: Vec::new(),
            requests: Vec::new(),
            began,
        };
        bench.say(&ToWorker::Start { spec: Spec::Compose(bench.spec.clone()) });
        bench
    }

    /// The composer is gone without a word.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.feeds.clear();
        self.control = UnixStream::pair().unwrap().0;
    }

    /// Another process takes its place, with the same media socket.
    pub fn restart(&mut self) {
        let its_media = self.its_media.as_ref().expect("the supervisor keeps it");
        (self.child, self.control) = process(its_media, None);
        self.lines = Lines::default();
        self.said.clear();
        self.say(&ToWorker::Start { spec: Spec::Compose(self.spec.clone()) });
    }

    pub fn say(&mut self, line: &ToWorker) {
        if let Err(error) = self.control.write_all(&encode_line(line)) {
            self.listen(0);
            panic!("{error}; {:?}; it said {:?}", self.child.wait(), self.said);
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join(part_name(1))
    }

    /// Waits until the composer has said that something is on disk.
    pub fn wait_ready(&mut self) {
        let until = monotonic_ns() + LONG;
        while !self.said.iter().any(|(_, line)| *line == FromWorker::Ready) {
            assert!(monotonic_ns() < until, "not ready: {:?}", self.said);
            self.turn();
        }
    }

    /// Source `number` joins with picture and sound: slots 2n and 2n + 1, cached pictures first.
    pub fn join(&mut self, number: u8, look: Look) {
        self.announce(2 * number, number, Kind::Video);
        self.announce(2 * number + 1, number, Kind::Audio);
        self.play_video(2 * number, number, look);
        self.play_audio(2 * number + 1, number);
    }

    pub fn announce(&mut self, slot: u8, number: u8, kind: Kind) {
        self.say(&ToWorker::AddSlot(ComposeSlot { slot, source: format!("source {number}"), kind, format: None }));
    }

    pub fn play_video(&mut self, slot: u8, number: u8, look: Look) {
        let codec = match look.codec {
            VideoCodec::H264 => Codec::H264,
            VideoCodec::Vp8 => Codec::Vp8,
        };
        self.begin(slot, codec, Player::from_keyframe(video_reel(number, look), monotonic_ns(), self.feeds.len() as u32 * 7919));
    }

    /// The picture of a slot goes on in another size, within the same stream.
    pub fn change_video(&mut self, slot: u8, number: u8, look: Look) {
        let player = Player::from_keyframe(video_reel(number, look), monotonic_ns(), 0);
        let feed = self.feed(slot);
        feed.player = player.after(&feed.player);
    }

    pub fn play_audio(&mut self, slot: u8, number: u8) {
        self.begin(slot, Codec::Opus, Player::from_now(audio_reel(number, false), monotonic_ns(), 77 + u32::from(number)));
    }

    /// Sound of a telephone.
    pub fn play_telephone(&mut self, slot: u8, number: u8) {
        let reel = Arc::new(Reel::telephone(number.into()).unwrap());
        self.begin(slot, Codec::Pcmu, Player::from_now(reel, monotonic_ns(), 9));
    }

    /// Pictures where sound was announced.
    pub fn play_nonsense(&mut self, slot: u8, number: u8, look: Look) {
        self.begin(slot, Codec::Opus, Player::from_keyframe(video_reel(number, look), monotonic_ns(), 1));
    }

    fn begin(&mut self, slot: u8, codec: Codec, player: Player) {
        let mut message = Vec::new();
        media::encode_format(&mut message, slot, &Format { codec, profile_level_id: None });
        self.send(&message);
        let feed = Feed { player, muted: None, stalled: false, last: 0, shift: 0, jitter: JITTER, lose_one_in: None, waits_for_key: false };
        self.feeds.insert(slot, feed);
    }

    pub fn feed(&mut self, slot: u8) -> &mut Feed {
        self.feeds.get_mut(&slot).unwrap()
    }

    /// The source goes; its packets first.
    pub fn leave(&mut self, number: u8) {
        for slot in [2 * number, 2 * number + 1] {
            self.feeds.remove(&slot);
            self.say(&ToWorker::RemoveSlot { slot });
        }
    }

    /// Plays until `seconds` after the start.
    pub fn play_until(&mut self, seconds: f64) {
        let until = self.began + (seconds * S as f64) as u64;
        while monotonic_ns() < until {
            self.turn();
        }
    }

    /// Stops the recording and goes on playing until the file is finished.
    pub fn stop(mut self) -> Take {
        let stopped = monotonic_ns();
        self.say(&ToWorker::Stop);
        self.await_end(stopped)
    }

    /// The daemon dies: both sockets close.
    pub fn abandon(mut self) -> Take {
        let stopped = monotonic_ns();
        let (closed, _) = UnixStream::pair().unwrap();
        self.control = closed;
        self.media = media::pair().unwrap().0;
        self.its_media = None;
        self.feeds.clear();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        self.take(stopped)
    }

    /// Plays on until the composer gives up; how it says so.
    pub fn play_until_failure(mut self) -> (Take, Failure) {
        let until = monotonic_ns() + LONG;
        loop {
            assert!(monotonic_ns() < until, "no failure: {:?}", self.said);
            self.turn();
            if let Some((_, FromWorker::Failed { failure })) = self.said.last() {
                let failure = failure.clone();
                self.child.wait().unwrap();
                return (self.take(monotonic_ns()), failure);
            }
        }
    }

    fn await_end(mut self, stopped: u64) -> Take {
        let ended = |line: &FromWorker| matches!(line, FromWorker::Finished | FromWorker::Failed { .. });
        while !self.said.last().is_some_and(|(_, line)| ended(line)) {
            assert!(monotonic_ns() < stopped + LONG, "no end: {:?}", self.said);
            self.turn();
        }
        assert!(matches!(self.said.last(), Some((_, FromWorker::Finished))), "{:?}", self.said);
        assert!(self.child.wait().unwrap().success());
        self.take(stopped)
    }

    fn take(mut self, stopped: u64) -> Take {
        let written = self.written();
        Take {
            began: self.began,
            stopped,
            ended: monotonic_ns(),
            path: self.path(),
            written,
            said: std::mem::take(&mut self.said),
            requests: std::mem::take(&mut self.requests),
            folder: std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()),
        }
    }

    /// What the composer said last of the file.
    pub fn written(&self) -> Option<Written> {
        self.said.iter().rev().find_map(|(_, line)| if let FromWorker::Written(written) = line { Some(*written) } else { None })
    }

    fn turn(&mut self) {
        let now = monotonic_ns();
        let slots: Vec<u8> = self.feeds.keys().copied().collect();
        for slot in slots {
            self.send_due(slot, now);
        }
        self.listen(now);
        std::thread::sleep(Duration::from_millis(3));
    }

    fn send_due(&mut self, slot: u8, now: u64) {
        loop {
            let random = self.random();
            let Some(feed) = self.feeds.get_mut(&slot) else { return };
            // a packet never overtakes another
            let due = feed.last.max(feed.player.captured() + DELAY + random % feed.jitter);
            if due > now {
                return;
            }
            feed.last = due;
            feed.waits_for_key &= !feed.player.at_keyframe();
            let unit = feed.player.unit();
            let quiet = feed.muted.as_mut().map(Player::unit);
            if feed.stalled || feed.waits_for_key {
                continue;
            }
            // while muted, an encoder sends one packet in 400 ms
            let unit = match quiet {
                Some(quiet) if (quiet.captured_ns / (20 * MS)).is_multiple_of(20) => quiet,
                Some(_) => continue,
                None => unit,
            };
            let (shift, lose) = (feed.shift, feed.lose_one_in);
            let kept: Vec<&[u8]> = unit.packets.iter().map(Vec::as_slice).collect();
            let kept: Vec<&[u8]> = kept.into_iter().filter(|_| lose.is_none_or(|one_in| !self.random().is_multiple_of(one_in))).collect();
            let captured = unit.captured_ns.saturating_add_signed(shift);
            for message in media::encode_packets(slot, captured, kept).unwrap() {
                self.send(&message);
            }
        }
    }

    fn send(&self, message: &[u8]) {
        match send(self.media.as_raw_fd(), message, MsgFlags::MSG_NOSIGNAL) {
            // a composer that is gone has said why, or the test sees that it has not
            Ok(_) | Err(Errno::EPIPE) => {}
            Err(error) => panic!("the media socket: {error}"),
        }
    }

    fn listen(&mut self, now: u64) {
        let mut chunk = [0; 4096];
        match self.control.read(&mut chunk) {
            Ok(length) => self.lines.push(&chunk[..length]),
            // a composer that ends does not read what is still on its way
            Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionReset), "{error}"),
        }
        while let Some(line) = self.lines.next_line::<FromWorker>().unwrap() {
            self.said.push((now, line));
        }
        let mut buffer = [0; MAX_MESSAGE];
        loop {
            match recv(self.media.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::EAGAIN | Errno::ECONNRESET) => return,
                Ok(length) => match Message::parse(&buffer[..length]) {
                    Ok(Message::KeyframeRequest { slot }) => self.requests.push(slot),
                    other => panic!("{other:?}"),
                },
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

/// A worker process and the control socket to it.
fn process(its_media: &OwnedFd, room: Option<u64>) -> (Child, UnixStream) {
    let (control, its_control) = UnixStream::pair().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_viduct"));
    command.arg("worker").stdin(OwnedFd::from(its_control)).stdout(its_media.try_clone().unwrap()).process_group(0);
    // what GStreamer calls critical is a mistake of ours: it ends the process, and with it the test
    command.env("G_DEBUG", "fatal-criticals");
    if let Some(room) = room {
        let limit = libc::rlimit { rlim_cur: room, rlim_max: room };
        // SAFETY: between fork and exec only two system calls are made.
        unsafe {
            command.pre_exec(move || {
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                match libc::setrlimit(libc::RLIMIT_FSIZE, &limit) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
    }
    control.set_nonblocking(true).unwrap();
    (command.spawn().unwrap(), control)
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Feed {
    /// Goes on after a stall, as the daemon does: with a keyframe.
    pub fn resume(&mut self) {
        self.stalled = false;
        self.waits_for_key = true;
    }

    /// Nobody speaks any more, or again.
    pub fn mute(&mut self, number: u8, muted: bool) {
        self.muted = muted.then(|| Player::from_now(audio_reel(number, true), self.player.captured(), 5));
    }
}

/// What a composer left.
pub struct Take {
    /// The recording's first moment, when it was told to stop, and when it was gone, ns.
    pub began: u64,
    pub stopped: u64,
    pub ended: u64,
    pub path: PathBuf,
    pub written: Option<Written>,
    pub said: Vec<(u64, FromWorker)>,
    pub requests: Vec<u8>,
    folder: TempDir,
}

impl Take {
    /// What was recorded. What the composer had to say is told beside it, for who has to find out why a film is not as it should be.
    pub fn film(&self) -> Film {
        let ready = self.said.iter().find(|(_, line)| *line == FromWorker::Ready).map_or(0, |(at, _)| at.saturating_sub(self.began) / MS);
        println!("ready after {ready} ms; warnings {:?}; keyframes wanted of {:?}", self.warnings(), self.requests);
        if let Some(keep) = std::env::var_os("VIDUCT_KEEP_FILMS") {
            let name = std::thread::current().name().unwrap_or("film").replace("::", "-");
            std::fs::copy(&self.path, PathBuf::from(keep).join(format!("{name}.mp4"))).unwrap();
        }
        assert!(self.folder.path().exists());
        let _studio = studio();
        Film::read(&self.path, true, true).unwrap()
    }

    pub fn warnings(&self) -> Vec<&str> {
        self.said.iter().filter_map(|(_, line)| if let FromWorker::Warning { text } = line { Some(text.as_str()) } else { None }).collect()
    }
}
