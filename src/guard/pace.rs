//! A connection whose other end takes nothing any more ends: [`Paced`] fails a write that has waited for [`PATIENCE`] without a
//! byte taken. Who reads slowly but reads is never cut, however long a film takes.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long nothing may be taken of what is to be said.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A stream that is watched.
pub struct Paced<S> {
    stream: S,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    /// Watches `stream`.
    pub fn new(stream: S) -> Paced<S> {
        Paced { stream, waiting: None }
    }

    /// A write that waits fails in the end; any other is good for another span.
    fn judge<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        #[expect(clippy::disallowed_methods, reason = "a future that is polled by hand; simulated time moves it as well")]
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, data);
        self.judge(written, context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, data);
        self.judge(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_after_the_span() {
        let (ours, _theirs) = duplex(16);
        let begin = Clock::simulated(0).now();
        let error = Paced::new(ours).write_all(&[0; 64]).await.unwrap_err();
        assert_eq!((error.kind(), Clock::simulated(0).now() - begin >= PATIENCE), (ErrorKind::TimedOut, true));
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_byte_now_and_then_is_served_to_the_end() {
        let (ours, mut theirs) = duplex(1);
        let serving = tokio::spawn(async move { Paced::new(ours).write_all(&[7; 64]).await });
        for _ in 0..64 {
            Clock::simulated(0).sleep(PATIENCE - Duration::from_secs(1)).await;
            assert_eq!(theirs.read_u8().await.unwrap(), 7);
        }
        serving.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_nothing_to_hear_may_be_silent_for_ever() {
        let (ours, mut theirs) = duplex(16);
        let mut ours = Paced::new(ours);
        ours.write_all(&[1; 8]).await.unwrap();
        Clock::simulated(0).sleep(PATIENCE * 100).await;
        ours.write_all(&[1; 8]).await.unwrap();
        theirs.read_exact(&mut [0; 16]).await.unwrap();
    }
}
