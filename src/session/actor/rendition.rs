//! Renditions: which picture a viewer gets, and transcoders, which start with the first who needs one and end after the last
//! (signaling.md §8.5).
//!
//! A viewer gets what is published if its offer takes it, whatever the forced codec is. Each turn ends with a look at who watches
//! what, so nobody who leaves has to think of it.

use super::Actor;
use crate::ids::{ConnectionId, TrackId};
use crate::jobs;
use crate::jobs::budget::{Load, Work};
use crate::rtp::{Codec, Format};
use crate::session::below::Tracks;
use crate::session::error::Denied;
use crate::session::lifecycle::Timer;
use crate::session::properties::ForcedCodec;
use crate::session::rendition::{Rendition, Step, View};
use crate::session::stream::{self, Source, Stream};
use crate::wire::transcode::TranscodeSpec;

impl Actor {
    /// The tracks that an offer gets of what `publisher` publishes. Errors: it takes nothing that it may have, or the board cannot
    /// carry the transcoder it needs.
    pub(super) fn tracks_for(&mut self, publisher: &ConnectionId, offer: &str) -> Result<(Tracks, View), Denied> {
        let live = self.roster.get(publisher).and_then(|connection| connection.live()).ok_or_else(|| self.unknown(publisher))?;
        let (tracks, mut view) = (live.tracks, View::of(offer, live.codec));
        let Some(codec) = view.rendition.filter(|_| tracks.video.is_some()) else {
            view.rendition = None;
            return Ok((tracks, view));
        };
        let video = Some(self.rendition(publisher, codec)?);
        Ok((Tracks { video, ..tracks }, view))
    }

    /// The first packets of an epoch. A source that came in another codec than was thought moves its viewers.
    pub(super) fn on_track_live(&mut self, track: TrackId, format: Format) {
        tracing::debug!(session = %self.id, ?track, ?format, "media flows");
        let of = |stream: &Stream| stream.tracks.video == Some(track);
        let Some(publisher) = self.roster.active().find(|connection| connection.live().is_some_and(of)).map(|c| c.id.clone()) else {
            return;
        };
        let live = self.roster.get(&publisher).and_then(|connection| connection.live());
        if live.is_none_or(|stream| stream.codec == format.codec) {
            return;
        }
        let stream = self.roster.get_mut(&publisher).and_then(|connection| connection.active_mut()?.publishing.live_mut());
        stream.into_iter().for_each(|stream| stream.codec = format.codec);
        self.move_viewers(&publisher, track, format.codec);
    }

    /// Gives each viewer what is best for it now.
    fn move_viewers(&mut self, publisher: &ConnectionId, source: TrackId, codec: Codec) {
        for (peer, view) in self.below.views(publisher) {
            let best = view.best(codec);
            if best == view.rendition {
                continue;
            }
            let track_of = |actor: &mut Actor, rendition: Option<Codec>| match rendition {
                Some(codec) => actor.rendition(publisher, codec),
                None => Ok(source),
            };
            match (track_of(self, view.rendition), track_of(self, best)) {
                (Ok(from), Ok(to)) => self.below.retune(peer, from, to, best),
                (_, Err(denied)) | (Err(denied), _) => {
                    tracing::warn!(session = %self.id, %publisher, ?peer, %denied, "a viewer does not take what is published now");
                }
            }
        }
    }

    /// The track of a rendition, which is made if there is none.
    fn rendition(&mut self, publisher: &ConnectionId, codec: Codec) -> Result<TrackId, Denied> {
        let live = self.roster.get(publisher).and_then(|connection| connection.live()).ok_or_else(|| self.unknown(publisher))?;
        if let Some(track) = live.renditions.track(codec) {
            return Ok(track);
        }
        self.may_be_transcoded(live)?;
        let load = Load { work: Work::Transcode(codec), pixels: stream::pixels(&live.info) };
        let transcoding = self.settings.transcoding;
        let max_kbps = if transcoding.max_kbps == 0 { u32::MAX } else { transcoding.max_kbps };
        let spec = TranscodeSpec { to: codec, min_kbps: transcoding.min_kbps, max_kbps, hardware: transcoding.hardware, avoid: Vec::new() };
        let (track, job) = self.below.start_rendition(publisher, spec, load)?;
        tracing::info!(session = %self.id, %publisher, codec = codec.name(), "transcoding for viewers who take nothing else");
        let stream = self.roster.get_mut(publisher).and_then(|connection| connection.active_mut()?.publishing.live_mut());
        stream.into_iter().for_each(|stream| stream.renditions.made(codec, track, job));
        Ok(track)
    }

    /// A camera always. What a client publishes in the forced codec is for those who take that, unless the session allows more.
    fn may_be_transcoded(&self, stream: &Stream) -> Result<(), Denied> {
        let forced = self.properties.forced_video_codec != ForcedCodec::None;
        match stream.source {
            Source::Client { .. } if forced && !self.properties.allow_transcoding => {
                let text = "the SDP offer does not have the codec that this session forces, and transcoding is not allowed in it";
                Err(Denied::NoCodec(format!("{text} ({})", stream.codec.name())))
            }
            Source::Client { .. } | Source::Camera(_) => Ok(()),
        }
    }

    /// What a supervisor said about the job of a rendition of `publisher`: each process is given the source from its cache on.
    pub(super) fn on_rendition_job(&mut self, publisher: &ConnectionId, event: &jobs::Event) {
        let source = self.roster.get(publisher).and_then(|connection| connection.live()).and_then(|stream| stream.tracks.video);
        match (event, source) {
            (jobs::Event::Started { job }, Some(source)) => self.below.give(*job, source),
            (jobs::Event::Down { job, .. }, _) => self.below.withhold(*job),
            _ => {}
        }
    }

    /// Who watches which rendition may have changed.
    pub(super) fn review_renditions(&mut self) {
        let has_some = |stream: &Stream| !stream.renditions.is_empty();
        let publishers = self.roster.active().filter(|connection| connection.live().is_some_and(has_some));
        let steps = publishers.flat_map(|connection| {
            let viewers = |codec| self.below.views(&connection.id).iter().filter(|(_, view)| view.rendition == Some(codec)).count();
            let steps = connection.live().map(|stream| stream.renditions.review(viewers)).unwrap_or_default();
            steps.into_iter().map(|(codec, step)| (connection.id.clone(), codec, step))
        });
        for (publisher, codec, step) in steps.collect::<Vec<_>>() {
            let stream = self.roster.get_mut(&publisher).and_then(|connection| connection.active_mut()?.publishing.live_mut());
            stream.into_iter().for_each(|stream| stream.renditions.done(codec, step));
            let timer = Timer::Rendition(publisher, codec);
            match step {
                Step::Linger => self.timers.set(timer, self.clock.now() + self.settings.rendition_linger),
                Step::Resume => self.timers.clear(&timer),
            }
        }
    }

    /// Nobody watched a rendition for its time.
    pub(super) fn on_rendition_timer(&mut self, publisher: &ConnectionId, codec: Codec) {
        let stream = self.roster.get_mut(publisher).and_then(|connection| connection.active_mut()?.publishing.live_mut());
        if let Some(over) = stream.and_then(|stream| stream.renditions.timeout(codec)) {
            self.end_rendition(publisher, codec, over);
        }
    }

    /// Ends the transcoder and its track.
    pub(super) fn end_rendition(&mut self, publisher: &ConnectionId, codec: Codec, rendition: Rendition) {
        self.timers.clear(&Timer::Rendition(publisher.clone(), codec));
        self.below.stop_job(rendition.job);
        self.below.remove_tracks(Tracks { audio: None, video: Some(rendition.track) });
    }
}
