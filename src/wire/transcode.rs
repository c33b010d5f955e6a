//! What a transcoder is asked for. What it is given tells its format itself, in band, and may change it at any time.

use crate::rtp::Codec;
use serde::{Deserialize, Serialize};

/// One picture in another codec. Its size and its pace are those of the source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TranscodeSpec {
    /// The codec to make: H.264 or VP8.
    pub to: Codec,
    /// The source's own rate is kept within these bounds, kbit/s.
    pub min_kbps: u32,
    /// kbit/s.
    pub max_kbps: u32,
    /// May hardware be used?
    pub hardware: bool,
    /// Elements of it that may not, whatever they promise.
    #[serde(default)]
    pub avoid: Vec<String>,
}
