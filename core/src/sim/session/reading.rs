//! A second reading of what the peer says, by `serde_json`'s values.

use alloc::string::{String, ToString as _};

use serde_json::Value;

use crate::bus::RoutingConfig;
use crate::frame::Payload;
use crate::requests::Correlation;
use crate::subscriptions::Matcher;

/// A response to a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Response {
    pub(super) id: u64,
    pub(super) refused: bool,
    /// The result or the error.
    pub(super) part: Value,
}

/// The object that a message is, if it is one.
pub(super) fn object(payload: &Payload) -> Option<Value> {
    let value: Value = serde_json::from_str(payload.as_text()?).ok()?;
    value.is_object().then_some(value)
}

/// The response that an object is.
pub(super) fn response(correlation: &Correlation, object: &Value) -> Option<Response> {
    let present = |name: &str| object.get(name).filter(|value| !value.is_null());
    match correlation {
        Correlation::JsonRpc => {
            let id = object.get("id")?.as_u64()?;
            if object.get("method").is_some() {
                return None;
            }
            Some(match present("error") {
                Some(error) => Response { id, refused: true, part: error.clone() },
                None => Response { id, refused: false, part: object.get("result")?.clone() },
            })
        }
        Correlation::Fields { response, error, .. } => {
            let id = object.get(response)?.as_u64()?;
            let error = error.as_ref().and_then(|error| present(error));
            let part = error.unwrap_or(object).clone();
            Some(Response { id, refused: error.is_some(), part })
        }
    }
}

/// Whether an object has every field of a matcher.
pub(super) fn fits(matcher: &Matcher, object: &Value) -> bool {
    matcher.fields().all(|(name, wanted)| {
        let wanted: Option<Value> = serde_json::from_str(wanted.as_json()).ok();
        wanted.is_some() && object.get(name) == wanted.as_ref()
    })
}

/// What an object is about.
pub(super) fn topic(routing: &RoutingConfig, object: &Value) -> Option<String> {
    match object.get(&routing.topic)? {
        Value::String(topic) => Some(topic.clone()),
        Value::Number(topic) => Some(topic.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What a subscriber gets of an object that has a topic.
pub(super) fn content<'a>(routing: &RoutingConfig, object: &'a Value) -> &'a Value {
    let field = routing.payload.as_ref().and_then(|field| object.get(field));
    field.unwrap_or(object)
}
