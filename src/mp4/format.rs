//! What a recording holds: at most one H.264 picture and one AAC sound, described as MP4 wants it (ISO/IEC 14496-14, -15).

use std::fmt;

use mp4_atom::esds::{DecoderConfig, DecoderSpecific, EsDescriptor, SLConfig};
use mp4_atom::{Atom, Avc1, Avcc, AvccExt, Codec, Decode, Esds, FixedPoint, Mp4a, Stsd, Visual};

use super::Error;

/// Ticks per second of a picture's times.
pub const VIDEO_TIMESCALE: u32 = 90_000;

/// Picture or sound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Video,
    Audio,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Video => "video",
            Kind::Audio => "audio",
        })
    }
}

/// H.264 whose samples are access units of NAL units, each behind its length (`stream-format=avc`), times in
/// 1/[`VIDEO_TIMESCALE`] s.
#[derive(Clone, PartialEq, Debug)]
pub struct Video {
    avcc: Avcc,
    width: u16,
    height: u16,
}

impl Video {
    /// From an AVCDecoderConfigurationRecord, the encoder's `codec_data`; size in px.
    pub fn from_avcc(record: &[u8], width: u16, height: u16) -> Result<Video, Error> {
        let avcc = Avcc::decode_body(&mut &record[..]).map_err(|_| Error::Format(Kind::Video, "the decoder configuration is broken"))?;
        Video::checked(avcc, width, height)
    }

    /// From one parameter set of each kind, NAL units without start codes; lengths in samples then have 4 bytes; size in px.
    ///
    /// For Baseline, Main and High. The greater profiles need more than is found at a fixed place: use [`Video::from_avcc`].
    pub fn from_parameter_sets(sps: &[u8], pps: &[u8], width: u16, height: u16) -> Result<Video, Error> {
        let mut avcc = Avcc::new(sps, pps).map_err(|_| Error::Format(Kind::Video, "the sequence parameter set is too short"))?;
        match avcc.avc_profile_indication {
            66 | 77 | 88 => {}
            100 => avcc.ext = Some(AvccExt::default()),
            _ => return Err(Error::Format(Kind::Video, "the profile is neither Baseline, Main, Extended nor High")),
        }
        Video::checked(avcc, width, height)
    }

    fn checked(avcc: Avcc, width: u16, height: u16) -> Result<Video, Error> {
        let sets = [&avcc.sequence_parameter_sets, &avcc.picture_parameter_sets];
        if sets.iter().any(|sets| sets.is_empty() || sets.iter().any(|set| set.is_empty() || set.len() > usize::from(u16::MAX))) {
            return Err(Error::Format(Kind::Video, "a parameter set is missing"));
        }
        if width == 0 || height == 0 {
            return Err(Error::Format(Kind::Video, "the picture has no size"));
        }
        Ok(Video { avcc, width, height })
    }

    /// Width and height in px.
    pub fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    pub(super) fn stsd(&self) -> Stsd {
        let visual = Visual { data_reference_index: 1, width: self.width, height: self.height, ..Visual::default() };
        Stsd { codecs: vec![Codec::Avc1(Avc1 { visual, avcc: self.avcc.clone(), ..Avc1::default() })] }
    }
}

/// AAC whose samples are raw access units (`stream-format=raw`), times in samples of the sound.
#[derive(Clone, PartialEq, Debug)]
pub struct Audio {
    config: Vec<u8>,
    rate: u16,
    channels: u16,
}

impl Audio {
    /// From an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1), the encoder's `codec_data`; rate in Hz, up to 65 535.
    pub fn from_config(config: &[u8], rate: u32, channels: u16) -> Result<Audio, Error> {
        if config.len() < 2 || config.len() > 64 {
            return Err(Error::Format(Kind::Audio, "the decoder configuration is broken"));
        }
        let rate = u16::try_from(rate).ok().filter(|&rate| rate > 0).ok_or(Error::Format(Kind::Audio, "the rate is out of range"))?;
        if channels == 0 || channels > 8 {
            return Err(Error::Format(Kind::Audio, "the number of channels is out of range"));
        }
        Ok(Audio { config: config.to_vec(), rate, channels })
    }

    /// Samples per second, and so ticks per second of the sound's times.
    pub fn rate(&self) -> u32 {
        self.rate.into()
    }

    pub(super) fn stsd(&self) -> Result<Stsd, Error> {
        let audio = mp4_atom::Audio {
            data_reference_index: 1,
            channel_count: self.channels,
            sample_size: 16,
            sample_rate: FixedPoint::new(self.rate, 0),
        };
        let dec_config = DecoderConfig {
            object_type_indication: 0x40, // MPEG-4 audio
            stream_type: 5,               // audio stream
            dec_specific: Some(DecoderSpecific::decode(&mut &self.config[..])?),
            ..DecoderConfig::default()
        };
        let es_desc = EsDescriptor { dec_config, sl_config: SLConfig {}, ..EsDescriptor::default() };
        Ok(Stsd { codecs: vec![Codec::Mp4a(Mp4a { audio, esds: Esds { es_desc }, btrt: None, taic: None })] })
    }
}

/// What a recording holds; at least one of the two.
#[derive(Clone, PartialEq, Debug)]
pub struct Format {
    pub video: Option<Video>,
    pub audio: Option<Audio>,
}
