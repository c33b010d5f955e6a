//! What the world is told of a recording (events.md §4): a pure translation, and the way it goes.

use super::plan::{Picture, Recording, Status};
use crate::events::record::{self, Moment, Step};
use crate::events::{Bus, Record};
use crate::ids::MediaNodeId;

/// The way of recordings to the world. Cheap to clone; the default reaches nobody.
#[derive(Clone, Default, Debug)]
pub struct Teller {
    events: Bus,
    media_node: Option<MediaNodeId>,
}

impl Teller {
    /// Tells over `events`. `media_node`: where recordings are made, as the world knows it; `None` where there are no media nodes.
    pub fn new(events: Bus, media_node: Option<MediaNodeId>) -> Teller {
        Teller { events, media_node }
    }

    /// The record of the step a recording has come to at `at` (ms since 1970); `None` when that is none the world hears of. `reason`:
    /// why it stopped.
    pub fn record(&self, recording: &Recording, reason: Option<&'static str>, at: u64) -> Option<Record> {
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
            media_node: self.media_node.clone(),
            audio: recording.audio,
            video: recording.video.is_some(),
            step,
            reason,
        };
        Some(Record::RecordingStatusChanged(moment, told))
    }

    /// Tells it.
    pub fn say(&self, record: Record) {
        self.events.say(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::metadata::tests::recording;

    #[test]
    fn the_node_is_named_where_there_are_such() {
        for node in [None, Some(MediaNodeId::from("media_1"))] {
            let teller = Teller::new(Bus::default(), node.clone());
            for status in Status::ALL {
                match teller.record(&recording(status), None, 5) {
                    None => assert_eq!(status, Status::Starting),
                    Some(Record::RecordingStatusChanged(_, told)) => assert_eq!(told.media_node, node),
                    Some(other) => panic!("{other:?}"),
                }
            }
        }
    }
}
