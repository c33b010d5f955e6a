//! Configuration: one table of properties, where their values come from, and the typed result.
//!
//! [`properties`] knows every property; [`value`] reads one value, [`network`] those that are networks; [`mod@load`] gathers the values
//! of POST restart, environment, file, `--demo` and defaults; [`mod@revise`] writes what POST restart sets into the file's text;
//! [`document`] makes the sample file and the reference page. Everything here is pure: environment, file text and surroundings are
//! arguments. A [`Config`] is never changed: a reload makes another one.

mod authorization;
pub mod document;
pub mod load;
mod nearest;
pub mod network;
pub mod properties;
pub mod revise;
mod secret;
pub mod value;

pub use authorization::{Authorization, USER};
pub use load::{Loaded, Sources, load};
pub use nearest::nearest;
pub use network::Network;
pub use properties::{PROPERTIES, Property, Shown};
pub use revise::revise;
pub use secret::Secret;
pub use value::Value;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Release of OpenVidu whose API is spoken, as `VERSION` reports it.
pub const API_VERSION: &str = "2.20.0";

/// The values the rest of the program uses, checked.
#[derive(Clone, Debug)]
pub struct Config {
    values: BTreeMap<&'static str, Value>,
    /// What was configured where the start has put something else: a bound port for 0, a generated name for none.
    configured: BTreeMap<&'static str, Value>,
    /// Was the daemon started with `--demo`?
    pub demo: bool,
    /// TCP port of the TLS doors; 0 = any.
    pub https_port: u16,
    /// TCP port of the doors without TLS (0 = any), `None` when they stay shut.
    pub http_port: Option<u16>,
    /// Name or address clients reach the box by.
    pub domain: String,
    /// The API secret; `None` when none is configured and one has to be generated.
    pub secret: Option<Secret>,
    /// Port of the media thread; 0 = any.
    pub media_port: u16,
    /// Folder of what the daemon keeps: generated secret and certificate, cameras, the last good configuration.
    pub state_path: PathBuf,
    /// Bring sessions with cameras back after a restart?
    pub restore_cameras: bool,
    /// Which edition of OpenVidu is spoken.
    pub edition: Edition,
    /// Offer ICE candidates on loopback addresses?
    pub loopback_candidates: bool,
    /// May a camera be on a loopback address?
    pub camera_allow_loopback: bool,
    /// Further addresses for ICE candidates, e.g. of a router that forwards the media port.
    pub public_addresses: Vec<IpAddr>,
    /// Proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<Network>,
    /// Own certificate chain and private key (PEM files).
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Filter of the log, in the syntax of tracing's `EnvFilter`.
    pub log: String,
    /// Upper bound of what a publisher may send, in kbit/s; 0 = unlimited.
    pub max_recv_kbps: u32,
    /// Bounds of transcoded video, in kbit/s; an upper one of 0 = unlimited.
    pub min_send_kbps: u32,
    pub max_send_kbps: u32,
    /// Processor time for composers and transcoders, in percent of one core; `None` = most of what there is.
    pub cpu_budget: Option<u32>,
    /// May transcoders use the board's own codecs?
    pub hardware_codecs: bool,
    /// `VP8`, `VP9`, `H264` or `NONE`.
    pub forced_video_codec: String,
    /// Are the paths of releases before 2.16 served?
    pub deprecated_api: bool,
    /// Are media nodes offered?
    pub media_nodes: bool,
    /// How often sessions that nobody joined are removed (`None`: never), and from what age on.
    pub garbage: Option<(Duration, Duration)>,
    /// Folder of the custom layouts of recordings.
    pub layouts_path: PathBuf,
    /// Default of a session's `allowTranscoding`.
    pub allow_transcoding: bool,
    /// `None` when this box does not record.
    pub recording: Option<Recording>,
    /// Folder of the call detail records, whether or not any are written now.
    pub cdr_path: PathBuf,
    /// `None` when none are written.
    pub cdr: Option<Cdr>,
    /// `None` when nobody is told of events.
    pub webhook: Option<Webhook>,
}

/// How much of the call detail records is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cdr {
    /// Size at which another file begins, in bytes.
    pub file_bytes: u64,
    /// The last ones are kept.
    pub files: usize,
}

/// Who is told of events.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// URL of http or https; may hold a password.
    pub endpoint: String,
    /// `Name: value`; may hold passwords.
    pub headers: Vec<String>,
    /// Names of the events.
    pub events: Vec<String>,
    /// Must the endpoint's certificate be good?
    pub verify: bool,
    /// What may wait for the endpoint, in bytes.
    pub queue_bytes: usize,
}

impl fmt::Debug for Webhook {
    /// Without what may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("events", &self.events).field("verify", &self.verify).finish_non_exhaustive()
    }
}

/// An edition of OpenVidu.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edition {
    /// The paid one: media nodes, restart, PATCH of connections.
    Pro,
    /// The community's.
    Ce,
}

/// How this box records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recording {
    /// Folder of the recordings.
    pub path: PathBuf,
    /// Are they served without credentials?
    pub public_access: bool,
    /// Who is told: `none`, `moderator`, `publisher_moderator` or `all`.
    pub notification: String,
    /// How long a session is recorded in which nobody is.
    pub autostop: Duration,
}

impl Config {
    /// The value of a property of the table.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Takes the typed values out of `values`, which holds every property of the table, checked.
    fn new(values: BTreeMap<&'static str, Value>, demo: bool) -> Config {
        let text = |name: &str| values.get(name).and_then(Value::text).unwrap_or_default().to_owned();
        let switch = |name: &str| values.get(name).and_then(Value::switch).unwrap_or_default();
        let number = |name: &str| values.get(name).and_then(Value::number).unwrap_or_default();
        let seconds = |name: &str| Duration::from_secs(number(name).unsigned_abs());
        let port = |name: &str| u16::try_from(number(name)).unwrap_or_default();
        let list = |name: &str| values.get(name).and_then(Value::list).unwrap_or_default().to_vec();
        let megabytes = |name: &str| number(name).unsigned_abs() * 1_000_000;
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let kbps = |name: &str| u32::try_from(number(name)).unwrap_or(u32::MAX);
        let file = |name: &str| Some(text(name)).filter(|t| !t.is_empty()).map(PathBuf::from);
        Config {
            demo,
            https_port: port("HTTPS_PORT"),
            http_port: switch("VIDUCT_PLAIN_HTTP").then(|| port("HTTP_PORT")),
            domain: text("DOMAIN_OR_PUBLIC_IP"),
            secret: Some(text("OPENVIDU_SECRET")).filter(|t| !t.is_empty()).map(Secret::new),
            media_port: port("VIDUCT_MEDIA_PORT"),
            state_path: text("VIDUCT_STATE_PATH").into(),
            restore_cameras: switch("VIDUCT_RESTORE_CAMERAS"),
            edition: if text("OPENVIDU_EDITION") == "ce" { Edition::Ce } else { Edition::Pro },
            loopback_candidates: switch("VIDUCT_LOOPBACK_CANDIDATES"),
            camera_allow_loopback: switch("VIDUCT_CAMERA_ALLOW_LOOPBACK"),
            public_addresses: list("VIDUCT_PUBLIC_ADDRESSES").iter().filter_map(|address| address.parse().ok()).collect(),
            trusted_proxies: list("VIDUCT_TRUSTED_PROXIES").iter().filter_map(|network| network.parse().ok()).collect(),
            certificate: file("VIDUCT_CERTIFICATE_FILE").zip(file("VIDUCT_PRIVATE_KEY_FILE")),
            log: text("VIDUCT_LOG"),
            deprecated_api: switch("SUPPORT_DEPRECATED_API"),
            media_nodes: switch("OPENVIDU_PRO_CLUSTER"),
            garbage: Some(seconds("OPENVIDU_SESSIONS_GARBAGE_INTERVAL"))
                .filter(|interval| !interval.is_zero())
                .map(|interval| (interval, seconds("OPENVIDU_SESSIONS_GARBAGE_THRESHOLD"))),
            layouts_path: text("OPENVIDU_RECORDING_CUSTOM_LAYOUT").into(),
            max_recv_kbps: kbps("OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH"),
            min_send_kbps: kbps("OPENVIDU_STREAMS_VIDEO_MIN_SEND_BANDWIDTH"),
            max_send_kbps: kbps("OPENVIDU_STREAMS_VIDEO_MAX_SEND_BANDWIDTH"),
            cpu_budget: u32::try_from(number("VIDUCT_CPU_BUDGET")).ok().filter(|percent| *percent > 0),
            hardware_codecs: switch("VIDUCT_HARDWARE_CODECS"),
            forced_video_codec: text("OPENVIDU_STREAMS_FORCED_VIDEO_CODEC"),
            allow_transcoding: switch("OPENVIDU_STREAMS_ALLOW_TRANSCODING"),
            recording: switch("OPENVIDU_RECORDING").then(|| Recording {
                path: text("OPENVIDU_RECORDING_PATH").into(),
                public_access: switch("OPENVIDU_RECORDING_PUBLIC_ACCESS"),
                notification: text("OPENVIDU_RECORDING_NOTIFICATION"),
                autostop: seconds("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT"),
            }),
            cdr_path: text("OPENVIDU_CDR_PATH").into(),
            cdr: switch("OPENVIDU_CDR")
                .then(|| Cdr { file_bytes: megabytes("VIDUCT_CDR_FILE_MB"), files: count(number("VIDUCT_CDR_FILES").unsigned_abs()) }),
            webhook: switch("OPENVIDU_WEBHOOK").then(|| Webhook {
                endpoint: text("OPENVIDU_WEBHOOK_ENDPOINT"),
                headers: list("OPENVIDU_WEBHOOK_HEADERS"),
                events: list("OPENVIDU_WEBHOOK_EVENTS"),
                verify: switch("VIDUCT_WEBHOOK_VERIFY"),
                queue_bytes: count(megabytes("VIDUCT_WEBHOOK_QUEUE_MB")),
            }),
            values,
            configured: BTreeMap::new(),
        }
    }

    /// Puts the port that was really bound in the place of a configured 0, so that every URL the box hands out is right.
    pub fn with_https_port(mut self, bound: u16) -> Config {
        self.https_port = bound;
        self.put("HTTPS_PORT", Value::Number(bound.into()));
        self
    }

    /// Puts the generated id of the cluster in the place of none.
    pub fn with_cluster_id(mut self, id: String) -> Config {
        self.put("OPENVIDU_PRO_CLUSTER_ID", Value::Text(id));
        self
    }

    fn put(&mut self, name: &'static str, value: Value) {
        if let Some(configured) = self.values.insert(name, value) {
            self.configured.entry(name).or_insert(configured);
        }
    }

    /// This configuration with those values of `fresh` that can be reloaded, the names of what they changed, and the names of what
    /// else differs: that needs a restart.
    pub fn reloaded(&self, fresh: &Config) -> (Config, Vec<&'static str>, Vec<&'static str>) {
        let differs = |name: &str| self.configured.get(name).or(self.values.get(name)) != fresh.values.get(name);
        let (changed, waiting): (Vec<&Property>, Vec<&Property>) =
            PROPERTIES.iter().filter(|p| differs(p.name)).partition(|p| p.reloadable);
        let mut values = self.values.clone();
        for property in &changed {
            values.extend(fresh.values.get(property.name).map(|value| (property.name, value.clone())));
        }
        let config = Config { configured: self.configured.clone(), ..Config::new(values, self.demo) };
        let names = |properties: Vec<&Property>| properties.iter().map(|p| p.name).collect();
        (config, names(changed), names(waiting))
    }

    /// `host` or `host:port` as it stands in URLs: an IPv6 address in brackets, the port left out when it is 443.
    pub fn authority(&self) -> String {
        let host = match self.domain.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.domain.clone(),
        };
        if self.https_port == 443 { host } else { format!("{host}:{}", self.https_port) }
    }

    /// `https://host[:port]`, without a trailing slash.
    pub fn public_url(&self) -> String {
        format!("https://{}", self.authority())
    }
}

/// What is wrong with one property, and the remedy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Property {property}={value}: {message}")]
pub struct Problem {
    /// Name of the property.
    pub property: &'static str,
    /// Its value as given; `***` for a secret.
    pub value: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Problem {
    /// A problem with `property`, whose value is shown unless it may hold a password.
    pub fn new(property: &'static str, value: impl fmt::Display, message: impl Into<String>) -> Problem {
        let value = value.to_string();
        let secret = properties::find(property).is_some_and(|p| p.kind.hides(&value));
        Problem { property, value: if secret { "***".to_owned() } else { value }, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_leave_the_standard_port_out_and_bracket_ipv6() {
        for (domain, port, url) in [
            ("box.example.org", 443, "https://box.example.org"),
            ("localhost", 4443, "https://localhost:4443"),
            ("192.168.1.2", 8443, "https://192.168.1.2:8443"),
            ("fe80::1", 443, "https://[fe80::1]"),
            ("fe80::1", 4443, "https://[fe80::1]:4443"),
        ] {
            let env = BTreeMap::from([("DOMAIN_OR_PUBLIC_IP".to_owned(), domain.to_owned())]);
            let loaded = load(&Sources::of(&env)).expect("these are right");
            assert_eq!(loaded.config.with_https_port(port).public_url(), url);
        }
    }

    #[test]
    fn a_bound_port_replaces_the_wildcard_everywhere() {
        let env = BTreeMap::from([("HTTPS_PORT".to_owned(), "0".to_owned())]);
        let config = load(&Sources::of(&env)).expect("0 is any port").config.with_https_port(41_000);
        assert_eq!(config.https_port, 41_000);
        assert_eq!(config.value("HTTPS_PORT"), Some(&Value::Number(41_000)));
    }

    #[test]
    fn a_reload_takes_what_it_may_and_names_the_rest() {
        let load = |pairs: &[(&str, &str)]| {
            let env = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            super::load(&Sources::of(&env)).expect("these are right").config
        };
        let pairs = [("HTTPS_PORT", "0"), ("OPENVIDU_RECORDING", "true")];
        let present = load(&pairs).with_https_port(41_000).with_cluster_id("c".into());
        let (same, changed, waiting) = present.reloaded(&load(&pairs));
        assert_eq!((&same.values, changed, waiting), (&present.values, vec![], vec![]));
        let more = [("OPENVIDU_RECORDING_PUBLIC_ACCESS", "true"), ("VIDUCT_MEDIA_PORT", "1"), ("OPENVIDU_SECRET", "x")];
        let (config, changed, waiting) = present.reloaded(&load(&[&pairs[..], &more[..]].concat()));
        assert_eq!(changed, ["OPENVIDU_RECORDING_PUBLIC_ACCESS"]);
        assert_eq!(waiting, ["OPENVIDU_SECRET", "VIDUCT_MEDIA_PORT"]);
        assert!(config.recording.as_ref().is_some_and(|recording| recording.public_access));
        assert_eq!((config.https_port, config.media_port), (41_000, 20_000));
        assert_eq!(config.reloaded(&load(&pairs)).1, ["OPENVIDU_RECORDING_PUBLIC_ACCESS"], "and back");
    }

    #[test]
    fn a_problem_never_shows_a_password() {
        assert_eq!(Problem::new("HTTPS_PORT", 99, "no").to_string(), "Property HTTPS_PORT=99: no");
        assert_eq!(Problem::new("OPENVIDU_SECRET", "hush hush", "no").to_string(), "Property OPENVIDU_SECRET=***: no");
        assert_eq!(Problem::new("OPENVIDU_WEBHOOK_HEADERS", "[x]", "no").to_string(), "Property OPENVIDU_WEBHOOK_HEADERS=***: no");
        assert_eq!(Problem::new("OPENVIDU_WEBHOOK_ENDPOINT", "u:pw@x", "no").to_string(), "Property OPENVIDU_WEBHOOK_ENDPOINT=***: no");
        assert_eq!(Problem::new("OPENVIDU_WEBHOOK_ENDPOINT", "x", "no").to_string(), "Property OPENVIDU_WEBHOOK_ENDPOINT=x: no");
    }
}
