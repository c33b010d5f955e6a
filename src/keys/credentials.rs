//! What an `Authorization` header presents as a key. Pure.

use super::key::PREFIX;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The user that client libraries of OpenVidu always send.
const CLIENT_USER: &str = "OPENVIDUAPP";

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
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    let rest = rest.trim();
    let (name, secret) = if scheme.eq_ignore_ascii_case("bearer") {
        (None, rest.to_owned())
    } else if scheme.eq_ignore_ascii_case("basic") {
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        (Some(user.to_owned()).filter(|user| user != CLIENT_USER), password.to_owned())
    } else {
        return None;
    };
    secret.starts_with(PREFIX).then_some(Presented { name, secret })
}

#[cfg(test)]
mod tests {
    use super::*;

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
