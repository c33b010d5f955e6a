//! What query strings carry: flags, read loosely (rest.md §2.2), and texts.

use super::error::Failure;
use axum::http::StatusCode;

/// The flag `name` of a query string: `true|on|yes|1` or `false|off|no|0` in any case; absent or empty is `default`.
/// Errors: 400 of form B for any other value.
pub fn flag(query: Option<&str>, name: &str, default: bool) -> Result<bool, Failure> {
    let Some(value) = text(query, name) else { return Ok(default) };
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(Failure::framework(StatusCode::BAD_REQUEST, format!("query parameter '{name}' must be true or false"))),
    }
}

/// The text `name` of a query string; absent or empty is `None`.
pub fn text(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_loosely() {
        for (query, value) in [
            (None, Ok(true)),
            (Some(""), Ok(true)),
            (Some("other=x"), Ok(true)),
            (Some("f="), Ok(true)),
            (Some("f=ON"), Ok(true)),
            (Some("f=no"), Ok(false)),
            (Some("a=b&f=0"), Ok(false)),
            (Some("f=%66alse"), Ok(false)),
            (Some("f=2"), Err(())),
            (Some("f=truee"), Err(())),
        ] {
            assert_eq!(flag(query, "f", true).map_err(|_| ()), value, "{query:?}");
        }
    }
}
