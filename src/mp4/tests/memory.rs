//! A file in memory that remembers every operation, and can be told to be full from one of them on.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::Storage;

/// What a disk writes at once, in bytes.
pub const SECTOR: usize = 512;

/// What was done to the file.
#[derive(Clone, PartialEq, Debug)]
pub enum Op {
    Write(u64, Vec<u8>),
    Len(u64),
    Sync,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    log: Vec<Op>,
    /// Operations that still succeed.
    room_for: Option<usize>,
}

/// Clones are the same file.
#[derive(Clone, Debug, Default)]
pub struct Memory(Rc<RefCell<State>>);

impl Memory {
    pub fn of(bytes: Vec<u8>) -> Memory {
        Memory(Rc::new(RefCell::new(State { bytes, ..State::default() })))
    }

    /// Full when `operations` more have succeeded; the write that fails then leaves half of its sectors.
    pub fn full_after(self, operations: usize) -> Memory {
        self.0.borrow_mut().room_for = Some(operations);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }

    pub fn log(&self) -> Vec<Op> {
        self.0.borrow().log.clone()
    }

    fn do_it(&self, op: Op) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let full = state.room_for == Some(0);
        if let Some(room) = state.room_for.as_mut().filter(|room| **room > 0) {
            *room -= 1;
        }
        match (op, full) {
            // Cutting a file needs no room.
            (op @ (Op::Len(_) | Op::Sync), true) | (op, false) => {
                apply(&mut state.bytes, &op);
                state.log.push(op);
                Ok(())
            }
            (Op::Write(at, data), true) => {
                // A sector is written as a whole or not at all.
                let half = (at as usize + data.len() / 2) / SECTOR * SECTOR;
                apply(&mut state.bytes, &Op::Write(at, data[..half.saturating_sub(at as usize)].to_vec()));
                Err(io::Error::from_raw_os_error(nix::libc::ENOSPC))
            }
        }
    }
}

impl Storage for Memory {
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.do_it(Op::Write(offset, data.to_vec()))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.0.borrow();
        let at = offset as usize;
        buffer.copy_from_slice(state.bytes.get(at..at + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.do_it(Op::Sync)
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.do_it(Op::Len(len))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.borrow().bytes.len() as u64)
    }
}

/// Does `op` to a file of these bytes.
pub fn apply(bytes: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Sync => {}
        Op::Len(len) => bytes.resize(*len as usize, 0),
        Op::Write(at, data) => {
            let (at, end) = (*at as usize, *at as usize + data.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[at..end].copy_from_slice(data);
        }
    }
}

/// The file after these operations.
pub fn replay(ops: &[Op]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ops.iter().for_each(|op| apply(&mut bytes, op));
    bytes
}
