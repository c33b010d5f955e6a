//! What an `Authorization` header of a viewer says.

use super::error::Problem;
use crate::ids::SessionId;
use crate::keys::{Guard, Right};
use crate::session::{Access, Denied};
use axum::http::StatusCode;

/// `Bearer` with a connection's token (its URL, or the `tok_…` in it), else the API secret or an API key that may watch. Errors: 401, 403
/// a key that may not watch, 404 one that does not reach this session.
pub async fn access(authorization: Option<&str>, session: &SessionId, guard: &Guard) -> Result<Access, Problem> {
    let grant = match guard.who(authorization).await {
        Ok(grant) => grant,
        Err(refused) => return authorization.and_then(token).map(Access::Token).ok_or_else(|| unauthorized(&refused.to_string())),
    };
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

fn unauthorized(refused: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, format!("{refused}; or Bearer with the token of a connection"))
}

fn token(authorization: &str) -> Option<String> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { token_of(token.trim()) } else { None }
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
    use crate::keys::{KeyFile, Wish};

    #[tokio::test]
    async fn tokens_and_secret_are_understood() {
        let guard = Guard::new(Secret::new("MY_SECRET"), KeyFile::in_state("/proc/no/such".as_ref()), Clock::System);
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
            let got = access(header, &"s".into(), &guard).await;
            assert_eq!(got.as_ref().ok(), access_is.as_ref(), "{header:?}");
            assert!(got.is_ok() || got.is_err_and(|problem| problem.status == StatusCode::UNAUTHORIZED));
        }
    }

    #[tokio::test]
    async fn keys_watch_as_far_as_they_reach() {
        let state = tempfile::tempdir().unwrap();
        let guard = Guard::new(Secret::new("MY_SECRET"), KeyFile::in_state(state.path()), Clock::System);
        for (scope, session, answer) in [
            ("everything", "gate", 200),
            ("session:gate", "gate", 200),
            ("session:gate", "yard", 404),
            ("read-only", "gate", 403),
            ("recordings", "gate", 403),
        ] {
            let wish = Wish { name: "k".into(), scope: scope.parse().unwrap(), expires_at: None };
            let header = format!("Bearer {}", guard.file().create(wish, 0).unwrap().1);
            let got = access(Some(&header), &session.into(), &guard).await.map_err(|problem| problem.status.as_u16());
            assert_eq!(got, if answer == 200 { Ok(Access::Secret) } else { Err(answer) }, "{scope} {session}");
            guard.file().revoke("k").unwrap();
            // what is no key any more is a token, and the session will not know it
            assert!(matches!(access(Some(&header), &session.into(), &guard).await, Ok(Access::Token(_))));
        }
    }
}
