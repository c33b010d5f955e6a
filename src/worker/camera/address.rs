//! Where the camera is. Resolved here and not by `rtspsrc`, which reports an unknown host, a closed port and a dead route alike.

use crate::wire::camera::{CameraSpec, allowed};
use crate::wire::control::{Failure, FailureKind};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;
use url::{Host, Url};

/// How long one address may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Addresses of a name that are tried.
const TRIES: usize = 4;

/// The camera's URL with its address in place of its name, and the `host:port` it was found by, for texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    pub location: String,
    pub place: String,
}

/// Resolves the host and finds the first allowed address that accepts a TCP connection. Blocks; the guard thread ends the process
/// when the daemon does not want to wait.
pub fn find(spec: &CameraSpec) -> Result<Address, Failure> {
    let bad_url = || Failure { kind: FailureKind::UnknownHost, text: "the address has no host".into() };
    let url = Url::parse(&spec.url).map_err(|_| bad_url())?;
    let port = url.port().unwrap_or(if url.scheme() == "rtsps" { 322 } else { 554 });
    let host = match url.host().ok_or_else(bad_url)? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(v4) => v4.to_string(),
        Host::Ipv6(v6) => v6.to_string(),
    };
    let place = format!("{host}:{port}");
    let failure = |kind, text: &str| Failure { kind, text: format!("{place}{text}") };

    let found: Vec<SocketAddr> = match (host.as_str(), port).to_socket_addrs() {
        Ok(found) => found.collect(),
        Err(error) => return Err(failure(FailureKind::UnknownHost, &format!(": {error}"))),
    };
    if found.is_empty() {
        return Err(failure(FailureKind::UnknownHost, ""));
    }
    let usable: Vec<SocketAddr> = found.into_iter().filter(|address| allowed(address.ip(), spec.allow_loopback)).collect();
    if usable.is_empty() {
        return Err(failure(FailureKind::Forbidden, " needs VIDUCT_CAMERA_ALLOW_LOOPBACK"));
    }
    let address = first_listening(&usable).map_err(|error| failure(kind_of(&error), &format!(": {error}")))?;
    let mut location = url;
    location.set_ip_host(address.ip()).map_err(|()| bad_url())?;
    Ok(Address { location: location.into(), place })
}

/// The first address that accepts, or the error of the last one; that a port is closed says more than that a route is missing.
fn first_listening(addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
    let mut worst = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in addresses.iter().take(TRIES) {
        match TcpStream::connect_timeout(address, CONNECT) {
            Ok(_) => return Ok(*address),
            Err(error) if worst.kind() != ErrorKind::ConnectionRefused => worst = error,
            Err(_) => {}
        }
    }
    Err(worst)
}

fn kind_of(error: &io::Error) -> FailureKind {
    match error.kind() {
        ErrorKind::ConnectionRefused => FailureKind::Refused,
        _ => FailureKind::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};

    fn spec(uri: &str, allow_loopback: bool) -> CameraSpec {
        CameraSpec { allow_loopback, ..CameraSpec::parse(uri, 0, true).unwrap().spec }
    }

    fn closed_port() -> u16 {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn names_become_addresses() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = find(&spec(&format!("rtsp://u:p@localhost:{port}/a/b?c=d"), true)).unwrap();
        // localhost may resolve to ::1 first, where nobody listens
        assert_eq!(address, Address { location: format!("rtsp://127.0.0.1:{port}/a/b?c=d"), place: format!("localhost:{port}") });
    }

    #[test]
    fn an_ipv6_address_keeps_its_brackets() {
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            eprintln!("SKIPPED an_ipv6_address_keeps_its_brackets: no IPv6 loopback here");
            return;
        };
        let port = listener.local_addr().unwrap().port();
        assert_eq!(find(&spec(&format!("rtsp://[::1]:{port}/x"), true)).unwrap().location, format!("rtsp://[::1]:{port}/x"));
    }

    #[test]
    fn what_cannot_be_reached_says_why() {
        let port = closed_port();
        let table = [
            (format!("rtsp://127.0.0.1:{port}/x"), true, FailureKind::Refused),
            ("rtsp://no-such-host.invalid/x".to_owned(), true, FailureKind::UnknownHost),
            (format!("rtsp://127.0.0.1:{port}/x"), false, FailureKind::Forbidden),
            (format!("rtsp://localhost:{port}/x"), false, FailureKind::Forbidden),
            // one of the many spellings of 127.0.0.1 that only the resolver knows
            (format!("rtsp://0x7f.1:{port}/x"), false, FailureKind::Forbidden),
        ];
        for (uri, allow, kind) in table {
            let failure = find(&spec(&uri, allow)).unwrap_err();
            assert_eq!(failure.kind, kind, "{uri}: {failure}");
        }
    }

    #[test]
    fn a_closed_port_says_more_than_a_missing_route() {
        let refused = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), closed_port());
        // a port that cannot be connected to whatever the network looks like
        let unreachable = SocketAddr::new(IpAddr::V4(Ipv4Addr::BROADCAST), 9);
        for order in [[refused, unreachable], [unreachable, refused]] {
            assert_eq!(first_listening(&order).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
        assert_eq!(kind_of(&first_listening(&[unreachable]).unwrap_err()), FailureKind::Unreachable);
    }
}
