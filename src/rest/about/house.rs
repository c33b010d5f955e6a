//! The box itself, described: health, configuration, restart, records, layouts. Properties come from their table.

use crate::config::value::{Kind, Raw};
use crate::config::{PROPERTIES, Property, Shown, Value};
use crate::openapi::{Operation, Schema};
use serde_json::{Value as Json, json};

const TAG: &str = "Box";

pub fn health() -> Operation {
    let status = |word| Schema::object("How the box is.", [("status", Schema::words("`UP` or `DOWN`.", &[word]))]);
    Operation::new(TAG, "getHealth", "Is the box well?").json(200, "The media thread answers, and a media node runs.", status("UP")).json(
        503,
        "Not so.",
        status("DOWN"),
    )
}

pub fn status() -> Operation {
    let fields = [
        ("startTime", Schema::moment("Since when the server runs.")),
        ("restartCounter", Schema::integer("How often a restart by REST had it begin anew since then.")),
        ("lastRestartTime", Schema::moment("When the last of them was.").or_null()),
    ];
    Operation::new(TAG, "getStatus", "Since when does the server run?").json(
        200,
        "The life of the server so far.",
        Schema::object("", fields),
    )
}

pub fn config() -> Operation {
    Operation::new(TAG, "getConfig", "Get the configuration")
        .about("Secrets are not shown. Some properties are shown only while the one that switches them on is.")
        .json(200, "Property by property.", Schema::named("Configuration"))
}

pub fn version() -> Operation {
    text("getVersion", "Get the release whose API is spoken", "2.20.0")
}

pub fn public_url() -> Operation {
    text("getPublicUrl", "Get the base URL of the box", "https://localhost:4443/")
}

pub fn recording() -> Operation {
    switch("isRecordingOn", "Is recording on?")
}

pub fn recording_path() -> Operation {
    text("getRecordingPath", "Get the folder of the recordings", "/opt/openvidu/recordings/")
}

pub fn cdr() -> Operation {
    switch("isCdrOn", "Are call detail records written?")
}

pub fn restart() -> Operation {
    Operation::new(TAG, "restart", "Change the configuration and restart")
        .about(
            "Answered when the new values are kept; then all sessions end with the reason `openviduServerStopped`, and the box begins anew \
            within seconds. Ask `/openvidu/api/health` until it is `UP`. Names may be written as of old: `openvidu.cdr`.",
        )
        .body_if_any(Schema::named("ConfigurationChange"))
        .empty(200, "The restart has begun.")
        .refuses(400, "A property is unknown, wrong, or cannot be changed by a restart: `message` names each.")
        .refuses(500, "The configuration file cannot be written.")
        .refuses(503, "A restart is under way already.")
}

pub fn records() -> Operation {
    let name = Schema::text("").example("CDR.2021-03-24_10-00-00.log");
    Operation::new(TAG, "listRecords", "List the files of the call detail records").json(
        200,
        "Their names, oldest first.",
        Schema::list("", name),
    )
}

pub fn record() -> Operation {
    served(Operation::new(TAG, "getRecords", "Fetch a file of the call detail records").content(
        200,
        "One JSON object a line.",
        "text/plain",
        Schema::text(""),
    ))
    .content(206, "The bytes that were asked for.", "text/plain", Schema::text(""))
}

pub fn layout() -> Operation {
    served(Operation::new(TAG, "getLayout", "Fetch a file of a custom layout").content(200, "The file.", "*/*", Schema::bytes()))
        .content(206, "The bytes that were asked for.", "*/*", Schema::bytes())
        // a folder without a slash behind it
        .empty(307, "It is a folder.")
}

pub fn metrics() -> Operation {
    Operation::new(TAG, "getMetrics", "How the box fares, for Prometheus").content(
        200,
        "The exposition format, version 0.0.4.",
        "text/plain",
        Schema::text("").example("viduct_media_up 1\n"),
    )
}

pub fn openapi() -> Operation {
    Operation::new(TAG, "getDocument", "This document")
        .about("Needs no credentials: it is the same on every box of one version, and holds no secret.")
        .json(200, "OpenAPI 3.1.", Schema::any_object("The document.", json!(true)))
        .header("ETag", "Changes with the document.")
        .empty(304, "It has not changed.")
}

pub fn docs() -> Operation {
    Operation::new(TAG, "readDocument", "This document, as a page for people").content(200, "The page.", "text/html", Schema::text(""))
}

pub fn landing() -> Operation {
    Operation::new(TAG, "readLanding", "What this box is, as a page for people").content(200, "The page.", "text/html", Schema::text(""))
}

pub fn certificate() -> Operation {
    Operation::new(TAG, "acceptCertificate", "A page to accept the certificate by")
        .about("A person opens it once in a browser that does not know the box's own certificate.")
        .content(200, "The page.", "text/html", Schema::text(""))
}

pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![("Configuration", shown()), ("ConfigurationChange", restartable())]
}

fn text(id: &'static str, summary: &'static str, example: &str) -> Operation {
    Operation::new(TAG, id, summary).content(200, "As plain text.", "text/plain", Schema::text("").example(example))
}

fn switch(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(TAG, id, summary).json(200, "`true` or `false`.", Schema::flag("").example(true))
}

fn served(operation: Operation) -> Operation {
    operation
        .empty(304, "It has not changed.")
        .refuses(404, "There is no such file.")
        .refuses(412, "It has changed.")
        .refuses(416, "It has no such bytes.")
}

fn shown() -> Schema {
    let version = || Schema::text("The release whose API is spoken.").example("2.20.0");
    let own = [
        ("VERSION", version()),
        ("OPENVIDU_SERVER_DEPENDENCY_VERSION", version()),
        ("OPENVIDU_PUBLICURL", Schema::text("The base URL of the box.").example("https://localhost:4443")),
    ];
    let rows = PROPERTIES.iter().filter(|row| !matches!(row.shown, Shown::No | Shown::Old));
    let always = |row: &Property| row.shown == Shown::Always && !row.pro;
    let absent: Vec<&str> = rows.clone().filter(|row| !always(row)).map(|row| row.name).collect();
    Schema::object("The properties of the box.", own.into_iter().chain(rows.map(|row| (row.name, described(row)))))
        .optional(&["OPENVIDU_SERVER_DEPENDENCY_VERSION"])
        .optional(&absent)
        // the names of old on the paths of old
        .with("additionalProperties", json!(true))
}

fn restartable() -> Schema {
    let rows = PROPERTIES.iter().filter(|row| row.restartable);
    let about = "Properties and their new values. What *Get the configuration* shows may come back as it is. Values may also be \
        written as text, as in the environment.";
    Schema::body(about, &[], rows.map(|row| (row.name, described(row)))).example(json!({ "OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT": 60 }))
}

/// A property as its row in the table says.
fn described(row: &Property) -> Schema {
    let doc = format!("{}.", row.doc);
    let schema = match row.kind {
        Kind::Switch => Schema::flag(&doc),
        Kind::Number(from, to) => Schema::integer(&doc).within(from, to),
        Kind::Word(words) => Schema::words(&doc, words),
        Kind::Words(words) => Schema::list(&doc, Schema::words("", words)),
        Kind::Addresses | Kind::Networks | Kind::Uris | Kind::Headers => Schema::list(&doc, Schema::text("")),
        Kind::Secret | Kind::Text | Kind::Host | Kind::Path(_) | Kind::Url => Schema::text(&doc),
    };
    match row.kind.read(&Raw::Text(row.default.into())) {
        Ok(value) if !row.default.is_empty() => schema.default(plain(value)),
        _ => schema,
    }
}

fn plain(value: Value) -> Json {
    match value {
        Value::Switch(on) => json!(on),
        Value::Number(n) => json!(n),
        Value::Text(text) => json!(text),
        Value::List(list) => json!(list),
    }
}
