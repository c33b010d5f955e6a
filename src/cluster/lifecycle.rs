//! The life of a media node (events.md §9). Pure.
//!
//! ```text
//!               ┌──────────────── launching <───────────────┐
//!         launch failed            │    └──── canceled ─────┘
//!               v                  v             │ launched
//!             failed            running <──> waiting-idle-to-terminate
//!                                  │             │ the last session ended, or asked
//!                                  └─> terminating <┘
//!                                          │ nothing left
//!                                      terminated
//! ```

use std::fmt;

/// Where a node is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// The connection is being made.
    Launching,
    /// It will be terminated as soon as the launch is complete.
    Canceled,
    /// It could not be launched; final.
    Failed,
    /// It takes sessions.
    Running,
    /// It keeps its sessions and takes no more.
    WaitingIdleToTerminate,
    /// Its sessions are being ended.
    Terminating,
    /// Gone; final.
    Terminated,
}

/// What becomes of the sessions of a node that shall go (`deletion-strategy`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Strategy {
    /// It goes only if it has none.
    #[default]
    IfNoSessions,
    /// It goes with the last of them, and takes no more.
    WhenNoSessions,
    /// They are ended.
    Now,
}

impl Strategy {
    /// The strategy the API calls `word`.
    pub fn parse(word: &str) -> Option<Strategy> {
        match word {
            "if-no-sessions" => Some(Strategy::IfNoSessions),
            "when-no-sessions" => Some(Strategy::WhenNoSessions),
            "now" => Some(Strategy::Now),
            _ => None,
        }
    }
}

/// What happens to a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The connection is there.
    Launched,
    /// The connection will never be.
    LaunchFailed,
    /// An operator wants this status.
    Asked(Status),
    /// No session is placed on it any more.
    Idle,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 7] = [
        Status::Launching,
        Status::Canceled,
        Status::Failed,
        Status::Running,
        Status::WaitingIdleToTerminate,
        Status::Terminating,
        Status::Terminated,
    ];

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Launching => "launching",
            Status::Canceled => "canceled",
            Status::Failed => "failed",
            Status::Running => "running",
            Status::WaitingIdleToTerminate => "waiting-idle-to-terminate",
            Status::Terminating => "terminating",
            Status::Terminated => "terminated",
        }
    }

    /// The status the API calls `word`.
    pub fn parse(word: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Nothing more happens to such a node.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Failed | Status::Terminated)
    }

    /// What a node in this status becomes; `None`: the cause changes nothing, or may not (rest.md §14.2).
    pub fn after(self, cause: Cause) -> Option<Status> {
        use Status::{Canceled, Failed, Launching, Running, Terminated, Terminating, WaitingIdleToTerminate};
        match (self, cause) {
            (Launching, Cause::Launched) => Some(Running),
            (Canceled, Cause::Launched) => Some(Terminating),
            (Launching | Canceled, Cause::LaunchFailed) => Some(Failed),
            (Launching, Cause::Asked(Canceled)) => Some(Canceled),
            (Canceled, Cause::Asked(Launching)) => Some(Launching),
            (Running, Cause::Asked(WaitingIdleToTerminate)) => Some(WaitingIdleToTerminate),
            (WaitingIdleToTerminate, Cause::Asked(Running)) => Some(Running),
            (Running | WaitingIdleToTerminate, Cause::Asked(Terminating)) => Some(Terminating),
            (WaitingIdleToTerminate, Cause::Idle) => Some(Terminating),
            (Terminating, Cause::Idle) => Some(Terminated),
            _ => None,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Cause, Status};
    use proptest::prelude::*;

    #[test]
    fn words_of_the_api_come_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("RUNNING"), None);
    }

    #[test]
    fn operators_may_ask_for_what_the_table_of_the_api_says_and_nothing_else() {
        let allowed = [
            ("running", "waiting-idle-to-terminate"),
            ("waiting-idle-to-terminate", "running"),
            ("running", "terminating"),
            ("waiting-idle-to-terminate", "terminating"),
            ("launching", "canceled"),
            ("canceled", "launching"),
        ];
        for from in Status::ALL {
            for to in Status::ALL {
                let expected = allowed.contains(&(from.as_str(), to.as_str())).then_some(to);
                assert_eq!(from.after(Cause::Asked(to)), expected, "{from} → {to}");
            }
        }
    }

    fn cause() -> impl Strategy<Value = Cause> {
        prop_oneof![
            Just(Cause::Launched),
            Just(Cause::LaunchFailed),
            Just(Cause::Idle),
            (0..Status::ALL.len()).prop_map(|n| Cause::Asked(Status::ALL[n])),
        ]
    }

    proptest! {
        #[test]
        fn a_life_only_ends_through_terminating_and_an_end_is_final(causes in proptest::collection::vec(cause(), 0..40)) {
            let mut status = Status::Launching;
            let mut launched = false;
            for cause in causes {
                let Some(next) = status.after(cause) else { continue };
                prop_assert!(next != status, "each change is one");
                prop_assert!(!status.is_final());
                launched |= next == Status::Running || (status == Status::Canceled && next == Status::Terminating);
                if next == Status::Terminated {
                    prop_assert!(status == Status::Terminating && launched);
                }
                if launched {
                    prop_assert!(!matches!(next, Status::Launching | Status::Canceled | Status::Failed), "{status} → {next}");
                }
                status = next;
            }
        }
    }
}
