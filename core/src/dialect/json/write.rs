//! Writing: every frame is put together in one buffer of exactly its size.

use alloc::string::String;

use bytestring::ByteString;

use crate::json::{digits, finish, push_number, push_quoted, quoted_len};

/// What goes into an envelope.
#[derive(Clone, Copy, Debug)]
pub(super) enum Data<'a> {
    /// A JSON value, to be written as it is.
    Value(&'a str),
    /// Any text, to be written as a JSON string.
    Text(&'a str),
}

/// `{"FIELD":`, the beginning of an envelope.
pub(super) fn envelope_head(id_field: &str) -> String {
    let mut head = String::with_capacity(3 + quoted_len(id_field));
    head.push('{');
    push_quoted(&mut head, id_field);
    head.push(':');
    head
}

/// `{"id":ID,"data":DATA,"timestamp":MS}` with the head given.
pub(super) fn envelope(head: &str, id: u64, data: Data<'_>, unix_ms: u64) -> ByteString {
    const DATA: &str = r#","data":"#;
    const TIMESTAMP: &str = r#","timestamp":"#;
    let size = match data {
        Data::Value(value) => value.len(),
        Data::Text(text) => quoted_len(text),
    };
    let size = head.len() + digits(id) + DATA.len() + size + TIMESTAMP.len() + digits(unix_ms) + 1;
    let mut out = String::with_capacity(size);
    out.push_str(head);
    push_number(&mut out, id);
    out.push_str(DATA);
    match data {
        Data::Value(value) => out.push_str(value),
        Data::Text(text) => push_quoted(&mut out, text),
    }
    out.push_str(TIMESTAMP);
    push_number(&mut out, unix_ms);
    out.push('}');
    finish(out, size)
}

/// `{"type":KIND}`, or `{"type":KIND,"timestamp":MS}`.
pub(super) fn heartbeat(kind: &str, unix_ms: Option<u64>) -> ByteString {
    const TYPE: &str = r#"{"type":"#;
    const TIMESTAMP: &str = r#","timestamp":"#;
    let stamp = unix_ms.map_or(0, |unix_ms| TIMESTAMP.len() + digits(unix_ms));
    let size = TYPE.len() + quoted_len(kind) + stamp + 1;
    let mut out = String::with_capacity(size);
    out.push_str(TYPE);
    push_quoted(&mut out, kind);
    if let Some(unix_ms) = unix_ms {
        out.push_str(TIMESTAMP);
        push_number(&mut out, unix_ms);
    }
    out.push('}');
    finish(out, size)
}

/// `{"ack":ID}`.
pub(super) fn ack(id: u64) -> ByteString {
    const ACK: &str = r#"{"ack":"#;
    let size = ACK.len() + digits(id) + 1;
    let mut out = String::with_capacity(size);
    out.push_str(ACK);
    push_number(&mut out, id);
    out.push('}');
    finish(out, size)
}
