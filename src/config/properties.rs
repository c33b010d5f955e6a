//! The one table of properties. GET config, POST restart, environment, file, sample, reference and their checks are derived from it.
//!
//! Names, defaults and checks of `OPENVIDU_*` and its kin are those of events.md §7; the rows stand in the order of GET config
//! (rest.md §12.1, §12.2). Properties of our own begin with `VIDUCT_`.

use super::value::Kind;

/// Where GET config shows a property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// Never.
    No,
    /// Always.
    Always,
    /// While this switch is on.
    While(&'static str),
    /// While this switch is on and the value is not empty.
    WhileSet(&'static str),
    /// On the old path `/pro/config` alone: releases before 2.16 had it.
    Old,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    pub name: &'static str,
    pub kind: Kind,
    /// Value when nobody gives one, as it would stand in the environment; empty = none.
    pub default: &'static str,
    /// Value under `--demo` when nobody gives one.
    pub demo: Option<&'static str>,
    pub shown: Shown,
    /// Shown by the `pro` edition only.
    pub pro: bool,
    /// May POST restart set it (events.md §8, all eras together)?
    pub restartable: bool,
    /// Does SIGHUP apply it without a restart?
    pub reloadable: bool,
    /// False for what is stored and reported, but changes nothing yet; whoever sets it is told so at the start.
    pub effective: bool,
    /// One line for the reference.
    pub doc: &'static str,
}

/// The property of that name.
pub fn find(name: &str) -> Option<&'static Property> {
    PROPERTIES.iter().find(|property| property.name == name)
}

const fn row(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Property {
    let (demo, shown) = (None, Shown::No);
    Property { name, kind, default, demo, shown, pro: false, restartable: false, reloadable: false, effective: true, doc }
}

impl Property {
    const fn demo(mut self, value: &'static str) -> Self {
        self.demo = Some(value);
        self
    }

    const fn shown(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }

    /// Of the `pro` edition.
    const fn pro(mut self, shown: Shown) -> Self {
        (self.pro, self.shown) = (true, shown);
        self
    }

    const fn restartable(mut self) -> Self {
        self.restartable = true;
        self
    }

    const fn reloadable(mut self) -> Self {
        self.reloadable = true;
        self
    }

    const fn reported_only(mut self) -> Self {
        self.effective = false;
        self
    }
}

const PORT: Kind = Kind::Number(0, 65535);
const KBPS: Kind = Kind::Number(0, i32::MAX as i64);
const SECONDS: Kind = Kind::Number(0, i32::MAX as i64);
const COUNT: Kind = Kind::Number(0, i32::MAX as i64);
const PERCENT: Kind = Kind::Number(0, 100);
const RECORDING: Shown = Shown::While("OPENVIDU_RECORDING");
const WEBHOOK: Shown = Shown::While("OPENVIDU_WEBHOOK");
const AUTOSCALING: Shown = Shown::While("OPENVIDU_PRO_CLUSTER_AUTOSCALING");
const ELASTICSEARCH: Shown = Shown::While("OPENVIDU_PRO_ELASTICSEARCH");
const KIBANA: Shown = Shown::While("OPENVIDU_PRO_KIBANA");

/// Events a webhook can be told of (events.md §1).
const EVENTS: &[&str] = &[
    "sessionCreated",
    "sessionDestroyed",
    "participantJoined",
    "participantLeft",
    "webrtcConnectionCreated",
    "webrtcConnectionDestroyed",
    "recordingStatusChanged",
    "filterEventDispatched",
    "signalSent",
    "mediaNodeStatusChanged",
    "autoscaling",
    "nodeCrashed",
];
const ALL_EVENTS: &str = "[sessionCreated, sessionDestroyed, participantJoined, participantLeft, webrtcConnectionCreated, \
    webrtcConnectionDestroyed, recordingStatusChanged, filterEventDispatched, signalSent, mediaNodeStatusChanged, autoscaling, nodeCrashed]";

/// Every property.
pub const PROPERTIES: &[Property] = &[
    row("DOMAIN_OR_PUBLIC_IP", Kind::Host, "", "Name or address clients reach the box by. Default: the first address of the local network")
        .demo("localhost")
        .shown(Shown::Always),
    row("HTTPS_PORT", PORT, "443", "TCP port of REST, WebSocket and WHEP with TLS; 0 = any").demo("4443").shown(Shown::Always),
    row("OPENVIDU_CDR", Kind::Switch, "false", "Write call detail records").shown(Shown::Always).restartable(),
    row("OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH", KBPS, "1000", "Upper bound of what a publisher may send, in kbit/s; 0 = unlimited")
        .shown(Shown::Always)
        .restartable()
        .reloadable(),
    row("OPENVIDU_STREAMS_VIDEO_MIN_RECV_BANDWIDTH", KBPS, "300", "Lower bound of what a publisher should send, in kbit/s")
        .shown(Shown::Always)
        .restartable()
        .reported_only(),
    row(
        "OPENVIDU_STREAMS_VIDEO_MAX_SEND_BANDWIDTH",
        KBPS,
        "1000",
        "Upper bound of transcoded video, in kbit/s; 0 = unlimited. What is forwarded keeps its rate",
    )
    .shown(Shown::Always)
    .restartable()
    .reloadable(),
    row("OPENVIDU_STREAMS_VIDEO_MIN_SEND_BANDWIDTH", KBPS, "300", "Lower bound of transcoded video, in kbit/s")
        .shown(Shown::Always)
        .restartable()
        .reloadable(),
    row(
        "OPENVIDU_STREAMS_FORCED_VIDEO_CODEC",
        Kind::Word(&["VP8", "VP9", "H264", "NONE"]),
        "VP8",
        "Video codec publishers must use, unless their session says otherwise",
    )
    .shown(Shown::Always)
    .restartable()
    .reloadable(),
    row("OPENVIDU_STREAMS_ALLOW_TRANSCODING", Kind::Switch, "false", "May a publisher use another codec than the forced one?")
        .shown(Shown::Always)
        .restartable()
        .reloadable(),
    row("OPENVIDU_SESSIONS_GARBAGE_INTERVAL", SECONDS, "900", "Seconds between removals of sessions that nobody joined; 0 = never")
        .shown(Shown::Always)
        .restartable(),
    row("OPENVIDU_SESSIONS_GARBAGE_THRESHOLD", SECONDS, "3600", "Age in seconds from which a session that nobody joined is removed")
        .shown(Shown::Always)
        .restartable(),
    row("OPENVIDU_RECORDING", Kind::Switch, "false", "Offer recording").demo("true").shown(Shown::Always).restartable(),
    row("OPENVIDU_RECORDING_VERSION", Kind::Text, super::API_VERSION, "Version of the recorder that is reported").shown(RECORDING),
    row(
        "OPENVIDU_RECORDING_PATH",
        Kind::Path(true),
        "/opt/openvidu/recordings",
        "Folder of the recordings; this user must be able to write it",
    )
    .shown(RECORDING)
    .restartable(),
    row("OPENVIDU_RECORDING_PUBLIC_ACCESS", Kind::Switch, "false", "Serve recordings without credentials")
        .shown(RECORDING)
        .restartable()
        .reloadable(),
    row(
        "OPENVIDU_RECORDING_NOTIFICATION",
        Kind::Word(&["none", "moderator", "publisher_moderator", "all"]),
        "publisher_moderator",
        "Roles that are told when a recording starts and stops",
    )
    .shown(RECORDING)
    .restartable()
    .reloadable(),
    row("OPENVIDU_RECORDING_CUSTOM_LAYOUT", Kind::Path(false), "/opt/openvidu/custom-layout", "Folder of own layouts")
        .shown(RECORDING)
        .restartable()
        .reported_only(),
    row("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT", SECONDS, "120", "Seconds after which the recording of an empty session stops")
        .shown(RECORDING)
        .restartable()
        .reloadable(),
    row("OPENVIDU_RECORDING_COMPOSED_URL", Kind::Url, "", "Page that draws composed recordings")
        .shown(Shown::WhileSet("OPENVIDU_RECORDING"))
        .restartable()
        .reported_only(),
    row("OPENVIDU_WEBHOOK", Kind::Switch, "false", "Post events to OPENVIDU_WEBHOOK_ENDPOINT").shown(Shown::Always).restartable(),
    row("OPENVIDU_WEBHOOK_ENDPOINT", Kind::Url, "", "URL events are posted to").shown(WEBHOOK).restartable(),
    row("OPENVIDU_WEBHOOK_HEADERS", Kind::Headers, "[]", "Headers each post carries: [\"Name: value\"]").shown(WEBHOOK).restartable(),
    row("OPENVIDU_WEBHOOK_EVENTS", Kind::Words(EVENTS), ALL_EVENTS, "Events that are posted").shown(WEBHOOK).restartable(),
    row("KMS_URIS", Kind::Uris, "[]", "Media servers of the original: [\"ws://host:8888/kurento\"]; this box is its own")
        .pro(Shown::Always)
        .reported_only(),
    row("OPENVIDU_PRO_STATS_SESSION_INTERVAL", SECONDS, "5", "Seconds between statistics of sessions").pro(Shown::Always).reported_only(),
    row("OPENVIDU_PRO_STATS_SERVER_INTERVAL", SECONDS, "10", "Seconds between statistics of the server").pro(Shown::Always).reported_only(),
    row("OPENVIDU_PRO_STATS_MONITORING_INTERVAL", SECONDS, "10", "Seconds between statistics of load; 0 = off")
        .pro(Shown::Always)
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_STATS_WEBRTC_INTERVAL", SECONDS, "30", "Seconds between statistics of each WebRTC transport; 0 = off")
        .pro(Shown::Always)
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_CLUSTER_ID", Kind::Text, "", "Name of this cluster in statistics. Default: made at the first start")
        .pro(Shown::Always)
        .restartable()
        .reported_only(),
    row(
        "OPENVIDU_PRO_CLUSTER_ENVIRONMENT",
        Kind::Word(&["docker", "on_premise", "aws"]),
        "on_premise",
        "How media nodes come into being; nothing but on_premise makes sense for one box",
    )
    .pro(Shown::Always)
    .restartable()
    .reported_only(),
    row("OPENVIDU_PRO_CLUSTER_MEDIA_NODES", COUNT, "1", "Media nodes at the start").pro(Shown::Always).restartable().reported_only(),
    row("OPENVIDU_PRO_CLUSTER_PATH", Kind::Path(true), "/opt/openvidu/cluster", "Folder of the cluster's own state")
        .pro(Shown::Always)
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_CLUSTER_AUTOSCALING", Kind::Switch, "false", "Ask for media nodes by load")
        .pro(Shown::Always)
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_CLUSTER_AUTOSCALING_MAX_NODES", COUNT, "2", "Most media nodes").pro(AUTOSCALING).restartable().reported_only(),
    row("OPENVIDU_PRO_CLUSTER_AUTOSCALING_MIN_NODES", COUNT, "1", "Fewest media nodes").pro(AUTOSCALING).restartable().reported_only(),
    row("OPENVIDU_PRO_CLUSTER_AUTOSCALING_MAX_LOAD", PERCENT, "70", "Mean load in percent above which a media node is asked for")
        .pro(AUTOSCALING)
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_CLUSTER_AUTOSCALING_MIN_LOAD", PERCENT, "20", "Mean load in percent below which a media node is given back")
        .pro(AUTOSCALING)
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_ELASTICSEARCH", Kind::Switch, "false", "Send statistics to Elasticsearch").pro(Shown::Always).reported_only(),
    row("OPENVIDU_PRO_ELASTICSEARCH_VERSION", Kind::Text, "7.8.0", "Version of Elasticsearch that is reported").pro(ELASTICSEARCH),
    row("OPENVIDU_PRO_ELASTICSEARCH_HOST", Kind::Url, "", "Address of Elasticsearch").pro(ELASTICSEARCH).reported_only(),
    row("OPENVIDU_PRO_KIBANA", Kind::Switch, "false", "Prepare Kibana for these statistics").pro(Shown::Always).reported_only(),
    row("OPENVIDU_PRO_KIBANA_VERSION", Kind::Text, "7.8.0", "Version of Kibana that is reported").pro(KIBANA),
    row("OPENVIDU_PRO_KIBANA_HOST", Kind::Url, "", "Address of Kibana").pro(KIBANA).reported_only(),
    row("OPENVIDU_PRO_RECORDING_STORAGE", Kind::Word(&["local", "s3"]), "local", "Where recordings are kept")
        .pro(Shown::Always)
        .reported_only(),
    row("OPENVIDU_PRO_NETWORK_QUALITY", Kind::Switch, "false", "Tell clients the quality of their network")
        .pro(Shown::Always)
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_NETWORK_QUALITY_INTERVAL", Kind::Number(1, i32::MAX as i64), "5", "Seconds between two such measurements")
        .pro(Shown::While("OPENVIDU_PRO_NETWORK_QUALITY"))
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_CLUSTER", Kind::Switch, "true", "Serve media nodes; with false they answer 501, as releases of 2.13 did")
        .pro(Shown::Old)
        .restartable(),
    row("OPENVIDU_PRO_CLUSTER_MODE", Kind::Word(&["auto", "manual"]), "manual", "Who starts media nodes (2.13)")
        .pro(Shown::Old)
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_CLUSTER_AUTODISCOVERY", Kind::Switch, "true", "Find media nodes at the start (2.13)")
        .pro(Shown::Old)
        .restartable()
        .reported_only(),
    row("OPENVIDU_PRO_CLUSTER_LOAD_STRATEGY", Kind::Text, "streams", "What the load of a media node is made of (2.13)")
        .pro(Shown::Old)
        .restartable()
        .reported_only(),
    row("OPENVIDU_SECRET", Kind::Secret, "", "Password of the user OPENVIDUAPP. Default: generated at the first start")
        .demo("MY_SECRET")
        .restartable(),
    row(
        "OPENVIDU_EDITION",
        Kind::Word(&["pro", "ce"]),
        "pro",
        "Which edition of OpenVidu is spoken: the keys of config, what is answered with 405",
    ),
    row("SUPPORT_DEPRECATED_API", Kind::Switch, "true", "Serve the paths of releases before 2.16 as well"),
    row(
        "CERTIFICATE_TYPE",
        Kind::Word(&["selfsigned", "owncert", "letsencrypt"]),
        "selfsigned",
        "Word of the original; here VIDUCT_CERTIFICATE_FILE decides",
    )
    .reported_only(),
    row("HTTP_PORT", PORT, "80", "TCP port without TLS, open only with VIDUCT_PLAIN_HTTP; 0 = any").demo("0"),
    row(
        "OPENVIDU_CDR_PATH",
        Kind::Path(true),
        "/opt/openvidu/cdr",
        "Folder of the call detail records; this user must be able to write it",
    )
    .restartable(),
    row("VIDUCT_CDR_FILE_MB", Kind::Number(1, 1024), "4", "Size in MB at which another file of call detail records begins"),
    row("VIDUCT_CDR_FILES", Kind::Number(1, 100_000), "100", "Files of call detail records that are kept; the oldest go"),
    row(
        "VIDUCT_WEBHOOK_VERIFY",
        Kind::Switch,
        "true",
        "Must the certificate of an https OPENVIDU_WEBHOOK_ENDPOINT be one this system trusts?",
    ),
    row("VIDUCT_WEBHOOK_QUEUE_MB", Kind::Number(1, 1024), "4", "Events in MB that wait for the endpoint; of more, the oldest are dropped"),
    row("VIDUCT_PLAIN_HTTP", Kind::Switch, "false", "Serve everything without TLS on HTTP_PORT as well"),
    row("VIDUCT_MEDIA_PORT", PORT, "20000", "UDP and TCP port of all media; 0 = any"),
    row(
        "VIDUCT_STATE_PATH",
        Kind::Path(false),
        "/var/lib/viduct",
        "Folder of what the daemon keeps: generated secret and certificate, API keys, cameras, the last good configuration",
    ),
    row(
        "VIDUCT_RESTORE_CAMERAS",
        Kind::Switch,
        "true",
        "Bring sessions with cameras back, ids included, after a restart or a power cut; with false they are gone, as with the original",
    ),
    row("VIDUCT_PUBLIC_ADDRESSES", Kind::Addresses, "[]", "Further addresses offered to clients for media, e.g. that of a router"),
    row(
        "VIDUCT_TRUSTED_PROXIES",
        Kind::Networks,
        "[]",
        "Proxies in front of the box, by address or network: what their X-Forwarded-For says is where a request comes from",
    ),
    row("VIDUCT_LOOPBACK_CANDIDATES", Kind::Switch, "false", "Offer loopback addresses to clients for media").demo("true"),
    row("VIDUCT_CAMERA_ALLOW_LOOPBACK", Kind::Switch, "false", "Allow cameras on loopback addresses").demo("true").reloadable(),
    row(
        "VIDUCT_CPU_BUDGET",
        Kind::Number(0, 102_400),
        "0",
        "Processor time for composed recordings and transcoders together, in percent of one core; 0 = 85 for each core",
    ),
    row("VIDUCT_HARDWARE_CODECS", Kind::Switch, "true", "Transcode with the board's own decoders and encoders where it has them"),
    row(
        "VIDUCT_CERTIFICATE_FILE",
        Kind::Path(false),
        "",
        "Own certificate chain, PEM. Default: a self-signed one, made at the first start",
    )
    .reloadable(),
    row("VIDUCT_PRIVATE_KEY_FILE", Kind::Path(false), "", "Private key of VIDUCT_CERTIFICATE_FILE, PEM").reloadable(),
    row("VIDUCT_LOG", Kind::Text, "info", "What is logged: a level, or a list like info,viduct::engine=debug").reloadable(),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::value::Raw;
    use std::collections::BTreeSet;

    #[test]
    fn every_default_passes_its_own_check() {
        for property in PROPERTIES {
            for value in [Some(property.default), property.demo].into_iter().flatten().filter(|v| !v.is_empty()) {
                property.kind.read(&Raw::Text(value.into())).unwrap_or_else(|e| panic!("{}={value}: {e}", property.name));
            }
        }
    }

    #[test]
    fn names_are_unique_and_documented() {
        let names: BTreeSet<_> = PROPERTIES.iter().map(|p| p.name).collect();
        assert_eq!(names.len(), PROPERTIES.len());
        assert!(PROPERTIES.iter().all(|p| !p.doc.is_empty() && !p.doc.contains('\n')));
    }

    #[test]
    fn all_webhook_events_are_the_default() {
        let all = find("OPENVIDU_WEBHOOK_EVENTS").unwrap().kind.read(&Raw::Text(ALL_EVENTS.into())).unwrap();
        assert_eq!(all.list().unwrap(), EVENTS);
    }

    #[test]
    fn what_post_restart_takes_is_what_the_documents_list() {
        let taken: BTreeSet<_> = PROPERTIES.iter().filter(|p| p.restartable).map(|p| p.name).collect();
        for listed in [
            "OPENVIDU_SECRET",
            "OPENVIDU_CDR",
            "OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT",
            "OPENVIDU_WEBHOOK_EVENTS",
            "OPENVIDU_STREAMS_VIDEO_MIN_SEND_BANDWIDTH",
            "OPENVIDU_SESSIONS_GARBAGE_THRESHOLD",
            "OPENVIDU_PRO_CLUSTER_LOAD_STRATEGY",
            "OPENVIDU_PRO_CLUSTER_ID",
            "OPENVIDU_PRO_CLUSTER_AUTOSCALING_MIN_LOAD",
            "OPENVIDU_PRO_STATS_WEBRTC_INTERVAL",
            "OPENVIDU_PRO_NETWORK_QUALITY_INTERVAL",
        ] {
            assert!(taken.contains(listed), "{listed}");
        }
        for kept in ["DOMAIN_OR_PUBLIC_IP", "HTTPS_PORT", "KMS_URIS", "CERTIFICATE_TYPE", "VIDUCT_STATE_PATH"] {
            assert!(!taken.contains(kept), "{kept}");
        }
    }

    #[test]
    fn conditions_name_switches() {
        for property in PROPERTIES {
            if let Shown::While(switch) | Shown::WhileSet(switch) = property.shown {
                assert!(matches!(find(switch).map(|p| p.kind), Some(Kind::Switch)), "{}", property.name);
            }
        }
    }
}
