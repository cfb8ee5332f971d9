//! The table from outside.

mod forms;
mod lost;
mod model;
mod storm;

use super::*;
use crate::event::Seq;
use crate::frame::Payload;
use crate::notice::{Doubt, DropReason, Fate};
use crate::time::{Duration, Instant};
use crate::{ByteString, Class};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const NOW: Instant = Instant::from_millis(1_000);

fn table() -> Requests {
    Requests::new(Correlation::JsonRpc, Limits::default()).unwrap()
}

fn fields(error: Option<&str>) -> Requests {
    let (request, response) = ("req".into(), "re".into());
    let correlation = Correlation::Fields { request, response, error: error.map(Into::into) };
    Requests::new(correlation, Limits::default()).unwrap()
}

fn call(class: Class) -> Request {
    Request::call("do", None).class(class)
}

fn text(text: &str) -> Payload {
    Payload::Text(text.into())
}

fn result(id: u64) -> Payload {
    text(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{id}}}"#))
}

fn ends(requests: &mut Requests) -> Vec<(u64, Outcome)> {
    core::iter::from_fn(|| requests.poll_ended()).map(|e| (e.id.get(), e.outcome)).collect()
}

fn resends(requests: &mut Requests) -> Vec<u64> {
    core::iter::from_fn(|| requests.next_resend()).map(|(id, _)| id.get()).collect()
}

/// Issues a request and has the connection accept its message.
fn ask(requests: &mut Requests, class: Class, seq: u64) -> RequestId {
    let issued = requests.issue(NOW, call(class)).unwrap();
    requests.sent(issued.id, Seq(seq));
    issued.id
}
