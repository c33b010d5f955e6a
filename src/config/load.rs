//! Where values come from: last POST restart > environment > file > `--demo` > default. Collects every problem before it gives up.
//! Pure. What POST restart set stands in the file as well, in its table `[restart]` (see [`super::revise()`]).

use super::nearest::nearest;
use super::properties::{PROPERTIES, Property, find};
use super::revise::RESTART;
use super::value::{Kind, Raw, Value};
use super::{Config, Problem};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// What a configuration is made of.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    pub env: &'a BTreeMap<String, String>,
    /// Text of the configuration file (TOML: `NAME = value`, and the table `[restart]` of the same).
    pub file: Option<&'a str>,
    /// Was `--demo` given?
    pub demo: bool,
    /// First address of the local network.
    pub lan: Option<IpAddr>,
}

impl<'a> Sources<'a> {
    /// The environment alone.
    pub fn of(env: &'a BTreeMap<String, String>) -> Self {
        Sources { env, file: None, demo: false, lan: None }
    }
}

/// A configuration and what its owner should know about it.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// One line each, without secrets.
    pub warnings: Vec<String>,
}

/// Everything that is wrong, one line each, without secrets.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Wrong {
    /// What is wrong with the file as a whole.
    pub file: Option<String>,
    pub problems: Vec<Problem>,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.file.iter().cloned().chain(self.problems.iter().map(Problem::to_string)).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Gathers and checks the values of all properties.
/// Errors: every wrong value at once.
pub fn load(sources: &Sources) -> Result<Loaded, Wrong> {
    let mut warnings = Vec::new();
    let file = match sources.file.map(parse_file).transpose() {
        Ok(values) => values.unwrap_or_default(),
        Err(error) => return Err(Wrong { file: Some(error), problems: Vec::new() }),
    };
    warnings.extend(unknown(file.values.keys(), "the configuration file"));
    warnings.extend(unknown(file.restart.keys(), "[restart] of the configuration file"));
    warnings
        .extend(unknown(sources.env.keys().filter(|name| name.starts_with("OPENVIDU_") || name.starts_with("VIDUCT_")), "the environment"));

    let (mut values, mut problems) = (BTreeMap::new(), Vec::new());
    for property in PROPERTIES {
        let given = given(property, sources, &file);
        let raw = given.clone().unwrap_or_else(|| Raw::Text(fallback(property, sources)));
        match read(property, &raw) {
            Ok(value) => {
                if given.is_some() && !property.effective && read(property, &Raw::Text(fallback(property, sources))).as_ref() != Ok(&value)
                {
                    warnings.push(format!("{} is stored and reported, but this version does not act on it yet", property.name));
                }
                values.insert(property.name, value);
            }
            Err(message) => problems.push(Problem::new(property.name, raw, message)),
        }
    }
    problems.extend(together(&values));
    if problems.is_empty() {
        Ok(Loaded { config: Config::new(values, sources.demo), warnings })
    } else {
        Err(Wrong { file: None, problems })
    }
}

/// What POST restart, environment or file say; an empty text says nothing, but that of a restart says that there is none.
fn given(property: &Property, sources: &Sources, file: &File) -> Option<Raw> {
    let said = |raw: &Raw| !matches!(raw, Raw::Text(text) if text.trim().is_empty());
    let may_be_none = matches!(property.kind, Kind::Url | Kind::Path(_));
    let restart = file.restart.get(property.name).cloned().filter(|raw| may_be_none || said(raw));
    let env = sources.env.get(property.name).map(|text| Raw::Text(text.clone()));
    restart.or_else(|| env.filter(said)).or_else(|| file.values.get(property.name).cloned().filter(said))
}

/// The folder of the daemon's state as far as it can be told, even from sources that are wrong: what is kept there may be needed
/// to mend them.
pub fn state_path(sources: &Sources) -> PathBuf {
    const NAME: &str = "VIDUCT_STATE_PATH";
    let absolute = |path: &String| path.starts_with('/');
    let line = |line: &str| line.parse::<toml::Table>().ok()?.get(NAME)?.as_str().map(str::to_owned);
    let file = || sources.file?.lines().filter_map(line).find(absolute);
    let default = || find(NAME).map(|property| fallback(property, sources)).unwrap_or_default();
    sources.env.get(NAME).cloned().filter(absolute).or_else(file).unwrap_or_else(default).into()
}

/// The value when nobody gives one.
fn fallback(property: &Property, sources: &Sources) -> String {
    match property.name {
        "VIDUCT_STATE_PATH" if sources.demo => demo_state_path(sources.env),
        "OPENVIDU_RECORDING_PATH" if sources.demo => format!("{}/recordings", demo_state_path(sources.env)),
        "OPENVIDU_CDR_PATH" if sources.demo => format!("{}/cdr", demo_state_path(sources.env)),
        "DOMAIN_OR_PUBLIC_IP" if !sources.demo => sources.lan.map_or("localhost".into(), |address| address.to_string()),
        _ => property.demo.filter(|_| sources.demo).unwrap_or(property.default).to_owned(),
    }
}

/// A folder of the user's own: the demo runs without rights to `/var/lib`.
fn demo_state_path(env: &BTreeMap<String, String>) -> String {
    let set = |name: &str| env.get(name).filter(|path| path.starts_with('/'));
    match (set("XDG_STATE_HOME"), set("HOME")) {
        (Some(state), _) => format!("{state}/viduct-demo"),
        (None, Some(home)) => format!("{home}/.local/state/viduct-demo"),
        (None, None) => "/tmp/viduct-demo".into(),
    }
}

fn read(property: &Property, raw: &Raw) -> Result<Value, String> {
    match (raw, property.kind) {
        (Raw::Text(text), Kind::Secret | Kind::Host | Kind::Url | Kind::Path(_)) if text.is_empty() => Ok(Value::Text(String::new())),
        _ => property.kind.read(raw),
    }
}

/// What only two properties together can have wrong.
fn together(values: &BTreeMap<&'static str, Value>) -> Vec<Problem> {
    let empty = |name: &str| values.get(name).and_then(Value::text).is_some_and(str::is_empty);
    let on = |name: &str| values.get(name).and_then(Value::switch) == Some(true);
    let mut problems = Vec::new();
    for (one, other) in [("VIDUCT_CERTIFICATE_FILE", "VIDUCT_PRIVATE_KEY_FILE"), ("VIDUCT_PRIVATE_KEY_FILE", "VIDUCT_CERTIFICATE_FILE")] {
        if empty(one) && values.contains_key(other) && !empty(other) {
            problems.push(Problem::new(one, "", format!("must be set as well when {other} is")));
        }
    }
    let number = |name: &str| values.get(name).and_then(Value::number);
    for (low, high) in [
        ("OPENVIDU_PRO_CLUSTER_AUTOSCALING_MIN_NODES", "OPENVIDU_PRO_CLUSTER_AUTOSCALING_MAX_NODES"),
        ("OPENVIDU_PRO_CLUSTER_AUTOSCALING_MIN_LOAD", "OPENVIDU_PRO_CLUSTER_AUTOSCALING_MAX_LOAD"),
    ] {
        if let (Some(least), Some(most)) = (number(low), number(high))
            && least > most
        {
            problems.push(Problem::new(low, least, format!("must not be more than {high}, which is {most}")));
        }
    }
    if on("OPENVIDU_WEBHOOK") && empty("OPENVIDU_WEBHOOK_ENDPOINT") {
        problems.push(Problem::new("OPENVIDU_WEBHOOK_ENDPOINT", "", "must be a URL when OPENVIDU_WEBHOOK is true"));
    }
    problems
}

fn unknown<'a>(names: impl Iterator<Item = &'a String>, place: &str) -> Vec<String> {
    names
        .filter(|name| find(name).is_none())
        .map(|name| match nearest(name) {
            Some(known) => format!("unknown property {name} in {place} is ignored; did you mean {known}?"),
            None => format!("unknown property {name} in {place} is ignored"),
        })
        .collect()
}

/// What the file says.
#[derive(Default)]
struct File {
    values: BTreeMap<String, Raw>,
    /// Set by POST restart.
    restart: BTreeMap<String, Raw>,
}

/// The keys of the file. Errors: where it is no TOML; the line itself is not shown, it may be the secret's.
fn parse_file(text: &str) -> Result<File, String> {
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
        format!("the configuration file is not valid TOML: line {line}: {}", error.message().lines().next().unwrap_or_default())
    })?;
    let restart = match table.remove(RESTART) {
        None => toml::Table::new(),
        Some(toml::Value::Table(restart)) => restart,
        Some(_) => return Err(format!("the configuration file is wrong: {RESTART} must be a table, [{RESTART}]")),
    };
    let raws = |table: toml::Table| table.into_iter().map(|(name, value)| (name, raw(value))).collect();
    Ok(File { values: raws(table), restart: raws(restart) })
}

fn raw(value: toml::Value) -> Raw {
    match value {
        toml::Value::Boolean(on) => Raw::Bool(on),
        toml::Value::Integer(n) => Raw::Int(n),
        toml::Value::String(text) => Raw::Text(text),
        toml::Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map_or_else(|| Raw::Other("an array of anything but texts", "[…]".into()), Raw::List),
        toml::Value::Float(n) => Raw::Other("a fraction", n.to_string()),
        toml::Value::Datetime(at) => Raw::Other("a date", at.to_string()),
        toml::Value::Table(_) => Raw::Other("a table", "{…}".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn environment_beats_file_beats_demo_beats_default() {
        let (none, some) = (env(&[]), env(&[("HTTPS_PORT", "1")]));
        for (env, file, demo, port) in [
            (&none, None, false, 443),
            (&none, None, true, 4443),
            (&none, Some("HTTPS_PORT = 2"), true, 2),
            (&none, Some("HTTPS_PORT = \"2\""), false, 2),
            (&some, Some("HTTPS_PORT = 2"), true, 1),
        ] {
            let loaded = load(&Sources { env, file, demo, lan: None }).unwrap();
            assert_eq!(loaded.config.https_port, port);
            assert_eq!(loaded.warnings, Vec::<String>::new());
        }
    }

    #[test]
    fn what_post_restart_set_beats_all_else() {
        let env = env(&[("OPENVIDU_CDR", "false"), ("OPENVIDU_WEBHOOK_ENDPOINT", "https://x/"), ("OPENVIDU_RECORDING", "false")]);
        let file = "OPENVIDU_RECORDING = false\n[restart]\nOPENVIDU_CDR = true\nOPENVIDU_WEBHOOK_ENDPOINT = \"\"\nOPENVIDU_SECRET = \"\"\n";
        let config = load(&Sources { file: Some(file), ..Sources::of(&env) }).unwrap().config;
        assert_eq!(config.value("OPENVIDU_CDR"), Some(&Value::Switch(true)));
        assert_eq!(config.value("OPENVIDU_WEBHOOK_ENDPOINT"), Some(&Value::Text(String::new())));
        assert!(config.secret.is_none() && config.recording.is_none());
        let wrong = load(&Sources { file: Some("restart = 1"), ..Sources::of(&env) }).unwrap_err().to_string();
        assert!(wrong.contains("restart must be a table"), "{wrong}");
        let unknown = load(&Sources { file: Some("[restart]\nOPENVIDU_CRD = true"), ..Sources::of(&env) }).unwrap().warnings;
        assert!(unknown[0].contains("[restart]") && unknown[0].contains("OPENVIDU_CDR?"), "{unknown:?}");
    }

    #[test]
    fn the_state_folder_is_found_in_a_broken_file() {
        let nothing = env(&[]);
        let path = |env, file| state_path(&Sources { file, ..Sources::of(env) }).display().to_string();
        assert_eq!(path(&nothing, None), "/var/lib/viduct");
        assert_eq!(path(&nothing, Some("HTTPS_PORT =\nVIDUCT_STATE_PATH = \"/data/v\" # mine\n[[")), "/data/v");
        assert_eq!(path(&env(&[("VIDUCT_STATE_PATH", "/e")]), Some("VIDUCT_STATE_PATH = \"/f\"")), "/e");
    }

    #[test]
    fn the_demo_is_reachable_and_its_secret_known() {
        let config = load(&Sources { demo: true, ..Sources::of(&env(&[("HOME", "/home/me")])) }).unwrap().config;
        assert!(config.secret.as_ref().unwrap().matches("MY_SECRET"));
        assert_eq!((config.https_port, config.domain.as_str(), config.http_port), (4443, "localhost", None));
        assert!(config.loopback_candidates && config.camera_allow_loopback);
        assert_eq!(config.state_path.to_str(), Some("/home/me/.local/state/viduct-demo"));
    }

    #[test]
    fn without_demo_there_is_no_known_secret_and_the_lan_address_is_the_domain() {
        let env = env(&[("OPENVIDU_SECRET", "")]);
        let config = load(&Sources { lan: Some([192, 168, 1, 2].into()), ..Sources::of(&env) }).unwrap().config;
        assert!(config.secret.is_none());
        assert_eq!(config.domain, "192.168.1.2");
        assert!(!config.loopback_candidates && !config.camera_allow_loopback);
    }

    #[test]
    fn plain_http_opens_only_when_asked_for() {
        let port = |pairs: &[(&str, &str)]| load(&Sources::of(&env(pairs))).unwrap().config.http_port;
        assert_eq!(port(&[("HTTP_PORT", "8080")]), None);
        assert_eq!(port(&[("VIDUCT_PLAIN_HTTP", "true")]), Some(80));
        assert_eq!(port(&[("VIDUCT_PLAIN_HTTP", "true"), ("HTTP_PORT", "8080")]), Some(8080));
    }

    #[test]
    fn all_problems_come_at_once_and_hide_the_secret() {
        let env = env(&[("HTTPS_PORT", "70000"), ("OPENVIDU_SECRET", "pass word"), ("OPENVIDU_CDR", "maybe")]);
        let wrong = load(&Sources { file: Some("VIDUCT_MEDIA_PORT = 1.5\n"), ..Sources::of(&env) }).unwrap_err().to_string();
        assert_eq!(
            wrong.lines().collect::<Vec<_>>(),
            [
                "Property HTTPS_PORT=70000: must be a whole number from 0 to 65535",
                "Property OPENVIDU_CDR=maybe: must be true or false",
                "Property OPENVIDU_SECRET=***: must consist of letters, digits, '_' and '-' only",
                "Property VIDUCT_MEDIA_PORT=1.5: must not be a fraction; must be a whole number from 0 to 65535",
            ]
        );
    }

    #[test]
    fn unknown_names_are_reported_with_the_nearest_known_one() {
        let env = env(&[("OPENVIDU_SECRT", "x"), ("VIDUCT_NONSENSE_AT_ALL", "1"), ("PATH", "/bin"), ("HTTPS_PROT", "1")]);
        let loaded = load(&Sources { file: Some("HTTPS_PROT = 1"), ..Sources::of(&env) }).unwrap();
        assert_eq!(
            loaded.warnings,
            [
                "unknown property HTTPS_PROT in the configuration file is ignored; did you mean HTTPS_PORT?",
                "unknown property OPENVIDU_SECRT in the environment is ignored; did you mean OPENVIDU_SECRET?",
                "unknown property VIDUCT_NONSENSE_AT_ALL in the environment is ignored",
            ]
        );
    }

    #[test]
    fn what_is_not_acted_on_yet_is_said() {
        let env = env(&[
            ("OPENVIDU_RECORDING_COMPOSED_URL", "http://h/"),
            ("OPENVIDU_RECORDING", "false"),
            ("OPENVIDU_SESSIONS_GARBAGE_INTERVAL", "900"),
        ]);
        let warnings = load(&Sources::of(&env)).unwrap().warnings;
        assert_eq!(warnings, ["OPENVIDU_RECORDING_COMPOSED_URL is stored and reported, but this version does not act on it yet"]);
    }

    #[test]
    fn properties_that_need_each_other() {
        for (pairs, line) in [
            (vec![("VIDUCT_CERTIFICATE_FILE", "/c.pem")], "Property VIDUCT_PRIVATE_KEY_FILE=: must be set as well"),
            (vec![("VIDUCT_PRIVATE_KEY_FILE", "/k.pem")], "Property VIDUCT_CERTIFICATE_FILE=: must be set as well"),
            (
                vec![("OPENVIDU_PRO_CLUSTER_AUTOSCALING_MIN_NODES", "3")],
                "Property OPENVIDU_PRO_CLUSTER_AUTOSCALING_MIN_NODES=3: must not be more than",
            ),
            (vec![("OPENVIDU_WEBHOOK", "true")], "Property OPENVIDU_WEBHOOK_ENDPOINT=: must be a URL"),
        ] {
            let wrong = load(&Sources::of(&env(&pairs))).unwrap_err().to_string();
            assert!(wrong.starts_with(line), "{wrong}");
        }
    }

    #[test]
    fn a_broken_file_is_named_by_line_and_not_quoted() {
        let wrong = load(&Sources { file: Some("HTTPS_PORT = 1\nOPENVIDU_SECRET = hush hush\n"), ..Sources::of(&env(&[])) }).unwrap_err();
        let text = wrong.to_string();
        assert!(text.contains("line 2") && !text.contains("hush"), "{text}");
    }
}
