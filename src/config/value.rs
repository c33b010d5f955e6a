//! One value of a property: its kinds, and how text from the environment or a value of the file becomes one. Pure.

use super::network::Network;
use std::fmt;
use std::net::IpAddr;

/// What a property may hold.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`, any case.
    Switch,
    /// A whole number within bounds.
    Number(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// `[a-zA-Z0-9_-]+`, never shown.
    Secret,
    /// A host name or an address.
    Host,
    /// A path; `true` when it is shown with a trailing slash.
    Path(bool),
    /// A URL with scheme and host.
    Url,
    /// IP addresses.
    Addresses,
    /// IP addresses and networks of them.
    Networks,
    /// `ws://` or `wss://` URLs.
    Uris,
    /// `Name: value` headers.
    Headers,
    /// Some of these words.
    Words(&'static [&'static str]),
}

/// A checked value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Switch(bool),
    Number(i64),
    Text(String),
    List(Vec<String>),
}

/// A value as its source has it, not yet checked.
#[derive(Clone, PartialEq, Debug)]
pub enum Raw {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<String>),
    /// Nothing a property can hold: what it is, and how it was written.
    Other(&'static str, String),
}

impl Value {
    /// The switch, if it is one.
    pub fn switch(&self) -> Option<bool> {
        if let Value::Switch(on) = self { Some(*on) } else { None }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<i64> {
        if let Value::Number(n) = self { Some(*n) } else { None }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// The list, if it is one.
    pub fn list(&self) -> Option<&[String]> {
        if let Value::List(list) = self { Some(list) } else { None }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Bool(on) => write!(f, "{on}"),
            Raw::Int(n) => write!(f, "{n}"),
            Raw::Text(text) | Raw::Other(_, text) => f.write_str(text),
            Raw::List(list) => write!(f, "{list:?}"),
        }
    }
}

impl Kind {
    /// Must a value written as `value` stay out of logs? Headers carry passwords, and so do URLs with user info.
    pub fn hides(self, value: &str) -> bool {
        match self {
            Kind::Secret | Kind::Headers => true,
            Kind::Url => value.contains('@'),
            _ => false,
        }
    }

    /// Checks a value. Errors: what is wrong and what would be right, for a person.
    pub fn read(self, raw: &Raw) -> Result<Value, String> {
        if let Raw::Other(what, _) = raw {
            return Err(format!("must not be {what}; {}", self.remedy()));
        }
        self.try_read(raw).ok_or_else(|| self.remedy())
    }

    fn try_read(self, raw: &Raw) -> Option<Value> {
        match self {
            Kind::Switch => match raw {
                Raw::Bool(on) => Some(Value::Switch(*on)),
                _ => ["false", "true"].iter().position(|word| word.eq_ignore_ascii_case(&raw.to_string())).map(|i| Value::Switch(i == 1)),
            },
            Kind::Number(from, to) => {
                let n = match raw {
                    Raw::Int(n) => *n,
                    Raw::Text(text) => text.trim().parse().ok()?,
                    _ => return None,
                };
                (from..=to).contains(&n).then_some(Value::Number(n))
            }
            Kind::Addresses => self.read_list(raw, |item| item.parse::<IpAddr>().is_ok()),
            Kind::Networks => self.read_list(raw, |item| item.parse::<Network>().is_ok()),
            Kind::Uris => self.read_list(raw, is_socket_url),
            Kind::Headers => self.read_list(raw, is_header),
            Kind::Words(words) => self.read_list(raw, |item| words.contains(&item)),
            _ => self.read_text(raw).map(Value::Text),
        }
    }

    fn read_text(self, raw: &Raw) -> Option<String> {
        let text = match raw {
            Raw::Text(text) => text.clone(),
            Raw::Int(n) => n.to_string(),
            _ => return None,
        };
        let right = match self {
            Kind::Word(words) => words.contains(&text.as_str()),
            Kind::Secret => is_word(&text),
            Kind::Host => is_host(&text),
            Kind::Path(_) => !text.contains('\0'),
            Kind::Url => url::Url::parse(&text).is_ok_and(|url| url.has_host()),
            _ => true,
        };
        right.then_some(text)
    }

    fn read_list(self, raw: &Raw, right: impl Fn(&str) -> bool) -> Option<Value> {
        let list = match raw {
            Raw::List(list) => list.clone(),
            Raw::Text(text) => split_list(text),
            _ => return None,
        };
        list.iter().all(|item| right(item)).then_some(Value::List(list))
    }

    /// What a right value looks like.
    fn remedy(self) -> String {
        match self {
            Kind::Switch => "must be true or false".into(),
            Kind::Number(from, i64::MAX) => format!("must be a whole number, {from} or more"),
            Kind::Number(from, to) => format!("must be a whole number from {from} to {to}"),
            Kind::Word(words) => format!("must be one of {}", words.join(", ")),
            Kind::Text => "must be a text".into(),
            Kind::Secret => "must consist of letters, digits, '_' and '-' only".into(),
            Kind::Host => "must be a host name or an IP address, without scheme, port or path".into(),
            Kind::Path(_) => "must be a path".into(),
            Kind::Url => "must be a URL like https://host/path".into(),
            Kind::Addresses => r#"must be an array of IP addresses like ["203.0.113.7"]"#.into(),
            Kind::Networks => r#"must be an array of IP addresses and networks like ["192.0.2.7", "10.0.0.0/8"]"#.into(),
            Kind::Uris => r#"must be an array of ws:// or wss:// URLs like ["ws://host:8888/kurento"]"#.into(),
            Kind::Headers => r#"must be an array of headers like ["Name: value"]"#.into(),
            Kind::Words(words) => format!("must be an array with some of {}", words.join(", ")),
        }
    }
}

/// Is it a text of `[a-zA-Z0-9_-]+`?
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn is_host(text: &str) -> bool {
    let name = |label: &str| is_word(label) && !label.starts_with('-') && !label.ends_with('-');
    text.parse::<IpAddr>().is_ok() || (text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(name))
}

fn is_socket_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "ws" | "wss") && url.has_host())
}

fn is_header(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, value)| {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        !name.is_empty() && name.bytes().all(token) && !value.trim().is_empty() && !value.contains(['\r', '\n'])
    })
}

/// An array in one line of text: JSON, or JSON with single quotes, missing quotes or blanks around the commas (events.md §7).
fn split_list(text: &str) -> Vec<String> {
    if let Ok(list) = serde_json::from_str(text) {
        return list;
    }
    let text = text.trim();
    let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let (mut items, mut item, mut quote) = (Vec::new(), String::new(), None);
    for c in text.chars() {
        match (c, quote) {
            ('"' | '\'', None) if item.trim().is_empty() => quote = Some(c),
            (c, Some(q)) if c == q => quote = None,
            (',', None) => items.push(std::mem::take(&mut item)),
            _ => item.push(c),
        }
    }
    items.push(item);
    items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(t: &str) -> Raw {
        Raw::Text(t.into())
    }

    #[test]
    fn right_values_are_read() {
        let list = |items: &[&str]| Value::List(items.iter().map(|i| i.to_string()).collect());
        for (kind, raw, value) in [
            (Kind::Switch, text("TRUE"), Value::Switch(true)),
            (Kind::Switch, text("false"), Value::Switch(false)),
            (Kind::Switch, Raw::Bool(true), Value::Switch(true)),
            (Kind::Number(0, 65535), text(" 4443 "), Value::Number(4443)),
            (Kind::Number(0, 65535), Raw::Int(0), Value::Number(0)),
            (Kind::Word(&["VP8", "H264"]), text("H264"), Value::Text("H264".into())),
            (Kind::Host, text("localhost"), Value::Text("localhost".into())),
            (Kind::Host, text("a-b.example.org"), Value::Text("a-b.example.org".into())),
            (Kind::Host, text("::1"), Value::Text("::1".into())),
            (Kind::Text, Raw::Int(5), Value::Text("5".into())),
            (Kind::Addresses, text(r#"["203.0.113.7", "2001:db8::1"]"#), list(&["203.0.113.7", "2001:db8::1"])),
            (Kind::Addresses, text("203.0.113.7"), list(&["203.0.113.7"])),
            (Kind::Addresses, text("[]"), list(&[])),
            (Kind::Networks, text("[10.0.0.0/8, '2001:db8::1']"), list(&["10.0.0.0/8", "2001:db8::1"])),
            (Kind::Uris, text("[ws://a:8888/kurento]"), list(&["ws://a:8888/kurento"])),
            (Kind::Headers, text("['A: b, c' , D: e]"), list(&["A: b, c", "D: e"])),
            (Kind::Words(&["a", "b"]), text("[a ,\"b\"]"), list(&["a", "b"])),
        ] {
            assert_eq!(kind.read(&raw), Ok(value), "{kind:?} {raw:?}");
        }
    }

    #[test]
    fn wrong_values_are_refused_with_a_remedy() {
        for (kind, raw) in [
            (Kind::Switch, text("yes")),
            (Kind::Switch, Raw::Int(1)),
            (Kind::Number(1, 9), text("10")),
            (Kind::Number(1, 9), text("1.5")),
            (Kind::Number(1, 9), Raw::Bool(true)),
            (Kind::Word(&["VP8"]), text("vp8")),
            (Kind::Secret, text("two words")),
            (Kind::Secret, text("")),
            (Kind::Host, text("https://box")),
            (Kind::Host, text("box:4443")),
            (Kind::Host, text("a..b")),
            (Kind::Host, text("-a")),
            (Kind::Url, text("no url")),
            (Kind::Url, text("mailto:a@b")),
            (Kind::Addresses, text("[example.org]")),
            (Kind::Addresses, text("[10.0.0.0/8]")),
            (Kind::Networks, text("[10.0.0.0/33]")),
            (Kind::Uris, text("[http://a]")),
            (Kind::Headers, text("[NoColon]")),
            (Kind::Headers, text("[Bad Name: x]")),
            (Kind::Words(&["a"]), text("[c]")),
            (Kind::Text, Raw::List(vec![])),
            (Kind::Text, Raw::Other("a table", "{}".into())),
        ] {
            let message = kind.read(&raw).expect_err(&format!("{kind:?} {raw:?}"));
            assert!(message.starts_with("must "), "{message}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(t in ".*") {
            for kind in [Kind::Switch, Kind::Number(0, 9), Kind::Host, Kind::Url, Kind::Addresses, Kind::Headers, Kind::Secret, Kind::Path(true)] {
                let _ = kind.read(&text(&t));
            }
        }

        #[test]
        fn json_arrays_come_back_whole(list in proptest::collection::vec("[ -~]*", 0..5)) {
            prop_assert_eq!(split_list(&serde_json::to_string(&list).unwrap()), list);
        }
    }
}
