//! TLS handshakes under way, by the address they come from. One address that begins handshakes and finishes none may not take the
//! places of all connections: beyond its share its oldest ones end. A real client is done within milliseconds, so the oldest are
//! those that never will be.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Handshakes of one address at a time: an eighth of all connections.
pub const SHARE: usize = 256;

/// All that are under way. Clones are the same.
#[derive(Clone, Default, Debug)]
pub struct Handshakes(Arc<Mutex<HashMap<IpAddr, VecDeque<Arc<Notify>>>>>);

/// One of them; it is over when this is dropped.
#[derive(Debug)]
pub struct Handshake {
    all: Handshakes,
    from: IpAddr,
    displaced: Arc<Notify>,
}

impl Handshakes {
    /// A handshake begins. The oldest of the same address has to go if there are too many.
    pub fn begin(&self, from: IpAddr) -> Handshake {
        let from = neighbourhood(from);
        let displaced = Arc::new(Notify::new());
        let mut all = self.lock();
        let under_way = all.entry(from).or_default();
        if under_way.len() >= SHARE
            && let Some(oldest) = under_way.pop_front()
        {
            oldest.notify_one();
        }
        under_way.push_back(displaced.clone());
        Handshake { all: self.clone(), from, displaced }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, VecDeque<Arc<Notify>>>> {
        // whole at every moment
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handshake {
    /// Resolves when it has to give its place up. May be dropped and called anew.
    pub async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        let Some(under_way) = all.get_mut(&self.from) else { return };
        under_way.retain(|other| !Arc::ptr_eq(other, &self.displaced));
        if under_way.is_empty() {
            all.remove(&self.from);
        }
    }
}

/// Who counts as one: an IPv4 address, or the 64 bits of IPv6 that a household is given.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    fn has_to_go(handshake: &Handshake) -> bool {
        pin!(handshake.displaced()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn beyond_its_share_an_address_loses_its_oldest_and_nobody_elses() {
        let all = Handshakes::default();
        let of = |from: &str, count: usize| -> Vec<Handshake> { (0..count).map(|_| all.begin(from.parse().unwrap())).collect() };
        let others = of("192.0.2.2", SHARE);
        let mut greedy = of("192.0.2.1", SHARE + 10);
        let gone = greedy.iter().filter(|handshake| has_to_go(handshake)).count();
        assert_eq!(gone, 10);
        greedy.drain(..10);
        assert!(!greedy.iter().chain(&others).any(has_to_go));
        // one that is done makes room
        greedy.pop();
        let next = all.begin("192.0.2.1".parse().unwrap());
        assert!(!greedy.iter().chain([&next]).any(has_to_go));
        drop((greedy, others, next));
        assert!(all.lock().is_empty(), "nothing is remembered");
    }

    #[test]
    fn a_household_is_one() {
        let same = |one: &str, other: &str| neighbourhood(one.parse().unwrap()) == neighbourhood(other.parse().unwrap());
        assert!(same("2001:db8:1:2::3", "2001:db8:1:2:ffff::4") && !same("2001:db8:1:2::3", "2001:db8:1:3::3"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1") && !same("192.0.2.1", "192.0.2.2"));
    }
}
