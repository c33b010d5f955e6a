//! The few REST calls of the demo, made as an application would make them, over TLS to this machine.

use crate::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const CALL_LIMIT: Duration = Duration::from_secs(10);

pub struct Rest {
    port: u16,
    authorization: String,
    tls: TlsConnector,
}

impl Rest {
    pub fn new(port: u16, secret: &str) -> Self {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has the default protocol versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Own(provider)))
            .with_no_client_auth();
        let authorization = format!("Basic {}", STANDARD.encode(format!("OPENVIDUAPP:{secret}")));
        Self { port, authorization, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// The status alone of a GET.
    pub async fn status(&self, path: &str) -> Result<StatusCode> {
        Ok(self.call(Method::GET, path, Bytes::new()).await?.0)
    }

    /// The body of the answer; any status but 200 is an error that names it.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let (status, text) = self.call(Method::POST, path, body.to_string().into()).await?;
        if status != StatusCode::OK {
            return Err(format!("POST {path}: {status} {}", String::from_utf8_lossy(&text)).into());
        }
        Ok(serde_json::from_slice(&text)?)
    }

    /// One call on a connection of its own.
    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        let name = format!("{method} {path}");
        tokio::time::timeout(CALL_LIMIT, self.exchange(method, path, body))
            .await
            .map_err(|_| format!("{name}: no answer within {CALL_LIMIT:?}"))?
            .map_err(|cause| format!("{name}: {cause}").into())
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        let stream = self.tls.connect(ServerName::from(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST)), stream).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(format!("/openvidu/api/{path}"))
            .header(HOST, format!("127.0.0.1:{}", self.port))
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            Ok::<_, hyper::Error>((status, answer.into_body().collect().await?.to_bytes()))
        };
        // The connection is driven beside the exchange and ends with it.
        tokio::select! {
            answered = exchange => Ok(answered?),
            ended = async { connection.await.err() } => Err(format!("the connection ended: {ended:?}").into()),
        }
    }
}

/// Accepts whatever certificate is shown: the daemon that the demo itself started on this machine has signed its own.
#[derive(Debug)]
struct Own(Arc<CryptoProvider>);

impl ServerCertVerifier for Own {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
