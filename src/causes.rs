//! Why something failed, in one line: errors are told with all that caused them.

use std::error::Error;

/// The text of an error and those of its causes, outermost first.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("the film cannot be written")]
    struct Outer(#[source] io::Error);

    #[test]
    fn the_outermost_comes_first() {
        let inner = io::Error::other("the disk is full");
        assert_eq!(with_causes(&Outer(inner)), "the film cannot be written: the disk is full");
        assert_eq!(with_causes(&io::Error::other("alone")), "alone");
    }
}
