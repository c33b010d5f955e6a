//! The benchmark's floor: what it costs at least to send one camera to many viewers, whatever the server does around it.
//!
//! `viduct-floor --viewers N --seconds S`
//!
//! The packets of a 720p30 1.5 Mbit/s stream (30 times a second, to each viewer in turn, a frame of five full packets and a shorter
//! one) are protected (AEAD-AES-GCM, RFC 7714, by OpenSSL through the same crate as the server's) and sent by quinn-udp, a GSO run a
//! frame, to N sockets that another thread empties. Prints one JSON object: µs of the sending thread's CPU per packet, for AES-128
//! and AES-256. `paced` is at the stream's own pace, the condition in which a server works; `flat` is as fast as it goes.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use quinn_udp::{Transmit, UdpSocketState};
use serde_json::json;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use str0m::crypto::from_feature_flags;

/// RTP header, with the extension block that viewers get (MID: one word).
const HEADER: usize = 12 + 8;
/// GCM's authentication tag.
const TAG: usize = 16;
/// Payloads of a frame: 6250 bytes at 30 frames/s are 1.5 Mbit/s.
const FRAME: [usize; 6] = [1188, 1188, 1188, 1188, 1188, 310];
/// From frame to frame.
const STEP: Duration = Duration::from_nanos(33_333_333);

/// Protects one packet: (iv, header, payload, output of payload + tag).
type Protect = Box<dyn FnMut(&[u8; 12], &[u8], &[u8], &mut [u8])>;

fn main() {
    let all: Vec<String> = std::env::args().collect();
    let value = |name: &str| all.iter().position(|arg| arg == name).and_then(|at| all.get(at + 1)).and_then(|text| text.parse().ok());
    let (Some(viewers), Some(seconds)) = (value("--viewers"), value("--seconds")) else {
        eprintln!("viduct-floor --viewers N --seconds S");
        std::process::exit(2);
    };
    let span = Duration::from_secs(seconds);
    let cost = |mut protect: Protect, step| (measure(&mut protect, viewers as usize, span, step) * 100.0).round() / 100.0;
    let paced = json!({"aes128": cost(aes_128(), STEP), "aes256": cost(aes_256(), STEP)});
    let flat = json!({"aes128": cost(aes_128(), Duration::ZERO), "aes256": cost(aes_256(), Duration::ZERO)});
    println!("{}", json!({"viewers": viewers, "paced": paced, "flat": flat}));
}

fn aes_128() -> Protect {
    let mut cipher = from_feature_flags().srtp_provider.aead_aes_128_gcm().create_cipher([7; 16], true);
    Box::new(move |iv, header, payload, out| cipher.encrypt(iv, header, payload, out).expect("valid lengths"))
}

fn aes_256() -> Protect {
    let mut cipher = from_feature_flags().srtp_provider.aead_aes_256_gcm().create_cipher([7; 32], true);
    Box::new(move |iv, header, payload, out| cipher.encrypt(iv, header, payload, out).expect("valid lengths"))
}

/// µs of CPU per packet, over `span`, a frame to all viewers each `step`.
fn measure(protect: &mut Protect, viewers: usize, span: Duration, step: Duration) -> f64 {
    let sinks = Sinks::open(viewers);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let state = UdpSocketState::new((&socket).into()).expect("a socket that can be configured");
    let payload = vec![0x5a; FRAME[0]];
    let mut buffer = vec![];
    let (begin, cpu_begin, mut due, mut sent) = (Instant::now(), cpu(), Instant::now(), 0u64);
    while begin.elapsed() < span {
        for &destination in &sinks.addresses {
            buffer.clear();
            for (seq, bytes) in (sent..).zip(FRAME) {
                protect_into(&mut buffer, protect, seq, &payload[..bytes]);
            }
            sent += FRAME.len() as u64;
            let segment = Some(HEADER + FRAME[0] + TAG);
            let transmit = Transmit { destination, ecn: None, contents: &buffer, segment_size: segment, src_ip: None };
            // a full socket drops, as it would for the server
            let _ = state.try_send((&socket).into(), &transmit);
        }
        due += step;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    (cpu() - cpu_begin).as_secs_f64() * 1e6 / sent as f64
}

/// Appends header, protected payload and tag.
fn protect_into(buffer: &mut Vec<u8>, protect: &mut Protect, seq: u64, payload: &[u8]) {
    let at = buffer.len();
    buffer.resize(at + HEADER + payload.len() + TAG, 0);
    let (header, body) = buffer[at..].split_at_mut(HEADER);
    header[0] = 0x90;
    header[2..4].copy_from_slice(&(seq as u16).to_be_bytes());
    let mut iv = [0; 12];
    iv[4..].copy_from_slice(&seq.to_be_bytes());
    protect(&iv, header, payload, body);
}

/// CPU time of the calling thread.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call; a thread always has this clock
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Sockets that are emptied as long as this lives.
struct Sinks {
    addresses: Vec<SocketAddr>,
    done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sinks {
    fn open(count: usize) -> Sinks {
        let sockets: Vec<UdpSocket> = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
        sockets.iter().for_each(|socket| socket.set_nonblocking(true).expect("a fresh socket"));
        let addresses = sockets.iter().map(|socket| socket.local_addr().expect("a bound socket has an address")).collect();
        let done = Arc::new(AtomicBool::new(false));
        let stop = done.clone();
        let thread = std::thread::spawn(move || empty(&sockets, &stop));
        Sinks { addresses, done, thread: Some(thread) }
    }
}

fn empty(sockets: &[UdpSocket], stop: &AtomicBool) {
    let mut datagram = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let mut polled: Vec<PollFd> = sockets.iter().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)).collect();
        // a timeout is the chance to look at `stop`
        let _ = poll(&mut polled, PollTimeout::from(50u8));
        for (socket, _) in sockets.iter().zip(&polled).filter(|(_, ready)| ready.any() == Some(true)) {
            while socket.recv(&mut datagram).is_ok() {}
        }
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // its end is all that is wanted
            let _ = thread.join();
        }
    }
}
