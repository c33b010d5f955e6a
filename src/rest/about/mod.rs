//! How the routes are described in the API document: what each takes and answers, in words and as schemas.
//!
//! Words and bounds come from where the code has them, as far as it has them in a table. The tests of this door hold every answer
//! against its description.

pub mod connections;
pub mod house;
pub mod media_nodes;
pub mod recordings;
pub mod sessions;

use super::legacy;
use super::routes::ROUTES;
use crate::openapi::{Part, described};

/// What this door adds to the document.
pub fn part() -> Part {
    let schemas = [sessions::schemas(), connections::schemas(), recordings::schemas(), media_nodes::schemas(), house::schemas()];
    Part { routes: described(ROUTES), schemas: schemas.into_iter().flatten().collect(), notes: old_paths() }
}

/// The paths of releases before 2.16 are other names of these, not operations of their own.
fn old_paths() -> String {
    let rows: String = legacy::MOVED.iter().map(|(old, new)| format!("\n| `{old}/…` | `{new}/…` |")).collect();
    format!(
        "**Applications written for releases before 2.16** use other paths, which are deprecated. They lead to the same operations, \
        unless `SUPPORT_DEPRECATED_API` is off:\n\n| old path | today's |\n|---|---|{rows}"
    )
}
