//! How a response says which request it answers.

use alloc::string::String;
use core::ops::Range;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::request::{Body, Fault};
use crate::config::ConfigError;
use crate::json::{
    Pick, check, digits, finish, first_byte, integer, is_string, pick, push_number, push_quoted,
    quoted_len, range_of, try_pick,
};

/// How requests carry their id, and how responses repeat it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Correlation {
    /// JSON-RPC 2.0. A request is `{"jsonrpc":"2.0","id":n,"method":…,"params":…}`.
    ///
    /// A response is a JSON object with an integer `id`, no `method`, and an `error` that is not
    /// null or else a `result`; whether it says `"jsonrpc":"2.0"` is not asked, as many servers
    /// leave it out. So notifications and the server's own requests are no responses, nor is an
    /// array of them: no batches are sent.
    #[default]
    JsonRpc,
    /// The id is an integer in a top-level field of a JSON object, both ways.
    Fields {
        /// The field of a request, which is put before its other fields.
        request: String,
        /// The field of a response. It may have the name of the request's.
        response: String,
        /// A response that has this field, and not null in it, is a refusal. `None`: none is.
        #[serde(default)]
        error: Option<String>,
    },
}

impl Correlation {
    /// Checks the fields' names.
    ///
    /// # Errors
    /// [`ConfigError`] with the first field that breaks a rule, and the rule.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Correlation::Fields { request, response, error } = self else { return Ok(()) };
        let rule = |holds, field, rule| {
            if holds { Ok(()) } else { Err(ConfigError::new(field, rule)) }
        };
        rule(!request.is_empty(), "requests.correlation.fields.request", "must not be empty")?;
        rule(!response.is_empty(), "requests.correlation.fields.response", "must not be empty")?;
        const ERROR: &str = "requests.correlation.fields.error";
        rule(error.as_deref() != Some(""), ERROR, "must not be empty")?;
        rule(error.as_ref() != Some(response), ERROR, "must differ from the response's field")
    }

    /// Whether every response belongs here, whatever its id.
    pub(super) const fn claims_every_response(&self) -> bool {
        match self {
            Correlation::JsonRpc => true,
            Correlation::Fields { .. } => false,
        }
    }

    /// The message of a request.
    pub(super) fn write(&self, id: u64, body: &Body) -> Result<ByteString, (Fault, usize)> {
        match (self, body) {
            (Correlation::JsonRpc, Body::Call { method, params }) => {
                if let Some(params) = params {
                    check(params).map_err(|at| (Fault::NotJson, at))?;
                    if !matches!(first_byte(params), Some(b'{' | b'[')) {
                        return Err((Fault::NotStructured, start(params)));
                    }
                }
                Ok(call(id, method, params.as_deref()))
            }
            (Correlation::Fields { request, .. }, Body::Object(text)) => {
                if first_byte(text) != Some(b'{') {
                    return Err(match check(text) {
                        Ok(()) => (Fault::NotAnObject, start(text)),
                        Err(at) => (Fault::NotJson, at),
                    });
                }
                let found = Room { field: request, any: false, taken: None };
                let room = try_pick(text, found).map_err(|at| (Fault::NotJson, at))?;
                if let Some(key) = room.taken {
                    return Err((Fault::HasId, range_of(text, key).start));
                }
                Ok(with_id(id, request, text, room.any))
            }
            (Correlation::JsonRpc, Body::Object(_))
            | (Correlation::Fields { .. }, Body::Call { .. }) => Err((Fault::WrongForm, 0)),
        }
    }

    /// Which request a message answers, and how; `None` if it is no response.
    pub(super) fn read(&self, text: &str) -> Option<Response> {
        let names = match self {
            Correlation::JsonRpc => Names {
                id: "id",
                error: Some("error"),
                result: Some("result"),
                method: Some("method"),
            },
            Correlation::Fields { response, error, .. } => {
                Names { id: response, error: error.as_deref(), result: None, method: None }
            }
        };
        let found = Found { names, id: None, error: None, result: None, method: None };
        let found = pick(text, found)?;
        let id = integer(found.id?)?;
        if found.method.is_some() {
            return None;
        }
        let error = found.error.filter(|error| *error != "null");
        let (refused, part) = match (error, found.names.result) {
            (Some(error), _) => (true, range_of(text, error)),
            (None, Some(_)) => (false, range_of(text, found.result?)),
            (None, None) => (false, 0..text.len()),
        };
        Some(Response { id, refused, part })
    }
}

/// What a response says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) id: u64,
    pub(super) refused: bool,
    /// Where the result or the error stands.
    pub(super) part: Range<usize>,
}

/// Where the white space ends that a text begins with.
fn start(text: &str) -> usize {
    text.bytes()
        .position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        .unwrap_or(text.len())
}

/// `{"jsonrpc":"2.0","id":ID,"method":METHOD,"params":PARAMS}`.
fn call(id: u64, method: &str, params: Option<&str>) -> ByteString {
    const HEAD: &str = r#"{"jsonrpc":"2.0","id":"#;
    const METHOD: &str = r#","method":"#;
    const PARAMS: &str = r#","params":"#;
    let size = params.map_or(0, |params| PARAMS.len() + params.len());
    let size = HEAD.len() + digits(id) + METHOD.len() + quoted_len(method) + size + 1;
    let mut out = String::with_capacity(size);
    out.push_str(HEAD);
    push_number(&mut out, id);
    out.push_str(METHOD);
    push_quoted(&mut out, method);
    if let Some(params) = params {
        out.push_str(PARAMS);
        out.push_str(params);
    }
    out.push('}');
    finish(out, size)
}

/// The object with the id before its other fields, if there are `any`.
fn with_id(id: u64, field: &str, object: &str, any: bool) -> ByteString {
    let (head, rest) = object.split_at(start(object) + 1);
    let size = object.len() + quoted_len(field) + 1 + digits(id) + usize::from(any);
    let mut out = String::with_capacity(size);
    out.push_str(head);
    push_quoted(&mut out, field);
    out.push(':');
    push_number(&mut out, id);
    if any {
        out.push(',');
    }
    out.push_str(rest);
    finish(out, size)
}

/// Looks whether there is room for an id.
struct Room<'a, 'f> {
    field: &'f str,
    any: bool,
    taken: Option<&'a str>,
}

impl<'a> Pick<'a> for Room<'a, '_> {
    type Place = ();

    fn place(&mut self, key: &'a str) -> Option<()> {
        self.any = true;
        if self.taken.is_none() && is_string(key, self.field) {
            self.taken = Some(key);
        }
        None
    }

    fn put(&mut self, (): (), _value: &'a str) {}
}

/// The names of a response's fields.
struct Names<'f> {
    id: &'f str,
    error: Option<&'f str>,
    result: Option<&'f str>,
    /// The field that no response has.
    method: Option<&'f str>,
}

struct Found<'a, 'f> {
    names: Names<'f>,
    id: Option<&'a str>,
    error: Option<&'a str>,
    result: Option<&'a str>,
    method: Option<&'a str>,
}

enum Field {
    Id,
    Error,
    Result,
    Method,
}

impl<'a> Pick<'a> for Found<'a, '_> {
    type Place = Field;

    fn place(&mut self, key: &'a str) -> Option<Field> {
        let is = |name: Option<&str>| name.is_some_and(|name| is_string(key, name));
        if is(Some(self.names.id)) {
            Some(Field::Id)
        } else if is(self.names.result) {
            Some(Field::Result)
        } else if is(self.names.error) {
            Some(Field::Error)
        } else if is(self.names.method) {
            Some(Field::Method)
        } else {
            None
        }
    }

    fn put(&mut self, field: Field, value: &'a str) {
        match field {
            Field::Id => self.id = Some(value),
            Field::Error => self.error = Some(value),
            Field::Result => self.result = Some(value),
            Field::Method => self.method = Some(value),
        }
    }
}
