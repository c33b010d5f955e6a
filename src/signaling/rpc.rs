//! JSON-RPC 2.0 frames as text (signaling.md §3). Pure: knows no method, no session.
//!
//! Outgoing messages have exactly one of `result` and `error`, and no JSON null: the client throws everything else away.

use serde_json::{Map, Value, json};

/// The id of a request, echoed as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WireId {
    Number(i64),
    Text(String),
}

/// A well-formed request.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    pub id: WireId,
    pub method: String,
    /// Empty when the client sent none.
    pub params: Map<String, Value>,
}

/// What a text message is.
#[derive(Clone, PartialEq, Debug)]
pub enum Frame {
    Request(Request),
    /// It has an id to answer to, but is no request.
    Invalid {
        id: WireId,
        error: RpcError,
    },
    /// A notification, or an answer to nothing: nobody waits for a reply.
    Ignored,
    /// Not JSON-RPC, and no id to answer to.
    Broken,
}

/// An error as it goes out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RpcError {
    pub code: i64,
    pub message: String,
    /// What helps whoever reads the client's log; the client itself does not look at it.
    pub data: Option<String>,
}

/// JSON-RPC: not a request object.
const INVALID_REQUEST: i64 = -32600;
/// JSON-RPC: unknown method.
const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC: a parameter is missing or of the wrong type.
const INVALID_PARAMS: i64 = -32602;

impl RpcError {
    /// An error whose text ends as the original's do (signaling.md §5.1).
    pub fn new(code: i64, text: impl std::fmt::Display) -> RpcError {
        RpcError { code, message: format!("{text}. Code: {code}"), data: None }
    }

    /// A parameter is missing or has the wrong type.
    pub fn parameter(name: &str, wanted: &str) -> RpcError {
        RpcError::new(INVALID_PARAMS, format_args!("Parameter '{name}' is missing or not {wanted}"))
    }

    /// Nobody here knows that method.
    pub fn unknown_method(name: &str) -> RpcError {
        let shown: String = name.chars().take(64).collect();
        RpcError::new(METHOD_NOT_FOUND, format_args!("Method '{shown}' does not exist"))
    }

    fn invalid(why: &str) -> RpcError {
        RpcError::new(INVALID_REQUEST, why)
    }
}

/// Reads one text message.
pub fn parse(text: &str) -> Frame {
    let Ok(Value::Object(mut message)) = serde_json::from_str(text) else { return Frame::Broken };
    let id = match message.remove("id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(WireId::Text(id)),
        Some(Value::Number(id)) => match id.as_i64() {
            Some(id) => Some(WireId::Number(id)),
            None => return Frame::Broken,
        },
        Some(_) => return Frame::Broken,
    };
    let answers = message.contains_key("result") || message.contains_key("error");
    let Some(id) = id.filter(|_| !answers) else { return Frame::Ignored };
    match request(id.clone(), message) {
        Ok(request) => Frame::Request(request),
        Err(error) => Frame::Invalid { id, error },
    }
}

fn request(id: WireId, mut message: Map<String, Value>) -> Result<Request, RpcError> {
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(RpcError::invalid("'jsonrpc' must be \"2.0\""));
    }
    let Some(Value::String(method)) = message.remove("method") else {
        return Err(RpcError::invalid("'method' is missing or not a string"));
    };
    let params = match message.remove("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(RpcError::invalid("'params' is not an object")),
    };
    Ok(Request { id, method, params })
}

/// A successful response. `rpc` is the reconnection id that the client finds in every result but that of a ping.
pub fn result(id: &WireId, mut result: Map<String, Value>, rpc: Option<&str>) -> String {
    if let Some(rpc) = rpc {
        result.insert("sessionId".into(), rpc.into());
    }
    json!({ "id": id.value(), "result": result, "jsonrpc": "2.0" }).to_string()
}

/// A response that refuses.
pub fn error(id: &WireId, error: &RpcError) -> String {
    let mut body = json!({ "code": error.code, "message": error.message });
    if let Some(data) = &error.data {
        body["data"] = data.as_str().into();
    }
    json!({ "id": id.value(), "error": body, "jsonrpc": "2.0" }).to_string()
}

/// A notification.
pub fn notification(method: &str, params: Map<String, Value>) -> String {
    json!({ "method": method, "params": params, "jsonrpc": "2.0" }).to_string()
}

impl WireId {
    fn value(&self) -> Value {
        match self {
            WireId::Number(id) => (*id).into(),
            WireId::Text(id) => id.as_str().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_read_with_and_without_params() {
        let Frame::Request(ping) = parse(r#"{"jsonrpc":"2.0","method":"ping","id":3}"#) else { panic!() };
        assert_eq!(ping, Request { id: WireId::Number(3), method: "ping".into(), params: Map::new() });
        let Frame::Request(join) = parse(r#"{"jsonrpc":"2.0","method":"joinRoom","params":{"a":1},"id":"x"}"#) else { panic!() };
        assert_eq!((join.id, join.params["a"].as_i64()), (WireId::Text("x".into()), Some(1)));
    }

    #[test]
    fn what_is_no_request_is_told_apart() {
        for broken in
            ["", "{", "[]", "3", "null", "\"x\"", r#"{"id":{}}"#, r#"{"id":1.5,"method":"ping"}"#, r#"{"id":[1]}"#, r#"{"id":1e99}"#]
        {
            assert_eq!(parse(broken), Frame::Broken, "{broken}");
        }
        for ignored in
            [r#"{"jsonrpc":"2.0","method":"ping"}"#, r#"{"id":null,"method":"ping"}"#, r#"{"jsonrpc":"2.0","id":1,"result":"push"}"#, "{}"]
        {
            assert_eq!(parse(ignored), Frame::Ignored, "{ignored}");
        }
        let invalid = [
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#,
        ];
        for text in invalid {
            let Frame::Invalid { id, error } = parse(text) else { panic!("{text}") };
            assert_eq!((id, error.code), (WireId::Number(1), INVALID_REQUEST), "{text}");
        }
    }

    #[test]
    fn responses_have_one_of_result_and_error_and_echo_the_id() {
        assert_eq!(result(&WireId::Number(1), Map::new(), Some("k3v")), r#"{"id":1,"result":{"sessionId":"k3v"},"jsonrpc":"2.0"}"#);
        let refused = RpcError { code: 401, message: "no. Code: 401".into(), data: None };
        assert_eq!(
            error(&WireId::Text("2".into()), &refused),
            r#"{"id":"2","error":{"code":401,"message":"no. Code: 401"},"jsonrpc":"2.0"}"#
        );
        let told = RpcError { data: Some("why".into()), ..refused };
        assert!(error(&WireId::Number(2), &told).contains(r#""data":"why""#));
        assert_eq!(notification("x", Map::new()), r#"{"method":"x","params":{},"jsonrpc":"2.0"}"#);
    }

    /// Every prefix and every single-byte change of a real frame is taken without a panic.
    #[test]
    fn broken_input_sweep() {
        let frame = r#"{"jsonrpc":"2.0","method":"joinRoom","params":{"token":"wss://h?token=t","list":[1,{"a":null}]},"id":1}"#;
        for end in 0..frame.len() {
            assert!(!matches!(parse(&frame[..end]), Frame::Request(_)), "a cut frame is no request");
        }
        for at in 0..frame.len() {
            for byte in [b'"', b'{', b'}', b'\\', b'0', b' ', b','] {
                let mut bytes = frame.as_bytes().to_vec();
                bytes[at] = byte;
                parse(std::str::from_utf8(&bytes).unwrap());
            }
        }
        parse(&"[".repeat(100_000));
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in ".{0,200}") {
            parse(&text);
        }
    }
}
