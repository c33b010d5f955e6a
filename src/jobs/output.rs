//! What a worker prints on stderr, line by line into the log at debug level, without secrets and without end.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest line in bytes; the rest of a longer one is left out.
const LINE: usize = 512;
/// Lines of one process; what comes after is read and forgotten.
const LINES: usize = 1000;

/// Reads until the process closes its end. `secrets` are replaced by `***` wherever they stand.
pub async fn log(name: String, mut from: impl AsyncRead + Unpin, secrets: Vec<String>) {
    let mut chunk = [0; 1024];
    let mut lines = Cutter::default();
    let mut count = 0;
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        lines.push(&chunk[..length], |line| {
            count += 1;
            match count {
                ..=LINES => tracing::debug!("worker {name}: {}", masked(line, &secrets)),
                _ if count == LINES + 1 => tracing::debug!("worker {name}: says too much, the rest is not shown"),
                _ => {}
            }
        });
    }
}

/// Cuts bytes into lines of bounded length.
#[derive(Default)]
struct Cutter {
    line: Vec<u8>,
}

impl Cutter {
    fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = LINE.saturating_sub(self.line.len());
            self.line.extend(&text[..text.len().min(room)]);
            if ends {
                each(&String::from_utf8_lossy(&self.line));
                self.line.clear();
            }
        }
    }
}

fn masked(line: &str, secrets: &[String]) -> String {
    secrets.iter().filter(|secret| !secret.is_empty()).fold(line.to_owned(), |line, secret| line.replace(secret, "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_bounded() {
        let text = format!("one\n\n{}\nlast\nopen", "x".repeat(2 * LINE));
        for step in [1, 3, 700, 5000] {
            let mut lines = Vec::new();
            let mut cutter = Cutter::default();
            for chunk in text.as_bytes().chunks(step) {
                cutter.push(chunk, |line| lines.push(line.to_owned()));
            }
            assert_eq!(lines, ["one", "", &"x".repeat(LINE), "last"]);
            assert!(cutter.line.len() <= LINE);
        }
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let secrets = ["s3cr3t".to_owned(), String::new(), "dTpw".to_owned()];
        assert_eq!(masked("Basic dTpw, pw s3cr3t s3cr3t", &secrets), "Basic ***, pw *** ***");
    }
}
