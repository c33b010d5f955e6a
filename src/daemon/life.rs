//! The life of the server over its restarts: POST restart begins the same process anew, which hears by its environment how long it
//! has lived and how often that was.

use crate::clock::Clock;
use crate::rest::status::Life;
use std::ffi::OsStr;
use std::process::Command;
use std::sync::OnceLock;

/// Name of the variable. No property: nobody but the daemon sets it.
const NAME: &str = "RESTARTED_VIDUCT";

/// The life of this process, the same whenever it is asked for; one that was not restarted begins with the first time.
pub fn of(clock: Clock) -> Life {
    static LIFE: OnceLock<Life> = OnceLock::new();
    *LIFE.get_or_init(|| read(std::env::var_os(NAME).as_deref(), clock.unix_ms()))
}

/// Tells the process that takes over.
pub fn hand_on(life: Life, successor: &mut Command) {
    successor.env(NAME, format!("{} {}", life.since, life.restarts + 1));
}

fn read(text: Option<&OsStr>, now: u64) -> Life {
    let numbers = text.and_then(OsStr::to_str).and_then(|text| text.split_once(' '));
    match numbers.map(|(since, restarts)| (since.parse(), restarts.parse())) {
        Some((Ok(since), Ok(restarts))) => Life { since, restarts, last_restart: Some(now) },
        _ => Life { since: now, restarts: 0, last_restart: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_goes_on_in_its_successor() {
        let fresh = Life { since: 5, restarts: 0, last_restart: None };
        let odd = [None, Some(""), Some("1"), Some("1 "), Some("-1 2"), Some("1 2 3")];
        assert!(odd.into_iter().all(|text| read(text.map(OsStr::new), 5) == fresh));
        let mut life = fresh;
        for (now, restarts) in [(8, 1), (9, 2)] {
            let mut successor = Command::new("viduct");
            hand_on(life, &mut successor);
            let told = successor.get_envs().find(|(name, _)| *name == NAME).and_then(|(_, value)| value);
            life = read(told, now);
            assert_eq!(life, Life { since: 5, restarts, last_restart: Some(now) });
        }
    }
}
