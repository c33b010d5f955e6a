//! Killing a process at random moments, many times, and looking at what it had said was safe.
//!
//! The process is the very test binary that asks, told to run one test of it: so what is killed is the real code, without a binary of
//! its own. That test does nothing unless [`child`] gives it a folder.

use rand::Rng;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FOLDER: &str = "KILLED_CHILD_FOLDER";
const WORD: &str = "acknowledged ";
/// How long a child may work after its first acknowledgement.
const LIFE: Duration = Duration::from_millis(20);

/// The folder to work in, if this process is a child that shall be killed.
pub fn child() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Says that number `number` is safe.
pub fn acknowledge(number: u64) {
    println!("\n{WORD}{number}");
}

/// Starts the test `name` of this binary as a child `rounds` times and kills it at a random moment; then `check` hears the highest
/// number that any child acknowledged. Prints what was done.
pub fn rounds(name: &str, folder: &Path, rounds: u32, mut check: impl FnMut(u64)) {
    let (mut acknowledged, began) = (0, Instant::now());
    for _ in 0..rounds {
        let program = std::env::current_exe().expect("a running program has a file");
        let mut command = Command::new(program);
        command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(FOLDER, folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("this binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines().map_while(Result::ok);
        let number = |line: String| line.strip_prefix(WORD)?.parse().ok();
        acknowledged = lines.by_ref().find_map(number).expect("a child acknowledges something before it ends");
        std::thread::sleep(rand::rng().random_range(Duration::ZERO..LIFE));
        child.kill().expect("a child works until it is killed");
        child.wait().expect("a child can be waited for");
        acknowledged = lines.filter_map(number).last().unwrap_or(acknowledged);
        check(acknowledged);
    }
    println!("{rounds} kills in {:.1?}, {acknowledged} acknowledged", began.elapsed());
}
