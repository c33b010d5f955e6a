//! The few REST calls of the demo, made as an application would make them, over TLS to this machine.

use crate::Result;
use serde_json::Value;
use viduct_testkit::rest::{Client, Response};

/// A client with the demo's secret. It takes the certificate that the daemon, which the demo itself started, has signed.
pub struct Rest(Client);

impl Rest {
    pub fn new(port: u16, secret: &str) -> Self {
        Self(Client::tls(port).basic("OPENVIDUAPP", secret))
    }

    /// The status alone of a GET.
    pub async fn status(&self, path: &str) -> Result<u16> {
        Ok(self.0.try_get(&address(path)).await?.status)
    }

    /// The body of the answer to a GET; any status but 200 is an error that names it.
    pub async fn get(&self, path: &str) -> Result<Value> {
        body("GET", path, self.0.try_get(&address(path)).await)
    }

    /// The body of the answer to a POST; any status but 200 is an error that names it.
    pub async fn post(&self, path: &str, wanted: &Value) -> Result<Value> {
        body("POST", path, self.0.try_post(&address(path), wanted).await)
    }
}

fn address(path: &str) -> String {
    format!("/openvidu/api/{path}")
}

fn body(method: &str, path: &str, answer: std::io::Result<Response>) -> Result<Value> {
    let answer = answer.map_err(|cause| format!("{method} {path}: {cause}"))?;
    match answer.status {
        200 => Ok(serde_json::from_slice(&answer.body)?),
        status => Err(format!("{method} {path}: {status} {}", answer.text()).into()),
    }
}
