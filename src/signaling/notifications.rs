//! What a session tells a client → JSON, key by key as signaling.md §6 (results) and §7 (notifications) say. Pure.
//!
//! Keys that have nothing to say are left out: no JSON null ever leaves.

use super::rpc;
use crate::session::notice::{Joined, Member, StreamInfo};
use crate::session::{Notice, Reply};
use serde_json::{Map, Value, json};

/// The version told to clients that do not say theirs (signaling.md §13).
const VERSION: &str = "2.20.0";

/// What a join result says beside what the session knows.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// URLs of ICE servers, `stun:host:port`.
    pub ice_servers: &'a [String],
    /// `sdkVersion` of the join, if the client said one.
    pub sdk_version: Option<&'a str>,
    /// `finalUserId`: opaque.
    pub user: &'a str,
}

/// The `result` of a reply, without the `sessionId` that every result gets.
pub fn result(reply: &Reply, host: Host) -> Map<String, Value> {
    match reply {
        Reply::Done => Map::new(),
        Reply::Joined(joined) => join_result(joined, host),
        Reply::Rejoined { .. } => object(json!({ "value": "reconnection successful" })),
        Reply::Published { stream, created_at, answer } => {
            object(json!({ "sdpAnswer": answer, "id": stream.as_str(), "createdAt": created_at }))
        }
        Reply::Subscribed { answer } => object(json!({ "sdpAnswer": answer })),
    }
}

fn join_result(joined: &Joined, host: Host) -> Map<String, Value> {
    let mut result = object(json!({
        "id": joined.connection.as_str(),
        "finalUserId": host.user,
        "createdAt": joined.created_at,
        "metadata": joined.metadata,
        "value": joined.others.iter().map(member).collect::<Vec<_>>(),
        "session": joined.session.as_str(),
        "version": host.sdk_version.filter(|version| is_version(version)).unwrap_or(VERSION),
        "mediaServer": "kurento",
        "videoSimulcast": false,
        "record": joined.record,
        "role": joined.role.as_str(),
    }));
    if !host.ice_servers.is_empty() {
        let servers: Vec<Value> = host.ice_servers.iter().map(|url| json!({ "url": url })).collect();
        result.insert("customIceServers".into(), servers.into());
    }
    if let Some((recording, name)) = &joined.recording {
        result.insert("recordingId".into(), recording.as_str().into());
        result.insert("recordingName".into(), name.as_str().into());
    }
    result
}

/// Never a `role` (the client would take the participant for itself), never an empty `streams` (it crashes the join).
fn member(member: &Member) -> Value {
    let mut item = json!({ "id": member.connection.as_str(), "createdAt": member.created_at, "metadata": member.metadata });
    if let Some(info) = &member.stream {
        item["streams"] = json!([stream(info)]);
    }
    item
}

fn stream(info: &StreamInfo) -> Value {
    let mut item = json!({
        "id": info.stream.as_str(),
        "createdAt": info.created_at,
        "hasAudio": info.has_audio,
        "hasVideo": info.has_video,
    });
    if info.has_audio {
        item["audioActive"] = info.audio_active.into();
    }
    if info.has_video {
        item["videoActive"] = info.video_active.into();
        item["typeOfVideo"] = info.type_of_video.as_str().into();
        if let Some(rate) = info.frame_rate {
            item["frameRate"] = rate.into();
        }
        if let Some(size) = &info.video_dimensions {
            item["videoDimensions"] = size.as_str().into();
        }
    }
    item["filter"] = json!({});
    item
}

/// A notice as the text that goes out.
pub fn notification(notice: &Notice) -> String {
    let (method, params) = match notice {
        Notice::ParticipantJoined { connection, created_at, metadata } => {
            ("participantJoined", json!({ "id": connection.as_str(), "createdAt": created_at, "metadata": metadata }))
        }
        Notice::ParticipantPublished { connection, stream: info } => {
            ("participantPublished", json!({ "id": connection.as_str(), "streams": [stream(info)] }))
        }
        Notice::ParticipantUnpublished { connection, reason } => {
            ("participantUnpublished", json!({ "connectionId": connection.as_str(), "reason": reason.as_str() }))
        }
        Notice::ParticipantLeft { connection, reason } => {
            ("participantLeft", json!({ "connectionId": connection.as_str(), "reason": reason.as_str() }))
        }
        Notice::ParticipantEvicted { connection, reason } => {
            ("participantEvicted", json!({ "connectionId": connection.as_str(), "reason": reason.as_str() }))
        }
        Notice::Signal { from, kind, data } => {
            let parts = [("data", data.as_deref()), ("type", kind.as_deref()), ("from", from.as_ref().map(|id| id.as_str()))];
            let given = parts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
            ("sendMessage", Value::Object(given.collect()))
        }
        Notice::ConnectionPropertyChanged { property, value } => {
            ("connectionPropertyChanged", json!({ "property": property, "newValue": value }))
        }
        Notice::RecordingStarted { recording, name } => ("recordingStarted", json!({ "id": recording.as_str(), "name": name })),
        Notice::RecordingStopped { recording, name, reason } => {
            ("recordingStopped", json!({ "id": recording.as_str(), "name": name, "reason": reason.as_str() }))
        }
        Notice::StreamPropertyChanged { connection, stream, property, value, reason } => (
            "streamPropertyChanged",
            json!({ "connectionId": connection.as_str(), "streamId": stream.as_str(), "property": property, "newValue": value, "reason": reason }),
        ),
    };
    rpc::notification(method, object(params))
}

/// `MAJOR.MINOR.PATCH`, optionally with a pre-release or build part: what the clients' semver accepts.
fn is_version(text: &str) -> bool {
    let (numbers, rest) = match text.find(['-', '+']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let number =
        |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && text.len() <= 64
        && rest.is_none_or(|rest| rest.split('.').all(word))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::StopReason;
    use crate::session::Role;
    use crate::session::notice::EndReason;

    const HOST: Host = Host { ice_servers: &[], sdk_version: None, user: "F3" };

    fn camera_stream() -> StreamInfo {
        StreamInfo {
            stream: "str_CAM_Q1w2_con_A".into(),
            created_at: 1_600_000_001_000,
            has_audio: true,
            has_video: true,
            audio_active: true,
            video_active: true,
            type_of_video: "CAMERA".into(),
            frame_rate: Some(30),
            video_dimensions: Some(r#"{"width":640,"height":480}"#.into()),
        }
    }

    fn joined(others: Vec<Member>) -> Reply {
        Reply::Joined(Box::new(Joined {
            connection: "con_B".into(),
            session: "ses_A".into(),
            created_at: 1_600_000_002_000,
            metadata: "bob".into(),
            role: Role::Publisher,
            record: true,
            rpc: "k3v".into(),
            others,
            recording: None,
        }))
    }

    fn text(reply: &Reply, host: Host) -> String {
        Value::Object(result(reply, host)).to_string()
    }

    #[test]
    fn the_join_result_is_golden() {
        let alice =
            Member { connection: "con_A".into(), created_at: 1_600_000_000_000, metadata: "alice".into(), stream: Some(camera_stream()) };
        let quiet = Member { connection: "con_C".into(), created_at: 1_600_000_000_500, metadata: String::new(), stream: None };
        let servers = ["stun:192.0.2.7:20000".to_owned()];
        let golden = concat!(
            r#"{"id":"con_B","finalUserId":"F3","createdAt":1600000002000,"metadata":"bob","value":["#,
            r#"{"id":"con_A","createdAt":1600000000000,"metadata":"alice","streams":[{"id":"str_CAM_Q1w2_con_A","createdAt":1600000001000,"#,
            r#""hasAudio":true,"hasVideo":true,"audioActive":true,"videoActive":true,"typeOfVideo":"CAMERA","frameRate":30,"#,
            r#""videoDimensions":"{\"width\":640,\"height\":480}","filter":{}}]},"#,
            r#"{"id":"con_C","createdAt":1600000000500,"metadata":""}],"session":"ses_A","version":"2.20.0","mediaServer":"kurento","#,
            r#""videoSimulcast":false,"record":true,"role":"PUBLISHER","customIceServers":[{"url":"stun:192.0.2.7:20000"}]}"#
        );
        assert_eq!(text(&joined(vec![alice, quiet]), Host { ice_servers: &servers, ..HOST }), golden);
        assert!(text(&joined(vec![]), HOST).contains(r#""value":[]"#), "an empty session has an empty value, not none");
        assert!(!text(&joined(vec![]), HOST).contains("customIceServers"));
        assert!(!text(&joined(vec![]), HOST).contains("recording"));
        let Reply::Joined(mut late) = joined(vec![]) else { panic!("it is a join") };
        late.recording = Some(("ses_A~1".into(), "visit".into()));
        let end = r#""role":"PUBLISHER","recordingId":"ses_A~1","recordingName":"visit"}"#;
        assert!(text(&Reply::Joined(late), HOST).ends_with(end));
    }

    #[test]
    fn the_other_results_are_golden() {
        let table = [
            (Reply::Done, "{}"),
            (Reply::Rejoined { connection: "con_A".into(), rpc: "k3v".into() }, r#"{"value":"reconnection successful"}"#),
            (
                Reply::Published { stream: "str_1".into(), created_at: 5, answer: "v=0".into() },
                r#"{"sdpAnswer":"v=0","id":"str_1","createdAt":5}"#,
            ),
            (Reply::Subscribed { answer: "v=0".into() }, r#"{"sdpAnswer":"v=0"}"#),
        ];
        for (reply, golden) in table {
            assert_eq!(text(&reply, HOST), golden);
        }
    }

    #[test]
    fn the_notifications_are_golden() {
        let table = [
            (
                Notice::ParticipantJoined { connection: "con_B".into(), created_at: 7, metadata: "bob".into() },
                r#"{"method":"participantJoined","params":{"id":"con_B","createdAt":7,"metadata":"bob"},"jsonrpc":"2.0"}"#,
            ),
            (
                Notice::ParticipantUnpublished { connection: "con_B".into(), reason: EndReason::Unpublish },
                r#"{"method":"participantUnpublished","params":{"connectionId":"con_B","reason":"unpublish"},"jsonrpc":"2.0"}"#,
            ),
            (
                Notice::ParticipantLeft { connection: "con_B".into(), reason: EndReason::Disconnect },
                r#"{"method":"participantLeft","params":{"connectionId":"con_B","reason":"disconnect"},"jsonrpc":"2.0"}"#,
            ),
            (
                Notice::ParticipantEvicted { connection: "con_B".into(), reason: EndReason::SessionClosedByServer },
                r#"{"method":"participantEvicted","params":{"connectionId":"con_B","reason":"sessionClosedByServer"},"jsonrpc":"2.0"}"#,
            ),
            (
                Notice::Signal { from: Some("con_A".into()), kind: Some("signal:chat".into()), data: Some("hi".into()) },
                r#"{"method":"sendMessage","params":{"data":"hi","type":"signal:chat","from":"con_A"},"jsonrpc":"2.0"}"#,
            ),
            (
                Notice::ConnectionPropertyChanged { property: "record", value: "false".into() },
                r#"{"method":"connectionPropertyChanged","params":{"property":"record","newValue":"false"},"jsonrpc":"2.0"}"#,
            ),
            (
                Notice::RecordingStarted { recording: "ses_A~1".into(), name: "lobby".into() },
                r#"{"method":"recordingStarted","params":{"id":"ses_A~1","name":"lobby"},"jsonrpc":"2.0"}"#,
            ),
            (
                Notice::RecordingStopped { recording: "ses_A".into(), name: "ses_A".into(), reason: StopReason::AutomaticStop },
                r#"{"method":"recordingStopped","params":{"id":"ses_A","name":"ses_A","reason":"automaticStop"},"jsonrpc":"2.0"}"#,
            ),
            (Notice::Signal { from: None, kind: None, data: None }, r#"{"method":"sendMessage","params":{},"jsonrpc":"2.0"}"#),
            (
                Notice::StreamPropertyChanged {
                    connection: "con_A".into(),
                    stream: "str_1".into(),
                    property: "videoDimensions".into(),
                    value: r#""{\"width\":320,\"height\":240}""#.into(),
                    reason: "deviceRotated".into(),
                },
                concat!(
                    r#"{"method":"streamPropertyChanged","params":{"connectionId":"con_A","streamId":"str_1","property":"videoDimensions","#,
                    r#""newValue":"\"{\\\"width\\\":320,\\\"height\\\":240}\"","reason":"deviceRotated"},"jsonrpc":"2.0"}"#
                ),
            ),
        ];
        for (notice, golden) in table {
            assert_eq!(notification(&notice), golden);
        }
    }

    #[test]
    fn a_stream_says_only_what_it_has() {
        let camera = StreamInfo { type_of_video: "IPCAM".into(), frame_rate: None, video_dimensions: None, ..camera_stream() };
        assert_eq!(
            stream(&camera).to_string(),
            concat!(
                r#"{"id":"str_CAM_Q1w2_con_A","createdAt":1600000001000,"hasAudio":true,"hasVideo":true,"audioActive":true,"#,
                r#""videoActive":true,"typeOfVideo":"IPCAM","filter":{}}"#
            )
        );
        let microphone = StreamInfo { has_video: false, type_of_video: String::new(), ..camera };
        assert_eq!(
            stream(&microphone).to_string(),
            r#"{"id":"str_CAM_Q1w2_con_A","createdAt":1600000001000,"hasAudio":true,"hasVideo":false,"audioActive":true,"filter":{}}"#
        );
        let published = notification(&Notice::ParticipantPublished { connection: "con_A".into(), stream: camera_stream() });
        assert!(
            published.starts_with(r#"{"method":"participantPublished","params":{"id":"con_A","streams":[{"id":"str_CAM_"#),
            "{published}"
        );
    }

    #[test]
    fn a_version_is_echoed_when_it_is_one() {
        let version =
            |sdk: Option<&str>| result(&joined(vec![]), Host { sdk_version: sdk, ..HOST })["version"].as_str().unwrap().to_owned();
        assert_eq!(version(None), "2.20.0");
        for good in ["2.32.1", "2.21.0", "0.0.0", "3.0.0-beta.1", "2.22.0+build-7"] {
            assert_eq!(version(Some(good)), good);
        }
        for bad in ["", "2.21", "2.21.0.1", "2.x.0", "02.1.0", "2..0", "2.21.0-", "2.21.0-a..b", "v2.21.0", "2.21.0 ", "<script>"] {
            assert_eq!(version(Some(bad)), "2.20.0", "{bad}");
        }
    }
}
