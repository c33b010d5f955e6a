//! Stories of viewers who do not take what is published.

use super::*;
use crate::rtp::{Codec, Format};
use crate::session::command::Access;
use crate::wire::control::{Failure, FailureKind};

/// An offer to receive or to send video in these codecs alone.
pub(super) fn offer(codecs: &[Codec]) -> String {
    let lines: String = codecs.iter().enumerate().map(|(n, codec)| line(96 + n, *codec)).collect();
    let numbers: Vec<String> = (0..codecs.len()).map(|n| (96 + n).to_string()).collect();
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF {}\r\na=mid:0\r\na=recvonly\r\n{lines}",
        numbers.join(" ")
    )
}

fn line(number: usize, codec: Codec) -> String {
    let mode = if codec == Codec::H264 { format!("a=fmtp:{number} packetization-mode=1\r\n") } else { String::new() };
    format!("a=rtpmap:{number} {}/90000\r\n{mode}", codec.name())
}

pub(super) fn watching(stream: &StreamId, codecs: &[Codec]) -> Call {
    Call::Subscribe { stream: stream.clone(), offer: offer(codecs) }
}

fn publishing(codecs: &[Codec]) -> Call {
    Call::Publish(PublishCall { offer: offer(codecs), ..publish_call() })
}

impl House {
    /// The video track that the last viewer was given.
    fn last_video(&self) -> TrackId {
        self.subscribed.last().unwrap().video.unwrap()
    }

    /// The jobs that transcode.
    pub(super) fn transcoders(&self) -> Vec<JobId> {
        self.jobs.iter().filter(|job| self.sinks.contains_key(job)).copied().collect()
    }

    async fn job_says(&mut self, event: jobs::Event) {
        self.jobs_events.send(event).await.unwrap();
        self.pump().await;
    }
}

use Codec::{H264, Vp8};

#[tokio::test(start_paused = true)]
async fn who_takes_the_stream_gets_it_and_others_share_one_transcoder_until_5_s_after_the_last() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, false).await;
    let stream = stream_of(&camera);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(house.join(&session, Role::Subscriber).await);
    }
    clients[0].call(&mut house, watching(&stream, &[Vp8, H264])).await.unwrap();
    let source = house.last_video();
    assert!(house.transcoders().is_empty());
    clients[1].call(&mut house, watching(&stream, &[Vp8])).await.unwrap();
    let made = house.last_video();
    clients[2].call(&mut house, watching(&stream, &[Vp8])).await.unwrap();
    assert_eq!((house.last_video(), house.transcoders().len()), (made, 1));
    assert_ne!(made, source);
    let job = house.transcoders()[0];
    assert_eq!(house.made[&job], made);

    // it is given the source when it listens, again after each crash, and nothing in between
    assert!(house.sinks[&job].is_empty());
    for _ in 0..2 {
        house.job_says(jobs::Event::Started { job }).await;
        assert_eq!(house.sinks[&job], BTreeMap::from([(VIDEO_SLOT, source)]));
        let failure = Failure { kind: FailureKind::Crashed, text: "signal: 9".into() };
        house.job_says(jobs::Event::Down { job, failure, retry_in: Some(Duration::from_secs(1)) }).await;
        assert!(house.sinks[&job].is_empty());
    }

    clients[1].call(&mut house, Call::Unsubscribe { sender: camera.id.clone() }).await.unwrap();
    house.pass(60_000).await;
    assert_eq!(house.transcoders(), [job], "one still watches");
    clients[2].call(&mut house, Call::Leave).await.unwrap();
    house.pass(4_999).await;
    assert_eq!(house.transcoders(), [job]);
    clients[1].call(&mut house, watching(&stream, &[Vp8])).await.unwrap();
    house.pass(60_000).await;
    assert_eq!(house.transcoders(), [job], "the next came in time");
    clients[1].call(&mut house, Call::Leave).await.unwrap();
    house.pass(4_999).await;
    assert_eq!(house.transcoders(), [job]);
    house.pass(1).await;
    assert!(house.transcoders().is_empty() && !house.tracks.contains_key(&made) && house.tracks.contains_key(&source));
    assert!(house.permits.is_empty() && house.retuned.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_source_of_another_codec_than_was_thought_moves_its_viewers_and_back() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, false).await;
    let stream = stream_of(&camera);
    let (mut old, mut any) = (house.join(&session, Role::Subscriber).await, house.join(&session, Role::Subscriber).await);
    any.call(&mut house, watching(&stream, &[H264, Vp8])).await.unwrap();
    old.call(&mut house, watching(&stream, &[H264])).await.unwrap();
    let (source, peer) = (house.last_video(), house.subscribed.last().unwrap().peer);
    assert!(house.transcoders().is_empty());
    let live = |codec| engine::Event::TrackLive { track: source, format: Format { codec, profile_level_id: None } };
    house.say(live(H264)).await;
    house.pump().await;
    assert!(house.retuned.is_empty());
    house.say(live(Vp8)).await;
    house.pump().await;
    let job = house.transcoders()[0];
    let made = house.made[&job];
    assert_eq!(house.retuned, [(peer, source, made)], "who takes both stays");
    house.say(live(H264)).await;
    house.pump().await;
    assert_eq!(house.retuned[1..], [(peer, made, source)]);
    house.pass(5_000).await;
    assert!(house.transcoders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_viewer_whom_the_engine_refuses_leaves_no_transcoder() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, false).await;
    let mut alice = house.join(&session, Role::Subscriber).await;
    house.manner = Manner::Refuse(Refusal::Busy);
    assert!(alice.call(&mut house, watching(&stream_of(&camera), &[Vp8])).await.is_err());
    house.pass(5_000).await;
    assert!(house.transcoders().is_empty() && house.permits.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_ends_a_stream_ends_its_transcoders() {
    let mut house = House::new();
    let session = house.session();
    let camera = house.camera(&session, true).await;
    let mut alice = house.join(&session, Role::Subscriber).await;
    alice.call(&mut house, watching(&stream_of(&camera), &[Vp8])).await.unwrap();
    assert_eq!(house.jobs.len(), 2);
    session.ask(|answer| Command::RemoveConnection { connection: camera.id.clone(), answer }).await.unwrap();
    house.pump().await;
    assert!(house.is_empty_below() && house.permits.is_empty());

    let camera = house.camera(&session, false).await;
    alice.call(&mut house, watching(&stream_of(&camera), &[Vp8])).await.unwrap();
    let reason = EndReason::SessionClosedByServer;
    session.ask(|answer| Command::Close { reason, answer }).await.unwrap();
    house.pump().await;
    assert!(house.is_empty_below() && house.permits.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_board_without_room_refuses_the_viewer_and_loses_nothing() {
    // room for one
    let mut house = House::within(Settings::default(), if cfg!(target_arch = "x86_64") { 900 } else { 2700 });
    let session = house.session();
    let (one, two) = (house.camera(&session, false).await, house.camera(&session, false).await);
    let (mut alice, mut bob) = (house.join(&session, Role::Subscriber).await, house.join(&session, Role::Subscriber).await);
    alice.call(&mut house, watching(&stream_of(&one), &[Vp8])).await.unwrap();
    let tracks = house.tracks.len();
    let refused = bob.call(&mut house, watching(&stream_of(&two), &[Vp8])).await;
    assert!(matches!(&refused, Err(Denied::Busy(text)) if text.contains("VIDUCT_CPU_BUDGET")), "{refused:?}");
    let (offer, ip, platform) = (offer(&[Vp8]), [192, 0, 2, 5].into(), "Whep".into());
    let (stream, access) = (stream_of(&two), Access::Secret);
    let refused = session.ask(|answer| Command::Watch { stream, offer, access, ip, platform, answer }).await;
    assert!(matches!(refused, Err(Denied::Busy(_))));
    assert_eq!((house.tracks.len(), house.transcoders().len()), (tracks, 1));
    // the stream as it is costs nothing, nor does the transcoder that runs
    bob.call(&mut house, watching(&stream_of(&two), &[H264])).await.unwrap();
    bob.call(&mut house, watching(&stream_of(&one), &[Vp8])).await.unwrap();

    // an element is missing: the next is told so at once, until there is one
    house.permits.values().for_each(|permit| permit.missing("no encoder for VP8"));
    let mut carol = house.join(&session, Role::Subscriber).await;
    let refused = carol.call(&mut house, watching(&stream_of(&two), &[Vp8])).await;
    assert_eq!(refused, Err(Denied::NoCodec("no encoder for VP8".into())));

    let camera = one.id.clone();
    session.ask(|answer| Command::RemoveConnection { connection: camera, answer }).await.unwrap();
    house.pump().await;
    house.pass(60_000).await;
    carol.call(&mut house, watching(&stream_of(&two), &[Vp8])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_forced_codec_binds_publishers_and_their_viewers_unless_transcoding_is_allowed() {
    let mut house = House::new();
    for (forced_video_codec, allow_transcoding, accepted) in
        [(ForcedCodec::Vp8, false, false), (ForcedCodec::Vp8, true, true), (ForcedCodec::None, false, true)]
    {
        let properties = SessionProperties { forced_video_codec, allow_transcoding, ..properties() };
        let session = house.registry.create(properties).unwrap();
        let (mut alice, mut bob) = (house.join(&session, Role::Publisher).await, house.join(&session, Role::Subscriber).await);
        let other = if accepted { H264 } else { Vp8 };
        let Ok(Reply::Published { stream, .. }) = alice.call(&mut house, publishing(&[other])).await else { panic!("not published") };
        let takes = if accepted { Vp8 } else { H264 };
        let watched = bob.call(&mut house, watching(&stream, &[takes])).await;
        assert_eq!(watched.is_ok(), accepted, "{forced_video_codec:?} {allow_transcoding}: {watched:?}");
        assert!(accepted || matches!(watched, Err(Denied::NoCodec(_))));
        assert_eq!(house.transcoders().len(), usize::from(accepted));
        let reason = EndReason::SessionClosedByServer;
        session.ask(|answer| Command::Close { reason, answer }).await.unwrap();
        house.pump().await;
    }
}
