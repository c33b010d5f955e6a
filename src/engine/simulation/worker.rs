//! A worker that is given tracks: the reader of a socket of some size, which reads when it is told to.

use crate::engine::outlet::{Outlet, Sent};
use crate::ids::JobId;
use crate::rtp::{Format, Header};
use crate::wire::media::Message;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// What a message said.
#[derive(Clone, PartialEq, Debug)]
pub enum Got {
    Format { slot: u8, format: Format },
    Unit { slot: u8, captured_ns: u64, packets: Vec<(Header, Vec<u8>)> },
}

impl Got {
    /// Packets of a unit; none of a format.
    pub fn packets(&self) -> &[(Header, Vec<u8>)] {
        match self {
            Got::Format { .. } => &[],
            Got::Unit { packets, .. } => packets,
        }
    }
}

#[derive(Default)]
struct Pipe {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
    room: usize,
    gone: bool,
}

struct End(Rc<RefCell<Pipe>>);

impl Outlet for End {
    fn send(&mut self, message: &[u8]) -> Sent {
        let mut pipe = self.0.borrow_mut();
        if pipe.gone {
            return Sent::Gone;
        }
        if pipe.bytes + message.len() > pipe.room {
            return Sent::Full;
        }
        pipe.bytes += message.len();
        pipe.messages.push_back(message.to_vec());
        Sent::Taken
    }

    fn has_room(&self) -> bool {
        let pipe = self.0.borrow();
        pipe.bytes <= pipe.room / 4
    }
}

pub struct Worker {
    pub job: JobId,
    pipe: Rc<RefCell<Pipe>>,
}

impl Worker {
    pub fn new(job: JobId, room: usize) -> Worker {
        Worker { job, pipe: Rc::new(RefCell::new(Pipe { room, ..Pipe::default() })) }
    }

    pub fn outlet(&self) -> Box<dyn Outlet> {
        Box::new(End(self.pipe.clone()))
    }

    /// Reads all there is.
    pub fn read(&self) -> Vec<Got> {
        let mut pipe = self.pipe.borrow_mut();
        pipe.bytes = 0;
        pipe.messages.drain(..).map(|message| got(&message)).collect()
    }

    /// Nobody will read any more.
    pub fn die(&self) {
        self.pipe.borrow_mut().gone = true;
    }

    /// Nobody holds the other end.
    pub fn is_alone(&self) -> bool {
        Rc::strong_count(&self.pipe) == 1
    }
}

fn got(message: &[u8]) -> Got {
    match Message::parse(message).expect("whole messages") {
        Message::Format { slot, format } => Got::Format { slot, format },
        Message::Packets { slot, captured_ns, packets } => {
            let packets = packets.map(|bytes| Header::parse(bytes).expect("whole packets")).map(|(h, p)| (h, p.to_vec()));
            Got::Unit { slot, captured_ns, packets: packets.collect() }
        }
        Message::KeyframeRequest { .. } => panic!("nobody asks a sink for key frames"),
    }
}
