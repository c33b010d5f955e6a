//! Method and parameters as clients send them → what is asked (signaling.md §6). Pure.
//!
//! Two steps, because the original says "not joined" before it looks at parameters: [`Method::named`] knows the name,
//! [`Method::read`] checks the parameters. A parameter that is missing or of the wrong type is named in the error.

use super::errors;
use super::rpc::RpcError;
use crate::ids::{ConnectionId, SessionId, StreamId};
use crate::session::Call;
use crate::session::command::{PublishCall, StreamChange};
use serde_json::{Map, Value};
use std::time::Duration;

/// What a request wants of the door or of the session.
#[derive(Clone, PartialEq, Debug)]
pub enum Asks {
    /// `interval`: the client's promise when the next ping comes.
    Ping {
        interval: Option<Duration>,
    },
    /// `connect`; `rpc` is the id that a join result carried, absent for a fresh start.
    Connect {
        rpc: Option<String>,
    },
    /// closeSession
    Bye,
    Join(JoinParams),
    /// Acknowledged and nothing else: echo, videoData.
    Nothing,
    Call(Call),
}

/// joinRoom.
#[derive(Clone, PartialEq, Debug)]
pub struct JoinParams {
    pub session: SessionId,
    /// As the client sent it; error texts repeat it.
    pub token: String,
    pub secret: String,
    pub platform: String,
    pub metadata: String,
    /// Clients from 2.21 on say their version.
    pub sdk_version: Option<String>,
}

impl JoinParams {
    /// The `tok_…` in the token, which is a URL with a `token=` parameter or the value alone.
    pub fn token_value(&self) -> &str {
        let query = self.token.split_once('?').map_or(self.token.as_str(), |(_, query)| query);
        query.split('&').find_map(|pair| pair.strip_prefix("token=")).unwrap_or(query)
    }
}

/// A method by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    Ping,
    Connect,
    CloseSession,
    JoinRoom,
    Echo,
    VideoData,
    PublishVideo,
    UnpublishVideo,
    ReceiveVideoFrom,
    UnsubscribeFromVideo,
    ReconnectStream,
    OnIceCandidate,
    SendMessage,
    StreamPropertyChanged,
    ForceDisconnect,
    ForceUnpublish,
    LeaveRoom,
    /// applyFilter and its like
    Filter,
    /// Known to the protocol, not to this server.
    NotOffered,
}

const NAMES: &[(&str, Method)] = &[
    ("ping", Method::Ping),
    ("connect", Method::Connect),
    ("closeSession", Method::CloseSession),
    ("joinRoom", Method::JoinRoom),
    ("echo", Method::Echo),
    ("videoData", Method::VideoData),
    ("publishVideo", Method::PublishVideo),
    ("unpublishVideo", Method::UnpublishVideo),
    ("receiveVideoFrom", Method::ReceiveVideoFrom),
    ("unsubscribeFromVideo", Method::UnsubscribeFromVideo),
    ("reconnectStream", Method::ReconnectStream),
    ("onIceCandidate", Method::OnIceCandidate),
    ("sendMessage", Method::SendMessage),
    ("streamPropertyChanged", Method::StreamPropertyChanged),
    ("leaveRoom", Method::LeaveRoom),
    ("applyFilter", Method::Filter),
    ("execFilterMethod", Method::Filter),
    ("removeFilter", Method::Filter),
    ("addFilterEventListener", Method::Filter),
    ("removeFilterEventListener", Method::Filter),
    ("forceDisconnect", Method::ForceDisconnect),
    ("forceUnpublish", Method::ForceUnpublish),
    ("prepareReceiveVideoFrom", Method::NotOffered),
    ("sessionStatus", Method::NotOffered),
    ("subscribeToSpeechToText", Method::NotOffered),
    ("unsubscribeFromSpeechToText", Method::NotOffered),
];

impl Method {
    /// The method of that name. Errors: nobody here knows it.
    pub fn named(name: &str) -> Result<Method, RpcError> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, method)| *method).ok_or_else(|| RpcError::unknown_method(name))
    }

    /// May only somebody in a session ask this?
    pub fn needs_session(self) -> bool {
        !matches!(self, Method::Ping | Method::Connect | Method::CloseSession | Method::JoinRoom)
    }

    /// What a request of this method (`name`) asks with these parameters.
    pub fn read(self, name: &str, params: &Map<String, Value>) -> Result<Asks, RpcError> {
        let params = Params(params);
        let call = match self {
            Method::Ping => {
                // a ping is never answered with an error, so an odd interval counts as none
                let interval = params.0.get("interval").and_then(Value::as_u64).map(Duration::from_millis);
                return Ok(Asks::Ping { interval });
            }
            Method::Connect => return Ok(Asks::Connect { rpc: params.optional_text("sessionId")? }),
            Method::CloseSession => return Ok(Asks::Bye),
            Method::JoinRoom => return join(&params).map(Asks::Join),
            Method::Echo | Method::VideoData => return Ok(Asks::Nothing),
            Method::PublishVideo => Call::Publish(publish(&params)?),
            Method::UnpublishVideo => Call::Unpublish,
            Method::ReceiveVideoFrom => {
                Call::Subscribe { stream: StreamId::from(params.text("sender")?), offer: params.text("sdpOffer")?.to_owned() }
            }
            Method::UnsubscribeFromVideo => Call::Unsubscribe { sender: ConnectionId::from(params.text("sender")?) },
            Method::ReconnectStream => {
                Call::Reconnect { stream: StreamId::from(params.text("stream")?), offer: reconnect_offer(&params)?.to_owned() }
            }
            Method::OnIceCandidate => Call::Candidate {
                endpoint: ConnectionId::from(params.text("endpointName")?),
                candidate: params.text("candidate")?.to_owned(),
            },
            Method::SendMessage => signal(params.text("message")?)?,
            Method::StreamPropertyChanged => {
                Call::ChangeStream { change: stream_change(&params)?, reason: params.text("reason")?.to_owned() }
            }
            Method::ForceDisconnect => Call::ForceDisconnect { connection: ConnectionId::from(params.text("connectionId")?) },
            Method::ForceUnpublish => Call::ForceUnpublish { stream: StreamId::from(params.text("streamId")?) },
            Method::LeaveRoom => Call::Leave,
            Method::Filter => return Err(errors::no_filters()),
            Method::NotOffered => return Err(errors::not_offered(name)),
        };
        Ok(Asks::Call(call))
    }
}

fn join(params: &Params) -> Result<JoinParams, RpcError> {
    Ok(JoinParams {
        session: SessionId::from(params.text("session")?),
        token: params.text("token")?.to_owned(),
        secret: params.text("secret")?.to_owned(),
        platform: params.text("platform")?.to_owned(),
        metadata: params.text("metadata")?.to_owned(),
        sdk_version: params.optional_text("sdkVersion")?,
    })
}

fn publish(params: &Params) -> Result<PublishCall, RpcError> {
    if params.0.get("filter").and_then(|filter| filter.get("type")).is_some_and(Value::is_string) {
        return Err(errors::no_filters());
    }
    Ok(PublishCall {
        offer: params.text("sdpOffer")?.to_owned(),
        loopback: params.flag("doLoopback")?,
        has_audio: params.flag("hasAudio")?,
        has_video: params.flag("hasVideo")?,
        // absent where the kind is absent
        audio_active: params.optional_flag("audioActive")?.unwrap_or(true),
        video_active: params.optional_flag("videoActive")?.unwrap_or(true),
        type_of_video: params.optional_text("typeOfVideo")?.unwrap_or_default(),
        frame_rate: params.0.get("frameRate").and_then(Value::as_i64).filter(|rate| *rate >= 0),
        video_dimensions: params.optional_text("videoDimensions")?,
    })
}

/// Clients up to 2.17 call every offer of reconnectStream `sdpOffer`; later ones call a publisher's `sdpString` (signaling.md §6.8).
fn reconnect_offer<'a>(params: &Params<'a>) -> Result<&'a str, RpcError> {
    match params.0.contains_key("sdpOffer") {
        true => params.text("sdpOffer"),
        false => params.text("sdpString"),
    }
}

/// The signal is a JSON object within a string (signaling.md §6.10).
fn signal(message: &str) -> Result<Call, RpcError> {
    let Ok(Value::Object(signal)) = serde_json::from_str(message) else { return Err(errors::signal_format(message)) };
    let to = match signal.get("to") {
        None | Some(Value::Null) => vec![],
        Some(Value::Array(to)) => {
            let ids = to.iter().map(|id| id.as_str().map(ConnectionId::from));
            ids.collect::<Option<Vec<_>>>().ok_or_else(errors::signal_target)?
        }
        Some(_) => return Err(errors::signal_target()),
    };
    Ok(Call::Signal { to, kind: signal.get("type").and_then(text_of), data: signal.get("data").and_then(text_of) })
}

fn stream_change(params: &Params) -> Result<StreamChange, RpcError> {
    let property = params.text("property")?;
    let value = params.0.get("newValue").ok_or_else(|| RpcError::parameter("newValue", "given"))?;
    let active = || match value {
        Value::Bool(on) => Ok(*on),
        Value::String(word) if word == "true" => Ok(true),
        Value::String(word) if word == "false" => Ok(false),
        _ => Err(RpcError::parameter("newValue", "a boolean")),
    };
    let text = || text_of(value).ok_or_else(|| RpcError::parameter("newValue", "given"));
    match property {
        "audioActive" => Ok(StreamChange::AudioActive(active()?)),
        "videoActive" => Ok(StreamChange::VideoActive(active()?)),
        "videoDimensions" => Ok(StreamChange::VideoDimensions(text()?)),
        "audioTrack" | "videoTrack" => Ok(StreamChange::Track { property: property.to_owned(), value: text()? }),
        _ => Err(RpcError::parameter("property", "one of audioActive, videoActive, videoDimensions, audioTrack, videoTrack")),
    }
}

/// A string as it is, anything else as JSON text; nothing for null.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Typed access that names what is wrong.
struct Params<'a>(&'a Map<String, Value>);

impl<'a> Params<'a> {
    fn text(&self, name: &str) -> Result<&'a str, RpcError> {
        self.0.get(name).and_then(Value::as_str).ok_or_else(|| RpcError::parameter(name, "a string"))
    }

    fn optional_text(&self, name: &str) -> Result<Option<String>, RpcError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.text(name).map(|text| Some(text.to_owned())),
        }
    }

    fn flag(&self, name: &str) -> Result<bool, RpcError> {
        self.0.get(name).and_then(Value::as_bool).ok_or_else(|| RpcError::parameter(name, "a boolean"))
    }

    fn optional_flag(&self, name: &str) -> Result<Option<bool>, RpcError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.flag(name).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(name: &str, params: Value) -> Result<Asks, RpcError> {
        Method::named(name)?.read(name, params.as_object().unwrap())
    }

    fn call(name: &str, params: Value) -> Call {
        match read(name, params) {
            Ok(Asks::Call(call)) => call,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn join_params() -> Value {
        json!({"token":"wss://h:4443?sessionId=ses_A&token=tok_1","session":"ses_A","platform":"Chrome 95.0 on Linux 64-bit",
            "metadata":"alice","secret":"","recorder":false})
    }

    fn publish_params() -> Value {
        json!({"doLoopback":false,"hasAudio":true,"hasVideo":true,"audioActive":true,"videoActive":false,"typeOfVideo":"CAMERA",
            "frameRate":30,"videoDimensions":"{\"width\":640,\"height\":480}","sdpOffer":"v=0"})
    }

    #[test]
    fn requests_captured_from_real_clients_become_calls() {
        let publish = PublishCall {
            offer: "v=0".into(),
            loopback: false,
            has_audio: true,
            has_video: true,
            audio_active: true,
            video_active: false,
            type_of_video: "CAMERA".into(),
            frame_rate: Some(30),
            video_dimensions: Some(r#"{"width":640,"height":480}"#.into()),
        };
        let table = [
            ("publishVideo", publish_params(), Call::Publish(publish)),
            ("unpublishVideo", json!({}), Call::Unpublish),
            (
                "receiveVideoFrom",
                json!({"sender":"str_CAM_Q1w2_con_A","sdpOffer":"v=0"}),
                Call::Subscribe { stream: "str_CAM_Q1w2_con_A".into(), offer: "v=0".into() },
            ),
            ("unsubscribeFromVideo", json!({"sender":"con_A"}), Call::Unsubscribe { sender: "con_A".into() }),
            (
                "onIceCandidate",
                json!({"endpointName":"con_A","candidate":"","sdpMid":"0","sdpMLineIndex":0}),
                Call::Candidate { endpoint: "con_A".into(), candidate: String::new() },
            ),
            (
                "sendMessage",
                json!({"message":"{\"to\":[\"con_B\"],\"data\":\"text\",\"type\":\"signal:chat\"}"}),
                Call::Signal { to: vec!["con_B".into()], kind: Some("signal:chat".into()), data: Some("text".into()) },
            ),
            (
                "sendMessage",
                json!({"message":"{\"to\":[],\"data\":{\"a\":1},\"type\":\"signal:signal\"}"}),
                Call::Signal { to: vec![], kind: Some("signal:signal".into()), data: Some(r#"{"a":1}"#.into()) },
            ),
            ("forceDisconnect", json!({"connectionId":"con_B"}), Call::ForceDisconnect { connection: "con_B".into() }),
            ("forceUnpublish", json!({"streamId":"str_CAM_x_con_B"}), Call::ForceUnpublish { stream: "str_CAM_x_con_B".into() }),
            ("leaveRoom", json!({}), Call::Leave),
        ];
        for (name, params, expected) in table {
            assert_eq!(call(name, params), expected);
        }
    }

    #[test]
    fn an_audio_only_publication_leaves_out_what_video_would_say() {
        let params = json!({"doLoopback":false,"hasAudio":true,"hasVideo":false,"audioActive":true,"frameRate":-1,"sdpOffer":"v=0"});
        let Call::Publish(publish) = call("publishVideo", params) else { panic!() };
        assert_eq!((publish.type_of_video.as_str(), publish.frame_rate, publish.video_dimensions), ("", None, None));
        assert!(!publish.has_video);
    }

    #[test]
    fn stream_changes_take_booleans_as_words_too_and_keep_texts() {
        let change = |property: &str, value: Value| {
            call("streamPropertyChanged", json!({"streamId":"s","property":property,"newValue":value,"reason":"r"}))
        };
        let expect = |change| Call::ChangeStream { change, reason: "r".into() };
        assert_eq!(change("audioActive", json!(false)), expect(StreamChange::AudioActive(false)));
        assert_eq!(change("videoActive", json!("true")), expect(StreamChange::VideoActive(true)));
        let size = r#"{"width":320,"height":240}"#;
        assert_eq!(change("videoDimensions", json!(size)), expect(StreamChange::VideoDimensions(size.into())));
        let track = StreamChange::Track { property: "videoTrack".into(), value: r#"{"label":"x"}"#.into() };
        assert_eq!(change("videoTrack", json!({"label":"x"})), expect(track));
    }

    #[test]
    fn a_stream_is_reconnected_under_either_name_of_the_offer() {
        let expect = Call::Reconnect { stream: "str_1".into(), offer: "v=0".into() };
        for params in [
            // all clients for a subscription, those up to 2.17 for a publication too
            json!({"stream": "str_1", "sdpOffer": "v=0"}),
            // 2.18 and later for a publication
            json!({"stream": "str_1", "sdpString": "v=0"}),
            json!({"stream": "str_1", "sdpOffer": "v=0", "forciblyReconnect": false}),
            json!({"stream": "str_1", "sdpOffer": "v=0", "sdpString": "v=1"}),
        ] {
            assert_eq!(call("reconnectStream", params), expect);
        }
    }

    #[test]
    fn the_join_knows_its_token_in_every_form() {
        let Ok(Asks::Join(join)) = read("joinRoom", join_params()) else { panic!() };
        assert_eq!((join.session.as_str(), join.metadata.as_str(), join.sdk_version.clone()), ("ses_A", "alice", None));
        let forms = [
            ("wss://h:4443?sessionId=ses_A&token=tok_1", "tok_1"),
            ("wss://h?token=tok_1&sessionId=ses_A", "tok_1"),
            ("wss://h?sessionId=ses_A&token=tok_1&role=PUBLISHER&version=2.16.0", "tok_1"),
            ("tok_1", "tok_1"),
            ("", ""),
        ];
        for (token, value) in forms {
            assert_eq!(JoinParams { token: token.into(), ..join.clone() }.token_value(), value, "{token}");
        }
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let table = [
            ("joinRoom", join_params(), vec!["token", "session", "platform", "metadata", "secret"]),
            ("publishVideo", publish_params(), vec!["sdpOffer", "doLoopback", "hasAudio", "hasVideo"]),
            ("receiveVideoFrom", json!({"sender":"s","sdpOffer":"v"}), vec!["sender", "sdpOffer"]),
            ("reconnectStream", json!({"stream":"s","sdpOffer":"v"}), vec!["stream"]),
            ("unsubscribeFromVideo", json!({"sender":"s"}), vec!["sender"]),
            ("onIceCandidate", json!({"endpointName":"c","candidate":"x"}), vec!["endpointName", "candidate"]),
            ("sendMessage", json!({"message":"{}"}), vec!["message"]),
            ("forceDisconnect", json!({"connectionId":"c"}), vec!["connectionId"]),
            ("forceUnpublish", json!({"streamId":"s"}), vec!["streamId"]),
            (
                "streamPropertyChanged",
                json!({"property":"audioActive","newValue":true,"reason":"r"}),
                vec!["property", "newValue", "reason"],
            ),
        ];
        for (name, params, mandatory) in table {
            assert!(read(name, params.clone()).is_ok(), "{name}");
            for parameter in mandatory {
                for wrong in [None, Some(json!(null)), Some(json!([1]))] {
                    let mut params = params.clone();
                    match wrong {
                        None => drop(params.as_object_mut().unwrap().shift_remove(parameter)),
                        Some(wrong) => params[parameter] = wrong,
                    }
                    let error = read(name, params).unwrap_err();
                    assert_eq!(error.code, -32602, "{name} {parameter}");
                    assert!(error.message.contains(&format!("'{parameter}'")), "{name}: {}", error.message);
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_done_says_so() {
        let table = [
            ("applyFilter", json!({}), 406),
            ("removeFilterEventListener", json!({}), 406),
            ("reconnectStream", json!({"stream": "str_1"}), -32602),
            ("reconnectStream", json!({"sdpOffer": "v=0"}), -32602),
            ("noSuchMethod", json!({}), -32601),
            ("sendMessage", json!({"message":"not json"}), 600),
            ("sendMessage", json!({"message":"{\"to\":[null]}"}), 601),
            ("sendMessage", json!({"message":"{\"to\":\"con_A\"}"}), 601),
            ("streamPropertyChanged", json!({"property":"filter","newValue":{},"reason":"r"}), -32602),
        ];
        for (name, params, code) in table {
            assert_eq!(read(name, params).unwrap_err().code, code, "{name}");
        }
        let mut filtered = publish_params();
        filtered["filter"] = json!({"type":"GStreamerFilter","options":{}});
        assert_eq!(read("publishVideo", filtered).unwrap_err().code, 406);
    }

    #[test]
    fn pings_are_never_refused() {
        assert_eq!(read("ping", json!({"interval":5000})), Ok(Asks::Ping { interval: Some(Duration::from_secs(5)) }));
        for odd in [json!({}), json!({"interval":null}), json!({"interval":"x"}), json!({"interval":-1})] {
            assert_eq!(read("ping", odd), Ok(Asks::Ping { interval: None }));
        }
    }

    #[test]
    fn only_the_first_methods_need_no_session() {
        let outside: Vec<&str> = NAMES.iter().filter(|(_, method)| !method.needs_session()).map(|(name, _)| *name).collect();
        assert_eq!(outside, ["ping", "connect", "closeSession", "joinRoom"]);
    }
}
