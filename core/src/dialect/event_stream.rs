//! Frames are blocks of an event stream, as `EventSource` reads them.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use super::{Dialect, Encoded, Encoding, Meaning, Way, filler, redact};
use crate::error::EncodeError;
use crate::frame::Payload;
use crate::json::{Escapes, escapes, finish, push_quoted, quoted_len};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// What the [`EventStream`] dialect passes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventStreamConfig {
    /// Whether a message is `{"event":"…","data":"…","id":"…"}` instead of the data alone. All are
    /// strings; `event` is `message` where the stream names none, and `id` is left out where it names
    /// none. Default off.
    pub fields: bool,
}

/// The dialect of a server that sends an event stream (WHATWG HTML, section 9.2, "Server-sent events")
/// in the text frames of a WebSocket. HTTP itself, in which `EventSource` has it, is not spoken.
///
/// **Received.** Each text frame is a whole stream of its own: it may begin with a byte order mark,
/// its lines end in CR, LF or both, and an event ends at an empty line or with the frame. An event is a
/// message: its `data` lines joined by LF, or what [`EventStreamConfig::fields`] says. Events without
/// a `data` line, comments, and frames of nothing else are no messages, and yet prove that the
/// server lives. `retry` and unknown fields are passed over; so is an `id` that holds NUL. An event
/// has the id that stands in it: who resumes keeps the last one that there was.
///
/// A text in which nothing is a field or a comment, one with more than [`EventStream::MAX_EVENTS`]
/// events, and a binary frame are [`Meaning::Unreadable`].
///
/// **Sent** is nothing: [`EncodeError::OneWay`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventStream {
    config: EventStreamConfig,
}

impl EventStream {
    /// How many events one frame may hold.
    pub const MAX_EVENTS: usize = 256;

    /// The dialect with this configuration.
    #[must_use]
    pub fn new(config: EventStreamConfig) -> Self {
        Self { config }
    }

    /// Reads a frame, or says why it is none of a stream.
    fn read(&self, text: &ByteString) -> Result<Meaning, Box<str>> {
        let mut first = None;
        let mut more = Vec::new();
        let mut event = Event::default();
        let (mut known, mut unknown) = (false, false);
        for Line { content, at, .. } in Lines::of(text) {
            let field = Field::of(content);
            match field {
                Field::Data(data) => event.add(data),
                Field::Event(name) => event.name = name,
                Field::Id(id) => event.id = Some(id),
                Field::Passed | Field::Unknown => {}
                // The place after the last line as well: there an unfinished event ends.
                Field::End => {
                    let Some(payload) =
                        core::mem::take(&mut event).finish(text, self.config.fields)
                    else {
                        continue;
                    };
                    if first.is_none() {
                        first = Some(payload);
                    } else if more.len() + 1 < Self::MAX_EVENTS {
                        more.push(payload);
                    } else {
                        let most = Self::MAX_EVENTS;
                        return Err(format!("more than {most} events at byte {at}").into());
                    }
                    continue;
                }
            }
            let is_unknown = matches!(field, Field::Unknown);
            unknown |= is_unknown;
            known |= !is_unknown;
        }
        if unknown && !known {
            return Err("no field of an event stream from byte 0 on".into());
        }
        Ok(match first {
            None => Meaning::Messages(Vec::new()),
            Some(payload) if more.is_empty() => Meaning::Message { payload, id: None },
            Some(payload) => {
                more.insert(0, payload);
                Meaning::Messages(more)
            }
        })
    }
}

impl Dialect for EventStream {
    fn decode(&mut self, payload: Payload) -> Meaning {
        let detail = match &payload {
            Payload::Text(text) => match self.read(text) {
                Ok(meaning) => return meaning,
                Err(detail) => detail,
            },
            Payload::Binary(_) => "binary data in an event stream at byte 0".into(),
        };
        Meaning::Unreadable { payload, detail }
    }

    fn encode(
        &mut self,
        payload: Payload,
        _context: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)> {
        Err((payload, EncodeError::OneWay))
    }

    fn rewrites(&self) -> bool {
        false
    }

    fn redact(&self, payload: &Payload, way: Way, label: u64) -> Payload {
        match (payload, way) {
            (Payload::Text(text), Way::Received) => Payload::from(stand_in(text, label)),
            (Payload::Text(_), Way::Sent) | (Payload::Binary(_), _) => filler(payload, label),
        }
    }
}

/// The lines of a frame, and an empty one at its end.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    done: bool,
}

struct Line<'a> {
    content: &'a str,
    /// Where it begins, in bytes.
    at: usize,
    /// What ends it.
    end: &'a str,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        Self { text, at: mark, done: false }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let (at, rest) = (self.at, &self.text[self.at..]);
        if rest.is_empty() {
            let ends = !core::mem::replace(&mut self.done, true);
            return ends.then_some(Line { content: "", at, end: "" });
        }
        let length = rest.bytes().position(|byte| matches!(byte, b'\r' | b'\n'));
        let length = length.unwrap_or(rest.len());
        let (content, behind) = rest.split_at(length);
        let end = if behind.starts_with("\r\n") { 2 } else { behind.len().min(1) };
        self.at = at + length + end;
        Some(Line { content, at, end: &behind[..end] })
    }
}

/// What a line says.
#[derive(Clone, Copy)]
enum Field<'a> {
    /// Nothing: the event is complete.
    End,
    Data(&'a str),
    Event(&'a str),
    Id(&'a str),
    /// A comment, `retry`, or an `id` that does not count.
    Passed,
    Unknown,
}

impl<'a> Field<'a> {
    fn of(line: &'a str) -> Self {
        if line.is_empty() {
            return Field::End;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => Field::Data(value),
            "event" => Field::Event(value),
            "id" if !value.contains('\0') => Field::Id(value),
            "" | "id" | "retry" => Field::Passed,
            _ => Field::Unknown,
        }
    }
}

/// An event as far as it was read.
#[derive(Default)]
struct Event<'a> {
    name: &'a str,
    id: Option<&'a str>,
    data: Option<&'a str>,
    /// All data, if it has several lines.
    lines: Option<String>,
}

impl<'a> Event<'a> {
    fn add(&mut self, line: &'a str) {
        let Some(first) = self.data else {
            self.data = Some(line);
            return;
        };
        let lines = self.lines.get_or_insert_with(|| String::from(first));
        lines.push('\n');
        lines.push_str(line);
    }

    /// The message, if there was data. `frame` is what it was read from.
    fn finish(self, frame: &ByteString, fields: bool) -> Option<Payload> {
        let first = self.data?;
        if !fields {
            return Some(match self.lines {
                Some(lines) => Payload::from(lines),
                None => Payload::Text(frame.slice_ref(first)),
            });
        }
        let name = if self.name.is_empty() { "message" } else { self.name };
        let data = self.lines.as_deref().unwrap_or(first);
        let parts =
            [(r#"{"event":"#, Some(name)), (r#","data":"#, Some(data)), (r#","id":"#, self.id)];
        let said = || parts.iter().filter_map(|(head, value)| Some((*head, (*value)?)));
        let size = said().map(|(head, value)| head.len() + quoted_len(value)).sum::<usize>() + 1;
        let mut object = String::with_capacity(size);
        for (head, value) in said() {
            object.push_str(head);
            push_quoted(&mut object, value);
        }
        object.push('}');
        Some(Payload::Text(finish(object, size)))
    }
}

/// The same lines with other contents, which take as many escapes.
fn stand_in(text: &str, label: u64) -> String {
    let mut out = String::with_capacity(text.len());
    if text.starts_with(BYTE_ORDER_MARK) {
        out.push(BYTE_ORDER_MARK);
    }
    for (line, Line { content, end, .. }) in (0..).zip(Lines::of(text)) {
        let label = label.wrapping_add(line);
        let value = match Field::of(content) {
            Field::End | Field::Unknown => content,
            Field::Data(value) | Field::Event(value) | Field::Id(value) => value,
            Field::Passed => content.split_once(':').map_or("", |(_, value)| value),
        };
        out.push_str(&content[..content.len() - value.len()]);
        match Field::of(content) {
            Field::End | Field::Unknown => redact::push(&mut out, value.len(), label),
            // An `id` that holds NUL, among others.
            Field::Passed if value.contains('\0') => {
                out.push('\0');
                redact::push(&mut out, value.len() - 1, label);
            }
            Field::Data(_) | Field::Event(_) | Field::Id(_) | Field::Passed => {
                let Escapes { letters, codes } = escapes(value);
                redact::push(&mut out, value.len() - letters - codes, label);
                out.extend(core::iter::repeat_n('\\', letters));
                out.extend(core::iter::repeat_n('\u{1}', codes));
            }
        }
        out.push_str(end);
    }
    out
}

#[cfg(test)]
mod tests;
