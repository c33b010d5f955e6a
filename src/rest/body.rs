//! Checked parsing of request bodies (rest.md §2.3): JSON objects, `null` = absent, strict types at the top level.

use super::error::Failure;
use crate::guard::body::{self, BadBody};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Map, Value};

/// The object a request carries.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads the body of a request; `None` when there is none.
    /// Errors, form B: 400 no JSON object, 408 too slow, 413 too large, 415 another content type.
    pub async fn read(request: Request<Body>) -> Result<Option<Fields>, Failure> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let bytes = body::read(request.into_body()).await.map_err(|error| Failure::framework(status(error), error.to_string()))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if !is_json(&content_type) {
            return Err(Failure::framework(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json"));
        }
        Fields::parse(&bytes).map(Some)
    }

    /// Reads the body of a request that must have one.
    /// Errors: those of [`Fields::read`], and 400 of form B without a body.
    pub async fn require(request: Request<Body>) -> Result<Fields, Failure> {
        Fields::read(request).await?.ok_or_else(|| Failure::framework(StatusCode::BAD_REQUEST, "the request body is missing"))
    }

    fn parse(bytes: &[u8]) -> Result<Fields, Failure> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(Fields(map)),
            Ok(other) => Err(malformed(format!("the request body must be a JSON object, not {}", kind(&other)))),
            Err(error) => Err(malformed(format!("the request body is not valid JSON: {error}"))),
        }
    }

    /// All fields, those that are `null` left out.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter().filter(|(_, value)| !value.is_null())
    }

    /// The value of a field; `null` counts as absent.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A field that must be a text. Errors: 400.
    pub fn string(&self, name: &str) -> Result<Option<&str>, Failure> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A field that must be `true` or `false`. Errors: 400.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Failure> {
        self.typed(name, "a boolean", Value::as_bool)
    }

    /// A field that must be a whole number from 0 up to what 32 bits hold. Errors: 400.
    pub fn integer(&self, name: &str) -> Result<Option<u32>, Failure> {
        self.typed(name, "an integer (0 or more)", |value| value.as_u64().and_then(|n| u32::try_from(n).ok()))
    }

    /// A field that must be a whole number of any sign. Errors: 400.
    pub fn whole(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.typed(name, "an integer", Value::as_i64)
    }

    /// A field that must be an array. Errors: 400.
    pub fn array(&self, name: &str) -> Result<Option<&[Value]>, Failure> {
        self.typed(name, "an array", |value| value.as_array().map(Vec::as_slice))
    }

    fn typed<'a, T>(&'a self, name: &str, what: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, Failure> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(Failure::bad(format!("Type error in some parameter: '{name}' must be {what}, not {}", kind(value)))),
        }
    }
}

/// Nested objects are read leniently: `"1000"` is a number there (rest.md §2.3).
pub fn lenient_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64().or_else(|| n.as_f64().filter(|f| f.is_finite()).map(|f| f as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Nested objects are read leniently: any text but `true` is false there.
pub fn lenient_boolean(value: &Value) -> bool {
    match value {
        Value::Bool(on) => *on,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// Nested objects are read leniently: anything is text there.
pub fn lenient_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn status(error: BadBody) -> StatusCode {
    match error {
        BadBody::Large => StatusCode::PAYLOAD_TOO_LARGE,
        BadBody::Slow => StatusCode::REQUEST_TIMEOUT,
        BadBody::Broken => StatusCode::BAD_REQUEST,
    }
}

fn malformed(message: String) -> Failure {
    Failure::framework(StatusCode::BAD_REQUEST, message)
}

fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// What a value is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(n) if n.as_i64().is_some_and(|n| n < 0) => "a negative number",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn request(content_type: Option<&str>, body: impl Into<Body>) -> Request<Body> {
        let mut builder = Request::post("/");
        if let Some(content_type) = content_type {
            builder = builder.header(header::CONTENT_TYPE, content_type);
        }
        builder.body(body.into()).unwrap()
    }

    #[tokio::test]
    async fn bodies_that_are_no_object_are_refused() {
        let json = Some("application/json");
        for (content_type, body, status, names) in [
            (json, "[]".to_owned(), 400, "an array"),
            (json, "\"x\"".to_owned(), 400, "a string"),
            (json, "3".to_owned(), 400, "a number"),
            (json, "null".to_owned(), 400, "null"),
            (json, "{\"a\":".to_owned(), 400, "line 1 column 5"),
            (json, "{\"a\": 1} x".to_owned(), 400, "line 1"),
            (json, "[".repeat(4000), 400, "recursion"),
            (json, " ".repeat(body::LIMIT + 1), 413, "larger"),
            (None, "{}".to_owned(), 415, "application/json"),
            (Some("text/plain"), "{}".to_owned(), 415, "application/json"),
            (Some("application/x-www-form-urlencoded"), "a=b".to_owned(), 415, "application/json"),
        ] {
            let failure = Fields::read(request(content_type, body)).await.unwrap_err();
            assert_eq!(failure.status.as_u16(), status);
            assert!(failure.message.contains(names), "{}", failure.message);
        }
    }

    #[tokio::test]
    async fn no_body_is_none_whatever_its_type() {
        for content_type in [None, Some("application/json"), Some("application/x-www-form-urlencoded")] {
            assert_eq!(Fields::read(request(content_type, "")).await, Ok(None));
        }
        let failure = Fields::require(request(None, "")).await.unwrap_err();
        assert_eq!(failure.status, StatusCode::BAD_REQUEST);
        for content_type in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"] {
            assert!(Fields::read(request(Some(content_type), "{}")).await.unwrap().is_some());
        }
    }

    #[test]
    fn null_is_absent_and_types_are_strict() {
        let fields = Fields::parse(json!({"n": null, "s": "x", "b": true, "i": 25, "f": 25.0, "neg": -1}).to_string().as_bytes()).unwrap();
        assert_eq!(fields.string("n"), Ok(None));
        assert_eq!(fields.string("absent"), Ok(None));
        assert_eq!(fields.string("s"), Ok(Some("x")));
        assert_eq!(fields.boolean("b"), Ok(Some(true)));
        assert_eq!(fields.integer("i"), Ok(Some(25)));
        for failure in [
            fields.string("b").unwrap_err(),
            fields.boolean("s").unwrap_err(),
            fields.integer("f").unwrap_err(),
            fields.integer("s").unwrap_err(),
            fields.integer("neg").unwrap_err(),
        ] {
            assert!(failure.message.starts_with("Type error in some parameter: '"), "{}", failure.message);
        }
    }

    #[test]
    fn nested_values_are_lenient() {
        assert_eq!(lenient_number(&json!("1000")), Some(1000));
        assert_eq!(lenient_number(&json!(25.9)), Some(25));
        assert_eq!(lenient_number(&json!(-5)), Some(-5));
        assert_eq!(lenient_number(&json!("many")), None);
        assert!(lenient_boolean(&json!("True")) && !lenient_boolean(&json!("yes")) && !lenient_boolean(&json!(1)));
        assert_eq!(lenient_text(&json!(5)), "5");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Fields::parse(&bytes);
        }
    }
}
