//! One key: its name, how far it reaches, when it ends, and the hash of its secret. Pure, but for the dice.

use super::scope::Scope;
use crate::config::USER;
use crate::ids::secret_text;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// What every key begins with, so that people and scanners recognise one that leaked.
pub const PREFIX: &str = "vk_";
/// Letters and digits behind it: 43 of 62 are 256 bits.
const LENGTH: usize = 43;
/// Longest name.
const NAME: usize = 64;
const DAY: u64 = 86_400_000;

/// A key as it is kept. Times in ms since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    pub name: String,
    #[serde(with = "written")]
    pub scope: Scope,
    /// Hash of the secret, in hex.
    sha256: String,
    pub created_at: u64,
    /// Midnight (UTC) of the last day it was used: exact enough to find keys nobody needs, and a write a day at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// The key somebody wants to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wish {
    pub name: String,
    pub scope: Scope,
    /// ms since 1970; `None`: it never ends by itself.
    pub expires_at: Option<u64>,
}

impl Key {
    /// A new key and its secret, which nobody can tell from the key.
    pub fn make(wish: Wish, now_ms: u64) -> (Key, String) {
        let secret = format!("{PREFIX}{}", secret_text(LENGTH));
        let Wish { name, scope, expires_at } = wish;
        let key = Key { name, scope, sha256: hash(&secret), created_at: now_ms, last_used_at: None, expires_at };
        (key, secret)
    }

    /// Is its secret the one with this hash?
    pub fn has(&self, hash: &str) -> bool {
        self.sha256.as_bytes().ct_eq(hash.as_bytes()).into()
    }

    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at.is_some_and(|end| now_ms >= end)
    }
}

/// The hash of a secret, in hex.
pub fn hash(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Midnight (UTC) before `unix_ms`.
pub fn day(unix_ms: u64) -> u64 {
    unix_ms - unix_ms % DAY
}

/// May a key be called so? Names are user names of HTTP Basic, and segments of paths.
pub fn is_name(text: &str) -> bool {
    let letters = text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    letters && (1..=NAME).contains(&text.len()) && !text.eq_ignore_ascii_case(USER)
}

/// Scopes as they are written everywhere.
mod written {
    use super::Scope;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(scope: &Scope, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(scope)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Scope, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(expires_at: Option<u64>) -> Wish {
        Wish { name: "gate".into(), scope: Scope::Session("S".into()), expires_at }
    }

    #[test]
    fn only_its_own_secret_opens_a_key() {
        let ((key, secret), (other, another)) = (Key::make(wish(None), 7), Key::make(wish(None), 7));
        assert!(key.has(&hash(&secret)) && !key.has(&hash(&another)) && other.has(&hash(&another)));
        assert!(secret.starts_with("vk_") && secret.len() == 46 && secret != another);
        let kept = serde_json::to_string(&key).unwrap();
        assert!(!kept.contains(&secret) && !kept.contains(&secret[3..]), "{kept}");
        assert_eq!(serde_json::from_str::<Key>(&kept).unwrap(), key);
    }

    /// FIPS 180-4, the example of one block.
    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_key_ends_at_its_last_moment() {
        assert!(!Key::make(wish(None), 0).0.is_expired(u64::MAX));
        let key = Key::make(wish(Some(1000)), 0).0;
        assert!(!key.is_expired(999) && key.is_expired(1000));
    }

    #[test]
    fn names_fit_into_headers_and_paths() {
        for good in ["a", "gate-1", "A_b", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a b", "a:b", "a/b", "..", "é", "openviduapp", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight() {
        assert_eq!([0, DAY - 1, DAY, DAY + 1].map(day), [0, 0, DAY, DAY]);
    }
}
