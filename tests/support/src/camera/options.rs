//! What a test camera shows and how it is reached: the arguments of `viduct-test-camera`, as text and as values.

use std::fmt;

/// Everything that can be asked of a test camera.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// TCP port on 127.0.0.1; 0 = any.
    pub port: u16,
    /// Path of the stream, with its slash.
    pub path: String,
    /// User and password.
    pub auth: Option<(String, String)>,
    /// Digest instead of basic authentication.
    pub digest: bool,
    pub transports: Transports,
    /// After so many seconds the picture has another size, once.
    pub resize: Option<Resize>,
    pub video: Option<Video>,
    pub audio: Option<Audio>,
}

/// How it is willing to send.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Transports {
    #[default]
    Both,
    Udp,
    Tcp,
}

/// Another size of the picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resize {
    pub after_s: u64,
    /// px
    pub width: usize,
    pub height: usize,
}

/// A video track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Video {
    pub codec: VideoCodec,
    /// px, even.
    pub width: usize,
    pub height: usize,
    /// Frames a second.
    pub fps: usize,
    /// Frames from keyframe to keyframe.
    pub gop: usize,
    /// Mean bit rate in kbit/s (H.264).
    pub kbps: usize,
}

/// How the video is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VideoCodec {
    /// H.264 constrained baseline, parameter sets in the SDP alone.
    H264,
    /// Motion JPEG: what the box does not forward.
    Jpeg,
}

/// How the audio is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audio {
    Aac,
    Pcmu,
    Pcma,
}

impl Default for Video {
    /// 640x360 at 15 fps, a keyframe each second.
    fn default() -> Video {
        Video { codec: VideoCodec::H264, width: 640, height: 360, fps: 15, gop: 15, kbps: 500 }
    }
}

impl Video {
    /// 1280x720 at 30 fps and 1.5 Mbit/s, for benchmarks; a keyframe every `gop_s` seconds.
    pub fn bench(gop_s: usize) -> Video {
        Video { width: 1280, height: 720, fps: 30, gop: 30 * gop_s, kbps: 1500, ..Video::default() }
    }
}

impl Default for Options {
    /// The usual camera: small H.264 and AAC, any port, `/cam`, open to all.
    fn default() -> Options {
        let (digest, transports, resize) = Default::default();
        let (path, video, audio) = ("/cam".into(), Some(Video::default()), Some(Audio::Aac));
        Options { port: 0, path, auth: None, digest, transports, resize, video, audio }
    }
}

/// How the program is called.
pub const USAGE: &str = "viduct-test-camera [--port N] [--path /P] [--auth basic|digest USER:PASSWORD] [--video h264|jpeg|none]
  [--size WxH] [--fps N] [--gop FRAMES] [--kbps N] [--audio aac|pcmu|pcma|none] [--no-video] [--no-audio]
  [--transport both|udp|tcp] [--resize SECONDS:WxH]";

/// The arguments make no sense; the text says which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadArgument(pub String);

impl fmt::Display for BadArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{USAGE}", self.0)
    }
}

impl std::error::Error for BadArgument {}

impl Options {
    /// Reads the arguments of the program; what is not given is as in [`Options::default`].
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Options, BadArgument> {
        let mut options = Options::default();
        let mut video = Video::default();
        let (mut has_video, mut args) = (true, args.into_iter());
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| BadArgument(format!("{name} needs a value")));
            match name.as_str() {
                "--port" => options.port = number(&name, &value()?)?,
                "--path" => options.path = Some(value()?).filter(|path| path.starts_with('/')).ok_or_else(|| bad(&name))?,
                "--auth" => {
                    options.digest = match value()?.as_str() {
                        "basic" => false,
                        "digest" => true,
                        _ => return Err(bad(&name)),
                    };
                    let (user, password) = value()?.split_once(':').map(|(u, p)| (u.into(), p.into())).ok_or_else(|| bad(&name))?;
                    options.auth = Some((user, password));
                }
                "--size" => {
                    let (width, height) = value()?.split_once('x').map(|(w, h)| (w.to_owned(), h.to_owned())).ok_or_else(|| bad(&name))?;
                    (video.width, video.height) = (number(&name, &width)?, number(&name, &height)?);
                }
                "--fps" => video.fps = number(&name, &value()?)?,
                "--gop" => video.gop = number(&name, &value()?)?,
                "--kbps" => video.kbps = number(&name, &value()?)?,
                "--video" => match value()?.as_str() {
                    "h264" => video.codec = VideoCodec::H264,
                    "jpeg" => video.codec = VideoCodec::Jpeg,
                    "none" => has_video = false,
                    _ => return Err(bad(&name)),
                },
                "--audio" => {
                    options.audio = match value()?.as_str() {
                        "aac" => Some(Audio::Aac),
                        "pcmu" => Some(Audio::Pcmu),
                        "pcma" => Some(Audio::Pcma),
                        "none" => None,
                        _ => return Err(bad(&name)),
                    }
                }
                "--transport" => {
                    options.transports = match value()?.as_str() {
                        "both" => Transports::Both,
                        "udp" => Transports::Udp,
                        "tcp" => Transports::Tcp,
                        _ => return Err(bad(&name)),
                    }
                }
                "--resize" => {
                    let value = value()?;
                    let parts = value.split_once(':').and_then(|(after, size)| Some((after, size.split_once('x')?)));
                    let (after, (width, height)) = parts.ok_or_else(|| bad(&name))?;
                    let (after_s, width, height) = (number(&name, after)?, number(&name, width)?, number(&name, height)?);
                    options.resize = Some(Resize { after_s, width, height });
                }
                "--no-video" => has_video = false,
                "--no-audio" => options.audio = None,
                _ => return Err(BadArgument(format!("{name} is not known"))),
            }
        }
        let sizes_fit = [video.width, video.height].into_iter().all(|size| size.is_multiple_of(2) && (64..=4096).contains(&size));
        if !sizes_fit || !(1..=60).contains(&video.fps) || video.gop == 0 || video.kbps == 0 {
            return Err(BadArgument("the video cannot be encoded like that".into()));
        }
        options.video = has_video.then_some(video);
        match (&options.video, options.audio) {
            (None, None) => Err(BadArgument("neither video nor audio".into())),
            _ => Ok(options),
        }
    }

    /// The arguments that [`Options::parse`] turns into this.
    pub fn to_args(&self) -> Vec<String> {
        let mut args: Vec<String> = vec!["--port".into(), self.port.to_string(), "--path".into(), self.path.clone()];
        if let Some((user, password)) = &self.auth {
            let how = if self.digest { "digest" } else { "basic" };
            args.extend(["--auth".into(), how.into(), format!("{user}:{password}")]);
        }
        match self.transports {
            Transports::Both => {}
            Transports::Udp => args.extend(["--transport".into(), "udp".into()]),
            Transports::Tcp => args.extend(["--transport".into(), "tcp".into()]),
        }
        if let Some(Resize { after_s, width, height }) = self.resize {
            args.extend(["--resize".into(), format!("{after_s}:{width}x{height}")]);
        }
        let mut add = |name: &str, value: String| args.extend([name.to_owned(), value]);
        match &self.video {
            Some(video) => {
                let codec = match video.codec {
                    VideoCodec::H264 => "h264",
                    VideoCodec::Jpeg => "jpeg",
                };
                add("--video", codec.into());
                add("--size", format!("{}x{}", video.width, video.height));
                add("--fps", video.fps.to_string());
                add("--gop", video.gop.to_string());
                add("--kbps", video.kbps.to_string());
            }
            None => add("--video", "none".into()),
        }
        let audio = match self.audio {
            Some(Audio::Aac) => "aac",
            Some(Audio::Pcmu) => "pcmu",
            Some(Audio::Pcma) => "pcma",
            None => "none",
        };
        add("--audio", audio.into());
        args
    }
}

fn bad(name: &str) -> BadArgument {
    BadArgument(format!("the value of {name} is wrong"))
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, BadArgument> {
    value.parse().map_err(|_| bad(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, BadArgument> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_and_options_are_the_same_thing() {
        let table = [
            Options::default(),
            Options { port: 8554, path: "/a/b".into(), auth: Some(("u".into(), "p:w".into())), ..Options::default() },
            Options { video: None, audio: Some(Audio::Pcma), ..Options::default() },
            Options { auth: Some(("u".into(), "p".into())), digest: true, transports: Transports::Udp, ..Options::default() },
            Options { resize: Some(Resize { after_s: 3, width: 320, height: 180 }), ..Options::default() },
            Options { video: Some(Video::bench(10)), audio: None, ..Options::default() },
            Options { video: Some(Video { codec: VideoCodec::Jpeg, ..Video::default() }), audio: Some(Audio::Pcmu), ..Options::default() },
        ];
        for options in table {
            assert_eq!(Options::parse(options.to_args()), Ok(options));
        }
        assert_eq!(parse(""), Ok(Options::default()));
        assert_eq!(parse("--no-audio --gop 150").unwrap().audio, None);
    }

    #[test]
    fn nonsense_is_refused() {
        let lines = [
            "--what",
            "--port",
            "--port x",
            "--path cam",
            "--auth kerberos u:p",
            "--transport sctp",
            "--resize 3",
            "--auth basic up",
            "--size 640",
            "--size 641x360",
            "--fps 0",
            "--gop 0",
            "--video vhs",
            "--audio mp3",
            "--no-video --no-audio",
        ];
        for line in lines {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
