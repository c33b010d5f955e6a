//! The command line. Pure.

use std::ffi::OsString;
use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
Viduct: OpenVidu 2.x API, RTSP cameras and WebRTC viewers in one small daemon.

Usage: viduct [--config FILE] [--demo]

Options:
  --config FILE  read properties from FILE (TOML); default /etc/viduct/viduct.toml, if it exists
  --demo         run without configuration: https on 4443, secret MY_SECRET, loopback allowed
  --help         print this help
  --version      print the version

Every property can also be set in the environment under its own name, for example HTTPS_PORT=8443.
Environment beats file, file beats --demo, --demo beats the defaults.
";

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Run the daemon.
    Daemon(Options),
    /// Run one media job; only the daemon starts these.
    Worker,
    Help,
    Version,
}

/// How to run the daemon.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Options {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--demo`
    pub demo: bool,
}

/// Reads the arguments after the program's name. Errors: a line for the user.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Asked, String> {
    let mut args = args.into_iter();
    let mut options = Options::default();
    let mut first = true;
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("worker") if first => return Ok(Asked::Worker),
            Some("--help" | "-h") => return Ok(Asked::Help),
            Some("--version" | "-V") => return Ok(Asked::Version),
            Some("--demo") => options.demo = true,
            Some("--config") => options.config = Some(args.next().ok_or("--config needs a FILE")?.into()),
            Some(text) if text.starts_with("--config=") => options.config = text.strip_prefix("--config=").map(PathBuf::from),
            _ => return Err(format!("unknown argument {}", arg.to_string_lossy())),
        }
        first = false;
    }
    Ok(Asked::Daemon(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_forms_are_understood() {
        let daemon = |config: Option<&str>, demo| Ok(Asked::Daemon(Options { config: config.map(Into::into), demo }));
        for (line, asked) in [
            ("", daemon(None, false)),
            ("--demo", daemon(None, true)),
            ("--config /a.toml", daemon(Some("/a.toml"), false)),
            ("--demo --config=/a.toml", daemon(Some("/a.toml"), true)),
            ("worker", Ok(Asked::Worker)),
            ("--help", Ok(Asked::Help)),
            ("--demo --version", Ok(Asked::Version)),
            ("--config", Err("--config needs a FILE".to_owned())),
            ("--demo worker", Err("unknown argument worker".to_owned())),
            ("-x", Err("unknown argument -x".to_owned())),
        ] {
            assert_eq!(parse(line.split_whitespace().map(OsString::from)), asked, "{line}");
        }
    }

    #[test]
    fn help_names_both_options() {
        assert!(HELP.contains("--config FILE") && HELP.contains("--demo"));
    }
}
