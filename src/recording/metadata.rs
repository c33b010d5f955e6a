//! A recording as JSON, key by key in the order of the API (rest.md §10.1): the body of answers and, with `uniqueSessionId`, the
//! metadata on disk (§11.1). Pure.
//!
//! One key is ours: `urls`, all files of a recording that could not be made one; others have `url` alone.

use super::plan::{Picture, Recording, Resolution, Status, file_name};
use crate::ids::RecordingId;
use serde_json::{Map, Value, json};

/// Name of the metadata in the folder of a recording.
pub fn metadata_name(id: &RecordingId) -> String {
    format!(".recording.{id}")
}

/// The Recording object. `public_url` is the base of its URL, without a trailing slash.
pub fn to_json(recording: &Recording, public_url: &str) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.into(), value);
    put("id", json!(recording.id.as_str()));
    put("object", json!("recording"));
    put("name", json!(recording.name));
    put("outputMode", json!("COMPOSED"));
    if let Some(Picture { resolution, frame_rate }) = recording.video {
        put("resolution", json!(resolution.to_string()));
        put("frameRate", json!(frame_rate));
        put("recordingLayout", json!("BEST_FIT"));
    }
    put("sessionId", json!(recording.session.as_str()));
    put("createdAt", json!(recording.created_at));
    put("size", json!(recording.size));
    put("duration", json!(recording.duration_ms as f64 / 1000.0));
    put("url", if recording.status.is_final() { json!(url(recording, 1, public_url)) } else { Value::Null });
    if recording.files > 1 {
        put("urls", (1..=recording.files).map(|number| url(recording, number, public_url)).collect());
    }
    put("hasAudio", json!(recording.audio));
    put("hasVideo", json!(recording.video.is_some()));
    put("status", json!(recording.status.as_str()));
    object
}

fn url(recording: &Recording, number: u32, public_url: &str) -> String {
    format!("{public_url}/openvidu/recordings/{}/{}", recording.id, file_name(&recording.name, number))
}

/// The text of the metadata.
pub fn to_disk(recording: &Recording, public_url: &str) -> String {
    let mut object = to_json(recording, public_url);
    object.insert("uniqueSessionId".into(), json!(recording.unique_session));
    Value::Object(object).to_string()
}

/// Reads metadata back. `None`: not metadata of a composed recording. The URL is not read: the box may have another name now.
pub fn from_disk(text: &[u8]) -> Option<Recording> {
    let object: Value = serde_json::from_slice(text).ok()?;
    let word = |key: &str| object.get(key).and_then(Value::as_str);
    let number = |key: &str| object.get(key).and_then(Value::as_u64);
    if word("outputMode") != Some("COMPOSED") {
        return None;
    }
    let picture = || {
        let frame_rate = number("frameRate").and_then(|rate| u32::try_from(rate).ok())?;
        Some(Picture { resolution: Resolution::parse(word("resolution")?)?, frame_rate })
    };
    Some(Recording {
        id: word("id")?.into(),
        session: word("sessionId")?.into(),
        unique_session: word("uniqueSessionId").unwrap_or_default().to_owned(),
        name: word("name").filter(|name| is_word(name))?.to_owned(),
        created_at: number("createdAt")?,
        audio: object.get("hasAudio")?.as_bool()?,
        video: if object.get("hasVideo")?.as_bool()? { Some(picture()?) } else { None },
        status: Status::parse(word("status")?)?,
        files: match object.get("urls") {
            Some(urls) => u32::try_from(urls.as_array()?.len()).ok()?,
            None => u32::from(number("size")? > 0),
        },
        size: number("size")?,
        duration_ms: (object.get("duration")?.as_f64()?.max(0.0) * 1000.0).round() as u64,
    })
}

/// Is it a name of files here: `[a-zA-Z0-9_-]+`, or of a recording whose id it is, with `~`?
pub fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'~'))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A recording with a picture, sound and a status.
    pub fn recording(status: Status) -> Recording {
        let video = Some(Picture { resolution: Resolution::parse("1280x720").unwrap(), frame_rate: 25 });
        let (files, size, duration_ms) = if status.is_final() { (1, 1234, 5040) } else { (0, 0, 0) };
        Recording {
            id: "ses_A~1".into(),
            session: "ses_A".into(),
            unique_session: "ses_A_1600000000000".into(),
            name: "lobby".into(),
            created_at: 1_600_000_001_000,
            audio: true,
            video,
            status,
            files,
            size,
            duration_ms,
        }
    }

    #[test]
    fn the_object_is_golden() {
        let json = |recording: &Recording| Value::Object(to_json(recording, "https://box")).to_string();
        assert_eq!(
            json(&recording(Status::Ready)),
            r#"{"id":"ses_A~1","object":"recording","name":"lobby","outputMode":"COMPOSED","resolution":"1280x720","frameRate":25,"recordingLayout":"BEST_FIT","sessionId":"ses_A","createdAt":1600000001000,"size":1234,"duration":5.04,"url":"https://box/openvidu/recordings/ses_A~1/lobby.mp4","hasAudio":true,"hasVideo":true,"status":"ready"}"#
        );
        assert_eq!(
            json(&Recording { video: None, ..recording(Status::Started) }),
            r#"{"id":"ses_A~1","object":"recording","name":"lobby","outputMode":"COMPOSED","sessionId":"ses_A","createdAt":1600000001000,"size":0,"duration":0.0,"url":null,"hasAudio":true,"hasVideo":false,"status":"started"}"#
        );
    }

    #[test]
    fn several_files_are_listed() {
        let text = to_disk(&Recording { files: 2, ..recording(Status::Ready) }, "https://box");
        let base = "https://box/openvidu/recordings/ses_A~1/lobby";
        assert!(text.contains(&format!(r#""url":"{base}.mp4","urls":["{base}.mp4","{base}-2.mp4"],"#)), "{text}");
        assert_eq!(from_disk(text.as_bytes()).unwrap().files, 2);
    }

    #[test]
    fn metadata_comes_back() {
        for status in Status::ALL {
            for recording in
                [recording(status), Recording { video: None, ..recording(status) }, Recording { audio: false, ..recording(status) }]
            {
                let text = to_disk(&recording, "https://box");
                assert!(text.ends_with(r#","uniqueSessionId":"ses_A_1600000000000"}"#), "{text}");
                assert_eq!(from_disk(text.as_bytes()), Some(recording));
            }
        }
    }

    #[test]
    fn what_is_no_metadata_is_not_taken_for_it() {
        let text = to_disk(&recording(Status::Ready), "https://box");
        for end in 0..text.len() {
            assert_eq!(from_disk(&text.as_bytes()[..end]), None, "{end}");
        }
        for (from, to) in [("lobby", "../x"), ("COMPOSED", "INDIVIDUAL"), ("ready", "paused"), ("1280x720", "1x1"), (":1234", ":-1")] {
            assert_eq!(from_disk(text.replacen(from, to, 1).as_bytes()), None, "{to}");
        }
    }

    proptest! {
        #[test]
        fn broken_metadata_is_no_panic(at in 0usize..400, byte in any::<u8>()) {
            let mut text = to_disk(&recording(Status::Ready), "https://box").into_bytes();
            let at = at % text.len();
            text[at] = byte;
            let _ = from_disk(&text);
        }
    }
}
