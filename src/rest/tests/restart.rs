//! What POST restart takes and refuses, up to the order that reaches the daemon.

use super::*;
use crate::config::value::Raw;

const PATH: &str = "/openvidu/api/restart";

#[tokio::test]
async fn both_spellings_reach_the_daemon_in_the_order_of_the_table() {
    let bench = Bench::new();
    let modern = json!({"OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT": 5, "OPENVIDU_CDR": true, "OPENVIDU_WEBHOOK_EVENTS": ["sessionCreated"], "OPENVIDU_RECORDING": null});
    let old = json!({"openvidu.recording.autostop-timeout": 5, "openvidu.cdr": "true", "openvidu.streams.video.max-recv-bandwidth": 0});
    for (path, body) in [(PATH, modern), ("/pro/restart/", old)] {
        let answer = bench.ask("POST", path, body).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
    }
    assert_eq!(bench.ask("POST", PATH, None).await.status, 200);
    assert_eq!(
        *bench.restarts.lock().unwrap(),
        [
            vec![
                ("OPENVIDU_CDR", Raw::Bool(true)),
                ("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT", Raw::Int(5)),
                ("OPENVIDU_WEBHOOK_EVENTS", Raw::List(vec!["sessionCreated".into()])),
            ],
            vec![
                ("OPENVIDU_CDR", Raw::Text("true".into())),
                ("OPENVIDU_STREAMS_VIDEO_MAX_RECV_BANDWIDTH", Raw::Int(0)),
                ("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT", Raw::Int(5)),
            ],
            vec![],
        ]
    );
}

#[tokio::test]
async fn what_get_config_shows_may_come_back() {
    let bench = Bench::new();
    let mut shown = bench.ask("GET", "/openvidu/api/config", None).await.json();
    assert_eq!(bench.ask("POST", PATH, shown.clone()).await.status, 200);
    shown["HTTPS_PORT"] = json!(1);
    shown["VERSION"] = json!("3");
    let answer = bench.ask("POST", PATH, shown).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("Property HTTPS_PORT: cannot be changed") && answer.text.contains("Property VERSION: is unknown"));
}

#[tokio::test]
async fn every_wrong_value_is_named_and_nothing_reaches_the_daemon() {
    let bench = Bench::new();
    for (body, named) in [
        (json!({"OPENVIDU_CDR": "maybe"}), "Property OPENVIDU_CDR=maybe: must be true or false"),
        (json!({"OPENVIDU_CDR": 1}), "Property OPENVIDU_CDR=1"),
        (json!({"OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT": -1}), "Property OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT=-1"),
        (json!({"OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT": 1.5}), "must not be a fraction"),
        (json!({"OPENVIDU_RECORDING_NOTIFICATION": "nobody"}), "must be one of none, moderator"),
        (json!({"OPENVIDU_RECORDING_PATH": {}}), "must not be an object"),
        (json!({"OPENVIDU_WEBHOOK_ENDPOINT": "no url"}), "Property OPENVIDU_WEBHOOK_ENDPOINT=no url"),
        (json!({"OPENVIDU_WEBHOOK_HEADERS": ["NoColon"]}), "Property OPENVIDU_WEBHOOK_HEADERS=***"),
        (json!({"OPENVIDU_WEBHOOK_EVENTS": ["nothing"]}), "Property OPENVIDU_WEBHOOK_EVENTS"),
        (json!({"OPENVIDU_WEBHOOK_EVENTS": [1]}), "anything but texts"),
        (json!({"OPENVIDU_SECRET": "two words"}), "Property OPENVIDU_SECRET=***"),
        (json!({"OPENVIDU_SECRET": ""}), "Property OPENVIDU_SECRET=***"),
        (json!({"openvidu.pro.stats.webrtc-interval": "often"}), "Property OPENVIDU_PRO_STATS_WEBRTC_INTERVAL=often"),
        (json!({"openvidu.recordin": true}), "Property openvidu.recordin: is unknown; did you mean OPENVIDU_RECORDING?"),
        (json!({"VIDUCT_STATE_PATH": "/x"}), "Property VIDUCT_STATE_PATH: cannot be changed"),
    ] {
        let answer = bench.ask("POST", PATH, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["message"].as_str().unwrap().contains(named), "{body}: {}", answer.text);
        assert!(!answer.text.contains("two words"));
    }
    assert!(bench.restarts.lock().unwrap().is_empty());
    assert_eq!(bench.ask("GET", PATH, None).await.status, 405);
    let anonymous = Request::post("/pro/restart").body(Body::empty()).unwrap();
    assert_eq!(bench.send(anonymous).await.status, 401);
}
