//! Media nodes, described.

use super::sessions::list_of;
use crate::cluster::Status;
use crate::openapi::{Operation, Parameter, Schema};
use serde_json::json;

const TAG: &str = "Media nodes";

pub fn list() -> Operation {
    with_extras(new("listMediaNodes", "List the media nodes")).json(200, "Every node.", list_of("MediaNode"))
}

pub fn one() -> Operation {
    with_extras(new("getMediaNode", "Get a media node"))
        .json(200, "The node.", Schema::named("MediaNode"))
        .refuses(404, "There is no such node.")
}

pub fn add() -> Operation {
    let fields = [
        ("uri", Schema::text("Where it is.").example("ws://192.0.2.7:8888/kurento")),
        ("environmentId", Schema::text("What its environment calls it.")),
    ];
    new("addMediaNode", "Add a media node")
        .about("Nodes on other machines cannot join in this version: the answer says what is missing.")
        .takes(Parameter::flag("wait", false, "Answer only when it runs?"))
        .body_if_any(Schema::body("A node.", &["uri"], fields))
        .json(200, "The node.", Schema::named("MediaNode"))
        .refuses(404, "Nobody answers there, or nobody that may join.")
        .refuses(409, "It is a node already.")
        .refuses(501, "`uri` is missing: nodes cannot be launched here, only added.")
}

pub fn discover() -> Operation {
    new("discoverMediaNodes", "Look for media nodes").json(200, "The nodes that were found and added.", list_of("MediaNode"))
}

pub fn change() -> Operation {
    let status = Schema::words("What it shall be.", &Status::ALL.map(Status::as_str));
    let example = json!({ "status": Status::WaitingIdleToTerminate.as_str() });
    new("updateMediaNode", "Change the status of a media node")
        .about("`waiting-idle-to-terminate`: it takes no more sessions and goes with the last. `running` takes that back.")
        .body(Schema::body("What shall be different.", &["status"], [("status", status)]).example(example))
        .json(200, "The node as it is then.", Schema::named("MediaNode"))
        .empty(204, "It has that status.")
        .refuses(404, "There is no such node.")
}

pub fn remove() -> Operation {
    let words = ["if-no-sessions", "when-no-sessions", "now"];
    new("removeMediaNode", "Remove a media node")
        .takes(Parameter::flag("wait", false, "Answer only when it is gone?"))
        .takes(Parameter::query("deletion-strategy", Schema::words("What becomes of its sessions.", &words).default("if-no-sessions")))
        .empty(202, "It goes with its last session.")
        .empty(204, "It is gone.")
        .refuses(404, "There is no such node.")
        .refuses(409, "It has sessions.")
}

pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![("MediaNode", node())]
}

fn new(id: &'static str, summary: &'static str) -> Operation {
    let ce = "There are no media nodes in the community edition (`OPENVIDU_EDITION=ce`).";
    Operation::new(TAG, id, summary).refuses(404, ce).refuses(501, "Media nodes are not offered (`OPENVIDU_PRO_CLUSTER=false`).")
}

fn with_extras(operation: Operation) -> Operation {
    operation
        .takes(Parameter::flag("sessions", false, "With the sessions it carries?"))
        .takes(Parameter::flag("recordings", false, "With what is being recorded on it?"))
        .takes(Parameter::flag("extra-info", false, "With its software?"))
        .takes(Parameter::flag("load", false, "Of 2.13: the load is told anyway."))
}

fn node() -> Schema {
    let module = [
        ("name", Schema::text("Its name.")),
        ("version", Schema::text("Its version.")),
        ("factories", Schema::list("What it makes.", Schema::text(""))),
    ];
    let info = [
        ("memory", Schema::integer("Memory in use, in KiB.").or_null()),
        ("version", Schema::text("Its version.").example("0.1.0")),
        ("capabilities", Schema::list("What it can do.", Schema::text(""))),
        ("modules", Schema::list("What it is made of.", Schema::object("A module.", module))),
    ];
    Schema::object(
        "A machine that carries sessions.",
        [
            ("id", Schema::text("Its identifier.").example("media_A1b2C3d4")),
            ("object", Schema::words("What this is.", &["mediaNode"])),
            ("environmentId", Schema::text("What its environment calls it.").or_null()),
            ("ip", Schema::text("Its address.").example("192.0.2.7").or_null()),
            ("uri", Schema::text("Where it is.").example("ws://192.0.2.7:8888/kurento")),
            ("launchingTime", Schema::moment("When it began.")),
            ("connected", Schema::flag("Is it reached?")),
            ("connectionTime", Schema::moment("Since when it is reached.").or_null()),
            (
                "load",
                Schema::number("How busy its processors are, in percent.")
                    .with("minimum", json!(0))
                    .with("maximum", json!(100))
                    .example(12.5),
            ),
            ("status", Schema::words("How far it is in its life.", &Status::ALL.map(Status::as_str))),
            ("sessions", Schema::list("What it carries, with `sessions`.", Schema::named("Session"))),
            ("recordingIds", Schema::list("What is being recorded, with `recordings`.", Schema::text("").example("Room_1"))),
            ("kurentoInfo", Schema::object("Its software, with `extra-info`.", info)),
        ],
    )
    .optional(&["sessions", "recordingIds", "kurentoInfo"])
}
