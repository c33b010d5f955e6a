//! A record as JSON, key by key in the order of events.md §4: nested for the file of call detail records, flat for webhooks. Pure.

use super::record::{Camera, Crash, Direction, End, FilterEvent, MediaNode, Moment, Participant, Picture, Record, Recording, Signal};
use super::record::{Step, Video, Webrtc};
use serde_json::{Map, Value, json};

/// What is written of `record` to the file: a line for the event, and a second one where older readers expect another event
/// (`recordingStarted`, `recordingStopped`).
pub fn lines(record: &Record) -> String {
    let mut object = fields(record);
    let mut text = line(record.name(), &object);
    if let Some(name) = older_name(record) {
        object.shift_remove("status");
        text.push_str(&line(name, &object));
    }
    text
}

/// The body of a post.
pub fn body(record: &Record) -> String {
    let mut object = fields(record);
    object.insert("event".into(), record.name().into());
    Value::Object(object).to_string()
}

fn line(name: &str, object: &Map<String, Value>) -> String {
    format!("{}\n", json!({ name: object }))
}

fn older_name(record: &Record) -> Option<&'static str> {
    match record {
        Record::RecordingStatusChanged(_, Recording { step: Step::Started, .. }) => Some("recordingStarted"),
        Record::RecordingStatusChanged(_, Recording { step: Step::Stopped, .. }) => Some("recordingStopped"),
        _ => None,
    }
}

fn fields(record: &Record) -> Map<String, Value> {
    let mut out = Fields(Map::new());
    match record {
        Record::SessionCreated(moment) => out.moment(moment),
        Record::SessionDestroyed(moment, end) => out.moment(moment).end(moment, end),
        Record::ParticipantJoined(moment, participant) => out.moment(moment).participant(participant),
        Record::ParticipantLeft(moment, end, participant) => out.moment(moment).end(moment, end).participant(participant),
        Record::WebrtcConnectionCreated(moment, webrtc) => out.moment(moment).webrtc(webrtc),
        Record::WebrtcConnectionDestroyed(moment, end, webrtc) => out.moment(moment).end(moment, end).webrtc(webrtc),
        Record::RecordingStatusChanged(moment, recording) => out.moment(moment).recording(recording),
        Record::SignalSent(moment, signal) => out.moment(moment).signal(signal),
        Record::FilterEventDispatched(moment, event) => out.moment(moment).filter(event),
        Record::MediaNodeStatusChanged(node) => out.node(node),
        Record::NodeCrashed(crash) => out.crash(crash),
    };
    out.0
}

/// An object under construction.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, key: &str, value: Value) -> &mut Fields {
        self.0.insert(key.into(), value);
        self
    }

    fn moment(&mut self, Moment { session, unique_session, at }: &Moment) -> &mut Fields {
        self.put("sessionId", json!(session.as_str())).put("uniqueSessionId", json!(**unique_session)).put("timestamp", json!(at))
    }

    /// Whole seconds; a clock that was set back has not made anything shorter than nothing.
    fn end(&mut self, moment: &Moment, end: &End) -> &mut Fields {
        let seconds = moment.at.saturating_sub(end.since) / 1000;
        self.put("startTime", json!(end.since)).put("duration", json!(seconds)).put("reason", json!(end.reason))
    }

    fn participant(&mut self, participant: &Participant) -> &mut Fields {
        let Participant { connection, ip, platform, client_data, server_data } = participant;
        self.put("participantId", json!(connection.as_str()))
            .put("connectionId", json!(connection.as_str()))
            .put("location", json!("unknown"))
            .put("ip", json!(ip.map(|ip| ip.to_string())))
            .put("platform", json!(platform))
            .put("clientData", json!(client_data))
            .put("serverData", json!(server_data))
    }

    fn webrtc(&mut self, Webrtc { connection, direction, stream }: &Webrtc) -> &mut Fields {
        self.put("streamId", json!(stream.id.as_str()))
            .put("participantId", json!(connection.as_str()))
            .put("connectionId", json!(connection.as_str()));
        match direction {
            Direction::Inbound { from } => self.put("connection", json!("INBOUND")).put("receivingFrom", json!(from.as_str())),
            Direction::Outbound => self.put("connection", json!("OUTBOUND")),
        };
        if let (Direction::Outbound, Some(camera)) = (direction, &stream.camera) {
            let Camera { rtsp_uri, adaptative_bitrate, network_cache, only_play_with_subscribers } = camera;
            self.put("rtspUri", json!(rtsp_uri))
                .put("adaptativeBitrate", json!(adaptative_bitrate))
                .put("networkCache", json!(network_cache))
                .put("onlyPlayWithSubscribers", json!(only_play_with_subscribers));
        }
        if let Some(Video { source, frame_rate, dimensions }) = &stream.video {
            self.put("videoSource", json!(source)).put("videoFramerate", json!(frame_rate)).put("videoDimensions", json!(dimensions));
        }
        self.put("audioEnabled", json!(stream.audio)).put("videoEnabled", json!(stream.video.is_some()))
    }

    fn recording(&mut self, recording: &Recording) -> &mut Fields {
        self.put("startTime", json!(recording.created_at)).put("duration", json!(recording.duration_ms as f64 / 1000.0));
        if let Some(reason) = recording.reason {
            self.put("reason", json!(reason));
        }
        self.put("id", json!(recording.id.as_str())).put("name", json!(recording.name)).put("outputMode", json!(recording.output_mode));
        if let Some(Picture { resolution, frame_rate, layout, custom_layout }) = &recording.picture {
            self.put("resolution", json!(resolution)).put("frameRate", json!(frame_rate)).put("recordingLayout", json!(layout));
            if let Some(custom) = custom_layout.as_ref().filter(|custom| layout == "CUSTOM" && !custom.is_empty()) {
                self.put("customLayout", json!(custom));
            }
            if let Some(node) = &recording.media_node {
                self.put("media_node_id", json!(node.as_str()));
            }
        }
        self.put("hasAudio", json!(recording.audio))
            .put("hasVideo", json!(recording.video))
            .put("size", json!(recording.size))
            .put("status", json!(recording.step.as_str()))
    }

    fn signal(&mut self, Signal { from, to, kind, data }: &Signal) -> &mut Fields {
        self.put("from", json!(from.as_ref().map(|from| from.as_str())))
            .put("to", json!(to.iter().map(|to| to.as_str()).collect::<Vec<_>>()))
            .put("type", json!(kind))
            .put("data", json!(data))
    }

    fn filter(&mut self, FilterEvent { connection, stream, filter, kind, data }: &FilterEvent) -> &mut Fields {
        self.put("participantId", json!(connection.as_str()))
            .put("connectionId", json!(connection.as_str()))
            .put("streamId", json!(stream.as_str()))
            .put("filterType", json!(filter))
            .put("eventType", json!(kind))
            .put("data", json!(data))
    }

    fn node(&mut self, node: &MediaNode) -> &mut Fields {
        self.put("timestamp", json!(node.at))
            .put("id", json!(node.id))
            .put("environmentId", json!(node.environment))
            .put("ip", json!(node.ip))
            .put("uri", json!(node.uri))
            .put("newStatus", json!(node.to))
            .put("oldStatus", json!(node.from))
            .put("clusterId", json!(node.cluster))
    }

    fn crash(&mut self, crash: &Crash) -> &mut Fields {
        self.put("timestamp", json!(crash.at)).put("id", json!(crash.id));
        if let Some(environment) = &crash.environment {
            self.put("environmentId", json!(environment));
        }
        self.put("ip", json!(crash.ip))
            .put("uri", json!(crash.uri))
            .put("nodeRole", json!("medianode"))
            .put("sessionIds", json!(crash.sessions.iter().map(|id| id.as_str()).collect::<Vec<_>>()))
            .put("recordingIds", json!(crash.recordings.iter().map(|id| id.as_str()).collect::<Vec<_>>()))
            .put("clusterId", json!(crash.cluster))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::events::record::Stream;
    use std::path::Path;
    use std::sync::Arc;

    fn moment(at: u64) -> Moment {
        Moment { session: "gate".into(), unique_session: "gate_1600000000000".into(), at }
    }

    const END: End = End { since: 1_600_000_001_000, reason: "disconnect" };

    fn recording(step: Step, reason: Option<&'static str>) -> Recording {
        let (size, duration_ms) = if step == Step::Ready { (1234, 5040) } else { (0, 0) };
        let picture = Picture { resolution: "1280x720".into(), frame_rate: 25, layout: "BEST_FIT".into(), custom_layout: None };
        Recording {
            id: "gate~1".into(),
            name: "visit".into(),
            created_at: 1_600_000_002_000,
            duration_ms,
            size,
            output_mode: "COMPOSED",
            picture: Some(picture),
            media_node: None,
            audio: true,
            video: true,
            step,
            reason,
        }
    }

    /// One record of each kind, and of each shape a kind can have.
    pub fn all() -> Vec<Record> {
        let alice = Participant {
            connection: "con_A".into(),
            ip: Some([192, 0, 2, 1].into()),
            platform: "Chrome 120 on Linux".into(),
            client_data: Some("{\"clientData\":\"alice\"}".into()),
            server_data: String::new(),
        };
        let gate = Participant { ip: None, platform: "IPCAM".into(), client_data: None, connection: "ipc_IPCAM_x".into(), ..alice.clone() };
        let video = Video { source: "CAMERA".into(), frame_rate: Some(30), dimensions: Some("{\"width\":640,\"height\":360}".into()) };
        let stream = Arc::new(Stream { id: "str_CAM_x_con_A".into(), audio: true, video: Some(video.clone()), camera: None });
        let sound = Arc::new(Stream { id: "str_MIC_x_con_A".into(), video: None, ..(*stream).clone() });
        let camera = Camera {
            rtsp_uri: "rtsp://user:***@10.0.0.7/live".into(),
            adaptative_bitrate: true,
            network_cache: 2000,
            only_play_with_subscribers: false,
        };
        let of_camera = Arc::new(Stream {
            id: "str_IPC_x_ipc_IPCAM_x".into(),
            audio: true,
            video: Some(Video { source: "IPCAM".into(), frame_rate: None, dimensions: None }),
            camera: Some(camera),
        });
        let out = |stream: &Arc<Stream>| Webrtc { connection: "con_A".into(), direction: Direction::Outbound, stream: stream.clone() };
        let from = || Direction::Inbound { from: "con_A".into() };
        let into = |stream: &Arc<Stream>| Webrtc { connection: "con_B".into(), direction: from(), stream: stream.clone() };
        let signal = Signal {
            from: Some("con_A".into()),
            to: vec!["con_A".into(), "con_B".into()],
            kind: Some("chat".into()),
            data: Some("hi".into()),
        };
        let node = MediaNode {
            at: 1_600_000_000_000,
            id: "media_1".into(),
            environment: None,
            ip: "192.0.2.7".into(),
            uri: "ws://192.0.2.7:8888/kurento".into(),
            to: "launching",
            from: None,
            cluster: "c1".into(),
        };
        let crash = Crash {
            at: 1_600_000_009_000,
            id: "media_1".into(),
            environment: None,
            ip: "192.0.2.7".into(),
            uri: node.uri.clone(),
            sessions: vec!["gate".into()],
            recordings: vec!["gate~1".into()],
            cluster: "c1".into(),
        };
        let individual = Recording { output_mode: "INDIVIDUAL", picture: None, ..recording(Step::Failed, None) };
        let custom =
            Picture { layout: "CUSTOM".into(), custom_layout: Some("wall".into()), ..recording(Step::Started, None).picture.unwrap() };
        vec![
            Record::SessionCreated(moment(1_600_000_000_000)),
            Record::ParticipantJoined(moment(1_600_000_001_000), Arc::new(alice.clone())),
            Record::ParticipantJoined(moment(1_600_000_001_000), Arc::new(gate)),
            Record::WebrtcConnectionCreated(moment(1_600_000_001_000), out(&stream)),
            Record::WebrtcConnectionCreated(moment(1_600_000_001_000), out(&sound)),
            Record::WebrtcConnectionCreated(moment(1_600_000_001_000), out(&of_camera)),
            Record::WebrtcConnectionCreated(moment(1_600_000_001_000), into(&stream)),
            Record::WebrtcConnectionCreated(moment(1_600_000_001_000), into(&of_camera)),
            Record::SignalSent(moment(1_600_000_002_000), signal.clone()),
            Record::SignalSent(moment(1_600_000_002_000), Signal { from: None, kind: None, data: None, ..signal }),
            Record::RecordingStatusChanged(moment(1_600_000_002_000), recording(Step::Started, None)),
            Record::RecordingStatusChanged(moment(1_600_000_007_000), recording(Step::Stopped, Some("automaticStop"))),
            Record::RecordingStatusChanged(moment(1_600_000_008_000), recording(Step::Ready, Some("automaticStop"))),
            Record::RecordingStatusChanged(moment(1_600_000_002_000), individual),
            Record::RecordingStatusChanged(
                moment(1_600_000_002_000),
                Recording { picture: Some(custom.clone()), ..recording(Step::Started, None) },
            ),
            Record::RecordingStatusChanged(
                moment(1_600_000_002_000),
                Recording { picture: Some(custom), media_node: Some("media_1".into()), ..recording(Step::Started, None) },
            ),
            Record::RecordingStatusChanged(
                moment(1_600_000_002_000),
                Recording { picture: None, video: false, media_node: Some("media_1".into()), ..recording(Step::Failed, None) },
            ),
            Record::FilterEventDispatched(
                moment(1_600_000_002_000),
                FilterEvent {
                    connection: "con_A".into(),
                    stream: "str_CAM_x_con_A".into(),
                    filter: "ZBarFilter".into(),
                    kind: "CodeFound".into(),
                    data: "{}".into(),
                },
            ),
            Record::WebrtcConnectionDestroyed(moment(1_600_000_003_999), END, into(&stream)),
            Record::WebrtcConnectionDestroyed(moment(1_600_000_003_999), END, out(&stream)),
            Record::ParticipantLeft(moment(1_600_000_000_500), END, Arc::new(alice)),
            Record::SessionDestroyed(moment(1_600_000_003_999), End { reason: "lastParticipantLeft", ..END }),
            Record::MediaNodeStatusChanged(node.clone()),
            Record::MediaNodeStatusChanged(MediaNode { to: "running", from: Some("launching"), environment: Some("shed".into()), ..node }),
            Record::NodeCrashed(crash),
        ]
    }

    /// `VIDUCT_GOLDEN=write cargo test golden` writes the file anew.
    #[test]
    fn every_record_is_golden() {
        let posts: String = all().iter().map(|record| body(record) + "\n").collect();
        let text: String = all().iter().map(lines).collect();
        let text = format!("# The file\n{text}\n# The posts\n{posts}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events/records.txt");
        if std::env::var("VIDUCT_GOLDEN").is_ok_and(|mode| mode == "write") {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "VIDUCT_GOLDEN=write cargo test golden");
    }

    #[test]
    fn the_number_of_keys_is_that_of_the_specification() {
        // events.md §4, for 2.18; participants have `ip` as well (§13, 4)
        let count = |index: usize| fields(&all()[index]).len();
        let counted: Vec<_> = [0, 1, 3, 6, 8, 10, 11, 18, 19, 20, 21].into_iter().map(count).collect();
        assert_eq!(counted, [3, 10, 12, 13, 7, 15, 16, 16, 15, 13, 6]);
        assert_eq!(fields(&all()[13]).len(), 12, "an individual recording without a reason");
        assert_eq!([count(14), count(15), count(16)], [16, 17, 12], "the node is told with the picture");
    }
}
