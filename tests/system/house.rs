//! A daemon with clients in it: what most claims begin with.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::daemon::{Daemon, Options};
use viduct_testkit::material::Media;
use viduct_testkit::peer::{Peer, Wish};
use viduct_testkit::rest;
use viduct_testkit::signaling::{Client, Refusal};

/// How long media may take to come; far above what is expected, since test machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What a start of a recording may take (twice what is promised to whoever has a machine of his own).
const START_ANSWER: Duration = Duration::from_secs(4);

/// How the daemon under test is started.
pub fn options() -> Options {
    Options::new(env!("CARGO_BIN_EXE_viduct"))
}

/// A daemon that records to `folder`.
pub fn recording_to(folder: &Path) -> Options {
    options().env("OPENVIDU_RECORDING", "true").env("OPENVIDU_RECORDING_PATH", folder.display())
}

/// Width and height of the streams of a film or a picture, in px. Fails the test if ffprobe cannot read it; of small pictures it says
/// by mistake that their end is missing.
pub fn sizes(file: &Path) -> Vec<(u32, u32)> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-of", "csv=p=0", "-show_entries", "stream=width,height"]).arg(file);
    let output = ffprobe.output().expect("ffprobe is installed");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("ffprobe writes text");
    let pair = |line: &str| line.split_once(',').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    text.lines().filter_map(pair).collect()
}

/// What ffprobe says of a film: its streams' codecs, their packets, its duration in s. Fails the test if it complains.
pub fn probe(film: &Path) -> Probe {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "warning", "-of", "json", "-count_packets", "-show_streams", "-show_format"]).arg(film);
    let output = ffprobe.output().expect("ffprobe is installed");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).expect("ffprobe writes JSON");
    let streams = json["streams"].as_array().expect("there are streams");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Probe {
        codecs: streams.iter().map(|stream| text(&stream["codec_name"])).collect(),
        packets: streams.iter().map(|stream| text(&stream["nb_read_packets"]).parse().unwrap_or_default()).collect(),
        duration: text(&json["format"]["duration"]).parse().expect("a film has a duration"),
    }
}

/// See [`probe`].
#[derive(Debug)]
pub struct Probe {
    pub codecs: Vec<String>,
    pub packets: Vec<u64>,
    /// s
    pub duration: f64,
}

/// A daemon and its REST client.
pub struct House {
    pub daemon: Daemon,
    pub rest: rest::Client,
}

impl House {
    /// A daemon that is ready.
    pub async fn open() -> House {
        House::of(options()).await
    }

    /// The same, started in a special way.
    pub async fn of(options: Options) -> House {
        let daemon = options.start().await;
        let rest = daemon.rest();
        House { daemon, rest }
    }

    /// Creates a session; gives its id.
    pub async fn session(&self, properties: Value) -> String {
        self.rest.session(properties).await
    }

    /// Creates a connection; gives its JSON.
    pub async fn connection(&self, session: &str, properties: Value) -> Value {
        self.rest.connection(session, properties).await
    }

    /// The token URL of a fresh connection with `role`.
    pub async fn token(&self, session: &str, role: &str) -> String {
        let connection = self.connection(session, json!({"role": role, "data": "server"})).await;
        connection["token"].as_str().expect("a WEBRTC connection has a token").to_owned()
    }

    /// Adds a camera; gives its connection and its stream.
    pub async fn camera(&self, session: &str, url: &str, only_with_subscribers: bool) -> (String, String) {
        let properties = json!({"type": "IPCAM", "rtspUri": url, "onlyPlayWithSubscribers": only_with_subscribers, "networkCache": 100});
        let connection = self.connection(session, properties).await;
        let text = |value: &Value| value.as_str().expect("a camera has an id and a stream at once").to_owned();
        (text(&connection["id"]), text(&connection["publishers"][0]["streamId"]))
    }

    /// Waits until the daemon has so many workers.
    pub async fn workers(&self, count: usize, span: Duration) {
        until(&format!("{count} workers"), span, || self.daemon.workers().len() == count).await;
    }

    /// Joins as PUBLISHER with the client data `name`, and pings as clients do.
    pub async fn join(&self, session: &str, name: &str) -> Member {
        let client = Client::open(&self.daemon.signaling_url(session)).await;
        let joined = client.join(&self.token(session, "PUBLISHER").await, name).await.expect("a fresh token is good");
        client.keep_alive();
        Member { client, id: joined["id"].as_str().expect("an id").to_owned(), joined }
    }

    /// Starts a recording; gives it as the answer says. The answer must come within 2 s.
    pub async fn record(&self, session: &str, more: Value) -> Value {
        let begin = Clock::System.now();
        let recording = self.record_some_time(session, more).await;
        assert!(begin.elapsed() < START_ANSWER, "the start was answered after {:?}", begin.elapsed());
        recording
    }

    /// The same for claims that have nothing to do with how long that takes.
    pub async fn record_some_time(&self, session: &str, more: Value) -> Value {
        let mut body = json!({ "session": session });
        body.as_object_mut().expect("it is an object").extend(more.as_object().cloned().unwrap_or_default());
        let recording = self.rest.post("/openvidu/api/recordings/start", body).await.expect(200).json();
        assert_eq!(recording["status"], "started");
        recording
    }

    /// Stops a recording; gives it as the answer says.
    pub async fn stop_recording(&self, id: &str) -> Value {
        self.rest.post(&format!("/openvidu/api/recordings/stop/{id}"), json!(null)).await.expect(200).json()
    }

    /// Waits until a recording has ended; gives it.
    pub async fn ended_recording(&self, id: &str, span: Duration) -> Value {
        let waiting = async {
            let mut tries = tokio::time::interval(Duration::from_millis(50));
            loop {
                tries.tick().await;
                let recording = self.rest.get(&format!("/openvidu/api/recordings/{id}")).await.expect(200).json();
                if recording["status"] == "ready" || recording["status"] == "failed" {
                    return recording;
                }
            }
        };
        tokio::time::timeout(span, waiting).await.unwrap_or_else(|_| panic!("recording {id} does not end within {span:?}"))
    }

    /// Waits for the thumbnail of a recording that has ended; gives its path below the recordings.
    pub async fn thumbnail(&self, id: &str, span: Duration) -> String {
        let path = format!("/openvidu/recordings/{id}/{id}.jpg");
        let waiting = async {
            loop {
                // each try waits for some seconds
                let answer = self.rest.get(&path).await;
                if answer.status == 200 {
                    assert_eq!(answer.header("content-type"), "image/jpeg");
                    return format!("{id}/{id}.jpg");
                }
                assert_eq!(answer.status, 404, "{}", answer.text());
                Clock::System.sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(span, waiting).await.unwrap_or_else(|_| panic!("recording {id} has no thumbnail within {span:?}"))
    }

    /// GET of a session.
    pub async fn look(&self, session: &str) -> Value {
        self.rest.get(&format!("/openvidu/api/sessions/{session}")).await.expect(200).json()
    }
}

/// Somebody who has joined.
pub struct Member {
    pub client: Client,
    /// Connection id.
    pub id: String,
    /// Result of the join.
    pub joined: Value,
}

impl Member {
    /// Publishes what `peer` offers; gives the stream id. The answer is handed to the peer.
    pub async fn publish(&self, peer: &Peer, wish: &Wish) -> String {
        let published = self.try_publish(peer, wish, false).await.unwrap_or_else(|refusal| panic!("{refusal:?}"));
        published["id"].as_str().expect("a stream id").to_owned()
    }

    /// The same, for offers that may be refused; gives the result.
    pub async fn try_publish(&self, peer: &Peer, wish: &Wish, loopback: bool) -> Result<Value, Refusal> {
        let has = |kind| wish.lines.iter().any(|line| line.0 == kind);
        let (audio, video) = (has(viduct_testkit::peer::MediaKind::Audio), has(viduct_testkit::peer::MediaKind::Video));
        let mut params = json!({"doLoopback": loopback, "hasAudio": audio, "hasVideo": video, "frameRate": -1, "sdpOffer": peer.offer()});
        if audio {
            params["audioActive"] = true.into();
        }
        if video {
            params["videoActive"] = true.into();
            params["typeOfVideo"] = "CAMERA".into();
            params["videoDimensions"] = r#"{"width":640,"height":360}"#.into();
        }
        let published = self.client.request("publishVideo", params).await?;
        peer.answer(published["sdpAnswer"].as_str().expect("an answer"));
        Ok(published)
    }

    /// Offers `peer` for a stream whose transport broke, under the name `key`; gives the result. The answer is handed to the peer.
    pub async fn reconnect(&self, stream: &str, peer: &Peer, key: &str) -> Result<Value, Refusal> {
        let result = self.client.request("reconnectStream", json!({"stream": stream, key: peer.offer()})).await?;
        peer.answer(result["sdpAnswer"].as_str().expect("an answer"));
        Ok(result)
    }

    /// Subscribes to a stream; gives the viewer, whose transport comes up by itself.
    pub async fn watch(&self, stream: &str) -> Peer {
        self.watch_as(stream, Peer::viewer(true, true)).await
    }

    /// The same with a viewer of one's own.
    pub async fn watch_as(&self, stream: &str, peer: Peer) -> Peer {
        self.try_watch(stream, peer).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// The same with a peer of one's own, whose offer may be refused.
    pub async fn try_watch(&self, stream: &str, mut peer: Peer) -> Result<Peer, Refusal> {
        peer.mark_offered();
        let result = self.client.request("receiveVideoFrom", json!({"sender": stream, "sdpOffer": peer.offer()})).await?;
        peer.answer(result["sdpAnswer"].as_str().expect("an answer"));
        Ok(peer)
    }
}

/// A viewer that takes no video but of this codec.
pub fn viewer_of(codec: Media) -> Peer {
    Peer::new(&Wish { video: vec![codec], ..Wish::watch(true, true) })
}

/// Waits until a process is gone.
pub async fn gone(pid: i32, span: Duration) {
    until(&format!("the end of process {pid}"), span, || !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
}

/// Waits until something is so, looking fifty times a second.
pub async fn until(what: &str, span: Duration, mut done: impl FnMut() -> bool) {
    let mut tries = tokio::time::interval(Duration::from_millis(20));
    let waiting = async {
        while !done() {
            tries.tick().await;
        }
    };
    assert!(tokio::time::timeout(span, waiting).await.is_ok(), "not within {span:?}: {what}");
}

/// The m-sections of an SDP.
pub fn sections(sdp: &str) -> Vec<String> {
    let mut sections: Vec<String> = vec![];
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections.push(String::new());
        }
        if let Some(section) = sections.last_mut() {
            section.push_str(line);
            section.push('\n');
        }
    }
    sections
}
