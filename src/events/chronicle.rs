//! What has begun in a session and not ended yet, so that every beginning is told once and has exactly one end, in the order of
//! events.md §6. Pure but for the bus it tells; written by the session's actor alone, which says facts and nothing else: one that is
//! said twice is told once, and one about somebody who is not here is not told. A session that comes back after a restart is told of
//! from its beginning, with the ids and times it had: after an orderly stop all of it had ended, after a crash nobody had said so.
//!
//! ```text
//! session:      (joined) sessionCreated ─────────────── (over) sessionDestroyed
//! participant:  (joined) participantJoined ──────────── (left, or the session's end) participantLeft
//! publication:  (published) …Created OUTBOUND ───────── (unpublished, or its participant's end) …Destroyed OUTBOUND
//! subscription: (subscribed) …Created INBOUND ───────── (unsubscribed, or the end of its participant or of its publication) …Destroyed INBOUND
//! ```

use super::bus::Bus;
use super::record::{Direction, End, Moment, Participant, Record, Signal, Stream, Webrtc};
use crate::clock::Clock;
use crate::ids::{ConnectionId, SessionId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reasons of participants that are none of a session's: it ended because its last participant left.
const OF_PARTICIPANTS: [&str; 4] = ["disconnect", "forceDisconnectByUser", "forceDisconnectByServer", "networkDisconnect"];
/// What ends a session that says nothing of its end: its actor panicked.
const CRASHED: &str = "nodeCrashed";

/// What a session tells the world.
#[derive(Debug)]
pub struct Chronicle {
    bus: Bus,
    clock: Clock,
    session: SessionId,
    unique_session: Arc<str>,
    /// ms since 1970.
    created_at: u64,
    life: Life,
    present: BTreeMap<ConnectionId, Present>,
    /// How many have joined.
    joins: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Life {
    /// Nobody joined: the world does not know of the session.
    Unknown,
    Known,
    /// Nobody is here any more; its recordings may not have ended.
    Ended(&'static str),
    Over,
}

/// A participant that has not left.
#[derive(Debug)]
struct Present {
    /// The first one, the second one, …
    number: u64,
    participant: Arc<Participant>,
    /// ms since 1970.
    since: u64,
    outbound: Option<Flow>,
    /// By publisher.
    inbound: BTreeMap<ConnectionId, Flow>,
}

/// A stream that travels.
#[derive(Debug)]
struct Flow {
    stream: Arc<Stream>,
    /// ms since 1970.
    since: u64,
}

impl Chronicle {
    /// Of a session that nobody has joined; `created_at` in ms since 1970.
    pub fn new(bus: Bus, clock: Clock, session: SessionId, created_at: u64) -> Chronicle {
        let unique_session = format!("{session}_{created_at}").into();
        Chronicle { bus, clock, session, unique_session, created_at, life: Life::Unknown, present: BTreeMap::new(), joins: 0 }
    }

    /// Somebody joined at `at` (ms since 1970). With the first one the session becomes known.
    pub fn joined(&mut self, participant: Participant, at: u64) {
        if matches!(self.life, Life::Ended(_) | Life::Over) || self.present.contains_key(&participant.connection) {
            return;
        }
        if self.life == Life::Unknown {
            self.life = Life::Known;
            self.say(Record::SessionCreated(self.moment(self.created_at)));
        }
        let participant = Arc::new(participant);
        self.joins += 1;
        let (number, outbound, inbound) = (self.joins, None, BTreeMap::new());
        let present = Present { number, participant: participant.clone(), since: at, outbound, inbound };
        self.present.insert(participant.connection.clone(), present);
        self.say(Record::ParticipantJoined(self.moment(at), participant));
    }

    /// A participant publishes, since `at` (ms since 1970).
    pub fn published(&mut self, by: &ConnectionId, stream: Stream, at: u64) {
        let stream = Arc::new(stream);
        let Some(present) = self.present.get_mut(by).filter(|present| present.outbound.is_none()) else { return };
        present.outbound = Some(Flow { stream: stream.clone(), since: at });
        self.say(Record::WebrtcConnectionCreated(self.moment(at), outbound(by, &stream)));
    }

    /// A participant receives what `from` publishes. One that did so before has another transport, which is nobody's business.
    pub fn subscribed(&mut self, by: &ConnectionId, from: &ConnectionId) {
        let Some(stream) = self.present.get(from).and_then(|present| Some(present.outbound.as_ref()?.stream.clone())) else { return };
        let now = self.clock.unix_ms();
        let Some(present) = self.present.get_mut(by).filter(|present| !present.inbound.contains_key(from)) else { return };
        present.inbound.insert(from.clone(), Flow { stream: stream.clone(), since: now });
        self.say(Record::WebrtcConnectionCreated(self.moment(now), inbound(by, from, &stream)));
    }

    /// A participant does not receive what `from` publishes any more.
    pub fn unsubscribed(&mut self, by: &ConnectionId, from: &ConnectionId, reason: &'static str) {
        let flow = self.present.get_mut(by).and_then(|present| present.inbound.remove(from));
        if let Some(flow) = flow {
            self.destroyed(inbound(by, from, &flow.stream), flow.since, reason);
        }
    }

    /// A participant publishes no more, and so nobody receives it.
    pub fn unpublished(&mut self, by: &ConnectionId, reason: &'static str) {
        let Some(flow) = self.present.get_mut(by).and_then(|present| present.outbound.take()) else { return };
        self.destroyed(outbound(by, &flow.stream), flow.since, reason);
        for viewer in self.in_order() {
            self.unsubscribed(&viewer, by, reason);
        }
    }

    /// A participant left, with all it had.
    pub fn left(&mut self, id: &ConnectionId, reason: &'static str) {
        let received: Vec<_> = self.present.get(id).into_iter().flat_map(|present| present.inbound.keys().cloned()).collect();
        for from in received {
            self.unsubscribed(id, &from, reason);
        }
        self.unpublished(id, reason);
        if let Some(Present { participant, since, .. }) = self.present.remove(id) {
            let moment = self.moment(self.clock.unix_ms());
            self.say(Record::ParticipantLeft(moment, End { since, reason }, participant));
        }
    }

    /// A signal was delivered; its kind as the client sent it.
    pub fn signalled(&self, mut signal: Signal) {
        if signal.from.is_some() {
            let kind = signal.kind.take();
            signal.kind = kind.map(|kind| kind.strip_prefix("signal:").map(str::to_owned).unwrap_or(kind));
        }
        self.say(Record::SignalSent(self.moment(self.clock.unix_ms()), signal));
    }

    /// The session ends: everybody leaves. What is still recorded ends before the session does, see [`Chronicle::over`].
    pub fn ended(&mut self, reason: &'static str) {
        for id in self.in_order() {
            self.left(&id, reason);
        }
        if self.life == Life::Known {
            let last = OF_PARTICIPANTS.contains(&reason);
            self.life = Life::Ended(if last { "lastParticipantLeft" } else { reason });
        }
    }

    /// Nothing is left of the session. The last that is told of it.
    pub fn over(&mut self) {
        if let Life::Ended(reason) = self.life {
            let moment = self.moment(self.clock.unix_ms());
            self.say(Record::SessionDestroyed(moment, End { since: self.created_at, reason }));
        }
        self.life = Life::Over;
    }

    /// Everybody who is here, in the order of their joins.
    fn in_order(&self) -> Vec<ConnectionId> {
        let mut ids: Vec<_> = self.present.iter().map(|(id, present)| (present.number, id.clone())).collect();
        ids.sort();
        ids.into_iter().map(|(_, id)| id).collect()
    }

    fn destroyed(&self, webrtc: Webrtc, since: u64, reason: &'static str) {
        self.say(Record::WebrtcConnectionDestroyed(self.moment(self.clock.unix_ms()), End { since, reason }, webrtc));
    }

    fn moment(&self, at: u64) -> Moment {
        Moment { session: self.session.clone(), unique_session: self.unique_session.clone(), at }
    }

    fn say(&self, record: Record) {
        self.bus.say(record);
    }
}

impl Drop for Chronicle {
    /// A session that ends in order is over; this is for one that panicked.
    fn drop(&mut self) {
        self.ended(CRASHED);
        self.over();
    }
}

fn outbound(by: &ConnectionId, stream: &Arc<Stream>) -> Webrtc {
    Webrtc { connection: by.clone(), direction: Direction::Outbound, stream: stream.clone() }
}

fn inbound(by: &ConnectionId, from: &ConnectionId, stream: &Arc<Stream>) -> Webrtc {
    Webrtc { connection: by.clone(), direction: Direction::Inbound { from: from.clone() }, stream: stream.clone() }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::events::bus::Ear;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// Checks that records of sessions, from their beginning to their end, are whole and in order: every beginning has exactly one end,
    /// nothing is told of who is not here, and the session's own come first and last.
    pub fn check(records: &[Arc<Record>]) {
        let mut sessions: BTreeMap<Arc<str>, Open> = BTreeMap::new();
        for record in records {
            let moment = moment_of(record).expect("a session says it");
            let open = sessions.entry(moment.unique_session.clone()).or_default();
            assert!(!open.over, "{record:?} after the end");
            assert_eq!(!open.created, matches!(**record, Record::SessionCreated(_)), "{record:?} before the beginning, or a second one");
            open.created = true;
            open.follow(record);
        }
        for (session, open) in sessions {
            assert!(open.over, "{session} has no end");
        }
    }

    #[derive(Default)]
    struct Open {
        created: bool,
        over: bool,
        members: BTreeSet<ConnectionId>,
        /// Whose transport, and whose stream.
        flows: BTreeSet<(ConnectionId, ConnectionId)>,
    }

    impl Open {
        fn follow(&mut self, record: &Record) {
            match record {
                Record::SessionCreated(_) => {}
                Record::SessionDestroyed(..) => {
                    assert!(self.members.is_empty() && self.flows.is_empty(), "{:?} {:?}", self.members, self.flows);
                    self.over = true;
                }
                Record::ParticipantJoined(_, participant) => assert!(self.members.insert(participant.connection.clone())),
                Record::ParticipantLeft(_, _, participant) => {
                    let id = &participant.connection;
                    assert!(self.members.remove(id), "{id} left twice, or never joined");
                    assert!(self.flows.iter().all(|(by, from)| by != id && from != id), "{id} left before its media");
                }
                Record::WebrtcConnectionCreated(_, webrtc) => {
                    let (by, from) = ends_of(webrtc);
                    assert!(self.members.contains(&by) && self.members.contains(&from));
                    assert!(by == from || self.flows.contains(&(from.clone(), from.clone())), "{from} does not publish");
                    assert!(self.flows.insert((by, from)), "{webrtc:?} twice");
                }
                Record::WebrtcConnectionDestroyed(_, _, webrtc) => assert!(self.flows.remove(&ends_of(webrtc)), "{webrtc:?} has ended"),
                Record::SignalSent(_, signal) => assert!(signal.to.iter().all(|to| self.members.contains(to))),
                _ => {}
            }
        }
    }

    fn ends_of(webrtc: &Webrtc) -> (ConnectionId, ConnectionId) {
        let from = match &webrtc.direction {
            Direction::Outbound => webrtc.connection.clone(),
            Direction::Inbound { from } => from.clone(),
        };
        (webrtc.connection.clone(), from)
    }

    fn moment_of(record: &Record) -> Option<&Moment> {
        match record {
            Record::SessionCreated(moment)
            | Record::SessionDestroyed(moment, _)
            | Record::ParticipantJoined(moment, _)
            | Record::ParticipantLeft(moment, ..)
            | Record::WebrtcConnectionCreated(moment, _)
            | Record::WebrtcConnectionDestroyed(moment, ..)
            | Record::RecordingStatusChanged(moment, _)
            | Record::SignalSent(moment, _)
            | Record::FilterEventDispatched(moment, _) => Some(moment),
            Record::MediaNodeStatusChanged(_) | Record::NodeCrashed(_) => None,
        }
    }

    fn participant(n: u8) -> Participant {
        let (platform, client_data, server_data) = ("Test".into(), Some(String::new()), String::new());
        Participant { connection: id(n), ip: None, platform, client_data, server_data }
    }

    fn id(n: u8) -> ConnectionId {
        format!("con_{n}").into()
    }

    fn stream(n: u8) -> Stream {
        Stream { id: format!("str_MIC_{}", id(n)).into(), audio: true, video: None, camera: None }
    }

    fn told(ear: &mut Ear) -> Vec<String> {
        let short = |record: &Record| match record {
            Record::ParticipantLeft(_, end, participant) => format!("{} left: {}", participant.connection, end.reason),
            Record::WebrtcConnectionDestroyed(_, end, webrtc) => format!("{:?}: {}", ends_of(webrtc), end.reason),
            Record::SessionDestroyed(_, end) => format!("over: {}", end.reason),
            record => record.name().to_owned(),
        };
        ear.heard().iter().map(|record| short(record)).collect()
    }

    fn chronicle() -> (Chronicle, Ear) {
        let (bus, ear) = Ear::listening();
        (Chronicle::new(bus, Clock::System, "s".into(), 5), ear)
    }

    /// Two who publish, each receiving the other.
    fn two() -> (Chronicle, Ear) {
        let (mut chronicle, mut ear) = chronicle();
        for n in [2, 1] {
            chronicle.joined(participant(n), 6);
            chronicle.published(&id(n), stream(n), 7);
        }
        chronicle.subscribed(&id(1), &id(2));
        chronicle.subscribed(&id(2), &id(1));
        chronicle.subscribed(&id(2), &id(1));
        let begun = told(&mut ear);
        assert_eq!(begun.iter().filter(|name| *name == "webrtcConnectionCreated").count(), 4, "{begun:?}");
        assert_eq!((begun[0].as_str(), begun[1].as_str(), begun.len()), ("sessionCreated", "participantJoined", 7));
        (chronicle, ear)
    }

    #[test]
    fn who_leaves_ends_what_it_received_then_what_it_published_then_itself() {
        let (mut chronicle, mut ear) = two();
        chronicle.left(&id(2), "networkDisconnect");
        chronicle.left(&id(2), "disconnect");
        let expected = [
            "(con_2, con_1): networkDisconnect",
            "(con_2, con_2): networkDisconnect",
            "(con_1, con_2): networkDisconnect",
            "con_2 left: networkDisconnect",
        ];
        assert_eq!(told(&mut ear), expected);
        chronicle.left(&id(1), "disconnect");
        chronicle.ended("disconnect");
        assert_eq!(told(&mut ear), ["(con_1, con_1): disconnect", "con_1 left: disconnect"]);
        chronicle.over();
        drop(chronicle);
        assert_eq!(told(&mut ear), ["over: lastParticipantLeft"]);
    }

    #[test]
    fn the_end_of_a_session_of_two_is_that_of_the_original() {
        // events.md §6: 4 webrtcConnectionDestroyed, 2 participantLeft, then sessionDestroyed
        let (mut chronicle, mut ear) = two();
        chronicle.ended("sessionClosedByServer");
        let ended = told(&mut ear);
        assert_eq!(ended.len(), 6);
        assert!(ended.iter().all(|text| text.ends_with(": sessionClosedByServer")), "{ended:?}");
        assert_eq!((ended[3].as_str(), ended[5].as_str()), ("con_2 left: sessionClosedByServer", "con_1 left: sessionClosedByServer"));
        chronicle.joined(participant(3), 9);
        chronicle.over();
        assert_eq!(told(&mut ear), ["over: sessionClosedByServer"]);
    }

    #[test]
    fn one_that_nobody_joined_leaves_no_trace_and_one_that_panicked_does() {
        let (mut unknown, mut ear) = chronicle();
        unknown.ended("sessionClosedByServer");
        unknown.over();
        drop(unknown);
        assert_eq!(told(&mut ear), [""; 0]);
        let (chronicle, mut ear) = two();
        drop(chronicle);
        assert_eq!(told(&mut ear).last().unwrap(), "over: nodeCrashed");
    }

    proptest! {
        #[test]
        fn every_beginning_has_exactly_one_end(steps in proptest::collection::vec((0u8..8, 0u8..4, 0u8..4), 0..200)) {
            let (mut chronicle, mut ear) = chronicle();
            for (step, a, b) in steps {
                match step {
                    0 | 1 => chronicle.joined(participant(a), 6),
                    2 => chronicle.published(&id(a), stream(a), 7),
                    3 if a != b => chronicle.subscribed(&id(a), &id(b)),
                    4 => chronicle.unsubscribed(&id(a), &id(b), "unsubscribe"),
                    5 => chronicle.unpublished(&id(a), "unpublish"),
                    6 => chronicle.left(&id(a), "disconnect"),
                    7 if a == b && a == 3 => chronicle.ended("automaticStop"),
                    _ => {}
                }
            }
            drop(chronicle);
            check(&ear.heard());
        }
    }
}
