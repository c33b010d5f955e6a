//! Named API keys, beside the one secret of `OPENVIDUAPP`: who may do what.
//!
//! | file | what lives there |
//! |---|---|
//! | [`scope`] | rights and scopes, and the table between them |

pub mod scope;

pub use scope::{BadScope, Right, Scope};
