//! Tells a camera that sends what nobody asked for: packets of channels that were not agreed on, bytes that are no packets.
//!
//! `rtspsrc` looks for the next packet in it byte by byte, which takes a processor for each megabyte a second, and says nothing. So
//! the bytes that were read from TCP are set against the packets that were found in them. Nor does it stop in time: it waits for the
//! answer to its farewell among all that. So its connection is closed under it.

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, Shutdown, recv, shutdown};
use std::ffi::c_int;
use std::fs;
use std::mem::size_of;
use std::os::fd::RawFd;

/// More than the answers of any camera's RTSP and the largest packet that is still on its way (64 KiB), in bytes; a camera that
/// floods us has sent it in a moment.
const BORNE: u64 = 96 << 10;

/// What came beside the packets. Pure.
#[derive(Default, Debug)]
pub struct Foreign {
    read: u64,
    packets: u64,
    surplus: u64,
}

impl Foreign {
    /// Is it too much by now? `read`: bytes that were read from TCP so far, `packets`: those of packets. A good packet makes up for
    /// as many other bytes: what carries it is a part of them.
    pub fn is_too_much(&mut self, read: u64, packets: u64) -> bool {
        // connections that were closed are counted no more
        let more = read.saturating_sub(std::mem::replace(&mut self.read, read));
        let good = packets.saturating_sub(std::mem::replace(&mut self.packets, packets));
        self.surplus = self.surplus.saturating_add(more).saturating_sub(good.saturating_mul(2));
        self.surplus > BORNE
    }
}

/// Bytes that this process has read from its TCP connections. There is no way to ask `rtspsrc` for its own.
pub fn read_from_tcp() -> u64 {
    descriptors().filter_map(|fd| read_from(fd).ok()).sum()
}

/// Closes the TCP connections of this process for whoever uses them: nothing more is sent, and what came is lost.
pub fn hang_up() {
    let connections = descriptors().filter(|fd| read_from(*fd).is_ok());
    connections.filter(|fd| shutdown(*fd, Shutdown::Both).is_ok()).for_each(drain);
}

fn descriptors() -> impl Iterator<Item = RawFd> {
    fs::read_dir("/proc/self/fd").into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Takes what still waits to be read; after that a reader sees the end.
fn drain(fd: RawFd) {
    let mut bytes = vec![0; 64 << 10];
    while recv(fd, &mut bytes, MsgFlags::MSG_DONTWAIT).is_ok_and(|length| length > 0) {}
}

/// What the other side has sent, less what still waits to be read. Errors: no TCP socket.
fn read_from(fd: RawFd) -> Result<u64, Errno> {
    // SAFETY: a structure of numbers, for which zero is a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).map_err(|_| Errno::EINVAL)?;
    let place = (&raw mut info).cast();
    // SAFETY: a system call that writes at most `length` bytes behind a pointer to a living structure of that size.
    Errno::result(unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, place, &raw mut length) })?;
    let mut waiting: c_int = 0;
    // SAFETY: a system call that writes one number behind a pointer to a living one.
    Errno::result(unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut waiting) })?;
    Ok(info.tcpi_bytes_received.saturating_sub(u64::try_from(waiting).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    #[test]
    fn a_flood_is_too_much_and_a_stream_never_is() {
        let mut foreign = Foreign::default();
        // a second of 4 Mbit/s with its framing, answers now and then, and a connection that is closed
        for second in 1..1000u64 {
            assert!(!foreign.is_too_much(second % 500 * 520_000 + 8000, second * 500_000), "{second}");
        }
        for junk in 1..=10u64 {
            assert_eq!(foreign.is_too_much(499 * 520_000 + 8000 + junk * 10_000, 999 * 500_000), junk == 10, "{junk}");
        }
        assert!(!Foreign::default().is_too_much(BORNE, 0));
        assert!(Foreign::default().is_too_much(BORNE + 1, 0));
        // a packet now and then does not hide a flood
        let mut foreign = Foreign::default();
        assert!((1..100u64).any(|time| foreign.is_too_much(time * 20_000, time * 1000)));
    }

    #[test]
    fn what_waits_has_not_been_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut receiver, _) = listener.accept().unwrap();
        sender.write_all(&[0; 5000]).unwrap();
        let mut taken = [0; 2000];
        receiver.read_exact(&mut taken).unwrap();
        assert_eq!(read_from(receiver.as_raw_fd()), Ok(2000));
        assert!(read_from_tcp() >= 2000);
        shutdown(receiver.as_raw_fd(), Shutdown::Both).unwrap();
        drain(receiver.as_raw_fd());
        assert_eq!(receiver.read(&mut taken).unwrap(), 0, "the reader still sees what came before the end");
        assert_eq!(read_from(fs::File::open("/dev/null").unwrap().as_raw_fd()), Err(Errno::ENOTSOCK));
    }
}
