//! What the world is told of a recording (events.md §4). Pure translation.

use super::plan::{Picture, Recording, Status};
use crate::events::Record;
use crate::events::record::{self, Moment, Step};

/// The record of the step a recording has come to at `at` (ms since 1970); `None` when that is none the world hears of. `reason`: why
/// it stopped.
pub fn record(recording: &Recording, reason: Option<&'static str>, at: u64) -> Option<Record> {
    let step = match recording.status {
        Status::Starting => return None,
        Status::Started => Step::Started,
        Status::Stopped => Step::Stopped,
        Status::Ready => Step::Ready,
        Status::Failed => Step::Failed,
    };
    let picture = recording.video.map(|Picture { resolution, frame_rate }| record::Picture {
        resolution: resolution.to_string(),
        frame_rate,
        layout: "BEST_FIT".into(),
        custom_layout: None,
    });
    let at = if step == Step::Started { recording.created_at } else { at };
    let moment = Moment { session: recording.session.clone(), unique_session: recording.unique_session.as_str().into(), at };
    let told = record::Recording {
        id: recording.id.clone(),
        name: recording.name.clone(),
        created_at: recording.created_at,
        duration_ms: recording.duration_ms,
        size: recording.size,
        output_mode: "COMPOSED",
        picture,
        audio: recording.audio,
        video: recording.video.is_some(),
        step,
        reason,
    };
    Some(Record::RecordingStatusChanged(moment, told))
}
