//! The RTSP server of a test camera. Lives in the process `viduct-test-camera` only.

use super::material::{self, Track};
use super::options::{Audio, Options, Resize, Transports, Video, VideoCodec};
use gstreamer::glib::{MainLoop, WeakRef};
use gstreamer::prelude::*;
use gstreamer::{Bin, Buffer, BufferFlags, Caps, ClockTime, Format, Structure};
use gstreamer_app::AppSrc;
use gstreamer_rtsp_server::gst_rtsp::{RTSPAuthMethod, RTSPLowerTrans};
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
    let resized = match (&options.video, options.resize) {
        (Some(video), Some(Resize { after_s, width, height })) => {
            Some((after_s, material::video(&Video { width, height, ..video.clone() })?))
        }
        _ => None,
    };

    let factory = RTSPMediaFactory::new();
    factory.set_launch(&launch(options));
    factory.set_protocols(match options.transports {
        Transports::Both => RTSPLowerTrans::UDP | RTSPLowerTrans::TCP,
        Transports::Udp => RTSPLowerTrans::UDP,
        Transports::Tcp => RTSPLowerTrans::TCP,
    });
    // one media for all clients, as a camera has one encoder
    factory.set_shared(true);
    let material = Arc::new(Material { tracks, resized });
    factory.connect_media_configure(move |_, media| {
        let Ok(bin) = media.element().downcast::<Bin>() else { return };
        feed(&bin, material.clone());
    });

    let server = RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service(&options.port.to_string());
    server.mount_points().ok_or("the server has no mount points")?.add_factory(&options.path, factory.clone());
    if let Some((user, password)) = &options.auth {
        let access = Structure::builder("user").field("media.factory.access", true).field("media.factory.construct", true);
        factory.add_role_from_structure(&access.build());
        let auth = RTSPAuth::new();
        let token = RTSPToken::builder().field("media.factory.role", "user").build();
        if options.digest {
            auth.set_supported_methods(RTSPAuthMethod::Digest);
            auth.add_digest(user, password, &token);
        } else {
            auth.add_basic(&RTSPAuth::make_basic(user, password), &token);
        }
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
        // parameter sets that change cannot stay in the SDP
        VideoCodec::H264 if options.resize.is_some() => ("video", "rtph264pay config-interval=-1", 96),
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

/// What a camera plays.
struct Material {
    tracks: Vec<(&'static str, Track)>,
    /// After so many seconds this takes the place of the video.
    resized: Option<(u64, Track)>,
}

/// One track and the source it goes into.
struct Lane {
    source: WeakRef<AppSrc>,
    track: usize,
    /// Unit to send next, counted over all loops.
    next: usize,
    resized: bool,
}

impl Lane {
    fn track<'a>(&self, material: &'a Material) -> &'a Track {
        match &material.resized {
            Some((_, track)) if self.resized => track,
            _ => &material.tracks[self.track].1,
        }
    }

    fn due(&self, material: &Material) -> u64 {
        let track = self.track(material);
        let count = track.units.len();
        (self.next / count) as u64 * track.loop_ns + track.units[self.next % count].time_ns
    }

    /// Switches to the other size when its time has come, at a keyframe.
    fn resize(&mut self, material: &Material, source: &AppSrc) {
        let Some((after_s, track)) = &material.resized else { return };
        let whole_gop = track.units[self.next % track.units.len()].keyframe;
        if !self.resized && material.tracks[self.track].0 == "video" && whole_gop && self.due(material) >= after_s * 1_000_000_000 {
            self.resized = true;
            source.set_caps(track.caps.parse::<Caps>().ok().as_ref());
        }
    }
}

/// Feeds a media's sources in real time from a thread of its own, until the media is gone.
fn feed(bin: &Bin, material: Arc<Material>) {
    let mut lanes = Vec::new();
    for (number, (name, track)) in material.tracks.iter().enumerate() {
        let Some(source) = bin.by_name(name).and_downcast::<AppSrc>() else { return };
        source.set_caps(track.caps.parse::<Caps>().ok().as_ref());
        source.set_format(Format::Time);
        lanes.push(Lane { source: source.downgrade(), track: number, next: 0, resized: false });
    }
    thread::spawn(move || while turn(&mut lanes, &material).is_some() {});
}

/// Sends the unit that is due next when its time has come. `None` when the media is gone.
fn turn(lanes: &mut [Lane], material: &Material) -> Option<()> {
    let lane = lanes.iter_mut().min_by_key(|lane| lane.due(material))?;
    let source = lane.source.upgrade()?;
    // before the first client plays there is no running time, and the clock of the camera stands still
    let Some(now) = source.current_running_time() else {
        drop(source);
        thread::sleep(Duration::from_millis(5));
        return Some(());
    };
    let due = ClockTime::from_nseconds(lane.due(material));
    if let Some(wait) = due.checked_sub(now).filter(|wait| !wait.is_zero()) {
        drop(source);
        thread::sleep(Duration::from(wait).min(Duration::from_millis(100)));
        return Some(());
    }
    lane.resize(material, &source);
    let track = lane.track(material);
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
