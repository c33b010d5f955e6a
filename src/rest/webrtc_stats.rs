//! `webRtcStats=true`: what the transports behind publishers and subscribers are like (rest.md §5.6). A debugging aid: a transport
//! that is gone, or a media thread that does not answer, leaves the members empty.

use super::render::Secrets;
use crate::engine::{self, Report, Traffic};
use crate::ids::PeerId;
use crate::session::SessionSnapshot;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::oneshot;

/// The media thread works in turns of milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the transports of these sessions are like, if the query asked for it.
pub async fn gather(
    wanted: bool,
    sessions: impl IntoIterator<Item = &SessionSnapshot>,
    engine: &engine::Handle,
) -> Option<HashMap<PeerId, Report>> {
    if !wanted {
        return None;
    }
    let active = sessions.into_iter().flat_map(|session| &session.connections).filter_map(|connection| connection.active.as_ref());
    let peers = active.flat_map(|active| active.publisher_peer.into_iter().chain(active.subscribers.iter().map(|s| s.peer)));
    let (peers, (reply, answer)) = (peers.collect(), oneshot::channel());
    if engine.send(engine::Command::Report { peers, reply }).is_err() {
        return Some(HashMap::new());
    }
    Some(tokio::time::timeout(PATIENCE, answer).await.ok().and_then(Result::ok).unwrap_or_default())
}

/// The members that stand before those of a publisher or subscriber. Pure.
pub fn members(created_at: u64, endpoint: &str, report: Option<&Report>, secrets: Secrets) -> Map<String, Value> {
    let none = Report::default();
    let report = report.unwrap_or(&none);
    let local: Vec<String> =
        report.local_sdp.lines().filter_map(|line| line.strip_prefix("a=")).filter(is_candidate).map(str::to_owned).collect();
    let (ours, theirs) = report.pair.unzip();
    let members = json!({
        "createdAt": created_at,
        "webrtcEndpointName": endpoint,
        "remoteSdp": description(&report.remote_sdp, secrets),
        "localSdp": description(&report.local_sdp, secrets),
        "clientIceCandidates": candidates(&report.candidates),
        "serverIceCandidates": candidates(&local),
        "localCandidate": ours.map(|address| of_pair(&local, address)),
        "remoteCandidate": theirs.map(|address| of_pair(&report.candidates, address)),
        "events": [],
        "serverStats": {
            "connected": report.connected,
            "received": traffic(report.received),
            "sent": traffic(report.sent),
            "packetsDropped": report.dropped,
        },
    });
    match members {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A session description; without secrets also without the passwords of its ICE (RFC 8839 §5.4).
fn description(sdp: &str, secrets: Secrets) -> String {
    const PASSWORD: &str = "a=ice-pwd:";
    if secrets == Secrets::All {
        return sdp.to_owned();
    }
    let line = |line: &str| match line.find(PASSWORD) {
        Some(0) => format!("{PASSWORD}***{}", &line[line.trim_end().len()..]),
        _ => line.to_owned(),
    };
    sdp.split_inclusive('\n').map(line).collect()
}

fn is_candidate(line: &&str) -> bool {
    line.starts_with("candidate:")
}

fn candidates(texts: &[String]) -> Value {
    texts.iter().map(|text| json!({ "candidate": text })).collect()
}

/// The candidate of an address that is in use; one that nobody announced is peer-reflexive (RFC 8445 §5.1.1).
fn of_pair(known: &[String], address: SocketAddr) -> String {
    let (ip, port) = (address.ip().to_canonical().to_string(), address.port().to_string());
    let is = |text: &&String| {
        let mut words = text.split_whitespace().skip(4);
        words.next() == Some(ip.as_str()) && words.next() == Some(port.as_str())
    };
    known.iter().find(is).cloned().unwrap_or_else(|| format!("candidate:0 1 udp 0 {ip} {port} typ prflx"))
}

fn traffic(traffic: Traffic) -> Value {
    json!({ "packets": traffic.datagrams, "bytes": traffic.bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_have_the_documented_order_and_name_the_pair_in_use() {
        let report = Report {
            remote_sdp: "v=0".into(),
            local_sdp: "v=0\r\na=candidate:1 1 udp 2130706431 192.0.2.1 20000 typ host\r\na=x".into(),
            candidates: vec!["candidate:7 1 udp 1 198.51.100.9 5000 typ srflx raddr 0.0.0.0 rport 0".into()],
            pair: Some((([192, 0, 2, 1], 20000).into(), ([198, 51, 100, 9], 5000).into())),
            connected: true,
            sent: Traffic { datagrams: 2, bytes: 2400 },
            ..Report::default()
        };
        let members = members(5, "str_1", Some(&report), Secrets::All);
        let keys: Vec<&str> = members.keys().map(String::as_str).collect();
        let first = ["createdAt", "webrtcEndpointName", "remoteSdp", "localSdp", "clientIceCandidates", "serverIceCandidates"];
        assert_eq!(keys[..6], first);
        assert_eq!(keys[6..], ["localCandidate", "remoteCandidate", "events", "serverStats"]);
        assert_eq!(members["localCandidate"], "candidate:1 1 udp 2130706431 192.0.2.1 20000 typ host");
        assert_eq!(members["remoteCandidate"], report.candidates[0].as_str());
        assert_eq!(members["serverIceCandidates"], json!([{"candidate": members["localCandidate"]}]));
        assert_eq!(members["serverStats"]["sent"], json!({"packets": 2, "bytes": 2400}));
    }

    #[test]
    fn passwords_are_secrets() {
        let sdp = "v=0\r\na=ice-ufrag:u\r\na=ice-pwd:hidden\r\na=x:a=ice-pwd:\r\na=ice-pwd:hidden";
        assert_eq!(description(sdp, Secrets::All), sdp);
        for secrets in [Secrets::Token, Secrets::None] {
            assert_eq!(description(sdp, secrets), sdp.replace("hidden", "***"));
        }
    }

    #[test]
    fn a_transport_that_is_gone_has_empty_members_and_a_strange_address_is_reflexive() {
        let empty = members(5, "x", None, Secrets::None);
        assert_eq!((&empty["remoteSdp"], &empty["localCandidate"]), (&json!(""), &json!(null)));
        assert_eq!(of_pair(&["candidate:1".into()], ([192, 0, 2, 9], 7).into()), "candidate:0 1 udp 0 192.0.2.9 7 typ prflx");
    }
}
