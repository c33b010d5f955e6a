//! The addresses of this box: which of them clients on the local network can reach, now and when that changes.

use crate::clock::Clock;
use crate::config::Config;
use crate::engine;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Interfaces of containers and virtual machines; nobody outside the box reaches these.
const VIRTUAL: [&str; 4] = ["docker", "br-", "veth", "virbr"];

/// How often the interfaces are looked at; a look costs some 50 µs.
const LOOK: Duration = Duration::from_secs(2);

/// The addresses of the local network, IPv4 first, in the order of the interfaces.
pub fn lan() -> Vec<IpAddr> {
    let interfaces = match getifaddrs() {
        Ok(interfaces) => interfaces,
        Err(error) => {
            tracing::warn!(%error, "cannot list the network interfaces");
            return Vec::new();
        }
    };
    select(interfaces.filter_map(|interface| {
        let address = interface.address?;
        let ip = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (None, Some(v6)) => IpAddr::V6(v6.ip()),
            (None, None) => return None,
        };
        Some((interface.interface_name, interface.flags, ip))
    }))
}

/// The addresses that answers announce as host candidates.
pub fn candidates(config: &Config, lan: &[IpAddr]) -> Vec<IpAddr> {
    with_loopback(lan, config.loopback_candidates)
}

fn with_loopback(lan: &[IpAddr], loopback: bool) -> Vec<IpAddr> {
    let own = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    lan.iter().copied().chain(own.into_iter().filter(|_| loopback)).collect()
}

/// Tells the engine when the addresses change: DHCP may come after the start, Wi-Fi may go. `known` are those it was started
/// with. Never returns.
pub async fn follow(engine: engine::Handle, mut known: Vec<IpAddr>, loopback: bool, clock: Clock) {
    loop {
        clock.sleep(LOOK).await;
        let now = lan();
        // an engine that takes no more commands is told with the next look
        if now != known && engine.send(engine::Command::Addresses { own: with_loopback(&now, loopback) }).is_ok() {
            tracing::info!(addresses = ?now, "the addresses of this box have changed");
            known = now;
        }
    }
}

fn select(interfaces: impl Iterator<Item = (String, InterfaceFlags, IpAddr)>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = interfaces
        .filter(|(name, flags, ip)| {
            flags.contains(InterfaceFlags::IFF_UP)
                && !flags.contains(InterfaceFlags::IFF_LOOPBACK)
                && !VIRTUAL.iter().any(|prefix| name.starts_with(prefix))
                && is_reachable(ip)
        })
        .map(|(_, _, ip)| ip)
        .collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

/// Link-local IPv6 addresses mean nothing without their interface, which a candidate cannot name.
fn is_reachable(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_unspecified(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use std::collections::BTreeMap;

    #[test]
    fn lan_addresses_are_those_others_can_reach() {
        let up = InterfaceFlags::IFF_UP;
        let interface = |name: &str, flags, ip: &str| (name.to_owned(), flags, ip.parse().unwrap());
        let found = select(
            [
                interface("lo", up | InterfaceFlags::IFF_LOOPBACK, "127.0.0.1"),
                interface("eth0", up, "fe80::1"),
                interface("eth0", up, "2001:db8::2"),
                interface("eth0", up, "192.168.1.2"),
                interface("wlan0", InterfaceFlags::empty(), "192.168.1.3"),
                interface("docker0", up, "172.17.0.1"),
                interface("br-1f2e", up, "172.18.0.1"),
                interface("br0", up, "10.0.0.1"),
            ]
            .into_iter(),
        );
        assert_eq!(found, ["192.168.1.2", "10.0.0.1", "2001:db8::2"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    }

    #[test]
    fn loopback_is_offered_only_when_configured() {
        let (env, lan) = (BTreeMap::new(), [IpAddr::from([192, 168, 1, 2])]);
        let config = |demo| load(&Sources { demo, ..Sources::of(&env) }).unwrap().config;
        assert_eq!(candidates(&config(false), &lan), lan);
        assert_eq!(candidates(&config(true), &lan).len(), 3);
    }
}
