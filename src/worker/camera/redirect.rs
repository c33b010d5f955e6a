//! Where a camera may send us. A redirection is not followed by the source element, which would go anywhere: what it names is
//! checked as if a caller of the API had named it, resolved once, and the address that was checked is the one that is used.

use crate::wire::camera::{CameraSpec, allowed};
use crate::wire::control::{Failure, FailureKind};
use std::net::ToSocketAddrs;
use url::Url;

/// Redirections in a row; more are a circle.
const AT_MOST: usize = 3;
/// DESCRIBE requests to one camera: each place it sends us to within itself takes two, credentials included.
const QUESTIONS: usize = 8;

/// What a source element asks before anything is set up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Question {
    Options,
    Describe,
}

/// Sees where a source element goes. Pure.
#[derive(Debug)]
pub struct Guard {
    host: Option<(String, u16)>,
    questions: usize,
}

/// What the element is about to do.
#[derive(PartialEq, Eq, Debug)]
pub enum Verdict {
    Fine,
    /// It speaks to another host now.
    Elsewhere,
    /// It asks and asks.
    Circle,
}

impl Guard {
    /// For an element that was told this location.
    pub fn new(location: &str) -> Guard {
        Guard { host: host(location), questions: 0 }
    }

    /// It asks what is at `uri`. `settled`: streams have been set up; then OPTIONS keeps their session alive, and stays on the
    /// connection whatever host its URI names, as requests of all other kinds do: behind a router a camera does not know its name.
    pub fn asks(&mut self, question: Question, uri: &str, settled: bool) -> Verdict {
        if question == Question::Options && settled {
            return Verdict::Fine;
        }
        self.questions += usize::from(question == Question::Describe);
        match host(uri) {
            there if there != self.host => Verdict::Elsewhere,
            _ if self.questions > QUESTIONS => Verdict::Circle,
            _ => Verdict::Fine,
        }
    }
}

fn host(uri: &str) -> Option<(String, u16)> {
    let url = Url::parse(uri).ok()?;
    Some((url.host_str()?.to_owned(), url.port().unwrap_or(if url.scheme() == "rtsps" { 322 } else { 554 })))
}

/// The camera where the redirection number `count` sends us, by its address. Blocks while the name is resolved.
pub fn follow(spec: &CameraSpec, uri: &str, count: usize) -> Result<CameraSpec, Failure> {
    let failure = |kind, text: String| Failure { kind, text: format!("the camera redirects {text}") };
    if count > AT_MOST {
        return Err(failure(FailureKind::Ended, "in a circle".into()));
    }
    let there =
        spec.redirected(uri).map_err(|error| failure(FailureKind::Forbidden, format!("to an address that is none for us: {error}")))?;
    let (host, port) = there.endpoint().ok_or_else(|| failure(FailureKind::UnknownHost, "to nowhere".into()))?;
    let place = format!("to {host}:{port}");
    let found = (host.as_str(), port).to_socket_addrs().map_err(|error| failure(FailureKind::UnknownHost, format!("{place}: {error}")))?;
    let usable = found.map(|address| address.ip()).find(|ip| allowed(*ip, spec.allow_loopback));
    usable
        .and_then(|ip| there.at(ip))
        .ok_or_else(|| failure(FailureKind::Forbidden, format!("{place}, which needs VIDUCT_CAMERA_ALLOW_LOOPBACK")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_host_or_port_is_elsewhere() {
        let mut guard = Guard::new("rtsp://192.0.2.1:554/a");
        for (uri, verdict) in [
            ("rtsp://192.0.2.1/a", Verdict::Fine),
            ("rtsp://192.0.2.1:554/b?c", Verdict::Fine),
            ("rtsp://192.0.2.1:8554/a", Verdict::Elsewhere),
            ("rtsp://192.0.2.2/a", Verdict::Elsewhere),
            ("rtsps://192.0.2.1/a", Verdict::Elsewhere),
            ("nonsense", Verdict::Elsewhere),
        ] {
            for question in [Question::Options, Question::Describe] {
                assert_eq!(guard.asks(question, uri, false), verdict, "{question:?} {uri}");
            }
        }
    }

    #[test]
    fn what_keeps_a_session_alive_is_no_question() {
        let mut guard = Guard::new("rtsp://192.0.2.1:554/a");
        for _ in 0..1000 {
            assert_eq!(guard.asks(Question::Options, "rtsp://10.0.0.1/inner", true), Verdict::Fine);
        }
        assert_eq!(guard.asks(Question::Describe, "rtsp://10.0.0.1/inner", true), Verdict::Elsewhere);
    }

    #[test]
    fn who_asks_for_ever_goes_in_a_circle() {
        let mut guard = Guard::new("rtsp://192.0.2.1/a");
        let mut ask = || guard.asks(Question::Describe, "rtsp://192.0.2.1/b", false);
        assert_eq!((0..100).take_while(|_| ask() == Verdict::Fine).count(), QUESTIONS);
    }

    #[test]
    fn a_redirection_obeys_the_rules_of_addresses() {
        let spec = CameraSpec::parse("rtsp://u:p@192.0.2.1/a", 0, false).unwrap().spec;
        assert_eq!(
            follow(&spec, "rtsp://192.0.2.7:8554/b", 1).unwrap(),
            CameraSpec { url: "rtsp://192.0.2.7:8554/b".into(), ..spec.clone() }
        );
        for (uri, count, kind) in [
            ("rtsp://127.0.0.1/b", 1, FailureKind::Forbidden),
            ("rtsp://localhost/b", 1, FailureKind::Forbidden),
            ("rtsp://0x7f.1/b", 1, FailureKind::Forbidden),
            ("http://192.0.2.7/b", 1, FailureKind::Forbidden),
            ("rtsp://no-such-host.invalid/b", 1, FailureKind::UnknownHost),
            ("rtsp://192.0.2.7/b", AT_MOST + 1, FailureKind::Ended),
        ] {
            assert_eq!(follow(&spec, uri, count).unwrap_err().kind, kind, "{uri}");
        }
        let open = CameraSpec { allow_loopback: true, ..spec };
        assert!(follow(&open, "rtsp://127.0.0.1/b", 1).is_ok());
    }
}
