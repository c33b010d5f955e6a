//! The whole document, of what is said of every route. Pure: the same for every box of one version.

use super::operation::parameter;
use super::{Operation, Schema};
use serde_json::{Map, Value, json};

/// A route, described.
#[derive(Clone, Debug)]
pub struct Described {
    pub method: &'static str,
    /// With its variables in braces; a star in them is the router's.
    pub path: &'static str,
    pub access: Access,
    /// Which scopes of API keys go so far, in words; empty where none is needed.
    pub scopes: String,
    pub operation: Operation,
}

/// What a request must carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Nothing.
    Public,
    /// The API secret, or an API key of a scope that goes so far.
    Credentials,
    /// The same, unless a property of the box opens it to everybody.
    CredentialsUnlessOpened,
    /// The same, or the token of a connection. Its door checks them itself.
    Token,
}

/// The groups of operations, in the order of a reader's way.
const TAGS: &[(&str, &str)] = &[
    ("Sessions", "Rooms. Who is in the same session can see and hear one another."),
    ("Connections", "Places in a session: a browser that joins with a token (`WEBRTC`), or a camera that the box plays (`IPCAM`)."),
    ("Signal", "Messages to the browsers of a session."),
    ("Recordings", "Films of sessions: begun, ended, listed, fetched, deleted."),
    ("Media nodes", "The box itself, in the shape of a cluster of one."),
    (
        "Watching",
        "WHEP: any player that speaks it watches a stream with one HTTP request. Browsers of a session use a WebSocket, and so does who follows events.",
    ),
    ("Keys", "Named API keys that go less far than the API secret. Not of OpenVidu."),
    ("Box", "How the box is configured, how it fares, what it did."),
];

/// The variables of paths: name, what it is, what it may look like.
const VARIABLES: &[(&str, &str, &str)] = &[
    ("session", "Identifier of a session.", "Room_1"),
    ("connection", "Identifier of a connection.", "con_A123456789"),
    ("stream", "Identifier of a stream.", "str_CAM_Wxyz_con_A123456789"),
    ("recording", "Identifier of a recording.", "Room_1"),
    ("node", "Identifier of a media node.", "media_A1b2C3d4"),
    ("file", "Name of a file.", "Room_1.mp4"),
    ("path", "Path of a file below the folder.", "mine/index.html"),
    ("key", "Name of an API key.", "gate"),
    ("viewer", "The last segment of the `Location` that a viewer was given.", "AAAA"),
];

const ABOUT: &str = "Sessions, cameras, viewers and recordings of a Viduct box.\n\n\
    The API is that of OpenVidu 2.x: its client libraries work unchanged. Bodies are JSON objects in which `null` counts as \
    left out and unknown fields are ignored. Moments are milliseconds since 1970-01-01T00:00:00Z. A slash at the end of a path is \
    ignored, and HEAD is served wherever GET is.\n\n\
    **Credentials** are HTTP Basic: user `OPENVIDUAPP`, password the value of `OPENVIDU_SECRET`. An API key goes in the place of that \
    password, or as `Bearer`. After too many wrong ones an address has to wait.";

/// The document. `version` is that of the API; `notes` are Markdown and stand before all else; `schemas` are what descriptions name.
pub fn document(version: &str, notes: &str, routes: Vec<Described>, schemas: Vec<(&str, Schema)>) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let operations = paths.entry(route.path.replace("{*", "{")).or_insert_with(|| json!({}));
        let method = route.method.to_ascii_lowercase();
        operations[method] = operation(route);
    }
    let schemas: Map<String, Value> =
        [("Error", error())].into_iter().chain(schemas).map(|(name, schema)| (name.to_owned(), schema.into_json())).collect();
    let tags: Vec<Value> = TAGS.iter().map(|(name, description)| json!({ "name": name, "description": description })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Viduct",
            "version": version,
            "description": format!("{ABOUT}\n\n{notes}"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The box that serves this document" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "secret": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "User `OPENVIDUAPP`, password: the value of `OPENVIDU_SECRET`.",
                },
                "key": { "type": "http", "scheme": "bearer", "description": "A named API key." },
                "token": { "type": "http", "scheme": "bearer", "description": "The token of a connection, for WHEP." },
            },
            "schemas": schemas,
        },
    })
}

/// One operation, with the answers that its kind has in common.
fn operation(route: Described) -> Value {
    let Described { path, access, scopes, mut operation, .. } = route;
    let variables: Vec<Value> = variables(path).map(variable).collect();
    if operation.takes_json() {
        operation = operation
            .refuses(400, "The body is missing where it must not be, is no JSON object, or a field of it is wrong: `message` names it.")
            .refuses(408, "The body did not arrive in time.")
            .refuses(413, "The body is larger than 64 KiB.")
            .refuses(415, "The body is not `application/json`.");
    } else if operation.has_parameters() || !variables.is_empty() {
        operation = operation.refuses(400, "A parameter cannot be read.");
    }
    operation = operation.refuses(414, "Path and query are longer than 8 KiB.").refuses(431, "The headers are larger than 16 KiB.");
    let security = match access {
        Access::Public => json!([]),
        Access::Credentials => json!([{ "secret": [] }, { "key": [] }]),
        Access::CredentialsUnlessOpened => json!([{ "secret": [] }, { "key": [] }, {}]),
        Access::Token => json!([{ "token": [] }, { "key": [] }, { "secret": [] }]),
    };
    if matches!(access, Access::Credentials | Access::CredentialsUnlessOpened) {
        operation = operation
            .refuses(401, "No credentials, or wrong ones.")
            .header("WWW-Authenticate", "`Basic realm=\"Realm\"`")
            .refuses(403, "The scope of the API key does not go so far.")
            .refuses(429, "Too many wrong credentials from this address.")
            .header("Retry-After", "When to come back, in seconds.");
    }
    if !scopes.is_empty() {
        operation = operation.and_about(&format!("API keys: scope {scopes}."));
    }
    operation.into_json(variables, security)
}

/// The names in the braces of a path; the star of a variable that swallows slashes is the router's.
fn variables(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(|name| name.trim_start_matches('*'))
}

fn variable(name: &str) -> Value {
    let (_, description, example) = VARIABLES.iter().find(|(known, ..)| *known == name).copied().unwrap_or((name, "", ""));
    parameter("path", name, Schema::text(description).with("minLength", 1.into()).example(example))
}

fn error() -> Schema {
    Schema::object(
        "Why a request was not served.",
        [
            (
                "timestamp",
                Schema::one_of(
                    "When. Refusals of the API itself have a number (milliseconds since 1970), those of the HTTP layer below it a text.",
                    [Schema::integer("").example(1_616_514_000_000_u64), Schema::text("").example("2021-03-23T15:40:00.042+00:00")],
                ),
            ),
            ("status", Schema::integer("The HTTP status.").within(400, 599).example(404)),
            ("error", Schema::text("The status in words.").example("Not Found")),
            ("message", Schema::text("What is wrong, and what would be right.").example("Session Room_1 not found")),
            ("path", Schema::text("What was asked for.").example("/openvidu/api/sessions/Room_1")),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found() {
        assert_eq!(variables("/a/{session}/b/{*path}").collect::<Vec<_>>(), ["session", "path"]);
        assert_eq!(variables("/a").count(), 0);
    }
}
