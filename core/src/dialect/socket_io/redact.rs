//! What stands for a text in a trace: the head as it was, for it holds nothing but the protocol's
//! own, and filler of the same kind for what was said.

use alloc::string::String;
use core::iter::repeat_n;

use super::packet::{Flaw, Packet};
use super::{SocketIo, value};
use crate::dialect::Way;
use crate::dialect::redact::{self, filler};
use crate::frame::Payload;

impl SocketIo {
    pub(super) fn stand_in(&self, payload: &Payload, way: Way, label: u64) -> Payload {
        let Payload::Text(text) = payload else { return filler(payload, label) };
        match way {
            Way::Received => Payload::from(self.received_stand_in(text, label)),
            Way::Sent if value::is_event(text) => {
                let blank = text.len() - text.trim_start_matches([' ', '\t', '\n', '\r']).len();
                let mut event = String::with_capacity(text.len());
                event.extend(repeat_n(' ', blank));
                push_event(&mut event, text.len() - blank, label);
                Payload::from(event)
            }
            // No filler is an event.
            Way::Sent => filler(payload, label),
        }
    }

    fn received_stand_in(&self, text: &str, label: u64) -> String {
        let mut out = String::with_capacity(text.len());
        // The head with the namespace that was asked for and the id, and the size of the body.
        let head = |size: usize, out: &mut String| {
            out.push_str(&text[..size]);
            text.len() - size
        };
        match self.read(text) {
            Ok(packet) => match packet {
                Packet::Event { body, .. } => {
                    let size = head(text.len() - body.len(), &mut out);
                    push_event(&mut out, size, label);
                }
                Packet::Handshake { body } | Packet::Connect { body } => {
                    let size = head(text.len() - body.len(), &mut out);
                    out.push('{');
                    out.extend(repeat_n(' ', size - 2));
                    out.push('}');
                }
                Packet::ConnectError { body } => {
                    let size = head(text.len() - body.len(), &mut out);
                    if size > 0 {
                        push_string(&mut out, size, label);
                    }
                }
                Packet::Ack { body, .. } => {
                    let size = head(text.len() - body.len(), &mut out);
                    if size > 0 {
                        out.push('[');
                        out.extend(repeat_n(' ', size - 2));
                        out.push(']');
                    }
                }
                Packet::BadAck { rest } => {
                    head(text.len() - rest.len(), &mut out);
                    push_large(&mut out, rest, label);
                }
                Packet::Close | Packet::Ping | Packet::Pong | Packet::Idle => {
                    let size = head(1, &mut out);
                    redact::push(&mut out, size, label);
                }
                // It has no body.
                Packet::Disconnect => out.push_str(text),
            },
            Err(unread) => {
                let size = head(unread.at, &mut out);
                match unread.flaw {
                    // Anything but `b`, which would be base64.
                    Flaw::EngineType if size > 0 => {
                        out.push('?');
                        redact::push(&mut out, size - 1, label);
                    }
                    Flaw::Binary if size > 0 => {
                        // `5`, `6` or `b`.
                        out.push_str(&text[unread.at..=unread.at]);
                        redact::push(&mut out, size - 1, label);
                    }
                    Flaw::Namespace => self.push_elsewhere(&mut out, &text[unread.at..], label),
                    Flaw::Id => push_large(&mut out, &text[unread.at..], label),
                    Flaw::EngineType | Flaw::SocketType | Flaw::Binary | Flaw::Body => {
                        redact::push(&mut out, size, label);
                    }
                }
            }
        }
        out
    }

    /// What is for another namespace, as `rest` is.
    fn push_elsewhere(&self, out: &mut String, rest: &str, label: u64) {
        if !rest.starts_with('/') {
            // For `/`, whatever it says.
            return redact::push(out, rest.len(), label);
        }
        out.push('/');
        let room = rest.len() - 1;
        let other = |label| redact::text(room, label);
        let same = |name: &str| self.parts.config.namespace.strip_prefix('/') == Some(name);
        let name = other(label);
        out.push_str(&if same(&name) { other(label.wrapping_add(1)) } else { name });
    }
}

/// What begins with a number that is too large, or with none, as `rest` does.
fn push_large(out: &mut String, rest: &str, label: u64) {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    out.extend(repeat_n('9', digits));
    redact::push(out, rest.len() - digits, label);
}

/// An event of `size` bytes, which are at least 3.
fn push_event(out: &mut String, size: usize, label: u64) {
    out.push('[');
    match size {
        // A name that is a number.
        0..=3 => out.push('0'),
        _ => push_string(out, size - 2, label),
    }
    out.push(']');
}

/// A JSON string of `size` bytes, which are at least 2.
fn push_string(out: &mut String, size: usize, label: u64) {
    out.push('"');
    redact::push(out, size - 2, label);
    out.push('"');
}
