//! The API document: its golden text, its own soundness, and the judge of every answer that any test of this door receives.

use super::*;
use crate::rest::about;
use jsonschema::Validator;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/rest/openapi.json");

/// The document, in which objects have no other fields than those described: the public one lets later versions add some.
static STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut document = about::whole();
    close(&mut document);
    document
});

/// What other doors serve, which a bench may not have.
const ELSEWHERE: [&str; 5] = ["/", "/metrics", "/openvidu", "/openvidu/api/docs", "/openvidu/info"];

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

fn close(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            if object.get("type").is_some_and(is_object) && object.contains_key("properties") {
                object.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn is_object(kind: &Value) -> bool {
    kind == "object" || kind == &json!(["object", "null"])
}

/// What was asked, as far as the document speaks of it.
pub struct Asked {
    method: String,
    path: String,
    preflight: bool,
}

impl Asked {
    /// `old_paths`: those lead somewhere.
    pub fn of(request: &Request<Body>, old_paths: bool) -> Asked {
        let uri = request.uri();
        let modern = crate::rest::legacy::modern(uri).filter(|_| old_paths).unwrap_or(uri.clone());
        let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
        let preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let path = modern.path().trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        let path = crate::rest::routes::of_object(&method, path).unwrap_or(path);
        Asked { method: method.to_string(), path: path.to_owned(), preflight }
    }

    /// Panics when the document does not allow this answer.
    pub fn must_allow(&self, answer: &Answer) {
        let Asked { method, path, preflight } = self;
        let Some((template, operations)) = template(path).filter(|_| !preflight) else { return };
        let Some(operation) = operations.get(method.to_ascii_lowercase()) else {
            assert!(
                matches!(answer.status, 401 | 405),
                "{method} {path} is not documented, but answers {}: {}",
                answer.status,
                answer.text
            );
            return;
        };
        if answer.status == 404 && ELSEWHERE.contains(&template) {
            return;
        }
        let described = &operation["responses"][answer.status.to_string()];
        assert!(described.is_object(), "{method} {template}: status {} is not documented: {}", answer.status, answer.text);
        if answer.text.is_empty() {
            return;
        }
        let kind = answer.content_type().split(';').next().unwrap_or_default();
        let content = &described["content"];
        let media = content.get(kind).or_else(|| content.get("*/*"));
        let media = media.unwrap_or_else(|| panic!("{method} {template} {}: {kind} is not documented: {}", answer.status, answer.text));
        if kind.ends_with("json") && media["schema"].is_object() {
            let errors = errors(&format!("{method} {template} {}", answer.status), &media["schema"], &answer.json());
            assert!(errors.is_empty(), "{method} {template} {}: {errors:#?}\n{}", answer.status, answer.text);
        }
    }
}

/// The path of the document that `path` is an instance of. Fixed words go before variables.
fn template(path: &str) -> Option<(&'static str, &'static Value)> {
    let fits = |template: &str| {
        let (mut words, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (words.next(), given.next()) {
                (None, None) => return true,
                (Some("{path}"), Some(_)) => return true,
                (Some(word), Some(part)) if word == part || (word.starts_with('{') && !part.is_empty()) => {}
                _ => return false,
            }
        }
    };
    let paths = STRICT["paths"].as_object().unwrap().iter().filter(|(template, _)| fits(template));
    paths.min_by_key(|(template, _)| template.matches('{').count()).map(|(template, operations)| (template.as_str(), operations))
}

fn errors(key: &str, schema: &Value, value: &Value) -> Vec<String> {
    let known = VALIDATORS.lock().unwrap().get(key).cloned();
    let validator = known.unwrap_or_else(|| {
        let made = Arc::new(validator(schema));
        VALIDATORS.lock().unwrap().insert(key.to_owned(), made.clone());
        made
    });
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// With the named schemas of the document at hand.
fn validator(schema: &Value) -> Validator {
    let mut root = schema.clone();
    root["components"] = STRICT["components"].clone();
    jsonschema::draft202012::new(&root).unwrap_or_else(|error| panic!("{error}: {schema}"))
}

/// Every schema that stands in `value`, wherever.
fn examples(value: &Value, found: &mut Vec<(Value, Value)>) {
    if let (Some(Value::Array(examples)), Some(_)) = (value.get("examples"), value.get("type").or_else(|| value.get("anyOf"))) {
        found.extend(examples.iter().map(|example| (value.clone(), example.clone())));
    }
    match value {
        Value::Object(object) => object.values().for_each(|value| examples(value, found)),
        Value::Array(items) => items.iter().for_each(|value| examples(value, found)),
        _ => {}
    }
}

#[test]
fn the_golden_document() {
    let text = format!("{:#}\n", about::whole());
    if std::env::var_os("VIDUCT_GOLDEN").is_some_and(|word| word == "write") {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let kept = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert!(text == kept, "tests/golden/rest/openapi.json is stale: VIDUCT_GOLDEN=write cargo test --lib golden");
}

#[test]
fn every_operation_is_told_in_full() {
    let document = about::whole();
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(tags.contains(&&operation["tags"][0]), "{what}: its tag is unknown");
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{what}: another operation has its name");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{what}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.as_str() < "300"), "{what} never succeeds");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].as_str().is_some_and(|text| text.len() > 5), "{what}: {parameter}");
            }
        }
    }
    assert_eq!(ids.len(), crate::rest::ROUTES.len());
}

#[test]
fn schemas_are_sound_and_used_and_examples_fit_them() {
    let text = STRICT.to_string();
    for (name, schema) in STRICT["components"]["schemas"].as_object().unwrap() {
        validator(schema);
        assert!(text.contains(&format!("#/components/schemas/{name}\"")), "{name} is not used");
    }
    let mut found = Vec::new();
    examples(&STRICT["components"]["schemas"], &mut found);
    examples(&STRICT["paths"], &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for (schema, example) in found {
        assert!(validator(&schema).is_valid(&example), "{example} is no example of {schema}");
    }
}

#[test]
fn the_judge_refuses_what_is_not_documented() {
    let sessions = Asked { method: "GET".into(), path: "/openvidu/api/sessions".into(), preflight: false };
    let answer = |status: u16, text: &str| {
        let headers = [(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"))].into_iter().collect();
        Answer { status, headers, text: text.into() }
    };
    sessions.must_allow(&answer(200, r#"{"numberOfElements":0,"content":[]}"#));
    for (status, text) in [
        (418, "{}"),
        (200, r#"{"numberOfElements":"0","content":[]}"#),
        (200, r#"{"numberOfElements":0}"#),
        (200, r#"{"numberOfElements":0,"content":[],"more":1}"#),
        (200, r#"{"numberOfElements":1,"content":[{"id":"S"}]}"#),
    ] {
        let allowed = std::panic::catch_unwind(|| sessions.must_allow(&answer(status, text)));
        assert!(allowed.is_err(), "{status} {text}");
    }
}

#[tokio::test]
async fn the_document_is_public_and_kept_by_who_has_it() {
    let bench = Bench::new();
    let get = || Request::get("/openvidu/api/openapi.json");
    let answer = bench.send(get().body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.json()["openapi"].as_str()), (200, Some("3.1.0")));
    let tag = answer.headers[header::ETAG].clone();
    let again = bench.send(get().header(header::IF_NONE_MATCH, tag).body(Body::empty()).unwrap()).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    let changed = bench.send(get().header(header::IF_NONE_MATCH, "\"0\"").body(Body::empty()).unwrap()).await;
    assert_eq!(changed.status, 200);
}
