//! Events on their way to floor 4. The channel is bounded and the media thread waits for nobody: what does not fit is kept here,
//! in order, and tried again each turn; beyond the bound the newest are lost, counted.

use super::api::Event;
use std::collections::VecDeque;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

/// Events kept when the channel is full: several for each peer that a box can carry.
const KEPT: usize = 16_384;

/// The end of the media thread's channel to floor 4.
pub struct Outbox {
    channel: Sender<Event>,
    waiting: VecDeque<Event>,
    /// Events lost because nobody read for too long.
    pub lost: u64,
}

impl Outbox {
    /// An empty outbox in front of `channel`.
    pub fn new(channel: Sender<Event>) -> Outbox {
        Outbox { channel, waiting: VecDeque::new(), lost: 0 }
    }

    /// Sends an event, after those that wait.
    pub fn push(&mut self, event: Event) {
        if self.waiting.len() >= KEPT {
            self.lost += 1;
            return;
        }
        self.waiting.push_back(event);
        self.retry();
    }

    /// Sends what waits, as much as fits. True when nothing waits any more.
    pub fn retry(&mut self) -> bool {
        while let Some(event) = self.waiting.pop_front() {
            match self.channel.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return false;
                }
                // nobody will ever read: the daemon is ending
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PeerId, SessionKey};
    use tokio::sync::mpsc::channel;

    fn event(number: usize) -> Event {
        Event::Connected { peer: PeerId::new(SessionKey(1), number as u32) }
    }

    fn number(event: &Event) -> String {
        format!("{event:?}")
    }

    #[test]
    fn a_full_channel_delays_events_and_keeps_their_order() {
        let (sender, mut receiver) = channel(2);
        let mut outbox = Outbox::new(sender);
        (0..5).for_each(|n| outbox.push(event(n)));
        let mut got = vec![];
        loop {
            while let Ok(event) = receiver.try_recv() {
                got.push(number(&event));
            }
            if outbox.retry() {
                break;
            }
        }
        while let Ok(event) = receiver.try_recv() {
            got.push(number(&event));
        }
        assert_eq!(got, (0..5).map(|n| number(&event(n))).collect::<Vec<_>>());
        assert_eq!(outbox.lost, 0);
    }

    #[test]
    fn nobody_reading_costs_a_bounded_number_of_events() {
        let (sender, _receiver) = channel(1);
        let mut outbox = Outbox::new(sender);
        (0..KEPT + 11).for_each(|n| outbox.push(event(n)));
        assert_eq!((outbox.waiting.len(), outbox.lost), (KEPT, 10));
    }

    #[test]
    fn a_receiver_that_is_gone_empties_the_outbox() {
        let (sender, receiver) = channel(1);
        let mut outbox = Outbox::new(sender);
        drop(receiver);
        outbox.push(event(0));
        assert!(outbox.retry() && outbox.waiting.is_empty());
    }
}
