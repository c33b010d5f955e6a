//! The encoders of video, for pictures that somebody looks at while they are made: no picture waits for a later one, the rate is
//! held, a key frame is made when it is asked for.
//!
//! A row takes raw I420 and gives what its payloader takes. The trap of this table is the unit of the bit rate: it differs from
//! element to element, so each row names it. On a device of V4L2 it is a control of the open handle and can only be set through
//! the element's `extra-controls`.

use super::Made;
use crate::rtp::Codec;

/// Pictures between two key frames nobody asked for: 4 s at 30 a second.
pub const GOP: u32 = 120;

/// One way to encode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encoder {
    pub codec: Codec,
    pub element: &'static str,
    /// Its properties that never change, as `gst-launch` reads them.
    pub settings: &'static str,
    /// What stands between it and the payloader, beginning with ` ! `, or nothing.
    pub behind: &'static str,
    pub rate: Rate,
    /// Does it hold its rate by the number of pictures it was told of, and not by their time stamps?
    pub counts: bool,
    /// The property for the number of threads; it is read when the size of the picture is known.
    pub threads: Option<&'static str>,
    elements: &'static [&'static str],
    hardware: bool,
}

/// How the bit rate is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rate {
    /// This property, in bit/s.
    Bits(&'static str),
    /// This property, in kbit/s.
    Kilobits(&'static str),
    /// `video_bitrate` of `extra-controls`, in bit/s, beside these other controls. Only before the first picture.
    Controls(&'static str),
}

impl Made for Encoder {
    fn elements(&self) -> &'static [&'static str] {
        self.elements
    }

    fn hardware(&self) -> bool {
        self.hardware
    }
}

impl Rate {
    /// Property and value, as text, for a rate in kbit/s.
    pub fn property(self, kbps: u32) -> (&'static str, String) {
        let bits = u64::from(kbps) * 1000;
        match self {
            Rate::Bits(name) => (name, bits.to_string()),
            Rate::Kilobits(name) => (name, kbps.to_string()),
            Rate::Controls(others) => ("extra-controls", format!("controls,video_bitrate={bits}{others}")),
        }
    }

    /// Can it be changed between two pictures?
    pub fn changes(self) -> bool {
        !matches!(self, Rate::Controls(_))
    }
}

/// Threads that pay for a picture of so many pixels, on so many cores: slices below some size cost more than they gain.
pub fn threads(pixels: u32, cores: usize) -> u32 {
    let useful = match pixels {
        0..=307_200 => 1,
        307_201..=921_600 => 2,
        _ => 4,
    };
    useful.min(u32::try_from(cores).unwrap_or(u32::MAX)).max(1)
}

macro_rules! libvpx {
    ($speed:literal) => {
        concat!(
            "deadline=1 lag-in-frames=0 end-usage=cbr undershoot=95 overshoot=15 buffer-size=1000 buffer-initial-size=500 \
             buffer-optimal-size=600 min-quantizer=4 max-quantizer=56 resize-allowed=false dropframe-threshold=0 \
             auto-alt-ref=false timebase=1/90000 token-partitions=4 keyframe-max-dist=120 cpu-used=",
            $speed
        )
    };
}

/// libvpx in its real-time mode at a fixed speed, as browsers use it: -6 where cores are strong, faster where they are not.
const VP8: &str = if cfg!(target_arch = "x86_64") { libvpx!(-6) } else { libvpx!(-12) };

/// Constrained baseline: every browser decodes it.
const BASELINE: &str = " ! video/x-h264,profile=constrained-baseline,stream-format=byte-stream,alignment=au";
const PARSED: &str = " ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au";
/// The driver of the Raspberry Pi wants a level, or refuses large pictures.
const PARSED_OF_LEVEL: &str =
    " ! video/x-h264,level=(string)4 ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au";

const ENCODERS: &[Encoder] = &[
    Encoder {
        codec: Codec::H264,
        element: "v4l2h264enc",
        settings: "",
        behind: PARSED_OF_LEVEL,
        // without a way to ask for a key frame before GStreamer 1.22.4, one comes each second
        rate: Rate::Controls(",repeat_sequence_header=1,h264_i_frame_period=30"),
        counts: true,
        threads: None,
        elements: &["v4l2h264enc", "h264parse"],
        hardware: true,
    },
    Encoder {
        codec: Codec::H264,
        element: "mpph264enc",
        settings: "gop=120 header-mode=each-idr",
        behind: PARSED,
        rate: Rate::Bits("bps"),
        counts: true,
        threads: None,
        elements: &["mpph264enc", "h264parse"],
        hardware: true,
    },
    Encoder {
        codec: Codec::H264,
        element: "vah264enc",
        settings: "key-int-max=120 b-frames=0 rate-control=cbr",
        behind: PARSED,
        rate: Rate::Kilobits("bitrate"),
        counts: true,
        threads: None,
        elements: &["vah264enc", "h264parse"],
        hardware: true,
    },
    Encoder {
        codec: Codec::H264,
        element: "x264enc",
        settings: "speed-preset=superfast tune=zerolatency bframes=0 key-int-max=120 vbv-buf-capacity=600 byte-stream=true",
        behind: BASELINE,
        rate: Rate::Kilobits("bitrate"),
        counts: true,
        threads: Some("threads"),
        elements: &["x264enc"],
        hardware: false,
    },
    Encoder {
        codec: Codec::H264,
        element: "openh264enc",
        settings: "gop-size=120 usage-type=camera complexity=low rate-control=bitrate",
        behind: PARSED,
        rate: Rate::Bits("bitrate"),
        counts: true,
        threads: None,
        elements: &["openh264enc", "h264parse"],
        hardware: false,
    },
    Encoder {
        codec: Codec::Vp8,
        element: "mppvp8enc",
        settings: "gop=120",
        behind: "",
        rate: Rate::Bits("bps"),
        counts: true,
        threads: None,
        elements: &["mppvp8enc"],
        hardware: true,
    },
    Encoder {
        codec: Codec::Vp8,
        element: "vp8enc",
        settings: VP8,
        behind: "",
        rate: Rate::Bits("target-bitrate"),
        counts: false,
        threads: Some("threads"),
        elements: &["vp8enc"],
        hardware: false,
    },
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Encoder> {
    ENCODERS.iter()
}

/// The encoders of a codec, the best first.
pub fn of(codec: Codec) -> impl Iterator<Item = &'static Encoder> {
    ENCODERS.iter().filter(move |encoder| encoder.codec == codec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_is_told_in_the_unit_of_its_element() {
        for (element, name, value) in [
            ("x264enc", "bitrate", "1500"),
            ("openh264enc", "bitrate", "1500000"),
            ("vp8enc", "target-bitrate", "1500000"),
            ("mpph264enc", "bps", "1500000"),
            ("vah264enc", "bitrate", "1500"),
            ("v4l2h264enc", "extra-controls", "controls,video_bitrate=1500000,repeat_sequence_header=1,h264_i_frame_period=30"),
        ] {
            let encoder = ENCODERS.iter().find(|encoder| encoder.element == element).unwrap();
            assert_eq!(encoder.rate.property(1500), (name, value.to_owned()), "{element}");
            assert_eq!(encoder.rate.changes(), element != "v4l2h264enc");
        }
    }

    #[test]
    fn threads_follow_the_picture_and_the_cores() {
        for (pixels, cores, expected) in
            [(640 * 360, 4, 1), (1280 * 720, 4, 2), (1280 * 720, 1, 1), (1920 * 1080, 8, 4), (1920 * 1080, 2, 2), (0, 0, 1)]
        {
            assert_eq!(threads(pixels, cores), expected, "{pixels} {cores}");
        }
    }

    #[test]
    fn the_settings_hold_the_gop() {
        let gop = format!("={GOP}");
        assert!(ENCODERS.iter().filter(|encoder| encoder.rate.changes()).all(|encoder| encoder.settings.contains(&gop)));
    }
}
