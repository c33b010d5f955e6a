//! `/openvidu/api/keys`: API keys, for who holds the API secret or a key to everything. Not of OpenVidu.

use super::body::Fields;
use super::error::Failure;
use super::{Api, render};
use crate::keys::{BadScope, Error, Key, KeyFile, Wish};
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// POST: 200 with the key and, this once, its secret; 400 a bad body, 409 the name is taken or there are too many, 500 the disk.
pub async fn create(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Failure> {
    let (wish, now) = (wish(&Fields::require(request).await?)?, api.clock.unix_ms());
    let (key, secret) = on_disk(&api, move |file| file.create(wish, now)).await?;
    tracing::info!(key = %key.name, scope = %key.scope, "an API key was made");
    let mut answer = json(&key);
    answer["key"] = json!(secret);
    Ok(render::ok(&answer))
}

/// GET: 200 with every key, without the secrets, which nobody knows.
pub async fn list(State(api): State<Arc<Api>>) -> Result<Response, Failure> {
    let keys = on_disk(&api, |file| file.list()).await?;
    Ok(render::ok(&render::list(keys.iter().map(json).collect())))
}

/// GET of one: 200, 404 unknown.
pub async fn one(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Result<Response, Failure> {
    let keys = on_disk(&api, |file| file.list()).await?;
    let key = keys.iter().find(|key| key.name == name).ok_or(Error::Unknown(name))?;
    Ok(render::ok(&json(key)))
}

/// DELETE: 204, and the next request with it is refused; 404 unknown.
pub async fn revoke(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    let gone = name.clone();
    on_disk(&api, move |file| file.revoke(&gone)).await?;
    tracing::info!(key = %name, "an API key was revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// What a body wants. Errors: 400.
fn wish(fields: &Fields) -> Result<Wish, Failure> {
    let name = fields.string("name")?.ok_or_else(|| Failure::bad("\"name\" parameter is mandatory"))?.to_owned();
    let scope = fields.string("scope")?.ok_or_else(|| Failure::bad("\"scope\" parameter is mandatory"))?;
    let scope = scope.parse().map_err(|error: BadScope| Failure::bad(format!("Parameter 'scope' is wrong: {error}")))?;
    let expires_at = fields.whole("expiresAt")?.map(|ms| u64::try_from(ms).unwrap_or_default());
    Ok(Wish { name, scope, expires_at })
}

/// Times in ms since 1970.
fn json(key: &Key) -> Value {
    json!({
        "name": key.name,
        "object": "key",
        "scope": key.scope.to_string(),
        "createdAt": key.created_at,
        "lastUsedAt": key.last_used_at,
        "expiresAt": key.expires_at,
    })
}

async fn on_disk<T: Send + 'static>(api: &Api, work: impl FnOnce(&KeyFile) -> Result<T, Error> + Send + 'static) -> Result<T, Failure> {
    let file = api.keyring.file().clone();
    let done = tokio::task::spawn_blocking(move || work(&file)).await;
    Ok(done.map_err(|error| Failure::own(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))??)
}
