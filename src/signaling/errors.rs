//! The one table: why a session said no → code and text of the original (signaling.md §5.3, §5.4).
//!
//! The text depends on what was asked, so the door remembers that with each request that waits for its reply.

use super::rpc::RpcError;
use crate::ids::ConnectionId;
use crate::session::Denied;

/// What a pending request asked for, as far as the wording of a refusal depends on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// The token as the client sent it.
    Join {
        token: String,
    },
    Publish,
    Reconnect,
    Unsubscribe,
    ForceDisconnect,
    ForceUnpublish,
    Leave,
    Other,
}

/// Code of a refused `connect`; its text stands alone.
const RECONNECTION_REFUSED: i64 = 40007;

/// The error for a refusal; `me` is the connection that asked, once it has joined.
pub fn of(denied: &Denied, asked: &Asked, me: Option<&ConnectionId>) -> RpcError {
    let me = me.map_or("", ConnectionId::as_str);
    match denied {
        Denied::UnknownSession(session) => RpcError::new(202, format_args!("Unable to join session. Session {session} cannot be found")),
        Denied::SessionClosed(session) => match asked {
            Asked::Join { .. } => RpcError::new(203, format_args!("Unable to join the session. Session {session} is closed")),
            _ => RpcError::new(203, format_args!("Session {session} is closed")),
        },
        Denied::BadToken(session) => match asked {
            // no space before "is": the text that applications know
            Asked::Join { token } => RpcError::new(401, format_args!("Unable to join session {session}. Token {token}is not valid")),
            _ => RpcError::new(401, denied),
        },
        Denied::UnknownConnection { connection, session } => match asked {
            Asked::Unsubscribe => RpcError::new(102, format_args!("User {connection} not found in session {session}")),
            Asked::ForceDisconnect => RpcError::new(102, "Connection not found when calling 'forceDisconnect'"),
            _ => RpcError::new(102, format_args!("User '{connection} not found in session '{session}'")),
        },
        Denied::UnknownStream { stream, session } => {
            RpcError::new(105, format_args!("Stream '{stream}' does not exist in Session '{session}'"))
        }
        Denied::NotStreaming { connection, session } => {
            RpcError::new(105, format_args!("User '{connection} not streaming media in session '{session}'"))
        }
        Denied::NotPublishing(connection) => RpcError::new(105, format_args!("Participant '{connection}' is not streaming media")),
        Denied::OwnStream => RpcError::new(105, "Can loopback only when publishing media"),
        Denied::AlreadyPublishing { connection, session } => {
            RpcError::new(106, format_args!("User {connection} is already publishing in session {session}"))
        }
        Denied::MayNotPublish => RpcError::new(401, "Unable to publish video. The user does not have a valid token"),
        Denied::NotModerator => {
            let what = if *asked == Asked::ForceUnpublish { "force unpublish" } else { "force disconnect" };
            RpcError::new(401, format_args!("Unable to {what}. The user does not have a valid token"))
        }
        Denied::CameraStream(stream) => RpcError::new(
            10,
            format_args!("Stream '{stream} belonging to an IPCAM participant cannot be unpublished. Disconnect the participant instead"),
        ),
        Denied::NoMediaNode(_) => RpcError::new(204, denied),
        Denied::BadOffer(why) => {
            let text = match asked {
                Asked::Publish => format!("Error generating SDP response for publishing user {me}"),
                Asked::Reconnect => format!("Error generating SDP response for reconnecting user {me}"),
                _ => format!("Error generating SDP response for receiving user {me}"),
            };
            RpcError { data: Some(why.clone()), ..RpcError::new(302, text) }
        }
        Denied::NoCodec(why) => RpcError::new(800, why),
        Denied::UnknownTarget(_) => {
            RpcError::new(601, r#"Signal "to" field invalid format: some connectionId does not exist in this session"#)
        }
        Denied::UnknownClient => reconnection_refused(),
        Denied::SessionExists(_)
        | Denied::UnknownViewer(_)
        | Denied::NotActive(_)
        | Denied::NotRecorded(_)
        | Denied::Busy(_)
        | Denied::TimedOut(_) => RpcError::new(999, denied),
    }
}

/// `connect` with an id that nobody gave, or too late.
pub fn reconnection_refused() -> RpcError {
    RpcError { code: RECONNECTION_REFUSED, message: "reconnection error".into(), data: None }
}

/// A method that needs a session, before joinRoom; `own` is the JSON-RPC session of this socket.
pub fn not_joined(own: &str) -> RpcError {
    RpcError::new(
        803,
        format_args!(
            "No connection found for participant with privateId {own}. \
             Method 'Session.connect()' must be the first operation called in any session"
        ),
    )
}

/// joinRoom on a socket that is in a session.
pub fn already_joined(me: &ConnectionId) -> RpcError {
    RpcError::new(104, format_args!("Participant {me} has already joined a session on this WebSocket"))
}

/// sendMessage whose `message` cannot be read.
pub fn signal_format(message: &str) -> RpcError {
    RpcError::new(600, format_args!("Provided signal object '{message}' has not a valid JSON format"))
}

/// sendMessage with something in `to` that is no connection id.
pub fn signal_target() -> RpcError {
    RpcError::new(601, r#"Signal "to" field invalid format: null"#)
}

/// Filters: not 401, which the client turns into a misleading permission error (signaling.md §6.15).
pub fn no_filters() -> RpcError {
    RpcError::new(406, "This server applies no filters")
}

/// A method of other editions or servers.
pub fn not_offered(method: &str) -> RpcError {
    RpcError::new(996, format_args!("Method '{method}' is not offered by this server"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{SessionId, StreamId};

    #[test]
    fn every_refusal_has_the_code_and_text_of_the_original() {
        let session = SessionId::from("ses_A");
        let con = ConnectionId::from("con_B");
        let me = ConnectionId::from("con_Me");
        let stream = StreamId::from("str_CAM_x_con_B");
        let join = Asked::Join { token: "wss://h?sessionId=ses_A&token=tok_1".into() };
        let unknown = Denied::UnknownConnection { connection: con.clone(), session: session.clone() };
        let (gone, other) = (unknown.clone(), Asked::Other);
        let table: &[(Denied, &Asked, i64, &str)] = &[
            (Denied::UnknownSession(session.clone()), &join, 202, "Unable to join session. Session ses_A cannot be found"),
            (Denied::SessionClosed(session.clone()), &join, 203, "Unable to join the session. Session ses_A is closed"),
            (Denied::SessionClosed(session.clone()), &other, 203, "Session ses_A is closed"),
            (
                Denied::BadToken(session.clone()),
                &join,
                401,
                "Unable to join session ses_A. Token wss://h?sessionId=ses_A&token=tok_1is not valid",
            ),
            (unknown.clone(), &other, 102, "User 'con_B not found in session 'ses_A'"),
            (unknown, &Asked::Unsubscribe, 102, "User con_B not found in session ses_A"),
            (
                Denied::UnknownStream { stream, session: session.clone() },
                &other,
                105,
                "Stream 'str_CAM_x_con_B' does not exist in Session 'ses_A'",
            ),
            (
                Denied::NotStreaming { connection: con.clone(), session: session.clone() },
                &other,
                105,
                "User 'con_B not streaming media in session 'ses_A'",
            ),
            (Denied::NotPublishing(con.clone()), &other, 105, "Participant 'con_B' is not streaming media"),
            (Denied::OwnStream, &other, 105, "Can loopback only when publishing media"),
            (
                Denied::AlreadyPublishing { connection: con, session: session.clone() },
                &Asked::Publish,
                106,
                "User con_B is already publishing in session ses_A",
            ),
            (Denied::MayNotPublish, &Asked::Publish, 401, "Unable to publish video. The user does not have a valid token"),
            (Denied::NotModerator, &Asked::ForceDisconnect, 401, "Unable to force disconnect. The user does not have a valid token"),
            (Denied::NotModerator, &Asked::ForceUnpublish, 401, "Unable to force unpublish. The user does not have a valid token"),
            (gone, &Asked::ForceDisconnect, 102, "Connection not found when calling 'forceDisconnect'"),
            (
                Denied::CameraStream("str_IPC_x_ipc_1".into()),
                &Asked::ForceUnpublish,
                10,
                "Stream 'str_IPC_x_ipc_1 belonging to an IPCAM participant cannot be unpublished. Disconnect the participant instead",
            ),
            (Denied::NoMediaNode(session.clone()), &join, 204, "no media node is running that could host session ses_A"),
            (Denied::BadOffer("why".into()), &Asked::Publish, 302, "Error generating SDP response for publishing user con_Me"),
            (Denied::BadOffer("why".into()), &other, 302, "Error generating SDP response for receiving user con_Me"),
            (Denied::NoCodec("no VP8".into()), &Asked::Publish, 800, "no VP8"),
            (
                Denied::UnknownTarget(session),
                &other,
                601,
                r#"Signal "to" field invalid format: some connectionId does not exist in this session"#,
            ),
            (Denied::Busy("full".into()), &other, 999, "the box is too busy: full"),
            (Denied::TimedOut(2), &other, 999, "no answer within 2 s"),
        ];
        for (denied, asked, code, text) in table {
            let error = of(denied, asked, Some(&me));
            assert_eq!((error.code, error.message), (*code, format!("{text}. Code: {code}")), "{denied:?}");
        }
        assert_eq!(of(&Denied::UnknownClient, &other, None), reconnection_refused());
        assert_eq!(reconnection_refused().message, "reconnection error", "this text has no suffix");
        assert_eq!(of(&Denied::BadOffer("why".into()), &other, None).data.as_deref(), Some("why"));
    }
}
