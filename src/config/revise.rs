//! What POST restart sets, written into the text of the configuration file: a table of its own, `[restart]`, and not a character
//! elsewhere. Pure.

use super::value::Raw;
use toml_edit::{Array, DocumentMut, Item, Table, Value, value};

/// Name of the table.
pub const RESTART: &str = "restart";
const HEADING: &str = "\n# Set by POST restart; outranks the environment and the values above. Delete lines to undo them.\n";

/// `text` with `changes` in its `[restart]` table, which earlier ones stay in.
/// Errors: it is no TOML, or `restart` is no table. A line of the file is not quoted, it may be the secret's.
pub fn revise(text: &str, changes: &[(&'static str, Raw)]) -> Result<String, String> {
    if changes.is_empty() {
        return Ok(text.to_owned());
    }
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
        format!("the configuration file is not valid TOML: line {line}: {}", error.message().lines().next().unwrap_or_default())
    })?;
    let restart = document.entry(RESTART).or_insert_with(|| {
        let mut table = Table::new();
        table.decor_mut().set_prefix(if text.is_empty() { HEADING.trim_start() } else { HEADING });
        Item::Table(table)
    });
    let restart = restart.as_table_like_mut().ok_or_else(|| format!("{RESTART} in the configuration file must be a table"))?;
    for (name, raw) in changes {
        let mut fresh = item(raw);
        // a comment behind the old value stays
        if let (Some(old), Some(new)) = (restart.get(name).and_then(Item::as_value), fresh.as_value_mut()) {
            *new.decor_mut() = old.decor().clone();
        }
        restart.insert(name, fresh);
    }
    Ok(document.to_string())
}

fn item(raw: &Raw) -> Item {
    match raw {
        Raw::Bool(on) => value(*on),
        Raw::Int(n) => value(*n),
        Raw::Text(text) | Raw::Other(_, text) => value(text.as_str()),
        Raw::List(list) => value(list.iter().map(Value::from).collect::<Array>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const FILE: &str = "# my box\nHTTPS_PORT = 8443 # not 443\n\n# say nothing\nOPENVIDU_CDR = false\n";

    #[test]
    fn comments_and_earlier_changes_stay() {
        let first = revise(FILE, &[("OPENVIDU_CDR", Raw::Bool(true)), ("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT", Raw::Int(5))]).unwrap();
        let expected = format!("{FILE}{HEADING}[restart]\nOPENVIDU_CDR = true\nOPENVIDU_RECORDING_AUTOSTOP_TIMEOUT = 5\n");
        assert_eq!(first, expected);
        let remarked = first.replace("CDR = true", "CDR = true # asked for by the office");
        let list = Raw::List(vec!["A: \"b\"".into()]);
        let second = revise(&remarked, &[("OPENVIDU_CDR", Raw::Bool(false)), ("OPENVIDU_WEBHOOK_HEADERS", list)]).unwrap();
        assert!(second.contains("OPENVIDU_CDR = false # asked for by the office\n"), "{second}");
        assert!(second.contains("TIMEOUT = 5\n") && second.starts_with(FILE), "{second}");
        assert!(second.contains(r#"OPENVIDU_WEBHOOK_HEADERS = ['A: "b"']"#), "{second}");
    }

    #[test]
    fn nothing_to_change_changes_nothing() {
        assert_eq!(revise("no = toml = at all", &[]).unwrap(), "no = toml = at all");
    }

    #[test]
    fn a_file_that_cannot_be_changed_is_named_by_line_and_not_quoted() {
        let change = [("OPENVIDU_CDR", Raw::Bool(true))];
        let error = revise("HTTPS_PORT = 1\nOPENVIDU_SECRET = hush hush\n", &change).unwrap_err();
        assert!(error.contains("line 2") && !error.contains("hush"), "{error}");
        assert!(revise("restart = 3", &change).unwrap_err().contains("must be a table"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(before in "[ -~]{0,20}", codec in 0usize..4, seconds in 0i64..=i64::from(i32::MAX), on: bool, header in "[ -~]{1,20}") {
            let word = ["VP8", "VP9", "H264", "NONE"][codec];
            let header = format!("X: {header}.");
            let changes = [
                ("OPENVIDU_STREAMS_FORCED_VIDEO_CODEC", Raw::Text(word.into())),
                ("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT", Raw::Int(seconds)),
                ("OPENVIDU_CDR", Raw::Bool(on)),
                ("OPENVIDU_WEBHOOK_HEADERS", Raw::List(vec![header.clone()])),
            ];
            let text = revise(&format!("# {before}\nHTTPS_PORT = 1\n"), &changes).unwrap();
            let env = BTreeMap::from([("OPENVIDU_CDR".to_owned(), (!on).to_string())]);
            let config = load(&Sources { file: Some(&text), ..Sources::of(&env) }).unwrap().config;
            let value = |name| config.value(name).unwrap().clone();
            prop_assert_eq!(config.forced_video_codec.as_str(), word);
            prop_assert_eq!(value("OPENVIDU_RECORDING_AUTOSTOP_TIMEOUT").number(), Some(seconds));
            prop_assert_eq!(value("OPENVIDU_CDR").switch(), Some(on));
            prop_assert_eq!(value("OPENVIDU_WEBHOOK_HEADERS").list().map(<[String]>::to_vec), Some(vec![header]));
        }
    }
}
