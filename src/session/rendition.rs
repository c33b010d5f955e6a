//! Renditions: a stream's video in codecs it is not published in, each made once for all viewers who need it, while there are any.
//! Pure; the actor acts.
//!
//! ```text
//!             a viewer who takes nothing else        nobody            5 s
//!   (none) ──────────────────────────────────> Made ───────> Lingering ───> (none)
//!                                                ^──somebody────┘
//! ```

use crate::engine::negotiate;
use crate::ids::{JobId, TrackId};
use crate::rtp::{Codec, Kind};
use std::collections::BTreeMap;

/// What a viewer can take as video, and what it gets.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct View {
    /// In the order of its offer; none when it asks for no video.
    pub takes: Vec<Codec>,
    /// The codec of the rendition it gets; `None`: the stream as it is published.
    pub rendition: Option<Codec>,
}

impl View {
    /// What an offer takes, and what is best for it of a stream in `source`: that, if the viewer takes it. One that takes no video
    /// at all gets the stream too, and the engine's word on it.
    pub fn of(offer: &str, source: Codec) -> View {
        let takes: Vec<Codec> = negotiate::accepts(offer).into_iter().filter(|codec| codec.kind() == Kind::Video).collect();
        let rendition = best(&takes, source);
        View { takes, rendition }
    }

    /// What would be best if the stream were in `source`.
    pub fn best(&self, source: Codec) -> Option<Codec> {
        best(&self.takes, source)
    }
}

fn best(takes: &[Codec], source: Codec) -> Option<Codec> {
    takes.first().copied().filter(|_| !takes.contains(&source))
}

/// A stream's video in one other codec.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rendition {
    pub track: TrackId,
    pub job: JobId,
    lingers: bool,
}

/// All of one stream, by codec.
#[derive(Clone, PartialEq, Default, Debug)]
pub(super) struct Renditions(BTreeMap<Codec, Rendition>);

/// What has to be done about one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Set its timer.
    Linger,
    /// Clear it: somebody watches again.
    Resume,
}

impl Renditions {
    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The track of one.
    pub fn track(&self, codec: Codec) -> Option<TrackId> {
        self.0.get(&codec).map(|rendition| rendition.track)
    }

    /// One was made.
    pub fn made(&mut self, codec: Codec, track: TrackId, job: JobId) {
        self.0.insert(codec, Rendition { track, job, lingers: false });
    }

    /// What has to be done when each has so many viewers.
    pub fn review(&self, viewers: impl Fn(Codec) -> usize) -> Vec<(Codec, Step)> {
        let step = |(codec, rendition): (&Codec, &Rendition)| match (viewers(*codec) > 0, rendition.lingers) {
            (false, false) => Some((*codec, Step::Linger)),
            (true, true) => Some((*codec, Step::Resume)),
            (true, false) | (false, true) => None,
        };
        self.0.iter().filter_map(step).collect()
    }

    /// That was done.
    pub fn done(&mut self, codec: Codec, step: Step) {
        if let Some(rendition) = self.0.get_mut(&codec) {
            rendition.lingers = step == Step::Linger;
        }
    }

    /// The time of one is over: it is gone if nobody came back, and has to be ended.
    pub fn timeout(&mut self, codec: Codec) -> Option<Rendition> {
        if self.0.get(&codec).is_some_and(|rendition| rendition.lingers) { self.0.remove(&codec) } else { None }
    }

    /// All of them; there are none after this.
    pub fn take_all(&mut self) -> BTreeMap<Codec, Rendition> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionKey;
    use proptest::prelude::*;

    const H264: Codec = Codec::H264;
    const VP8: Codec = Codec::Vp8;

    #[test]
    fn what_a_viewer_takes_is_never_transcoded() {
        let view = |takes: &[Codec]| View { takes: takes.to_vec(), rendition: None };
        for (takes, source, best) in [
            (&[H264, VP8][..], H264, None),
            (&[H264, VP8], VP8, None),
            (&[VP8], H264, Some(VP8)),
            (&[H264], VP8, Some(H264)),
            (&[VP8], VP8, None),
            (&[], H264, None),
        ] {
            assert_eq!(view(takes).best(source), best, "{takes:?} {source:?}");
        }
    }

    #[test]
    fn an_offer_tells_what_it_takes() {
        let offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
                     m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n\
                     m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";
        assert_eq!(View::of(offer, H264), View { takes: vec![VP8], rendition: Some(VP8) });
        assert_eq!(View::of(offer, VP8), View { takes: vec![VP8], rendition: None });
        assert_eq!(View::of("nonsense", H264), View::default());
    }

    fn job(n: u32) -> (TrackId, JobId) {
        (TrackId::new(SessionKey(1), n), JobId::new(SessionKey(1), n))
    }

    #[test]
    fn one_ends_when_nobody_came_back_in_its_time() {
        let mut renditions = Renditions::default();
        let (track, its) = job(1);
        renditions.made(VP8, track, its);
        assert_eq!((renditions.track(VP8), renditions.track(H264)), (Some(track), None));
        assert_eq!(renditions.review(|_| 1), []);
        assert_eq!(renditions.timeout(VP8), None, "it does not linger");
        assert_eq!(renditions.review(|_| 0), [(VP8, Step::Linger)]);
        renditions.done(VP8, Step::Linger);
        assert_eq!(renditions.review(|_| 0), []);
        assert_eq!(renditions.review(|_| 2), [(VP8, Step::Resume)]);
        renditions.done(VP8, Step::Resume);
        assert_eq!(renditions.timeout(VP8), None);
        renditions.done(VP8, Step::Linger);
        assert_eq!(renditions.timeout(VP8).map(|rendition| rendition.job), Some(its));
        assert!(renditions.is_empty() && renditions.timeout(VP8).is_none());
    }

    proptest! {
        #[test]
        fn it_lingers_exactly_while_nobody_watches(steps in proptest::collection::vec((0usize..3, any::<bool>()), 0..60)) {
            let mut renditions = Renditions::default();
            let mut made = 0;
            for (viewers, timeout) in steps {
                if renditions.is_empty() && viewers > 0 {
                    made += 1;
                    let (track, its) = job(made);
                    renditions.made(VP8, track, its);
                }
                for (codec, step) in renditions.review(|_| viewers) {
                    prop_assert_eq!(step == Step::Linger, viewers == 0);
                    renditions.done(codec, step);
                }
                prop_assert!(renditions.review(|_| viewers).is_empty());
                if timeout && let Some(over) = renditions.timeout(VP8) {
                    prop_assert!(viewers == 0 && over.job == job(made).1);
                }
            }
        }
    }
}
