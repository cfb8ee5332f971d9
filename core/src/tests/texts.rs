//! What people read: each text says something of its own, and no payload stands in it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::{format, vec};

use crate::trace::{Flaw, TraceError};
use crate::*;

const SECRET: &str = "hunter2";

/// All of them differ and name what is expected of each.
#[track_caller]
fn speak(texts: impl IntoIterator<Item = (String, &'static str)>) {
    let mut seen = BTreeSet::new();
    for (text, expected) in texts {
        assert!(text.contains(expected), "{text}, without {expected}");
        assert!(!text.contains(SECRET), "{text}");
        assert!(seen.insert(text.clone()), "{text}, twice");
    }
}

#[test]
fn a_refusal_says_what_to_do_and_gives_the_message_back() {
    let message = || Outgoing::new(SECRET);
    let unencodable = |error| Rejected::Unencodable { message: message(), error };
    let refused = vec![
        (Rejected::QueueFull(message()), "writable"),
        (Rejected::TooLarge { message: message(), size: 70, limit: 60 }, "70 bytes"),
        (Rejected::Closed(message()), "closes"),
        (unencodable(EncodeError::NoAcks), "json dialect"),
        (unencodable(EncodeError::BinaryInText), "encode it first"),
        (unencodable(EncodeError::IdsExhausted), "the largest one"),
        (unencodable(EncodeError::NotAnEvent), "a JSON array that begins with the event's name"),
        (unencodable(EncodeError::OneWay), "only receives"),
    ];
    for (rejected, _) in &refused {
        assert_eq!(rejected.clone().into_message(), Some(message()), "{rejected}");
    }
    assert_eq!(Rejected::Busy(Event::Send(message())).into_message(), Some(message()));
    let others = vec![
        (Rejected::NotQueued(Seq(7)), "message 7"),
        (Rejected::InvalidClose(CloseFrame::new(1006, SECRET)), "1006"),
        (Rejected::Busy(Event::Tick), "drain"),
    ];
    for (rejected, _) in &others {
        assert_eq!(rejected.clone().into_message(), None, "{rejected}");
    }
    speak(refused.into_iter().chain(others).map(|(text, expected)| (text.to_string(), expected)));
}

#[test]
fn every_end_of_a_message_has_its_reason() {
    let fates = [
        (Fate::Expired, "lifetime"),
        (Fate::Cancelled, "cancelled"),
        (Fate::Dropped(DropReason::Oldest), "oldest"),
        (Fate::Dropped(DropReason::NotOpen), "not open"),
        (Fate::Dropped(DropReason::Lost), "was lost"),
        (Fate::Dropped(DropReason::Closed), "before it was sent"),
        (Fate::Uncertain(Doubt::Lost), "flushed"),
        (Fate::Uncertain(Doubt::Closed), "closed before it was acknowledged"),
        (Fate::Uncertain(Doubt::Expired), "passed before it was acknowledged"),
        (Fate::Uncertain(Doubt::Suspended), "too long"),
    ];
    speak(fates.map(|(fate, expected)| (fate.reason().to_string(), expected)));
    assert_eq!(Fate::Dropped(DropReason::Newest).reason(), "the queue was full");
    let suspended = Fate::Dropped(DropReason::Suspended).reason();
    assert_eq!(suspended, Fate::Uncertain(Doubt::Suspended).reason());
}

#[test]
fn a_failed_dial_names_the_step() {
    let steps = [
        (DialError::Request, "could not be built"),
        (DialError::RequestRefused, "by its hook"),
        (DialError::Resolve, "host name"),
        (DialError::Connect, "connection"),
        (DialError::Tls, "TLS"),
        (DialError::Handshake, "WebSocket handshake"),
        (DialError::Status, "the server"),
        (DialError::Proxy, "proxy"),
        (DialError::ProxyAuth, "authentication"),
    ];
    speak(steps.map(|(kind, expected)| {
        let text = DialFailure::new(kind, "").to_string();
        assert_eq!(text, kind.as_str());
        (text, expected)
    }));
    let refused = DialFailure { status: Some(503), ..DialFailure::new(DialError::Status, "busy") };
    assert!(refused.to_string().ends_with(" (HTTP 503): busy"), "{refused}");
}

#[test]
fn a_reason_behind_a_reason_keeps_its_code_and_status() {
    let refused = DialFailure { status: Some(503), ..DialFailure::new(DialError::Status, "") };
    let refused = Reason::DialFailed(refused);
    let closed = Reason::PeerClosed(Some(CloseFrame::new(4_007, "")));
    let wraps: [fn(Box<Reason>) -> Reason; 3] =
        [Reason::MaxAttempts, Reason::Stopped, Reason::FirstFailed];
    for wrap in wraps {
        let (last, left) = (wrap(refused.clone().into()), wrap(closed.clone().into()));
        assert_eq!((last.status(), last.code()), (Some(503), code::ABNORMAL));
        assert_eq!((left.status(), left.code()), (None, 4_007));
    }
    let violation = Violation { code: 1_007, detail: "".into() };
    assert_eq!(Reason::Violated(violation).code(), 1_007);
    assert_eq!(Reason::Application.code(), code::NORMAL);
    assert_eq!(Reason::PeerClosed(None).code(), code::NO_STATUS);
    assert_eq!(Reason::MaxOutage.code(), code::ABNORMAL);
    assert_eq!(Reason::MaxOutage.status(), None);
}

#[test]
fn names_are_those_of_the_traces() {
    for advice in [Advice::RetryAfter, Advice::CloseCode] {
        let name = serde_json::to_string(&advice).unwrap().replace('_', "-");
        assert_eq!(format!("{:?}", advice.as_str()), name);
    }
    for by in [ClosedBy::Application, ClosedBy::Server, ClosedBy::Policy] {
        assert_eq!(format!("{:?}", by.as_str()), serde_json::to_string(&by).unwrap());
    }
}

#[test]
fn a_broken_trace_names_the_line_and_what_is_wrong_there() {
    let flaws = [
        (Flaw::NotATrace, "header"),
        (Flaw::UnknownVersion { version: 9 }, "version 9"),
        (Flaw::Torn, "torn"),
        (Flaw::UnknownEvent { name: "teleport".into() }, "teleport"),
        (Flaw::Malformed { detail: "a comma".into() }, "a comma"),
        (Flaw::TooLarge { bytes: 9, limit: 8 }, "9 bytes"),
        (Flaw::CustomDialect, "custom"),
    ];
    speak(flaws.map(|(flaw, expected)| {
        let text = TraceError { line: 12, flaw }.to_string();
        assert!(text.starts_with("line 12 "), "{text}");
        (text, expected)
    }));
}

#[test]
fn a_bad_duration_says_how_to_write_one() {
    let errors = [
        (DurationError::Number, "not a duration"),
        (DurationError::Unit, "needs a unit"),
        (DurationError::TooLong, "too long"),
    ];
    speak(errors.map(|(error, expected)| (error.to_string(), expected)));
}

#[test]
fn a_warning_says_what_was_amiss_and_what_came_of_it() {
    let two = Duration::from_secs(2);
    let warnings = [
        (Warning::IgnoredAck { id: Some(7) }, "of 7 was ignored"),
        (Warning::IgnoredAck { id: None }, "without a usable id was ignored"),
        (Warning::Unreadable { detail: "byte 3".into() }, "passed on as it came: byte 3"),
        (Warning::ClockBackwards { by: two }, "back by 2s"),
        (Warning::ClockJump { late: two }, "forwards by 2s"),
    ];
    speak(warnings.map(|(warning, expected)| (warning.to_string(), expected)));
}

#[test]
fn a_message_shows_its_text_or_its_size() {
    let message = |payload| Message { payload, id: None, transport: TransportId(1) };
    assert_eq!(message(Payload::from("news")).to_string(), "news");
    assert_eq!(message(Payload::from(vec![0; 9])).to_string(), "<9 bytes>");
}

#[test]
fn a_config_goes_back_to_its_builder() {
    let mut builder = Config::builder();
    builder.retry.max_attempts = Some(3);
    let config = builder.clone().build().unwrap();
    assert_eq!(config.clone().into_builder(), builder);
    assert_eq!(config.into_builder().build().unwrap().retry.max_attempts, Some(3));
}
