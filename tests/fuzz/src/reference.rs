//! What RFC 6455 says about the bytes behind a handshake, read in the simplest way.

use perennial_core::Payload;

/// What a stream of frames means to whoever reads all of it.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Its messages, as far as they are whole.
    pub(super) messages: Vec<Payload>,
    /// The payloads of its pings.
    pub(super) pings: Vec<Vec<u8>>,
    /// How it ends, if it does.
    pub(super) end: Option<SaidEnd>,
}

/// How a stream of frames ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SaidEnd {
    /// With a close frame of this code.
    Close(Option<u16>),
    /// With something that is answered with this close code (RFC 6455 §7.4.1).
    Violation(u16),
}

struct Frame<'a> {
    first: u8,
    masked: bool,
    payload: &'a [u8],
}

enum Next<'a> {
    Frame(Frame<'a>, usize),
    /// What shows in the head, whatever follows: answered with this code.
    Wrong(u16),
    Incomplete,
}

/// Cuts off the first frame (RFC 6455 §5.2). A mask is not taken off.
fn next(bytes: &[u8], largest: u64) -> Next<'_> {
    let [first, second, rest @ ..] = bytes else { return Next::Incomplete };
    let masked = second & 0x80 != 0;
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if masked { 4 } else { 0 };
    if rest.len() < extended + mask {
        return Next::Incomplete;
    }
    let length = match extended {
        0 => u64::from(second & 0x7f),
        _ => rest[..extended].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    if matches!(first & 0x0f, 0x3..=0x7 | 0xb..=0xf) {
        return Next::Wrong(1002);
    }
    if length > largest {
        return Next::Wrong(1009);
    }
    let from = extended + mask;
    let Some(payload) = usize::try_from(length).ok().and_then(|len| rest[from..].get(..len)) else {
        return Next::Incomplete;
    };
    Next::Frame(Frame { first: *first, masked, payload }, 2 + from + payload.len())
}

/// Reads what a server says, of messages no longer than `most`.
pub(super) fn read(mut bytes: &[u8], most: usize) -> Said {
    let mut said = Said::default();
    // A message of which not all fragments have come: whether it is text, and its bytes.
    let mut partial: Option<(bool, Vec<u8>)> = None;
    // A control frame may hold 125 bytes, whatever a message may.
    let largest = most.max(125) as u64;
    loop {
        let frame = match next(bytes, largest) {
            Next::Frame(frame, length) => {
                bytes = &bytes[length..];
                frame
            }
            Next::Wrong(code) => {
                said.end = Some(SaidEnd::Violation(code));
                return said;
            }
            Next::Incomplete => return said,
        };
        match take(&frame, &mut partial, most, &mut said) {
            Ok(None) => {}
            Ok(end) => {
                said.end = end;
                return said;
            }
            Err(code) => {
                said.end = Some(SaidEnd::Violation(code));
                return said;
            }
        }
    }
}

fn take(
    frame: &Frame<'_>,
    partial: &mut Option<(bool, Vec<u8>)>,
    most: usize,
    said: &mut Said,
) -> Result<Option<SaidEnd>, u16> {
    let fin = frame.first & 0x80 != 0;
    let opcode = frame.first & 0x0f;
    if frame.first & 0x70 != 0 || frame.masked {
        return Err(1002);
    }
    if opcode >= 8 && (!fin || frame.payload.len() > 125) {
        return Err(1002);
    }
    match opcode {
        0x8 => return close(frame.payload).map(Some),
        0x9 => {
            said.pings.push(frame.payload.to_vec());
            return Ok(None);
        }
        0xa => return Ok(None),
        _ => {}
    }
    let (is_text, mut bytes) = match (opcode, partial.take()) {
        (0, Some(partial)) => partial,
        (0, None) | (_, Some(_)) => return Err(1002),
        (opcode, None) => (opcode == 1, Vec::new()),
    };
    bytes.extend_from_slice(frame.payload);
    if bytes.len() > most {
        return Err(1009);
    }
    if is_text && !may_be_utf8(&bytes, fin) {
        return Err(1007);
    }
    if !fin {
        *partial = Some((is_text, bytes));
        return Ok(None);
    }
    said.messages.push(match String::from_utf8(bytes) {
        Ok(text) if is_text => Payload::from(text),
        Ok(text) => Payload::from(text.into_bytes()),
        Err(error) => Payload::from(error.into_bytes()),
    });
    Ok(None)
}

/// Whether bytes are UTF-8, or its beginning where there is more to come.
fn may_be_utf8(bytes: &[u8], is_whole: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => !is_whole && error.error_len().is_none(),
    }
}

/// A close frame (RFC 6455 §5.5.1, §7.4).
fn close(payload: &[u8]) -> Result<SaidEnd, u16> {
    match payload {
        [] => Ok(SaidEnd::Close(None)),
        [_] => Err(1002),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if std::str::from_utf8(reason).is_err() {
                return Err(1007);
            }
            match code {
                1000..=1003 | 1007..=1013 | 3000..=4999 => Ok(SaidEnd::Close(Some(code))),
                _ => Err(1002),
            }
        }
    }
}

/// What a client has written behind its request, checked as a server checks it.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Its messages.
    pub(super) messages: Vec<Payload>,
    /// The payloads of its pongs.
    pub(super) pongs: Vec<Vec<u8>>,
    /// Its close frame, and the code in it.
    pub(super) close: Option<Option<u16>>,
}

/// Reads what a client says. The last frame may be cut off.
///
/// # Panics
/// If a frame is none that a client may send.
pub(super) fn written(mut bytes: &[u8]) -> Written {
    let mut written = Written::default();
    while let Next::Frame(frame, length) = next(bytes, u64::MAX) {
        assert!(frame.masked, "a client's frame is masked (RFC 6455 §5.1)");
        assert_eq!(written.close, None, "a frame follows the close frame (RFC 6455 §5.5.1)");
        assert_eq!(frame.first & 0xf0, 0x80, "whole, and without an extension's bits");
        let start = length - frame.payload.len();
        let mask = &bytes[start - 4..start];
        let payload: Vec<u8> =
            frame.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        bytes = &bytes[length..];
        let opcode = frame.first & 0x0f;
        assert!(opcode < 8 || payload.len() <= 125, "a control frame is short");
        match opcode {
            1 => written
                .messages
                .push(Payload::from(String::from_utf8(payload).expect("text is UTF-8"))),
            2 => written.messages.push(Payload::from(payload)),
            8 => written.close = Some(close_code(&payload)),
            9 => {}
            10 => written.pongs.push(payload),
            opcode => panic!("opcode {opcode}"),
        }
    }
    written
}

fn close_code(payload: &[u8]) -> Option<u16> {
    match payload {
        [] => None,
        [high, low, reason @ ..] => {
            std::str::from_utf8(reason).expect("a reason is UTF-8");
            Some(u16::from_be_bytes([*high, *low]))
        }
        [_] => panic!("a close frame of one byte"),
    }
}
