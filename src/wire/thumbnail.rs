//! What the maker of a thumbnail is asked for: one picture of a film that is finished.

use serde::{Deserialize, Serialize};

/// One picture from the middle of a film, as JPEG.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThumbnailSpec {
    /// Path of the film, an MP4 file with pictures.
    pub film: String,
    /// Path the picture is written to and synced at. What is there is overwritten.
    pub picture: String,
    /// px; the height follows from the film.
    pub width: u32,
}
