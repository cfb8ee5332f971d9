//! The Socket.IO dialect from outside.

mod decode;
mod encode;
mod hostile;
mod redact;

use super::*;

fn within(namespace: &str) -> SocketIo {
    SocketIo::new(SocketIoConfig { namespace: namespace.into(), ..SocketIoConfig::default() })
}

fn default() -> SocketIo {
    within("/")
}

fn text(text: &str) -> Payload {
    Payload::Text(text.into())
}

fn message(payload: &str, id: Option<u64>) -> Meaning {
    Meaning::Message { payload: text(payload), id }
}

fn admission(payload: &str, admits: bool) -> Meaning {
    Meaning::Admission { payload: text(payload), admits }
}

fn unreadable(payload: &str, detail: &str) -> Meaning {
    Meaning::Unreadable { payload: text(payload), detail: detail.into() }
}

#[track_caller]
fn reads(dialect: &mut SocketIo, frame: &str, meaning: Meaning) {
    assert_eq!(dialect.decode(text(frame)), meaning, "{frame}");
}
