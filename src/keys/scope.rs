//! What a key may do: rights, scopes, and the one table between them. Pure.
//!
//! | right | `everything` | `read-only` | `session:<id>` | `recordings` |
//! |---|---|---|---|---|
//! | is the box well? | yes | yes | yes | yes |
//! | metrics, call detail records, layouts | yes | yes | | |
//! | sessions, connections: see | yes | yes | that one's | |
//! | sessions, connections, tokens, signals: change | yes | | that one's | |
//! | recordings: see | yes | yes | that one's | yes |
//! | recordings: start, stop, delete, download | yes | | that one's | yes |
//! | live pictures without a token (WHEP) | yes | | that one's | |
//! | configuration, restart, media nodes, keys | yes | | | |
//!
//! `read-only` is for monitoring: it knows what the box does and sees neither a picture nor a secret, so films are not part of it.
//! What a scope does not reach is as absent: lists leave it out, and asking for it is answered as for what never was.

use crate::ids::SessionId;
use std::fmt;
use std::str::FromStr;

/// What a request does, as far as scopes care.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Right {
    /// Asks whether the box is well.
    Health,
    /// Looks at what the box did and does: metrics, call detail records.
    Observe,
    SeeSessions,
    ChangeSessions,
    SeeRecordings,
    ChangeRecordings,
    /// Downloads films.
    Download,
    /// Watches live pictures without a connection's token.
    Watch,
    /// Rules the box: configuration, restart, media nodes, keys.
    Administer,
}

/// How far a key reaches.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// As far as the API secret.
    Everything,
    ReadOnly,
    /// One session, whether or not it is there yet, and what was recorded of it.
    Session(SessionId),
    Recordings,
}

/// The text is no scope.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a scope is one of {}; a session's id is made of a-z, A-Z, 0-9, _ and -", Scope::FORMS.join(", "))]
pub struct BadScope;

impl Scope {
    /// How scopes are written.
    pub const FORMS: [&'static str; 4] = ["everything", "read-only", "session:<id>", "recordings"];

    /// Does it allow `right`, on those objects that it reaches?
    pub fn allows(&self, right: Right) -> bool {
        use Right::*;
        match self {
            Scope::Everything => true,
            Scope::ReadOnly => matches!(right, Health | Observe | SeeSessions | SeeRecordings),
            Scope::Session(_) => {
                matches!(right, Health | SeeSessions | ChangeSessions | SeeRecordings | ChangeRecordings | Download | Watch)
            }
            Scope::Recordings => matches!(right, Health | SeeRecordings | ChangeRecordings | Download),
        }
    }

    /// Does it reach this session, and what was recorded of it?
    pub fn reaches(&self, session: &SessionId) -> bool {
        match self {
            Scope::Everything | Scope::ReadOnly | Scope::Recordings => true,
            Scope::Session(own) => own == session,
        }
    }

    /// Does it see passwords of cameras and tokens?
    pub fn sees_secrets(&self) -> bool {
        *self == Scope::Everything
    }
}

impl Right {
    /// The scopes that allow it, as text for whoever was refused.
    pub fn scopes(self) -> String {
        let any = Scope::Session(SessionId::from("id"));
        let all = [Scope::Everything, Scope::ReadOnly, any, Scope::Recordings];
        let allowing: Vec<_> = all.iter().zip(Scope::FORMS).filter(|(scope, _)| scope.allows(self)).map(|(_, form)| form).collect();
        allowing.join(" or ")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Everything => f.write_str("everything"),
            Scope::ReadOnly => f.write_str("read-only"),
            Scope::Session(id) => write!(f, "session:{id}"),
            Scope::Recordings => f.write_str("recordings"),
        }
    }
}

impl FromStr for Scope {
    type Err = BadScope;

    fn from_str(text: &str) -> Result<Scope, BadScope> {
        match text {
            "everything" => Ok(Scope::Everything),
            "read-only" => Ok(Scope::ReadOnly),
            "recordings" => Ok(Scope::Recordings),
            _ => {
                let id = text.strip_prefix("session:").filter(|id| !id.is_empty()).ok_or(BadScope)?;
                // what a customSessionId may be (rest.md §4.2)
                let right = id.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
                right.then(|| Scope::Session(SessionId::from(id))).ok_or(BadScope)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for text in ["everything", "read-only", "recordings", "session:gate", "session:a_B-9", "session:session"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for text in
            ["", "Everything", "read_only", "session", "session:", "session:a b", "session:a/b", "session:a:b", "session:é", " recordings"]
        {
            assert_eq!(text.parse::<Scope>(), Err(BadScope), "{text}");
        }
        assert!(BadScope.to_string().contains("read-only"));
    }

    #[test]
    fn a_session_s_key_reaches_that_session() {
        let own = Scope::Session("gate".into());
        assert!(own.reaches(&"gate".into()) && !own.reaches(&"gate2".into()) && !own.reaches(&"gat".into()));
        assert!(Scope::Recordings.reaches(&"gate".into()));
    }

    #[test]
    fn who_is_refused_hears_what_was_needed() {
        assert_eq!(Right::Administer.scopes(), "everything");
        assert_eq!(Right::Observe.scopes(), "everything or read-only");
        assert_eq!(Right::Download.scopes(), "everything or session:<id> or recordings");
    }

    #[test]
    fn secrets_are_for_the_whole_scope_only() {
        let seeing = |text: &str| text.parse::<Scope>().unwrap().sees_secrets();
        assert_eq!(["everything", "read-only", "session:gate", "recordings"].map(seeing), [true, false, false, false]);
    }
}
