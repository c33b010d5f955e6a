//! Sessions, described.

use super::super::session_body::LAYOUTS;
use crate::openapi::{Operation, Parameter, Schema};
use serde_json::json;

const TAG: &str = "Sessions";

pub fn create() -> Operation {
    Operation::new(TAG, "createSession", "Create a session")
        .about("A session that nobody joins is closed after a while (`OPENVIDU_SESSIONS_GARBAGE_THRESHOLD`).")
        .body_if_any(Schema::named("SessionProperties"))
        .json(200, "The new session.", Schema::named("Session"))
        .refuses(409, "There is a session with this `customSessionId`.")
        .refuses(503, "The box takes no more sessions at the moment.")
}

pub fn list() -> Operation {
    Operation::new(TAG, "listSessions", "List all sessions").takes(pending(false)).takes(stats()).json(
        200,
        "Every session.",
        list_of("Session"),
    )
}

pub fn one() -> Operation {
    Operation::new(TAG, "getSession", "Get a session")
        .takes(pending(false))
        .takes(stats())
        .json(200, "The session.", Schema::named("Session"))
        .refuses(404, "There is no such session.")
}

pub fn close() -> Operation {
    Operation::new(TAG, "closeSession", "Close a session")
        .about("Everybody in it is told and leaves; its recording ends.")
        .empty(204, "It is closed.")
        .refuses(404, "There is no such session.")
}

/// `?pendingConnections=`.
pub fn pending(default: bool) -> Parameter {
    Parameter::flag("pendingConnections", default, "With connections that nobody has used yet?")
}

/// `?webRtcStats=`.
pub fn stats() -> Parameter {
    Parameter::flag("webRtcStats", false, "With what the transports are like, and the states of cameras?")
}

/// `{numberOfElements, content}`.
pub fn list_of(name: &str) -> Schema {
    let count = Schema::integer("How many there are.").example(1);
    Schema::object("A list.", [("numberOfElements", count), ("content", Schema::list("All of them.", Schema::named(name)))])
}

pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("SessionProperties", properties()),
        ("Session", session()),
        ("RecordingDefaults", defaults()),
        ("NodeChoice", Schema::body("A media node.", &[], [("id", Schema::text("Its identifier.").example("media_A1b2C3d4"))])),
    ]
}

fn properties() -> Schema {
    let [media_mode, recording_mode, codec, transcoding] = common();
    let id = Schema::text("The identifier it shall have. Empty or absent: a random one.").pattern("^[a-zA-Z0-9_-]*$").example("Room_1");
    let old = |what: &str| {
        Schema::text(&format!("{what} Up to 2.17 in the place of `defaultRecordingProperties`.")).with("deprecated", true.into())
    };
    Schema::body(
        "A session to be created.",
        &[],
        [
            ("customSessionId", id),
            ("mediaMode", media_mode.default("ROUTED")),
            ("recordingMode", recording_mode.default("MANUAL")),
            ("forcedVideoCodec", codec),
            ("allowTranscoding", transcoding),
            ("defaultRecordingProperties", Schema::named("RecordingDefaults")),
            ("mediaNode", Schema::named("NodeChoice")),
            ("defaultOutputMode", old("`COMPOSED` or `INDIVIDUAL`.").with("enum", ["COMPOSED", "INDIVIDUAL"].as_slice().into())),
            ("defaultRecordingLayout", old("A layout.").with("enum", LAYOUTS.as_slice().into())),
            ("defaultCustomLayout", old("The custom layout.")),
        ],
    )
    .example(json!({ "customSessionId": "Room_1" }))
}

fn session() -> Schema {
    let [media_mode, recording_mode, codec, transcoding] = common();
    let id = || Schema::text("Its identifier.").example("Room_1");
    Schema::object(
        "A session.",
        [
            ("id", id()),
            ("object", Schema::words("What this is.", &["session"])),
            ("sessionId", id()),
            ("createdAt", Schema::moment("When it was created.")),
            ("mediaMode", media_mode),
            ("recordingMode", recording_mode),
            ("defaultRecordingProperties", Schema::named("RecordingDefaults")),
            ("customSessionId", Schema::text("The identifier that was asked for; empty when none was.").example("Room_1")),
            ("connections", list_of("Connection")),
            ("recording", Schema::flag("Is it being recorded?").example(false)),
            ("forcedVideoCodec", codec),
            ("allowTranscoding", transcoding),
            ("mediaNodeId", Schema::text("Where it is placed, once somebody has joined.").example("media_A1b2C3d4")),
            ("defaultOutputMode", Schema::text("On the paths of old alone.").with("deprecated", true.into())),
            ("defaultRecordingLayout", Schema::text("On the paths of old alone.").with("deprecated", true.into())),
            ("defaultCustomLayout", Schema::text("On the paths of old alone.").with("deprecated", true.into())),
        ],
    )
    .optional(&["mediaNodeId", "defaultOutputMode", "defaultRecordingLayout", "defaultCustomLayout"])
}

/// What a session is asked to be and then is.
fn common() -> [Schema; 4] {
    [
        Schema::words("`RELAYED` is taken and behaves as `ROUTED`, but cannot be recorded.", &["ROUTED", "RELAYED"]).example("ROUTED"),
        Schema::words("`ALWAYS`: it is recorded from the first stream on.", &["MANUAL", "ALWAYS"]).example("MANUAL"),
        Schema::words(
            "The one codec browsers may publish with. When left out: `OPENVIDU_STREAMS_FORCED_VIDEO_CODEC`.",
            &["VP8", "VP9", "H264", "NONE"],
        )
        .example("VP8"),
        Schema::flag("May a browser that lacks the codec be served another? When left out: `OPENVIDU_STREAMS_ALLOW_TRANSCODING`.")
            .example(false),
    ]
}

fn defaults() -> Schema {
    let number = |schema: Schema| schema.with("type", ["integer", "string", "null"].as_slice().into());
    Schema::body(
        "What recordings of a session are like unless the request that starts one says otherwise. Numbers may be written as text. \
        Ranges are checked when a recording starts.",
        &[],
        [
            ("name", Schema::text("Base name of the film. Empty: that of the recording's identifier.").default("").example("lesson")),
            ("hasAudio", Schema::flag("With sound?").default(true)),
            ("hasVideo", Schema::flag("With pictures?").default(true)),
            ("outputMode", output_mode()),
            ("recordingLayout", layout()),
            ("customLayout", Schema::text("Which custom layout, with `CUSTOM`.")),
            ("resolution", resolution()),
            ("frameRate", number(frame_rate().example(25))),
            ("shmSize", number(Schema::integer("Taken for the sake of old applications; changes nothing. In bytes.").default(536_870_912))),
            ("ignoreFailedStreams", Schema::flag("With `INDIVIDUAL`: go on when one of the streams fails?").default(false)),
            (
                "mediaNode",
                Schema::one_of(
                    "Where to record: named as an object in requests, as a text in answers.",
                    [Schema::named("NodeChoice"), Schema::text("Its identifier.")],
                ),
            ),
        ],
    )
}

/// How the streams of a session become files.
pub fn output_mode() -> Schema {
    let words = ["COMPOSED", "COMPOSED_QUICK_START", "INDIVIDUAL"];
    Schema::words("All streams in one film, or each in a file of its own.", &words).default("COMPOSED")
}

pub fn layout() -> Schema {
    Schema::words("How the streams share the picture.", &LAYOUTS).default("BEST_FIT")
}

pub fn resolution() -> Schema {
    Schema::text("Width and height of the film in pixels, each from 100 to 1999.").default("1280x720").example("1280x720")
}

pub fn frame_rate() -> Schema {
    Schema::integer("Pictures per second, from 1 to 120.").default(25)
}
