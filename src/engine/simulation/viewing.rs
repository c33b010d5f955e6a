//! Cameras and their viewers.

use super::camera::{FRAME, KEY_PACKETS};
use super::*;
use crate::engine::api::Event;
use crate::rtp::Format;
use str0m::format::Codec;

#[test]
fn a_viewer_of_a_long_gop_gets_a_whole_key_frame_as_it_connects() {
    let mut world = World::new();
    let camera = world.camera(1, 250);
    world.run(7000 * MS);
    let viewer = world.viewer(1, None, Some(camera));
    let took = world.until(1000 * MS, |w| w.clients[viewer].got.len() >= KEY_PACKETS);
    assert!(took < 100 * MS, "{took:?}");
    let now = world.now;
    let client = &mut world.clients[viewer];
    assert!(now - client.connected.unwrap() <= 2 * LATENCY, "the key frame comes with the connection");
    let packets = client.packets(1);
    assert_eq!(packets[0].1.payload[0] & 0x1f, 7, "it begins with the parameter sets");
    let report = world.core.reports(&[peer(1), peer(9)]).remove(&peer(1)).unwrap();
    assert!(report.connected && report.sent.bytes > report.sent.datagrams && report.received.datagrams > 0);
    assert!(report.remote_sdp.contains("a=setup:") && report.local_sdp.contains("a=candidate:") && report.pair.is_some());
    let client = &mut world.clients[viewer];
    let packets = client.packets(1);
    assert!(packets.iter().take(KEY_PACKETS).all(|(_, p)| p.header.timestamp == packets[0].1.header.timestamp));
    assert!(*packets[0].1.seq_no < 65_536);
}

#[test]
fn the_cached_pictures_are_paced_and_end_live_without_a_gap() {
    let mut world = World::new();
    let camera = world.camera(1, 250);
    world.run(8000 * MS);
    let viewer = world.viewer(1, None, Some(camera));
    world.until(1000 * MS, |w| w.clients[viewer].connected.is_some());
    world.run(400 * MS);
    let early = world.clients[viewer].got.len();
    assert!((170..260).contains(&early), "about 4 of 8 s after 0.4 s: {early}");
    world.run(2000 * MS);
    let now = world.now;
    let packets = world.clients[viewer].packets(1);
    let sequences: Vec<u64> = packets.iter().map(|(_, p)| *p.seq_no).collect();
    assert!(sequences.windows(2).all(|w| w[1] == w[0] + 1), "nothing missing, nothing twice");
    assert!(now - packets.last().unwrap().0 <= FRAME + LATENCY, "live");
    let pictures = packets.iter().filter(|(_, p)| p.header.marker).count() as u32;
    assert!(FRAME * pictures + 100 * MS > Duration::from_millis(10_300), "all pictures since the key frame: {pictures}");
}

#[test]
fn a_viewer_may_come_before_its_camera_and_learns_the_codec_later() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    world.cameras[0].on = false;
    let viewer = world.viewer(1, None, Some(camera));
    for codec in ["H264/90000", "VP8/90000"] {
        assert!(world.clients[viewer].answer.contains(codec), "{}", world.clients[viewer].answer);
    }
    world.run(3000 * MS);
    assert!(world.connected(1));
    world.cameras[0].on = true;
    world.run(2500 * MS);
    assert!(world.seen.iter().any(|e| matches!(e, Event::TrackLive { track: t, .. } if *t == camera)));
    let client = &mut world.clients[viewer];
    assert_eq!(client.codec(&client.got[0].1), Some(Codec::H264));
    // sender reports of the empty time would have been of RTP time 0, and spoil lip sync
    let reports = client.got.iter().filter_map(|(_, p)| p.last_sender_info.as_ref()).map(|i| i.rtp_time.numer());
    assert!(reports.clone().count() > 0 && reports.clone().all(|time| time != 0));
}

#[test]
fn a_camera_that_comes_back_goes_on_in_the_same_stream() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.run(1500 * MS);
    world.cameras[0].on = false;
    world.run(1000 * MS);
    world.cameras[0].restart();
    world.cameras[0].on = true;
    let before = world.clients[viewer].got.len();
    world.run(500 * MS);
    let packets = world.clients[viewer].packets(1);
    let (last, first) = (packets[before - 1].1, packets[before].1);
    assert_eq!(*first.seq_no, *last.seq_no + 1);
    let passed = first.header.timestamp.wrapping_sub(last.header.timestamp);
    assert!((85_000..100_000).contains(&passed), "about a second: {passed}");
    assert_eq!(first.payload[0] & 0x1f, 7, "it begins with a key frame");
    assert!(packets.iter().all(|(_, p)| p.header.ssrc == first.header.ssrc));
}

#[test]
fn a_cameras_sound_and_picture_are_together_from_the_first_paced_second_on() {
    for (codec, theirs) in
        [(crate::rtp::Codec::Opus, Codec::Opus), (crate::rtp::Codec::Pcma, Codec::PCMA), (crate::rtp::Codec::Pcmu, Codec::PCMU)]
    {
        let mut world = World::new();
        let (audio, video) = world.camera_with_sound(1, 250, codec);
        world.run(8000 * MS);
        let viewer = world.viewer(1, Some(audio), Some(video));
        world.run(2500 * MS);
        let client = &mut world.clients[viewer];
        let rate = codec.clock_rate();
        // each packet tells when its content was captured; picture n was at 40 n - 10 ms, sound n at 20 n - 30 ms
        let sound: Vec<f64> =
            client.packets(0).iter().filter_map(|(_, p)| Some(told(p, rate)? - f64::from(p.header.timestamp) / f64::from(rate))).collect();
        let picture = client.packets(1).into_iter();
        let picture =
            picture.filter_map(|(_, p)| Some(told(p, 90_000)? - f64::from(p.header.timestamp.wrapping_sub(4_294_900_000)) / 90_000.0));
        let picture: Vec<f64> = picture.collect();
        assert!(sound.len() > 30 && picture.len() > 100, "{} {}", sound.len(), picture.len());
        let ours = sound[0];
        for skew in picture.iter().map(|p| p - ours - 0.020).chain(sound.iter().map(|s| s - ours)) {
            assert!(skew.abs() < 0.003, "{skew} s, {codec:?}");
        }
        let heard = client.packets(0).last().unwrap().1.header.payload_type;
        assert!(client.rtc.codec_config().params().iter().any(|p| p.pt() == heard && p.spec().codec == theirs));
    }
}

#[test]
fn a_camera_that_comes_back_as_another_codec_is_renumbered() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.run(500 * MS);
    world.cameras[0].format = Format { codec: crate::rtp::Codec::Vp8, profile_level_id: None };
    world.cameras[0].restart();
    let before = world.clients[viewer].got.len();
    world.run(500 * MS);
    let client = &world.clients[viewer];
    assert_eq!(client.codec(&client.got[0].1), Some(Codec::H264));
    assert_eq!(client.codec(&client.got[before].1), Some(Codec::Vp8));
    assert_eq!(*client.got[before].1.seq_no, *client.got[before - 1].1.seq_no + 1);
}

#[test]
fn a_viewer_gets_the_profile_of_the_camera_if_it_offers_it_and_constrained_baseline_else() {
    for (camera_is, offered, expected) in [
        (0x64_0028, vec![0x42_001f, 0x42_e01f, 0x64_001f], 0x64_001f),
        (0x64_0028, vec![0x42_001f, 0x42_e01f], 0x42_e01f),
        (0x4d_0028, vec![0x64_001f, 0x42_001f], 0x64_001f),
        (0x42_c028, vec![0x64_001f, 0x42_e01f], 0x42_e01f),
    ] {
        let mut world = World::new();
        let camera = world.camera(1, 25);
        world.cameras[0].format.profile_level_id = Some(camera_is);
        let mut codecs = str0m::RtcConfig::new().clear_codecs();
        for (n, profile) in offered.iter().enumerate() {
            let pt = 100 + 2 * n as u8;
            // packetization-mode 0 comes first and is never right
            codecs.codec_config().add_h264((60 - n as u8).into(), None, false, *profile);
            codecs.codec_config().add_h264(pt.into(), Some((pt + 1).into()), true, *profile);
        }
        let lines = [(str0m::media::MediaKind::Video, str0m::media::Direction::RecvOnly)];
        let client = Client::new(peer(1), world.now, &lines, codecs);
        let viewer = world.watch(client, None, Some(camera));
        world.until(1000 * MS, |w| !w.clients[viewer].got.is_empty());
        let client = &world.clients[viewer];
        let pt = client.got[0].1.header.payload_type;
        let params = client.rtc.codec_config().params().iter().find(|p| p.pt() == pt).unwrap().spec().format;
        assert_eq!((params.profile_level_id, params.packetization_mode), (Some(expected), Some(1)), "{camera_is:06x} {offered:06x?}");
    }
}

#[test]
fn frames_leave_as_runs_and_are_protected_by_aead() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    world.until(1000 * MS, |w| w.clients[viewer].connected.is_some());
    world.run(500 * MS);
    world.runs.borrow_mut().clear();
    world.clients[viewer].sizes.clear();
    world.run(1000 * MS);
    let runs = world.runs.borrow();
    assert!(runs.iter().filter(|n| **n > 1).count() >= 24, "a picture is one run: {runs:?}");
    // 12 header, 8 mid extension, payload of 1002, and the tag: 16 for AEAD_AES_GCM, 10 for AES_CM
    let sizes = &world.clients[viewer].sizes;
    assert!(sizes.iter().any(|s| [12 + 8 + 1002 + 16, 12 + 1002 + 16].contains(s)), "{sizes:?}");
    assert!(!sizes.iter().any(|s| [12 + 8 + 1002 + 10, 12 + 1002 + 10].contains(s)), "{sizes:?}");
}

#[test]
fn viewers_who_lack_a_key_frame_are_one_request_to_the_worker() {
    let mut world = World::new();
    let camera = world.camera(1, 1_000_000);
    world.run(16_000 * MS);
    for number in 1..=5 {
        world.viewer(number, None, Some(camera));
    }
    world.run(1950 * MS);
    assert!((3..=5).contains(&world.asked.len()), "at most every 500 ms until it comes: {:?}", world.asked);
    assert!(world.asked.iter().all(|(_, j, slot)| (*j, *slot) == (job(1), 0)));
    assert!(world.asked.windows(2).all(|w| w[1].0 - w[0].0 >= 500 * MS));
    assert!(world.clients.iter().all(|c| c.got.is_empty()), "nothing before a key frame");
    world.cameras[0].restart();
    world.run(300 * MS);
    assert!(world.clients.iter().all(|c| c.got.len() > KEY_PACKETS));
}

#[test]
fn a_line_without_a_track_is_inactive_and_sound_alone_is_possible() {
    let mut world = World::new();
    let camera = world.camera(1, 25);
    let viewer = world.viewer(1, None, Some(camera));
    let lines: Vec<&str> = world.clients[viewer].answer.lines().filter(|l| matches!(*l, "a=inactive" | "a=sendonly")).collect();
    assert_eq!(lines, ["a=inactive", "a=sendonly"]);
    assert!(!world.clients[viewer].answer.contains("transport-cc"));
    assert!(world.clients[viewer].answer.contains("a=candidate:"));
}

#[test]
fn lost_packets_are_sent_again() {
    let mut world = World::new();
    let camera = world.camera(1, 250);
    let viewer = world.viewer(1, None, Some(camera));
    world.run(500 * MS);
    let address = world.clients[viewer].address;
    let mut count = 0;
    world.filter = Box::new(move |f| {
        count += usize::from(f.to == address && f.bytes.len() > 900);
        f.to != address || f.bytes.len() <= 900 || count % 10 != 0
    });
    world.run(3000 * MS);
    world.filter = Box::new(|_| true);
    world.run(500 * MS);
    let mut sequences: Vec<u64> = world.clients[viewer].packets(1).iter().map(|(_, p)| *p.seq_no).collect();
    sequences.sort();
    assert!(sequences.windows(2).all(|w| w[1] == w[0] + 1), "every packet came in the end");
}
