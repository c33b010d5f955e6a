//! The rows of a door's table of routes.

use super::Operation;
use axum::Router;
use axum::routing::{MethodFilter, MethodRouter};

/// One thing that can be asked.
#[derive(Clone, Copy, Debug)]
pub struct Route<S> {
    pub verb: Verb,
    /// With its variables in braces, as routers and OpenAPI write them.
    pub path: &'static str,
    pub object: Object,
    /// Who answers: the handler, bound to the verb.
    pub serve: fn(MethodFilter) -> MethodRouter<S>,
    pub about: fn() -> Operation,
}

/// A row without its handler.
#[derive(Clone, Debug)]
pub struct Described {
    pub verb: Verb,
    pub path: &'static str,
    pub object: Object,
    pub operation: Operation,
}

/// The methods in use. HEAD is served wherever GET is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

/// What a request is about. Whoever decides who may ask for what looks here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Object {
    /// Nothing that is anybody's: no credentials are needed.
    Public,
    /// The box itself: how it is configured, how it fares, what it did.
    Box,
    /// Sessions and what is in them.
    Session(Named),
    /// Recordings and their files.
    Recording(Named),
    /// One stream by WHEP, which has credentials of its own.
    Viewer,
}

/// Where a request says which object it means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named {
    /// Nowhere: it is about all of them.
    All,
    /// The variable of its path that has the object's name: `{session}`, `{recording}`.
    Path,
    /// The field `session` of its body; for a session that is to be created, `customSessionId`.
    Body,
}

impl Verb {
    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
            Verb::Options => "OPTIONS",
        }
    }

    fn filter(self) -> MethodFilter {
        match self {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
            Verb::Patch => MethodFilter::PATCH,
            Verb::Delete => MethodFilter::DELETE,
            Verb::Options => MethodFilter::OPTIONS,
        }
    }
}

impl<S> Route<S> {
    /// A row.
    pub const fn new(
        verb: Verb,
        path: &'static str,
        object: Object,
        serve: fn(MethodFilter) -> MethodRouter<S>,
        about: fn() -> Operation,
    ) -> Route<S> {
        Route { verb, path, object, serve, about }
    }
}

/// The door that a table describes, without its state.
pub fn router<S: Clone + Send + Sync + 'static>(table: &[Route<S>]) -> Router<S> {
    table.iter().fold(Router::new(), |router, row| router.route(row.path, (row.serve)(row.verb.filter())))
}

/// The description of a table.
pub fn described<S>(table: &[Route<S>]) -> Vec<Described> {
    let describe = |row: &Route<S>| Described { verb: row.verb, path: row.path, object: row.object, operation: (row.about)() };
    table.iter().map(describe).collect()
}
