//! The RTSP server of a test camera. Lives in the process `viduct-test-camera` only.

use super::material::{self, Track};
use super::options::{Audio, Options, VideoCodec};
use gstreamer::glib::{MainLoop, WeakRef};
use gstreamer::prelude::*;
use gstreamer::{Bin, Buffer, BufferFlags, Caps, ClockTime, Format, Structure};
use gstreamer_app::AppSrc;
use gstreamer_rtsp_server::prelude::*;
use gstreamer_rtsp_server::{RTSPAuth, RTSPMediaFactory, RTSPServer, RTSPToken};
use std::error::Error;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Serves until the process ends. Calls `listening` with the URL as soon as clients may come.
pub fn serve(options: &Options, listening: impl FnOnce(&str)) -> Result<(), Box<dyn Error>> {
    let video = options.video.as_ref().map(material::video).transpose()?;
    let audio = options.audio.map(material::audio).transpose()?;
    let tracks: Vec<(&str, Track)> = video.map(|track| ("video", track)).into_iter().chain(audio.map(|track| ("audio", track))).collect();

    let factory = RTSPMediaFactory::new();
    factory.set_launch(&launch(options));
    // one media for all clients, as a camera has one encoder
    factory.set_shared(true);
    let tracks = Arc::new(tracks);
    factory.connect_media_configure(move |_, media| {
        let Ok(bin) = media.element().downcast::<Bin>() else { return };
        feed(&bin, tracks.clone());
    });

    let server = RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&options.port.to_string());
    server.mount_points().ok_or("the server has no mount points")?.add_factory(&options.path, factory.clone());
    if let Some((user, password)) = &options.auth {
        let access = Structure::builder("user").field("media.factory.access", true).field("media.factory.construct", true);
        factory.add_role_from_structure(&access.build());
        let auth = RTSPAuth::new();
        auth.add_basic(&RTSPAuth::make_basic(user, password), &RTSPToken::builder().field("media.factory.role", "user").build());
        server.set_auth(Some(&auth));
    }
    let _source = server.attach(None)?;
    listening(&format!("rtsp://127.0.0.1:{}{}", server.bound_port(), options.path));
    MainLoop::new(None, false).run();
    Ok(())
}

/// Payloaders `pay0`, `pay1` in the order video, audio, as the server wants them named.
fn launch(options: &Options) -> String {
    let video = options.video.as_ref().map(|video| match video.codec {
        VideoCodec::H264 => ("video", "rtph264pay config-interval=0", 96),
        VideoCodec::Jpeg => ("video", "rtpjpegpay", 26),
    });
    let audio = options.audio.map(|audio| match audio {
        Audio::Aac => ("audio", "rtpmp4gpay", 97),
        Audio::Pcmu => ("audio", "rtppcmupay", 0),
        Audio::Pcma => ("audio", "rtppcmapay", 8),
    });
    let chains = video.into_iter().chain(audio).enumerate().map(|(number, (name, payloader, pt))| {
        format!("appsrc name={name} is-live=true format=time ! {payloader} name=pay{number} pt={pt} mtu=1400 ")
    });
    format!("( {})", chains.collect::<String>())
}

/// One track and the source it goes into.
struct Lane {
    source: WeakRef<AppSrc>,
    track: usize,
    /// Unit to send next, counted over all loops.
    next: usize,
}

impl Lane {
    fn due(&self, track: &Track) -> u64 {
        let count = track.units.len();
        (self.next / count) as u64 * track.loop_ns + track.units[self.next % count].time_ns
    }
}

/// Feeds a media's sources in real time from a thread of its own, until the media is gone.
fn feed(bin: &Bin, tracks: Arc<Vec<(&'static str, Track)>>) {
    let mut lanes = Vec::new();
    for (number, (name, track)) in tracks.iter().enumerate() {
        let Some(source) = bin.by_name(name).and_downcast::<AppSrc>() else { return };
        source.set_caps(track.caps.parse::<Caps>().ok().as_ref());
        source.set_format(Format::Time);
        lanes.push(Lane { source: source.downgrade(), track: number, next: 0 });
    }
    thread::spawn(move || while turn(&mut lanes, &tracks).is_some() {});
}

/// Sends the unit that is due next when its time has come. `None` when the media is gone.
fn turn(lanes: &mut [Lane], tracks: &[(&str, Track)]) -> Option<()> {
    let lane = lanes.iter_mut().min_by_key(|lane| lane.due(&tracks[lane.track].1))?;
    let track = &tracks[lane.track].1;
    let source = lane.source.upgrade()?;
    // before the first client plays there is no running time, and the clock of the camera stands still
    let Some(now) = source.current_running_time() else {
        drop(source);
        thread::sleep(Duration::from_millis(5));
        return Some(());
    };
    let due = ClockTime::from_nseconds(lane.due(track));
    if let Some(wait) = due.checked_sub(now).filter(|wait| !wait.is_zero()) {
        drop(source);
        thread::sleep(Duration::from(wait).min(Duration::from_millis(100)));
        return Some(());
    }
    let unit = &track.units[lane.next % track.units.len()];
    let mut buffer = Buffer::from_slice(unit.data.clone());
    let fresh = buffer.get_mut()?;
    fresh.set_pts(due);
    fresh.set_dts(due);
    if !unit.keyframe {
        fresh.set_flags(BufferFlags::DELTA_UNIT);
    }
    lane.next += 1;
    source.push_buffer(buffer).ok().map(drop)
}
