//! One line of the table: a question, what it takes, what it answers and how it may fail.

use axum::http::StatusCode;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::keys::Scope;
use crate::problem::ProblemType;

/// Makes a type's schema.
pub(super) type Made = fn(&mut SchemaGenerator) -> Schema;

/// A question.
pub(super) struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    /// What a key must allow; none is needed where there is nothing.
    pub scope: Option<Scope>,
    pub query: Option<Made>,
    pub body: Option<Body>,
    pub answers: Vec<Answer>,
    /// Beside those that every question may have.
    pub problems: Vec<ProblemType>,
}

/// What is sent.
pub(super) struct Body {
    pub media: &'static str,
    pub made: Made,
    pub example: Option<Value>,
}

/// What is answered where nothing is wrong.
pub(super) struct Answer {
    pub status: StatusCode,
    pub description: &'static str,
    /// Its type, and a schema where it is JSON.
    pub content: Option<(&'static str, Option<Made>)>,
}

/// What JSON calls itself.
pub(super) const JSON: &str = "application/json";

/// A question that is asked with `GET` and a key that reads.
pub(super) fn get(path: &'static str, summary: &'static str) -> Operation {
    Operation {
        method: "get",
        path,
        tag: "",
        summary,
        scope: Some(Scope::Read),
        query: None,
        body: None,
        answers: Vec::new(),
        problems: Vec::new(),
    }
}

/// One with a body.
pub(super) fn post(path: &'static str, summary: &'static str) -> Operation {
    Operation { method: "post", ..get(path, summary) }
}

/// One that takes something away.
pub(super) fn delete(path: &'static str, summary: &'static str) -> Operation {
    Operation { method: "delete", ..get(path, summary) }
}

impl Operation {
    /// Needs no key.
    pub fn open(self) -> Self {
        Self { scope: None, ..self }
    }

    /// Needs a key that writes.
    pub fn writes(self) -> Self {
        Self { scope: Some(Scope::Write), ..self }.fails(&[
            ProblemType::Forbidden,
            ProblemType::Locked,
            ProblemType::Unwritable,
        ])
    }

    /// What may stand behind `?`.
    pub fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(T::json_schema), ..self }
            .fails(&[ProblemType::InvalidValue, ProblemType::AddressTooLong])
    }

    /// A body of JSON.
    pub fn takes<T: JsonSchema>(self, example: Value) -> Self {
        let (media, made): (_, Made) = (JSON, SchemaGenerator::subschema_for::<T>);
        Self { body: Some(Body { media, made, example: Some(example) }), ..self }.fails(&[
            ProblemType::MalformedJson,
            ProblemType::InvalidValue,
            ProblemType::TooLarge,
            ProblemType::MediaType,
        ])
    }

    /// A body of a form.
    pub fn takes_form<T: JsonSchema>(self) -> Self {
        let (media, made): (_, Made) = ("multipart/form-data", SchemaGenerator::subschema_for::<T>);
        Self { body: Some(Body { media, made, example: None }), ..self }.fails(&[
            ProblemType::InvalidValue,
            ProblemType::TooLarge,
            ProblemType::MediaType,
        ])
    }

    /// Answers 200 with JSON.
    pub fn gives<T: JsonSchema>(self, description: &'static str) -> Self {
        self.answers_with::<T>(StatusCode::OK, description)
    }

    /// Answers with JSON.
    pub fn answers_with<T: JsonSchema>(
        mut self,
        status: StatusCode,
        description: &'static str,
    ) -> Self {
        let made: Made = SchemaGenerator::subschema_for::<T>;
        self.answers.push(Answer { status, description, content: Some((JSON, Some(made))) });
        self
    }

    /// Answers 200 with something else than JSON.
    pub fn sends(mut self, media: &'static str, description: &'static str) -> Self {
        let content = Some((media, None));
        self.answers.push(Answer { status: StatusCode::OK, description, content });
        self
    }

    /// A file that a client may have already.
    pub fn kept(mut self) -> Self {
        let description = "The client has it already (`If-None-Match`)";
        self.answers.push(Answer { status: StatusCode::NOT_MODIFIED, description, content: None });
        self
    }

    /// Another status, whose body is JSON.
    pub fn also(mut self, status: StatusCode, description: &'static str) -> Self {
        self.answers.push(Answer { status, description, content: Some((JSON, None)) });
        self
    }

    /// How it may fail.
    pub fn fails(mut self, problems: &[ProblemType]) -> Self {
        self.problems.extend(problems);
        self
    }

    /// All of them under one heading.
    pub fn tagged(self, tag: &'static str) -> Self {
        Self { tag, ..self }
    }
}
