//! The processes of the demo. Each has a group of its own, so that Ctrl-C reaches the demo alone, which then ends them in order;
//! should the demo itself be killed, the kernel ends them.

use crate::Result;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStdin, Command};

/// How long a child may take to end after SIGTERM: the daemon promises 10 s.
const STOP_LIMIT: Duration = Duration::from_secs(11);
/// How long the test camera may take until it prints its address.
const FIRST_LINE_LIMIT: Duration = Duration::from_secs(10);

pub struct Child {
    name: &'static str,
    process: tokio::process::Child,
    log: PathBuf,
    /// Held open while the child shall run: the test camera ends when it closes.
    _input: Option<ChildStdin>,
}

impl Child {
    /// Starts it; what it says is appended to `log`.
    pub fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let output = OpenOptions::new().append(true).open(log)?;
        command.stdout(output);
        Self::spawn(name, command, log)
    }

    /// Starts it and waits for the first line it prints. What it says on standard error is appended to `log`.
    pub async fn start_for_line(name: &'static str, mut command: Command, log: &Path) -> Result<(Self, String)> {
        command.stdout(Stdio::piped());
        let mut child = Self::spawn(name, command, log)?;
        let mut output = BufReader::new(child.process.stdout.take().ok_or("its output is piped")?);
        let mut line = String::new();
        let read = tokio::time::timeout(FIRST_LINE_LIMIT, output.read_line(&mut line)).await;
        read.map_err(|_| format!("{name} printed nothing within {FIRST_LINE_LIMIT:?}"))??;
        if line.is_empty() {
            return Err(child.ended().await.into());
        }
        // What follows is of no interest, but a full pipe would stop the child. Ends with it.
        tokio::spawn(async move { tokio::io::copy_buf(&mut output, &mut tokio::io::sink()).await });
        Ok((child, line.trim().to_string()))
    }

    fn spawn(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let errors = OpenOptions::new().append(true).open(log)?;
        command.stdin(Stdio::piped()).stderr(errors).process_group(0).kill_on_drop(true);
        // SAFETY: between fork and exec only one system call is made, nothing is allocated and no lock is taken.
        unsafe {
            command.pre_exec(|| set_pdeathsig(Signal::SIGTERM).map_err(Into::into));
        }
        let program = command.as_std().get_program().to_os_string();
        let mut process = command.spawn().map_err(|cause| format!("{name} ({}): {cause}", program.display()))?;
        let input = process.stdin.take();
        Ok(Self { name, process, log: log.to_path_buf(), _input: input })
    }

    /// Waits until it ends by itself; says so, with the last lines of the log. May be dropped and called again.
    pub async fn ended(&mut self) -> String {
        let how = self.process.wait().await.map_or_else(|cause| cause.to_string(), |status| status.to_string());
        format!("{} ended by itself ({how}). The last lines of {}:\n{}", self.name, self.log.display(), last_lines(&self.log))
    }

    /// SIGTERM, and SIGKILL when that does not help in time.
    pub async fn stop(mut self) {
        let Some(id) = self.process.id() else { return };
        let asked = i32::try_from(id).is_ok_and(|id| kill(Pid::from_raw(id), Signal::SIGTERM).is_ok());
        if !asked || tokio::time::timeout(STOP_LIMIT, self.process.wait()).await.is_err() {
            eprintln!("{} did not end within {STOP_LIMIT:?} and is killed", self.name);
            let _ = self.process.kill().await;
        }
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
