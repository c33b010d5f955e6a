//! One post to the endpoint of the webhook, and what its answer means. Follows no redirects: an event goes where the operator said,
//! or nowhere.

use super::queue::Waiting;
use crate::causes::with_causes;
use crate::clock::Clock;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use url::Url;

/// The header that tells an event from its repetition: the same at every attempt.
pub const ID_HEADER: &str = "x-viduct-event-id";
/// How long a connection may take (events.md §3).
const CONNECT: Duration = Duration::from_secs(10);
/// How long the whole exchange may take: connection and answer.
const EXCHANGE: Duration = Duration::from_secs(20);
/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(30);
/// How much of an answer is read, in bytes: nobody looks at it, but a connection is good again only behind it.
const ANSWER: usize = 64 * 1024;

/// Where events are posted, and how.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// `http` or `https`; user info becomes Basic credentials.
    pub endpoint: String,
    /// `Name: value`
    pub headers: Vec<String>,
    /// Must the certificate of the endpoint be good?
    pub verify: bool,
}

impl Target {
    /// Can anything be posted there? Nobody is asked yet. An endpoint on this very box is as good as any: only who has the API secret
    /// says where events go, and the service that wants them often stands beside the daemon.
    pub fn check(&self) -> Result<(), BadTarget> {
        Http::new(self, Clock::System).map(drop)
    }
}

/// Why nothing can be posted there. The texts quote no credentials.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadTarget {
    #[error("must be a URL of http or https")]
    Endpoint,
    #[error("the header {0} cannot be sent")]
    Header(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// What became of a post.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It has it.
    Taken,
    /// It does not want it, now or later.
    Refused(String),
    /// It tried and could not; it may be this event.
    Failed(String),
    /// Nobody is there, or not ready for anything.
    Away(String),
}

pub(super) type Posting = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Whoever takes events.
pub(super) trait Endpoint: Send {
    /// Hands one over. Ends within [`EXCHANGE`].
    fn post(&self, event: &Waiting) -> Posting;
}

/// The endpoint of the configuration.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    clock: Clock,
}

impl Http {
    pub fn new(target: &Target, clock: Clock) -> Result<Http, BadTarget> {
        let mut url = Url::parse(&target.endpoint).map_err(|_| BadTarget::Endpoint)?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(BadTarget::Endpoint);
        }
        let mut headers = headers(target)?;
        if !url.username().is_empty() || url.password().is_some() {
            let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
            let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            let mut value = HeaderValue::try_from(basic).map_err(|_| BadTarget::Endpoint)?;
            value.set_sensitive(true);
            headers.entry(AUTHORIZATION).or_insert(value);
            // a URL with a host can be without user info
            let _ = (url.set_username(""), url.set_password(None));
        }
        url.set_fragment(None);
        let uri = Uri::try_from(url.as_str()).map_err(|_| BadTarget::Endpoint)?;
        let tls = tls(target.verify, url.scheme() == "https").map_err(|error| BadTarget::Tls(error.to_string()))?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).pool_timer(TokioTimer::new()).build(connector);
        Ok(Http { client, uri, headers, clock })
    }
}

impl Endpoint for Http {
    fn post(&self, event: &Waiting) -> Posting {
        let mut request = Request::post(self.uri.clone()).body(Full::new(Bytes::copy_from_slice(event.body.as_bytes())));
        if let Ok(request) = &mut request {
            *request.headers_mut() = self.headers.clone();
            if let Ok(id) = HeaderValue::from_str(&event.id) {
                request.headers_mut().insert(ID_HEADER, id);
            }
        }
        let (client, clock) = (self.client.clone(), self.clock);
        Box::pin(async move {
            let exchange = async {
                let answer = client.request(request.map_err(|error| error.to_string())?).await.map_err(|error| with_causes(&error))?;
                let (parts, body) = answer.into_parts();
                // an answer that is too long, or breaks off, is one all the same
                let _ = Limited::new(body, ANSWER).collect().await;
                Ok::<_, String>(Response::from_parts(parts, ()))
            };
            tokio::select! {
                answer = exchange => answer.map_or_else(Outcome::Away, |answer| judge(&answer)),
                () = clock.sleep(EXCHANGE) => Outcome::Away(format!("no answer within {} s", EXCHANGE.as_secs())),
            }
        })
    }
}

/// What an answer means. The original takes 200 alone, and repeats nothing that was answered.
fn judge(answer: &Response<()>) -> Outcome {
    let status = answer.status();
    match status {
        _ if status.is_success() => Outcome::Taken,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => Outcome::Away(status.to_string()),
        // a proxy says so of whom it stands for
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Outcome::Away(status.to_string()),
        _ if status.is_server_error() => Outcome::Failed(status.to_string()),
        _ if status.is_redirection() => {
            let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            Outcome::Refused(format!("{status}: it sends to {to}, which is not followed"))
        }
        _ => Outcome::Refused(status.to_string()),
    }
}

/// Those of the configuration, and the type of the body unless it is among them.
fn headers(target: &Target) -> Result<HeaderMap, BadTarget> {
    let mut headers = HeaderMap::new();
    for header in &target.headers {
        let (name, value) = header.split_once(':').unwrap_or((header, ""));
        let bad = || BadTarget::Header(name.to_owned());
        let (key, mut value) =
            (HeaderName::try_from(name.trim()).map_err(|_| bad())?, HeaderValue::try_from(value.trim()).map_err(|_| bad())?);
        value.set_sensitive(true);
        headers.append(key, value);
    }
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Ok(headers)
}

fn decoded(text: &str) -> String {
    // a form with one name and no value: the only percent-decoding at hand; a plus stands for itself in user info
    let form = text.replace('+', "%2B");
    url::form_urlencoded::parse(form.as_bytes()).map(|(name, _)| name.into_owned()).next().unwrap_or_default()
}

fn tls(verify: bool, needed: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    if !verify {
        return Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    if needed {
        let found = rustls_native_certs::load_native_certs();
        let (good, _) = roots.add_parsable_certificates(found.certs);
        if good == 0 {
            tracing::warn!(errors = ?found.errors, "this system trusts no certificate authority: no webhook over https will be trusted");
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Takes any certificate, as the original does; whoever holds its key must still prove it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(endpoint: &str, headers: &[&str]) -> Target {
        Target { endpoint: endpoint.into(), headers: headers.iter().map(|header| header.to_string()).collect(), verify: true }
    }

    fn http(target: &Target) -> Result<Http, BadTarget> {
        Http::new(target, Clock::System)
    }

    #[tokio::test]
    async fn headers_are_those_of_the_configuration_and_a_type() {
        let made = http(&target("http://host:1/hook?x=1#y", &["A: b:c", "A: d", "X-Key:k"])).unwrap();
        let shown: Vec<_> = made.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        assert_eq!(shown, ["a=b:c", "a=d", "x-key=k", "content-type=application/json"]);
        assert_eq!(made.uri.to_string(), "http://host:1/hook?x=1");
        let typed = http(&target("http://host", &["Content-Type: application/x"])).unwrap();
        assert_eq!((typed.headers.len(), &typed.headers["content-type"]), (1, &HeaderValue::from_static("application/x")));
        let with_user = http(&target("http://me:p%40ss+1@host/", &[])).unwrap();
        assert_eq!(with_user.uri.to_string(), "http://host/");
        assert_eq!(with_user.headers["authorization"], format!("Basic {}", STANDARD.encode("me:p@ss+1")));
    }

    #[tokio::test]
    async fn what_cannot_be_posted_to_is_told_without_credentials() {
        for (endpoint, header) in
            [("ftp://host/", "A: b"), ("no url", "A: b"), ("http://host", "Bad Name: secret"), ("http://host", "A: s\u{7f}")]
        {
            let error = http(&target(endpoint, &[header])).err().unwrap().to_string();
            assert!(!error.contains("secret") && !error.is_empty(), "{error}");
        }
    }

    #[test]
    fn what_answers_mean() {
        let judged = |status: u16| judge(&Response::builder().status(status).header(LOCATION, "https://else").body(()).unwrap());
        for status in [200, 201, 204] {
            assert_eq!(judged(status), Outcome::Taken);
        }
        for status in [408, 425, 429, 502, 503, 504] {
            assert!(matches!(judged(status), Outcome::Away(_)), "{status}");
        }
        for status in [500, 501, 505] {
            assert!(matches!(judged(status), Outcome::Failed(_)), "{status}");
        }
        for status in [301, 302, 307, 308, 400, 401, 404, 410] {
            assert!(matches!(judged(status), Outcome::Refused(_)), "{status}");
        }
        assert_eq!(judged(308), Outcome::Refused("308 Permanent Redirect: it sends to https://else, which is not followed".into()));
    }
}
