//! A network of addresses, as CIDR notation has it (RFC 4632 §3.1, RFC 4291 §2.3). Pure.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use thiserror::Error;

/// One address, or all with the same beginning. IPv4 addresses that are mapped into IPv6 are IPv4 addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    /// Bits that count.
    prefix: u32,
}

/// It is no network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("neither an address nor a network like 192.0.2.0/24")]
pub struct NoNetwork;

impl Network {
    /// Is it one of its addresses?
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, other) = (self.address, address.to_canonical());
        own.is_ipv4() == other.is_ipv4() && (bits(own) ^ bits(other)).leading_zeros() >= self.prefix
    }
}

/// Left-aligned, so that prefixes of both families are counted alike.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Network, NoNetwork> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let written: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let longest = |address: IpAddr| if address.is_ipv4() { 32 } else { Ipv6Addr::BITS };
        let prefix = match prefix {
            None => longest(written),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| NoNetwork)?,
            Some(_) => return Err(NoNetwork),
        };
        let address = written.to_canonical();
        // of a mapped address the first 96 bits are the mapping
        let prefix = prefix.checked_sub(longest(written) - longest(address)).ok_or(NoNetwork)?;
        if prefix > longest(address) { Err(NoNetwork) } else { Ok(Network { address, prefix }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn who_is_in_which_network() {
        for (network, inside, outside) in [
            ("192.0.2.7", vec!["192.0.2.7", "::ffff:192.0.2.7"], vec!["192.0.2.8", "::192.0.2.7", "2001:db8::7"]),
            ("192.0.2.7/32", vec!["192.0.2.7"], vec!["192.0.2.6"]),
            ("10.0.0.0/8", vec!["10.0.0.0", "10.255.255.255"], vec!["11.0.0.0", "9.255.255.255", "a00::"]),
            ("10.1.2.3/8", vec!["10.9.9.9"], vec!["11.1.2.3"]),
            ("172.16.0.0/12", vec!["172.31.0.1"], vec!["172.32.0.1"]),
            ("0.0.0.0/0", vec!["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], vec!["::", "2001:db8::1"]),
            ("::/0", vec!["::1", "2001:db8::1"], vec!["127.0.0.1", "::ffff:127.0.0.1"]),
            ("2001:db8::/33", vec!["2001:db8:7fff::1"], vec!["2001:db8:8000::1", "32.1.13.184"]),
            ("2001:db8::1", vec!["2001:db8::1"], vec!["2001:db8::2"]),
            ("::ffff:10.0.0.0/104", vec!["10.1.2.3", "::ffff:10.1.2.3"], vec!["11.0.0.0"]),
        ] {
            let read: Network = network.parse().unwrap();
            for (address, is_in) in inside.iter().map(|a| (a, true)).chain(outside.iter().map(|a| (a, false))) {
                assert_eq!(read.contains(address.parse().unwrap()), is_in, "{address} in {network}");
            }
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in
            ["", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "::ffff:10.0.0.0/8", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/8/8", "box", "[::1]"]
        {
            assert_eq!(text.parse::<Network>(), Err(NoNetwork), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_in_every_network_around_it(bits in any::<u128>(), v4 in any::<bool>(), prefix in 0u32..=128, flipped in 0u32..128) {
            let address = |bits: u128| if v4 { IpAddr::from(((bits >> 96) as u32).to_be_bytes()) } else { Ipv6Addr::from_bits(bits).into() };
            let prefix = if v4 { prefix % 33 } else { prefix };
            // a mapped one is another family
            prop_assume!(v4 || address(bits).to_canonical().is_ipv6());
            let network: Network = format!("{}/{prefix}", address(bits)).parse().unwrap();
            prop_assert!(network.contains(address(bits)));
            let flipped = if v4 { flipped % 32 } else { flipped };
            let other = address(bits ^ (1 << (127 - flipped)));
            prop_assume!(v4 || other.to_canonical().is_ipv6());
            prop_assert_eq!(network.contains(other), flipped >= prefix);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<Network>();
        }
    }
}
