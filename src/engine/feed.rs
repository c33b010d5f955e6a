//! The engine's side of a worker's media socket: messages in, packets of tracks out. Knows no socket.
//!
//! Written by the core alone. The socket outlives the worker's processes; each of them begins its slots with a format message.
//! Whatever is no message, or says nothing for a slot of this job, is counted and ignored: a worker is not trusted to be whole.

use super::capture::Moment;
use crate::ids::TrackId;
use crate::rtp::packet::inspect;
use crate::rtp::sequence::Extender;
use crate::rtp::{Codec, Extensions, Format, Header, Packet};
use crate::wire::media::{Message, PacketIter};

/// What a message of a worker means to the tracks.
#[derive(Debug)]
pub enum Heard {
    /// A new epoch of this track begins.
    Begins { slot: u8, track: TrackId, format: Format },
    /// The next packet of this track; its epoch is not set.
    Packet { track: TrackId, packet: Packet },
}

#[derive(Debug)]
struct Slot {
    slot: u8,
    track: TrackId,
    /// `None` until the first format message: packets before it mean nothing.
    codec: Option<Codec>,
    extender: Extender,
}

/// The slots of one job.
#[derive(Debug)]
pub struct Feed {
    slots: Vec<Slot>,
    /// Messages and packets that were of no use.
    pub ignored: u64,
}

impl Feed {
    /// The feed of a job whose slots fill these tracks.
    pub fn new(slots: &[(u8, TrackId)]) -> Feed {
        let slots = slots.iter().map(|(slot, track)| Slot { slot: *slot, track: *track, codec: None, extender: Extender::default() });
        Feed { slots: slots.collect(), ignored: 0 }
    }

    /// Reads one message; each thing heard is given to `tell`, in order.
    pub fn hear(&mut self, message: &[u8], moment: Moment, mut tell: impl FnMut(Heard)) {
        match Message::parse(message) {
            Ok(Message::Format { slot, format }) => match self.slots.iter_mut().find(|s| s.slot == slot) {
                Some(known) => {
                    known.codec = Some(format.codec);
                    known.extender = Extender::default();
                    tell(Heard::Begins { slot, track: known.track, format });
                }
                None => self.ignored += 1,
            },
            Ok(Message::Packets { slot, captured_ns, packets }) => self.packets(slot, captured_ns, packets, moment, tell),
            Ok(Message::KeyframeRequest { .. }) | Err(_) => self.ignored += 1,
        }
    }

    fn packets(&mut self, slot: u8, captured_ns: u64, packets: PacketIter<'_>, moment: Moment, mut tell: impl FnMut(Heard)) {
        let Some(slot) = self.slots.iter_mut().find(|s| s.slot == slot) else {
            self.ignored += 1;
            return;
        };
        let captured = moment.instant(captured_ns);
        for bytes in packets {
            let (Some(codec), Ok((header, payload))) = (slot.codec, Header::parse(bytes)) else {
                self.ignored += 1;
                continue;
            };
            let (key, discardable) = inspect(codec, payload);
            let packet = Packet {
                sequence: slot.extender.extend(header.sequence),
                timestamp: header.timestamp,
                marker: header.marker,
                payload: payload.into(),
                captured,
                key,
                discardable,
                extensions: Extensions::default(),
                epoch: 0,
            };
            tell(Heard::Packet { track: slot.track, packet });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::ids::SessionKey;
    use crate::wire::media::{encode_format, encode_packets};
    use proptest::prelude::*;
    use std::time::Duration;

    const FORMAT: Format = Format { codec: Codec::H264, profile_level_id: Some(0x42e01f) };

    fn track(number: u32) -> TrackId {
        TrackId::new(SessionKey(1), number)
    }

    fn moment() -> Moment {
        Moment { now: Clock::System.now() + Duration::from_secs(100), monotonic_ns: 100_000_000_000 }
    }

    fn message(slot: u8, sequences: &[u16]) -> Vec<u8> {
        let packets: Vec<Vec<u8>> = sequences
            .iter()
            .map(|s| Header { marker: false, payload_type: 96, sequence: *s, timestamp: 3000, ssrc: 1 }.packet(&[0x65, 0x88]))
            .collect();
        encode_packets(slot, 99_000_000_000, packets.iter().map(Vec::as_slice)).unwrap().remove(0)
    }

    fn format(slot: u8) -> Vec<u8> {
        let mut out = Vec::new();
        encode_format(&mut out, slot, &FORMAT);
        out
    }

    #[test]
    fn packets_follow_their_format_and_carry_the_capture_time() {
        let mut feed = Feed::new(&[(0, track(1)), (1, track(2))]);
        let moment = moment();
        let mut heard = vec![];
        feed.hear(&message(0, &[1]), moment, |h| heard.push(h));
        assert!(heard.is_empty(), "before its format a packet means nothing");
        feed.hear(&format(0), moment, |h| heard.push(h));
        feed.hear(&message(0, &[65_535, 0]), moment, |h| heard.push(h));
        feed.hear(&message(7, &[1]), moment, |h| heard.push(h));
        feed.hear(&format(7), moment, |h| heard.push(h));
        feed.hear(b"nonsense", moment, |h| heard.push(h));
        assert_eq!(feed.ignored, 4);
        let [
            Heard::Begins { slot: 0, track: begun, format: FORMAT },
            Heard::Packet { packet: a, .. },
            Heard::Packet { track: t, packet: b },
        ] = &heard[..]
        else {
            panic!("{heard:?}")
        };
        assert_eq!((*begun, *t, b.sequence), (track(1), track(1), a.sequence + 1));
        assert!(a.key && a.captured == moment.now - Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100), kind in 0u8..5) {
            let mut feed = Feed::new(&[(0, track(1))]);
            let mut message = vec![kind, 0];
            message.extend(bytes);
            feed.hear(&format(0), moment(), |_| {});
            feed.hear(&message, moment(), |_| {});
        }
    }
}
