//! The composer as the daemon runs it: a worker process, fed with timed RTP, judged by the file it writes.

mod bench;
mod coming_and_going;
mod ends;
mod sync;
