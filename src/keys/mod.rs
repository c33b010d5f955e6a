//! Named API keys, beside the one secret of `OPENVIDUAPP`: who is asking, and what they may do. There are none until one is made.
//!
//! | file | what lives there |
//! |---|---|
//! | [`scope`] | rights and scopes, and the table between them |
//! | `key` | one key: its name, its hash, its ends |
//! | `file` | where they are kept: one private file that the daemon and `viduct key` change under one lock |
//! | `credentials` | what an `Authorization` header presents |
//! | `keyring` | the answer to "who is asking?", as the file is at that moment |
//!
//! **Stored as SHA-256, without salt and without a slow hash.** Those protect passwords, which people choose and others guess. A key is
//! 256 random bits: nobody guesses one, however fast the hash, and each request may be checked in microseconds.
//!
//! **Revoked at once.** The keyring looks at the file for every request that presents a key, so the next request after a revocation is
//! refused, whoever revoked it. What a key opened before stays open to its end: a download, a viewer over WHEP, a token it made. Closing
//! the session ends the latter two. Keys that a key to everything made are keys of their own, and outlive it.

mod credentials;
mod file;
mod key;
mod keyring;
pub mod scope;

pub use file::{Error, KeyFile};
pub use key::{Key, PREFIX, Wish};
pub use keyring::{Grant, Keyring, Refused};
pub use scope::{BadScope, Right, Scope};
