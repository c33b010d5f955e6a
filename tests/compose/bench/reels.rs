//! What sources play, encoded once for all tests.

use std::sync::{Arc, Mutex, PoisonError};
use viduct_testkit::flashes::source::{Look, Reel};

/// Source, look of its pictures or none for sound, and whether that is silent.
type Key = (u8, Option<Look>, bool);

static REELS: Mutex<Vec<(Key, Arc<Reel>)>> = Mutex::new(Vec::new());

fn reel(key: Key, make: impl FnOnce() -> Reel) -> Arc<Reel> {
    let mut reels = REELS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, reel)) = reels.iter().find(|(its, _)| *its == key) {
        return reel.clone();
    }
    let reel = Arc::new(make());
    reels.push((key, reel.clone()));
    reel
}

/// Pictures of source number `number`.
pub fn video_reel(number: u8, look: Look) -> Arc<Reel> {
    reel((number, Some(look), false), || Reel::video(number.into(), look).unwrap())
}

/// Its sound.
pub fn audio_reel(number: u8, silent: bool) -> Arc<Reel> {
    reel((number, None, silent), || Reel::audio(number.into(), silent).unwrap())
}

/// Encodes what a test will play, so that its plan keeps its times.
pub fn prepare(looks: &[(u8, Look)]) {
    let _studio = super::studio();
    for (number, look) in looks {
        video_reel(*number, *look);
        audio_reel(*number, false);
        audio_reel(*number, true);
    }
}
