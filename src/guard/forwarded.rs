//! Who sent a request that came through proxies: what `X-Forwarded-For` says, as far as it can be believed. Pure.
//!
//! Each proxy writes the address it heard the request from at the end of what stands there already. So the last entry is the word of
//! the other end of the socket, the one before it that of the proxy named last, and so on: the chain is believed from its end as long as
//! it names proxies that are trusted, and whoever is first to be none of them is the client. What stands before that the client may have
//! made up.

use axum::http::HeaderMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const FORWARDED: &str = "x-forwarded-for";

/// The client of a request that came from `peer`. `trusts`: is this the address of a trusted proxy? An entry that is no address ends
/// the chain: then the proxy that passed it on is taken for the client.
pub fn client(peer: IpAddr, headers: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut known = peer.to_canonical();
    let values = headers.get_all(FORWARDED).iter().rev();
    // a value that is no text is one entry that is no address
    let entries = values.flat_map(|value| value.to_str().unwrap_or("?").rsplit(',')).map(str::trim);
    // empty elements of a list are none (RFC 9110 §5.6.1)
    for entry in entries.filter(|entry| !entry.is_empty()) {
        if !trusts(known) {
            break;
        }
        match address(entry) {
            Some(named) => known = named,
            None => break,
        }
    }
    known
}

/// An address, maybe with a port; one of IPv6 maybe in brackets.
fn address(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = match bare {
        Some(inside) => inside.parse::<Ipv6Addr>().ok()?.into(),
        None => entry.parse().or_else(|_| entry.parse::<SocketAddr>().map(|socket| socket.ip())).ok()?,
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    /// Trusted are 10.0.0.0/8 and fd00::/8.
    fn trusts(address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => v4.octets()[0] == 10,
            IpAddr::V6(v6) => v6.octets()[0] == 0xfd,
        }
    }

    fn of(peer: &str, values: &[&[u8]]) -> String {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value).unwrap());
        let headers = values.map(|value| (FORWARDED.parse().unwrap(), value)).collect();
        client(peer.parse().unwrap(), &headers, trusts).to_string()
    }

    #[test]
    fn chains() {
        for (peer, values, client) in [
            // nobody is trusted who is not on the list, whatever it says
            ("192.0.2.9", vec![], "192.0.2.9"),
            ("192.0.2.9", vec!["198.51.100.1"], "192.0.2.9"),
            ("192.0.2.9", vec!["198.51.100.1, 10.0.0.1"], "192.0.2.9"),
            ("::ffff:192.0.2.9", vec!["198.51.100.1"], "192.0.2.9"),
            // one proxy
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec![""], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("fd00::1", vec!["2001:db8::7"], "2001:db8::7"),
            // what the client wrote itself stands before
            ("10.0.0.1", vec!["203.0.113.5, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["10.0.0.2, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["127.0.0.1", "203.0.113.5", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["garbage, 198.51.100.1"], "198.51.100.1"),
            // several proxies, in one line or more
            ("10.0.0.1", vec!["198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", vec!["203.0.113.5,198.51.100.1 , 10.0.0.3,10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", vec!["198.51.100.1", "fd00::2, 10.0.0.2"], "198.51.100.1"),
            // a proxy that asks for itself
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // no address: whoever passed it on
            ("10.0.0.1", vec!["unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.1, _hidden, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", vec!["198.51.100.1 10.0.0.2"], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.300"], "10.0.0.1"),
            ("10.0.0.1", vec!["198.51.100.1:99999"], "10.0.0.1"),
            ("10.0.0.1", vec!["[198.51.100.1]"], "10.0.0.1"),
            ("10.0.0.1", vec!["[2001:db8::7"], "10.0.0.1"),
            ("10.0.0.1", vec!["fe80::1%eth0"], "10.0.0.1"),
            // empty elements are none
            ("10.0.0.1", vec![" , 198.51.100.1,, "], "198.51.100.1"),
            // ports, brackets, mapped addresses
            ("10.0.0.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", vec!["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", vec!["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.0.0.1", vec!["::ffff:198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", vec!["198.51.100.1, [::ffff:10.0.0.2]:80"], "198.51.100.1"),
        ] {
            let bytes: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
            assert_eq!(of(peer, &bytes), client, "{values:?} from {peer}");
        }
        assert_eq!(of("10.0.0.1", &[b"198.51.100.1, \xff"]), "10.0.0.1", "not even text");
    }

    proptest! {
        #[test]
        fn strangers_are_never_believed(value in "[ -~]*") {
            prop_assert_eq!(of("192.0.2.9", &[value.as_bytes()]), "192.0.2.9");
        }

        #[test]
        fn what_a_client_writes_changes_nothing(value in "[ -~]*") {
            prop_assert_eq!(of("10.0.0.1", &[value.as_bytes(), b"198.51.100.1"]), "198.51.100.1");
            prop_assert_eq!(of("10.0.0.1", &[format!("{value},198.51.100.1").as_bytes()]), "198.51.100.1");
        }
    }
}
