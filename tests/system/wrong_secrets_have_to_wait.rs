//! Five wrong secrets from one address, and its next try has to wait, whatever it says and by whatever door; other addresses notice
//! nothing, and requests without credentials are no tries.

use crate::house::{House, options};
use crate::wire::{ELSEWHERE, ask, ask_from};
use serde_json::json;
use std::time::Duration;
use viduct::clock::Clock;
use viduct_testkit::rest::{Client as Rest, basic};
use viduct_testkit::signaling::Client;

/// The first wait, three times over.
const FIRST: Duration = Duration::from_secs(3);
const SESSIONS: &str = "/openvidu/api/sessions";

async fn wrong_everywhere(house: &House, wrong: &Rest) {
    for path in [SESSIONS, "/metrics", "/openvidu/cdr"] {
        wrong.get(path).await.expect(401);
    }
    wrong.clone().basic("OPENVIDUAPP", "guess4").post_as("/whep/s/t", "application/sdp", "v=0").await.expect(401);
    let join = json!({"token": "", "session": "s", "platform": "p", "metadata": "", "secret": "guess5", "recorder": false});
    let client = Client::open(&house.daemon.signaling_url("s")).await;
    assert_eq!(client.request("joinRoom", join).await.unwrap_err().code, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_any_door() {
    let house = House::open().await;
    let port = house.daemon.ports.http;
    house.session(json!({"customSessionId": "s"})).await;
    let token = house.token("s", "PUBLISHER").await;
    for _ in 0..20 {
        house.rest.clone().anonymous().get(SESSIONS).await.expect(401);
    }
    wrong_everywhere(&house, &house.rest.clone().basic("OPENVIDUAPP", "guess1")).await;
    let begin = Clock::System.now();
    let locked = house.rest.get(SESSIONS).await;
    // on a machine that took longer than the wait for that request there is nothing to see any more
    if begin.elapsed() < FIRST / 3 {
        let locked = locked.expect(429);
        assert!(locked.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds == 1), "{:?}", locked.headers);
        assert!(locked.text().contains("try again in 1 s"), "{}", locked.text());
    }
    let lines = || house.daemon.log.lines().iter().filter(|line| line.contains("nothing more is taken from there")).count();
    house.daemon.log.wait_for("the lockout", FIRST, |line| line.contains("nothing more is taken from there")).await;
    assert_eq!(lines(), 1, "one line a lockout");

    // neither a header that names another sender nor a request without credentials changes anything for the better
    let head = |more: &str| format!("GET {SESSIONS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n");
    let right = "Authorization: Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU\r\n";
    let forwarded = ask(port, head(&format!("{right}X-Forwarded-For: 192.0.2.9\r\nX-Real-IP: 192.0.2.9\r\n")).as_bytes()).await;
    assert!(forwarded.status == 429 || begin.elapsed() > FIRST / 3, "{forwarded:?}");
    assert_eq!(ask_from(ELSEWHERE, port, head(right).as_bytes()).await.status, 200, "another address");
    let client = Client::open(&house.daemon.signaling_url("s")).await;
    assert!(client.join(&token, "alice").await.is_ok(), "a token is no secret that is guessed");

    // and then it is over, and forgiven
    let waiting = async {
        while house.rest.get(SESSIONS).await.status != 200 {
            Clock::System.sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(FIRST, waiting).await.expect("the wait ends");
    println!("served again {:.1?} after the fifth wrong one, promised is 1 s", begin.elapsed());
    house.rest.clone().basic("OPENVIDUAPP", "guess6").get(SESSIONS).await.expect(401);
    house.rest.get(SESSIONS).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_pages_manage_nothing() {
    let house = House::open().await;
    let port = house.daemon.ports.http;
    let right = "Authorization: Basic T1BFTlZJRFVBUFA6TVlfU0VDUkVU\r\n";
    let ask = |request: String| async move { ask(port, request.as_bytes()).await };
    // what a form on a foreign page makes a browser send that knows the credentials
    let form = |origin: &str| {
        let head = format!("POST /openvidu/api/restart HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\n{right}");
        head + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    };
    let refused = ask(form("https://evil.example")).await;
    assert!(refused.is_error(403) && !refused.head.contains("access-control-allow-origin"), "{refused:?}");
    let app =
        format!("GET {SESSIONS} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: https://app.example\r\n{right}Connection: close\r\n\r\n");
    let served = ask(app).await;
    assert!(served.status == 200 && served.head.contains("access-control-allow-origin: *"), "{served:?}");
    assert_eq!(ask(form(&format!("http://127.0.0.1:{port}"))).await.status, 200, "the box's own page may");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_waits_for_itself() {
    // this machine's usual address is the proxy, the other one is a stranger
    let house = House::of(options().env("VIDUCT_TRUSTED_PROXIES", r#"["127.0.0.1/32", "10.0.0.0/8"]"#)).await;
    let port = house.daemon.ports.http;
    let head = |secret: &str, forwarded: &str| {
        let credentials = basic("OPENVIDUAPP", secret);
        format!(
            "GET {SESSIONS} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {credentials}\r\nX-Forwarded-For: {forwarded}\r\n\r\n"
        )
    };
    let guesser = |n: usize| format!("203.0.113.{n}, 192.0.2.9, 10.0.0.2");
    let begin = Clock::System.now();
    for n in 0..5 {
        assert_eq!(ask(port, head(&format!("guess{n}"), &guesser(n)).as_bytes()).await.status, 401);
    }
    let locked = ask(port, head("MY_SECRET", &guesser(6)).as_bytes()).await.status;
    assert!(locked == 429 || begin.elapsed() > FIRST / 3, "whatever it writes before its own address: {locked}");
    let line = house.daemon.log.wait_for("the lockout", FIRST, |line| line.contains("nothing more is taken from there")).await;
    assert!(line.contains("192.0.2.9"), "{line}");
    assert_eq!(ask(port, head("MY_SECRET", "192.0.2.10").as_bytes()).await.status, 200, "another client of the proxy");
    house.rest.get(SESSIONS).await.expect(200);
    // whoever is no proxy is itself, whatever it says
    for n in 0..5 {
        let claims = head(&format!("guess{n}"), &format!("198.51.100.{n}"));
        assert_eq!(ask_from(ELSEWHERE, port, claims.as_bytes()).await.status, 401);
    }
    let begin = Clock::System.now();
    let locked = ask_from(ELSEWHERE, port, head("MY_SECRET", "192.0.2.11").as_bytes()).await.status;
    assert!(locked == 429 || begin.elapsed() > FIRST / 3, "{locked}");

    // and so the API tells who is who
    house.session(json!({"customSessionId": "s"})).await;
    let client = Client::open_with(&house.daemon.signaling_url("s"), &[("x-forwarded-for", "[2001:db8::7]:4711")]).await;
    client.join(&house.token("s", "PUBLISHER").await, "alice").await.unwrap();
    assert_eq!(house.look("s").await["connections"]["content"][0]["ip"], "2001:db8::7");
}
