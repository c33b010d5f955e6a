//! Datagrams in a byte stream (RFC 4571): each behind its length, two bytes, big-endian. Pure.

use thiserror::Error;

/// Longest frame taken, in bytes; nothing that WebRTC sends is longer than a datagram of a local network.
pub const LONGEST: usize = 4096;

/// What is announced is no packet of WebRTC: the stream is not what it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a frame of {0} bytes")]
pub struct TooLong(pub usize);

/// Bytes that came and are not yet a whole frame; at most one frame of them.
#[derive(Default, Debug)]
pub struct Frames {
    rest: Vec<u8>,
}

impl Frames {
    /// Takes bytes as they came; each whole frame is given to `take`. Empty frames keep a connection alive and mean nothing.
    ///
    /// # Errors
    /// A frame beyond [`LONGEST`]; nothing after it can be understood.
    pub fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            let missing = match wanted(&self.rest)? {
                Some(whole) => whole - self.rest.len(),
                None => 2 - self.rest.len(),
            };
            let (now, later) = bytes.split_at(missing.min(bytes.len()));
            self.rest.extend_from_slice(now);
            bytes = later;
            if wanted(&self.rest)?.is_some_and(|whole| whole == self.rest.len()) {
                if self.rest.len() > 2 {
                    take(&self.rest[2..]);
                }
                self.rest.clear();
            }
        }
        Ok(())
    }
}

/// Length of the frame that `begin` begins, with its two bytes, once they are there.
fn wanted(begin: &[u8]) -> Result<Option<usize>, TooLong> {
    let Some(&[high, low]) = begin.first_chunk() else { return Ok(None) };
    match usize::from(u16::from_be_bytes([high, low])) {
        length @ ..=LONGEST => Ok(Some(2 + length)),
        length => Err(TooLong(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(datagrams: &[Vec<u8>]) -> Vec<u8> {
        datagrams.iter().flat_map(|d| [&(d.len() as u16).to_be_bytes()[..], d].concat()).collect()
    }

    #[test]
    fn a_frame_that_is_too_long_ends_the_stream_after_those_before_it() {
        let mut got = vec![];
        let bytes = [framed(&[vec![1, 2], vec![], vec![3; LONGEST]]), vec![0xff, 0xff, 9]].concat();
        assert_eq!(Frames::default().push(&bytes, |frame| got.push(frame.to_vec())), Err(TooLong(0xffff)));
        assert_eq!(got, [vec![1, 2], vec![3; LONGEST]]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_keep_more_than_a_frame(bytes in proptest::collection::vec(any::<u8>(), 0..6000), cut in 1usize..700) {
            let mut frames = Frames::default();
            for part in bytes.chunks(cut) {
                let ended = frames.push(part, |frame| assert!((1..=LONGEST).contains(&frame.len()))).is_err();
                prop_assert!(frames.rest.len() <= 2 + LONGEST);
                if ended {
                    break;
                }
            }
        }

        #[test]
        fn however_the_bytes_come_the_frames_come_whole(
            datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 0..20), cuts in proptest::collection::vec(1usize..300, 1..40)
        ) {
            let bytes = framed(&datagrams);
            let (mut frames, mut got, mut rest, mut cuts) = (Frames::default(), vec![], &bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                frames.push(now, |frame| got.push(frame.to_vec())).unwrap();
                rest = later;
            }
            prop_assert_eq!(got, datagrams);
            prop_assert!(frames.rest.is_empty());
        }

        #[test]
        fn no_bytes_make_it_panic_or_grow(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..600), 0..30)) {
            let mut frames = Frames::default();
            for chunk in chunks {
                let ended = frames.push(&chunk, |frame| assert!(!frame.is_empty() && frame.len() <= LONGEST)).is_err();
                prop_assert!(frames.rest.len() <= LONGEST + 2);
                if ended {
                    break;
                }
            }
        }
    }
}
