//! The sample file and the reference page, made from the table: `viduct config sample` and `viduct config reference` print them.
//! Pure.

use super::properties::{PROPERTIES, Property};
use super::value::{Kind, Raw, Value};
use std::fmt::Write;

/// What properties are about, in the order a reader wants.
const SECTIONS: &[(&str, &[&str])] = &[
    ("The box", &[]),
    ("Sessions and streams", &["OPENVIDU_STREAMS_", "OPENVIDU_SESSIONS_"]),
    ("Recordings", &["OPENVIDU_RECORDING"]),
    ("Events", &["OPENVIDU_CDR", "OPENVIDU_WEBHOOK", "VIDUCT_CDR_", "VIDUCT_WEBHOOK_"]),
    ("OpenVidu Pro", &["OPENVIDU_PRO_", "KMS_URIS"]),
];

/// A configuration file with every property at its default, commented out.
pub fn sample() -> String {
    let mut text = String::from(
        "# Configuration of Viduct. Every property stands here with its default; remove the # to change one.\n\
         # The environment outranks this file: HTTPS_PORT=8443 viduct. `viduct config check` judges it.\n",
    );
    for (title, properties) in sections() {
        text += &format!("\n# ---- {title} ----\n");
        for property in properties {
            let end = if property.doc.ends_with('?') { "" } else { "." };
            text += &format!("\n# {}{end}{}\n#{} = {}\n", property.doc, remarks(property), property.name, toml(property));
        }
    }
    text
}

/// The reference page, in Markdown.
pub fn reference() -> String {
    let mut text = String::from(
        "# Properties\n\n\
         <!-- Made by `viduct config reference`. -->\n\n\
         Where a value comes from, the first that has one wins: the last POST restart (table `[restart]` of the file), the environment,\n\
         the file, `--demo`, the default. *Change* tells how a new value takes effect: **reload** by SIGHUP (`systemctl reload viduct`)\n\
         and nobody is disturbed, **POST** by `POST /openvidu/api/restart`; whatever is not marked, and all else, by a start.\n\
         A property marked *reported* is checked, stored and shown, but nothing acts on it in this version.\n",
    );
    for (title, properties) in sections() {
        text += &format!("\n## {title}\n\n| property | meaning | values | default (`--demo`) | change |\n|---|---|---|---|---|\n");
        for property in properties {
            let Property { name, doc, kind, .. } = property;
            let reported = if property.effective { "" } else { " *(reported)*" };
            let doc = doc.replace('|', "\\|");
            // writing to a String cannot fail
            let _ = writeln!(text, "| `{name}` | {doc}{reported} | {} | {} | {} |", values(*kind), default(property), change(property));
        }
    }
    text
}

fn sections() -> Vec<(&'static str, Vec<&'static Property>)> {
    let of = |property: &Property| SECTIONS.iter().rposition(|(_, prefixes)| prefixes.iter().any(|p| property.name.starts_with(p)));
    let members = |at: usize| PROPERTIES.iter().filter(move |property| of(property).unwrap_or_default() == at).collect();
    SECTIONS.iter().enumerate().map(|(at, (title, _))| (*title, members(at))).collect()
}

fn remarks(property: &Property) -> String {
    let mut remarks = String::new();
    if let Kind::Word(words) = property.kind {
        let _ = write!(remarks, " One of {}.", words.join(", "));
    }
    if let Some(demo) = property.demo {
        let _ = write!(remarks, " With --demo: {demo}.");
    }
    if !property.effective {
        remarks += " Reported only.";
    }
    remarks
}

/// The default as it stands in a file.
fn toml(property: &Property) -> String {
    match property.kind.read(&Raw::Text(property.default.into())) {
        Ok(Value::Switch(on)) => on.to_string(),
        Ok(Value::Number(n)) => n.to_string(),
        Ok(Value::List(list)) => format!("[{}]", list.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ")),
        Ok(Value::Text(_)) | Err(_) => format!("{:?}", property.default),
    }
}

fn values(kind: Kind) -> String {
    match kind {
        Kind::Switch => "`true`, `false`".into(),
        Kind::Number(from, to) if to == i64::from(i32::MAX) => format!("{from} or more"),
        Kind::Number(from, to) => format!("{from} to {to}"),
        Kind::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Text => "text".into(),
        Kind::Secret => "letters, digits, `_`, `-`".into(),
        Kind::Host => "host or address".into(),
        Kind::Path(_) => "path".into(),
        Kind::Url => "URL".into(),
        Kind::Addresses => "IP addresses".into(),
        Kind::Networks => "IP addresses and networks".into(),
        Kind::Uris => "URLs".into(),
        Kind::Headers => "headers".into(),
        Kind::Words(_) => "names".into(),
    }
}

fn default(property: &Property) -> String {
    let shown = |text: &str| if text.is_empty() { "–".to_owned() } else { format!("`{text}`") };
    let default = match property.kind {
        Kind::Words(_) => "all".to_owned(),
        _ => shown(property.default),
    };
    property.demo.map_or(default.clone(), |demo| format!("{default} ({})", shown(demo)))
}

fn change(property: &Property) -> &'static str {
    match (property.reloadable, property.restartable) {
        (true, true) => "reload, POST",
        (true, false) => "reload",
        (false, true) => "POST",
        (false, false) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use std::collections::BTreeMap;
    use std::path::Path;

    #[test]
    fn the_sample_is_the_defaults() {
        let uncommented: String = sample()
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase())))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(uncommented.lines().count(), PROPERTIES.len(), "every property has its line");
        let env = BTreeMap::new();
        let load = |file| load(&Sources { file, ..Sources::of(&env) }).unwrap_or_else(|wrong| panic!("{wrong}"));
        let (sampled, default) = (load(Some(uncommented.as_str())), load(None));
        assert_eq!(sampled.warnings, default.warnings);
        for property in PROPERTIES {
            assert_eq!(sampled.config.value(property.name), default.config.value(property.name), "{}", property.name);
        }
        // as it is, it says nothing
        assert_eq!(load(Some(&sample())).warnings, Vec::<String>::new());
    }

    #[test]
    fn the_files_in_the_repository_are_those_the_table_makes() {
        let systemd = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
        for (name, made, command) in [("viduct.toml", sample(), "sample"), ("properties.md", reference(), "reference")] {
            let kept = std::fs::read_to_string(systemd.join(name)).unwrap_or_default();
            assert!(kept == made, "systemd/{name} is stale: cargo run -- config {command} > systemd/{name}");
        }
    }
}
