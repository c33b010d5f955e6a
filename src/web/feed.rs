//! `/openvidu/info`: a WebSocket that tells what happens, while it happens. A message is an event, as a line of the call detail records
//! has it. It goes one way: what a client sends is read and forgotten.
//!
//! | a client that | meets |
//! |---|---|
//! | reads too slowly | 1008: more events wait than are kept for it, or it takes none for [`WRITE_DEADLINE`](crate::guard::socket::WRITE_DEADLINE) |
//! | is silent | 1008 after [`SILENCE`] without an answer to pings: nobody may be there any more |
//! | sends more than [`LONGEST_MESSAGE`] at a time | the end |
//! | is one too many | 503 |

use crate::clock::Clock;
use crate::events::{Bus, Follower};
use crate::guard::socket::{Unwritten, farewell, stopped, write};
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Sockets at a time.
const MOST_SOCKETS: usize = 16;
/// Of what nobody needs; in bytes.
const LONGEST_MESSAGE: usize = 4096;
/// Between two pings.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// After so long without a word or a pong nobody is there.
const SILENCE: Duration = Duration::from_secs(60);
/// What all these sockets share.
#[derive(Debug)]
pub struct Feed {
    events: Bus,
    clock: Clock,
    stop: watch::Sender<bool>,
}

/// Why a socket ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// The client closed it, or the network did.
    ByClient,
    /// We close it: code and reason of the close frame.
    Ours(u16, &'static str),
}

impl From<Unwritten> for End {
    fn from(why: Unwritten) -> End {
        match why {
            Unwritten::Gone => End::ByClient,
            Unwritten::NotReading => SLOW,
        }
    }
}

const SLOW: End = End::Ours(close_code::POLICY, "Events are not read fast enough");
const SILENT: End = End::Ours(close_code::POLICY, "Pings are not answered");

impl Feed {
    /// Tells what is said over `events`.
    pub fn new(events: Bus, clock: Clock) -> Feed {
        Feed { events, clock, stop: watch::Sender::new(false) }
    }

    /// Closes every socket, after what was said before, and returns when the last task is gone.
    pub async fn close(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }
}

/// GET: 101; 426 without an upgrade, 503 when there are too many.
pub async fn open(State(feed): State<Arc<Feed>>, upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Response {
    let Ok(upgrade) = upgrade else {
        let how = [(header::UPGRADE, "websocket"), (header::CONNECTION, "upgrade")];
        return (StatusCode::UPGRADE_REQUIRED, how.map(|(name, value)| (name, HeaderValue::from_static(value)))).into_response();
    };
    // taken here and not in the task: a socket that is about to open counts, and hears what happens from now on
    let stop = feed.stop.subscribe();
    if *stop.borrow() || feed.stop.receiver_count() > MOST_SOCKETS {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let (follower, clock) = (feed.events.follow(), feed.clock);
    upgrade
        .max_message_size(LONGEST_MESSAGE)
        .max_frame_size(LONGEST_MESSAGE)
        .on_upgrade(move |socket| serve(socket, follower, clock, stop))
        .into_response()
}

/// Serves one socket until it ends. Holding `stop` tells the door that this task lives.
async fn serve(mut socket: WebSocket, mut follower: Follower, clock: Clock, mut stop: watch::Receiver<bool>) {
    let end = tell(&mut socket, &mut follower, clock, &mut stop).await;
    // nothing more is kept for it
    drop(follower);
    tracing::debug!(?end, "a socket of those who follow events ends");
    if let End::Ours(code, reason) = end {
        farewell(socket, code, reason).await;
    }
}

async fn tell(socket: &mut WebSocket, follower: &mut Follower, clock: Clock, stop: &mut watch::Receiver<bool>) -> End {
    let (mut heard, mut pinged) = (clock.now(), clock.now());
    loop {
        let done = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::ByClient),
                Some(Ok(_)) => {
                    heard = clock.now();
                    Ok(())
                }
            },
            event = follower.next() => match event {
                Some(text) => write(socket, Message::Text((*text).into())).await.map_err(End::from),
                None => Err(SLOW),
            },
            () = clock.sleep_until(pinged + PING_INTERVAL) => {
                pinged = clock.now();
                if pinged.duration_since(heard) < SILENCE { write(socket, Message::Ping(Default::default())).await.map_err(End::from) } else { Err(SILENT) }
            },
            () = stopped(stop) => last_words(socket, follower).await.and(Err(End::Ours(close_code::AWAY, "Server stops"))),
        };
        if let Err(end) = done {
            return end;
        }
    }
}

/// Says what waits to be said: how the sessions ended. They are closed before the server stops.
async fn last_words(socket: &mut WebSocket, follower: &mut Follower) -> Result<(), End> {
    while let Some(Some(text)) = follower.next().now_or_never() {
        write(socket, Message::Text((*text).into())).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::record::{Moment, Signal};
    use crate::events::{Record, lines};
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::get;
    use tokio::net::TcpListener;
    use tower::ServiceExt;
    use viduct_testkit::feed::Feed as Client;

    const SOON: Duration = Duration::from_secs(10);

    struct House {
        bus: Bus,
        feed: Arc<Feed>,
        url: String,
    }

    impl House {
        async fn open() -> House {
            House::at(Clock::System).await
        }

        async fn at(clock: Clock) -> House {
            let bus = Bus::default();
            let feed = Arc::new(Feed::new(bus.clone(), clock));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ws://{}/openvidu/info", listener.local_addr().unwrap());
            let app = app(&feed);
            tokio::spawn(async move { axum::serve(listener, app).await });
            House { bus, feed, url }
        }

        async fn client(&self) -> Client {
            Client::open(&self.url, &[]).await.unwrap()
        }

        /// Says something that is so large; gives its line.
        fn say(&self, size: usize) -> String {
            let moment = Moment { session: "s".into(), unique_session: "s_1".into(), at: 5 };
            let signal = Signal { from: None, to: vec![], kind: None, data: Some("x".repeat(size)) };
            let record = Record::SignalSent(moment, signal);
            self.bus.say(record.clone());
            lines(&record).trim_end().to_owned()
        }
    }

    fn app(feed: &Arc<Feed>) -> Router {
        Router::new().route("/openvidu/info", get(open)).with_state(feed.clone())
    }

    #[tokio::test]
    async fn each_hears_what_happens_from_its_coming_on() {
        let house = House::open().await;
        house.say(1);
        let early = house.client().await;
        let mut said = vec![house.say(2)];
        let late = house.client().await;
        for client in [&early, &late] {
            client.send("what is this?").await;
        }
        said.extend([house.say(3), house.say(4)]);
        early.wait_for("three events", SOON, |events| events.len() == 3).await;
        late.wait_for("two events", SOON, |events| events.len() == 2).await;
        assert_eq!((early.lines(), late.lines()), (said.clone(), said[1..].to_vec()));

        // a message that is too large costs its sender the socket, and nobody else anything
        early.send(&"x".repeat(LONGEST_MESSAGE + 1)).await;
        early.closed(SOON).await;
        said.push(house.say(5));
        late.wait_for("one more", SOON, |events| events.len() == 3).await;
        assert_eq!(late.lines(), said[1..]);
    }

    #[tokio::test]
    async fn who_does_not_keep_up_hears_why() {
        let house = House::open().await;
        let client = house.client().await;
        // nobody reads meanwhile: there is one thread
        for _ in 0..100 {
            house.say(100_000);
        }
        let closed = client.closed(SOON).await;
        assert_eq!((closed.code, closed.reason.as_str()), (1008, "Events are not read fast enough"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_answer_pings_gives_its_place_back() {
        // clients count from the machine's time, which simulated time leaves behind
        let (clock, soon) = (Clock::simulated(0), Duration::from_secs(1000));
        let house = House::at(clock).await;
        let (good, gone) = (house.client().await, house.client().await);
        gone.reads(false);
        for _ in 0..300 {
            clock.sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(house.feed.stop.receiver_count(), 1, "of the one that answers");
        let said = house.say(1);
        good.wait_for("an event", soon, |events| events.len() == 1).await;
        assert_eq!(good.lines(), [said]);
    }

    #[tokio::test]
    async fn there_are_so_many_places_and_each_is_given_back() {
        let house = House::open().await;
        let mut clients = Vec::new();
        for _ in 0..MOST_SOCKETS {
            clients.push(house.client().await);
        }
        assert_eq!(Client::open(&house.url, &[]).await.err(), Some(503));
        clients.pop();
        while house.feed.stop.receiver_count() == MOST_SOCKETS {
            tokio::task::yield_now().await;
        }
        house.client().await;
    }

    #[tokio::test]
    async fn the_end_comes_after_the_last_words() {
        let house = House::open().await;
        let (one, other) = (house.client().await, house.client().await);
        let said = [house.say(1), house.say(2)];
        house.feed.close().await;
        for client in [one, other] {
            let closed = client.closed(SOON).await;
            assert_eq!((closed.code, closed.reason.as_str(), client.lines()), (1001, "Server stops", said.to_vec()));
        }
        assert_eq!(Client::open(&house.url, &[]).await.err(), Some(503));
    }

    #[tokio::test]
    async fn a_request_without_an_upgrade_hears_what_is_needed() {
        let feed = Arc::new(Feed::new(Bus::default(), Clock::System));
        let request = Request::get("/openvidu/info").body(Body::empty()).unwrap();
        let response = app(&feed).oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["upgrade"]), (426, &HeaderValue::from_static("websocket")));
        assert_eq!(feed.stop.receiver_count(), 0);
    }
}
