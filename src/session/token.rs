//! Secrets that let somebody in: tokens, and the ids by which a client comes back. Compared in constant time. Pure.
//!
//! A token is good while its connection is pending (`connection.rs`): using it is what ends that state, so none works twice.

use crate::ids::{SessionKey, secret_text};
use subtle::ConstantTimeEq;

/// Characters of a reconnection id that nobody can guess: 131 bits.
const SECRET_LEN: usize = 22;

/// The one of `known` whose secret is `wanted`. Looks at every one to the end, so that the time tells nothing but their number.
pub(super) fn find<'a, T>(wanted: &str, known: impl Iterator<Item = (&'a str, T)>) -> Option<T> {
    known.fold(None, |found, (secret, what)| {
        let same: bool = secret.as_bytes().ct_eq(wanted.as_bytes()).into();
        if same && !secret.is_empty() { Some(what) } else { found }
    })
}

/// A fresh secret of a client.
pub(super) fn fresh_secret() -> String {
    secret_text(SECRET_LEN)
}

/// The reconnection id of the client with `secret`: it names its session, so that it is found without a table.
pub(super) fn rpc_id(session: SessionKey, secret: &str) -> String {
    format!("{}.{secret}", session.0)
}

/// Session and secret of a reconnection id; `None` if it has not the form [`rpc_id`] gives.
pub(super) fn split_rpc_id(rpc: &str) -> Option<(SessionKey, &str)> {
    let (number, secret) = rpc.split_once('.')?;
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((SessionKey(number.parse().ok()?), secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_whole_secret_must_fit() {
        let known = [("tok_A", 1), ("tok_B", 2), ("", 3)];
        let find = |wanted| find(wanted, known.iter().copied());
        assert_eq!(find("tok_A"), Some(1));
        assert_eq!(find("tok_B"), Some(2));
        for wanted in ["", "tok_", "tok_a", "tok_AB", "ok_A"] {
            assert_eq!(find(wanted), None, "{wanted}");
        }
    }

    #[test]
    fn a_reconnection_id_names_its_session() {
        let secret = fresh_secret();
        assert_eq!(secret.len(), 22);
        assert_eq!(split_rpc_id(&rpc_id(SessionKey(7), &secret)), Some((SessionKey(7), secret.as_str())));
        for odd in ["", ".", "7", "+7.x", "-1.x", "4294967296.x", "x.7"] {
            assert_eq!(split_rpc_id(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in ".{0,40}") {
            let _ = split_rpc_id(&text);
        }
    }
}
