//! What a connection may do.

/// OpenVidu role.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Role {
    Subscriber,
    #[default]
    Publisher,
    Moderator,
}

impl Role {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Subscriber => "SUBSCRIBER",
            Role::Publisher => "PUBLISHER",
            Role::Moderator => "MODERATOR",
        }
    }

    /// The role the API calls `word` (exact, upper case).
    pub fn parse(word: &str) -> Option<Role> {
        [Role::Subscriber, Role::Publisher, Role::Moderator].into_iter().find(|r| r.as_str() == word)
    }

    /// May it call publishVideo?
    pub fn may_publish(self) -> bool {
        self != Role::Subscriber
    }
}
