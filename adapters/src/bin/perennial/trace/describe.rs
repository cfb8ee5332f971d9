//! Events and actions in a few words.

use perennial_core::{
    Action, Event, Frame, Instant, Notice, Outgoing, Payload, Reason, RetryChoice, Warning,
};

use crate::people::count;

/// A moment, counted from `origin`: seconds with three digits, as many as a timeline needs.
pub(super) fn time(at: Instant, origin: Instant) -> String {
    let millis = at.since(origin).as_millis();
    format!("{}.{:03}s", millis / 1_000, millis % 1_000)
}

/// A duration with three digits at most.
pub(super) fn duration(duration: perennial_core::Duration) -> String {
    let nanos = duration.as_nanos();
    let (scale, unit) = match nanos {
        0 => return "0s".to_owned(),
        1..1_000_000 => (1_000_u128, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let tenths = nanos * 10 / scale;
    if tenths >= 1_000 || tenths.is_multiple_of(10) {
        format!("{}{unit}", tenths / 10)
    } else {
        format!("{}.{}{unit}", tenths / 10, tenths % 10)
    }
}

/// A reason, without the dots that stand for what is not in the trace.
pub(super) fn reason(reason: &Reason) -> String {
    let text = reason.to_string();
    match text.rsplit_once(": ") {
        Some((before, rest)) if rest.bytes().all(|byte| byte == b'.') => before.to_owned(),
        _ => text,
    }
}

fn payload(payload: &Payload) -> String {
    let kind = if payload.as_text().is_some() { "text" } else { "binary" };
    format!("{kind} of {} bytes", payload.len())
}

fn frame(frame: &Frame) -> String {
    match frame {
        Frame::Text(text) => format!("text of {} bytes", text.len()),
        Frame::Binary(bytes) => format!("binary of {} bytes", bytes.len()),
        Frame::Ping(_) => "ping".to_owned(),
        Frame::Pong(_) => "pong".to_owned(),
        Frame::Close(Some(close)) => format!("close {}", close.code),
        Frame::Close(None) => "close without a code".to_owned(),
    }
}

/// An event; `None` stands for the making of the connection.
pub(super) fn event(event: Option<&Event>) -> String {
    let Some(event) = event else { return "start".to_owned() };
    match event {
        Event::Tick => "tick".to_owned(),
        Event::Send(Outgoing { payload: content, class, ahead, .. }) => match class {
            _ if *ahead => format!("send {} ahead", payload(content)),
            Some(class) => format!("send {} ({class:?})", payload(content)),
            None => format!("send {}", payload(content)),
        },
        Event::Cancel(seq) => format!("cancel message {seq}"),
        Event::Purge => "purge".to_owned(),
        Event::Reorder(names) => {
            format!("put {} first", count(names.len() as u64, "message", "messages"))
        }
        Event::Release { transport } => format!("the opening of transport {transport} is over"),
        Event::Refuse { transport, retry, .. } => {
            let then = if *retry { "try another" } else { "give up" };
            format!("transport {transport} is refused: {then}")
        }
        Event::Close(close) => format!("close with {}", close.code),
        Event::Drain { timeout, close } => match timeout {
            Some(timeout) => {
                format!("drain for {}, close with {}", duration(*timeout), close.code)
            }
            None => format!("drain, close with {}", close.code),
        },
        Event::Reconnect => "reconnect".to_owned(),
        Event::Retry { attempt, choice } => match choice {
            RetryChoice::Keep => format!("the retry hook leaves attempt {attempt} as it is"),
            RetryChoice::After(delay) => {
                format!("the retry hook puts attempt {attempt} after {}", duration(*delay))
            }
            RetryChoice::Stop => format!("the retry hook stops before attempt {attempt}"),
        },
        Event::PauseReads => "reading pauses".to_owned(),
        Event::ResumeReads => "reading goes on".to_owned(),
        Event::Opened { transport, .. } => format!("transport {transport} opened"),
        Event::DialFailed { transport, failure } => {
            format!("dial of transport {transport} failed: {failure}")
        }
        Event::Received { transport, frame: content } => {
            format!("received {} on transport {transport}", frame(content))
        }
        Event::Heard { transport } => format!("heard something on transport {transport}"),
        Event::Flushed { transport, through } => {
            format!("flushed through {through} on transport {transport}")
        }
        Event::Buffered { transport, bytes } => {
            format!("{bytes} bytes buffered in transport {transport}")
        }
        Event::Violated { transport, violation } => {
            format!("transport {transport} broke the protocol ({})", violation.code)
        }
        Event::Ended { transport, end } => format!("transport {transport} ended: {end}"),
    }
}

/// An action, its times counted from `origin`.
pub(super) fn action(action: &Action, origin: Instant) -> String {
    match action {
        Action::Dial { transport, attempt } => {
            format!("dial transport {transport}, attempt {attempt}")
        }
        Action::Write { transport, index, frame: content } => {
            format!("write {index} on transport {transport}: {}", frame(content))
        }
        Action::Abort { transport } => format!("abort transport {transport}"),
        Action::Notify(told) => format!("tell: {}", notice(told)),
        Action::Wait { until: Some(until), why: Some(why) } => {
            let why = format!("{why:?}").to_lowercase();
            format!("wait until {} ({why})", time(*until, origin))
        }
        Action::Wait { .. } => "wait for an event".to_owned(),
    }
}

fn notice(notice: &Notice) -> String {
    match notice {
        Notice::StateChanged { from, to, reason: why, .. } => match why {
            Some(why) => format!("{from} to {to}: {}", reason(why)),
            None => format!("{from} to {to}"),
        },
        Notice::Dialing { transport, attempt } => {
            format!("dialing transport {transport}, attempt {attempt}")
        }
        Notice::Retrying { attempt, delay, reason: why, .. } => {
            format!("attempt {attempt} in {}: {}", duration(*delay), reason(why))
        }
        Notice::Suspended { outage } => format!("suspended after {}", duration(*outage)),
        Notice::Message(message) => match message.id {
            Some(id) => format!("message {id}, {}", payload(&message.payload)),
            None => format!("message, {}", payload(&message.payload)),
        },
        Notice::Duplicate { id } => format!("duplicate of {id}"),
        Notice::Flushed { seq, .. } => format!("message {seq} flushed"),
        Notice::Acknowledged { seq, .. } => format!("message {seq} acknowledged"),
        Notice::Undelivered { seq, fate, .. } => {
            format!("message {seq} undelivered: {}", fate.reason())
        }
        Notice::Writable => "writable".to_owned(),
        Notice::Pong { rtt } => format!("pong after {}", duration(*rtt)),
        Notice::Dead { silence, why } => {
            format!("dead ({}) after {} of silence", why.as_str(), duration(*silence))
        }
        Notice::Warning(told) => warning(told),
        Notice::Closed(closed) => {
            let why = reason(&closed.reason);
            format!("closed by {} with {}: {why}", closed.by.as_str(), closed.code)
        }
    }
}

/// A warning.
pub(super) fn warning(warning: &Warning) -> String {
    match warning {
        Warning::IgnoredAck { id: Some(id) } => format!("an ack for {id}, which awaits none"),
        Warning::IgnoredAck { id: None } => "an ack without a usable id".to_owned(),
        Warning::Unreadable { detail } => format!("an unreadable message: {detail}"),
        Warning::ClockBackwards { by } => format!("the clock went back by {}", duration(*by)),
        Warning::ClockJump { late } => format!("the clock jumped by {}", duration(*late)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::{CloseFrame, Duration};

    #[test]
    fn durations_are_short() {
        for (nanos, text) in [
            (0, "0s"),
            (999, "0.9µs"),
            (1_500_000, "1.5ms"),
            (20_000_000_000, "20s"),
            (123_456_000_000, "123s"),
            (99_960_000_000, "99.9s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn dots_are_left_out_and_words_are_not() {
        let closed = |text| Reason::PeerClosed(Some(CloseFrame::new(1001, text)));
        assert_eq!(reason(&closed("....")), "the server closed with code 1001");
        assert_eq!(reason(&closed("bye")), "the server closed with code 1001: bye");
    }
}
