//! The JSON dialect from outside.

mod agreement;
mod decode;
mod encode;
mod hostile;
mod redact;

use super::*;

fn json(change: impl FnOnce(&mut JsonConfig)) -> Json {
    let mut config = JsonConfig::default();
    change(&mut config);
    Json::new(config)
}

fn default() -> Json {
    json(|_| {})
}

fn context(id: u64) -> Encoding {
    Encoding { id: Some(id), unix_ms: 1_700_000_000_000, class: Class::Queued }
}

fn text(text: &str) -> Payload {
    Payload::Text(text.into())
}

fn message(payload: &str, id: Option<u64>) -> Meaning {
    Meaning::Message { payload: text(payload), id }
}

fn ack(id: u64, cumulative: bool) -> Meaning {
    Meaning::Ack { id, cumulative }
}

#[track_caller]
fn reads(dialect: &mut Json, frame: &str, meaning: Meaning) {
    assert_eq!(dialect.decode(text(frame)), meaning, "{frame}");
}
