//! The few REST calls of the demo, made as an application would make them, over TLS to this machine.

use crate::Result;
use serde_json::Value;
use viduct_testkit::rest::Client;

/// A client with the demo's secret. It takes the certificate that the daemon, which the demo itself started, has signed.
pub struct Rest(Client);

impl Rest {
    pub fn new(port: u16, secret: &str) -> Self {
        Self(Client::tls(port).basic("OPENVIDUAPP", secret))
    }

    /// The status alone of a GET.
    pub async fn status(&self, path: &str) -> Result<u16> {
        Ok(self.0.try_get(&format!("/openvidu/api/{path}")).await?.status)
    }

    /// The body of the answer; any status but 200 is an error that names it.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.0.try_post(&format!("/openvidu/api/{path}"), body).await.map_err(|cause| format!("POST {path}: {cause}"))?;
        match answer.status {
            200 => Ok(serde_json::from_slice(&answer.body)?),
            status => Err(format!("POST {path}: {status} {}", answer.text()).into()),
        }
    }
}
