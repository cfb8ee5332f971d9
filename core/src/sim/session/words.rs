//! What is said on both sides, so plainly that what it means can be seen.

use alloc::format;
use alloc::string::String;

use super::step::Saying;
use crate::Duration;
use crate::config::Class;
use crate::requests::{Correlation, Request};
use crate::subscriptions::{Confirm, Matcher, Subscription};

/// Patterns that subscribers ask for; the last one is for what has no topic.
pub(super) const PATTERNS: [&str; 7] = ["a", "a.b", "a.*", "a.**", "**", "*", "b"];

const TOPICS: [&str; 8] =
    [r#""a""#, r#""a.b""#, r#""a.b.c""#, r#""b""#, r#""""#, r#""a.""#, "7", r#""\u0061""#];

/// The kind of a subscription that is too large for most outboxes.
pub(super) const LARGE: u8 = 16;

/// A subscription. The first two bits of its kind say how it is confirmed, the next two whether it is
/// unsaid, and whether the application sees what confirms it.
pub(super) fn subscription(number: u64, kind: u8, patience: u8) -> Subscription {
    if kind == LARGE {
        return Subscription::new(format!(r#"{{"say":{number:>1000}}}"#));
    }
    let key = kind % 4;
    let said = Subscription::new(format!(r#"{{"say":{number}}}"#));
    let said = if kind & 4 == 0 { said.unsay(format!(r#"{{"unsay":{number}}}"#)) } else { said };
    let name = format!("k{key}");
    let confirm = match key {
        0 => return said,
        1 => Confirm::when(Matcher::new("ok", name.as_str())),
        2 => Confirm::when(Matcher::new("ok", name.as_str()))
            .refuse(Matcher::new("no", name.as_str())),
        // Fits as well what fits the first kind, and more closely.
        _ => Confirm::when(Matcher::new("ok", "k1").and("more", true))
            .refuse(Matcher::new("no", name.as_str())),
    };
    let confirm = confirm.timeout(Duration::from_millis(u64::from(patience.max(1))));
    said.confirm(if kind & 8 == 0 { confirm } else { confirm.consume() })
}

/// A request.
pub(super) fn request(correlation: &Correlation, class: u8, timeout: Option<u8>) -> Request {
    let request = match correlation {
        Correlation::JsonRpc => Request::call("do", None),
        Correlation::Fields { .. } => Request::object("{}"),
    };
    let request = match class % 4 {
        0 => request,
        1 => request.class(Class::Queued),
        2 => request.class(Class::Volatile),
        _ => request.class(Class::Acknowledged),
    };
    match timeout {
        Some(millis) => request.timeout(Duration::from_millis(millis.into())),
        None => request,
    }
}

/// What is none, or too large.
pub(super) fn odd_request(kind: u8) -> Request {
    match kind % 4 {
        0 => Request::object("[]"),
        1 => Request::call("do", Some("7".into())),
        2 => Request::object(r#"{"ask":1}"#),
        _ => Request::call("m".repeat(3_000), Some("[]".into())),
    }
}

/// What the peer says; `id` names the request that is answered.
pub(super) fn text(saying: Saying, correlation: &Correlation, id: u64) -> String {
    let answer = |id: u64, refused: bool| {
        let part = if refused { r#""error":{"code":1}"# } else { r#""result":[1]"# };
        let field = match correlation {
            Correlation::JsonRpc => "id",
            Correlation::Fields { response, .. } => response,
        };
        format!(r#"{{"{field}":{id},{part}}}"#)
    };
    match saying {
        Saying::Answer(_, refused) => answer(id, refused),
        Saying::AnyAnswer(id, refused) => answer(id.into(), refused),
        Saying::Confirm(3) => r#"{"ok":"k1","more":true}"#.into(),
        Saying::Confirm(key) => format!(r#"{{"ok":"k{}"}}"#, key % 4),
        Saying::Refuse(key) => format!(r#"{{"no":"k{}"}}"#, key % 4),
        Saying::News(topic) => {
            format!(r#"{{"type":{},"data":{topic}}}"#, TOPICS[usize::from(topic) % 8])
        }
        Saying::Odd(kind) => odd(kind, id),
    }
}

/// What a server should not say, or what means several things at once.
fn odd(kind: u8, id: u64) -> String {
    match kind % 20 {
        0 => String::new(),
        1 => "{".into(),
        2 => "[]".into(),
        3 => format!(r#"[{{"id":{id},"result":1}}]"#),
        4 => format!(r#"{{"id":{id}}}"#),
        5 => format!(r#"{{"id":"{id}","result":1}}"#),
        6 => format!(r#"{{"id":{id}.0,"result":1}}"#),
        7 => format!(r#"{{"id":{id},"method":"do","result":1}}"#),
        8 => format!(r#"{{"id":{id},"result":null,"error":null}}"#),
        9 => format!(r#"{{"id":0,"id":{id},"result":1,"result":2}}"#),
        10 => format!(r#"{{"id":{id},"result":1}} "#),
        11 => format!(r#"{{"id":{id},"result":1}}x"#),
        12 => format!(r#"{{"re":{id},"error":null}}"#),
        // An answer, a confirmation, and on a topic.
        13 => format!(r#"{{"id":{id},"re":{id},"result":1,"ok":"k2","no":"k2","type":"a"}}"#),
        14 => r#"{"ok":"k2","no":"k2","type":"a.b"}"#.into(),
        15 => r#"{"ok":"k1","more":false}"#.into(),
        16 => format!(r#"{{"id":{},"result":1}}"#, u64::MAX),
        17 => r#"{"id":-1,"result":1,"type":null}"#.into(),
        18 => r#"{"type":"a","type":"b"}"#.into(),
        _ => r#"{"type":{"type":"a"},"data":[[[[[[[[]]]]]]]]}"#.into(),
    }
}
