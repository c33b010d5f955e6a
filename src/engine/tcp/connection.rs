//! One connection: its socket, what has come of a frame, what it has not taken yet.

use super::frames::{Frames, TooLong};
use super::queue::Queue;
use crate::engine::path::Path;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Send buffer of the kernel in bytes: more would only be delay, because what waits there cannot be left out any more.
const SEND_BUFFER: usize = 256 << 10;
/// Unanswered bytes for so long end the connection.
const UNANSWERED: Duration = Duration::from_secs(20);

/// A connection to the media port.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    pub path: Path,
    frames: Frames,
    queue: Queue,
    /// It has carried a check that its peer accepted.
    pub proved: bool,
    /// Useless datagrams since the last useful one.
    pub useless: u32,
    /// When something useful came last, or when it was opened.
    pub heard: Instant,
    /// The poll set tells when it can be written.
    pub polled_for_room: bool,
}

/// A connection is over.
#[derive(Debug, thiserror::Error)]
pub enum Over {
    #[error("closed by the other side")]
    Closed,
    #[error(transparent)]
    TooLong(#[from] TooLong),
    #[error(transparent)]
    Broken(#[from] io::Error),
}

impl Connection {
    /// A connection that was just accepted; `remote` is its other side.
    ///
    /// # Errors
    /// It is gone already.
    pub fn new(stream: TcpStream, remote: std::net::SocketAddr, now: Instant) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.set_tcp_user_timeout(Some(UNANSWERED))?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(UNANSWERED))?;
        let path = Path::tcp(stream.local_addr()?, remote);
        Ok(Connection {
            stream,
            path,
            frames: Frames::default(),
            queue: Queue::default(),
            proved: false,
            useless: 0,
            heard: now,
            polled_for_room: false,
        })
    }

    /// Reads what fits `buffer`; whole frames are given to `take`. True when more may be there.
    ///
    /// # Errors
    /// It is over.
    pub fn read(&mut self, buffer: &mut [u8], take: impl FnMut(&[u8])) -> Result<bool, Over> {
        match self.stream.read(buffer) {
            Ok(0) => Err(Over::Closed),
            Ok(count) => {
                self.frames.push(&buffer[..count], take)?;
                Ok(count == buffer.len())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Queues a datagram; `false` when there is no room. It goes out with the next [`Connection::flush`].
    pub fn push(&mut self, datagram: &[u8]) -> bool {
        self.queue.push(datagram)
    }

    /// Writes as much as the socket takes. True when something is left.
    ///
    /// # Errors
    /// It is over.
    pub fn flush(&mut self) -> Result<bool, Over> {
        while !self.queue.waiting().is_empty() {
            match self.stream.write(self.queue.waiting()) {
                Ok(0) => return Err(Over::Closed),
                Ok(count) => self.queue.wrote(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// True once when it has room again after it had none.
    pub fn relieved(&mut self) -> bool {
        self.queue.relieved()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
