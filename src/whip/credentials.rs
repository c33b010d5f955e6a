//! What an `Authorization` header of a viewer says.

use super::error::Problem;
use crate::config::Authorization;
use crate::ids::SessionId;
use crate::keys::{Keyring, PREFIX, Refused, Right};
use crate::session::{Access, Denied};
use axum::http::StatusCode;
use std::net::IpAddr;

/// `Bearer` with a connection's token (its URL, or the `tok_…` in it), else the API secret or an API key that may watch. Only these are
/// looked after as guesses: tokens are as long as keys, and players repeat used ones. Errors: 401, 429 too many wrong ones, 403 a key
/// that may not watch, 404 one that does not reach this session.
pub async fn access(authorization: Option<&str>, client: IpAddr, session: &SessionId, keyring: &Keyring) -> Result<Access, Problem> {
    if let Some(Authorization::Bearer(token)) = authorization.and_then(Authorization::parse)
        && !token.starts_with(PREFIX)
    {
        return token_of(&token).map(Access::Token).ok_or_else(|| unauthorized(&Refused::Wrong));
    }
    let grant = keyring.who(client, authorization).await.map_err(|refused| match refused {
        Refused::Locked(locked) => locked.into(),
        other => unauthorized(&other),
    })?;
    if !grant.scope.allows(Right::Watch) {
        let needed = Right::Watch.scopes();
        let detail = format!("the API key has scope {}; this needs a key of scope {needed}, or a token", grant.scope);
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    if !grant.scope.reaches(session) {
        return Err(Denied::UnknownSession(session.clone()).into());
    }
    Ok(Access::Secret)
}

fn unauthorized(refused: &Refused) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, format!("{refused}; or Bearer with the token of a connection"))
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
    use crate::clock::Clock;
    use crate::config::Secret;
    use crate::guard::Lockout;
    use crate::keys::{KeyFile, Wish};
    use std::path::Path;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn keyring(state: &Path) -> Keyring {
        Keyring::new(Secret::new("MY_SECRET"), Lockout::new(Clock::System), KeyFile::in_state(state), Clock::System)
    }

    #[tokio::test]
    async fn tokens_and_secret_are_understood() {
        let keyring = keyring("/proc/no/such".as_ref());
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
            let got = access(header, CLIENT, &"s".into(), &keyring).await;
            assert_eq!(got.as_ref().ok(), access_is.as_ref(), "{header:?}");
            assert!(got.is_ok() || got.is_err_and(|problem| problem.status == StatusCode::UNAUTHORIZED));
        }
    }

    #[tokio::test]
    async fn keys_watch_as_far_as_they_reach() {
        let state = tempfile::tempdir().unwrap();
        let keyring = keyring(state.path());
        for (scope, session, answer) in [
            ("everything", "gate", 200),
            ("session:gate", "gate", 200),
            ("session:gate", "yard", 404),
            ("read-only", "gate", 403),
            ("recordings", "gate", 403),
        ] {
            let wish = Wish { name: "k".into(), scope: scope.parse().unwrap(), expires_at: None };
            let header = format!("Bearer {}", keyring.file().create(wish, 0).unwrap().1);
            let got = access(Some(&header), CLIENT, &session.into(), &keyring).await.map_err(|problem| problem.status.as_u16());
            assert_eq!(got, if answer == 200 { Ok(Access::Secret) } else { Err(answer) }, "{scope} {session}");
            keyring.file().revoke("k").unwrap();
            let revoked = access(Some(&header), IpAddr::from([192, 0, 2, 9]), &session.into(), &keyring).await.unwrap_err();
            assert_eq!(revoked.status, StatusCode::UNAUTHORIZED);
        }
    }
}
