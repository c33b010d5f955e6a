//! The benchmark's floor: what it costs at least to send the same packets, whatever the server does around it.
//!
//! `viduct-floor --bytes PAYLOAD --run PACKETS_PER_SEND --packets N`
//!
//! SRTP protection (AEAD-AES-GCM, RFC 7714, by OpenSSL) of N RTP packets of PAYLOAD bytes, sent by quinn-udp in GSO runs to a
//! socket of this machine that another thread empties. Prints one JSON object: µs of this thread's CPU per packet, for AES-128
//! and AES-256.

use quinn_udp::{Transmit, UdpSocketState};
use serde_json::json;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use str0m::crypto::from_feature_flags;

/// RTP header, with the extension block that viewers get (MID: one word).
const HEADER: usize = 12 + 8;
/// GCM's authentication tag.
const TAG: usize = 16;

/// Protects one packet: (iv, header, payload, output of payload + tag).
type Protect = Box<dyn FnMut(&[u8; 12], &[u8], &[u8], &mut [u8])>;

fn main() {
    let all: Vec<String> = std::env::args().skip(1).collect();
    let value =
        |name: &str| all.iter().position(|arg| arg == name).and_then(|at| all.get(at + 1)).and_then(|text| text.parse::<usize>().ok());
    let (Some(bytes), Some(run), Some(packets)) = (value("--bytes"), value("--run"), value("--packets")) else {
        eprintln!("viduct-floor --bytes PAYLOAD --run PACKETS_PER_SEND --packets N");
        std::process::exit(2);
    };
    let runs = [("aes128", aes_128()), ("aes256", aes_256())];
    let result: serde_json::Map<String, serde_json::Value> = runs
        .into_iter()
        .map(|(name, mut protect)| {
            let cost = measure(&mut protect, bytes.clamp(1, 1400), run.max(1), packets);
            (name.to_owned(), json!((cost * 100.0).round() / 100.0))
        })
        .collect();
    println!("{}", json!({ "bytes": bytes, "run": run, "packets": packets, "microsPerPacket": result }));
}

fn aes_128() -> Protect {
    let mut cipher = from_feature_flags().srtp_provider.aead_aes_128_gcm().create_cipher([7; 16], true);
    Box::new(move |iv, header, payload, out| cipher.encrypt(iv, header, payload, out).expect("valid lengths"))
}

fn aes_256() -> Protect {
    let mut cipher = from_feature_flags().srtp_provider.aead_aes_256_gcm().create_cipher([7; 32], true);
    Box::new(move |iv, header, payload, out| cipher.encrypt(iv, header, payload, out).expect("valid lengths"))
}

/// µs of CPU per packet.
fn measure(protect: &mut Protect, bytes: usize, run: usize, packets: usize) -> f64 {
    let sink = Sink::open();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let state = UdpSocketState::new((&socket).into()).expect("a socket that can be configured");
    let run = run.min(state.max_gso_segments());
    let segment = HEADER + bytes + TAG;
    let payload = vec![0x5a; bytes];
    let mut buffer = vec![0; segment * run];
    let begin = cpu();
    let mut sent = 0;
    while sent < packets {
        for (n, packet) in buffer.chunks_mut(segment).enumerate() {
            let seq = (sent + n) as u32;
            let (header, body) = packet.split_at_mut(HEADER);
            header[0] = 0x90;
            header[2..4].copy_from_slice(&(seq as u16).to_be_bytes());
            let mut iv = [0; 12];
            iv[8..].copy_from_slice(&seq.to_be_bytes());
            protect(&iv, header, &payload, body);
        }
        let transmit = Transmit { destination: sink.address, ecn: None, contents: &buffer, segment_size: Some(segment), src_ip: None };
        // a full socket drops, as it would for the server
        let _ = state.try_send((&socket).into(), &transmit);
        sent += run;
    }
    (cpu() - begin).as_secs_f64() * 1e6 / sent as f64
}

/// CPU time of the calling thread.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call; a thread always has this clock
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A socket that is emptied as long as it lives.
struct Sink {
    address: SocketAddr,
    done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Sink {
    fn open() -> Sink {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout that is not zero");
        let address = socket.local_addr().expect("a bound socket has an address");
        let done = Arc::new(AtomicBool::new(false));
        let stop = done.clone();
        let thread = std::thread::spawn(move || {
            let mut datagram = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                // a timeout is the chance to look at `stop`
                let _ = socket.recv(&mut datagram);
            }
        });
        Sink { address, done, thread: Some(thread) }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // its end is all that is wanted
            let _ = thread.join();
        }
    }
}
