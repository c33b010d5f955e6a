//! Locations of viewers: numbers sealed so that nobody can guess one, without a table that would have to be swept. Pure.

use crate::session::command::ViewerId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use ring::hmac;
use std::fmt;
use subtle::ConstantTimeEq;

/// Bytes of the seal that stand in a location.
const SEAL: usize = 16;

/// The key of this process; a location dies with it, as its viewer does.
pub struct Seal(hmac::Key);

impl Seal {
    /// A fresh key.
    pub fn random() -> Seal {
        let key: [u8; 32] = rand::rng().random();
        Seal(hmac::Key::new(hmac::HMAC_SHA256, &key))
    }

    /// The last segment of the location of a viewer.
    pub fn close(&self, session: &str, stream: &str, viewer: ViewerId) -> String {
        format!("{}-{}", viewer.0, URL_SAFE_NO_PAD.encode(self.tag(session, stream, viewer)))
    }

    /// The viewer a location names, if this process made it.
    pub fn open(&self, session: &str, stream: &str, segment: &str) -> Option<ViewerId> {
        let (number, seal) = segment.split_once('-')?;
        let viewer = ViewerId(number.parse().ok()?);
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        bool::from(seal.ct_eq(&self.tag(session, stream, viewer))).then_some(viewer)
    }

    fn tag(&self, session: &str, stream: &str, viewer: ViewerId) -> Vec<u8> {
        // no id holds a NUL, so no two triples have the same text
        let tag = hmac::sign(&self.0, format!("{session}\0{stream}\0{}", viewer.0).as_bytes());
        tag.as_ref().iter().copied().take(SEAL).collect()
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_own_location_opens() {
        let (seal, other) = (Seal::random(), Seal::random());
        let segment = seal.close("s", "t", ViewerId(7));
        assert_eq!(seal.open("s", "t", &segment), Some(ViewerId(7)));
        assert_eq!(other.open("s", "t", &segment), None);
        assert_eq!(seal.open("s2", "t", &segment), None);
        assert_eq!(seal.open("s", "t2", &segment), None);
        let next = segment.replacen('7', "8", 1);
        for wrong in ["", "7", "7-", "-", "x-y", &segment[..segment.len() - 1], &next, &format!("0{segment}0")] {
            assert_eq!(seal.open("s", "t", wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_segment_is_opened_or_not(segment in ".*") {
            prop_assert_eq!(Seal::random().open("s", "t", &segment), None);
        }
    }
}
