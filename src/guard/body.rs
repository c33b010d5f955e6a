//! Reading a request body of bounded size in bounded time.
//!
//! What is too large is read on for a while and thrown away: an answer that is sent while the client still writes is lost when the
//! connection then closes on unread data, and the client would see a reset instead of the reason.

use axum::body::Body;
use http_body_util::BodyExt;
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// Bodies may not be larger than this many bytes.
pub const LIMIT: usize = 64 * 1024;
/// How long a client may take to send one.
const PATIENCE: Duration = Duration::from_secs(15);
/// What is read of one that is too large, in bytes.
const THROWN_AWAY: usize = 4 * 1024 * 1024;

/// There is no body to work with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BadBody {
    #[error("the request body is larger than {LIMIT} bytes")]
    Large,
    #[error("the request body did not arrive within {} s", PATIENCE.as_secs())]
    Slow,
    #[error("the request body could not be read")]
    Broken,
}

/// The bytes of a body.
pub async fn read(body: Body) -> Result<Vec<u8>, BadBody> {
    timeout(PATIENCE, collect(body)).await.unwrap_or(Err(BadBody::Slow))
}

async fn collect(mut body: Body) -> Result<Vec<u8>, BadBody> {
    let (mut kept, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BadBody::Broken)?.into_data() else { continue };
        length += data.len();
        if length > THROWN_AWAY {
            break;
        }
        if length <= LIMIT {
            kept.extend_from_slice(&data);
        } else {
            kept = Vec::new();
        }
    }
    if length > LIMIT { Err(BadBody::Large) } else { Ok(kept) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream;
    use std::convert::Infallible;

    fn pieces(count: usize, size: usize) -> Body {
        Body::from_stream(stream::iter((0..count).map(move |_| Ok::<_, Infallible>(Bytes::from(vec![b'x'; size])))))
    }

    #[tokio::test]
    async fn size_is_bounded() {
        assert_eq!(read(pieces(64, 1024)).await.unwrap().len(), LIMIT);
        assert_eq!(read(pieces(64, 1025)).await, Err(BadBody::Large));
        assert_eq!(read(pieces(usize::MAX, 1024)).await, Err(BadBody::Large), "one without end ends");
        assert_eq!(read(Body::empty()).await, Ok(vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn time_is_bounded_however_steadily_it_trickles() {
        let trickle = stream::unfold((), |()| async {
            crate::clock::Clock::simulated(0).sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
        });
        assert_eq!(read(Body::from_stream(trickle)).await, Err(BadBody::Slow));
    }
}
