//! The webhook: events are posted one after the other, in the order they happened, and each until the endpoint has it (events.md §3).
//!
//! One task owns the queue, the post under way and the journal. An endpoint that does not answer is tried again, ever more seldom
//! ([`FIRST_PAUSE`] to [`LONGEST_PAUSE`]), for as long as it takes; what waits meanwhile is bounded, and the oldest go first. One that answers
//! that it failed is tried with the same event for [`PATIENCE`], then with the next: no event blocks the others for ever. What it
//! refuses (4xx, or a redirect) is not repeated.
//!
//! An event is written to disk when it has waited for [`WRITE_BEHIND`], and all that waits is when the box stops; one that is taken at
//! once never is, to spare flash. So each arrives at least once (its id tells it from a repetition), with one exception: a
//! power cut or a kill loses what the endpoint did not take in the last [`WRITE_BEHIND`] before it.

use super::bus::Heard;
use super::journal::Journal;
use super::json;
use super::post::{Endpoint, Outcome, Posting};
use super::queue::{Queue, Waiting};
use crate::clock::Clock;
use crate::ids::secret_text;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long an event may wait before the disk has it.
const WRITE_BEHIND: Duration = Duration::from_millis(300);
/// How long the disk is left alone after it did not take something.
const WRITE_AGAIN: Duration = Duration::from_secs(10);
/// Between the first attempt and the second. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Until pauses are as long as this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long an event is tried of which the endpoint says that it fails on it.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What has become of events.
#[derive(Default, Debug)]
pub(super) struct Counters {
    pub delivered: AtomicU64,
    /// Not wanted by the endpoint, or failed on for too long.
    pub refused: AtomicU64,
    /// Gone for want of room.
    pub dropped: AtomicU64,
    pub waiting: AtomicU64,
}

/// The task. Fields: settings, state, in, out.
pub(super) struct Webhook<E> {
    wanted: Vec<String>,
    endpoint: E,
    clock: Clock,
    counters: Arc<Counters>,

    queue: Queue,
    mood: Mood,
    /// When the disk should know more; `None`: it knows all.
    write_at: Option<Instant>,
    /// Was the last write in vain?
    unwritten: bool,
    ending: bool,

    heard: mpsc::Receiver<Heard>,

    under_way: Option<(Arc<str>, Posting)>,
    journal: Arc<Mutex<Journal>>,
}

/// How the endpoint behaves.
#[derive(Default, Debug)]
struct Mood {
    /// When it is tried again; `None`: now.
    again_at: Option<Instant>,
    /// How long that was; zero: all is well.
    pause: Duration,
    /// Since when it fails on the event whose turn it is.
    failing_since: Option<Instant>,
    /// Was the last one that was answered refused?
    refusing: bool,
}

impl<E: Endpoint> Webhook<E> {
    /// Posts events whose name is one of `wanted` to `endpoint`, what the journal had (`saved`) first; keeps about `limit` bytes.
    pub fn new(
        wanted: Vec<String>,
        endpoint: E,
        clock: Clock,
        counters: Arc<Counters>,
        limit: usize,
        (journal, saved): (Journal, Vec<Waiting>),
        heard: mpsc::Receiver<Heard>,
    ) -> Webhook<E> {
        if !saved.is_empty() {
            tracing::info!(events = saved.len(), "events of the last run wait for the webhook");
        }
        let queue = Queue::new(limit, saved);
        let journal = Arc::new(Mutex::new(journal));
        let (write_at, unwritten, ending, under_way) = (None, false, false, None);
        Webhook { wanted, endpoint, clock, counters, queue, mood: Mood::default(), write_at, unwritten, ending, heard, under_way, journal }
    }

    /// Posts until the end is heard; then what can be posted without waiting for the endpoint to come back.
    pub async fn run(mut self) {
        loop {
            self.post_next();
            self.plan_write();
            self.counters.waiting.store(self.queue.len() as u64, Ordering::Relaxed);
            if self.ending && self.under_way.is_none() {
                break;
            }
            tokio::select! {
                heard = self.heard.recv(), if !self.ending => match heard {
                    Some(Heard::Record(record)) if self.wanted.iter().any(|name| name == record.name()) => self.add(json::body(&record)),
                    Some(Heard::Record(_)) => {}
                    Some(Heard::End) | None => {
                        self.ending = true;
                        // before anything else can happen
                        self.write().await;
                    }
                },
                (id, outcome) = answer(&mut self.under_way) => {
                    self.under_way = None;
                    self.on_outcome(&id, outcome);
                }
                () = sleep_until(self.clock, self.write_at) => self.write().await,
                () = sleep_until(self.clock, self.mood.again_at) => self.mood.again_at = None,
            }
        }
        self.write().await;
    }

    fn add(&mut self, body: String) {
        let dropped = self.queue.push(Waiting { id: secret_text(20).into(), body: body.into() });
        let before = self.counters.dropped.swap(self.queue.dropped(), Ordering::Relaxed);
        if dropped && before == 0 {
            tracing::warn!("too many events wait for the webhook: from now on the oldest are dropped");
        }
    }

    /// Posts the event whose turn it is, if nothing speaks against it.
    fn post_next(&mut self) {
        // a box that stops does not wait for an endpoint that is away
        if self.under_way.is_some() || self.mood.again_at.is_some() || (self.ending && !self.mood.pause.is_zero()) {
            return;
        }
        if let Some(event) = self.queue.first() {
            self.under_way = Some((event.id.clone(), self.endpoint.post(event)));
        }
    }

    fn on_outcome(&mut self, id: &str, outcome: Outcome) {
        let now = self.clock.now();
        match outcome {
            Outcome::Taken => {
                self.mood.refusing = false;
                self.counters.delivered.fetch_add(1, Ordering::Relaxed);
                self.answered(id);
            }
            Outcome::Refused(why) => self.give_up(id, &why),
            Outcome::Failed(why) => {
                let since = *self.mood.failing_since.get_or_insert(now);
                if now.duration_since(since) >= PATIENCE {
                    self.give_up(id, &why);
                } else {
                    self.pause(now, &why);
                }
            }
            Outcome::Away(why) => self.pause(now, &why),
        }
    }

    fn give_up(&mut self, id: &str, why: &str) {
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        if !std::mem::replace(&mut self.mood.refusing, true) {
            tracing::warn!(event = id, why, "the webhook's endpoint does not take an event; it is not sent again, nor will others be");
        }
        self.answered(id);
    }

    /// The endpoint is there, and the event dealt with.
    fn answered(&mut self, id: &str) {
        self.queue.done(id);
        self.mood.failing_since = None;
        if !std::mem::take(&mut self.mood.pause).is_zero() {
            let dropped = self.counters.dropped.load(Ordering::Relaxed);
            tracing::info!(waiting = self.queue.len(), dropped, "the webhook's endpoint is back");
        }
    }

    fn pause(&mut self, now: Instant, why: &str) {
        if self.mood.pause.is_zero() {
            tracing::warn!(why, "the webhook's endpoint does not take events; they wait for it");
        }
        self.mood.pause = (self.mood.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.mood.again_at = Some(now + self.mood.pause);
    }

    fn plan_write(&mut self) {
        match self.queue.has_news() {
            true => drop(self.write_at.get_or_insert(self.clock.now() + WRITE_BEHIND)),
            false => self.write_at = None,
        }
    }

    /// Brings the disk up to date. What it does not take waits in memory, and is tried again.
    async fn write(&mut self) {
        self.write_at = None;
        if !self.queue.has_news() {
            return;
        }
        let (journal, news, all) = (self.journal.clone(), self.queue.news(), self.queue.all());
        let noted = tokio::task::spawn_blocking(move || {
            let noted = journal.lock().unwrap_or_else(PoisonError::into_inner).note(&news, &all);
            (noted, news)
        });
        match noted.await {
            Ok((Ok(()), news)) => {
                self.unwritten = false;
                return self.queue.saved(&news);
            }
            Ok((Err(error), _)) if !self.unwritten => {
                tracing::error!(%error, source = %error.source, "events that wait for the webhook are in memory alone");
            }
            Ok((Err(_), _)) => {}
            Err(error) => tracing::error!(%error, "the journal of the webhook is not written"),
        }
        self.unwritten = true;
        self.write_at = Some(self.clock.now() + WRITE_AGAIN);
    }
}

/// Waits for the post under way.
async fn answer(under_way: &mut Option<(Arc<str>, Posting)>) -> (Arc<str>, Outcome) {
    match under_way {
        Some((id, posting)) => {
            let outcome = posting.await;
            (id.clone(), outcome)
        }
        None => pending().await,
    }
}

async fn sleep_until(clock: Clock, at: Option<Instant>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::bus::Bus;
    use crate::events::record::{Moment, Record};
    use std::path::Path;
    use tokio::task::JoinHandle;

    /// An endpoint played by hand: it takes what it is told to take, and keeps the rest.
    #[derive(Clone, Default)]
    struct Played(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        answers: Option<Outcome>,
        takes: Duration,
        /// Every attempt: its time since the beginning in s, id, number of the event.
        seen: Vec<(f64, String, u64)>,
        began: Option<Instant>,
    }

    impl Played {
        fn answer(&self, outcome: Outcome) {
            self.0.lock().unwrap().answers = Some(outcome);
        }

        fn numbers(&self) -> Vec<u64> {
            self.0.lock().unwrap().seen.iter().map(|(_, _, n)| *n).collect()
        }
    }

    impl Endpoint for Played {
        fn post(&self, event: &Waiting) -> Posting {
            let mut state = self.0.lock().unwrap();
            let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
            let now = Clock::simulated(0).now();
            let at = now.duration_since(*state.began.get_or_insert(now)).as_secs_f64();
            state.seen.push((at, event.id.to_string(), body["timestamp"].as_u64().unwrap()));
            let (outcome, takes) = (state.answers.clone().unwrap_or(Outcome::Taken), state.takes);
            Box::pin(async move {
                Clock::simulated(0).sleep(takes).await;
                outcome
            })
        }
    }

    struct Scene {
        folder: tempfile::TempDir,
        endpoint: Played,
        bus: Bus,
        counters: Arc<Counters>,
        task: JoinHandle<()>,
    }

    impl Scene {
        fn begin(folder: tempfile::TempDir, limit: usize) -> Scene {
            let mut bus = Bus::default();
            let heard = bus.listen("webhook");
            let (endpoint, counters) = (Played::default(), Arc::<Counters>::default());
            let journal = Journal::open(folder.path().join("queue"), 1 << 20).unwrap();
            let wanted = vec!["sessionCreated".to_owned()];
            let clock = Clock::simulated(0);
            let webhook = Webhook::new(wanted, endpoint.clone(), clock, counters.clone(), limit, journal, heard);
            let task = tokio::spawn(webhook.run());
            Scene { folder, endpoint, bus, counters, task }
        }

        fn new() -> Scene {
            Scene::begin(tempfile::tempdir().unwrap(), 1 << 20)
        }

        fn say(&self, n: u64) {
            self.bus.say(Record::SessionCreated(Moment { session: "s".into(), unique_session: "s_1".into(), at: n }));
        }

        async fn pass(&self, span: Duration) {
            // simulated time goes on by itself when everybody waits, the disk excepted
            Clock::simulated(0).sleep(span).await;
        }

        fn file(&self) -> std::path::PathBuf {
            self.folder.path().join("queue")
        }

        async fn end(self) -> (tempfile::TempDir, Played) {
            self.bus.end().await;
            self.task.await.unwrap();
            (self.folder, self.endpoint)
        }
    }

    fn saved(path: &Path) -> usize {
        Journal::open(path.to_owned(), 1 << 20).unwrap().1.len()
    }

    const AWAY: fn() -> Outcome = || Outcome::Away("nobody".into());

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_at_once_comes_in_order_and_never_sees_the_disk() {
        let scene = Scene::new();
        for n in 0..100 {
            scene.say(n);
        }
        scene.bus.say(Record::SessionDestroyed(
            Moment { session: "s".into(), unique_session: "s_1".into(), at: 1 },
            crate::events::record::End { since: 0, reason: "automaticStop" },
        ));
        scene.pass(Duration::from_secs(1)).await;
        assert_eq!(scene.endpoint.numbers(), (0..100).collect::<Vec<_>>(), "only what is wanted");
        assert!(!scene.file().exists());
        assert_eq!(scene.counters.delivered.load(Ordering::Relaxed), 100);
        scene.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_is_away_is_tried_ever_more_seldom_and_gets_all_when_it_is_back() {
        let scene = Scene::new();
        scene.endpoint.answer(AWAY());
        (0..3).for_each(|n| scene.say(n));
        scene.pass(Duration::from_secs(7200)).await;
        assert_eq!(saved(&scene.file()), 3);
        {
            let state = scene.endpoint.0.lock().unwrap();
            let times: Vec<f64> = state.seen.iter().map(|(at, ..)| *at).collect();
            let pauses: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0] - 0.001).ceil()).collect();
            assert_eq!(&pauses[..9], [1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
            assert!(state.seen.iter().all(|(_, id, n)| *n == 0 && *id == state.seen[0].1), "the first one, with its id");
        }
        scene.endpoint.0.lock().unwrap().seen.clear();
        scene.endpoint.answer(Outcome::Taken);
        scene.pass(Duration::from_secs(61)).await;
        assert_eq!(scene.endpoint.numbers(), [0, 1, 2]);
        assert!(!scene.file().exists(), "nothing waits, nothing stays");
        scene.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_survives_a_stop_and_a_kill() {
        let scene = Scene::new();
        scene.endpoint.answer(AWAY());
        (0..3).for_each(|n| scene.say(n));
        scene.pass(Duration::from_millis(400)).await;
        // as a kill would
        scene.task.abort();
        let scene = Scene::begin(scene.folder, 1 << 20);
        scene.endpoint.answer(AWAY());
        scene.say(3);
        let (folder, endpoint) = scene.end().await;
        assert_eq!(endpoint.numbers().last(), Some(&0), "a stop does not wait for it");
        let scene = Scene::begin(folder, 1 << 20);
        scene.pass(Duration::from_secs(1)).await;
        assert_eq!(scene.endpoint.numbers(), [0, 1, 2, 3]);
        assert!(!scene.file().exists());
        scene.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_on_an_event_gets_the_next_after_an_hour_and_what_it_refuses_is_not_repeated() {
        let scene = Scene::new();
        scene.endpoint.answer(Outcome::Failed("500".into()));
        (0..2).for_each(|n| scene.say(n));
        scene.pass(PATIENCE + 2 * LONGEST_PAUSE).await;
        let numbers = scene.endpoint.numbers();
        assert!(numbers.iter().filter(|n| **n == 0).count() > 50 && numbers.last() == Some(&1), "{numbers:?}");
        scene.endpoint.answer(Outcome::Refused("404".into()));
        (2..5).for_each(|n| scene.say(n));
        scene.pass(LONGEST_PAUSE * 2).await;
        let numbers = scene.endpoint.numbers();
        assert_eq!(numbers[numbers.len() - 3..], [2, 3, 4]);
        assert_eq!(scene.counters.refused.load(Ordering::Relaxed), 5);
        scene.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_endpoint_gets_all_in_order_and_too_many_lose_the_oldest() {
        let scene = Scene::begin(tempfile::tempdir().unwrap(), 2000);
        scene.endpoint.0.lock().unwrap().takes = Duration::from_secs(5);
        (0..100).for_each(|n| scene.say(n));
        scene.pass(Duration::from_secs(1000)).await;
        let numbers = scene.endpoint.numbers();
        assert_eq!((numbers[0], numbers.last()), (0, Some(&99)), "the first was on its way");
        assert!(numbers.is_sorted() && numbers.len() > 5 && numbers.len() < 50, "{numbers:?}");
        let dropped = scene.counters.dropped.load(Ordering::Relaxed);
        assert_eq!(numbers.len() as u64 + dropped, 101, "the one on its way was dropped from the queue, and arrived");
        assert!(!scene.file().exists());
        scene.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_posts_what_can_be_posted() {
        let scene = Scene::new();
        scene.endpoint.0.lock().unwrap().takes = Duration::from_millis(50);
        (0..10).for_each(|n| scene.say(n));
        let file = scene.file();
        let (_folder, endpoint) = scene.end().await;
        assert_eq!(endpoint.numbers(), (0..10).collect::<Vec<_>>());
        assert!(!file.exists());
    }
}
