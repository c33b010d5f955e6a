//! What keeps strangers from wearing the doors out: wrong secrets, crowds, bodies without end. Knows no path and no secret.
//!
//! | file | what lives there |
//! |---|---|
//! | `lockout` | how long an address has to wait after wrong secrets |
//! | `crowd` | how much of something one address may have at a time |
//! | [`forwarded`] | whose request it is that came through proxies |
//! | [`body`] | reading a request body of bounded size in bounded time |
//! | [`pace`] | ending connections whose other end takes nothing any more |
//! | [`socket`] | the same for WebSockets, which are told why |
//!
//! Addresses are those of sockets, unless a proxy that the operator trusts says whom it stands for ([`forwarded`]). What other senders say
//! of themselves is ignored, for whoever guesses secrets would name a new address with each guess; so all who come through a proxy
//! that nobody trusts share its allowance.

pub mod body;
mod crowd;
pub mod forwarded;
mod lockout;
pub mod pace;
pub mod socket;

pub use crowd::{Crowd, Place};
pub use lockout::{Locked, Lockout};

use std::net::{IpAddr, Ipv6Addr};

/// Whom an address stands for: itself, or the /64 that one customer has of IPv6 (RFC 6177 gives at least that to each).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_customer_is_one_network() {
        for (address, stands_for) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
            ("::1", "::"),
        ] {
            assert_eq!(network(address.parse().unwrap()), stands_for.parse::<IpAddr>().unwrap(), "{address}");
        }
    }
}
