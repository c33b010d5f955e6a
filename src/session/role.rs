//! What a connection may do.

/// Which roles are told that a recording starts or stops (`OPENVIDU_RECORDING_NOTIFICATION`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Audience {
    None,
    Moderator,
    #[default]
    PublisherModerator,
    All,
}

impl Audience {
    /// The audience the property calls `word`.
    pub fn parse(word: &str) -> Option<Audience> {
        match word {
            "none" => Some(Audience::None),
            "moderator" => Some(Audience::Moderator),
            "publisher_moderator" => Some(Audience::PublisherModerator),
            "all" => Some(Audience::All),
            _ => None,
        }
    }

    /// Is `role` told?
    pub fn includes(self, role: Role) -> bool {
        match self {
            Audience::None => false,
            Audience::Moderator => role == Role::Moderator,
            Audience::PublisherModerator => role != Role::Subscriber,
            Audience::All => true,
        }
    }
}

/// OpenVidu role.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Role {
    Subscriber,
    #[default]
    Publisher,
    Moderator,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 3] = [Role::Subscriber, Role::Publisher, Role::Moderator];

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
        Role::ALL.into_iter().find(|r| r.as_str() == word)
    }

    /// May it call publishVideo?
    pub fn may_publish(self) -> bool {
        self != Role::Subscriber
    }
}
