//! Recordings and films, described.

use super::sessions::{frame_rate, layout, output_mode, resolution};
use crate::openapi::{Operation, Parameter, Schema};
use crate::recording::Status;
use serde_json::json;

const TAG: &str = "Recordings";
const OFF: &str = "Recording is off (`OPENVIDU_RECORDING`).";

pub fn start() -> Operation {
    Operation::new(TAG, "startRecording", "Start recording a session")
        .about("Answered when the film grows. What the request leaves out is as the session's `defaultRecordingProperties` say.")
        .body(Schema::named("RecordingProperties"))
        .json(200, "The recording.", Schema::named("Recording"))
        .refuses(404, "There is no such session.")
        .refuses(406, "Nobody is in the session.")
        .refuses(409, "The session is being recorded already, or its `mediaMode` is not `ROUTED`.")
        .refuses(422, "`resolution`, `frameRate` or `shmSize` is out of range, or there is neither sound nor picture to record.")
        .refuses(500, "The recording could not be started; `message` says why.")
        .refuses(501, OFF)
        .refuses(501, "This version does not record that way: `INDIVIDUAL`, `COMPOSED_QUICK_START`, layouts other than `BEST_FIT`.")
        .refuses(503, "The box carries no more recordings.")
}

pub fn stop() -> Operation {
    Operation::new(TAG, "stopRecording", "Stop a recording")
        .about("Answered when the film is finished, or after 5 s with the status `stopped`; then it is finished a little later.")
        .json(200, "The recording.", Schema::named("Recording"))
        .refuses(404, "There is no such recording, or it has ended.")
        .refuses(406, "It is still starting.")
        .refuses(501, OFF)
}

pub fn list() -> Operation {
    let count = Schema::integer("How many there are.").example(1);
    let fields = [("count", count), ("items", Schema::list("All of them.", Schema::named("Recording")))];
    Operation::new(TAG, "listRecordings", "List all recordings")
        .json(200, "Every recording, running and finished.", Schema::object("A list.", fields))
        .refuses(501, OFF)
}

pub fn one() -> Operation {
    Operation::new(TAG, "getRecording", "Get a recording")
        .json(200, "The recording.", Schema::named("Recording"))
        .refuses(404, "There is no such recording.")
        .refuses(501, OFF)
}

pub fn delete() -> Operation {
    Operation::new(TAG, "deleteRecording", "Delete a recording and its files")
        .empty(204, "It is gone.")
        .refuses(404, "There is no such recording.")
        .refuses(409, "It is not finished: stop it first.")
        .refuses(500, "The disk did not let go of it; `message` says why.")
        .refuses(501, OFF)
}

pub fn film() -> Operation {
    let range = Schema::text("Which bytes.").example("bytes=0-1023");
    Operation::new(TAG, "getFilm", "Fetch a film or its thumbnail")
        .about("Ranges and conditions are served, so that players can seek. Needs no credentials with `OPENVIDU_RECORDING_PUBLIC_ACCESS`.")
        .takes(Parameter::header("Range", range))
        .content(200, "The whole file.", "video/mp4", Schema::bytes())
        .content(200, "A thumbnail.", "image/jpeg", Schema::bytes())
        .content(206, "The bytes that were asked for.", "video/mp4", Schema::bytes())
        .content(206, "", "image/jpeg", Schema::bytes())
        .empty(304, "It has not changed.")
        .refuses(404, "There is no such file.")
        .refuses(412, "It has changed.")
        .refuses(416, "It has no such bytes.")
}

pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![("RecordingProperties", properties()), ("Recording", recording())]
}

fn properties() -> Schema {
    Schema::body(
        "A recording to be started.",
        &["session"],
        [
            ("session", Schema::text("The session to be recorded.").example("Room_1")),
            (
                "name",
                Schema::text("Base name of the film, up to 200 characters.")
                    .pattern("^[a-zA-Z0-9_-]*$")
                    .with("maxLength", 200.into())
                    .example("lesson"),
            ),
            ("hasAudio", Schema::flag("With sound?").default(true)),
            ("hasVideo", Schema::flag("With pictures?").default(true)),
            ("outputMode", output_mode()),
            ("recordingLayout", layout()),
            ("customLayout", Schema::text("Which custom layout, with `CUSTOM`.")),
            ("resolution", resolution().pattern("^[0-9]+x[0-9]+$")),
            ("frameRate", frame_rate().within(1, 120)),
            (
                "shmSize",
                Schema::integer("Taken for the sake of old applications; changes nothing. In bytes.").with("minimum", 134_217_728.into()),
            ),
            ("ignoreFailedStreams", Schema::flag("With `INDIVIDUAL`: go on when one of the streams fails?").default(false)),
            ("mediaNode", Schema::named("NodeChoice")),
        ],
    )
    .example(json!({ "session": "Room_1", "name": "lesson" }))
}

fn recording() -> Schema {
    let url = "https://localhost:4443/openvidu/recordings/Room_1/Room_1.mp4";
    Schema::object(
        "A recording.",
        [
            ("id", Schema::text("Its identifier: that of the session, then `~1`, `~2` and so on behind it.").example("Room_1")),
            ("object", Schema::words("What this is.", &["recording"])),
            ("name", Schema::text("Base name of its film.").example("Room_1")),
            ("outputMode", output_mode()),
            ("resolution", resolution()),
            ("frameRate", frame_rate()),
            ("recordingLayout", layout()),
            ("sessionId", Schema::text("Its session.").example("Room_1")),
            ("mediaNode", Schema::text("Where it is made and kept; not in edition `ce`.").example("media_A1b2C3d4")),
            ("createdAt", Schema::moment("When it began.")),
            ("size", Schema::integer("Of its files, in bytes; 0 until it is finished.").with("minimum", 0.into()).example(4_195_840)),
            ("duration", Schema::number("In seconds; 0 until it is finished.").with("minimum", 0.into()).example(60.5)),
            ("url", Schema::text("Where the film is, once it is finished.").example(url).or_null()),
            ("urls", Schema::list("Where the parts are, when there is more than one.", Schema::text("").example(url))),
            ("hasAudio", Schema::flag("With sound?")),
            ("hasVideo", Schema::flag("With pictures?")),
            ("status", Schema::words("How far it is.", &Status::ALL.map(Status::as_str))),
        ],
    )
    .optional(&["resolution", "frameRate", "recordingLayout", "mediaNode", "urls"])
}
