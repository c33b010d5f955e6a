//! API keys, described.

use super::sessions::list_of;
use crate::keys::Scope;
use crate::openapi::{Operation, Schema};
use serde_json::json;

const TAG: &str = "Keys";
const DISK: &str = "The file of the keys cannot be read or written.";

pub fn create() -> Operation {
    let fields = [
        ("name", Schema::text("What it shall be called: letters, digits, `_`, `-` and `.`.").example("gate")),
        ("scope", scope()),
        ("expiresAt", Schema::moment("From when on it opens nothing. When left out: never.").with("minimum", 0.into())),
    ];
    let body = Schema::body("A key to be made.", &["name", "scope"], fields).example(json!({ "name": "gate", "scope": "session:Room_1" }));
    let secret = Schema::text("The secret. Shown this once: the box itself keeps only a digest of it.").example("vk_…");
    Operation::new(TAG, "createKey", "Create an API key")
        .body(body)
        .json(200, "The key and its secret.", Schema::object("A new key.", key().into_iter().chain([("key", secret)])))
        .refuses(409, "There is a key of this name, or there are too many.")
        .refuses(500, DISK)
}

pub fn list() -> Operation {
    Operation::new(TAG, "listKeys", "List the API keys").json(200, "Every key, without its secret.", list_of("Key")).refuses(500, DISK)
}

pub fn one() -> Operation {
    Operation::new(TAG, "getKey", "Get an API key")
        .json(200, "The key, without its secret.", Schema::named("Key"))
        .refuses(404, "There is no such key.")
        .refuses(500, DISK)
}

pub fn revoke() -> Operation {
    Operation::new(TAG, "revokeKey", "Revoke an API key")
        .about("The next request with it is refused.")
        .empty(204, "It is gone.")
        .refuses(404, "There is no such key.")
        .refuses(500, DISK)
}

pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![("Key", Schema::object("An API key.", key()))]
}

fn key() -> [(&'static str, Schema); 6] {
    [
        ("name", Schema::text("Its name.").example("gate")),
        ("object", Schema::words("What this is.", &["key"])),
        ("scope", scope()),
        ("createdAt", Schema::moment("When it was made.")),
        ("lastUsedAt", Schema::moment("When it was last used, about.").or_null()),
        ("expiresAt", Schema::moment("From when on it opens nothing.").or_null()),
    ]
}

fn scope() -> Schema {
    Schema::text(&format!("How far it goes: {}.", Scope::FORMS.map(|form| format!("`{form}`")).join(", "))).example("session:Room_1")
}
