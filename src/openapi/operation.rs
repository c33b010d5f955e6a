//! What one route takes and answers, as its door describes it. Pure.

use super::Schema;
use serde_json::{Map, Value, json};

/// The description of one route.
#[derive(Clone, PartialEq, Debug)]
pub struct Operation {
    tag: &'static str,
    id: &'static str,
    summary: &'static str,
    description: String,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    answers: Vec<Answer>,
    deprecated: bool,
}

/// A variable of a query or a header.
#[derive(Clone, PartialEq, Debug)]
pub struct Parameter {
    place: &'static str,
    name: &'static str,
    schema: Schema,
}

#[derive(Clone, PartialEq, Debug)]
struct Body {
    required: bool,
    content_type: &'static str,
    schema: Schema,
}

#[derive(Clone, PartialEq, Debug)]
struct Answer {
    status: u16,
    description: String,
    content: Vec<(&'static str, Schema)>,
    headers: Vec<(&'static str, &'static str)>,
}

pub(super) const JSON: &str = "application/json";

impl Parameter {
    /// `?name=true`.
    pub fn flag(name: &'static str, default: bool, description: &str) -> Parameter {
        let description = format!("{description} Also understood: `on`, `yes`, `1` and `off`, `no`, `0`.");
        Parameter::query(name, Schema::flag(&description).default(default))
    }

    /// `?name=…`.
    pub fn query(name: &'static str, schema: Schema) -> Parameter {
        Parameter { place: "query", name, schema }
    }

    /// `Name: …`.
    pub fn header(name: &'static str, schema: Schema) -> Parameter {
        Parameter { place: "header", name, schema }
    }

    fn into_json(self) -> Value {
        parameter(self.place, self.name, self.schema)
    }
}

/// As it stands in the document; the words about it go where readers look for them.
pub(super) fn parameter(place: &str, name: &str, schema: Schema) -> Value {
    let mut schema = schema.into_json();
    let description = schema.as_object_mut().and_then(|schema| schema.shift_remove("description")).unwrap_or_default();
    json!({ "name": name, "in": place, "required": place == "path", "description": description, "schema": schema })
}

impl Operation {
    /// A route that belongs to `tag`. `id` is what generated clients call it.
    pub fn new(tag: &'static str, id: &'static str, summary: &'static str) -> Operation {
        Operation {
            tag,
            id,
            summary,
            description: String::new(),
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            deprecated: false,
        }
    }

    /// More words, in Markdown.
    pub fn about(mut self, description: &str) -> Operation {
        self.description = description.to_owned();
        self
    }

    /// Another paragraph.
    pub(super) fn and_about(mut self, description: &str) -> Operation {
        let gap = if self.description.is_empty() { "" } else { "\n\n" };
        self.description = format!("{}{gap}{description}", self.description);
        self
    }

    /// There is a better way today.
    pub fn deprecated(mut self) -> Operation {
        self.deprecated = true;
        self
    }

    /// A parameter. One that is wrong is answered with 400.
    pub fn takes(mut self, parameter: Parameter) -> Operation {
        self.parameters.push(parameter);
        self
    }

    /// A JSON body that must be there.
    pub fn body(self, schema: Schema) -> Operation {
        self.has_body(true, JSON, schema)
    }

    /// A JSON body that may be left out.
    pub fn body_if_any(self, schema: Schema) -> Operation {
        self.has_body(false, JSON, schema)
    }

    /// A body of another type that must be there.
    pub fn body_of(self, content_type: &'static str, schema: Schema) -> Operation {
        self.has_body(true, content_type, schema)
    }

    fn has_body(mut self, required: bool, content_type: &'static str, schema: Schema) -> Operation {
        self.body = Some(Body { required, content_type, schema });
        self
    }

    /// An answer with JSON.
    pub fn json(self, status: u16, description: &str, schema: Schema) -> Operation {
        self.content(status, description, JSON, schema)
    }

    /// An answer of another type.
    pub fn content(self, status: u16, description: &str, content_type: &'static str, schema: Schema) -> Operation {
        self.answers(status, description, Some((content_type, schema)))
    }

    /// An answer without a body.
    pub fn empty(self, status: u16, description: &str) -> Operation {
        self.answers(status, description, None)
    }

    /// A refusal in the form of the API's errors.
    pub fn refuses(self, status: u16, description: &str) -> Operation {
        self.json(status, description, Schema::named("Error"))
    }

    /// A header of the answer described last.
    pub fn header(mut self, name: &'static str, description: &'static str) -> Operation {
        self.answers.last_mut().into_iter().for_each(|answer| answer.headers.push((name, description)));
        self
    }

    fn answers(mut self, status: u16, description: &str, content: Option<(&'static str, Schema)>) -> Operation {
        match self.answers.iter_mut().find(|answer| answer.status == status) {
            // several reasons for one status are told one after the other
            Some(known) => {
                known.description = format!("{} {description}", known.description).trim_end().to_owned();
                known.content.extend(content.filter(|(kind, _)| known.content.iter().all(|(other, _)| other != kind)));
            }
            None => {
                let content = content.into_iter().collect();
                self.answers.push(Answer { status, description: description.into(), content, headers: Vec::new() });
            }
        }
        self
    }

    pub(super) fn takes_json(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.content_type == JSON)
    }

    pub(super) fn has_parameters(&self) -> bool {
        !self.parameters.is_empty()
    }

    /// As it stands in the document, with the variables of its path and who may ask.
    pub(super) fn into_json(mut self, of_path: Vec<Value>, security: Value) -> Value {
        self.answers.sort_by_key(|answer| answer.status);
        let mut object = json!({ "tags": [self.tag], "operationId": self.id, "summary": self.summary });
        if !self.description.is_empty() {
            object["description"] = self.description.into();
        }
        if self.deprecated {
            object["deprecated"] = true.into();
        }
        object["security"] = security;
        let parameters: Vec<Value> = of_path.into_iter().chain(self.parameters.into_iter().map(Parameter::into_json)).collect();
        if !parameters.is_empty() {
            object["parameters"] = parameters.into();
        }
        if let Some(body) = self.body {
            object["requestBody"] = json!({ "required": body.required, "content": content(vec![(body.content_type, body.schema)]) });
        }
        object["responses"] = self.answers.into_iter().map(|answer| (answer.status.to_string(), answer.into_json())).collect();
        object
    }
}

impl Answer {
    fn into_json(self) -> Value {
        let mut object = json!({ "description": self.description });
        if !self.headers.is_empty() {
            let header =
                |(name, description): (&str, &str)| (name.into(), json!({ "description": description, "schema": { "type": "string" } }));
            object["headers"] = self.headers.into_iter().map(header).collect::<Map<String, Value>>().into();
        }
        if !self.content.is_empty() {
            object["content"] = content(self.content);
        }
        object
    }
}

fn content(kinds: Vec<(&'static str, Schema)>) -> Value {
    let media = |schema: Schema| match schema.into_json() {
        Value::Object(empty) if empty.is_empty() => json!({}),
        schema => json!({ "schema": schema }),
    };
    kinds.into_iter().map(|(content_type, schema)| (content_type.to_owned(), media(schema))).collect::<Map<_, _>>().into()
}
