//! What one connection has not taken yet: framed datagrams within a bound. Pure.
//!
//! A viewer whose link is too slow must cost neither memory nor the others' time. When the bound is reached, media is left out
//! whole datagram by whole datagram, and the viewer's pictures begin again with a key frame. What keeps the transport alive
//! (checks, handshake, reports) has a little room of its own.

/// Media that may wait, in bytes: 2 s of 4 Mbit/s.
const MEDIA: usize = 1 << 20;
/// What else may wait beyond that.
const URGENT: usize = 64 << 10;
/// Room that is made by moving what waits to the front.
const MOVE: usize = 256 << 10;

/// The bytes that wait, in order.
#[derive(Default, Debug)]
pub struct Queue {
    bytes: Vec<u8>,
    /// Bytes at the front that are written.
    written: usize,
    full: bool,
}

impl Queue {
    /// Appends a datagram, framed (RFC 4571); `false` when there is no room for it.
    pub fn push(&mut self, datagram: &[u8]) -> bool {
        let Ok(length) = u16::try_from(datagram.len()) else { return false };
        let bound = if is_urgent(datagram) { MEDIA + URGENT } else { MEDIA };
        if self.waiting().len() + 2 + datagram.len() > bound {
            self.full = true;
            return false;
        }
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(datagram);
        true
    }

    /// What waits.
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// So many bytes of it were written.
    pub fn wrote(&mut self, count: usize) {
        self.written = (self.written + count).min(self.bytes.len());
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        } else if self.written >= MOVE {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }

    /// True once after it had been full, when next to nothing waits any more.
    pub fn relieved(&mut self) -> bool {
        let relieved = self.full && self.waiting().len() <= MEDIA / 8;
        self.full &= !relieved;
        relieved
    }
}

/// STUN and DTLS by the first byte (RFC 7983), RTCP by the second (RFC 5761).
fn is_urgent(datagram: &[u8]) -> bool {
    matches!(datagram, [..64, ..] | [128..=191, 192..=223, ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RTP: [u8; 1200] = [0x80; 1200];

    #[test]
    fn a_full_queue_takes_no_media_but_checks_and_reports() {
        let mut queue = Queue::default();
        let taken = (0..2000).take_while(|_| queue.push(&RTP)).count();
        assert_eq!(taken, MEDIA / 1202);
        for urgent in [[0x00, 0x01].as_slice(), &[0x16, 0xfe], &[0x81, 200]] {
            assert!(queue.push(urgent));
        }
        assert!((0..2000).any(|_| !queue.push(&[0; 100])), "within a bound, too");
        assert!(queue.waiting().len() <= MEDIA + URGENT);
        assert!(!queue.relieved());
        queue.wrote(queue.waiting().len() / 2);
        assert!(!queue.relieved(), "half full would be full again at once");
        queue.wrote(queue.waiting().len() - 10);
        assert!(queue.relieved() && !queue.relieved());
    }

    #[test]
    fn what_has_no_length_in_two_bytes_is_left_out() {
        assert!(!Queue::default().push(&vec![0; 65_536]));
    }

    proptest! {
        #[test]
        fn bytes_come_out_in_order_and_once(steps in proptest::collection::vec((1usize..3000, 0usize..4000), 1..400)) {
            let (mut queue, mut sent, mut got) = (Queue::default(), vec![], Vec::<u8>::new());
            for (number, (length, taken)) in steps.iter().enumerate() {
                let datagram = vec![number as u8; *length];
                if queue.push(&datagram) {
                    sent.extend((*length as u16).to_be_bytes());
                    sent.extend(&datagram);
                }
                let taken = (*taken).min(queue.waiting().len());
                got.extend(&queue.waiting()[..taken]);
                queue.wrote(taken);
            }
            got.extend(queue.waiting());
            prop_assert_eq!(got, sent);
        }
    }
}
