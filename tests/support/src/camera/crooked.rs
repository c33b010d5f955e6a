//! A camera that does not behave: speaks just enough RTSP to get where it does its harm.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Manner {
    /// Accepts, and never says a word.
    Mute,
    /// Describes itself by bytes that are no SDP.
    GarbageSdp,
    /// Describes itself by this SDP, agrees to everything, and sends nothing.
    Sdp(String),
    /// Sends packets of channels that do not exist, and bytes that are no packets.
    ForeignData,
    /// Announces an answer of so many bytes.
    HugeAnswer(u64),
    /// Sends header upon header.
    EndlessHeaders,
    /// Sends by UDP only (and then nothing), and describes itself to nobody for half a second after it has refused TCP.
    SlowToForget,
    /// Sends everybody to this address; `{}` in it is replaced by its own.
    Redirect(String),
}

/// A running one. Dropped, it closes everything.
#[derive(Debug)]
pub struct Crooked {
    pub url: String,
    heard: Arc<Heard>,
    task: JoinHandle<()>,
}

/// What it has heard.
#[derive(Default, Debug)]
struct Heard {
    requests: AtomicUsize,
    /// The last parts of the URIs that were to be set up.
    setups: Mutex<Vec<String>>,
    /// When it refused a transport.
    refused: Mutex<Option<Instant>>,
}

impl Heard {
    fn refuses(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_busy(&self) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|then| then.elapsed() < FORGETS)
    }
}

/// How long [`Manner::SlowToForget`] is busy with one it refused.
const FORGETS: Duration = Duration::from_millis(500);

/// One H.264 stream and nothing odd.
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=crooked\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
                   m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n";

/// One H.265 stream: what many new cameras send unless told otherwise.
pub const H265: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=main\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
                        m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\na=control:track1\r\n";

/// Many streams, of which a browser can be given one picture and one sound: `h264` and `pcmu`. The others are in a codec that is
/// not forwarded, metadata, a way back to the camera's loudspeaker, or second ones.
pub const MANY: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=many\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\na=control:h265\r\na=recvonly\r\n\
    m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:metadata\r\na=recvonly\r\n\
    m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:loudspeaker\r\na=sendonly\r\n\
    m=video 0 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 packetization-mode=1\r\na=control:h264\r\na=recvonly\r\n\
    m=audio 0 RTP/AVP 98\r\na=rtpmap:98 G726-32/8000\r\na=control:g726\r\na=recvonly\r\n\
    m=video 0 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\na=fmtp:99 packetization-mode=1\r\na=control:small\r\na=recvonly\r\n\
    m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:pcmu\r\na=recvonly\r\n\
    m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=control:pcma\r\na=recvonly\r\n";

impl Crooked {
    /// Starts one on a free port of 127.0.0.1.
    pub async fn start(manner: Manner) -> Crooked {
        Crooked::start_on(Ipv4Addr::LOCALHOST.into(), manner).await
    }

    /// The same on another address of this machine.
    pub async fn start_on(ip: IpAddr, manner: Manner) -> Crooked {
        let listener = TcpListener::bind((ip, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let heard = Arc::<Heard>::default();
        let hears = heard.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((client, _)) = listener.accept() => {
                        connections.spawn(serve(client, address, manner.clone(), hears.clone()));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Crooked { url: format!("rtsp://{address}/cam"), heard, task }
    }

    /// Requests it has read.
    pub fn asked(&self) -> usize {
        self.heard.requests.load(Relaxed)
    }

    /// The streams that were set up with it, in the order of the requests, by the last part of their URIs.
    pub fn setups(&self) -> Vec<String> {
        self.heard.setups.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Crooked {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One client, to the end of its connection.
async fn serve(client: TcpStream, own: SocketAddr, manner: Manner, heard: Arc<Heard>) -> Option<()> {
    let (from, mut to) = client.into_split();
    let mut lines = BufReader::new(from).lines();
    loop {
        let request = lines.next_line().await.ok()??;
        let (mut cseq, mut transport) = (String::new(), String::new());
        loop {
            let line = lines.next_line().await.ok()??;
            if line.is_empty() {
                break;
            }
            match line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim())) {
                Some((name, value)) if name == "cseq" => cseq = value.to_owned(),
                Some((name, value)) if name == "transport" => transport = value.to_owned(),
                _ => {}
            }
        }
        heard.requests.fetch_add(1, Relaxed);
        if let Some(uri) = request.strip_prefix("SETUP ").and_then(|rest| rest.split(' ').next()) {
            let stream = uri.rsplit('/').next().unwrap_or_default().to_owned();
            heard.setups.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        }
        let head = |status: &str| format!("RTSP/1.0 {status}\r\nCSeq: {cseq}\r\n");
        let described =
            |sdp: &str| format!("{}Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", head("200 OK"), sdp.len());
        let method = request.split(' ').next().unwrap_or_default();
        let answer = match (method, &manner) {
            (_, Manner::Mute) => continue,
            ("OPTIONS", _) => head("200 OK") + "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n",
            ("DESCRIBE", Manner::GarbageSdp) => described("v=\u{7f}m=m=m=\r\nm=video -1 \0 \r\na=rtpmap:999999 /0\r\n".repeat(50).as_str()),
            ("DESCRIBE", Manner::Sdp(sdp)) => described(sdp),
            ("DESCRIBE", Manner::SlowToForget) if heard.is_busy() => head("503 Service Unavailable") + "\r\n",
            ("SETUP", Manner::SlowToForget) if transport.contains("TCP") => {
                heard.refuses();
                head("461 Unsupported Transport") + "\r\n"
            }
            ("DESCRIBE", Manner::ForeignData | Manner::SlowToForget) => described(SDP),
            ("DESCRIBE", Manner::HugeAnswer(length)) => {
                format!("{}Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\nv=0\r\n", head("200 OK"))
            }
            ("DESCRIBE", Manner::EndlessHeaders) => {
                to.write_all(head("200 OK").as_bytes()).await.ok()?;
                let many = format!("X-Nothing: {}\r\n", "x".repeat(1000)).repeat(64);
                loop {
                    to.write_all(many.as_bytes()).await.ok()?;
                }
            }
            ("DESCRIBE", Manner::Redirect(there)) => {
                format!("{}Location: {}\r\n\r\n", head("302 Moved Temporarily"), there.replace("{}", &own.to_string()))
            }
            ("SETUP", _) => format!("{}Session: 7\r\nTransport: {transport}\r\n\r\n", head("200 OK")),
            ("PLAY", Manner::ForeignData) => {
                to.write_all((head("200 OK") + "Session: 7\r\n\r\n").as_bytes()).await.ok()?;
                let mut junk = b"$\x4d\x04\x00".to_vec();
                junk.resize(4 + 0x400, 0xa5);
                junk.extend(b"$$$$\x00\x00\x00\x00 what is this? $\xff\x00\x03abc");
                let junk = junk.repeat(16);
                loop {
                    to.write_all(&junk).await.ok()?;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            _ => head("200 OK") + "Session: 7\r\n\r\n",
        };
        to.write_all(answer.as_bytes()).await.ok()?;
    }
}
