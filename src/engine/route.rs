//! Which path a peer's datagrams take: usually the one str0m nominated, but a NAT may have given the peer another address.
//!
//! str0m keeps the nominated pair while a new one has the same priority, which is what a NAT rebinding looks like. So: once the
//! nominated path has been silent for 2 s, follow the path that proved itself last. A path proves itself when a check of ours
//! that went out on it is answered on it, with the right password (RFC 8445 §7.2.5.2.1): whoever answers is there and wants to
//! hear us (RFC 7675). A check *from* there proves nothing, its sender's address may be forged. Pure; written by its peer.

use super::path::Path;
use super::stun::Transaction;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A path on which nothing is heard for this long is given up for one that speaks.
const SILENCE: Duration = Duration::from_secs(2);
/// Who is heard less often than this has left the path to others; answers to our checks alone come more often.
const GONE: Duration = Duration::from_secs(8);
/// Paths remembered; the one that has been silent longest is forgotten first.
const PATHS: usize = 16;
/// Checks of ours that may still be answered.
const ASKED: usize = 64;

/// The paths of one peer.
#[derive(Default, Debug)]
pub struct Route {
    heard: Vec<(Path, Instant)>,
    asked: VecDeque<(Transaction, Path)>,
    proved: Option<Path>,
}

impl Route {
    /// Something came on this path.
    pub fn heard(&mut self, path: Path, now: Instant) {
        if let Some((_, at)) = self.heard.iter_mut().find(|(known, _)| *known == path) {
            *at = now;
            return;
        }
        if self.heard.len() >= PATHS
            && let Some(oldest) = self.heard.iter().enumerate().min_by_key(|(_, (_, at))| *at).map(|(index, _)| index)
        {
            self.heard.swap_remove(oldest);
        }
        self.heard.push((path, now));
    }

    /// A check of ours goes out on this path.
    pub fn asks(&mut self, transaction: Transaction, path: Path) {
        if self.asked.len() >= ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((transaction, path));
    }

    /// A right answer came on this path.
    pub fn answered(&mut self, transaction: Transaction, path: Path) {
        if self.asked.contains(&(transaction, path)) {
            self.proved = Some(path);
        }
    }

    /// Where to send what str0m would send on `nominated`.
    pub fn follow(&self, nominated: Path, now: Instant) -> Path {
        match self.proved {
            Some(new) if new != nominated && self.silent(nominated, now, SILENCE) && !self.silent(new, now, SILENCE) => new,
            _ => nominated,
        }
    }

    /// Has this peer left a path it used?
    pub fn has_left(&self, path: Path, now: Instant) -> bool {
        self.silent(path, now, GONE)
    }

    fn silent(&self, path: Path, now: Instant, span: Duration) -> bool {
        let heard = self.heard.iter().find(|(known, _)| *known == path);
        heard.is_none_or(|(_, at)| now.saturating_duration_since(*at) > span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn path(port: u16) -> Path {
        Path::udp(([192, 0, 2, 9], 20_000).into(), ([192, 0, 2, 1], port).into())
    }

    fn transaction(number: u8) -> Transaction {
        [number; 12]
    }

    #[test]
    fn it_follows_a_path_that_proved_itself_once_the_old_one_is_silent() {
        let start = Clock::System.now();
        let ms = |n| start + Duration::from_millis(n);
        let mut route = Route::default();
        route.heard(path(1), ms(0));
        assert_eq!(route.follow(path(1), ms(5000)), path(1));
        route.heard(path(2), ms(1000));
        assert_eq!(route.follow(path(1), ms(2500)), path(1), "heard, but it proved nothing");
        route.asks(transaction(1), path(2));
        route.answered(transaction(2), path(2));
        assert_eq!(route.follow(path(1), ms(2500)), path(1), "the answer to a question nobody asked");
        route.answered(transaction(1), path(3));
        assert_eq!(route.follow(path(1), ms(2500)), path(1), "an answer from elsewhere");
        route.answered(transaction(1), path(2));
        assert_eq!(route.follow(path(1), ms(1500)), path(1), "the old path still speaks");
        assert_eq!(route.follow(path(1), ms(2500)), path(2));
        assert_eq!(route.follow(path(1), ms(3500)), path(1), "the new one is silent, too");
    }

    #[test]
    fn it_remembers_a_bounded_number_of_paths_and_questions() {
        let now = Clock::System.now();
        let mut route = Route::default();
        for port in 0..1000 {
            route.heard(path(port), now + Duration::from_millis(port.into()));
            route.asks(transaction(port as u8), path(port));
        }
        assert_eq!((route.heard.len(), route.asked.len()), (PATHS, ASKED));
        assert!(!route.has_left(path(999), now + Duration::from_millis(999)));
        assert!(route.has_left(path(1), now + Duration::from_millis(999)));
    }
}
