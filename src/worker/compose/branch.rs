//! The elements of one slot: access units in, a cell of the picture or a voice in the sound out. Made when the slot's first media
//! comes, gone with the slot.
//!
//! One thread takes a unit from the decoder to the mixer's pad, which keeps what has to wait: half a second of it. When the mixer is
//! late itself, units wait undecoded, and none is lost.
//!
//! Pictures are scaled before the mixer, to exactly what is shown of them: the mixer's own scaler costs half as much again. The
//! pad always has the whole cell and keeps the picture's shape, so a picture still on its way when the source changes its size
//! or the grid changes stands right all the same.

use super::codecs::{self, DECODER};
use super::cut::Cut;
use super::inlet::Unit;
use super::limiter::{clip, is_clipped};
use super::stage::{RAW_AUDIO, Stage, rewrite};
use super::timing::{Grid, Screen, of_use_from};
use crate::clock::monotonic_ns;
use crate::layout::{Rect, letterbox};
use crate::rtp::{Codec, Kind};
use crate::worker::source::{self, Full};
use gstreamer::glib::BoolError;
use gstreamer::prelude::*;
use gstreamer::{Bin, Caps, ClockTime, Element, EventView, Pad, PadProbeData, PadProbeReturn, PadProbeType};
use gstreamer_app::AppSrc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long the last picture of a source that sends none stays, in ns; then its cell is black.
const HOLD: u64 = 5_000_000_000;

/// What is taken off the length of pictures. One that ends exactly where the mixer is counts as its next, not as past: a mixer that
/// waits for a late source takes one picture each time, and would show a source it has once fallen behind of late until it waits no
/// more. Past pictures are skipped at once.
const SHORTER: ClockTime = ClockTime::from_mseconds(1);

/// Names of branches, by which the bus tells a slot's trouble from everybody's.
pub const PREFIX: &str = "slot-";

/// Name of the element that is given a slot's access units.
const UNITS: &str = "units";

/// One slot's elements. Dropping them leaves them in the pipeline; [`Branch::remove`] ends them.
#[derive(Debug)]
pub struct Branch {
    codec: Codec,
    bin: Bin,
    source: AppSrc,
    mixer: Element,
    pad: Pad,
    shape: Arc<Mutex<Shape>>,
}

impl Branch {
    /// Builds and links it; `began` is the recording's first moment, CLOCK_MONOTONIC in ns. `None` when the recording has no
    /// media of this kind.
    pub fn add(stage: &Stage, name: &str, codec: Codec, grid: Grid, began: u64) -> Result<Option<Branch>, String> {
        let Some(mixer) = stage.mixer(codec.kind()) else { return Ok(None) };
        let bin = gstreamer::parse::bin_from_description_with_name(&description(codec), true, name).map_err(|error| error.to_string())?;
        let source = bin.by_name(UNITS).and_downcast::<AppSrc>().ok_or("a branch without input")?;
        let shape = Arc::new(Mutex::new(Shape::default()));
        match codec.kind() {
            Kind::Video => watch_pictures(&bin, Screen::new(grid), began, &mixer.cut, &shape),
            Kind::Audio => watch_sound(&bin),
        }
        let text = |error: BoolError| error.to_string();
        stage.bin().add(&bin).map_err(text)?;
        let pad = mixer.element.request_pad_simple("sink_%u").ok_or("the mixer takes no more")?;
        let branch = Branch { codec, bin, source, mixer: mixer.element.clone(), pad, shape };
        if codec.kind() == Kind::Video {
            branch.pad.set_property("max-last-buffer-repeat", HOLD);
            branch.pad.set_property_from_str("sizing-policy", "keep-aspect-ratio");
        }
        match branch.link() {
            Ok(()) => Ok(Some(branch)),
            Err(error) => {
                branch.remove(stage);
                Err(error)
            }
        }
    }

    fn link(&self) -> Result<(), String> {
        let output = self.bin.static_pad("src").ok_or("a branch without output")?;
        output.link(&self.pad).map_err(|error| error.to_string())?;
        self.bin.sync_state_with_parent().map_err(|error| error.to_string())
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }

    pub fn kind(&self) -> Kind {
        self.codec.kind()
    }

    /// Where its pictures are shown.
    pub fn set_cell(&self, cell: Rect) {
        lock(&self.shape).cell = cell;
        for (name, value) in [("xpos", cell.x), ("ypos", cell.y), ("width", cell.width), ("height", cell.height)] {
            self.pad.set_property(name, i32::try_from(value).unwrap_or(i32::MAX));
        }
    }

    /// Time of its first picture, ns since the recording began.
    pub fn first_picture(&self) -> Option<u64> {
        lock(&self.shape).first
    }

    /// Gives a unit to the decoder; its time is `pts`, ns since the recording began.
    pub fn push(&self, pts: u64, unit: Unit) -> Result<(), Full> {
        source::push(&self.source, self.codec, unit, pts)
    }

    /// Takes it out of the running pipeline. The mixer never waits for it again.
    pub fn remove(self, stage: &Stage) {
        if let Some(output) = self.bin.static_pad("src") {
            output.add_probe(PadProbeType::BLOCK_DOWNSTREAM, |_, _| PadProbeReturn::Ok);
            let _ = output.unlink(&self.pad);
        }
        self.mixer.release_request_pad(&self.pad);
        if let Err(error) = self.bin.set_state(gstreamer::State::Null) {
            eprintln!("branch {} did not stop: {error}", self.bin.name());
        }
        if let Err(error) = stage.bin().remove(&self.bin) {
            eprintln!("branch {} is not removed: {error}", self.bin.name());
        }
    }
}

fn description(codec: Codec) -> String {
    let source = format!("{} ! {}", source::description(UNITS, codec), codecs::decoder(codec));
    match codec.kind() {
        Kind::Video => format!("{source} ! videoscale add-borders=false ! videoconvert ! capsfilter name=shape caps-change-mode=delayed"),
        Kind::Audio => format!("{source} ! audioconvert ! audioresample ! capsfilter caps={RAW_AUDIO}"),
    }
}

/// What is shown of a source. The job writes the cell, the decoder's thread the rest.
#[derive(Default, Debug)]
struct Shape {
    cell: Rect,
    /// As the source's pictures are to be seen, px.
    picture: (u32, u32),
    /// Size the scaler was told.
    scaled: Option<(u32, u32)>,
    /// Time of the first picture that went to the mixer, ns of running time.
    first: Option<u64>,
}

impl Shape {
    /// The size to scale to, when it is not the one the scaler has.
    fn change(&mut self) -> Option<(u32, u32)> {
        let shown = letterbox(self.picture.0, self.picture.1, self.cell);
        let size = (shown.width, shown.height);
        (self.scaled != Some(size) && shown.width > 0 && shown.height > 0).then(|| *self.scaled.insert(size))
    }
}

fn lock(shape: &Mutex<Shape>) -> MutexGuard<'_, Shape> {
    shape.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Behind the decoder: pictures get their place in time, and the scaler is told their size before it sees them.
fn watch_pictures(bin: &Bin, screen: Screen, began: u64, cut: &Arc<Cut>, shape: &Arc<Mutex<Shape>>) {
    let Some(pad) = bin.by_name(DECODER).and_then(|decoder| decoder.static_pad("src")) else { return };
    let Some(filter) = bin.by_name("shape").map(|filter| filter.downgrade()) else { return };
    let (screen, cut, shape) = (Mutex::new(screen), cut.clone(), shape.clone());
    pad.add_probe(PadProbeType::BUFFER | PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        match &mut info.data {
            Some(PadProbeData::Event(event)) => {
                let EventView::Caps(caps) = event.view() else { return PadProbeReturn::Ok };
                lock(&shape).picture = picture_size(caps.caps());
            }
            Some(PadProbeData::Buffer(buffer)) => {
                let pts = buffer.pts().unwrap_or(ClockTime::ZERO).nseconds();
                let now = monotonic_ns().saturating_sub(began);
                let use_from = of_use_from(now, cut.reached());
                let place = screen.lock().unwrap_or_else(PoisonError::into_inner).place(pts, use_from);
                let Some(place) = place else { return PadProbeReturn::Drop };
                let buffer = buffer.make_mut();
                buffer.set_pts(ClockTime::from_nseconds(place));
                buffer.set_duration(buffer.duration().map(|duration| duration.saturating_sub(SHORTER)));
                lock(&shape).first.get_or_insert(place);
            }
            _ => return PadProbeReturn::Ok,
        }
        if let Some((width, height)) = lock(&shape).change()
            && let Some(filter) = filter.upgrade()
        {
            filter.set_property("caps", scaled_caps(width, height));
        }
        PadProbeReturn::Ok
    });
}

/// A source is never louder than full scale, whatever its decoder was given.
fn watch_sound(bin: &Bin) {
    let Some(output) = bin.static_pad("src") else { return };
    rewrite(&output, (), |(), samples| is_clipped(samples), |(), samples| clip(samples));
}

/// Width and height as the picture is to be seen: pixels need not be square.
fn picture_size(caps: &gstreamer::CapsRef) -> (u32, u32) {
    let Ok(info) = gstreamer_video::VideoInfo::from_caps(caps) else { return (0, 0) };
    let par = info.par();
    let (over, under) = (u64::from(par.numer().unsigned_abs()), u64::from(par.denom().unsigned_abs()).max(1));
    (u32::try_from(u64::from(info.width()) * over / under).unwrap_or(u32::MAX), info.height())
}

fn scaled_caps(width: u32, height: u32) -> Caps {
    let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
    Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", side(width))
        .field("height", side(height))
        .field("pixel-aspect-ratio", gstreamer::Fraction::new(1, 1))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaler_is_told_only_what_is_new() {
        let mut shape = Shape { cell: Rect { x: 0, y: 0, width: 640, height: 720 }, picture: (1280, 720), ..Shape::default() };
        assert_eq!(shape.change(), Some((640, 360)));
        assert_eq!(shape.change(), None);
        shape.picture = (480, 720);
        assert_eq!(shape.change(), Some((480, 720)));
        shape.cell = Rect::default();
        assert_eq!(shape.change(), None);
    }

    #[test]
    fn pixels_need_not_be_square() {
        gstreamer::init().unwrap();
        let caps = |text: &str| picture_size(&text.parse::<Caps>().unwrap());
        let raw = "video/x-raw,format=I420,framerate=25/1";
        assert_eq!(caps(&format!("{raw},width=720,height=576,pixel-aspect-ratio=16/15")), (768, 576));
        assert_eq!(caps(&format!("{raw},width=640,height=360")), (640, 360));
        assert_eq!(caps("video/x-raw"), (0, 0));
    }
}
