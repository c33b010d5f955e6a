//! The command line. Pure.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// What `--help` prints.
pub const HELP: &str = "\
Viduct: OpenVidu 2.x API, RTSP cameras and WebRTC viewers in one small daemon.

Usage: viduct [--config FILE] [--demo]
       viduct config check [--config FILE] [--demo]
       viduct config sample | reference

Commands:
  config check      judge file and environment as a start would, and say what is wrong
  config sample     print a configuration file with every property at its default
  config reference  print what every property means

Options:
  --config FILE  read properties from FILE (TOML); default /etc/viduct/viduct.toml, if it exists
  --demo         run without configuration: https on 4443, secret MY_SECRET, loopback allowed
  --help         print this help
  --version      print the version

Every property can also be set in the environment under its own name, for example HTTPS_PORT=8443.
POST /openvidu/api/restart beats environment, environment beats file, file beats --demo, --demo beats the defaults.
SIGHUP reads the file again.
";

/// What the command line asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Run the daemon.
    Daemon(Options),
    /// Judge the configuration.
    Check(Options),
    /// Print the sample file.
    Sample,
    /// Print the reference page.
    Reference,
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
    let mut args = args.into_iter().peekable();
    let mut options = Options::default();
    let mut first = true;
    let mut check = false;
    if args.next_if(|arg| arg == "config").is_some() {
        first = false;
        match args.next().as_ref().and_then(|word| word.to_str()) {
            Some("sample") => return args.next().map_or(Ok(Asked::Sample), |more| Err(unknown(&more))),
            Some("reference") => return args.next().map_or(Ok(Asked::Reference), |more| Err(unknown(&more))),
            Some("check") => check = true,
            _ => return Err("config needs one of check, sample, reference".into()),
        }
    }
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("worker") if first => return Ok(Asked::Worker),
            Some("--help" | "-h") => return Ok(Asked::Help),
            Some("--version" | "-V") => return Ok(Asked::Version),
            Some("--demo") => options.demo = true,
            Some("--config") => options.config = Some(args.next().ok_or("--config needs a FILE")?.into()),
            Some(text) if text.starts_with("--config=") => options.config = text.strip_prefix("--config=").map(PathBuf::from),
            _ => return Err(unknown(&arg)),
        }
        first = false;
    }
    Ok(if check { Asked::Check(options) } else { Asked::Daemon(options) })
}

fn unknown(arg: &OsStr) -> String {
    format!("unknown argument {}", arg.to_string_lossy())
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
            ("config check --config /a.toml", Ok(Asked::Check(Options { config: Some("/a.toml".into()), demo: false }))),
            ("config sample", Ok(Asked::Sample)),
            ("config reference", Ok(Asked::Reference)),
            ("config reference x", Err("unknown argument x".to_owned())),
            ("config", Err("config needs one of check, sample, reference".to_owned())),
            ("--demo config", Err("unknown argument config".to_owned())),
            ("config check worker", Err("unknown argument worker".to_owned())),
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
