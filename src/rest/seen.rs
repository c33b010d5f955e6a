//! The box as one caller sees it: sessions and recordings that a key's scope does not reach are not there.
//!
//! Handlers find objects through [`Seen`] alone. What is foreign is then answered in the words, and at the place in the order of
//! checks, of what was never there: nobody can ask around for what others have.

use super::Api;
use super::auth::forbidden;
use super::error::Failure;
use super::legacy::Era;
use super::render::{Secrets, View};
use crate::ids::{RecordingId, SessionId};
use crate::keys::{Grant, Scope};
use crate::recording::{Recording, Recordings};
use crate::session::error::NotRecorded;
use crate::session::{Denied, SessionHandle, SessionSnapshot};
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use std::sync::Arc;

/// What a handler of objects gets instead of the whole.
#[derive(Clone, Debug)]
pub struct Seen {
    pub api: Arc<Api>,
    grant: Grant,
}

impl Seen {
    /// The session with this id.
    pub fn session(&self, id: impl Into<SessionId>) -> Result<SessionHandle, Denied> {
        let id = id.into();
        if self.grant.scope.reaches(&id) { self.api.registry.find(&id) } else { Err(Denied::UnknownSession(id)) }
    }

    /// All sessions, as they are now.
    pub fn sessions(&self) -> Vec<Arc<SessionSnapshot>> {
        let all = self.api.registry.all();
        all.iter().filter(|session| self.grant.scope.reaches(session.id())).map(SessionHandle::snapshot).collect()
    }

    /// May a session with this id be made? Errors: 403.
    pub fn may_create(&self, id: Option<&SessionId>) -> Result<(), Failure> {
        match &self.grant.scope {
            Scope::Session(own) if id != Some(own) => Err(forbidden(&self.grant, &format!("customSessionId {own}, or scope everything"))),
            _ => Ok(()),
        }
    }

    /// The room of recordings. Errors: this box does not record.
    pub fn recorder(&self) -> Result<&Recordings, NotRecorded> {
        self.api.recordings.as_ref().ok_or(NotRecorded::Off)
    }

    /// The recording with this id. Errors: this box does not record.
    pub fn recording(&self, id: &RecordingId) -> Result<Option<Arc<Recording>>, NotRecorded> {
        let found = self.recorder()?.library().get(id);
        Ok(found.filter(|recording| self.grant.scope.reaches(&recording.session)))
    }

    /// All recordings, running and finished. Errors: this box does not record.
    pub fn recordings(&self) -> Result<Vec<Arc<Recording>>, NotRecorded> {
        let all = self.recorder()?.library().list();
        Ok(all.into_iter().filter(|recording| self.grant.scope.reaches(&recording.session)).collect())
    }

    /// How objects look that were asked for.
    pub fn view(&self, era: Era) -> View<'_> {
        let secrets = if self.grant.scope.sees_secrets() { Secrets::All } else { Secrets::None };
        View { secrets, ..View::new(&self.api.config, era) }
    }

    /// How a connection looks to who has just made it.
    pub fn fresh_view(&self, era: Era) -> View<'_> {
        let secrets = if self.grant.scope.sees_secrets() { Secrets::All } else { Secrets::Token };
        View { secrets, ..View::new(&self.api.config, era) }
    }
}

impl FromRequestParts<Arc<Api>> for Seen {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Seen, Failure> {
        // the frame has put it there, or the path is not guarded: then nothing is to be seen
        let grant = parts.extensions.get::<Grant>().cloned();
        let grant = grant.ok_or_else(|| Failure::framework(StatusCode::UNAUTHORIZED, "credentials are needed"))?;
        Ok(Seen { api: api.clone(), grant })
    }
}
