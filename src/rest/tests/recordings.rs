//! Every row of the tables of recordings (rest.md §10, §11).

use super::*;
use crate::keys::{Scope, Wish};
use crate::recording::played::{Manner, THUMBNAIL};

const API: &str = "/openvidu/api/recordings";
const START: &str = "/openvidu/api/recordings/start";
const SESSIONS: &str = "/openvidu/api/sessions";

impl Bench {
    /// A session, with a camera in it that is never reached.
    async fn session(&self, id: &str, more: Value) {
        let mut body = json!({ "customSessionId": id });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        assert_eq!(self.ask("POST", SESSIONS, body).await.status, 200);
    }

    async fn camera(&self, id: &str) {
        let camera = json!({"type": "IPCAM", "rtspUri": "rtsp://192.0.2.9/x"});
        assert_eq!(self.ask("POST", &format!("{SESSIONS}/{id}/connection"), camera).await.status, 200);
    }

    async fn recorded(&self, id: &str) -> Value {
        let answer = self.ask("POST", START, json!({ "session": id })).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder().uri(path).header(header::AUTHORIZATION, basic("MY_SECRET"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }
}

fn has_keys(value: &Value, keys: &[&str]) {
    assert_eq!(value.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>(), keys);
}

const KEYS: [&str; 16] = [
    "id",
    "object",
    "name",
    "outputMode",
    "resolution",
    "frameRate",
    "recordingLayout",
    "sessionId",
    "mediaNode",
    "createdAt",
    "size",
    "duration",
    "url",
    "hasAudio",
    "hasVideo",
    "status",
];

#[tokio::test]
async fn a_recording_lives_from_start_to_delete() {
    let bench = Bench::new();
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    let started = bench.recorded("S").await;
    has_keys(&started, &KEYS);
    assert_eq!(
        (&started["status"], &started["url"], &started["size"], &started["duration"]),
        (&json!("started"), &json!(null), &json!(0), &json!(0.0))
    );
    assert_eq!((&started["id"], &started["name"], &started["sessionId"]), (&json!("S"), &json!("S"), &json!("S")));
    assert_eq!(bench.ask("GET", &format!("{SESSIONS}/S"), None).await.json()["recording"], true);
    assert_eq!(bench.ask("GET", &format!("{API}/S"), None).await.json(), started);
    for (method, path, status) in [("DELETE", format!("{API}/S"), 409), ("GET", "/openvidu/recordings/S/S.mp4".into(), 404)] {
        assert_eq!(bench.ask(method, &path, None).await.status, status, "{method} {path}");
    }
    let stopped = bench.ask("POST", &format!("{API}/stop/S"), None).await;
    assert_eq!(stopped.status, 200);
    let ready = stopped.json();
    has_keys(&ready, &KEYS);
    assert_eq!((&ready["status"], &ready["duration"]), (&json!("ready"), &json!(1.0)));
    assert_eq!(ready["url"], "https://localhost:4443/openvidu/recordings/S/S.mp4");
    assert_eq!(bench.ask("GET", &format!("{SESSIONS}/S"), None).await.json()["recording"], false);
    assert_eq!(bench.ask("GET", API, None).await.json(), json!({"count": 1, "items": [ready]}));
    assert_eq!(bench.ask("POST", &format!("{API}/stop/S"), None).await.status, 404, "it is stopped already");

    let named = json!({"session": "S", "name": "second", "hasAudio": false, "resolution": "641x481", "frameRate": 10});
    let second = bench.ask("POST", START, named).await.json();
    assert_eq!((&second["id"], &second["name"], &second["resolution"]), (&json!("S~1"), &json!("second"), &json!("641x481")));
    assert_eq!((&second["frameRate"], &second["hasAudio"]), (&json!(10), &json!(false)));
    let ready = bench.ask("POST", &format!("{API}/stop/S~1"), None).await.json();
    assert!(ready["url"].as_str().unwrap().ends_with("/S~1/second.mp4"));
    assert_eq!((&ready["hasAudio"], &ready["hasVideo"]), (&json!(false), &json!(true)));
    for (id, left) in [("S", 1), ("S~1", 0)] {
        let folder = bench.folder.path().join(id);
        assert!(folder.exists());
        assert_eq!(bench.ask("DELETE", &format!("{API}/{id}"), None).await.status, 204);
        assert!(!folder.exists());
        assert_eq!(bench.ask("GET", API, None).await.json()["count"], left);
        for method in ["GET", "DELETE"] {
            assert_eq!(bench.ask(method, &format!("{API}/{id}"), None).await.status, 404);
        }
    }
}

#[tokio::test]
async fn one_that_is_called_like_a_route_is_one_like_any_other() {
    for (id, api) in [("start", API), ("stop", API), ("start", "/api/recordings"), ("stop", "/api/recordings")] {
        let (bench, one) = (Bench::new(), format!("{api}/{id}"));
        bench.session(id, json!({})).await;
        bench.camera(id).await;
        for (method, path) in [("GET", one.clone()), ("DELETE", one.clone()), ("GET", format!("{one}/"))] {
            let absent = bench.ask(method, &path, None).await;
            assert_eq!((absent.status, &absent.json()["path"]), (404, &json!(format!("{API}/{id}"))), "{method} {path}");
        }
        let started = bench.recorded(id).await;
        assert_eq!((&started["id"], bench.ask("GET", &one, None).await.json()), (&json!(id), started.clone()));
        assert_eq!(bench.ask("DELETE", &one, None).await.status, 409);
        assert_eq!(bench.ask("POST", &format!("{api}/stop/{id}"), None).await.status, 200);
        assert_eq!(bench.ask("HEAD", &format!("{one}/"), None).await.status, 200);
        let watcher = Wish { name: "watcher".into(), scope: Scope::ReadOnly, expires_at: None };
        let key = bench.api.keyring.file().create(watcher, 0).unwrap().1;
        let ask = |method: &str| Request::builder().method(method).uri(&one).header(header::AUTHORIZATION, format!("Bearer {key}"));
        for (method, status) in [("GET", 200), ("DELETE", 403)] {
            assert_eq!(bench.send(ask(method).body(Body::empty()).unwrap()).await.status, status, "{method} {one}");
        }
        assert_eq!(bench.ask("PATCH", &one, None).await.status, 405);
        assert_eq!(bench.ask("DELETE", &one, None).await.status, 204);
        assert_eq!(bench.ask("GET", &one, None).await.status, 404);
    }
}

#[tokio::test]
async fn the_community_edition_knows_of_no_node() {
    let bench = Bench::with(&[("OPENVIDU_EDITION", "ce")], true);
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    has_keys(&bench.recorded("S").await, &KEYS.into_iter().filter(|key| *key != "mediaNode").collect::<Vec<_>>());
}

#[tokio::test]
async fn sound_alone_has_no_picture_to_tell_of() {
    let bench = Bench::new();
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    // checked, then dropped
    let wish = json!({"session": "S", "hasVideo": false, "resolution": "320x240", "recordingLayout": "PICTURE_IN_PICTURE"});
    let started = bench.ask("POST", START, wish).await.json();
    let keys: Vec<&str> = KEYS.into_iter().filter(|key| !["resolution", "frameRate", "recordingLayout"].contains(key)).collect();
    has_keys(&started, &keys);
    assert_eq!((&started["hasAudio"], &started["hasVideo"], &started["outputMode"]), (&json!(true), &json!(false), &json!("COMPOSED")));
    let ready = bench.ask("POST", &format!("{API}/stop/S"), None).await.json();
    has_keys(&ready, &keys);
    assert_eq!((&ready["status"], &ready["hasVideo"]), (&json!("ready"), &json!(false)));
    assert_eq!(ready["url"], "https://localhost:4443/openvidu/recordings/S/S.mp4");
    assert_eq!(bench.get("/openvidu/recordings/S/S.mp4", &[]).await.status(), 200);
    assert_eq!(bench.get("/openvidu/recordings/S/S.jpg", &[]).await.status(), 404);
    assert!(bench.composers.lock().unwrap().drawing.is_empty());
}

#[tokio::test]
async fn starts_are_refused_in_the_documented_order() {
    let bench = Bench::new();
    bench.session("pending", json!({})).await;
    bench.session("relayed", json!({"mediaMode": "RELAYED"})).await;
    bench.session("active", json!({})).await;
    bench.session("ready-relayed", json!({"mediaMode": "RELAYED"})).await;
    bench.session("busy", json!({})).await;
    for session in ["active", "ready-relayed", "busy"] {
        bench.camera(session).await;
    }
    bench.recorded("busy").await;
    // state before parameters: with everything wrong
    let wrong = |session: Value| json!({"session": session, "name": 5, "frameRate": "x", "outputMode": "NO"});
    for (session, status) in [
        (json!(null), 400),
        (json!(5), 400),
        (json!("unknown"), 404),
        (json!("relayed"), 409),
        (json!("pending"), 406),
        (json!("ready-relayed"), 409),
        (json!("busy"), 409),
        (json!("active"), 400),
    ] {
        let answer = bench.ask("POST", START, wrong(session.clone())).await;
        assert_eq!(answer.status, status, "{session}");
        assert_eq!(answer.json()["path"], if session == "active" { SESSIONS } else { START });
    }
    for (wish, status, message) in [
        (json!({"name": 5}), 400, "'name'"),
        (json!({"hasAudio": "true"}), 400, "'hasAudio'"),
        (json!({"hasVideo": 1}), 400, "'hasVideo'"),
        (json!({"outputMode": 1}), 400, "'outputMode'"),
        (json!({"recordingLayout": 1}), 400, "'recordingLayout'"),
        (json!({"customLayout": 1}), 400, "'customLayout'"),
        (json!({"resolution": 1}), 400, "'resolution'"),
        (json!({"frameRate": 25.5}), 400, "'frameRate'"),
        (json!({"frameRate": "25"}), 400, "'frameRate'"),
        (json!({"shmSize": {}}), 400, "'shmSize'"),
        (json!({"name": "a b", "hasAudio": "x"}), 400, "'hasAudio'"),
        (json!({"name": "a b", "hasAudio": false, "hasVideo": false}), 400, "Parameter 'name' is wrong"),
        (json!({"name": "x".repeat(201)}), 400, "longer"),
        (json!({"hasAudio": false, "hasVideo": false, "outputMode": "NO"}), 422, "hasAudio"),
        (json!({"outputMode": "NO", "recordingLayout": "NO"}), 400, "Type error in parameter 'outputMode'"),
        (json!({"recordingLayout": "NO", "resolution": "1x1"}), 400, "'recordingLayout'"),
        (json!({"resolution": "99x720", "shmSize": 1}), 422, "'resolution'"),
        (json!({"resolution": "2000x720"}), 422, "'resolution'"),
        (json!({"frameRate": 0}), 422, "'frameRate'"),
        (json!({"frameRate": -5}), 422, "'frameRate'"),
        (json!({"frameRate": 121}), 422, "'frameRate'"),
        (json!({"shmSize": 134_217_727}), 422, "'shmSize'"),
        (json!({"shmSize": "1", "hasVideo": false}), 422, "'shmSize'"),
        (json!({"outputMode": "INDIVIDUAL", "resolution": "1x1"}), 501, "INDIVIDUAL"),
        (json!({"hasVideo": false, "resolution": "1x1"}), 422, "'resolution'"),
        (json!({"recordingLayout": "CUSTOM"}), 501, "BEST_FIT"),
        (json!({"recordingLayout": "PICTURE_IN_PICTURE"}), 501, "BEST_FIT"),
    ] {
        let mut body = json!({ "session": "active" });
        body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
        let answer = bench.ask("POST", START, body).await;
        assert_eq!(answer.status, status, "{wish}: {}", answer.text);
        assert_eq!(answer.json()["path"], SESSIONS);
        assert!(answer.json()["message"].as_str().unwrap().contains(message), "{wish}: {}", answer.text);
    }
    assert_eq!(bench.ask("GET", API, None).await.json()["count"], 1, "nothing was started");
}

#[tokio::test]
async fn what_a_start_leaves_out_is_the_sessions_default() {
    let bench = Bench::new();
    let default = json!({"name": "usual", "hasAudio": false, "outputMode": "COMPOSED", "resolution": "320x240", "frameRate": 5});
    bench.session("S", json!({ "defaultRecordingProperties": default })).await;
    bench.camera("S").await;
    let recording = bench.ask("POST", START, json!({"session": "S", "name": "", "outputMode": "COMPOSED_QUICK_START"})).await.json();
    for (key, value) in [("name", json!("usual")), ("hasAudio", json!(false)), ("resolution", json!("320x240")), ("frameRate", json!(5))] {
        assert_eq!(recording[key], value, "{key}");
    }
    assert_eq!(recording["outputMode"], "COMPOSED", "quick start is chosen with the session only");
    for mode in ["COMPOSED_QUICK_START", "INDIVIDUAL"] {
        bench.session(mode, json!({"defaultRecordingProperties": {"outputMode": mode}})).await;
        bench.camera(mode).await;
        assert_eq!(bench.ask("POST", START, json!({"session": mode})).await.status, 501);
    }
    assert_eq!(bench.ask("POST", START, json!({"session": "INDIVIDUAL", "outputMode": "COMPOSED"})).await.status, 200);
}

#[tokio::test]
async fn a_box_that_does_not_record_says_so_before_all_else() {
    let bench = Bench::with(&[("OPENVIDU_RECORDING", "false")], true);
    for (method, path) in [
        ("POST", START.to_owned()),
        ("POST", format!("{API}/stop/x")),
        ("GET", API.to_owned()),
        ("GET", format!("{API}/x")),
        ("DELETE", format!("{API}/x")),
    ] {
        let body = (path == START).then(|| json!({"session": 5}));
        assert_eq!(bench.ask(method, &path, body).await.status, 501, "{method} {path}");
    }
    assert_eq!(bench.ask("POST", START, None).await.status, 400, "but a body there must be");
    assert_eq!(bench.ask("GET", "/openvidu/recordings/x/x.mp4", None).await.status, 404);
}

#[tokio::test]
async fn a_recording_that_is_starting_is_listed_and_not_stopped() {
    let bench = Arc::new(Bench::new());
    bench.composers.lock().unwrap().manner = Manner::Hang;
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    let asker = bench.clone();
    let start = tokio::spawn(async move { asker.ask("POST", START, json!({"session": "S"})).await });
    while bench.composers.lock().unwrap().running.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.ask("GET", &format!("{API}/S"), None).await.json()["status"], "starting");
    assert_eq!(bench.ask("GET", &format!("{SESSIONS}/S"), None).await.json()["recording"], true);
    assert_eq!(bench.ask("POST", &format!("{API}/stop/S"), None).await.status, 406);
    assert_eq!(bench.ask("DELETE", &format!("{API}/S"), None).await.status, 409);
    assert_eq!(bench.ask("POST", START, json!({"session": "S"})).await.status, 409);
    assert!(!start.is_finished());
    // the session ends before anything was recorded
    assert_eq!(bench.ask("DELETE", &format!("{SESSIONS}/S"), None).await.status, 204);
    assert_eq!(bench.ask("GET", &format!("{API}/S"), None).await.json()["status"], "failed");
    start.abort();
}

#[tokio::test]
async fn a_recording_that_cannot_be_made_is_an_error_of_the_box() {
    let bench = Bench::new();
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    std::fs::remove_dir(bench.folder.path()).unwrap();
    std::fs::write(bench.folder.path(), "no folder").unwrap();
    let answer = bench.ask("POST", START, json!({"session": "S"})).await;
    std::fs::remove_file(bench.folder.path()).unwrap();
    assert_eq!(answer.status, 500);
    assert!(answer.json()["message"].as_str().unwrap().starts_with("Error starting recording: "));
    assert_eq!(bench.ask("GET", &format!("{SESSIONS}/S"), None).await.json()["recording"], false);
}

#[tokio::test]
async fn deleting_a_session_finishes_its_recording() {
    let bench = Bench::new();
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    bench.recorded("S").await;
    assert_eq!(bench.ask("DELETE", &format!("{SESSIONS}/S"), None).await.status, 204);
    assert_eq!(bench.ask("GET", &format!("{API}/S"), None).await.json()["status"], "ready");
}

#[tokio::test]
async fn films_are_served_in_ranges() {
    let bench = Bench::new();
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    bench.recorded("S").await;
    let size = bench.ask("POST", &format!("{API}/stop/S"), None).await.json()["size"].as_u64().unwrap();
    let url = "/openvidu/recordings/S/S.mp4";
    let whole = bench.get(url, &[]).await;
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "video/mp4");
    assert_eq!(whole.headers()[header::ACCEPT_RANGES], "bytes");
    let modified = whole.headers()[header::LAST_MODIFIED].to_str().unwrap().to_owned();
    let whole = whole.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(whole.len() as u64, size);
    assert_eq!(&whole[4..8], b"ftyp");
    let last = size - 1;
    for (range, from, to) in
        [("bytes=0-99", 0, 99), ("bytes=100-", 100, last), ("bytes=-10", size - 10, last), (&format!("bytes=5-{size}"), 5, last)]
    {
        let part = bench.get(url, &[("range", range)]).await;
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(part.headers()[header::CONTENT_RANGE], format!("bytes {from}-{to}/{size}"));
        let part = part.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(part, whole[from as usize..=to as usize], "{range}");
    }
    assert_eq!(bench.get(url, &[("range", &format!("bytes={size}-"))]).await.status(), 416);
    assert_eq!(bench.get(url, &[("if-modified-since", &modified)]).await.status(), 304);
    for path in [
        "/openvidu/recordings/S/.recording.S",
        "/openvidu/recordings/S/.lock",
        "/openvidu/recordings/S/part-1.mp4",
        "/openvidu/recordings/S/..%2FS%2FS.mp4",
        "/openvidu/recordings/..%2FS/S.mp4",
        "/openvidu/recordings/S/S.mp4/x",
        "/openvidu/recordings/S/",
        "/openvidu/recordings/",
        "/openvidu/recordings/S/s.mp4",
        "/openvidu/recordings/%00/S.mp4",
    ] {
        assert_eq!(bench.get(path, &[]).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn films_need_credentials_unless_they_are_public() {
    for (public, status) in [("false", 401), ("true", 200)] {
        let bench = Bench::with(&[("OPENVIDU_RECORDING_PUBLIC_ACCESS", public)], true);
        bench.session("S", json!({})).await;
        bench.camera("S").await;
        bench.recorded("S").await;
        bench.ask("POST", &format!("{API}/stop/S"), None).await;
        let request = Request::builder().uri("/openvidu/recordings/S/S.mp4").body(Body::empty()).unwrap();
        assert_eq!(bench.app.clone().oneshot(request).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn a_stop_that_takes_too_long_is_answered_without_the_film() {
    tokio::time::pause();
    let bench = Bench::new();
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    bench.recorded("S").await;
    bench.composers.lock().unwrap().manner = Manner::NeverFinish;
    let stopped = bench.ask("POST", &format!("{API}/stop/S"), None).await.json();
    assert_eq!((&stopped["status"], &stopped["size"], &stopped["url"]), (&json!("stopped"), &json!(0), &json!(null)));
    // it goes on alone
    let recordings = bench.api.recordings.clone().unwrap();
    recordings.finished().await;
    assert_eq!(bench.ask("GET", &format!("{API}/S"), None).await.json()["status"], "ready");
}

#[tokio::test]
async fn a_thumbnail_stands_for_a_film_and_goes_with_it() {
    let bench = Bench::new();
    bench.composers.lock().unwrap().draws = true;
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    bench.recorded("S").await;
    let url = "/openvidu/recordings/S/S.jpg";
    assert_eq!(bench.get(url, &[]).await.status(), 404, "there is no film yet");
    assert_eq!(bench.ask("POST", &format!("{API}/stop/S"), None).await.json()["status"], "ready");
    // it may still be on its way: who asks waits for it, and no time passes as long as anybody works
    tokio::time::pause();
    let picture = bench.get(url, &[]).await;
    assert_eq!((picture.status().as_u16(), &picture.headers()[header::CONTENT_TYPE]), (200, &"image/jpeg".parse().unwrap()));
    assert_eq!(picture.into_body().collect().await.unwrap().to_bytes(), THUMBNAIL);
    assert_eq!(bench.get(url, &[("range", "bytes=2-")]).await.status(), 206);
    let anonymous = Request::builder().uri(url).body(Body::empty()).unwrap();
    assert_eq!(bench.app.clone().oneshot(anonymous).await.unwrap().status(), 401, "as the film");
    for path in ["/openvidu/recordings/S/s.jpg", "/openvidu/recordings/S/.S.jpg.viduct-new", "/openvidu/recordings/T/T.jpg"] {
        assert_eq!(bench.get(path, &[]).await.status(), 404, "{path}");
    }
    assert_eq!(bench.ask("DELETE", &format!("{API}/S"), None).await.status, 204);
    assert_eq!(bench.get(url, &[]).await.status(), 404);
    assert!(!bench.folder.path().join("S").exists());
}

#[tokio::test]
async fn a_thumbnail_that_is_not_made_costs_nothing_but_itself() {
    let bench = Bench::new();
    bench.session("S", json!({})).await;
    bench.camera("S").await;
    bench.recorded("S").await;
    // the maker hangs
    assert_eq!(bench.ask("POST", &format!("{API}/stop/S"), None).await.json()["status"], "ready");
    assert_eq!(bench.get("/openvidu/recordings/S/S.mp4", &[]).await.status(), 200);
    while bench.composers.lock().unwrap().drawing.is_empty() {
        tokio::task::yield_now().await;
    }
    bench.recorded("S").await;
    assert_eq!(bench.ask("POST", &format!("{API}/stop/S~1"), None).await.json()["status"], "ready");
    tokio::time::pause();
    assert_eq!(bench.get("/openvidu/recordings/S/S.jpg", &[]).await.status(), 404, "it is not waited for without end");
    // it is given up, and the next is made
    bench.composers.lock().unwrap().draws = true;
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    assert_eq!(bench.get("/openvidu/recordings/S~1/S~1.jpg", &[]).await.status(), 200);
    assert_eq!(bench.get("/openvidu/recordings/S/S.jpg", &[]).await.status(), 404);
}
