//! What a decoder is fed by: the packets of whole access units, given to an `appsrc` in front of it.

use super::inlet::Unit;
use gstreamer::{Buffer, BufferList, ClockTime};
use gstreamer_app::AppSrc;

/// Bytes of packets that may wait for their decoder: the longest GOP the daemon keeps, and as much again.
const WAITING: u64 = 16 * 1024 * 1024;

/// The decoder has no room for more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Full;

/// May the decoder behind `source` be given more?
pub fn room(source: &AppSrc) -> Result<(), Full> {
    if source.current_level_bytes() > WAITING { Err(Full) } else { Ok(()) }
}

/// The packets of a unit, each with the time `pts` in ns.
pub fn packets(unit: Unit, pts: u64) -> BufferList {
    let mut list = BufferList::new_sized(unit.packets.len());
    if let Some(list) = list.get_mut() {
        for packet in unit.packets {
            let mut buffer = Buffer::from_mut_slice(packet);
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_pts(ClockTime::from_nseconds(pts));
            }
            list.add(buffer);
        }
    }
    list
}
