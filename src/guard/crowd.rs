//! How much of something one address may have at a time, so that one stranger cannot take it all.

use super::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts by address. Bounded by what is counted: an address that has nothing is not remembered. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Crowd {
    most: usize,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of an address; given back when dropped.
#[must_use]
#[derive(Debug)]
pub struct Place {
    crowd: Crowd,
    who: IpAddr,
}

impl Crowd {
    /// Each address may have `most`.
    pub fn new(most: usize) -> Crowd {
        Crowd { most, counts: Arc::default() }
    }

    /// One more for `client`; `None`: it has all it may have.
    pub fn enter(&self, client: IpAddr) -> Option<Place> {
        let who = network(client);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(who).or_default();
        // an entry is never 0 and at most `most`, which is more
        (*count < self.most).then(|| {
            *count += 1;
            Place { crowd: self.clone(), who }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_and_gives_it_back() {
        let crowd = Crowd::new(2);
        let enter = |address: &str| crowd.enter(address.parse().unwrap());
        let (first, second) = (enter("2001:db8::1").unwrap(), enter("2001:db8::2").unwrap());
        assert!(enter("2001:db8::3").is_none(), "one customer");
        let other = enter("192.0.2.1").unwrap();
        drop(first);
        let third = enter("2001:db8::3").unwrap();
        drop((second, third, other));
        assert!(crowd.counts.lock().unwrap().is_empty());
    }
}
