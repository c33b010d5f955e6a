//! REST says what is wrong in the status the API promises, and never repeats a secret.

use crate::house::House;
use serde_json::json;
use viduct_testkit::daemon::SECRET;

#[tokio::test(flavor = "multi_thread")]
async fn credentials() {
    let house = House::open().await;
    let client = house.rest.clone().anonymous();
    for path in ["/openvidu/api/sessions", "/openvidu/api/config", "/openvidu/api/no/such/thing"] {
        // whoever is wrong five times without a right one in between has to wait
        house.rest.get("/openvidu/api/health").await.expect(200);
        let response = client.get(path).await.expect(401);
        assert!(response.header("www-authenticate").starts_with("Basic"), "{path}");
        client.clone().basic("OPENVIDUAPP", "wrong").get(path).await.expect(401);
        client.clone().basic("somebody", SECRET).get(path).await.expect(401);
        client.clone().bearer(SECRET).get(path).await.expect(401);
    }
    house.rest.get("/openvidu/api/no/such/thing").await.expect(404);
    assert!(!house.daemon.log.text().contains(SECRET), "the secret is in no log line");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_ids() {
    let house = House::open().await;
    let sessions = "/openvidu/api/sessions";
    for body in ["{", "[]", "\"x\"", "{\"mediaMode\": }"] {
        house.rest.post_as(sessions, "application/json", body).await.expect(400);
    }
    let wrong = house.rest.post(sessions, json!({"mediaMode": 7})).await.expect(400);
    assert!(wrong.text().contains("mediaMode"), "the field is named: {}", wrong.text());
    house.rest.post(sessions, json!({"customSessionId": "not an id"})).await.expect(400);

    house.session(json!({"customSessionId": "twice"})).await;
    house.rest.post(sessions, json!({"customSessionId": "twice"})).await.expect(409);
    house.rest.get(&format!("{sessions}/nobody")).await.expect(404);
    house.rest.delete(&format!("{sessions}/nobody")).await.expect(404);
    house.rest.post(&format!("{sessions}/nobody/connection"), json!({})).await.expect(404);
    house.rest.get(&format!("{sessions}/twice/connection/nobody")).await.expect(404);
    let camera = house.rest.post(&format!("{sessions}/twice/connection"), json!({"type": "IPCAM", "rtspUri": "nonsense"})).await;
    camera.expect(400);
}
