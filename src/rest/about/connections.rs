//! Connections, tokens, streams and signals, described.

use super::sessions::{list_of, pending, stats};
use crate::openapi::{Operation, Schema};
use crate::session::Role;
use crate::session::snapshot::CameraState;
use serde_json::json;

const TAG: &str = "Connections";

pub fn create() -> Operation {
    Operation::new(TAG, "createConnection", "Create a connection")
        .about(
            "`WEBRTC` (the default) makes a token, with which one browser may join. `IPCAM` makes the box itself play a camera into the \
            session: it is there at once, and tried again and again while the camera is away.",
        )
        .body(Schema::named("ConnectionProperties"))
        .json(200, "The new connection.", Schema::named("Connection"))
        .refuses(404, "There is no such session.")
        .refuses(503, "The box carries no more cameras.")
}

pub fn list() -> Operation {
    Operation::new(TAG, "listConnections", "List the connections of a session")
        .takes(pending(true))
        .takes(stats())
        .json(200, "Its connections.", list_of("Connection"))
        .refuses(404, "There is no such session.")
}

pub fn one() -> Operation {
    Operation::new(TAG, "getConnection", "Get a connection")
        .takes(pending(true))
        .takes(stats())
        .json(200, "The connection.", Schema::named("Connection"))
        .refuses(400, "There is no such session.")
        .refuses(404, "There is no such connection in it.")
}

pub fn change() -> Operation {
    let change = [("role", role()), ("record", record())];
    Operation::new(TAG, "updateConnection", "Change a connection")
        .body(Schema::body("What shall be different. What is left out stays.", &[], change).example(json!({ "role": "MODERATOR" })))
        .json(200, "The connection as it is then.", Schema::named("Connection"))
        .refuses(404, "There is no such session, or no such connection in it.")
        .refuses(405, "Not in the community edition (`OPENVIDU_EDITION=ce`).")
}

pub fn remove() -> Operation {
    Operation::new(TAG, "deleteConnection", "Remove a connection")
        .about("A browser is thrown out, a camera ends, a token that was not used is void.")
        .empty(204, "It is gone.")
        .refuses(400, "There is no such session.")
        .refuses(404, "There is no such connection in it.")
}

pub fn end_stream() -> Operation {
    Operation::new(TAG, "deleteStream", "End what a browser publishes")
        .about("Its connection stays.")
        .empty(204, "It is gone.")
        .refuses(400, "There is no such session.")
        .refuses(404, "There is no such stream in it.")
        .refuses(405, "It is the stream of a camera: remove its connection instead.")
}

pub fn token() -> Operation {
    Operation::new(TAG, "createToken", "Create a token (before 2.16)")
        .about("How applications made connections before 2.16. Use *Create a connection*.")
        .deprecated()
        .body(Schema::named("TokenProperties"))
        .json(200, "The token of a new connection.", Schema::named("Token"))
        .refuses(404, "There is no such session.")
}

pub fn signal() -> Operation {
    let fields = [
        ("session", Schema::text("The session.").example("Room_1")),
        (
            "to",
            Schema::list("Identifiers of the connections that shall get it. None: everybody.", Schema::text("").example("con_A123456789")),
        ),
        ("type", Schema::text("What browsers listen for: `chat` fires `signal:chat` there.").example("chat")),
        ("data", Schema::text("The message.").example("hello")),
    ];
    Operation::new("Signal", "sendSignal", "Send a message to the browsers of a session")
        .body(Schema::body("A message.", &["session"], fields).example(json!({ "session": "Room_1", "type": "chat", "data": "hello" })))
        .empty(200, "It was sent.")
        .refuses(404, "There is no such session.")
        .refuses(406, "Nobody has joined the session yet, or somebody in `to` is not in it; then nobody gets it.")
}

pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("ConnectionProperties", properties()),
        ("Connection", connection()),
        ("Publisher", publisher()),
        ("Subscriber", subscriber()),
        ("MediaOptions", media_options()),
        ("KurentoOptions", kurento_options()),
        ("Camera", camera()),
        ("TokenProperties", token_properties()),
        ("Token", made_token()),
    ]
}

fn properties() -> Schema {
    Schema::body(
        "A connection to be created.",
        &[],
        [
            ("type", Schema::words("A browser, or a camera.", &["WEBRTC", "IPCAM"]).default("WEBRTC")),
            ("data", Schema::text("Whatever the application wants the others to know of it: `serverData`.").default("").example("d")),
            ("record", record().default(true)),
            ("role", role().default(Role::default().as_str())),
            ("kurentoOptions", Schema::named("KurentoOptions")),
            ("rtspUri", Schema::text(RTSP_URI).example("rtsp://user:password@192.0.2.9:554/live")),
            ("adaptativeBitrate", adaptative_bitrate().default(true)),
            ("onlyPlayWithSubscribers", only_play_with_subscribers().default(true)),
            ("networkCache", network_cache().within(0, u32::MAX.into()).default(2000)),
        ],
    )
    .example(json!({ "type": "IPCAM", "rtspUri": "rtsp://user:password@192.0.2.9:554/live" }))
}

const RTSP_URI: &str = "With `IPCAM`: where the camera is. `rtsp://`, `rtsps://`, or `v4l2:///dev/video0` for one that is plugged in.";

fn connection() -> Schema {
    let id = || Schema::text("Its identifier.").example("con_A123456789");
    Schema::object(
        "A place in a session. Keys that only the other `type` has, or that have no value before it is used, are `null`.",
        [
            ("id", id()),
            ("object", Schema::words("What this is.", &["connection"])),
            ("status", Schema::words("`pending` until somebody uses its token.", &["pending", "active"])),
            ("connectionId", id()),
            ("sessionId", Schema::text("Its session.").example("Room_1")),
            ("createdAt", Schema::moment("When it was created.")),
            ("type", Schema::words("A browser, or a camera.", &["WEBRTC", "IPCAM"])),
            ("record", record()),
            ("role", role().or_null()),
            ("kurentoOptions", Schema::named("KurentoOptions").or_null()),
            ("rtspUri", Schema::text(RTSP_URI).or_null()),
            ("adaptativeBitrate", adaptative_bitrate().or_null()),
            ("onlyPlayWithSubscribers", only_play_with_subscribers().or_null()),
            ("networkCache", network_cache().or_null()),
            ("serverData", Schema::text("What the application said of it when it was created.").example("d")),
            ("token", token_url().or_null()),
            ("activeAt", Schema::moment("When it was first used.").or_null()),
            ("location", Schema::text("Where in the world; always `unknown`.").or_null()),
            ("ip", Schema::text("Address of the browser or the camera.").example("192.0.2.1").or_null()),
            ("platform", Schema::text("The browser and its system; `IPCAM`.").example("Chrome 89.0 on Linux 64-bit").or_null()),
            ("clientData", Schema::text("What the browser said of itself when it joined.").or_null()),
            ("publishers", Schema::list("What it sends.", Schema::named("Publisher")).or_null()),
            ("subscribers", Schema::list("What it receives.", Schema::named("Subscriber")).or_null()),
            ("camera", Schema::named("Camera")),
        ],
    )
    .optional(&["camera"])
}

fn publisher() -> Schema {
    let fields = [
        ("createdAt", Schema::moment("Since when.")),
        ("streamId", stream_id()),
        ("rtspUri", Schema::text("Where the camera is.")),
        ("mediaOptions", Schema::named("MediaOptions")),
    ];
    Schema::object("A stream that a connection sends.", fields.into_iter().chain(transport())).optional(&["rtspUri"]).optional(TRANSPORT)
}

fn subscriber() -> Schema {
    let fields = [("createdAt", Schema::moment("Since when.")), ("streamId", stream_id())];
    Schema::object("A stream that a connection receives.", fields.into_iter().chain(transport())).optional(TRANSPORT)
}

const TRANSPORT: &[&str] = &[
    "webrtcEndpointName",
    "remoteSdp",
    "localSdp",
    "clientIceCandidates",
    "serverIceCandidates",
    "localCandidate",
    "remoteCandidate",
    "events",
    "serverStats",
];

/// With `webRtcStats`, in the order of [`TRANSPORT`].
fn transport() -> [(&'static str, Schema); 9] {
    let candidates = |whose: &str| {
        let candidate = Schema::object("A candidate.", [("candidate", Schema::text("As in SDP."))]);
        Schema::list(&format!("Candidates of the {whose}, with `webRtcStats`."), candidate)
    };
    let traffic = |what: &str| {
        let fields = [("packets", Schema::integer("Datagrams.")), ("bytes", Schema::integer("Bytes in them."))];
        Schema::object(what, fields)
    };
    let statistics = [
        ("connected", Schema::flag("Can media flow?")),
        ("received", traffic("What came.")),
        ("sent", traffic("What went.")),
        ("packetsDropped", Schema::integer("Packets it was not given.")),
    ];
    [
        ("webrtcEndpointName", Schema::text("Name of the transport, with `webRtcStats`.")),
        ("remoteSdp", Schema::text("What the browser described, with `webRtcStats`.")),
        ("localSdp", Schema::text("What the box described, with `webRtcStats`.")),
        ("clientIceCandidates", candidates("browser")),
        ("serverIceCandidates", candidates("box")),
        ("localCandidate", Schema::text("The box's end in use, with `webRtcStats`.").or_null()),
        ("remoteCandidate", Schema::text("The browser's end in use, with `webRtcStats`.").or_null()),
        ("events", Schema::list("Always empty.", Schema::any_object("An event.", json!(true)))),
        ("serverStats", Schema::object("What went over it, with `webRtcStats`.", statistics)),
    ]
}

fn media_options() -> Schema {
    let fields = [
        ("hasAudio", Schema::flag("With sound?")),
        ("audioActive", Schema::flag("Is the sound on?")),
        ("hasVideo", Schema::flag("With pictures?")),
        ("videoActive", Schema::flag("Are the pictures on?")),
        ("typeOfVideo", Schema::text("`CAMERA`, `SCREEN`, `CUSTOM` or `IPCAM`.").example("CAMERA")),
        ("frameRate", Schema::integer("Pictures per second, as the browser says.").or_null()),
        ("videoDimensions", Schema::text("Width and height, as JSON in a text.").example(r#"{"width":640,"height":480}"#).or_null()),
        ("filter", Schema::any_object("Always empty.", json!(true))),
        ("adaptativeBitrate", adaptative_bitrate()),
        ("onlyPlayWithSubscribers", only_play_with_subscribers()),
        ("networkCache", network_cache()),
    ];
    let absent = ["audioActive", "videoActive", "typeOfVideo", "frameRate", "videoDimensions"];
    Schema::object("What is in a stream.", fields).optional(&absent).optional(&[
        "adaptativeBitrate",
        "onlyPlayWithSubscribers",
        "networkCache",
    ])
}

fn kurento_options() -> Schema {
    let kbps = |what: &str| {
        Schema::integer(&format!("{what}, in kbit/s; 0 = unlimited."))
            .with("type", ["integer", "string", "null"].as_slice().into())
            .example(1000)
    };
    Schema::body(
        "Bounds for one browser, in the place of the box's. Numbers may be written as text.",
        &[],
        [
            ("videoMaxRecvBandwidth", kbps("The most it may send")),
            ("videoMinRecvBandwidth", kbps("The least it should send")),
            ("videoMaxSendBandwidth", kbps("The most it is sent")),
            ("videoMinSendBandwidth", kbps("The least it is sent")),
            ("allowedFilters", Schema::list("Filters it may use.", Schema::text("").example("GStreamerFilter"))),
        ],
    )
    .example(json!({ "videoMaxRecvBandwidth": 1000 }))
}

fn camera() -> Schema {
    Schema::object(
        "How a camera is, with `webRtcStats`.",
        [
            (
                "state",
                Schema::words("`idle`: nobody watches, and it plays only with subscribers.", &CameraState::ALL.map(CameraState::word)),
            ),
            ("since", Schema::moment("Since when it is so.")),
            ("cause", Schema::text("What the matter is with one that is not there.").or_null()),
        ],
    )
}

fn token_properties() -> Schema {
    let fields = [
        ("session", Schema::text("The session.").example("Room_1")),
        ("type", Schema::words("Nothing else has a token.", &["WEBRTC"])),
        ("role", role().default(Role::default().as_str())),
        ("data", Schema::text("`serverData`.").default("")),
        ("kurentoOptions", Schema::named("KurentoOptions")),
    ];
    Schema::body("A token to be created.", &["session"], fields).example(json!({ "session": "Room_1", "role": "SUBSCRIBER" }))
}

fn made_token() -> Schema {
    let fields = [
        ("id", token_url()),
        ("token", token_url()),
        ("createdAt", Schema::moment("When it was created.")),
        ("connectionId", Schema::text("Its connection.").example("con_A123456789")),
        ("session", Schema::text("Its session.").example("Room_1")),
        ("data", Schema::text("`serverData`.")),
        ("role", role()),
        ("kurentoOptions", Schema::named("KurentoOptions")),
    ];
    Schema::object("A token.", fields).optional(&["kurentoOptions"])
}

fn token_url() -> Schema {
    Schema::text("What a browser joins with, once.").example("wss://localhost:4443?sessionId=Room_1&token=tok_A123456789012345")
}

fn stream_id() -> Schema {
    Schema::text("Identifier of the stream.").example("str_CAM_Wxyz_con_A123456789")
}

fn role() -> Schema {
    let words = Role::ALL.map(Role::as_str);
    Schema::words("`SUBSCRIBER` receives, `PUBLISHER` sends as well, `MODERATOR` may also throw others out.", &words)
}

fn record() -> Schema {
    Schema::flag("May individual recordings hold what it sends?")
}

fn adaptative_bitrate() -> Schema {
    Schema::flag("With `IPCAM`: taken for the sake of applications; a camera's pictures are forwarded as they are.")
}

fn only_play_with_subscribers() -> Schema {
    Schema::flag("With `IPCAM`: is the camera played only while somebody watches?")
}

fn network_cache() -> Schema {
    Schema::integer("With `IPCAM`: how much of the camera's jitter is smoothed, in ms.")
}
