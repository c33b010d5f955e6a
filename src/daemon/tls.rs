//! The certificate of the TLS doors: the configured one, or a self-signed one made at the first start and kept.

use super::state::State;
use crate::config::{Config, Problem};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

const FILE: &str = "VIDUCT_CERTIFICATE_FILE";
const KEY: &str = "VIDUCT_PRIVATE_KEY_FILE";
/// Key and certificate in one file, so that a power cut cannot leave half a pair.
const KEPT: &str = "certificate.pem";

/// What TLS needs, from files or made. Errors name the property.
pub fn acceptor(config: &Config, state: &State, lan: &[IpAddr]) -> Result<TlsAcceptor, Problem> {
    let pair = match &config.certificate {
        Some((certificate, key)) => (chain_from(certificate)?, key_from(key)?),
        None => self_signed(config, state, lan)?,
    };
    server(config, pair)
}

fn server(config: &Config, (chain, key): Pair) -> Result<TlsAcceptor, Problem> {
    let file = config.certificate.as_ref().map(|(file, _)| file.display().to_string()).unwrap_or_default();
    let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| Problem::new(FILE, file, format!("certificate and key cannot be used together: {error}")))?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

/// Can TLS be served as `config` says? Makes nothing. Errors name the property.
pub fn check(config: &Config) -> Result<(), Problem> {
    match &config.certificate {
        Some((certificate, key)) => server(config, (chain_from(certificate)?, key_from(key)?)).map(|_| ()),
        None => Ok(()),
    }
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn chain_from(path: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let problem = |what: String| Problem::new(FILE, path.display(), what);
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| problem(format!("no PEM certificate can be read from it: {error}")))?;
    if chain.is_empty() { Err(problem("there is no PEM certificate in it".into())) } else { Ok(chain) }
}

fn key_from(path: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| Problem::new(KEY, path.display(), format!("no PEM private key can be read from it: {error}")))
}

/// The kept certificate while it covers the domain, else a fresh one.
fn self_signed(config: &Config, state: &State, lan: &[IpAddr]) -> Result<Pair, Problem> {
    let kept = state.read(KEPT)?.filter(|pem| covers(pem, &config.domain)).and_then(|pem| parse(&pem));
    if let Some(pair) = kept {
        return Ok(pair);
    }
    let mut names = vec![config.domain.clone(), "localhost".into(), "127.0.0.1".into(), "::1".into()];
    names.extend(lan.iter().map(IpAddr::to_string));
    names.dedup();
    let unmade = |why: String| Problem::new("DOMAIN_OR_PUBLIC_IP", &config.domain, format!("no certificate can be made for it: {why}"));
    let pem = make(&names).map_err(|error| unmade(error.to_string()))?;
    state.write(KEPT, &pem)?;
    parse(&pem).ok_or_else(|| unmade("it does not read back".into()))
}

/// Key and certificate for `names` as PEM, under a line that lists them. Boards without a battery start in 1970, so the
/// certificate is valid from before then for ever (rcgen's default).
fn make(names: &[String]) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "Viduct");
    let certificate = params.self_signed(&key)?;
    Ok(format!("names: {}\n{}{}", names.join(" "), certificate.pem(), key.serialize_pem()))
}

fn covers(pem: &str, domain: &str) -> bool {
    let names = pem.lines().next().and_then(|line| line.strip_prefix("names: "));
    names.is_some_and(|names| names.split(' ').any(|name| name == domain))
}

fn parse(pem: &str) -> Option<Pair> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    (!chain.is_empty()).then_some((chain, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use std::collections::BTreeMap;
    use std::fs;

    fn config(folder: &Path, more: &[(&str, &str)]) -> Config {
        let path = folder.display().to_string();
        let pairs = [("VIDUCT_STATE_PATH", path.as_str()), ("DOMAIN_OR_PUBLIC_IP", "box.example.org")];
        let env: BTreeMap<_, _> = pairs.iter().chain(more).map(|(k, v)| (k.to_string(), v.to_string())).collect();
        load(&Sources::of(&env)).unwrap().config
    }

    #[test]
    fn the_self_signed_certificate_is_kept_while_it_covers_the_domain() {
        let folder = tempfile::tempdir().unwrap();
        let lan = [IpAddr::from([192, 168, 1, 2])];
        let file = folder.path().join(KEPT);
        let start = |domain: &str| {
            let config = config(folder.path(), &[("DOMAIN_OR_PUBLIC_IP", domain)]);
            acceptor(&config, &State::open(&config).unwrap(), &lan).expect("a certificate");
            fs::read_to_string(&file).unwrap()
        };
        let first = start("box.example.org");
        assert!(first.starts_with("names: box.example.org localhost 127.0.0.1 ::1 192.168.1.2\n"));
        assert_eq!(start("box.example.org"), first);
        assert_eq!(start("192.168.1.2"), first);
        assert_ne!(start("other.example.org"), first);
        fs::write(&file, "names: other.example.org\nbroken").unwrap();
        assert!(start("other.example.org").contains("BEGIN CERTIFICATE"));
    }

    #[test]
    fn own_files_are_used_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let pem = make(&["own.example.org".into()]).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("own.pem"), &pem).unwrap();
        fs::write(path("other.pem"), make(&["x".into()]).unwrap()).unwrap();
        fs::write(path("empty.pem"), "").unwrap();
        let start = |certificate: &str, key: &str| {
            let (certificate, key) = (path(certificate), path(key));
            let config = config(folder.path(), &[(FILE, &certificate), (KEY, &key)]);
            let accepted = acceptor(&config, &State::open(&config).unwrap(), &[]).map(|_| ());
            assert_eq!(check(&config), accepted);
            accepted.map_err(|problem| problem.to_string())
        };
        assert_eq!(start("own.pem", "own.pem"), Ok(()));
        for (certificate, key, named) in [
            ("missing.pem", "own.pem", FILE),
            ("empty.pem", "own.pem", FILE),
            ("own.pem", "missing.pem", KEY),
            ("own.pem", "empty.pem", KEY),
            ("own.pem", "other.pem", FILE),
        ] {
            let problem = start(certificate, key).unwrap_err();
            assert!(problem.starts_with(&format!("Property {named}=/")), "{problem}");
        }
    }

    #[tokio::test]
    async fn clients_that_trust_the_certificate_are_served_and_a_stop_waits_for_no_handshake() {
        use crate::clock::Clock;
        use crate::daemon::http::{Proxies, listen, serve};
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        use tokio::net::TcpStream;
        use tokio::sync::watch;
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), &[]);
        let tls = acceptor(&config, &State::open(&config).unwrap(), &[]).unwrap();
        let listener = listen(0, "HTTPS_PORT").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let app = axum::Router::new().route("/", axum::routing::get(|| async { "hello" }));
        let server =
            tokio::spawn(serve(listener, Some(watch::channel(tls).1), watch::channel(app).1, Proxies::default(), Clock::System, stopped));

        let (chain, _) = parse(&fs::read_to_string(folder.path().join(KEPT)).unwrap()).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(chain[0].clone()).unwrap();
        let client = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        for name in ["localhost", "127.0.0.1", "box.example.org"] {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let mut stream = connector.connect(name.try_into().unwrap(), stream).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"), "{answer}");
        }
        let mut silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stop.send_replace(true);
        server.await.unwrap();
        assert_eq!(silent.read(&mut [0; 8]).await.unwrap_or_default(), 0);
    }
}
