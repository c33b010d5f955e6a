//! What POST recordings/start may ask for, checked in the order of rest.md §10.2, steps 9 to 16; what it leaves out is the
//! session's default. Pure.

use super::body::{Fields, lenient_number};
use super::error::Failure;
use super::session_body::LAYOUTS;
use crate::recording::{Picture, Plan, Resolution};
use crate::session::properties::{RecordingOutput, RecordingProperties};
use axum::http::StatusCode;

/// Longest name, in bytes: it becomes that of a file.
const NAME: usize = 200;
/// Least `shmSize`, in bytes.
const SHM: i64 = 134_217_728;
/// What the errors of these steps say their path is.
const PATH: &str = "/openvidu/api/sessions";

/// What is wanted, request and session default together.
struct Wish {
    name: String,
    audio: bool,
    video: bool,
    mode: Mode,
    layout: String,
    resolution: String,
    frame_rate: i64,
    shm_size: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Composed,
    QuickStart,
    Individual,
}

/// The plan of a recording. Errors: 400 wrong types and words, 422 values out of range, 501 what this box does not record.
pub fn parse(fields: &Fields, default: &RecordingProperties) -> Result<Plan, Failure> {
    wish(fields, default).and_then(|wish| plan(&wish)).map_err(|failure| failure.with_path(PATH))
}

fn wish(fields: &Fields, default: &RecordingProperties) -> Result<Wish, Failure> {
    // step 9: types, before any value is looked at
    let name = fields.string("name")?;
    let (audio, video) = (fields.boolean("hasAudio")?, fields.boolean("hasVideo")?);
    let (mode, layout) = (fields.string("outputMode")?, fields.string("recordingLayout")?);
    fields.string("customLayout")?;
    let (resolution, frame_rate) = (fields.string("resolution")?, fields.whole("frameRate")?);
    let shm_size = fields
        .get("shmSize")
        .map(|size| lenient_number(size).ok_or_else(|| Failure::bad("Type error in some parameter: 'shmSize' must be a number")))
        .transpose()?;
    fields.boolean("ignoreFailedStreams")?;

    let fallback = RecordingProperties::default().output;
    let (usual, usual_mode) = match &default.output {
        RecordingOutput::Composed { quick_start, .. } => (&default.output, if *quick_start { Mode::QuickStart } else { Mode::Composed }),
        RecordingOutput::Individual { .. } => (&fallback, Mode::Individual),
    };
    let (layout_default, resolution_default, rate_default, shm_default) = match usual {
        RecordingOutput::Composed { layout, resolution, frame_rate, shm_size, .. } => {
            (layout.clone(), resolution.clone(), *frame_rate, *shm_size)
        }
        RecordingOutput::Individual { .. } => Default::default(),
    };
    // step 10
    let name = name.filter(|name| !name.is_empty()).unwrap_or(&default.name).to_owned();
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        return Err(Failure::bad("Parameter 'name' is wrong. Must be an alphanumeric string [a-zA-Z0-9_-]+"));
    }
    if name.len() > NAME {
        return Err(Failure::bad(format!("Parameter 'name' is wrong. Must not be longer than {NAME} characters")));
    }
    // step 11
    let (audio, video) = (audio.unwrap_or(default.has_audio), video.unwrap_or(default.has_video));
    if !audio && !video {
        return Err(out_of_range("Cannot start a recording with both \"hasAudio\" and \"hasVideo\" set to false"));
    }
    // step 12; quick start can only be chosen with the session
    let mode = match mode {
        None => usual_mode,
        Some("INDIVIDUAL") => Mode::Individual,
        Some("COMPOSED" | "COMPOSED_QUICK_START") if usual_mode == Mode::QuickStart => Mode::QuickStart,
        Some("COMPOSED" | "COMPOSED_QUICK_START") => Mode::Composed,
        Some(_) => return Err(Failure::bad("Type error in parameter 'outputMode'")),
    };
    Ok(Wish {
        name,
        audio,
        video,
        mode,
        layout: layout.map_or(layout_default, str::to_owned),
        resolution: resolution.map_or(resolution_default, str::to_owned),
        frame_rate: frame_rate.unwrap_or(rate_default),
        shm_size: shm_size.unwrap_or(shm_default),
    })
}

/// Steps 13 to 16, and what is not made here yet.
fn plan(wish: &Wish) -> Result<Plan, Failure> {
    if wish.mode == Mode::Individual {
        return Err(not_made("outputMode INDIVIDUAL is not recorded by this version; use COMPOSED"));
    }
    if !LAYOUTS.contains(&wish.layout.as_str()) {
        return Err(Failure::bad("Type error in parameter 'recordingLayout'"));
    }
    let range = "Wrong 'resolution' parameter. Acceptable values from 100 to 1999 for both width and height, \
        and 'frameRate' from 1 to 120";
    let resolution = Resolution::parse(&wish.resolution).ok_or_else(|| out_of_range(range))?;
    let frame_rate = u32::try_from(wish.frame_rate).ok().filter(|rate| (1..=120).contains(rate)).ok_or_else(|| out_of_range(range))?;
    if wish.shm_size < SHM {
        return Err(out_of_range("Wrong 'shmSize' parameter. Must be 134217728 (128 MB) or more"));
    }
    match wish {
        Wish { mode: Mode::QuickStart, .. } => {
            Err(not_made("outputMode COMPOSED_QUICK_START is not recorded by this version; use COMPOSED"))
        }
        Wish { video: true, layout, .. } if layout != "BEST_FIT" => {
            Err(not_made("this version records with recordingLayout BEST_FIT only"))
        }
        _ => Ok(Plan {
            name: Some(wish.name.clone()).filter(|name| !name.is_empty()),
            audio: wish.audio,
            video: wish.video.then_some(Picture { resolution, frame_rate }),
        }),
    }
}

fn out_of_range(message: &str) -> Failure {
    Failure::bad(message).with_status(StatusCode::UNPROCESSABLE_ENTITY)
}

fn not_made(message: &str) -> Failure {
    Failure::own(StatusCode::NOT_IMPLEMENTED, message)
}
