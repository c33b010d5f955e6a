//! The text that Prometheus reads (its exposition format 0.0.4). Pure.

use std::fmt::Write;

/// The type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What becomes of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Counts since the start; the name ends in `_total`.
    Counter,
}

/// One value with its labels.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    pub labels: Vec<(&'static str, String)>,
    pub value: u64,
}

impl From<u64> for Sample {
    fn from(value: u64) -> Sample {
        Sample { labels: Vec::new(), value }
    }
}

/// Writes all samples of one metric below its two lines of explanation.
pub fn write(out: &mut String, name: &str, kind: Kind, help: &str, samples: &[Sample]) {
    let word = match kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
    };
    // writing to a String cannot fail
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {word}");
    for sample in samples {
        let labels: Vec<String> = sample.labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(out, "{name}{labels} {}", sample.value);
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut out = String::new();
        let labels = vec![("a", "x\"y\\z\n".to_owned()), ("b", "1".to_owned())];
        write(&mut out, "n", Kind::Gauge, "what it is", &[Sample { labels, value: 2 }, 3.into()]);
        assert_eq!(out, "# HELP n what it is\n# TYPE n gauge\nn{a=\"x\\\"y\\\\z\\n\",b=\"1\"} 2\nn 3\n");
    }
}
