//! What an `Authorization` header says. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// User name of the API (rest.md §2.1), the one that client libraries always send.
pub const USER: &str = "OPENVIDUAPP";

/// The two schemes that the box understands. No `Debug`: it holds secrets.
pub enum Authorization {
    /// HTTP Basic (RFC 7617).
    Basic { user: String, password: String },
    /// A token as it stands (RFC 6750).
    Bearer(String),
}

impl Authorization {
    /// `None`: another scheme, or nothing that can be read.
    pub fn parse(header: &str) -> Option<Authorization> {
        let (scheme, rest) = header.trim().split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Authorization::Bearer(rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Authorization::Basic { user: user.to_owned(), password: password.to_owned() })
    }
}
