//! Browsers that publish, and who watches them.

use super::*;
use crate::engine::api::Refusal;
use crate::rtp::{Codec, Format};
use str0m::format::Codec as Theirs;
use str0m::media::{Direction, MediaKind};

/// VP8 payloads: a key frame and another one.
const KEY: &[u8] = &[0x10, 0x00, 0x9d, 0x01, 0x2a, 1, 2, 3];
const DELTA: &[u8] = &[0x10, 0x01, 7, 7, 7, 7, 7, 7];

/// Publishes sound on track 10 and VP8 on track 11.
pub fn publish(number: u32) -> impl FnOnce(String) -> Publish {
    move |offer| Publish {
        peer: peer(number),
        offer,
        audio: Some(track(10)),
        video: Some(track(11)),
        video_codecs: vec![Codec::Vp8],
        max_video_kbps: None,
        loopback: false,
    }
}

/// Their tracks.
pub fn tracks(world: &mut World) {
    world.core.add_track(track(10), Kind::Audio);
    world.core.add_track(track(11), Kind::Video);
}

/// Client `index` sends 25 pictures and 50 sounds a second from now on; a key frame at first and whenever one is asked for.
/// Sound and picture of the same moment were captured `delay` ago.
pub fn perform(world: &mut World, index: usize, delay: Duration) {
    let (mut tick, mut answered, mut keyframe) = (0u32, 0, true);
    world.shows.push(Box::new(move |clients, now| {
        let client = &mut clients[index];
        if client.connected.is_none() {
            return;
        }
        tick += 1;
        let captured = now - delay;
        if tick.is_multiple_of(20) {
            client.write(0, 4_294_960_000u32.wrapping_add(tick * 48), captured, &[0xfc, 0xff, 0xfe]);
        }
        if tick.is_multiple_of(40) {
            keyframe |= client.plis.len() > answered;
            answered = client.plis.len();
            client.write(1, 1_000_000 + tick * 90, captured, if keyframe { KEY } else { DELTA });
            keyframe = false;
        }
    }));
}

#[test]
fn a_publisher_is_seen_and_heard_by_a_viewer() {
    let mut world = World::new();
    tracks(&mut world);
    let publisher = world.publisher(Client::publisher(peer(1), world.now), publish(1));
    let answer = world.clients[publisher].answer.clone();
    let maps: Vec<&str> = answer.lines().filter(|l| l.starts_with("a=rtpmap")).filter_map(|l| l.split(' ').nth(1)).collect();
    assert_eq!(maps, ["opus/48000/2", "VP8/90000", "rtx/90000"]);
    assert!(answer.contains("transport-cc") && answer.contains("transport-wide-cc"));
    assert_eq!(answer.matches("a=recvonly").count(), 2);
    perform(&mut world, publisher, 5 * MS);
    world.run(2000 * MS);
    let live = |kind| Format { codec: kind, profile_level_id: None };
    assert!(
        world.seen.iter().any(|e| matches!(e, Event::TrackLive { track: t, format } if *t == track(11) && *format == live(Codec::Vp8)))
    );

    let viewer = world.viewer(2, Some(track(10)), Some(track(11)));
    let took = world.until(1000 * MS, |w| w.clients[viewer].got.iter().any(|(_, p)| p.payload[..] == *KEY));
    assert!(took < 200 * MS, "{took:?}");
    world.run(1000 * MS);
    let client = &mut world.clients[viewer];
    for (line, codec, packets) in [(0, Theirs::Opus, 40..60), (1, Theirs::Vp8, 20..100)] {
        let got: Vec<_> = client.packets(line).iter().map(|(_, p)| (*p.seq_no, p.header.payload_type)).collect();
        assert!(packets.contains(&got.len()), "{codec:?}: {}", got.len());
        assert!(got.windows(2).all(|w| w[1].0 == w[0].0 + 1));
        let pt = got[0].1;
        assert!(client.rtc.codec_config().params().iter().any(|p| p.pt() == pt && p.spec().codec == codec));
    }
}

#[test]
fn sound_and_picture_of_the_same_moment_stay_together() {
    let mut world = World::new();
    tracks(&mut world);
    let publisher = world.publisher(Client::publisher(peer(1), world.now), publish(1));
    // the picture takes 60 ms longer to leave the browser than the sound
    let mut tick = 0u32;
    world.shows.push(Box::new(move |clients, now| {
        let client = &mut clients[publisher];
        if client.connected.is_none() {
            return;
        }
        tick += 1;
        if tick.is_multiple_of(20) {
            client.write(0, tick * 48, now, &[1, 2, 3]);
        }
        if tick.is_multiple_of(40) && tick > 60 {
            client.write(1, 500_000 + (tick - 60) * 90, now - 60 * MS, if tick == 80 { KEY } else { DELTA });
        }
    }));
    world.run(3000 * MS);
    let viewer = world.viewer(2, Some(track(10)), Some(track(11)));
    world.run(6000 * MS);
    let client = &mut world.clients[viewer];
    // both clocks of the publisher began at its tick 0
    let sound: Vec<f64> =
        client.packets(0).iter().filter_map(|(_, p)| Some(told(p, 48_000)? - f64::from(p.header.timestamp) / 48_000.0)).collect();
    let picture: Vec<f64> =
        client.packets(1).iter().filter_map(|(_, p)| Some(told(p, 90_000)? - f64::from(p.header.timestamp - 500_000) / 90_000.0)).collect();
    let skew = sound.last().unwrap() - picture.last().unwrap();
    assert!(skew.abs() < 0.003, "{skew} s");
}

#[test]
fn viewers_plis_reach_the_publisher_as_one_every_500_ms() {
    let mut world = World::new();
    tracks(&mut world);
    let publisher = world.publisher(Client::publisher(peer(1), world.now), publish(1));
    perform(&mut world, publisher, 5 * MS);
    world.run(1000 * MS);
    let viewers: Vec<usize> = (2..5).map(|n| world.viewer(n, None, Some(track(11)))).collect();
    // who has just begun would begin again
    world.run(5000 * MS);
    let before = world.clients[publisher].plis.len();
    let asking = viewers.clone();
    world.shows.push(Box::new(move |clients, _| asking.iter().for_each(|v| clients[*v].pli(1))));
    world.run(2000 * MS);
    let heard = world.clients[publisher].plis.len() - before;
    assert!((4..=5).contains(&heard), "{heard}");
}

#[test]
fn the_four_lines_of_the_2_18_client_are_two() {
    let mut world = World::new();
    tracks(&mut world);
    let lines = [
        (MediaKind::Audio, Direction::SendRecv),
        (MediaKind::Video, Direction::SendRecv),
        (MediaKind::Audio, Direction::SendOnly),
        (MediaKind::Video, Direction::SendOnly),
    ];
    let client = Client::new(peer(1), world.now, &lines, Client::codecs());
    let publisher = world.publisher(client, publish(1));
    let directions: Vec<&str> =
        world.clients[publisher].answer.lines().filter(|l| ["a=recvonly", "a=inactive", "a=sendrecv", "a=sendonly"].contains(l)).collect();
    assert_eq!(directions, ["a=recvonly", "a=recvonly", "a=inactive", "a=inactive"]);
    perform(&mut world, publisher, 5 * MS);
    let viewer = world.viewer(2, Some(track(10)), Some(track(11)));
    world.run(1000 * MS);
    assert!(world.clients[viewer].packets(1).len() > 10);
}

#[test]
fn a_publisher_may_watch_itself() {
    let mut world = World::new();
    tracks(&mut world);
    let lines = [(MediaKind::Audio, Direction::SendRecv), (MediaKind::Video, Direction::SendRecv)];
    let client = Client::new(peer(1), world.now, &lines, Client::codecs());
    let publisher = world.publisher(client, |offer| Publish { loopback: true, ..publish(1)(offer) });
    assert_eq!(world.clients[publisher].answer.matches("a=sendrecv").count(), 2);
    perform(&mut world, publisher, 5 * MS);
    world.run(2000 * MS);
    let client = &mut world.clients[publisher];
    assert!(client.packets(0).len() > 80 && client.packets(1).len() > 40);
    assert!(client.packets(1).iter().any(|(_, p)| p.payload[..] == *KEY));
}

#[test]
fn a_publisher_that_comes_back_goes_on_under_its_viewers() {
    let mut world = World::new();
    tracks(&mut world);
    let first = world.publisher(Client::publisher(peer(1), world.now), publish(1));
    perform(&mut world, first, 5 * MS);
    let viewer = world.viewer(2, Some(track(10)), Some(track(11)));
    world.run(2000 * MS);
    world.core.remove_peer(peer(1), world.now);
    world.shows.clear();
    world.run(500 * MS);
    let before = world.clients[viewer].packets(1).len();
    let second = world.publisher(Client::publisher(peer(3), world.now), publish(3));
    perform(&mut world, second, 5 * MS);
    world.run(1000 * MS);
    let packets = world.clients[viewer].packets(1);
    assert!(packets.len() > before + 15);
    assert_eq!(packets[before].1.payload[..], *KEY);
    assert_eq!(*packets[before].1.seq_no, *packets[before - 1].1.seq_no + 1);
    assert_eq!(world.seen.iter().filter(|e| matches!(e, Event::TrackLive { track: t, .. } if *t == track(11))).count(), 2);
}

#[test]
fn what_a_publisher_loses_is_repaired_for_its_viewers() {
    let mut world = World::new();
    tracks(&mut world);
    let publisher = world.publisher(Client::publisher(peer(1), world.now), publish(1));
    perform(&mut world, publisher, 5 * MS);
    let viewer = world.viewer(2, None, Some(track(11)));
    world.run(1000 * MS);
    let (from, mut count) = (world.clients[publisher].address, 0);
    world.filter = Box::new(move |f| {
        let media = f.from == from && f.bytes[0] & 0xc0 == 0x80;
        count += u32::from(media);
        !media || count % 7 != 0
    });
    world.run(3000 * MS);
    world.filter = Box::new(|_| true);
    world.run(1000 * MS);
    let mut sequences: Vec<u64> = world.clients[viewer].packets(1).iter().map(|(_, p)| *p.seq_no).collect();
    let in_order = sequences.is_sorted();
    sequences.sort();
    assert!(!in_order, "repaired packets come late");
    assert!(sequences.windows(2).all(|w| w[1] == w[0] + 1), "and in their place: {sequences:?}");
}

#[test]
fn the_first_allowed_codec_of_the_offer_is_forced() {
    let mut world = World::new();
    tracks(&mut world);
    let wants = |codecs: Vec<Codec>| move |offer| Publish { video_codecs: codecs, ..publish(1)(offer) };
    for (codecs, expected) in [(vec![Codec::H264], "H264"), (vec![Codec::H264, Codec::Vp8], "H264"), (vec![Codec::Vp8, Codec::H264], "VP8")]
    {
        let publisher = world.publisher(Client::publisher(peer(1), world.now), wants(codecs));
        let answer = &world.clients[publisher].answer;
        let video = answer.split("m=video").nth(1).unwrap();
        let others = video.lines().filter(|l| l.starts_with("a=rtpmap") && !l.contains(expected) && !l.contains("rtx"));
        assert_eq!(others.count(), 0, "{answer}");
        world.clients.pop();
    }
    let vp8 = str0m::RtcConfig::new().clear_codecs().enable_opus(true, false).enable_vp8(true);
    let mut client = Client::new(peer(2), world.now, &[(MediaKind::Video, Direction::SendOnly)], vp8);
    let offer = client.offer();
    world.core.publish(Publish { peer: peer(2), video_codecs: vec![Codec::H264], ..publish(2)(offer) }, world.now);
    assert_eq!(world.refused(peer(2)), Refusal::NoCodec(vec![Codec::H264]));
}

#[test]
fn a_limit_is_told_in_the_answer() {
    let mut world = World::new();
    tracks(&mut world);
    let limited = |offer| Publish { max_video_kbps: Some(600), ..publish(1)(offer) };
    let publisher = world.publisher(Client::publisher(peer(1), world.now), limited);
    let answer = &world.clients[publisher].answer;
    assert!(answer.split("m=video").nth(1).unwrap().contains("b=AS:600\r\n") && answer.matches("b=AS").count() == 1);
    world.until(1000 * MS, |w| w.connected(1));
}

#[test]
fn a_kind_without_a_track_is_inactive() {
    let mut world = World::new();
    tracks(&mut world);
    let silent = |offer| Publish { audio: None, ..publish(1)(offer) };
    let publisher = world.publisher(Client::publisher(peer(1), world.now), silent);
    let directions: Vec<&str> = world.clients[publisher].answer.lines().filter(|l| ["a=recvonly", "a=inactive"].contains(l)).collect();
    assert_eq!(directions, ["a=inactive", "a=recvonly"]);
}

/// What Chromium offers (shortened to one line of each sort): VP8, H.264 in both modes, AV1, red and flexfec.
const CHROMIUM: &str = "v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS e5a1
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:dTrx
a=ice-pwd:6v1bGV9uZyBwYXNzd29yZCAx
a=ice-options:trickle
a=fingerprint:sha-256 75:74:5A:A6:A4:E5:52:F4:A7:67:4C:01:C7:EE:91:3F:21:3D:A2:E3:53:7B:6F:30:86:F2:30:AA:65:FB:04:24
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:e5a1 a0
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1001 cname:c
a=ssrc:1001 msid:e5a1 a0
m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 109 114 45 46 116 117 49
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:dTrx
a=ice-pwd:6v1bGV9uZyBwYXNzd29yZCAx
a=ice-options:trickle
a=fingerprint:sha-256 75:74:5A:A6:A4:E5:52:F4:A7:67:4C:01:C7:EE:91:3F:21:3D:A2:E3:53:7B:6F:30:86:F2:30:AA:65:FB:04:24
a=setup:actpass
a=mid:1
a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:13 urn:3gpp:video-orientation
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:e5a1 v0
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:103 H264/90000
a=rtcp-fb:103 nack
a=rtcp-fb:103 nack pli
a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
a=rtpmap:104 rtx/90000
a=fmtp:104 apt=103
a=rtpmap:109 H264/90000
a=rtcp-fb:109 nack
a=rtcp-fb:109 nack pli
a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:114 rtx/90000
a=fmtp:114 apt=109
a=rtpmap:45 AV1/90000
a=fmtp:45 level-idx=5;profile=0;tier=0
a=rtpmap:46 rtx/90000
a=fmtp:46 apt=45
a=rtpmap:116 red/90000
a=rtpmap:117 rtx/90000
a=fmtp:117 apt=116
a=rtpmap:49 flexfec-03/90000
a=fmtp:49 repair-window=10000000
a=ssrc-group:FID 2001 2002
a=ssrc:2001 cname:c
a=ssrc:2001 msid:e5a1 v0
a=ssrc:2002 cname:c
a=ssrc:2002 msid:e5a1 v0
";

/// The numbers and names of an answer's video line.
fn video_maps(answer: &str) -> Vec<&str> {
    answer.split("m=video").nth(1).unwrap().lines().filter_map(|l| l.strip_prefix("a=rtpmap:")).collect()
}

#[test]
fn an_offer_of_chromium_is_answered_in_its_own_numbers() {
    let mut world = World::new();
    tracks(&mut world);
    for (codec, expected) in [
        (Codec::Vp8, vec!["96 VP8/90000", "97 rtx/90000"]),
        (Codec::H264, vec!["109 H264/90000", "114 rtx/90000", "103 H264/90000", "104 rtx/90000"]),
    ] {
        world.core.publish(Publish { video_codecs: vec![codec], ..publish(1)(CHROMIUM.into()) }, world.now);
        world.collect();
        let Some(Event::Answered { sdp, .. }) = world.seen.last() else { panic!("{:?}", world.seen) };
        assert_eq!(video_maps(sdp), expected);
        assert_eq!(sdp.matches("a=recvonly").count(), 2);
    }
    let offer = CHROMIUM.replace("a=sendrecv", "a=recvonly");
    world.core.subscribe(Subscribe { peer: peer(2), offer, audio: Some(track(10)), video: Some(track(11)) }, world.now);
    world.collect();
    let Some(Event::Answered { sdp, .. }) = world.seen.last() else { panic!("{:?}", world.seen) };
    let mut maps = video_maps(sdp);
    maps.sort();
    assert_eq!(maps, ["103 H264/90000", "104 rtx/90000", "109 H264/90000", "114 rtx/90000", "96 VP8/90000", "97 rtx/90000"]);
    let audio: Vec<&str> = sdp.split("m=video").next().unwrap().lines().filter_map(|l| l.strip_prefix("a=rtpmap:")).collect();
    assert_eq!(audio, ["111 opus/48000/2", "0 PCMU/8000", "8 PCMA/8000"]);
    assert!(sdp.contains("playout-delay") && !sdp.contains("abs-send-time") && !sdp.contains("transport"), "{sdp}");
    assert_eq!(sdp.matches("a=sendonly").count(), 2);
}

#[test]
fn a_phone_turns_its_pictures_itself() {
    assert!(CHROMIUM.contains("urn:3gpp:video-orientation"));
    let mut world = World::new();
    tracks(&mut world);
    world.core.publish(publish(1)(CHROMIUM.into()), world.now);
    let offer = CHROMIUM.replace("a=sendrecv", "a=recvonly");
    world.core.subscribe(Subscribe { peer: peer(2), offer, audio: Some(track(10)), video: Some(track(11)) }, world.now);
    world.collect();
    let answers = world.seen.iter().filter_map(|event| if let Event::Answered { sdp, .. } = event { Some(sdp) } else { None });
    let orientation: Vec<bool> = answers.map(|sdp| sdp.contains("video-orientation")).collect();
    assert_eq!(orientation, [false, false]);
}

#[test]
fn no_change_to_an_offer_makes_the_engine_panic() {
    let mut world = World::new();
    tracks(&mut world);
    let lines: Vec<&str> = CHROMIUM.lines().collect();
    for broken in 0..lines.len() {
        for change in 0..4 {
            let mut changed = lines.clone();
            let cut = &lines[broken][..lines[broken].len() / 2];
            match change {
                0 => drop(changed.remove(broken)),
                1 => changed.insert(broken, lines[broken]),
                2 => changed[broken] = cut,
                _ => changed.truncate(broken),
            }
            let offer = changed.join("\r\n") + "\r\n";
            world.core.publish(publish(1)(offer.clone()), world.now);
            let subscribe = Subscribe { peer: peer(2), offer, audio: Some(track(10)), video: Some(track(11)) };
            world.core.subscribe(subscribe, world.now);
            world.run(2 * MS);
        }
    }
    assert_eq!(world.core.stats().panics, 0);
}
