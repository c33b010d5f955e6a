//! The one table of properties. GET config, environment, file and their checks are derived from it.
//!
//! Names, defaults and checks of `OPENVIDU_*` and its kin are those of events.md §7; the rows stand in the order of GET config
//! (rest.md §12.1). Properties of our own begin with `VIDUCT_`.

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
    Property { name, kind, default, demo: None, shown: Shown::No, effective: true, doc }
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

    const fn reported_only(mut self) -> Self {
        self.effective = false;
        self
    }
}

const PORT: Kind = Kind::Number(0, 65535);
const KBPS: Kind = Kind::Number(0, i32::MAX as i64);
const SECONDS: Kind = Kind::Number(0, i32::MAX as i64);
const RECORDING: Shown = Shown::While("OPENVIDU_RECORDING");
const WEBHOOK: Shown = Shown::While("OPENVIDU_WEBHOOK");

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
    row("OPENVIDU_CDR", Kind::Switch, "false", "Write call detail records").shown(Shown::Always).reported_only(),
    row("OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH", KBPS, "1000", "Upper bound of what a publisher may send, in kbit/s; 0 = unlimited")
        .shown(Shown::Always),
    row("OPENVIDU_STREAMS_VIDEO_MIN_RECV_BANDWIDTH", KBPS, "300", "Lower bound of what a publisher should send, in kbit/s")
        .shown(Shown::Always)
        .reported_only(),
    row("OPENVIDU_STREAMS_VIDEO_MAX_SEND_BANDWIDTH", KBPS, "1000", "Upper bound of what a viewer is sent, in kbit/s; 0 = unlimited")
        .shown(Shown::Always)
        .reported_only(),
    row("OPENVIDU_STREAMS_VIDEO_MIN_SEND_BANDWIDTH", KBPS, "300", "Lower bound of what a viewer is sent, in kbit/s")
        .shown(Shown::Always)
        .reported_only(),
    row(
        "OPENVIDU_STREAMS_FORCED_VIDEO_CODEC",
        Kind::Word(&["VP8", "VP9", "H264", "NONE"]),
        "VP8",
        "Video codec publishers must use, unless their session says otherwise",
    )
    .shown(Shown::Always),
    row("OPENVIDU_STREAMS_ALLOW_TRANSCODING", Kind::Switch, "false", "May a publisher's video be transcoded to the forced codec?")
        .shown(Shown::Always)
        .reported_only(),
    row("OPENVIDU_SESSIONS_GARBAGE_INTERVAL", SECONDS, "900", "Seconds between removals of sessions that nobody joined; 0 = never")
        .shown(Shown::Always),
    row("OPENVIDU_SESSIONS_GARBAGE_THRESHOLD", SECONDS, "3600", "Age in seconds from which a session that nobody joined is removed")
        .shown(Shown::Always),
    row("OPENVIDU_RECORDING", Kind::Switch, "false", "Offer recording").demo("true").shown(Shown::Always),
    row("OPENVIDU_RECORDING_VERSION", Kind::Text, super::API_VERSION, "Version of the recorder that is reported").shown(RECORDING),
    row("OPENVIDU_RECORDING_PATH", Kind::Path(true), "/opt/openvidu/recordings", "Folder of the recordings").shown(RECORDING),
    row("OPENVIDU_RECORDING_PUBLIC_ACCESS", Kind::Switch, "false", "Serve recordings without credentials").shown(RECORDING),
    row(
        "OPENVIDU_RECORDING_NOTIFICATION",
        Kind::Word(&["none", "moderator", "publisher_moderator", "all"]),
        "publisher_moderator",
        "Roles that are told when a recording starts and stops",
    )
    .shown(RECORDING),
    row("OPENVIDU_RECORDING_CUSTOM_LAYOUT", Kind::Path(false), "/opt/openvidu/custom-layout", "Folder of own layouts")
        .shown(RECORDING)
        .reported_only(),
    row("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT", SECONDS, "120", "Seconds after which the recording of an empty session stops")
        .shown(RECORDING),
    row("OPENVIDU_RECORDING_COMPOSED_URL", Kind::Url, "", "Page that draws composed recordings")
        .shown(Shown::WhileSet("OPENVIDU_RECORDING"))
        .reported_only(),
    row("OPENVIDU_WEBHOOK", Kind::Switch, "false", "Post events to OPENVIDU_WEBHOOK_ENDPOINT").shown(Shown::Always).reported_only(),
    row("OPENVIDU_WEBHOOK_ENDPOINT", Kind::Url, "", "URL events are posted to").shown(WEBHOOK).reported_only(),
    row("OPENVIDU_WEBHOOK_HEADERS", Kind::Headers, "[]", "Headers each post carries: [\"Name: value\"]").shown(WEBHOOK).reported_only(),
    row("OPENVIDU_WEBHOOK_EVENTS", Kind::Words(EVENTS), ALL_EVENTS, "Events that are posted").shown(WEBHOOK).reported_only(),
    row("OPENVIDU_SECRET", Kind::Secret, "", "Password of the user OPENVIDUAPP. Default: generated at the first start").demo("MY_SECRET"),
    row("HTTP_PORT", PORT, "80", "TCP port without TLS, open only with VIDUCT_PLAIN_HTTP; 0 = any").demo("0"),
    row("OPENVIDU_CDR_PATH", Kind::Path(true), "/opt/openvidu/cdr", "Folder of the call detail records").reported_only(),
    row(
        "OPENVIDU_EDITION",
        Kind::Word(&["pro", "ce"]),
        "pro",
        "Edition whose API is spoken: pro has media nodes and changes connections, ce has not",
    ),
    row("OPENVIDU_PRO_CLUSTER", Kind::Switch, "true", "Offer media nodes; false answers 501 there, as release 2.13 did by default"),
    row(
        "SUPPORT_DEPRECATED_API",
        Kind::Switch,
        "true",
        "Serve the paths of releases before 2.16 too: /api, /config, /pro, /recordings, /cdr",
    ),
    row("VIDUCT_PLAIN_HTTP", Kind::Switch, "false", "Serve everything without TLS on HTTP_PORT as well"),
    row("VIDUCT_MEDIA_PORT", PORT, "20000", "UDP port of all media; 0 = any"),
    row("VIDUCT_STATE_PATH", Kind::Path(false), "/var/lib/viduct", "Folder of what the daemon keeps: generated secret and certificate"),
    row("VIDUCT_PUBLIC_ADDRESSES", Kind::Addresses, "[]", "Further addresses offered to clients for media, e.g. that of a router"),
    row("VIDUCT_LOOPBACK_CANDIDATES", Kind::Switch, "false", "Offer loopback addresses to clients for media").demo("true"),
    row("VIDUCT_CAMERA_ALLOW_LOOPBACK", Kind::Switch, "false", "Allow cameras on loopback addresses").demo("true"),
    row(
        "VIDUCT_CERTIFICATE_FILE",
        Kind::Path(false),
        "",
        "Own certificate chain, PEM. Default: a self-signed one, made at the first start",
    ),
    row("VIDUCT_PRIVATE_KEY_FILE", Kind::Path(false), "", "Private key of VIDUCT_CERTIFICATE_FILE, PEM"),
    row("VIDUCT_LOG", Kind::Text, "info", "What is logged: a level, or a list like info,viduct::engine=debug"),
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
    fn conditions_name_switches() {
        for property in PROPERTIES {
            if let Shown::While(switch) | Shown::WhileSet(switch) = property.shown {
                assert!(matches!(find(switch).map(|p| p.kind), Some(Kind::Switch)), "{}", property.name);
            }
        }
    }
}
