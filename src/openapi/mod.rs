//! The vocabulary of the API document (OpenAPI 3.1): a door describes its routes in it, [`document()`] makes one JSON text of them.
//!
//! Knows no door and no route. What is promised in it (statuses, content types, shapes) is held against every answer in the tests of
//! the doors.
//!
//! | file | what lives there |
//! |---|---|
//! | `schema` | shapes of values |
//! | `operation` | what one route takes and answers |
//! | `document` | all of them together, with what their kinds have in common |

mod document;
mod operation;
mod schema;

pub use document::{Access, Described, document};
pub use operation::{Operation, Parameter};
pub use schema::Schema;
