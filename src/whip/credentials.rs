//! What an `Authorization` header of a viewer says. Pure.

use crate::config::Secret;
use crate::session::Access;

/// `Bearer` with a connection's token (its URL, or the `tok_…` in it), or `Basic` with the API secret. `None` = 401.
pub fn access(authorization: Option<&str>, secret: &Secret) -> Option<Access> {
    let authorization = authorization?.trim();
    match authorization.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token_of(token.trim()).map(Access::Token),
        _ => secret.opens(authorization).then_some(Access::Secret),
    }
}

/// Does the header carry a token rather than the secret?
pub fn is_bearer(authorization: &str) -> bool {
    authorization.trim().split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
}

fn token_of(text: &str) -> Option<String> {
    let token = match url::Url::parse(text) {
        Ok(url) => url.query_pairs().find(|(name, _)| name == "token")?.1.into_owned(),
        Err(_) => text.to_owned(),
    };
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_secret_are_understood() {
        let secret = Secret::new("MY_SECRET");
        let token = |t: &str| Some(Access::Token(t.into()));
        for (header, access_is) in [
            (Some("Bearer tok_A1"), token("tok_A1")),
            (Some("bearer  tok_A1 "), token("tok_A1")),
            (Some("Bearer wss://localhost:4443?sessionId=s&token=tok_A1"), token("tok_A1")),
            (Some("Bearer wss://[::1]:4443?token=tok_A1&sessionId=s"), token("tok_A1")),
            (Some("Bearer wss://localhost?sessionId=s"), None),
            (Some("Bearer wss://localhost?token="), None),
            (Some("Bearer "), None),
            (Some("Bearer"), None),
            (Some("Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU"), Some(Access::Secret)),
            (Some("Basic T1BFTlZJRFVBUFA6bm8="), None),
            (Some("MY_SECRET"), None),
            (Some(""), None),
            (None, None),
        ] {
            assert_eq!(access(header, &secret), access_is, "{header:?}");
        }
    }
}
