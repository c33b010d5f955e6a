//! Outgoing datagrams of one turn, laid out one after another and handed over as runs: equal sizes to one address, only the
//! last one shorter, which the kernel cuts into datagrams by itself (UDP GSO). Knows no socket.

use super::path::Path;

/// Longest run in bytes: one UDP message.
const RUN_BYTES: usize = 65_000;
/// Bytes after which a batch goes out in the middle of a turn, so that it stays in the cache.
const FULL: usize = 256 * 1024;

/// Datagrams for one path.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    pub path: Path,
    /// One after another.
    pub contents: &'a [u8],
    /// Size of each datagram but the last, which may be shorter.
    pub segment: usize,
    pub datagrams: usize,
}

/// Takes runs to the network (or, in a test, to the other end). Never blocks.
pub trait Transmitter {
    /// Longest run in datagrams on this path; 1 = no segmentation offload.
    fn longest_run(&self, path: &Path) -> usize;
    /// Sends a run.
    fn transmit(&mut self, run: &Run<'_>) -> Outcome;
    /// Nobody uses this path any more.
    fn forget(&mut self, _path: &Path) {}
}

/// What became of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Sent,
    /// The network did not take it.
    Refused,
    /// The way is too slow: some of it was left out. What follows makes no picture before the next key frame.
    Full,
}

/// Counters of what went out.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sent {
    pub datagrams: u64,
    pub calls: u64,
    pub errors: u64,
}

struct Entry {
    path: Path,
    len: usize,
}

/// The datagrams of one turn.
pub struct Batch {
    transmitter: Box<dyn Transmitter>,
    data: Vec<u8>,
    queue: Vec<Entry>,
    /// Paths that were too slow in this turn.
    full: Vec<Path>,
    pub sent: Sent,
}

impl Batch {
    /// An empty batch that goes out through `transmitter`.
    pub fn new(transmitter: Box<dyn Transmitter>) -> Batch {
        Batch { transmitter, data: Vec::new(), queue: Vec::new(), full: Vec::new(), sent: Sent::default() }
    }

    /// Appends a datagram; sends everything when the batch is full.
    pub fn push(&mut self, path: Path, datagram: &[u8]) {
        self.queue.push(Entry { path, len: datagram.len() });
        self.data.extend_from_slice(datagram);
        if self.data.len() >= FULL {
            self.flush();
        }
    }

    /// Sends everything.
    pub fn flush(&mut self) {
        let (mut first, mut at) = (0, 0);
        while let Some(entry) = self.queue.get(first) {
            let longest = self.transmitter.longest_run(&entry.path);
            let (datagrams, bytes) = run_length(&self.queue[first..], longest);
            let run = Run { path: entry.path, contents: &self.data[at..at + bytes], segment: entry.len, datagrams };
            self.sent.calls += 1;
            let outcome = self.transmitter.transmit(&run);
            let count = if outcome == Outcome::Sent { &mut self.sent.datagrams } else { &mut self.sent.errors };
            *count += datagrams as u64;
            if outcome == Outcome::Full && !self.full.contains(&run.path) {
                self.full.push(run.path);
            }
            first += datagrams;
            at += bytes;
        }
        self.queue.clear();
        self.data.clear();
    }

    /// The paths that were too slow since the last call.
    pub fn take_full(&mut self) -> Vec<Path> {
        std::mem::take(&mut self.full)
    }

    /// Nobody uses this path any more; what was pushed for it still goes out.
    pub fn forget(&mut self, path: &Path) {
        self.flush();
        self.transmitter.forget(path);
    }
}

/// Datagrams and bytes of the run that begins `queue`, which is not empty.
fn run_length(queue: &[Entry], longest: usize) -> (usize, usize) {
    let head = &queue[0];
    let (mut datagrams, mut bytes) = (1, head.len);
    for next in &queue[1..] {
        let fits = datagrams < longest && bytes + next.len <= RUN_BYTES;
        if !fits || next.path != head.path || next.len > head.len || next.len == 0 {
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

    type Runs = Rc<RefCell<Vec<(Path, Vec<usize>)>>>;

    struct Recorder {
        longest: usize,
        runs: Runs,
        outcome: Outcome,
    }

    impl Transmitter for Recorder {
        fn longest_run(&self, _: &Path) -> usize {
            self.longest
        }

        fn transmit(&mut self, run: &Run<'_>) -> Outcome {
            let sizes: Vec<usize> = run.contents.chunks(run.segment.max(1)).map(<[u8]>::len).collect();
            assert_eq!(sizes.len(), run.datagrams);
            self.runs.borrow_mut().push((run.path, sizes));
            self.outcome
        }
    }

    fn to(port: u16) -> Path {
        Path::udp(([192, 0, 2, 9], 20_000).into(), ([192, 0, 2, 1], port).into())
    }

    fn send(longest: usize, datagrams: &[(u16, usize)]) -> Vec<(u16, Vec<usize>)> {
        let runs = Runs::default();
        let mut batch = Batch::new(Box::new(Recorder { longest, runs: runs.clone(), outcome: Outcome::Sent }));
        for (port, len) in datagrams {
            batch.push(to(*port), &vec![0; *len]);
        }
        batch.flush();
        assert_eq!(batch.sent.datagrams, datagrams.len() as u64);
        runs.borrow().iter().map(|(to, sizes)| (to.remote.port(), sizes.clone())).collect()
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
    fn what_the_network_does_not_take_is_counted_and_forgotten() {
        let runs = Runs::default();
        let mut batch = Batch::new(Box::new(Recorder { longest: 64, runs: runs.clone(), outcome: Outcome::Full }));
        batch.push(to(1), b"lost");
        batch.flush();
        batch.flush();
        assert_eq!((batch.sent.datagrams, batch.sent.errors, runs.borrow().len()), (0, 1, 1));
        assert_eq!((batch.take_full(), batch.take_full()), (vec![to(1)], vec![]));
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
