//! What records say of a session's people and streams. Pure translation.

use super::connection::Connection;
use super::stream::{Source, Stream};
use crate::events::record::{Camera, Participant, Stream as Told, Video};

/// Somebody who has joined.
pub(super) fn participant(connection: &Connection) -> Option<Participant> {
    let active = connection.active()?;
    Some(Participant {
        connection: connection.id.clone(),
        ip: active.ip,
        platform: active.platform.clone(),
        client_data: active.client_data.clone(),
        server_data: connection.server_data.clone(),
    })
}

/// A stream as it is now. The address of a camera goes without its password, and without what may be one.
pub(super) fn stream(stream: &Stream) -> Told {
    let info = &stream.info;
    let video = || Video { source: info.type_of_video.clone(), frame_rate: info.frame_rate, dimensions: info.video_dimensions.clone() };
    let camera = match &stream.source {
        Source::Camera(camera) => Some(Camera {
            rtsp_uri: camera.properties.camera.to_string(),
            adaptative_bitrate: camera.properties.adaptative_bitrate,
            network_cache: camera.properties.network_cache,
            only_play_with_subscribers: camera.properties.only_play_with_subscribers,
        }),
        _ => None,
    };
    Told { id: info.stream.clone(), audio: info.has_audio, video: info.has_video.then(video), camera }
}
