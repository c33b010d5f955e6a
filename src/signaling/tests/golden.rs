//! A scripted conversation of two clients, kept as text: every change of the wire shows in review.
//!
//! Ids and times are numbered in the order of their first appearance. `VIDUCT_GOLDEN=write cargo test golden` writes it anew.

use super::*;
use std::path::Path;

/// Replaces what differs from run to run.
#[derive(Default)]
struct Names(Vec<(&'static str, String)>);

impl Names {
    fn of(&mut self, kind: &'static str, text: &str) -> String {
        let known = self.0.iter().position(|(_, name)| name == text);
        let number = known.unwrap_or_else(|| {
            self.0.push((kind, text.to_owned()));
            self.0.len() - 1
        });
        format!("<{kind} {number}>")
    }

    fn frame(&mut self, frame: &str) -> String {
        let (direction, text) = frame.split_at(2);
        let mut message: Value = serde_json::from_str(text).unwrap();
        self.normalise("", &mut message);
        format!("{direction}{message}\n")
    }

    fn normalise(&mut self, key: &str, value: &mut Value) {
        match value {
            Value::Object(object) => object.iter_mut().for_each(|(key, value)| self.normalise(key, value)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.normalise("", item)),
            Value::Number(ms) if key == "createdAt" => {
                assert!(ms.as_u64().is_some_and(|ms| ms > 1_600_000_000_000), "no time: {ms}");
                *value = json!("<time>");
            }
            Value::String(text) => *text = self.text(key, text),
            _ => {}
        }
    }

    fn text(&mut self, key: &str, text: &str) -> String {
        if let Some((url, token)) = text.split_once("&token=tok_") {
            return format!("{url}&token={}", self.of("token", token));
        }
        match key {
            "sessionId" => self.of("rpc", text),
            "finalUserId" => self.of("user", text),
            _ if text.starts_with("con_") => self.of("connection", text),
            _ if text.starts_with("str_") => self.of("stream", text),
            // sentences that name an id
            _ => self.0.iter().enumerate().fold(text.to_owned(), |text, (n, (kind, name))| text.replace(name, &format!("<{kind} {n}>"))),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_what_it_was() {
    let house = House::open().await;
    let (alice, joined) = house.joined("alice").await;
    let me = joined["id"].as_str().unwrap();
    let stream = alice.must("publishVideo", publish()).await["id"].clone();
    let candidate = "candidate:1 1 udp 2113937151 192.0.2.5 54321 typ host";
    alice.must("onIceCandidate", json!({"endpointName": me, "candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0})).await;

    let (bob, joined) = house.joined("bob").await;
    let them = joined["id"].as_str().unwrap();
    alice.notice("participantJoined", |_| true).await;
    bob.must("receiveVideoFrom", json!({"sender": stream, "sdpOffer": "v=0"})).await;
    bob.must("sendMessage", json!({"message": r#"{"to":[],"data":"hi","type":"signal:chat"}"#})).await;
    alice.notice("sendMessage", |_| true).await;
    for (property, value, reason) in [
        ("videoActive", json!(false), "publishVideo"),
        ("videoDimensions", json!(r#"{"width":320,"height":240}"#), "deviceRotated"),
        ("videoTrack", json!({"label": "other camera"}), "trackReplaced"),
    ] {
        let params = json!({"streamId": stream, "property": property, "newValue": value, "reason": reason});
        alice.must("streamPropertyChanged", params).await;
        bob.notice("streamPropertyChanged", |p| p["property"] == property).await;
    }
    alice.must("reconnectStream", json!({"stream": stream, "sdpString": "v=0"})).await;
    bob.must("reconnectStream", json!({"stream": stream, "sdpOffer": "v=0", "forciblyReconnect": false})).await;
    for refused in ["joinRoom", "applyFilter", "reconnectStream", "nonsense", "receiveVideoFrom"] {
        bob.request(refused, json!({})).await.unwrap_err();
    }
    bob.request("publishVideo", json!({"sdpOffer": "v=0", "doLoopback": "yes"})).await.unwrap_err();
    bob.must("unsubscribeFromVideo", json!({"sender": me})).await;
    alice.must("unpublishVideo", json!({})).await;
    bob.notice("participantUnpublished", |_| true).await;
    alice.request("unpublishVideo", json!({})).await.unwrap_err();
    bob.must("leaveRoom", json!({})).await;
    alice.notice("participantLeft", |p| p["connectionId"] == them).await;
    house.session.ask(|answer| Command::Close { reason: EndReason::SessionClosedByServer, answer }).await.unwrap();
    alice.notice("participantEvicted", |_| true).await;

    let mut names = Names::default();
    let mut text = String::new();
    for (who, client) in [("alice", &alice), ("bob", &bob)] {
        text += &format!("== {who}\n");
        text.extend(client.frames().iter().map(|frame| names.frame(frame)));
    }
    compare(&text);
}

fn compare(text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/signaling/conversation.txt");
    if std::env::var_os("VIDUCT_GOLDEN").is_some_and(|mode| mode == "write") {
        std::fs::write(&file, text).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).position(|(a, b)| a != b).unwrap_or(kept.lines().count().min(text.lines().count()));
    let shown = text.lines().skip(differs).take(5).collect::<Vec<_>>().join("\n");
    assert!(kept == text, "{} differs from line {}:\n{shown}", file.display(), differs + 1);
}
