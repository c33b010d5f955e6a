//! VP8 in RTP (RFC 7741): what a payload begins, seen from its descriptor.

/// Where the VP8 payload header starts, and whether this packet begins a frame's first partition (RFC 7741 §4.2).
fn descriptor(payload: &[u8]) -> Option<(usize, bool)> {
    let first = *payload.first()?;
    let begins = first & 0x10 != 0 && first & 0x07 == 0;
    let mut at = 1;
    if first & 0x80 != 0 {
        let present = *payload.get(at)?;
        at += 1;
        if present & 0x80 != 0 {
            at += if payload.get(at)? & 0x80 != 0 { 2 } else { 1 };
        }
        if present & 0x40 != 0 {
            at += 1;
        }
        if present & 0x30 != 0 {
            at += 1;
        }
    }
    Some((at, begins))
}

/// Is this the first packet of a key frame (P bit of the payload header clear, RFC 7741 §4.3)?
pub fn starts_key(payload: &[u8]) -> bool {
    matches!(descriptor(payload), Some((at, true)) if payload.get(at).is_some_and(|header| header & 1 == 0))
}

/// What a payload holds of its frame: all behind the descriptor. Nothing when the descriptor is longer than the payload.
pub fn content(payload: &[u8]) -> &[u8] {
    descriptor(payload).and_then(|(at, _)| payload.get(at..)).unwrap_or_default()
}

/// Width and height of a key frame, px (RFC 6386 section 9.1).
pub fn size(frame: &[u8]) -> Option<(u16, u16)> {
    match frame {
        [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] if tag & 1 == 0 => {
            Some((u16::from_le_bytes([*w0, *w1]) & 0x3fff, u16::from_le_bytes([*h0, *h1]) & 0x3fff))
        }
        _ => None,
    }
}

/// May this packet be left out without harm to any other frame (N bit)?
pub fn discardable(payload: &[u8]) -> bool {
    payload.first().is_some_and(|first| first & 0x20 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn key_frames_are_seen_behind_every_descriptor() {
        for (payload, key) in [
            (vec![0x10, 0x00], true),
            (vec![0x10, 0x01], false),                              // interframe
            (vec![0x00, 0x00], false),                              // not the start of a partition
            (vec![0x11, 0x00], false),                              // second partition
            (vec![0x90, 0x80, 0x12, 0x00], true),                   // 7-bit picture id
            (vec![0x90, 0x80, 0x92, 0x34, 0x00], true),             // 15-bit picture id
            (vec![0x90, 0xf0, 0x92, 0x34, 0x01, 0x20, 0x00], true), // with TL0PICIDX, TID and KEYIDX
            (vec![0x90, 0xf0, 0x92, 0x34, 0x01, 0x20, 0x01], false),
            (vec![0x90, 0x80], false),
            (vec![0x90], false),
            (vec![], false),
        ] {
            assert_eq!(starts_key(&payload), key, "{payload:02x?}");
        }
    }

    #[test]
    fn the_frame_is_behind_the_descriptor() {
        for (payload, frame) in [
            (&[0x10, 7, 8][..], &[7, 8][..]),
            (&[0x90, 0xf0, 0x92, 0x34, 0x01, 0x20, 7], &[7]),
            (&[0x10], &[]),
            (&[0x90, 0x80], &[]),
            (&[], &[]),
        ] {
            assert_eq!(content(payload), frame, "{payload:02x?}");
        }
    }

    #[test]
    fn a_key_frame_tells_its_size() {
        let mut frame = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41, 0];
        assert_eq!(size(&frame), Some((640, 360)));
        assert_eq!(size(&frame[..9]), None);
        frame[0] |= 1;
        assert_eq!(size(&frame), None);
    }

    #[test]
    fn the_n_bit_makes_a_packet_discardable() {
        assert!(discardable(&[0x30, 0x01]));
        assert!(!discardable(&[0x10, 0x01]));
        assert!(!discardable(&[]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            starts_key(&bytes);
            discardable(&bytes);
            content(&bytes);
        }
    }
}
