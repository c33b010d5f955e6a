//! JSON Schema (2020-12, the dialect of OpenAPI 3.1) in the words that the descriptions of the doors need. Pure.

use serde_json::{Map, Value, json};

/// The description of a value.
#[derive(Clone, PartialEq, Debug)]
pub struct Schema(Value);

impl Schema {
    /// A text.
    pub fn text(description: &str) -> Schema {
        Schema(json!({ "type": "string", "description": description }))
    }

    /// One of some words.
    pub fn words(description: &str, words: &[&str]) -> Schema {
        Schema(json!({ "type": "string", "description": description, "enum": words }))
    }

    /// A whole number.
    pub fn integer(description: &str) -> Schema {
        Schema(json!({ "type": "integer", "description": description }))
    }

    /// A number.
    pub fn number(description: &str) -> Schema {
        Schema(json!({ "type": "number", "description": description }))
    }

    /// A moment, as the whole API tells it.
    pub fn moment(description: &str) -> Schema {
        Schema::integer(&format!("{description} In milliseconds since 1970-01-01T00:00:00Z.")).example(1_616_514_000_000_u64)
    }

    /// `true` or `false`.
    pub fn flag(description: &str) -> Schema {
        Schema(json!({ "type": "boolean", "description": description }))
    }

    /// Values of one kind in a row.
    pub fn list(description: &str, of: Schema) -> Schema {
        Schema(json!({ "type": "array", "description": description, "items": of.0 }))
    }

    /// What another schema of the document describes.
    pub fn named(name: &str) -> Schema {
        Schema(json!({ "$ref": format!("#/components/schemas/{name}") }))
    }

    /// An object with all of `fields`; [`Schema::optional`] tells which of them may be absent.
    pub fn object<'a>(description: &str, fields: impl IntoIterator<Item = (&'a str, Schema)>) -> Schema {
        let fields: Map<String, Value> = fields.into_iter().map(|(name, schema)| (name.to_owned(), schema.0)).collect();
        let required: Vec<&String> = fields.keys().collect();
        Schema(json!({ "type": "object", "description": description, "required": required, "properties": fields }))
    }

    /// A body: an object whose fields may all be left out, and `null` counts as left out, but for `required` ones.
    pub fn body<'a>(description: &str, required: &[&str], fields: impl IntoIterator<Item = (&'a str, Schema)>) -> Schema {
        let fields = fields.into_iter().map(|(name, schema)| match required.contains(&name) {
            true => (name, schema),
            false => (name, schema.or_null()),
        });
        let mut object = Schema::object(description, fields);
        object.0["required"] = json!(required);
        object
    }

    /// An object with fields of any name and one kind.
    pub fn any_object(description: &str, of: Value) -> Schema {
        Schema(json!({ "type": "object", "description": description, "additionalProperties": of }))
    }

    /// A body of bytes, which JSON Schema says nothing about.
    pub fn bytes() -> Schema {
        Schema(json!({}))
    }

    /// One of several kinds.
    pub fn one_of(description: &str, kinds: impl IntoIterator<Item = Schema>) -> Schema {
        let kinds: Vec<Value> = kinds.into_iter().map(|kind| kind.0).collect();
        Schema(json!({ "description": description, "anyOf": kinds }))
    }

    /// The same object, in which these fields need not be.
    pub fn optional(mut self, names: &[&str]) -> Schema {
        if let Some(required) = self.0["required"].as_array_mut() {
            required.retain(|name| !names.iter().any(|optional| name == optional));
        }
        self
    }

    /// The same, or `null`.
    pub fn or_null(mut self) -> Schema {
        match self.0.get("type").cloned() {
            Some(Value::String(kind)) => {
                self.0["type"] = json!([kind, "null"]);
                if let Some(Value::Array(words)) = self.0.get_mut("enum") {
                    words.push(Value::Null);
                }
                self
            }
            Some(_) => self,
            None => Schema(json!({ "anyOf": [self.0, { "type": "null" }] })),
        }
    }

    /// What stands for it when it is left out.
    pub fn default(self, value: impl Into<Value>) -> Schema {
        self.with("default", value.into())
    }

    /// What it may look like.
    pub fn example(self, value: impl Into<Value>) -> Schema {
        let examples = Value::Array(vec![value.into()]);
        self.with("examples", examples)
    }

    /// What it must look like (ECMA-262, anchored by whoever writes it).
    pub fn pattern(self, pattern: &str) -> Schema {
        self.with("pattern", pattern.into())
    }

    /// Bounds of a number, both included.
    pub fn within(self, from: i64, to: i64) -> Schema {
        self.with("minimum", from.into()).with("maximum", to.into())
    }

    /// Any other word of JSON Schema.
    pub fn with(mut self, word: &str, value: Value) -> Schema {
        self.0[word] = value;
        self
    }

    /// As it stands in the document.
    pub fn into_json(self) -> Value {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_another_type_and_another_word() {
        assert_eq!(Schema::words("w", &["A"]).or_null().0, json!({"type": ["string", "null"], "description": "w", "enum": ["A", null]}));
        assert_eq!(Schema::named("X").or_null().0, json!({"anyOf": [{"$ref": "#/components/schemas/X"}, {"type": "null"}]}));
        let twice = Schema::flag("f").or_null().or_null();
        assert_eq!(twice, Schema::flag("f").or_null());
    }

    #[test]
    fn a_body_may_leave_out_what_it_need_not_say() {
        let body = Schema::body("b", &["a"], [("a", Schema::flag("")), ("b", Schema::flag(""))]).0;
        assert_eq!((&body["required"], &body["properties"]["a"]["type"]), (&json!(["a"]), &json!("boolean")));
        assert_eq!(body["properties"]["b"]["type"], json!(["boolean", "null"]));
        let answer = Schema::object("o", [("a", Schema::flag("")), ("b", Schema::flag(""))]).optional(&["b"]).0;
        assert_eq!(answer["required"], json!(["a"]));
    }
}
