//! The API as a document (OpenAPI 3.1), made from the tables of routes that the doors are built of.
//!
//! A door is a table of [`Route`]s: what is asked, of what it is, who answers, how it is described. [`router`] makes the door of
//! it and [`document()`] its description, so that there is no route without one. What is promised here (statuses, content types,
//! shapes) is held against every answer in the tests of the doors.

mod document;
mod operation;
mod route;
mod schema;

pub use document::{Part, document};
pub use operation::{Operation, Parameter};
pub use route::{Described, Named, Object, Route, Verb, described, router};
pub use schema::Schema;
