//! Tokens, signals, streams and changes of connections: every row of their error tables, and what they answer.

use super::errors::{CONNECTION, SESSIONS, assert_framework, assert_own, bench};
use super::*;

const TOKENS: &str = "/openvidu/api/tokens";
const SIGNAL: &str = "/openvidu/api/signal";

fn camera() -> Value {
    json!({"type": "IPCAM", "rtspUri": "rtsp://192.0.2.9:554/live"})
}

async fn active(bench: &Bench) -> Value {
    bench.ask("POST", CONNECTION, camera()).await.json()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn bad_tokens_are_refused_in_the_documented_order() {
    let bench = bench().await;
    assert_framework(&bench.ask("POST", TOKENS, None).await, 400, TOKENS);
    assert_framework(&bench.ask_text("POST", TOKENS, Some("application/json"), "[]".into()).await, 400, TOKENS);
    for (body, status, path, message) in [
        (json!({"session": 1, "role": 1}), 400, TOKENS, "Type error in some parameter: 'session'"),
        (json!({"role": 1}), 400, TOKENS, "\"session\" parameter is mandatory"),
        (json!({"session": null}), 400, TOKENS, "\"session\" parameter is mandatory"),
        (json!({"session": "NONE", "role": 1}), 404, TOKENS, "Session NONE not found"),
        (json!({"session": "S", "type": 1}), 400, CONNECTION, "'type' must be a string"),
        (json!({"session": "S", "type": "NO"}), 400, CONNECTION, "Parameter 'type' NO is not defined"),
        (json!({"session": "S", "type": "IPCAM"}), 400, CONNECTION, "needs no token"),
        (json!({"session": "S", "data": 1}), 400, CONNECTION, "'data' must be a string"),
        (json!({"session": "S", "role": 1}), 400, CONNECTION, "Type error in parameter 'role'"),
        (json!({"session": "S", "role": "NO"}), 400, CONNECTION, "Parameter role NO is not defined"),
        (json!({"session": "S", "kurentoOptions": 1}), 400, CONNECTION, "'kurentoOptions'"),
    ] {
        assert_own(&bench.ask("POST", TOKENS, body).await, status, path, message);
    }
    assert_eq!(bench.ask("GET", CONNECTION, None).await.json()["numberOfElements"], 0);
}

#[tokio::test]
async fn a_token_is_a_pending_connection() {
    let bench = bench().await;
    let token = bench.ask("POST", TOKENS, json!({"session": "S", "data": "d", "record": "no matter"})).await.json();
    assert_eq!(keys(&token), ["id", "token", "createdAt", "connectionId", "session", "data", "role"]);
    assert_eq!((&token["id"], &token["data"], &token["role"]), (&token["token"], &json!("d"), &json!("PUBLISHER")));
    let path = format!("{CONNECTION}/{}", token["connectionId"].as_str().unwrap());
    let connection = bench.ask("GET", &path, None).await.json();
    assert_eq!((&connection["token"], &connection["status"], &connection["record"]), (&token["token"], &json!("pending"), &json!(true)));
    let limited = json!({"session": "S", "role": "SUBSCRIBER", "kurentoOptions": {"videoMaxSendBandwidth": 300}});
    let token = bench.ask("POST", TOKENS, limited).await.json();
    assert_eq!(token["kurentoOptions"], json!({"videoMaxSendBandwidth": 300}));
}

#[tokio::test]
async fn bad_signals_are_refused_in_the_documented_order_and_reach_nobody() {
    let bench = bench().await;
    assert_framework(&bench.ask("POST", SIGNAL, None).await, 400, SIGNAL);
    let early = bench.ask("POST", SIGNAL, json!({"session": "S", "to": [null]})).await;
    assert_own(&early, 406, SIGNAL, "Session S has no participants yet");
    active(&bench).await;
    for (body, status, message) in [
        (json!({"session": 1}), 400, "'session' must be a string"),
        (json!({"session": "NONE", "to": "x"}), 400, "'to' must be an array"),
        (json!({"session": "S", "type": 1}), 400, "'type' must be a string"),
        (json!({"session": "S", "data": {}}), 400, "'data' must be a string"),
        (json!({"data": "x"}), 400, "\"session\" parameter is mandatory"),
        (json!({"session": "NONE"}), 404, "Session NONE not found"),
        (json!({"session": "S", "to": [null]}), 406, "\"to\" array has no valid connection identifiers"),
        (json!({"session": "S", "to": ["con_none"]}), 406, "\"to\" array has no valid connection identifiers"),
        (json!({"session": "S", "to": [7]}), 406, "\"to\" array has no valid connection identifiers"),
    ] {
        assert_own(&bench.ask("POST", SIGNAL, body).await, status, SIGNAL, message);
    }
}

#[tokio::test]
async fn signals_are_answered_without_a_body() {
    let bench = bench().await;
    let camera = active(&bench).await;
    for to in [json!(null), json!([]), json!([camera["id"]])] {
        let sent = bench.ask("POST", SIGNAL, json!({"session": "S", "to": to, "type": "t", "data": "d"})).await;
        assert_eq!((sent.status, sent.text.as_str()), (200, ""), "{to}");
    }
}

#[tokio::test]
async fn streams_that_cannot_be_ended_have_the_documented_status() {
    let bench = bench().await;
    let path = |session: &str, stream: &str| format!("{SESSIONS}/{session}/stream/{stream}");
    for (session, status, message) in [("NONE", 400, "Session NONE not found"), ("S", 404, "Stream x not found")] {
        assert_own(&bench.ask("DELETE", &path(session, "x"), None).await, status, &path(session, "x"), message);
    }
    let camera = active(&bench).await;
    let stream = path("S", camera["publishers"][0]["streamId"].as_str().unwrap());
    assert_own(&bench.ask("DELETE", &stream, None).await, 405, &stream, "remove its connection instead");
    assert_own(&bench.ask("DELETE", &path("S", "x"), None).await, 404, &path("S", "x"), "Stream x not found");
}

#[tokio::test]
async fn bad_changes_of_connections_are_refused_in_the_documented_order() {
    let bench = bench().await;
    let id = bench.ask("POST", CONNECTION, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{CONNECTION}/{id}");
    assert_framework(&bench.ask("PATCH", &path, None).await, 400, &path);
    assert_framework(&bench.ask_text("PATCH", &path, Some("application/json"), "3".into()).await, 400, &path);
    for (body, message) in [
        (json!({"role": 1}), "Type error in parameter 'role'"),
        (json!({"role": "publisher"}), "Parameter role publisher is not defined"),
        (json!({"record": "true"}), "'record' must be a boolean"),
        (json!({"role": "SUBSCRIBER", "record": 1}), "'record' must be a boolean"),
    ] {
        assert_own(&bench.ask("PATCH", &path, body).await, 400, &path, message);
    }
    let none = format!("{SESSIONS}/NONE/connection/{id}");
    assert_own(&bench.ask("PATCH", &none, json!({"role": 1})).await, 404, &none, "Session NONE not found");
    let none = format!("{CONNECTION}/con_none");
    assert_own(&bench.ask("PATCH", &none, json!({})).await, 404, &none, "Connection con_none not found");
    assert_eq!(bench.ask("GET", &path, None).await.json()["role"], "PUBLISHER", "nothing was changed");
}

#[tokio::test]
async fn a_change_answers_with_the_whole_connection() {
    let bench = bench().await;
    let before = bench.ask("POST", CONNECTION, json!({"record": true, "data": "d"})).await;
    let path = format!("{CONNECTION}/{}", before.json()["id"].as_str().unwrap());
    for nothing in [json!({}), json!({"role": null, "record": null}), json!({"role": "PUBLISHER", "record": true, "data": "x"})] {
        let same = bench.ask("PATCH", &path, nothing).await;
        assert_eq!((same.status, same.text.as_str()), (200, before.text.as_str()));
    }
    let changed = bench.ask("PATCH", &path, json!({"role": "MODERATOR", "record": false})).await.json();
    let mut expected = before.json();
    (expected["role"], expected["record"]) = (json!("MODERATOR"), json!(false));
    assert_eq!(changed, expected);
    assert_eq!(bench.ask("GET", &path, None).await.json(), expected);
}

#[tokio::test]
async fn only_the_pro_edition_asks_whether_to_record() {
    let community = Bench::with(&[("OPENVIDU_EDITION", "ce")], true);
    community.ask("POST", SESSIONS, json!({"customSessionId": "S", "mediaNode": "ignored"})).await;
    let connection = community.ask("POST", CONNECTION, json!({"record": "ignored"})).await.json();
    assert_eq!(connection["record"], true);
    let path = format!("{CONNECTION}/{}", connection["id"].as_str().unwrap());
    assert_framework(&community.ask("PATCH", &path, json!({"role": "SUBSCRIBER"})).await, 405, &path);

    let pro = bench().await;
    assert_own(&pro.ask("POST", CONNECTION, json!({"record": "x"})).await, 400, CONNECTION, "'record' must be a boolean");
    assert_eq!(pro.ask("POST", CONNECTION, json!({"record": false})).await.json()["record"], false);
    let mut silent = camera();
    silent["record"] = json!(false);
    assert_eq!(pro.ask("POST", CONNECTION, silent).await.json()["record"], false);
}

#[tokio::test]
async fn call_detail_records_are_listed_and_read_by_name_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(&[("OPENVIDU_CDR_PATH", folder.path().to_str().unwrap())], true);
    assert_eq!(bench.ask("GET", "/openvidu/cdr", None).await.text, "[]");
    for name in ["CDR.2021-03-24_10-00-00.log", "CDR.2021-03-23_10-00-00.log", "secret"] {
        std::fs::write(folder.path().join(name), format!("{{\"{name}\":1}}\n")).unwrap();
    }
    let listed = bench.ask("GET", "/openvidu/cdr/", None).await;
    assert_eq!(listed.json(), json!(["CDR.2021-03-23_10-00-00.log", "CDR.2021-03-24_10-00-00.log"]));
    let text = bench.ask("GET", "/openvidu/cdr/CDR.2021-03-23_10-00-00.log", None).await;
    assert_eq!((text.status, text.text.as_str()), (200, "{\"CDR.2021-03-23_10-00-00.log\":1}\n"));
    assert!(text.content_type().starts_with("text/plain"));
    for path in ["/openvidu/cdr/secret", "/openvidu/cdr/none", "/openvidu/cdr/..%2Fsecret", "/openvidu/cdr/%2Fetc%2Fpasswd"] {
        assert_eq!(bench.ask("GET", path, None).await.status, 404, "{path}");
    }
    assert_eq!(bench.send(Request::get("/openvidu/cdr").body(Body::empty()).unwrap()).await.status, 401);
}

#[tokio::test]
async fn layouts_are_served_to_those_who_have_credentials() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/index.html"), "<p>mine</p>").unwrap();
    let bench = Bench::with(&[("OPENVIDU_RECORDING_CUSTOM_LAYOUT", folder.path().to_str().unwrap())], true);
    let page = bench.ask("GET", "/openvidu/layouts/mine/index.html", None).await;
    assert_eq!((page.status, page.text.as_str(), page.content_type()), (200, "<p>mine</p>", "text/html"));
    for path in ["/openvidu/layouts/mine", "/openvidu/layouts/none", "/openvidu/layouts/mine/..%2f..%2f..%2fetc/passwd"] {
        assert_eq!(bench.ask("GET", path, None).await.status, 404, "{path}");
    }
    assert_eq!(bench.send(Request::get("/openvidu/layouts/mine/index.html").body(Body::empty()).unwrap()).await.status, 401);
}

#[tokio::test]
async fn no_value_in_any_field_is_more_than_a_bad_request() {
    let bench = bench().await;
    let camera = active(&bench).await;
    let connection = format!("{CONNECTION}/{}", camera["id"].as_str().unwrap());
    let values =
        [json!(true), json!(-1), json!(1.5), json!(""), json!("x\u{0}/..\\"), json!([]), json!([null]), json!({}), json!({"id": {}})];
    for (method, path, fields) in [
        ("POST", TOKENS, "session type role data kurentoOptions record"),
        ("POST", SIGNAL, "session to type data"),
        ("PATCH", connection.as_str(), "role record data type"),
        ("POST", "/openvidu/api/media-nodes", "uri environmentId"),
        ("POST", SESSIONS, "mediaNode defaultOutputMode defaultRecordingLayout defaultCustomLayout"),
    ] {
        for field in fields.split(' ') {
            for value in &values {
                let mut body = json!({"session": "S"});
                body[field] = value.clone();
                let answer = bench.ask(method, path, body.clone()).await;
                assert!(matches!(answer.status, 200 | 400 | 404 | 406 | 501), "{path} {body}: {} {}", answer.status, answer.text);
            }
        }
    }
}
