//! This box as a media node: where it is reached, and what the world is told of its steps and of its death.

use crate::clock::Clock;
use crate::cluster::{Cluster, Node, Status, Strategy, Teller};
use crate::config::{Config, Value};
use crate::events::record::{Crash, MediaNode};
use crate::events::{Bus, Record};
use crate::ids::{MediaNodeId, RecordingId};
use crate::recording::Recordings;
use crate::session::Registry;
use crate::session::notice::EndReason;
use std::net::IpAddr;

/// This box alone, as the media node `id`, on a cluster that tells of its steps.
pub fn cluster(config: &Config, lan: &[IpAddr], id: MediaNodeId, events: Bus, clock: Clock) -> Cluster {
    // the address of the local network, if it has one
    let host = lan.first().map_or_else(|| config.domain.clone(), IpAddr::to_string);
    let cluster = cluster_id(config);
    let tell = move |node: &Node, from: Option<Status>| {
        events.say(Record::MediaNodeStatusChanged(MediaNode {
            at: clock.unix_ms(),
            id: node.id.to_string(),
            environment: node.environment_id.clone(),
            ip: node.ip.clone(),
            uri: node.uri.clone(),
            to: node.status.as_str(),
            from: from.map(Status::as_str),
            cluster: cluster.clone(),
        }));
    };
    Cluster::alone(id, &host, clock, Teller::new(tell))
}

/// The media thread has died, and with it all that this node carried: the world hears of that first, then of the end of each session,
/// then of the node's (events.md §6). For the stop of the box.
pub async fn crashed(config: &Config, registry: &Registry, recordings: Option<&Recordings>, events: &Bus, clock: Clock) {
    let cluster = registry.cluster();
    let node = cluster.node(cluster.own_id());
    if let Ok(node) = &node {
        events.say(Record::NodeCrashed(Crash {
            at: clock.unix_ms(),
            id: node.id.to_string(),
            environment: node.environment_id.clone(),
            ip: node.ip.clone(),
            uri: node.uri.clone(),
            sessions: registry.all().iter().filter(|session| session.snapshot().active).map(|session| session.id().clone()).collect(),
            recordings: recordings.map(unfinished).unwrap_or_default(),
            cluster: cluster_id(config),
        }));
    }
    registry.close_all(EndReason::NodeCrashed).await;
    if let Some(recordings) = recordings {
        recordings.finished().await;
    }
    if let Err(error) = node.and_then(|node| cluster.remove(&node.id, Strategy::Now)) {
        tracing::debug!(%error, "the node was on its way out already");
    }
}

fn unfinished(recordings: &Recordings) -> Vec<RecordingId> {
    let all = recordings.library().list();
    all.iter().filter(|recording| !recording.status.is_final()).map(|recording| recording.id.clone()).collect()
}

fn cluster_id(config: &Config) -> String {
    config.value("OPENVIDU_PRO_CLUSTER_ID").and_then(Value::text).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use crate::events::Ear;
    use crate::session::properties::CameraProperties;
    use crate::session::{Command, SessionProperties, Settings};
    use crate::wire::camera::CameraSpec;
    use crate::{engine, jobs};
    use std::collections::BTreeMap;

    #[tokio::test]
    async fn the_death_of_the_media_thread_is_told_before_all_that_comes_of_it() {
        let config = load(&Sources { demo: true, ..Sources::of(&BTreeMap::new()) }).unwrap().config;
        let (bus, mut ear) = Ear::listening();
        let cluster = cluster(&config, &["192.0.2.7".parse().unwrap()], "media_A".into(), bus.clone(), Clock::System);
        let (engine, commands, _) = engine::Handle::channel().unwrap();
        let (jobs, _commands) = jobs::Handle::channel();
        let settings = Settings { cluster, events: bus.clone(), ..Settings::default() };
        let registry = Registry::new(settings, engine, jobs, None, Clock::System);
        let session = |id: &str| registry.create(SessionProperties { custom_session_id: Some(id.into()), ..pending() }).unwrap();
        let _pending = session("pending");
        let properties = CameraProperties {
            rtsp_uri: "rtsp://192.0.2.9/x".into(),
            camera: CameraSpec::parse("rtsp://192.0.2.9/x", 0, false).unwrap().spec,
            record: true,
            data: String::new(),
            adaptative_bitrate: true,
            only_play_with_subscribers: true,
            network_cache: 0,
        };
        session("gate").ask(|answer| Command::AddCamera { properties, answer }).await.unwrap();
        ear.heard();
        drop(commands);
        crashed(&config, &registry, None, &bus, Clock::System).await;
        assert!(registry.all().is_empty() && !registry.cluster().is_up());
        let told = ear.heard();
        let step = |record: &Record| match record {
            Record::NodeCrashed(crash) => format!("crash of {} with {:?}", crash.id, crash.sessions),
            Record::WebrtcConnectionDestroyed(_, end, _) => format!("stream {}", end.reason),
            Record::ParticipantLeft(_, end, _) => format!("participant {}", end.reason),
            Record::SessionDestroyed(_, end) => format!("session {}", end.reason),
            Record::MediaNodeStatusChanged(node) => node.to.to_owned(),
            other => other.name().to_owned(),
        };
        assert_eq!(
            told.iter().map(|record| step(record)).collect::<Vec<_>>(),
            [
                "crash of media_A with [gate]",
                "stream nodeCrashed",
                "participant nodeCrashed",
                "session nodeCrashed",
                "terminating",
                "terminated"
            ]
        );
    }

    fn pending() -> SessionProperties {
        SessionProperties {
            media_mode: Default::default(),
            recording_mode: Default::default(),
            default_recording: Default::default(),
            custom_session_id: None,
            forced_video_codec: Default::default(),
            allow_transcoding: false,
            media_node: None,
            old_recording_keys: false,
        }
    }
}
