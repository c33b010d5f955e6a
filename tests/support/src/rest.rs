//! A small HTTP client that checks what it gets: known headers only, JSON that is JSON, a body only where there is one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, RANGE};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Headers a response may carry; one that is not here is a surprise and fails the test.
const KNOWN_HEADERS: &[&str] = &[
    "accept-patch",
    "accept-post",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "link",
    "location",
    "referrer-policy",
    "retry-after",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-content-type-options",
];
/// How long one exchange may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// A client of one server on this machine. Cheap to clone; every request is a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    port: u16,
    tls: bool,
    authorization: Option<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The `Authorization` header of HTTP Basic (RFC 7617).
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

impl Client {
    /// A client of plain HTTP on `127.0.0.1:port`, without credentials.
    pub fn new(port: u16) -> Client {
        Client { port, tls: false, authorization: None }
    }

    /// A client of HTTPS on `127.0.0.1:port` that takes any certificate.
    pub fn tls(port: u16) -> Client {
        Client { tls: true, ..Client::new(port) }
    }

    /// The same with Basic credentials.
    pub fn basic(self, user: &str, password: &str) -> Client {
        Client { authorization: Some(basic(user, password)), ..self }
    }

    /// The same with a Bearer token.
    pub fn bearer(self, token: &str) -> Client {
        Client { authorization: Some(format!("Bearer {token}")), ..self }
    }

    /// The same without credentials.
    pub fn anonymous(self) -> Client {
        Client { authorization: None, ..self }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Response {
        self.call(Method::GET, path, None).await
    }

    /// GET that may fail because nobody listens yet.
    pub async fn try_get(&self, path: &str) -> Result<Response, Error> {
        self.exchange(Method::GET, path, None, None).await
    }

    /// GET of a range, as in `bytes=0-99`.
    pub async fn get_range(&self, path: &str, range: &str) -> Response {
        let response = self.exchange(Method::GET, path, Some(range), None).await.unwrap_or_else(|e| panic!("GET {path}: {e}"));
        response.check(path);
        response
    }

    /// POST of a JSON body that may fail because nobody listens, or may be answered with anything.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<Response, Error> {
        self.exchange(Method::POST, path, None, Some(("application/json", body.to_string()))).await
    }

    /// DELETE that may fail because nobody listens.
    pub async fn try_delete(&self, path: &str) -> Result<Response, Error> {
        self.exchange(Method::DELETE, path, None, None).await
    }

    /// POST of a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.post_as(path, "application/json", body.to_string()).await
    }

    /// Creates a session; gives its id.
    pub async fn session(&self, properties: Value) -> String {
        let session = self.post("/openvidu/api/sessions", properties).await.expect(200).json();
        session["id"].as_str().expect("a session has an id").to_owned()
    }

    /// Creates a connection; gives its JSON.
    pub async fn connection(&self, session: &str, properties: Value) -> Value {
        self.post(&format!("/openvidu/api/sessions/{session}/connection"), properties).await.expect(200).json()
    }

    /// POST of any body.
    pub async fn post_as(&self, path: &str, kind: &str, body: impl Into<String>) -> Response {
        self.call(Method::POST, path, Some((kind, body.into()))).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Response {
        self.call(Method::DELETE, path, None).await
    }

    /// Any method; panics when there is no answer, or one that the API does not give.
    pub async fn call(&self, method: Method, path: &str, body: Option<(&str, String)>) -> Response {
        let what = format!("{method} {path}");
        let response = self.exchange(method, path, None, body).await.unwrap_or_else(|e| panic!("{what}: {e}"));
        response.check(path);
        response
    }

    /// A connection that stays open. It ends when it is dropped.
    pub async fn line(&self) -> Result<Line, Error> {
        let (sender, connection) = handshake(TokioIo::new(self.connect().await?)).await.map_err(Error::other)?;
        // it ends with its sender
        tokio::spawn(connection);
        Ok(Line { client: self.clone(), sender })
    }

    async fn connect(&self) -> Result<Box<dyn Io>, Error> {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).await?;
        if !self.tls {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from("localhost").map_err(Error::other)?;
        Ok(Box::new(tokio_rustls::TlsConnector::from(trusting()).connect(name, tcp).await?))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        range: Option<&str>,
        body: Option<(&str, String)>,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, format!("127.0.0.1:{}", self.port));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        if let Some((kind, _)) = &body {
            request = request.header(CONTENT_TYPE, *kind);
        }
        let body = Full::new(Bytes::from(body.map(|(_, text)| text).unwrap_or_default()));
        request.body(body).map_err(Error::other)
    }

    async fn exchange(&self, method: Method, path: &str, range: Option<&str>, body: Option<(&str, String)>) -> Result<Response, Error> {
        let request = self.request(method, path, range, body)?;
        let all = async {
            let (mut sender, connection) = handshake(TokioIo::new(self.connect().await?)).await.map_err(Error::other)?;
            let connection = tokio::spawn(connection);
            let answered = answer(&mut sender, request).await;
            connection.abort();
            answered
        };
        tokio::time::timeout(DEADLINE, all).await.map_err(|_| Error::from(ErrorKind::TimedOut))?
    }
}

/// A connection of a client that stays open: one request after the other.
#[derive(Debug)]
pub struct Line {
    client: Client,
    sender: SendRequest<Full<Bytes>>,
}

impl Line {
    /// GET.
    pub async fn get(&mut self, path: &str) -> Result<Response, Error> {
        self.ask(Method::GET, path, None).await
    }

    /// POST of a JSON body.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Response, Error> {
        self.ask(Method::POST, path, Some(("application/json", body.to_string()))).await
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<(&str, String)>) -> Result<Response, Error> {
        let request = self.client.request(method, path, None, body)?;
        self.sender.ready().await.map_err(Error::other)?;
        answer(&mut self.sender, request).await
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

async fn answer(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<Response, Error> {
    let response = sender.send_request(request).await.map_err(Error::other)?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Error::other)?.to_bytes();
    Ok(Response { status: parts.status.as_u16(), headers: parts.headers, body })
}

impl Response {
    /// The JSON body; panics when there is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}) in a {} answer: {:?}", self.status, self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Fails the test unless the status is `status`; gives the answer back.
    #[track_caller]
    pub fn expect(self, status: u16) -> Response {
        assert_eq!(self.status, status, "body: {}", self.text());
        self
    }

    fn check(&self, path: &str) {
        for name in self.headers.keys() {
            assert!(KNOWN_HEADERS.contains(&name.as_str()), "{path}: unknown response header {name}");
        }
        if self.header("content-type").starts_with("application/json") {
            assert!(serde_json::from_slice::<Value>(&self.body).is_ok(), "{path}: the body is not JSON: {}", self.text());
        }
        assert!(self.body.is_empty() || self.headers.contains_key(CONTENT_TYPE), "{path}: a body without a type");
    }
}

/// A TLS client that takes the self-signed certificate of a test daemon.
fn trusting() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("ring has these versions");
    Arc::new(config.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate)).with_no_client_auth())
}

#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
