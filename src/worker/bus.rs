//! The one translator of bus messages: what ends a job, and as which kind of failure. Decided by code, never by text.

use crate::wire::control::{Failure, FailureKind};
use gstreamer::glib::Error;
use gstreamer::prelude::*;
use gstreamer::{CoreError, Message, MessageView, ResourceError, StreamError};

/// The failure a message stands for, or `None` when the job goes on. The end of a live source is a failure too. A camera that
/// closes its connection says so by a warning before anything else.
pub fn translate(message: &Message) -> Option<Failure> {
    let (kind, text) = match message.view() {
        MessageView::Error(error) => (kind_of(&error.error()), error.error().message().to_owned()),
        MessageView::Warning(warning) if warning.error().matches(ResourceError::Read) => {
            (FailureKind::Ended, warning.error().message().to_owned())
        }
        MessageView::Eos(_) => (FailureKind::Ended, "end of stream".to_owned()),
        _ => return None,
    };
    let text = match message.src() {
        Some(source) => format!("{}: {text}", source.name()),
        None => text,
    };
    Some(Failure { kind, text })
}

fn kind_of(error: &Error) -> FailureKind {
    if let Some(error) = error.kind::<ResourceError>() {
        return match error {
            ResourceError::NotFound => FailureKind::NotFound,
            ResourceError::NotAuthorized => FailureKind::Unauthorized,
            ResourceError::OpenRead | ResourceError::OpenWrite | ResourceError::OpenReadWrite => FailureKind::Refused,
            ResourceError::Read | ResourceError::Write | ResourceError::Close => FailureKind::Ended,
            _ => FailureKind::Pipeline,
        };
    }
    match error.kind::<StreamError>() {
        Some(StreamError::CodecNotFound | StreamError::WrongType | StreamError::TypeNotFound | StreamError::NotImplemented) => {
            return FailureKind::Unsupported;
        }
        // what a camera sends and an element cannot go on with
        Some(StreamError::Decode | StreamError::Demux | StreamError::Format | StreamError::Failed) => return FailureKind::Ended,
        _ => {}
    }
    match error.kind::<CoreError>() {
        Some(CoreError::MissingPlugin) => FailureKind::Unsupported,
        _ => FailureKind::Pipeline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gstreamer::message;

    #[test]
    fn each_code_has_its_kind() {
        gstreamer::init().unwrap();
        let table = [
            (message::Error::new(ResourceError::NotFound, "x"), FailureKind::NotFound),
            (message::Error::new(ResourceError::NotAuthorized, "x"), FailureKind::Unauthorized),
            (message::Error::new(ResourceError::OpenReadWrite, "x"), FailureKind::Refused),
            (message::Error::new(ResourceError::Read, "x"), FailureKind::Ended),
            (message::Error::new(ResourceError::Write, "x"), FailureKind::Ended),
            (message::Error::new(ResourceError::Settings, "x"), FailureKind::Pipeline),
            (message::Error::new(StreamError::Failed, "x"), FailureKind::Ended),
            (message::Error::new(StreamError::CodecNotFound, "x"), FailureKind::Unsupported),
            (message::Error::new(CoreError::MissingPlugin, "x"), FailureKind::Unsupported),
            (message::Error::new(CoreError::Negotiation, "x"), FailureKind::Pipeline),
            (message::Warning::new(ResourceError::Read, "x"), FailureKind::Ended),
            (message::Eos::new(), FailureKind::Ended),
        ];
        for (message, kind) in table {
            assert_eq!(translate(&message).map(|failure| failure.kind), Some(kind), "{message:?}");
        }
    }

    #[test]
    fn other_messages_end_nothing() {
        gstreamer::init().unwrap();
        for message in
            [message::Warning::new(ResourceError::Settings, "x"), message::Latency::new(), message::Info::new(CoreError::Clock, "x")]
        {
            assert_eq!(translate(&message), None, "{message:?}");
        }
    }

    #[test]
    fn the_text_names_the_element() {
        gstreamer::init().unwrap();
        let element = gstreamer::Pipeline::with_name("source");
        let message = message::Error::builder(ResourceError::NotFound, "Not Found (404)").src(&element).build();
        assert_eq!(translate(&message).unwrap().to_string(), "404 not found: source: Not Found (404)");
    }
}
