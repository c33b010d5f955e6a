//! Every row of the error tables of sessions and connections: status, form and the field that is named.

use super::*;

pub const SESSIONS: &str = "/openvidu/api/sessions";
pub const CONNECTION: &str = "/openvidu/api/sessions/S/connection";

pub async fn bench() -> Bench {
    let bench = Bench::new();
    assert_eq!(bench.ask("POST", SESSIONS, json!({"customSessionId": "S"})).await.status, 200);
    bench
}

/// Form A: the API's own errors, with a number for a timestamp.
pub fn assert_own(answer: &Answer, status: u16, path: &str, message: &str) {
    let json = answer.json();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["timestamp", "status", "error", "message", "path"]);
    assert!(json["timestamp"].is_u64(), "{json}");
    assert_eq!((answer.status, json["status"].as_u64()), (status, Some(status.into())), "{json}");
    assert_eq!(json["path"], path);
    assert!(json["message"].as_str().unwrap().contains(message), "{json} should say {message}");
    assert_eq!(answer.content_type(), "application/json");
}

/// Form B: the framework's errors, with a text for a timestamp.
pub fn assert_framework(answer: &Answer, status: u16, path: &str) {
    let json = answer.json();
    assert!(json["timestamp"].is_string(), "{json}");
    assert_eq!((answer.status, json["status"].as_u64()), (status, Some(status.into())), "{json}");
    assert_eq!(json["path"], path);
    assert_eq!(answer.content_type(), "application/json");
}

#[tokio::test]
async fn bad_sessions_are_refused_in_the_documented_order() {
    let bench = bench().await;
    for (body, message) in [
        (json!({"mediaMode": 1}), "'mediaMode' must be a string"),
        (json!({"recordingMode": true}), "'recordingMode' must be a string"),
        (json!({"customSessionId": 5}), "'customSessionId' must be a string"),
        (json!({"forcedVideoCodec": []}), "'forcedVideoCodec' must be a string"),
        (json!({"allowTranscoding": "false"}), "'allowTranscoding' must be a boolean"),
        (json!({"recordingMode": "NO", "allowTranscoding": 1}), "Type error in some parameter"),
        (json!({"recordingMode": "always"}), "Some parameter is not valid. No enum constant"),
        (json!({"mediaMode": "NO", "recordingMode": "NO"}), "recordingMode"),
        (json!({"mediaMode": "NO", "customSessionId": "a b"}), "mediaMode"),
        (json!({"customSessionId": "a b", "forcedVideoCodec": "NO"}), "Parameter 'customSessionId' is wrong"),
        (json!({"customSessionId": "ä"}), "Parameter 'customSessionId' is wrong"),
        (json!({"forcedVideoCodec": "AV1", "defaultRecordingProperties": 1}), "forcedVideoCodec"),
        (json!({"defaultRecordingProperties": "x"}), "Error in parameter 'defaultRecordingProperties'. It is not a valid JSON object"),
        (json!({"defaultRecordingProperties": {"outputMode": "NO"}}), "Parameter 'defaultRecordingProperties' is not valid: 'outputMode'"),
        (json!({"defaultRecordingProperties": {"outputMode": "COMPOSED", "recordingLayout": "NO"}}), "'recordingLayout'"),
        (json!({"defaultRecordingProperties": {"outputMode": "COMPOSED", "frameRate": "x"}}), "'frameRate'"),
        (json!({"defaultRecordingProperties": {"outputMode": "COMPOSED", "shmSize": {}}}), "'shmSize'"),
        (json!({"defaultRecordingProperties": {"name": "../x"}}), "'name'"),
        (json!({"customSessionId": "S", "mediaMode": "NO"}), "mediaMode"),
    ] {
        assert_own(&bench.ask("POST", SESSIONS, body).await, 400, SESSIONS, message);
    }
    assert_own(&bench.ask("POST", SESSIONS, json!({"customSessionId": "S"})).await, 409, SESSIONS, "Session S already exists");
    assert_eq!(bench.ask("GET", SESSIONS, None).await.json()["numberOfElements"], 1);
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_errors_of_the_framework() {
    let bench = bench().await;
    for path in [SESSIONS, CONNECTION] {
        for (content_type, body, status) in [
            (Some("application/json"), "{", 400),
            (Some("application/json"), "[]", 400),
            (Some("application/json"), "\"x\"", 400),
            (Some("text/plain"), "{}", 415),
            (None, "{}", 415),
        ] {
            assert_framework(&bench.ask_text("POST", path, content_type, body.into()).await, status, path);
        }
        let huge = format!("{{\"data\":\"{}\"}}", "x".repeat(70_000));
        assert_framework(&bench.ask_text("POST", path, Some("application/json"), huge).await, 413, path);
    }
    assert_framework(&bench.ask("POST", CONNECTION, None).await, 400, CONNECTION);
    assert_eq!(bench.ask_text("POST", SESSIONS, Some("application/x-www-form-urlencoded"), String::new()).await.status, 200);
}

#[tokio::test]
async fn bad_connections_are_refused_in_the_documented_order() {
    let bench = bench().await;
    for (body, message) in [
        (json!({"type": 1}), "'type' must be a string"),
        (json!({"type": "NO", "data": 1}), "'data' must be a string"),
        (json!({"type": "NO", "role": 1}), "Parameter 'type' NO is not defined"),
        (json!({"role": 1}), "Type error in parameter 'role'"),
        (json!({"role": "publisher", "kurentoOptions": 1}), "Parameter role publisher is not defined"),
        (json!({"kurentoOptions": []}), "Error in parameter 'kurentoOptions'. It is not a valid JSON object"),
        (
            json!({"kurentoOptions": {"videoMaxRecvBandwidth": "x"}}),
            "Type error in some parameter of 'kurentoOptions': 'videoMaxRecvBandwidth'",
        ),
        (json!({"kurentoOptions": {"allowedFilters": "x"}}), "'allowedFilters' must be an array of strings"),
        (json!({"kurentoOptions": {"allowedFilters": [1]}}), "'allowedFilters' must be an array of strings"),
        (json!({"type": "IPCAM", "rtspUri": 1}), "'rtspUri' must be a string"),
        (json!({"type": "IPCAM", "rtspUri": "x", "adaptativeBitrate": "true"}), "'adaptativeBitrate' must be a boolean"),
        (json!({"type": "IPCAM", "onlyPlayWithSubscribers": 1}), "'onlyPlayWithSubscribers' must be a boolean"),
        (json!({"type": "IPCAM", "networkCache": "25"}), "'networkCache' must be an integer"),
        (json!({"type": "IPCAM", "networkCache": 25.0}), "'networkCache' must be an integer"),
        (json!({"type": "IPCAM"}), "\"rtspUri\" parameter is not a valid rtsp uri"),
        (json!({"type": "IPCAM", "rtspUri": null}), "\"rtspUri\" parameter is not a valid rtsp uri"),
        (json!({"type": "IPCAM", "rtspUri": "not a uri"}), "\"rtspUri\" parameter is not a valid rtsp uri"),
        (json!({"type": "IPCAM", "rtspUri": "rtspX://host/a"}), "\"rtspUri\" parameter is not a valid rtsp uri"),
        (json!({"type": "IPCAM", "rtspUri": "dummyprotocol://host/a"}), "\"rtspUri\" parameter is not a valid rtsp uri"),
    ] {
        assert_own(&bench.ask("POST", CONNECTION, body).await, 400, CONNECTION, message);
    }
    assert_eq!(bench.ask("GET", CONNECTION, None).await.json()["numberOfElements"], 0);
}

#[tokio::test]
async fn no_password_of_a_camera_comes_back_in_an_error() {
    let bench = bench().await;
    for uri in ["rtspX://user:hush@host/a", "rtsp://user:hush@", "rtsp://user:hush@host:99999/a", "user:hush@host"] {
        let answer = bench.ask("POST", CONNECTION, json!({"type": "IPCAM", "rtspUri": uri})).await;
        assert_eq!(answer.status, 400, "{uri}");
        assert!(!answer.text.contains("hush"), "{}", answer.text);
    }
    let malformed = r#"{"type": "IPCAM", "rtspUri": "rtsp://user:hush@host/a" "#;
    let answer = bench.ask_text("POST", CONNECTION, Some("application/json"), malformed.into()).await;
    assert!(answer.status == 400 && !answer.text.contains("hush"), "{}", answer.text);
}

#[tokio::test]
async fn what_is_unknown_has_the_documented_status() {
    let bench = bench().await;
    let none = "/openvidu/api/sessions/NONE";
    for (method, path, status, message) in [
        ("GET", none.to_owned(), 404, "Session NONE not found"),
        ("DELETE", none.to_owned(), 404, "Session NONE not found"),
        ("GET", format!("{none}/connection"), 404, "Session NONE not found"),
        ("GET", format!("{none}/connection/c"), 400, "Session NONE not found"),
        ("DELETE", format!("{none}/connection/c"), 400, "Session NONE not found"),
        ("GET", format!("{CONNECTION}/c"), 404, "Connection c not found"),
        ("DELETE", format!("{CONNECTION}/c"), 404, "Connection c not found"),
    ] {
        assert_own(&bench.ask(method, &path, None).await, status, &path, message);
    }
    // said before the fields of the body are looked at
    let path = format!("{none}/connection");
    assert_own(&bench.ask("POST", &path, json!({"type": 1})).await, 404, &path, "Session NONE not found");
}

#[tokio::test]
async fn paths_methods_and_flags_of_the_framework() {
    let bench = bench().await;
    for (method, path, status) in [
        ("DELETE", "/openvidu/api/sessions", 405),
        ("PUT", "/openvidu/api/sessions/S", 405),
        ("POST", "/openvidu/api/sessions/S/connection/c", 405),
        ("GET", "/openvidu/api/tokens", 405),
        ("GET", "/openvidu/api/signal", 405),
        ("GET", "/openvidu/api/sessions/S/stream/s", 405),
        ("DELETE", "/openvidu/api/media-nodes", 405),
        ("POST", "/openvidu/api/config", 405),
        ("GET", "/openvidu/api/no/such", 404),
        ("GET", "/openvidu/api/sessions/%ff", 400),
    ] {
        assert_framework(&bench.ask(method, path, None).await, status, path);
    }
    for path in [SESSIONS, "/openvidu/api/sessions/S", CONNECTION] {
        for flag in ["pendingConnections", "webRtcStats"] {
            assert_framework(&bench.ask("GET", &format!("{path}?{flag}=maybe"), None).await, 400, path);
        }
    }
    let refused = bench.ask("DELETE", SESSIONS, None).await;
    assert!(refused.headers[header::ALLOW].to_str().unwrap().contains("POST"));
}

#[tokio::test]
async fn a_session_dies_once() {
    let bench = bench().await;
    let path = "/openvidu/api/sessions/S";
    let first = bench.ask("DELETE", path, None).await;
    assert_eq!((first.status, first.text.as_str()), (204, ""));
    assert_own(&bench.ask("DELETE", path, None).await, 404, path, "Session S not found");
    assert_eq!(bench.ask("POST", SESSIONS, json!({"customSessionId": "S"})).await.status, 200);
}

#[tokio::test]
async fn no_value_in_any_field_is_more_than_a_bad_request() {
    let bench = bench().await;
    let values =
        [json!(null), json!(true), json!(-1), json!(1.5), json!(u64::MAX), json!(""), json!("x\u{0}/..\\"), json!([]), json!([null])];
    let values: Vec<Value> = values.into_iter().chain([json!({}), json!({"id": {}}), json!("VP8"), json!("rtsp://\u{7f}:@[::/")]).collect();
    for (path, fields) in [
        (SESSIONS, "mediaMode recordingMode customSessionId forcedVideoCodec allowTranscoding defaultRecordingProperties"),
        (CONNECTION, "type data role kurentoOptions rtspUri adaptativeBitrate onlyPlayWithSubscribers networkCache record"),
    ] {
        for field in fields.split(' ') {
            for value in &values {
                for more in [json!({}), json!({"type": "IPCAM"}), json!({"type": "IPCAM", "rtspUri": "rtsp://192.0.2.9/"})] {
                    let mut body = more;
                    body[field] = value.clone();
                    let answer = bench.ask("POST", path, body.clone()).await;
                    assert!(matches!(answer.status, 200 | 400 | 409), "{path} {body}: {} {}", answer.status, answer.text);
                }
            }
        }
    }
    let nested =
        "name hasAudio hasVideo outputMode recordingLayout customLayout resolution frameRate shmSize ignoreFailedStreams mediaNode";
    for field in nested.split(' ') {
        for value in &values {
            for mode in ["COMPOSED", "INDIVIDUAL"] {
                let mut recording = json!({"outputMode": mode});
                recording[field] = value.clone();
                let answer = bench.ask("POST", SESSIONS, json!({"defaultRecordingProperties": recording})).await;
                assert!(matches!(answer.status, 200 | 400), "{recording}: {}", answer.text);
            }
        }
    }
}
