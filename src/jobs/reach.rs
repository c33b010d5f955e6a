//! Where a camera is, asked before a process is started for it: name to address, may it be there, does it listen?
//!
//! A camera that is away costs a connection attempt twice a second and no process. Addresses are tried side by side, and again
//! before an attempt has failed: behind a cable that is out attempts time out slowly, and the next one shall be on its way when
//! the cable is back.

use crate::clock::Clock;
use crate::wire::camera::{CameraSpec, allowed};
use crate::wire::control::{Failure, FailureKind};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// From one round of attempts to the next.
const STEP: Duration = Duration::from_millis(500);
/// Rounds before it is said that the camera cannot be reached; the first round's attempts have all their time.
const ROUNDS: usize = 3;
/// Addresses of a name that are tried.
const ADDRESSES: usize = 4;
/// How long a name may take to be resolved.
const LOOKUP: Duration = Duration::from_secs(5);
/// Lookups at a time. Each occupies a thread until the resolver gives up, and a resolver that is away must not eat the threads
/// that files need.
static LOOKUPS: Semaphore = Semaphore::const_new(8);

/// The camera by its address, where it accepts connections. May be dropped at any time.
pub async fn find(spec: &CameraSpec, clock: Clock) -> Result<CameraSpec, Failure> {
    let nowhere = || Failure { kind: FailureKind::UnknownHost, text: "the address has no host".into() };
    let (host, port) = spec.endpoint().ok_or_else(nowhere)?;
    let failure = |kind, text: String| Failure { kind, text: format!("{host}:{port}{text}") };
    let found = resolve(host.clone(), port).await.map_err(|error| failure(FailureKind::UnknownHost, format!(": {error}")))?;
    if found.is_empty() {
        return Err(failure(FailureKind::UnknownHost, String::new()));
    }
    let usable = usable(found, spec.allow_loopback);
    if usable.is_empty() {
        return Err(failure(FailureKind::Forbidden, " needs VIDUCT_CAMERA_ALLOW_LOOPBACK".into()));
    }
    let address = first_listening(&usable, clock).await.map_err(|error| failure(kind_of(&error), format!(": {error}")))?;
    spec.at(address.ip()).ok_or_else(nowhere)
}

/// Those of a name's addresses where a camera may be. The others are no reason to refuse the rest: what is used is one of these.
fn usable(found: Vec<SocketAddr>, allow_loopback: bool) -> Vec<SocketAddr> {
    found.into_iter().filter(|address| allowed(address.ip(), allow_loopback)).take(ADDRESSES).collect()
}

/// The addresses of a host. One that is an address asks no resolver.
async fn resolve(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let lookup = async {
        let permit = LOOKUPS.acquire().await.map_err(io::Error::other)?;
        let lookup = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
        });
        lookup.await.map_err(io::Error::other)?
    };
    timeout(LOOKUP, lookup).await.unwrap_or_else(|_| Err(io::Error::new(ErrorKind::TimedOut, "the resolver does not answer")))
}

/// The first address that accepts, or why none does; that a port is closed says more than that a route is missing.
async fn first_listening(addresses: &[SocketAddr], clock: Clock) -> io::Result<SocketAddr> {
    let mut tries = JoinSet::new();
    let mut told = None;
    for _ in 0..ROUNDS {
        for address in addresses.iter().copied() {
            tries.spawn(async move { TcpStream::connect(address).await.map(|_| address) });
        }
        let mut next = pin!(clock.sleep(STEP));
        loop {
            let tried = tokio::select! {
                tried = tries.join_next() => tried,
                () = &mut next => break,
            };
            match tried {
                Some(Ok(Ok(address))) => return Ok(address),
                Some(Ok(Err(error))) if told.as_ref().is_none_or(|told| kind_of(told) != FailureKind::Refused) => told = Some(error),
                Some(_) => {}
                // all have said no: asking again at once would change nothing
                None => return Err(told.unwrap_or_else(|| ErrorKind::AddrNotAvailable.into())),
            }
        }
    }
    Err(told.unwrap_or_else(|| ErrorKind::TimedOut.into()))
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
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    fn spec(uri: &str, allow_loopback: bool) -> CameraSpec {
        CameraSpec { allow_loopback, ..CameraSpec::parse(uri, 0, true).unwrap().spec }
    }

    async fn look(uri: &str, allow_loopback: bool) -> Result<String, Failure> {
        find(&spec(uri, allow_loopback), Clock::System).await.map(|spec| spec.url)
    }

    fn closed_port() -> u16 {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn names_become_addresses() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        // localhost may resolve to ::1 first, where nobody listens
        let url = look(&format!("rtsp://u:p@localhost:{port}/a/b?c=d"), true).await.unwrap();
        assert_eq!(url, format!("rtsp://127.0.0.1:{port}/a/b?c=d"));
    }

    #[tokio::test]
    async fn an_ipv6_address_keeps_its_brackets() {
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            eprintln!("SKIPPED an_ipv6_address_keeps_its_brackets: no IPv6 loopback here");
            return;
        };
        let port = listener.local_addr().unwrap().port();
        assert_eq!(look(&format!("rtsp://[::1]:{port}/x"), true).await.unwrap(), format!("rtsp://[::1]:{port}/x"));
    }

    #[tokio::test]
    async fn what_cannot_be_reached_says_why() {
        let port = closed_port();
        let table = [
            (format!("rtsp://127.0.0.1:{port}/x"), true, FailureKind::Refused),
            ("rtsp://no-such-host.invalid/x".to_owned(), true, FailureKind::UnknownHost),
            (format!("rtsp://127.0.0.1:{port}/x"), false, FailureKind::Forbidden),
            (format!("rtsp://localhost:{port}/x"), false, FailureKind::Forbidden),
            // one of the many spellings of 127.0.0.1 that only the resolver knows
            (format!("rtsp://0x7f.1:{port}/x"), false, FailureKind::Forbidden),
            (format!("rtsp://2130706433:{port}/x"), false, FailureKind::Forbidden),
            (format!("rtsp://0177.0.0.1:{port}/x"), false, FailureKind::Forbidden),
            (format!("rtsp://127.1:{port}/x"), false, FailureKind::Forbidden),
        ];
        for (uri, allow, kind) in table {
            let failure = look(&uri, allow).await.unwrap_err();
            assert_eq!(failure.kind, kind, "{uri}: {failure}");
        }
    }

    #[test]
    fn of_a_name_with_several_addresses_only_the_good_ones_are_used() {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let all =
            addresses(&["127.0.0.1:554", "192.0.2.1:554", "[::1]:554", "[fe80::1%3]:554", "[::ffff:127.0.0.1]:554", "[2001:db8::1]:554"]);
        assert_eq!(usable(all.clone(), false), addresses(&["192.0.2.1:554", "[2001:db8::1]:554"]));
        assert_eq!(usable(addresses(&["127.0.0.1:554", "0.0.0.0:554"]), false), []);
        assert_eq!(usable(all.clone(), true), all[..ADDRESSES]);
    }

    #[tokio::test]
    async fn a_closed_port_says_more_than_a_missing_route() {
        let refused = SocketAddr::from((Ipv4Addr::LOCALHOST, closed_port()));
        // a port that cannot be connected to whatever the network looks like
        let unreachable = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
        for order in [[refused, unreachable], [unreachable, refused]] {
            let error = first_listening(&order, Clock::System).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        let error = first_listening(&[unreachable], Clock::System).await.unwrap_err();
        assert_eq!(kind_of(&error), FailureKind::Unreachable);
    }

    #[tokio::test]
    async fn one_that_never_answers_is_unreachable_and_does_not_hide_one_that_listens() {
        // a full queue of connections: what comes next is neither taken nor refused
        let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        full.listen(0).unwrap();
        let silent = full.local_addr().unwrap().as_socket().unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&silent, Duration::from_millis(200)) {
            held.push(stream);
        }
        let error = first_listening(&[silent], Clock::System).await.unwrap_err();
        assert_eq!(kind_of(&error), FailureKind::Unreachable);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let listening = listener.local_addr().unwrap();
        assert_eq!(first_listening(&[silent, listening], Clock::System).await.unwrap(), listening);
    }
}
