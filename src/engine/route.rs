//! Where to send what str0m addresses to a peer: usually there, but a NAT may have given the peer another address meanwhile.
//!
//! str0m keeps the nominated pair while a new one has the same priority, which is what a NAT rebinding looks like. So: once the
//! nominated address has been silent for 2 s, follow the address of the last ICE check that str0m answered with success. Only
//! the holder of the right password gets such an answer. Pure; written by its peer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// An address that says nothing for this long is given up.
const SILENCE: Duration = Duration::from_secs(2);
/// Addresses remembered; the one that has been silent longest is forgotten first.
const ADDRESSES: usize = 8;

/// The addresses of one peer.
#[derive(Default, Debug)]
pub struct Route {
    heard: Vec<(SocketAddr, Instant)>,
    checked: Option<SocketAddr>,
}

impl Route {
    /// Something came from there.
    pub fn heard(&mut self, from: SocketAddr, now: Instant) {
        if let Some((_, at)) = self.heard.iter_mut().find(|(address, _)| *address == from) {
            *at = now;
            return;
        }
        if self.heard.len() >= ADDRESSES
            && let Some(oldest) = self.heard.iter().enumerate().min_by_key(|(_, (_, at))| *at).map(|(index, _)| index)
        {
            self.heard.swap_remove(oldest);
        }
        self.heard.push((from, now));
    }

    /// A check from there was right.
    pub fn checked(&mut self, from: SocketAddr) {
        self.checked = Some(from);
    }

    /// Where to send what is addressed to `to`.
    pub fn follow(&self, to: SocketAddr, now: Instant) -> SocketAddr {
        match self.checked {
            Some(new) if new != to && self.silent(to, now) && !self.silent(new, now) => new,
            _ => to,
        }
    }

    fn silent(&self, address: SocketAddr, now: Instant) -> bool {
        let heard = self.heard.iter().find(|(known, _)| *known == address);
        heard.is_none_or(|(_, at)| now.saturating_duration_since(*at) > SILENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn it_follows_a_checked_address_once_the_old_one_is_silent() {
        let start = Clock::System.now();
        let ms = |n| start + Duration::from_millis(n);
        let mut route = Route::default();
        route.heard(address(1), ms(0));
        route.checked(address(1));
        assert_eq!(route.follow(address(1), ms(5000)), address(1));
        route.heard(address(2), ms(1000));
        assert_eq!(route.follow(address(1), ms(2500)), address(1), "heard, but nobody proved the password there");
        route.checked(address(2));
        assert_eq!(route.follow(address(1), ms(1500)), address(1), "the old address still speaks");
        assert_eq!(route.follow(address(1), ms(2500)), address(2));
        assert_eq!(route.follow(address(1), ms(3500)), address(1), "the new one is silent, too");
    }

    #[test]
    fn it_remembers_a_bounded_number_of_addresses() {
        let now = Clock::System.now();
        let mut route = Route::default();
        for port in 0..1000 {
            route.heard(address(port), now + Duration::from_millis(port.into()));
        }
        assert_eq!(route.heard.len(), ADDRESSES);
        assert!(!route.silent(address(999), now + Duration::from_millis(999)));
    }
}
