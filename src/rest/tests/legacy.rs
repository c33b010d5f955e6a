//! Applications of releases before 2.16: their paths, their keys, their habits.

use super::*;

#[tokio::test]
async fn old_paths_lead_where_the_new_ones_do() {
    let bench = Bench::new();
    let session = bench.ask("POST", "/api/sessions", json!({"customSessionId": "S"})).await;
    assert_eq!((session.status, session.json()["id"].clone(), session.json()["createdAt"].is_u64()), (200, json!("S"), true));
    for (old, new) in [
        ("/api/sessions/S/connection", "/openvidu/api/sessions/S/connection"),
        ("/api/recordings/", "/openvidu/api/recordings"),
        ("/config/openvidu-publicurl", "/openvidu/api/config/openvidu-publicurl"),
        ("/pro/health", "/openvidu/api/health"),
        ("/pro/media-nodes?load=true", "/openvidu/api/media-nodes"),
        ("/cdr", "/openvidu/cdr"),
        ("/recordings/S/S.mp4", "/openvidu/recordings/S/S.mp4"),
    ] {
        let (old_answer, new_answer) = (bench.ask("GET", old, None).await, bench.ask("GET", new, None).await);
        assert_eq!(old_answer.status, new_answer.status, "{old}");
        assert!(old_answer.status != 200 || old_answer.text == new_answer.text, "{old}: {}", old_answer.text);
    }
    let token = bench.ask("POST", "/api/tokens", json!({"session": "S"})).await.json();
    assert!(token["token"].as_str().unwrap().contains("?sessionId=S&token=tok_"));
    let missing = bench.ask("GET", "/api/sessions/NONE", None).await;
    assert_eq!((missing.status, missing.json()["path"].clone()), (404, json!("/openvidu/api/sessions/NONE")));
    for (path, status) in [("/api/sessions", 401), ("/pro/media-nodes", 401), ("/cdr", 401), ("/config/openvidu-publicurl", 200)] {
        assert_eq!(bench.send(Request::get(path).body(Body::empty()).unwrap()).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_property_shuts_the_old_paths() {
    let bench = Bench::with(&[("SUPPORT_DEPRECATED_API", "false")], true);
    for path in ["/api/sessions", "/config", "/pro/media-nodes", "/cdr", "/recordings/S/S.mp4"] {
        assert_eq!(bench.ask("GET", path, None).await.status, 404, "{path}");
    }
    assert_eq!(bench.ask("GET", "/openvidu/api/sessions", None).await.status, 200);
}

#[tokio::test]
async fn old_recording_keys_are_understood_and_come_back_on_old_paths() {
    let bench = Bench::new();
    for (given, mode, layout, custom) in [
        (json!({}), "COMPOSED", json!("BEST_FIT"), json!(null)),
        (json!({"defaultOutputMode": "INDIVIDUAL", "defaultRecordingLayout": "CUSTOM"}), "INDIVIDUAL", json!(null), json!(null)),
        (json!({"defaultRecordingLayout": "CUSTOM", "defaultCustomLayout": "mine"}), "COMPOSED", json!("CUSTOM"), json!("mine")),
    ] {
        let session = bench.ask("POST", "/api/sessions", given.clone()).await.json();
        assert_eq!((session["defaultOutputMode"].as_str(), &session["defaultRecordingLayout"]), (Some(mode), &layout));
        assert_eq!(session["defaultCustomLayout"], custom);
        assert_eq!(session["defaultRecordingProperties"]["outputMode"], mode);
        let given_mode = given.get("defaultOutputMode").cloned();
        let modern = bench.ask("POST", "/openvidu/api/sessions", given).await.json();
        assert_eq!(modern["defaultRecordingProperties"], session["defaultRecordingProperties"]);
        // to who said one of them today's path shows them, too: those clients cannot do without
        assert_eq!(modern.get("defaultOutputMode"), given_mode.as_ref(), "{modern}");
    }
    // what is said the new way counts
    let both = json!({"defaultOutputMode": "INDIVIDUAL", "defaultRecordingProperties": {"name": "n"}});
    assert_eq!(bench.ask("POST", "/api/sessions", both).await.json()["defaultOutputMode"], "COMPOSED");
    for wrong in [json!({"defaultOutputMode": "NO"}), json!({"defaultRecordingLayout": "NO"}), json!({"defaultCustomLayout": 1})] {
        assert_eq!(bench.ask("POST", "/api/sessions", wrong).await.status, 400);
    }
}

#[tokio::test]
async fn cameras_were_all_that_was_posted_as_a_connection() {
    let bench = Bench::new();
    bench.ask("POST", "/api/sessions", json!({"customSessionId": "S"})).await;
    let camera = json!({"rtspUri": "rtsp://192.0.2.9:554/live", "data": "gate"});
    let old = bench.ask("POST", "/api/sessions/S/connection", camera.clone()).await.json();
    assert_eq!((old["type"].as_str(), &old["token"]), (Some("IPCAM"), &json!(null)));
    assert_eq!(bench.ask("POST", "/openvidu/api/sessions/S/connection", camera).await.json()["type"], "WEBRTC");
    assert_eq!(bench.ask("POST", "/api/sessions/S/connection", json!({})).await.json()["type"], "WEBRTC");
}
