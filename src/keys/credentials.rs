//! What an `Authorization` header presents as a key. Pure.

use super::key::PREFIX;
use crate::config::{Authorization, USER};

/// A key somebody presents.
#[derive(Clone, PartialEq, Eq)]
pub struct Presented {
    /// The name it was said to have; `None`: none was said.
    pub name: Option<String>,
    pub secret: String,
}

/// The key of `Bearer <key>` (RFC 6750), or of `Basic` with its name or `OPENVIDUAPP` for the user (RFC 7617). `None`: the header is
/// about something else.
pub fn presented(authorization: &str) -> Option<Presented> {
    let (name, secret) = match Authorization::parse(authorization)? {
        Authorization::Bearer(secret) => (None, secret),
        Authorization::Basic { user, password } => (Some(user).filter(|user| user != USER), password),
    };
    secret.starts_with(PREFIX).then_some(Presented { name, secret })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn both_schemes_are_understood() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let some = |name: Option<&str>| Some((name.map(str::to_owned), "vk_A1".to_owned()));
        for (header, is) in [
            ("Bearer vk_A1".to_owned(), some(None)),
            (" bearer  vk_A1 ".to_owned(), some(None)),
            (basic("OPENVIDUAPP:vk_A1"), some(None)),
            (basic("gate:vk_A1"), some(Some("gate"))),
            (basic(":vk_A1"), some(Some(""))),
            (basic("OPENVIDUAPP:MY_SECRET"), None),
            (basic("vk_A1"), None),
            ("Bearer tok_A1".to_owned(), None),
            ("Bearer".to_owned(), None),
            ("Digest vk_A1".to_owned(), None),
            ("Basic %%%".to_owned(), None),
            (format!("Basic {}", STANDARD.encode([0xff, b':'])), None),
            (String::new(), None),
        ] {
            assert_eq!(presented(&header).map(|found| (found.name, found.secret)), is, "{header}");
        }
    }
}
