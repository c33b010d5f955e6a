//! The command line. Pure.

use crate::keys::{BadScope, Scope};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub const HELP: &str = "\
Viduct: OpenVidu 2.x API, RTSP cameras and WebRTC viewers in one small daemon.

Usage: viduct [--config FILE] [--demo]
       viduct config check [--config FILE] [--demo]
       viduct config sample | reference
       viduct key create | list | revoke

Commands:
  config check      judge file and environment as a start would, and say what is wrong
  config sample     print a configuration file with every property at its default
  config reference  print what every property means
  key               make, list and revoke API keys, with or without a running daemon (viduct key --help)

Options:
  --config FILE  read properties from FILE (TOML); default /etc/viduct/viduct.toml, if it exists
  --demo         run without configuration: https on 4443, secret MY_SECRET, loopback allowed
  --help         print this help
  --version      print the version

Every property can also be set in the environment under its own name, for example HTTPS_PORT=8443.
POST /openvidu/api/restart beats environment, environment beats file, file beats --demo, --demo beats the defaults.
SIGHUP reads the file again.
";

/// What `key --help` prints.
pub const KEY_HELP: &str = "\
API keys, beside the one secret of OPENVIDUAPP: each with a name, a scope and an end. The daemon need not run; if it does, it knows at once.

Usage: viduct key create NAME --scope SCOPE [--session ID] [--expires SPAN]
       viduct key list
       viduct key revoke NAME

Scopes:
  everything    what the API secret may do
  read-only     see sessions, recordings, metrics and call detail records; no pictures, no films, no secrets
  session       one session (--session ID, or --scope session:ID), there already or not: make it, its connections, tokens, signals,
                recordings and films
  recordings    see, start, stop, download and delete recordings

Options:
  --expires SPAN  30m, 12h, 7d, 4w: refused after that time; without it a key lives until it is revoked
  --config FILE, --demo
                  as for the daemon: they say where its state folder is (VIDUCT_STATE_PATH)

create prints the secret on stdout and nothing else there; it is shown this once. A client sends it as the password of user OPENVIDUAPP
(as every client library does) or NAME, or as Authorization: Bearer. Run this as root or as the daemon's user.
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
    /// Do something about API keys.
    Key(Options, KeyOrder),
    KeyHelp,
    /// Run one media job; only the daemon starts these.
    Worker,
    Help,
    Version,
}

/// What to do about API keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyOrder {
    Create {
        name: String,
        scope: Scope,
        /// `None`: until it is revoked.
        lasts: Option<Duration>,
    },
    List,
    Revoke(String),
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
    if args.next_if(|arg| arg == "key").is_some() {
        return key(args);
    }
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

/// What comes after `key`.
fn key(args: impl Iterator<Item = OsString>) -> Result<Asked, String> {
    let (mut options, mut words) = (Options::default(), Vec::new());
    let (mut scope, mut session, mut expires) = (None, None, None);
    let mut args = args.map(|arg| arg.into_string().map_err(|arg| unknown(&arg)));
    while let Some(arg) = args.next().transpose()? {
        let (flag, given) = arg.split_once('=').map_or((arg.as_str(), None), |(flag, value)| (flag, Some(value.to_owned())));
        let mut value = |what: &str| match given.clone() {
            Some(value) => Ok(Some(value)),
            None => args.next().transpose()?.map(Some).ok_or_else(|| format!("{flag} needs {what}")),
        };
        match flag {
            "--help" | "-h" => return Ok(Asked::KeyHelp),
            "--demo" => options.demo = true,
            "--config" => options.config = value("a FILE")?.map(PathBuf::from),
            "--scope" => scope = value("a SCOPE")?,
            "--session" => session = value("an ID")?,
            "--expires" => expires = value("a SPAN")?,
            _ if arg.starts_with('-') => return Err(unknown(arg.as_ref())),
            _ => words.push(arg),
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let order = match words[..] {
        ["create", name] => {
            let scope = key_scope(scope.as_deref(), session.as_deref())?;
            KeyOrder::Create { name: name.to_owned(), scope, lasts: expires.as_deref().map(span).transpose()? }
        }
        ["list"] => KeyOrder::List,
        ["revoke", name] => KeyOrder::Revoke(name.to_owned()),
        _ => return Err("key needs one of create NAME, list, revoke NAME (viduct key --help)".into()),
    };
    Ok(Asked::Key(options, order))
}

fn key_scope(scope: Option<&str>, session: Option<&str>) -> Result<Scope, String> {
    let text = match (scope, session) {
        (None | Some("session"), Some(id)) => format!("session:{id}"),
        (Some(_), Some(_)) => return Err("--session goes with --scope session alone".into()),
        (Some("session"), None) => return Err("--scope session needs --session ID".into()),
        (Some(scope), None) => scope.to_owned(),
        (None, None) => return Err(format!("key create needs --scope, one of {}", Scope::FORMS.join(", "))),
    };
    text.parse().map_err(|error: BadScope| format!("--scope {text}: {error}"))
}

/// `30m`, `12h`, `7d`, `4w`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("--expires {text}: must be a number with m, h, d or w behind it, such as 30d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    if count == 0 { Err(wrong()) } else { Ok(Duration::from_secs(u64::from(count) * seconds)) }
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
        let made = |scope: &str, seconds: Option<u64>| {
            let (scope, lasts) = (scope.parse().unwrap(), seconds.map(Duration::from_secs));
            Ok(Asked::Key(Options::default(), KeyOrder::Create { name: "a".into(), scope, lasts }))
        };
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
            ("key --help", Ok(Asked::KeyHelp)),
            ("key list", Ok(Asked::Key(Options::default(), KeyOrder::List))),
            ("key revoke a --demo", Ok(Asked::Key(Options { demo: true, config: None }, KeyOrder::Revoke("a".into())))),
            ("key create a --scope read-only", made("read-only", None)),
            ("key create --scope=recordings --expires 7d a", made("recordings", Some(604_800))),
            ("key create a --session gate --expires=30m", made("session:gate", Some(1800))),
            ("key create a --scope session --session gate", made("session:gate", None)),
            ("key create a --scope session:gate", made("session:gate", None)),
            ("key", Err("key needs one of create NAME, list, revoke NAME (viduct key --help)".to_owned())),
            ("key create --scope everything", Err("key needs one of create NAME, list, revoke NAME (viduct key --help)".to_owned())),
            ("key create a", Err("key create needs --scope, one of everything, read-only, session:<id>, recordings".to_owned())),
            ("key create a --scope session", Err("--scope session needs --session ID".to_owned())),
            ("key create a --scope recordings --session gate", Err("--session goes with --scope session alone".to_owned())),
            ("key create a --scope", Err("--scope needs a SCOPE".to_owned())),
            ("key list --x", Err("unknown argument --x".to_owned())),
            ("list key", Err("unknown argument list".to_owned())),
        ] {
            assert_eq!(parse(line.split_whitespace().map(OsString::from)), asked, "{line}");
        }
    }

    #[test]
    fn spans_are_numbers_with_a_unit() {
        for text in ["", "d", "0d", "-1d", "1", "1y", "1.5h", "99999999999d", "1é"] {
            assert!(span(text).unwrap_err().contains("such as 30d"), "{text}");
        }
        assert_eq!(span("12h"), Ok(Duration::from_secs(43_200)));
        assert!(key_scope(Some("all"), None).unwrap_err().contains("one of everything, read-only"));
    }

    #[test]
    fn help_names_both_options() {
        assert!(HELP.contains("--config FILE") && HELP.contains("--demo"));
    }
}
