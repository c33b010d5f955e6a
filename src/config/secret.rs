//! The API secret: compared in constant time, never printed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// User name of the API (rest.md §2.1).
const USER: &str = "OPENVIDUAPP";

/// `OPENVIDU_SECRET`. `Debug` does not show it and there is no `Display`.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps the text of a secret.
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that stores it and shows it once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Is `text` this secret? Takes the same time wherever they differ.
    pub fn matches(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// Does this `Authorization` header carry `OPENVIDUAPP:<secret>` by HTTP Basic (RFC 7617)?
    pub fn opens(&self, authorization: &str) -> bool {
        let Some((scheme, credentials)) = authorization.trim().split_once(' ') else { return false };
        if !scheme.eq_ignore_ascii_case("basic") {
            return false;
        }
        let Ok(decoded) = STANDARD.decode(credentials.trim()) else { return false };
        let Ok(text) = String::from_utf8(decoded) else { return false };
        let Some((user, password)) = text.split_once(':') else { return false };
        bool::from(user.as_bytes().ct_eq(USER.as_bytes())) & self.matches(password)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn only_the_right_user_with_the_right_secret_passes() {
        let secret = Secret::new("MY_SECRET");
        let bare = STANDARD.encode("OPENVIDUAPP:MY_SECRET");
        assert!(secret.opens(&basic("OPENVIDUAPP:MY_SECRET")));
        assert!(secret.opens(&format!("basic {bare}")));
        for wrong in [
            String::new(),
            "Basic".into(),
            "Basic ".into(),
            "Basic %%%".into(),
            bare.clone(),
            format!("Bearer {bare}"),
            basic("OPENVIDUAPP:MY_SECRE"),
            basic("OPENVIDUAPP:MY_SECRET2"),
            basic("OPENVIDUAPP:"),
            basic("OPENVIDUAPP"),
            basic("openviduapp:MY_SECRET"),
            basic(":MY_SECRET"),
            format!("Basic {}", STANDARD.encode([0xff, 0xfe, b':'])),
        ] {
            assert!(!secret.opens(&wrong), "{wrong}");
        }
    }

    #[test]
    fn debug_hides_it() {
        assert_eq!(format!("{:?}", Secret::new("MY_SECRET")), "Secret(***)");
    }
}
