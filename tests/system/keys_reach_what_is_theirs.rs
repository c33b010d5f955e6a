//! API keys, by REST and by `viduct key`, before the daemon starts and while it runs: made, used, listed, revoked; what was made is
//! there after a kill, and what is revoked is refused at the next request.

use crate::house::{House, options};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Output};
use viduct_testkit::peer::Peer;
use viduct_testkit::rest::Client;
use viduct_testkit::whep::Whep;

const SESSIONS: &str = "/openvidu/api/sessions";
const KEYS: &str = "/openvidu/api/keys";

/// `viduct key …` of a box with this state folder.
fn viduct_key(state: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viduct"));
    command.arg("key").args(args).env("VIDUCT_STATE_PATH", state).env_remove("OPENVIDU_SECRET");
    command.output().expect("the binary runs")
}

/// Makes a key; gives its secret.
fn made(state: &Path, args: &[&str]) -> String {
    let output = viduct_key(state, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let secret = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(secret.starts_with("vk_") && !String::from_utf8_lossy(&output.stderr).contains(&secret));
    secret
}

/// As client libraries of OpenVidu present it.
fn client(house: &House, secret: &str) -> Client {
    Client::new(house.daemon.ports.http).basic("OPENVIDUAPP", secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_command_line_with_and_without_a_daemon() {
    let state = tempfile::tempdir().unwrap();
    let early = made(state.path(), &["create", "early", "--scope", "recordings"]);
    let house = House::of(options().state(state.path())).await;
    client(&house, &early).get("/openvidu/api/health").await.expect(200);
    let refused = client(&house, &early).get(SESSIONS).await.expect(403).json();
    assert!(refused["message"].as_str().unwrap().contains("everything or read-only or session:<id>"), "{refused}");

    // while it runs, and at once
    let gate = made(state.path(), &["create", "gate", "--session", "gate", "--expires", "1d"]);
    let rest = client(&house, &gate);
    rest.post(SESSIONS, json!({"customSessionId": "gate"})).await.expect(200);
    rest.post(SESSIONS, json!({"customSessionId": "yard"})).await.expect(403);
    house.session(json!({"customSessionId": "yard"})).await;
    rest.get(&format!("{SESSIONS}/yard")).await.expect(404);
    assert_eq!(rest.get(SESSIONS).await.expect(200).json()["numberOfElements"], 1);
    let token = rest.post(&format!("{SESSIONS}/gate/connection"), json!({})).await.expect(200).json()["token"].clone();
    assert!(token.as_str().unwrap().contains("&token=tok_"), "{token}");
    Client::new(house.daemon.ports.http).bearer(&gate).get(SESSIONS).await.expect(200);
    Client::new(house.daemon.ports.http).basic("gate", &gate).get(SESSIONS).await.expect(200);

    let list = viduct_key(state.path(), &["list"]);
    let list = String::from_utf8(list.stdout).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines.len() == 3 && lines[1].starts_with("early  recordings") && lines[2].starts_with("gate   session:gate"), "{list}");
    assert_eq!(house.rest.get(KEYS).await.expect(200).json()["numberOfElements"], 2);

    assert!(viduct_key(state.path(), &["revoke", "gate"]).status.success());
    rest.get(SESSIONS).await.expect(401);
    assert!(!viduct_key(state.path(), &["revoke", "gate"]).status.success(), "it is gone");
    assert!(!viduct_key(state.path(), &["create", "early", "--scope", "recordings"]).status.success(), "the name is taken");
    let log = house.daemon.log.text();
    assert!(!log.contains(&gate) && !log.contains(&early), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_told_survives_a_kill() {
    let state = tempfile::tempdir().unwrap();
    let mut house = House::of(options().state(state.path())).await;
    let answer = house.rest.post(KEYS, json!({"name": "watch", "scope": "read-only"})).await.expect(200).json();
    let secret = answer["key"].as_str().unwrap().to_owned();
    house.daemon.kill();
    drop(house);
    let house = House::of(options().state(state.path())).await;
    let rest = client(&house, &secret);
    rest.get(SESSIONS).await.expect(200);
    assert!(rest.get("/metrics").await.expect(200).text().contains("viduct_media_up 1"));
    rest.post(SESSIONS, json!({})).await.expect(403);
    rest.get(KEYS).await.expect(403);
    house.rest.delete(&format!("{KEYS}/watch")).await.expect(204);
    rest.get(SESSIONS).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_by_key_watches_its_own_session_alone() {
    let state = tempfile::tempdir().unwrap();
    let house = House::of(options().state(state.path())).await;
    house.session(json!({"customSessionId": "gate"})).await;
    for (name, scope, status) in [("a", "session:yard", 404), ("b", "read-only", 403), ("c", "recordings", 403), ("d", "session:gate", 404)]
    {
        let secret = made(state.path(), &["create", name, "--scope", scope]);
        let client = Client::new(house.daemon.ports.http).bearer(&secret);
        let refusal = Whep::offer(&client, "gate", "no_such_stream", Peer::viewer(true, true)).await.unwrap_err();
        assert_eq!(refusal.status, status, "{scope}: {}", refusal.text());
        // that the session is there shows to its own key alone
        assert_eq!(refusal.text().contains("no_such_stream"), scope == "session:gate", "{scope}: {}", refusal.text());
    }
}
