//! The address of a camera: parsed and checked once, credentials split off, safe to log.
//!
//! REST parses what a caller sent into a [`CameraSpec`]; the worker only ever sees that. Where a camera may be is decided by
//! [`allowed`], on literal addresses here and again by the worker on the address a name resolves to.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;
use url::{Host, Url};

/// Longest URI in bytes.
const MAX_URI: usize = 4096;

/// A camera as a worker needs it. `Debug` and `Display` never show the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CameraSpec {
    /// URL without user info: `rtsp://host[:port]/path?query`.
    pub url: String,
    /// User name, percent-decoded; empty when the URL has none.
    pub user: String,
    /// Password, percent-decoded.
    pub password: String,
    /// Jitter buffer of the receiver in ms (`networkCache`).
    pub latency_ms: u32,
    /// May the camera be on a loopback or link-local address?
    pub allow_loopback: bool,
    /// How its packets come.
    #[serde(default)]
    pub transport: Transport,
}

/// How RTP comes from a camera. Either is the wish; where the camera refuses it, the other is taken.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Interleaved with RTSP: no loss, no ports to open.
    #[default]
    Tcp,
    /// `#transport=udp` at the end of the URI.
    Udp,
}

impl Transport {
    /// What is left when this one does not work.
    pub fn other(self) -> Transport {
        match self {
            Transport::Tcp => Transport::Udp,
            Transport::Udp => Transport::Tcp,
        }
    }
}

/// What a camera's URI is made of: the spec, and what an id of its connection is made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CameraUri {
    pub spec: CameraSpec,
    /// `host[:port]path`: no query, no user info, no brackets around an IPv6 address, nothing that may be a password.
    pub place: String,
    /// `rtsp` or `rtsps`.
    pub scheme: &'static str,
}

/// The text is no address of a camera that can be pulled. The texts quote nothing of the URI but an address.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BadCameraUri {
    #[error("the scheme is not rtsp:// or rtsps://")]
    Scheme,
    #[error("not a URL with a host")]
    Url,
    #[error("longer than {MAX_URI} bytes")]
    Long,
    #[error("a camera on {0} is refused: loopback, link-local, multicast and unspecified addresses need VIDUCT_CAMERA_ALLOW_LOOPBACK")]
    Forbidden(IpAddr),
}

/// May a camera be at `ip`? With `allow_loopback` anywhere; without it not where only this box or its link answers, so that an
/// API caller cannot reach services of the box itself.
pub fn allowed(ip: IpAddr, allow_loopback: bool) -> bool {
    allow_loopback
        || match ip.to_canonical() {
            IpAddr::V4(v4) => {
                let this_network = v4.octets()[0] == 0;
                !(this_network || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast())
            }
            IpAddr::V6(v6) => {
                let of_the_link = v6.is_unspecified() || v6.is_loopback() || v6.is_unicast_link_local() || v6.is_multicast();
                !of_the_link && within(v6).is_none_or(|v4| allowed(v4.into(), false))
            }
        }
}

/// The IPv4 address that an IPv6 one leads to: what it ends with under `::/96` (RFC 4291 §2.5.5.1) and `64:ff9b::/96` (NAT64,
/// RFC 6052 §2.1), what follows the prefix under `2002::/16` (6to4, RFC 3056 §2). A mapped one is an IPv4 address already.
fn within(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let (last, after_prefix) = (v6.to_bits() as u32, (v6.to_bits() >> 80) as u32);
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(last.into()),
        [0x2002, ..] => Some(after_prefix.into()),
        _ => None,
    }
}

impl CameraSpec {
    /// Parses `rtspUri` (rest.md §6). User info ends at the last `@` of the authority and splits at its first `:`, so a password
    /// may hold a raw `@` or `:`. People type `/ ? #` in passwords too: where the standard reading finds no host and port, the
    /// first `@` behind which there are is taken. The fragment is for this box, not for the camera: [`Transport`].
    pub fn parse(uri: &str, latency_ms: u32, allow_loopback: bool) -> Result<CameraUri, BadCameraUri> {
        if uri.len() > MAX_URI {
            return Err(BadCameraUri::Long);
        }
        let schemes = [("rtsp", "rtsp://"), ("rtsps", "rtsps://")];
        let (scheme, prefix) = schemes.into_iter().find(|(_, prefix)| uri.starts_with(prefix)).ok_or(BadCameraUri::Scheme)?;
        let (user_info, address) = split_user_info(&uri[prefix.len()..]);
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));

        let mut url = Url::parse(&format!("{prefix}{address}")).map_err(|_| BadCameraUri::Url)?;
        let transport = if url.fragment() == Some("transport=udp") { Transport::Udp } else { Transport::Tcp };
        url.set_fragment(None);
        let host = url.host().filter(|host| *host != Host::Domain("")).ok_or(BadCameraUri::Url)?;
        if url.port() == Some(0) {
            return Err(BadCameraUri::Url);
        }
        if let Some(ip) = literal(&host).filter(|ip| !allowed(*ip, allow_loopback)) {
            return Err(BadCameraUri::Forbidden(ip));
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let place = format!("{}{port}{}", bare(&host), public_path(url.path()));
        let (user, password) = (percent_decoded(user), percent_decoded(password));
        Ok(CameraUri { spec: CameraSpec { url: url.into(), user, password, latency_ms, allow_loopback, transport }, place, scheme })
    }

    /// Host (without the brackets of an IPv6 address) and port of the URL; `None` only for a text that was never parsed here.
    pub fn endpoint(&self) -> Option<(String, u16)> {
        let url = Url::parse(&self.url).ok()?;
        let port = url.port().unwrap_or(if url.scheme() == "rtsps" { 322 } else { 554 });
        Some((bare(&url.host()?).into_owned(), port))
    }

    /// The same camera with `ip` in place of its name: who resolved and checked a name passes on what was checked, so that
    /// nobody resolves it a second time and gets another address.
    pub fn at(&self, ip: IpAddr) -> Option<CameraSpec> {
        let mut url = Url::parse(&self.url).ok()?;
        url.set_ip_host(ip).ok()?;
        Some(CameraSpec { url: url.into(), ..self.clone() })
    }

    /// The same camera behind another URL, where it redirected to. User info in that is ignored: the credentials are those given
    /// for this camera. Errors: those of [`CameraSpec::parse`].
    pub fn redirected(&self, uri: &str) -> Result<CameraSpec, BadCameraUri> {
        let to = CameraSpec::parse(uri.split('#').next().unwrap_or(uri), self.latency_ms, self.allow_loopback)?.spec;
        Ok(CameraSpec { url: to.url, ..self.clone() })
    }

    /// Texts that must not reach a log: the password, the form it has in a Basic header, and what follows the public part of
    /// the path (many cameras take their password in the query or even in the path).
    pub fn secrets(&self) -> Vec<String> {
        use base64::Engine;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.user, self.password));
        let hidden = Url::parse(&self.url).ok().map(|url| {
            let start = public_path(url.path()).len();
            url[url::Position::BeforePath..].get(start..).unwrap_or_default().trim_start_matches(['/', '?']).to_owned()
        });
        let mut secrets = vec![hidden.unwrap_or_default()];
        if !self.password.is_empty() {
            secrets.extend([self.password.clone(), basic]);
        }
        secrets.retain(|secret| !secret.is_empty());
        secrets
    }
}

/// User info, and all that follows its `@`.
fn split_user_info(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let standard = rest[..end].rfind('@').map_or(("", rest), |at| (&rest[..at], &rest[at + 1..]));
    if is_address(standard.1) {
        return standard;
    }
    let typed = rest.match_indices('@').map(|(at, _)| (&rest[..at], &rest[at + 1..])).find(|(_, address)| is_address(address));
    typed.unwrap_or(standard)
}

/// Does a text begin with a host, and perhaps a port?
fn is_address(text: &str) -> bool {
    let authority = &text[..text.find(['/', '?', '#']).unwrap_or(text.len())];
    !authority.is_empty()
        && !authority.ends_with(':')
        && !authority.contains('@')
        && Url::parse(&format!("rtsp://{authority}")).is_ok_and(|url| url.has_host())
}

/// The address a host is, when it is no name.
fn literal(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(name) => name.parse().ok(),
        Host::Ipv4(v4) => Some((*v4).into()),
        Host::Ipv6(v6) => Some((*v6).into()),
    }
}

/// The host without the brackets of an IPv6 address.
fn bare<'a>(host: &Host<&'a str>) -> Cow<'a, str> {
    match host {
        Host::Domain(name) => Cow::Borrowed(name),
        Host::Ipv4(v4) => Cow::Owned(v4.to_string()),
        Host::Ipv6(v6) => Cow::Owned(v6.to_string()),
    }
}

/// The path up to the first segment with a `=`: some makers put `user=…&password=…` there.
pub fn public_path(path: &str) -> &str {
    match path.find('=').and_then(|equals| path[..equals].rfind('/')) {
        Some(slash) => &path[..slash],
        None => path,
    }
}

/// A `%` that no two hex digits follow stands for itself; bytes that are no UTF-8 become U+FFFD.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|b| (*b as char).to_digit(16));
        match (byte, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `rtsp://user:***@host/path`, for logs; query and doubtful parts of the path are left out.
impl fmt::Display for CameraSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(url) = Url::parse(&self.url) else { return f.write_str("(no URL)") };
        let user = if self.user.is_empty() { String::new() } else { format!("{}:***@", self.user) };
        let authority = &url[url::Position::BeforeHost..url::Position::BeforePath];
        write!(f, "{}://{user}{authority}{}", url.scheme(), public_path(url.path()))
    }
}

impl fmt::Debug for CameraSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraSpec")
            .field("url", &format_args!("{self}"))
            .field("latency_ms", &self.latency_ms)
            .field("allow_loopback", &self.allow_loopback)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(uri: &str) -> Result<CameraUri, BadCameraUri> {
        CameraSpec::parse(uri, 2000, false)
    }

    #[test]
    fn credentials_are_split_off_and_decoded() {
        // uri, url, user, password, place
        let table = [
            ("rtsp://cam/live", "rtsp://cam/live", "", "", "cam/live"),
            ("rtsp://u:p@cam:554/a/b?x=1&y=2", "rtsp://cam:554/a/b?x=1&y=2", "u", "p", "cam:554/a/b"),
            ("rtsps://u@10.0.0.5/", "rtsps://10.0.0.5/", "u", "", "10.0.0.5/"),
            ("rtsp://u:p@ss@cam/x", "rtsp://cam/x", "u", "p@ss", "cam/x"),
            ("rtsp://u:a:b@cam/x", "rtsp://cam/x", "u", "a:b", "cam/x"),
            ("rtsp://us%40er:%2F%3a%25@cam/x", "rtsp://cam/x", "us@er", "/:%", "cam/x"),
            ("rtsp://u:100%@cam/x", "rtsp://cam/x", "u", "100%", "cam/x"),
            ("rtsp://u:%C3%A4@cam/x", "rtsp://cam/x", "u", "ä", "cam/x"),
            ("rtsp://cam?x=@y", "rtsp://cam?x=@y", "", "", "cam"),
            ("rtsp://[2001:db8::7]:8554/x", "rtsp://[2001:db8::7]:8554/x", "", "", "2001:db8::7:8554/x"),
            ("rtsp://cam/x#transport=udp", "rtsp://cam/x", "", "", "cam/x"),
            // as people type them
            ("rtsp://u:p/w@cam/x", "rtsp://cam/x", "u", "p/w", "cam/x"),
            ("rtsp://u:p?w#d@cam:554/x?a=b@c", "rtsp://cam:554/x?a=b@c", "u", "p?w#d", "cam:554/x"),
            ("rtsp://u:p/w@d@cam/x", "rtsp://cam/x", "u", "p/w@d", "cam/x"),
            ("rtsp://u:#@[2001:db8::7]/x", "rtsp://[2001:db8::7]/x", "u", "#", "2001:db8::7/x"),
            // a host and a port are no user and no password
            ("rtsp://cam:12/34@x", "rtsp://cam:12/34@x", "", "", "cam:12/34@x"),
            ("rtsp://cam/live/user=a&password=s&n=1.sdp", "rtsp://cam/live/user=a&password=s&n=1.sdp", "", "", "cam/live"),
        ];
        for (uri, url, user, password, place) in table {
            let got = parse(uri).unwrap_or_else(|e| panic!("{uri}: {e}"));
            assert_eq!((&*got.spec.url, &*got.spec.user, &*got.spec.password, &*got.place), (url, user, password, place));
            assert_eq!(got.scheme, uri.split_once(':').unwrap().0);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let bad_scheme = ["", "plain", "RTSP://cam/", "rtspX://cam/", "file:///etc/passwd", "http://cam/", "rtsp:/cam", " rtsp://cam"];
        for uri in bad_scheme {
            assert_eq!(parse(uri), Err(BadCameraUri::Scheme), "{uri}");
        }
        for uri in
            ["rtsp://", "rtsp:///x", "rtsp://u:p@/x", "rtsp://cam:99999/", "rtsp://cam:0/", "rtsp://a b/", "rtsp://[::1/", "rtsp://:554/"]
        {
            assert_eq!(parse(uri), Err(BadCameraUri::Url), "{uri}");
        }
        assert_eq!(parse(&format!("rtsp://cam/{}", "x".repeat(MAX_URI))), Err(BadCameraUri::Long));
    }

    #[test]
    fn the_transport_is_chosen_behind_the_address() {
        for (uri, transport) in [
            ("rtsp://cam/x", Transport::Tcp),
            ("rtsp://cam/x#transport=tcp", Transport::Tcp),
            ("rtsp://cam/x#part", Transport::Tcp),
            ("rtsp://u:a#b@cam/x?y#transport=udp", Transport::Udp),
        ] {
            assert_eq!(parse(uri).unwrap().spec.transport, transport, "{uri}");
        }
    }

    #[test]
    fn where_it_is_and_what_takes_its_place() {
        let spec = parse("rtsp://u:p@cam/a?b#transport=udp").unwrap().spec;
        assert_eq!(spec.endpoint(), Some(("cam".into(), 554)));
        assert_eq!(parse("rtsps://[2001:db8::7]/").unwrap().spec.endpoint(), Some(("2001:db8::7".into(), 322)));
        assert_eq!(spec.at([10, 0, 0, 7].into()).unwrap(), CameraSpec { url: "rtsp://10.0.0.7/a?b".into(), ..spec.clone() });
        assert_eq!(spec.at("2001:db8::7".parse().unwrap()).unwrap().url, "rtsp://[2001:db8::7]/a?b");
        let other = spec.redirected("rtsp://x:y@other:8554/c").unwrap();
        assert_eq!(other, CameraSpec { url: "rtsp://other:8554/c".into(), ..spec.clone() });
        assert!(matches!(spec.redirected("rtsp://127.0.0.1/c"), Err(BadCameraUri::Forbidden(_))));
        assert_eq!(spec.redirected("http://other/c"), Err(BadCameraUri::Scheme));
    }

    #[test]
    fn the_box_itself_is_refused_unless_allowed() {
        let hosts = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "169.254.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "[::1]",
            "[::]",
            "[fe80::1]",
            "[ff02::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:0:0]",
            "[::ffff:169.254.169.254]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2002:a9fe:a9fe::1]",
        ];
        for host in hosts {
            let uri = format!("rtsp://u:pw@{host}:8554/x");
            let error = parse(&uri).expect_err(&uri);
            assert!(matches!(error, BadCameraUri::Forbidden(_)), "{uri}: {error}");
            let text = error.to_string();
            assert!(text.contains("VIDUCT_CAMERA_ALLOW_LOOPBACK") && !text.contains("pw"), "{text}");
            assert!(CameraSpec::parse(&uri, 0, true).is_ok(), "{uri}");
        }
        // names, and the spellings of addresses that only a resolver knows, are judged by what they resolve to
        let later = ["localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"];
        let elsewhere = ["192.168.1.9", "10.0.0.1", "8.8.8.8", "[2001:db8::1]", "[fd00::1]", "[64:ff9b::a00:1]", "[2002:a00:1::]"];
        for host in later.into_iter().chain(elsewhere) {
            assert!(parse(&format!("rtsp://{host}/x")).is_ok(), "{host}");
        }
        for host in ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1"] {
            assert_eq!(parse(&format!("rtsp://{host}/x")), Err(BadCameraUri::Url), "{host}");
        }
    }

    #[test]
    fn what_is_shown_has_no_password() {
        let spec = parse("rtsp://ad%40min:s3cr3t@cam:554/a?password=qu3ry").unwrap().spec;
        assert_eq!(spec.to_string(), "rtsp://ad@min:***@cam:554/a");
        assert_eq!(parse("rtsp://cam/live/user=a_password=pa7h.sdp").unwrap().spec.to_string(), "rtsp://cam/live");
        let debug = format!("{spec:?}");
        assert!(!debug.contains("s3cr3t") && !debug.contains("qu3ry"), "{debug}");
        // base64 of ad@min:s3cr3t
        assert_eq!(spec.secrets(), ["password=qu3ry", "s3cr3t", "YWRAbWluOnMzY3IzdA=="]);
        assert_eq!(parse("rtsp://cam/live/user=a_password=pa7h.sdp").unwrap().spec.secrets(), ["user=a_password=pa7h.sdp"]);
        assert!(parse("rtsp://cam/live").unwrap().spec.secrets().is_empty());
    }

    fn encoded(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    proptest! {
        /// A letter in front: digits and a slash may be a port and a path.
        #[test]
        fn any_password_may_be_typed_as_it_is(password in "[a-z][!-$&-~]{0,30}") {
            // behind an @ of its own it may look like a host
            prop_assume!(!password.contains('@'));
            let got = parse(&format!("rtsp://admin:{password}@cam.local:8554/x")).unwrap();
            prop_assert_eq!((&*got.spec.user, &*got.spec.password, &*got.spec.url), ("admin", &*password, "rtsp://cam.local:8554/x"));
        }

        #[test]
        fn any_password_comes_back(user in "[ -9;-~äß]{1,20}", password in "\\PC{0,30}") {
            let got = parse(&format!("rtsp://{}:{}@cam/x", encoded(&user), encoded(&password))).unwrap();
            prop_assert_eq!((got.spec.user, got.spec.password), (user, password));
        }

        #[test]
        fn no_text_makes_the_parser_panic(rest in "\\PC{0,60}") {
            if let Ok(got) = parse(&format!("rtsp://{rest}")) {
                prop_assert!(Url::parse(&got.spec.url).is_ok());
                let _ = (got.spec.to_string(), got.spec.secrets());
            }
        }
    }
}
