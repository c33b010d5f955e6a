//! Identifiers: those that travel inside (small numbers that carry their session) and those that clients see (text).
//!
//! Inner ids are allocated by a session *before* it speaks to the engine or to the jobs, and carry the session's number, so that
//! an event from below finds its session without a table. Outer ids follow the forms of the OpenVidu API (rest.md §3).

use rand::Rng;
use std::fmt;
use std::sync::Arc;

/// Number of a session, unique in the life of this process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SessionKey(pub u32);

impl SessionKey {
    /// No session: the ids that recordings allocate carry this key, for a recording may outlive its session.
    pub const RECORDINGS: SessionKey = SessionKey(u32::MAX);
}

macro_rules! inner_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name {
            session: SessionKey,
            number: u32,
        }

        impl $name {
            /// The id `number` of the session `session`; the session never uses a number twice.
            pub fn new(session: SessionKey, number: u32) -> Self {
                Self { session, number }
            }

            /// The session that allocated this id and hears what happens to it.
            pub fn session(self) -> SessionKey {
                self.session
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}#{}.{}", stringify!($name), self.session.0, self.number)
            }
        }
    };
}

inner_id! {
    /// One WebRTC transport: a publication or a subscription.
    PeerId
}
inner_id! {
    /// One encoded stream of packets.
    TrackId
}
inner_id! {
    /// One worker process and its successors.
    JobId
}

macro_rules! outer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text clients see.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

outer_id! {
    /// `ses_` + letter + 9 alphanumerics, or the customSessionId.
    SessionId
}
outer_id! {
    /// `con_…` of a WebRTC connection, `ipc_IPCAM_…` of a camera.
    ConnectionId
}
outer_id! {
    /// `str_` + kind + `_` + letter + 3 alphanumerics + `_` + connection id.
    StreamId
}

outer_id! {
    /// The id of its session; `~1`, `~2`, … behind it for further recordings (rest.md §10.3).
    RecordingId
}

outer_id! {
    /// `media_` + letter + 7 alphanumerics.
    MediaNodeId
}

impl MediaNodeId {
    /// A fresh id of a media node.
    pub fn random() -> Self {
        format!("media_{}", letter_and(7)).into()
    }
}

impl SessionId {
    /// A fresh session id.
    pub fn random() -> Self {
        format!("ses_{}", letter_and(9)).into()
    }
}

impl ConnectionId {
    /// A fresh id of a WebRTC connection.
    pub fn random() -> Self {
        format!("con_{}", letter_and(9)).into()
    }

    /// A fresh id of a camera connection: `scheme` as in the URI, `place` = host, port and path of the URI, without query and
    /// user info (rest.md §3).
    pub fn random_camera(scheme: &str, place: &str) -> Self {
        let place: String = place.chars().filter(|c| *c != '-').map(|c| if matches!(c, '/' | '.' | ':') { '_' } else { c }).collect();
        let mark: String = pick(UPPER_DIGITS, 4);
        format!("ipc_IPCAM_{scheme}_{mark}_{place}").into()
    }
}

impl StreamId {
    /// A fresh stream id; `kind` is `CAM`, `SCR`, `CUS`, `IPC` or `MIC`.
    pub fn random(kind: &str, connection: &ConnectionId) -> Self {
        format!("str_{kind}_{}_{connection}", letter_and(3)).into()
    }
}

/// A fresh token id: `tok_` + letter + 15 alphanumerics.
pub fn random_token() -> String {
    format!("tok_{}", letter_and(15))
}

/// `len` characters of `[A-Za-z0-9]` that nobody can guess.
pub fn secret_text(len: usize) -> String {
    pick(ALPHANUMERIC, len)
}

const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const UPPER_DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn pick(from: &[u8], len: usize) -> String {
    let mut rng = rand::rng();
    (0..len).map(|_| from[rng.random_range(0..from.len())] as char).collect()
}

fn letter_and(rest: usize) -> String {
    pick(UPPER, 1) + &pick(ALPHANUMERIC, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outer_ids_have_the_documented_forms() {
        let session = SessionId::random();
        assert!(session.as_str().starts_with("ses_") && session.as_str().len() == 14);
        let connection = ConnectionId::random();
        assert!(connection.as_str().starts_with("con_") && connection.as_str().len() == 14);
        assert_eq!(random_token().len(), 20);
        let stream = StreamId::random("CAM", &connection);
        assert!(stream.as_str().starts_with("str_CAM_") && stream.as_str().ends_with(connection.as_str()));
    }

    #[test]
    fn a_camera_id_names_its_place_without_odd_characters() {
        let id = ConnectionId::random_camera("rtsp", "91.191.213.49:554/live-mpeg4.sdp");
        assert!(id.as_str().starts_with("ipc_IPCAM_rtsp_"));
        assert!(id.as_str().ends_with("_91_191_213_49_554_livempeg4_sdp"), "{id}");
    }
}
