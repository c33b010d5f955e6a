//! The doors of those who watch, described: WHEP, the WebSocket of browsers, and that of whoever follows events.

use crate::openapi::{Operation, Schema};

const TAG: &str = "Watching";
const SDP: &str = "application/sdp";
const PROBLEM: &str = "application/problem+json";

pub fn watch() -> Operation {
    let operation = Operation::new(TAG, "watchStream", "Watch a stream")
        .about(
            "WHEP (draft-ietf-wish-whep). The answer carries every candidate of the box; those of the viewer are learnt from its checks. \
            `Bearer` takes the token of a connection (its URL, or the `tok_…` in it), or an API key.",
        )
        .body_of(SDP, Schema::text("An SDP offer that receives."))
        .content(201, "The SDP answer.", SDP, Schema::text(""))
        .header("Location", "Of the viewer: DELETE ends it.");
    let refusals = [
        (400, "The offer is missing, or cannot be read."),
        (401, "No credentials, or wrong ones."),
        (403, "The scope of the API key does not go so far."),
        (404, "There is no such session, or no such stream in it."),
        (408, "The offer did not arrive in time."),
        (413, "The offer is larger than 64 KiB."),
        (415, "The body is not `application/sdp`."),
        (422, "The offer has no codec that the stream can be sent in."),
        (429, "Too many wrong credentials from this address."),
        (503, "The box takes no more viewers."),
        (504, "There was no answer in time."),
    ];
    refusals.into_iter().fold(operation, |operation, (status, why)| problem(operation, status, why))
}

pub fn unwatch() -> Operation {
    let operation = Operation::new(TAG, "stopWatching", "Stop watching")
        .about("Needs no credentials: the location that the viewer was given is one.")
        .empty(200, "The viewer is gone.");
    problem(operation, 404, "There is no such viewer.")
}

pub fn options() -> Operation {
    Operation::new(TAG, "describeWatching", "What may be posted")
        .empty(200, "To a browser that asks before it posts (CORS).")
        .empty(204, "An offer.")
        .header("Accept-Post", "`application/sdp`")
}

pub fn signaling() -> Operation {
    Operation::new(TAG, "openSignaling", "Open the WebSocket of a browser")
        .about("JSON-RPC 2.0, as `openvidu-browser` speaks it; the URL of a token leads here. Not an operation for HTTP clients.")
        .empty(101, "The connection is a WebSocket from here on.")
        .refuses(400, "It is no request for a WebSocket.")
        .refuses(426, "The connection cannot become a WebSocket.")
        .refuses(503, "The box takes no more browsers.")
}

pub fn feed() -> Operation {
    Operation::new(TAG, "followEvents", "Hear what happens, as it happens")
        .about(
            "A WebSocket. Each message is one event as JSON, like a line of the call detail records, from the moment the socket opens on. \
            What a client sends is ignored. One that does not read is closed with 1008.",
        )
        .empty(101, "The connection is a WebSocket from here on.")
        .refuses(426, "It is no request for a WebSocket.")
        .refuses(503, "The box tells no more sockets: 16 at a time.")
}

pub fn schemas() -> Vec<(&'static str, Schema)> {
    let fields = [
        ("type", Schema::text("Always `about:blank`.")),
        ("title", Schema::text("The status in words.").example("Not Found")),
        ("status", Schema::integer("The HTTP status.").within(400, 599).example(404)),
        ("detail", Schema::text("What is wrong, and what would be right.").example("there is no such viewer")),
    ];
    vec![("Problem", Schema::object("Why a request was not served (RFC 9457).", fields))]
}

fn problem(operation: Operation, status: u16, why: &str) -> Operation {
    operation.content(status, why, PROBLEM, Schema::named("Problem"))
}
