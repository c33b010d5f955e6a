//! The address of a media node: its forms, and whether anybody is there.

use super::Error;
use crate::clock::Clock;
use std::time::Duration;
use tokio::net::TcpStream;
use url::{Host, Url};

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A node's address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Address {
    /// As it is compared and shown.
    pub uri: String,
    pub host: String,
    port: u16,
}

impl Address {
    /// Reads `ws://HOST[:PORT][/PATH]` or `wss://…`. Errors: [`Error::BadUri`].
    pub fn parse(uri: &str) -> Result<Address, Error> {
        let bad = |why: &str| Error::BadUri(why.into());
        let url = Url::parse(uri).map_err(|error| Error::BadUri(error.to_string()))?;
        if !matches!(url.scheme(), "ws" | "wss") {
            return Err(bad("its scheme is neither ws nor wss"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it carries credentials"));
        }
        let host = match url.host() {
            Some(Host::Ipv6(ip)) => ip.to_string(),
            Some(host) => host.to_string(),
            None => return Err(bad("it has no host")),
        };
        let port = url.port_or_known_default().ok_or_else(|| bad("it has no port"))?;
        Ok(Address { uri: url.to_string(), host, port })
    }

    /// The address of the node on a machine with this host name or address, as the API writes it.
    pub fn of_host(host: &str) -> Address {
        let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Address { uri: format!("ws://{shown}:8888/kurento"), host: host.to_owned(), port: 8888 }
    }
}

/// Asks whoever is there to join. Nobody can prove a key of this cluster yet, so this never ends well.
/// Errors: [`Error::Unreachable`], [`Error::NotProven`].
pub(super) async fn invite(address: &Address, clock: Clock) -> Error {
    let uri = address.uri.clone();
    tokio::select! {
        connected = TcpStream::connect((address.host.as_str(), address.port)) => match connected {
            Ok(_) => Error::NotProven { uri },
            Err(error) => Error::Unreachable { uri, why: error.to_string() },
        },
        () = clock.sleep(PATIENCE) => Error::Unreachable { uri, why: format!("no answer within {} s", PATIENCE.as_secs()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn addresses_are_web_socket_uris() {
        for (uri, host, port) in [
            ("ws://192.0.2.7:8888/kurento", "192.0.2.7", 8888),
            ("wss://node.example.org", "node.example.org", 443),
            ("ws://[2001:db8::1]:1/kurento", "2001:db8::1", 1),
        ] {
            let address = Address::parse(uri).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
        }
        for odd in ["", "kurento", "http://192.0.2.7:8888/kurento", "ws://", "ws://h:99999/", "ws://u:p@h:1/"] {
            assert!(matches!(Address::parse(odd), Err(Error::BadUri(_))), "{odd}");
        }
        for host in ["192.0.2.7", "2001:db8::1"] {
            let own = Address::of_host(host);
            assert_eq!(Address::parse(&own.uri), Ok(own));
        }
    }

    #[tokio::test]
    async fn nobody_and_somebody_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = Address::parse(&format!("ws://127.0.0.1:{port}/kurento")).unwrap();
        assert!(matches!(invite(&address, Clock::System).await, Error::NotProven { .. }));
        drop(listener);
        assert!(matches!(invite(&address, Clock::System).await, Error::Unreachable { .. }));
    }
}
