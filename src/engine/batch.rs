//! Outgoing datagrams of one turn, laid out one after another and handed over as runs: equal sizes to one address, only the
//! last one shorter, which the kernel cuts into datagrams by itself (UDP GSO). Knows no socket.

use std::net::{IpAddr, SocketAddr};

/// Longest run in bytes: one UDP message.
const RUN_BYTES: usize = 65_000;
/// Bytes after which a batch goes out in the middle of a turn, so that it stays in the cache.
const FULL: usize = 256 * 1024;

/// Datagrams for one address.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    pub destination: SocketAddr,
    /// The address of this box it must leave from; `None` = any.
    pub source: Option<IpAddr>,
    /// One after another.
    pub contents: &'a [u8],
    /// Size of each datagram but the last, which may be shorter.
    pub segment: usize,
    pub datagrams: usize,
}

/// Takes runs to the network (or, in a test, to the other end). Never blocks.
pub trait Transmitter {
    /// Longest run in datagrams to this address; 1 = no segmentation offload.
    fn longest_run(&self, destination: SocketAddr) -> usize;
    /// Sends a run; `false` when the network did not take it.
    fn transmit(&mut self, run: &Run<'_>) -> bool;
}

/// Counters of what went out.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sent {
    pub datagrams: u64,
    pub calls: u64,
    pub errors: u64,
}

struct Entry {
    destination: SocketAddr,
    source: Option<IpAddr>,
    len: usize,
}

/// The datagrams of one turn.
pub struct Batch {
    transmitter: Box<dyn Transmitter>,
    data: Vec<u8>,
    queue: Vec<Entry>,
    pub sent: Sent,
}

impl Batch {
    /// An empty batch that goes out through `transmitter`.
    pub fn new(transmitter: Box<dyn Transmitter>) -> Batch {
        Batch { transmitter, data: Vec::new(), queue: Vec::new(), sent: Sent::default() }
    }

    /// Appends a datagram; sends everything when the batch is full.
    pub fn push(&mut self, source: Option<IpAddr>, destination: SocketAddr, datagram: &[u8]) {
        self.queue.push(Entry { destination, source, len: datagram.len() });
        self.data.extend_from_slice(datagram);
        if self.data.len() >= FULL {
            self.flush();
        }
    }

    /// Sends everything.
    pub fn flush(&mut self) {
        let (mut first, mut at) = (0, 0);
        while let Some(entry) = self.queue.get(first) {
            let longest = self.transmitter.longest_run(entry.destination);
            let (datagrams, bytes) = run_length(&self.queue[first..], longest);
            let run = Run {
                destination: entry.destination,
                source: entry.source,
                contents: &self.data[at..at + bytes],
                segment: entry.len,
                datagrams,
            };
            self.sent.calls += 1;
            let count = if self.transmitter.transmit(&run) { &mut self.sent.datagrams } else { &mut self.sent.errors };
            *count += datagrams as u64;
            first += datagrams;
            at += bytes;
        }
        self.queue.clear();
        self.data.clear();
    }
}

/// Datagrams and bytes of the run that begins `queue`, which is not empty.
fn run_length(queue: &[Entry], longest: usize) -> (usize, usize) {
    let head = &queue[0];
    let (mut datagrams, mut bytes) = (1, head.len);
    for next in &queue[1..] {
        let fits = datagrams < longest && bytes + next.len <= RUN_BYTES;
        if !fits || next.destination != head.destination || next.source != head.source || next.len > head.len || next.len == 0 {
            break;
        }
        datagrams += 1;
        bytes += next.len;
        if next.len < head.len {
            break;
        }
    }
    (datagrams, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    type Runs = Rc<RefCell<Vec<(SocketAddr, Vec<usize>)>>>;

    struct Recorder {
        longest: usize,
        runs: Runs,
        takes: bool,
    }

    impl Transmitter for Recorder {
        fn longest_run(&self, _: SocketAddr) -> usize {
            self.longest
        }

        fn transmit(&mut self, run: &Run<'_>) -> bool {
            let sizes: Vec<usize> = run.contents.chunks(run.segment.max(1)).map(<[u8]>::len).collect();
            assert_eq!(sizes.len(), run.datagrams);
            self.runs.borrow_mut().push((run.destination, sizes));
            self.takes
        }
    }

    fn send(longest: usize, datagrams: &[(u16, usize)]) -> Vec<(u16, Vec<usize>)> {
        let runs = Runs::default();
        let mut batch = Batch::new(Box::new(Recorder { longest, runs: runs.clone(), takes: true }));
        for (port, len) in datagrams {
            batch.push(None, ([192, 0, 2, 1], *port).into(), &vec![0; *len]);
        }
        batch.flush();
        assert_eq!(batch.sent.datagrams, datagrams.len() as u64);
        runs.borrow().iter().map(|(to, sizes)| (to.port(), sizes.clone())).collect()
    }

    #[test]
    fn a_frame_is_one_run_and_the_next_begins_after_a_short_one() {
        assert_eq!(
            send(64, &[(1, 1200), (1, 1200), (1, 300), (1, 1200), (2, 1200), (2, 1300)]),
            [(1, vec![1200, 1200, 300]), (1, vec![1200]), (2, vec![1200]), (2, vec![1300])]
        );
    }

    #[test]
    fn without_offload_each_datagram_is_a_call() {
        assert_eq!(send(1, &[(1, 10), (1, 10)]), [(1, vec![10]), (1, vec![10])]);
    }

    #[test]
    fn what_the_network_refuses_is_counted_and_forgotten() {
        let runs = Runs::default();
        let mut batch = Batch::new(Box::new(Recorder { longest: 64, runs: runs.clone(), takes: false }));
        batch.push(None, ([192, 0, 2, 1], 1).into(), b"lost");
        batch.flush();
        batch.flush();
        assert_eq!((batch.sent.datagrams, batch.sent.errors, runs.borrow().len()), (0, 1, 1));
    }

    proptest! {
        #[test]
        fn every_datagram_goes_out_once_and_in_order(
            longest in 1usize..65, datagrams in proptest::collection::vec((0u16..3, 1usize..1500), 0..300)
        ) {
            let sent: Vec<(u16, usize)> = send(longest, &datagrams).into_iter().flat_map(|(to, sizes)| sizes.into_iter().map(move |s| (to, s))).collect();
            prop_assert_eq!(sent, datagrams);
        }
    }
}
