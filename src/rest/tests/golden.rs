//! A scripted exchange, kept as text: every change of the wire shows in review. Times and generated ids are numbered.
//!
//! `VIDUCT_GOLDEN=write cargo test golden` writes the file anew.

use super::*;
use std::path::Path;

/// Replaces what differs from run to run by the number of its first appearance.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn of(&mut self, kind: &str, text: &str) -> String {
        let known = self.0.iter().position(|name| name == text);
        let number = known.unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        format!("<{kind} {number}>")
    }

    fn normalise(&mut self, value: &mut Value) {
        match value {
            Value::Object(object) => object.iter_mut().for_each(|(key, value)| match (key.as_str(), &value) {
                ("createdAt" | "activeAt" | "timestamp" | "launchingTime" | "connectionTime", Value::Number(n)) => {
                    assert!(n.as_u64().is_some_and(|ms| ms > 1_600_000_000_000), "{key} is no time: {n}");
                    *value = json!("<time>");
                }
                ("load", Value::Number(_)) => *value = json!("<load>"),
                // a sentence that names an id
                ("message", Value::String(text)) => {
                    *value = json!(text.split(' ').map(|word| self.rename(word)).collect::<Vec<_>>().join(" "));
                }
                _ => self.normalise(value),
            }),
            Value::Array(items) => items.iter_mut().for_each(|item| self.normalise(item)),
            Value::String(text) => *text = self.rename(text),
            _ => {}
        }
    }

    /// Whole ids, and the token at the end of its URL.
    fn rename(&mut self, text: &str) -> String {
        if let Some((url, token)) = text.split_once("&token=tok_") {
            assert_eq!(token.len(), 16, "{text}");
            let session = url.rsplit('=').next().unwrap_or_default();
            let url = url.replace(session, &self.rename(session));
            return format!("{url}&token={}", self.of("token", token));
        }
        for (prefix, kind) in
            [("ses_", "session"), ("con_", "connection"), ("ipc_IPCAM_", "camera"), ("str_IPC_", "stream"), ("media_", "node")]
        {
            if text.starts_with(prefix) {
                return self.of(kind, text);
            }
        }
        text.to_owned()
    }
}

struct Script {
    bench: Bench,
    names: Names,
    log: String,
}

impl Script {
    async fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.bench.ask(method, path, body.clone()).await;
        let path: Vec<String> = path.split('/').map(|part| self.names.rename(part)).collect();
        let sent = body.map(|mut body| {
            self.names.normalise(&mut body);
            format!(" {body}")
        });
        let sent = sent.unwrap_or_default();
        self.log += &format!("> {method} {}{sent}\n< {}", path.join("/"), answer.status);
        let raw = if answer.text.is_empty() { Value::Null } else { answer.json() };
        if !answer.text.is_empty() {
            let mut named = raw.clone();
            self.names.normalise(&mut named);
            // the path of an error names ids, too
            if let Some(Value::String(path)) = named.get_mut("path") {
                *path = path.split('/').map(|part| self.names.rename(part)).collect::<Vec<_>>().join("/");
            }
            self.log += &format!(" {}\n{named:#}", answer.content_type());
        }
        self.log += "\n\n";
        raw
    }
}

#[tokio::test]
async fn a_scripted_exchange_is_what_it_was() {
    let mut script = Script { bench: Bench::new(), names: Names::default(), log: String::new() };
    let sessions = "/openvidu/api/sessions";
    script.ask("GET", "/openvidu/api/health", None).await;
    script.ask("GET", "/openvidu/api/config", None).await;
    script.ask("GET", sessions, None).await;
    let session = script.ask("POST", sessions, None).await;
    let random = format!("{sessions}/{}", session["id"].as_str().unwrap());
    script.ask("DELETE", &random, None).await;
    let asked = json!({"customSessionId": "Room_1", "recordingMode": "ALWAYS", "forcedVideoCodec": "NONE", "allowTranscoding": true,
        "mediaMode": null, "defaultRecordingProperties": {"name": "n", "outputMode": "INDIVIDUAL"}});
    script.ask("POST", sessions, Some(asked.clone())).await;
    script.ask("POST", sessions, Some(asked)).await;
    let connections = format!("{sessions}/Room_1/connection");
    script.ask("POST", &connections, Some(json!({}))).await;
    let options = json!({"type": "WEBRTC", "role": "MODERATOR", "data": "server data", "record": false,
        "kurentoOptions": {"videoMinSendBandwidth": "5", "videoMaxRecvBandwidth": 1000, "allowedFilters": ["GStreamerFilter"]}});
    let pending = script.ask("POST", &connections, Some(options)).await;
    let camera = json!({"type": "IPCAM", "rtspUri": "rtsp://user:pass@192.0.2.9:554/live-mpeg4.sdp?x=1", "data": "cam",
        "adaptativeBitrate": false, "onlyPlayWithSubscribers": true, "networkCache": 500});
    let camera = script.ask("POST", &connections, Some(camera)).await;
    script.ask("GET", &format!("{sessions}/Room_1"), None).await;
    script.ask("GET", &format!("{sessions}/Room_1?pendingConnections=true"), None).await;
    script.ask("GET", &connections, None).await;
    for connection in [pending, camera] {
        let path = format!("{connections}/{}", connection["connectionId"].as_str().unwrap());
        script.ask("GET", &path, None).await;
        script.ask("DELETE", &path, None).await;
    }
    script.ask("GET", &format!("{sessions}/Room_1"), None).await;
    compare("exchange.txt", &script.log);
}

#[tokio::test]
async fn an_exchange_about_tokens_signals_and_nodes_is_what_it_was() {
    let mut script = Script { bench: Bench::new(), names: Names::default(), log: String::new() };
    let (sessions, nodes) = ("/openvidu/api/sessions", "/openvidu/api/media-nodes");
    script.ask("POST", sessions, Some(json!({"customSessionId": "Room_1"}))).await;
    let token = json!({"session": "Room_1", "role": "SUBSCRIBER", "data": "d", "kurentoOptions": {"videoMaxRecvBandwidth": 1000}});
    let token = script.ask("POST", "/openvidu/api/tokens", Some(token)).await;
    let connection = format!("{sessions}/Room_1/connection/{}", token["connectionId"].as_str().unwrap());
    script.ask("PATCH", &connection, Some(json!({"role": "MODERATOR", "record": false}))).await;
    script.ask("PATCH", &connection, Some(json!({"role": "ADMIN"}))).await;
    script.ask("POST", "/openvidu/api/signal", Some(json!({"session": "Room_1", "type": "MY_TYPE", "data": "hello"}))).await;
    let camera = json!({"type": "IPCAM", "rtspUri": "rtsp://192.0.2.9:554/live"});
    let camera = script.ask("POST", &format!("{sessions}/Room_1/connection"), Some(camera)).await;
    script.ask("POST", "/openvidu/api/signal", Some(json!({"session": "Room_1", "to": [camera["id"]], "type": "MY_TYPE"}))).await;
    script.ask("DELETE", &format!("{sessions}/Room_1/stream/{}", camera["publishers"][0]["streamId"].as_str().unwrap()), None).await;
    let list = script.ask("GET", nodes, None).await;
    let node = format!("{nodes}/{}", list["content"][0]["id"].as_str().unwrap());
    script.ask("GET", &format!("{node}?sessions=true&recordings=true"), None).await;
    script.ask("POST", nodes, Some(json!({"uri": "ws://127.0.0.1:8888/kurento"}))).await;
    script.ask("PATCH", &node, Some(json!({"status": "waiting-idle-to-terminate"}))).await;
    script.ask("PATCH", &node, Some(json!({"status": "running"}))).await;
    script.ask("DELETE", &node, None).await;
    script.ask("DELETE", &format!("{node}?deletion-strategy=now&wait=true"), None).await;
    script.ask("GET", &format!("{sessions}/Room_1"), None).await;
    script.ask("PUT", nodes, None).await;
    compare("nodes.txt", &script.log);
}

#[tokio::test]
async fn an_exchange_about_recordings_is_what_it_was() {
    let mut script = Script { bench: Bench::new(), names: Names::default(), log: String::new() };
    let (sessions, recordings) = ("/openvidu/api/sessions", "/openvidu/api/recordings");
    script.ask("POST", sessions, Some(json!({"customSessionId": "Room_1"}))).await;
    script.ask("POST", &format!("{recordings}/start"), Some(json!({"session": "Room_1"}))).await;
    let camera = json!({"type": "IPCAM", "rtspUri": "rtsp://192.0.2.9:554/live"});
    script.ask("POST", &format!("{sessions}/Room_1/connection"), Some(camera)).await;
    script.ask("POST", &format!("{recordings}/start"), Some(json!({"session": "Room_1", "resolution": "0x0"}))).await;
    script.ask("POST", &format!("{recordings}/start"), Some(json!({"session": "Room_1"}))).await;
    script.ask("POST", &format!("{recordings}/start"), Some(json!({"session": "Room_1"}))).await;
    script.ask("GET", recordings, None).await;
    script.ask("DELETE", &format!("{recordings}/Room_1"), None).await;
    script.ask("POST", &format!("{recordings}/stop/Room_1"), None).await;
    let silent = json!({"session": "Room_1", "name": "silent", "hasAudio": false, "resolution": "640x480", "frameRate": 15});
    script.ask("POST", &format!("{recordings}/start"), Some(silent)).await;
    script.ask("POST", &format!("{recordings}/stop/Room_1~1"), None).await;
    script.ask("GET", recordings, None).await;
    script.ask("DELETE", &format!("{recordings}/Room_1~1"), None).await;
    script.ask("GET", &format!("{recordings}/Room_1~1"), None).await;
    compare("recordings.txt", &script.log);
}

fn compare(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rest").join(name);
    if std::env::var_os("VIDUCT_GOLDEN").is_some_and(|mode| mode == "write") {
        std::fs::write(&file, text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).position(|(a, b)| a != b).unwrap_or(kept.lines().count().min(text.lines().count()));
    assert!(
        kept == text,
        "{} differs from line {}:\n{}",
        file.display(),
        differs + 1,
        text.lines().skip(differs).take(20).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn an_active_connection_is_rendered_as_it_was() {
    use crate::session::notice::StreamInfo;
    use crate::session::snapshot::{ActiveSnapshot, ConnectionKind, ConnectionSnapshot, SubscriberSnapshot};
    let stream = StreamInfo {
        stream: "str_CAM_Wxyz_con_A123456789".into(),
        created_at: 1_616_514_000_002,
        has_audio: true,
        has_video: true,
        audio_active: true,
        video_active: false,
        type_of_video: "CAMERA".into(),
        frame_rate: Some(30),
        video_dimensions: Some(r#"{"width":640,"height":480}"#.into()),
    };
    let silent = StreamInfo { has_audio: false, frame_rate: None, type_of_video: "SCREEN".into(), ..stream.clone() };
    let dark = StreamInfo { has_video: false, type_of_video: String::new(), ..stream.clone() };
    let config = load(&Sources { demo: true, ..Sources::of(&BTreeMap::from([("HTTPS_PORT".into(), "443".into())])) }).unwrap().config;
    let peer = crate::ids::PeerId::new(crate::ids::SessionKey(1), 1);
    let connection = |publisher: StreamInfo| ConnectionSnapshot {
        id: "con_A123456789".into(),
        session: "Room_1".into(),
        created_at: 1_616_514_000_000,
        active: Some(ActiveSnapshot {
            at: 1_616_514_000_001,
            ip: Some([192, 0, 2, 1].into()),
            platform: "Chrome 89.0 on Linux 64-bit".into(),
            client_data: Some(r#"{"clientData":"me"}"#.into()),
            publisher: Some(publisher),
            publisher_peer: Some(peer),
            subscribers: vec![SubscriberSnapshot { stream: "str_IPC_A1b2_ipc".into(), peer, created_at: 1_616_514_000_003 }],
            camera: None,
        }),
        kind: ConnectionKind::Webrtc {
            token: "tok_A123456789012345".into(),
            role: crate::session::Role::Publisher,
            kurento_options: Some(Default::default()),
        },
        record: true,
        server_data: "s".into(),
    };
    let texts: Vec<String> = [stream, silent, dark]
        .map(|s| {
            format!(
                "{:#}\n",
                render::connection(
                    &connection(s),
                    render::View { secrets: render::Secrets::All, ..render::View::new(&config, Default::default()) }
                )
            )
        })
        .into();
    compare("active.txt", &texts.join("\n"));
}
