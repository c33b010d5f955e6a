//! The API secret: compared in constant time, never printed.
//!
//! What is compared are digests: they are equally long whatever is given, so not even the secret's length shows in the time.

use super::authorization::{Authorization, USER};
use ring::digest::{SHA256, digest};
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq;

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

    /// Is `text` this secret? Takes the same time wherever they differ; an empty secret is matched by nothing (signaling.md §11.4).
    pub fn matches(&self, text: &str) -> bool {
        !self.0.is_empty() && same(&self.0, text)
    }

    /// Does this `Authorization` header carry `OPENVIDUAPP:<secret>` by HTTP Basic (RFC 7617)?
    pub fn opens(&self, authorization: &str) -> bool {
        let Some(Authorization::Basic { user, password }) = Authorization::parse(authorization) else { return false };
        // both are compared whichever is wrong
        same(USER, &user) & self.matches(&password)
    }
}

fn same(ours: &str, given: &str) -> bool {
    let digest = |text: &str| digest(&SHA256, text.as_bytes());
    digest(ours).as_ref().ct_eq(digest(given).as_ref()).into()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

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
    fn an_empty_secret_opens_nothing() {
        let empty = Secret::new("");
        assert!(!empty.matches("") && !empty.opens(&basic("OPENVIDUAPP:")) && !Secret::new("a").matches(""));
    }

    #[test]
    fn debug_hides_it() {
        assert_eq!(format!("{:?}", Secret::new("MY_SECRET")), "Secret(***)");
    }
}
