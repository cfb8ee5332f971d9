//! What a connection told, without what may differ from run to run.

use std::fmt;

use perennial_core::{
    CloseFrame, Closed, DialError, DialFailure, Duration, End, EndKind, Notice, Payload, Reason,
    Warning,
};

/// One notice. The words are details for people; they are compared only between adapters that use
/// the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    text: String,
    words: String,
}

impl Line {
    pub(super) fn new(text: String) -> Self {
        Self { text, words: String::new() }
    }

    fn why(text: &str, reason: &Reason) -> Self {
        Self { text: format!("{text}{}", kind(reason)), words: words(reason) }
    }

    pub(super) fn text(&self, words: bool) -> String {
        if words && !self.words.is_empty() {
            format!("{} ({})", self.text, self.words)
        } else {
            self.text.clone()
        }
    }
}

/// Where a notice belongs. Lanes are compared each in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// The connection's story, and what was received.
    Told(Line),
    /// What became of a message that was sent.
    Sent(Line),
    /// How often it is told depends on time.
    Neither,
}

/// What one connection told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Story {
    pub(super) told: Vec<Line>,
    /// `None` where it depends on how much a kernel takes.
    pub(super) sent: Option<Vec<Line>>,
}

/// What the connections of a script told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript(pub(super) Vec<Story>);

impl Transcript {
    /// A line per notice.
    fn lines(&self, words: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, story) in self.0.iter().enumerate() {
            let number = number + 1;
            for line in &story.told {
                lines.push(format!("{number} told {}", line.text(words)));
            }
            for line in story.sent.iter().flatten() {
                lines.push(format!("{number} sent {}", line.text(words)));
            }
        }
        lines
    }

    /// How `other` differs from this: a line per notice, marked where one has it and the other does
    /// not. `None` if they are the same.
    #[must_use]
    pub fn difference(&self, other: &Self, words: bool) -> Option<String> {
        let (ours, theirs) = (self.lines(words), other.lines(words));
        if ours == theirs {
            return None;
        }
        let same = |pair: &(&String, &String)| pair.0 == pair.1;
        let head = ours.iter().zip(&theirs).take_while(same).count();
        let rest = ours.len().min(theirs.len()) - head;
        let tail = ours.iter().rev().zip(theirs.iter().rev()).take(rest).take_while(same).count();
        let mut shown = String::new();
        let mut show = |mark: &str, lines: &[String]| {
            for line in lines {
                shown.push_str(&format!("  {mark} {line}\n"));
            }
        };
        show(" ", &ours[..head]);
        show("-", &ours[head..ours.len() - tail]);
        show("+", &theirs[head..theirs.len() - tail]);
        show(" ", &ours[ours.len() - tail..]);
        Some(shown)
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines(true).iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// The lane of a notice, and how it reads there.
pub(super) fn lane(notice: &Notice) -> Lane {
    match notice {
        Notice::StateChanged { from, to, transport, reason } => {
            let text = format!("{from} -> {to}, transport {}", number(*transport));
            Lane::Told(match reason {
                Some(reason) => Line::why(&format!("{text}: "), reason),
                None => Line::new(text),
            })
        }
        Notice::Dialing { transport, attempt } => {
            Lane::Told(Line::new(format!("dialing transport {transport}, attempt {attempt}")))
        }
        // The outage is a measured time.
        Notice::Retrying { attempt, delay, nominal, advice, outage: _, reason } => {
            let advice = advice.map_or("nobody", |advice| advice.as_str());
            let text = format!(
                "attempt {attempt} in {delay:?}, nominally {nominal:?}, advised by {advice}: "
            );
            Lane::Told(Line::why(&text, reason))
        }
        Notice::Suspended { outage: _ } => Lane::Told(Line::new("suspended".to_owned())),
        Notice::Message(message) => Lane::Told(Line::new(format!(
            "message on transport {}, id {:?}: {}",
            message.transport,
            message.id,
            content(&message.payload)
        ))),
        Notice::Duplicate { id } => Lane::Told(Line::new(format!("duplicate of {id}"))),
        Notice::Flushed { seq, id } => Lane::Sent(Line::new(format!("{seq} flushed, id {id:?}"))),
        Notice::Acknowledged { seq, id } => {
            Lane::Sent(Line::new(format!("{seq} acknowledged, id {id:?}")))
        }
        Notice::Undelivered { seq, id, fate, payload } => {
            let content = content(payload);
            Lane::Sent(Line::new(format!("{seq} undelivered, id {id:?}, {fate:?}: {content}")))
        }
        Notice::Writable | Notice::Pong { rtt: _ } => Lane::Neither,
        // The silence is a measured time.
        Notice::Dead { silence: _, why } => {
            Lane::Told(Line::new(format!("dead: {}", why.as_str())))
        }
        Notice::Warning(warning) => Lane::Told(warned(warning)),
        Notice::Closed(Closed { by, code, clean, reason }) => {
            let by = by.as_str();
            let text = format!("closed by the {by} with {code}, clean {clean}: ");
            Lane::Told(Line::why(&text, reason))
        }
    }
}

fn warned(warning: &Warning) -> Line {
    Line::new(match warning {
        Warning::IgnoredAck { id } => format!("warning: ignored acknowledgement {id:?}"),
        Warning::Unreadable { detail } => format!("warning: unreadable: {detail}"),
        Warning::ClockBackwards { by: _ } => "warning: the clock went backwards".to_owned(),
        Warning::ClockJump { late: _ } => "warning: the clock jumped".to_owned(),
    })
}

fn number(transport: Option<perennial_core::TransportId>) -> String {
    transport.map_or("none".to_owned(), |transport| transport.to_string())
}

fn content(payload: &Payload) -> String {
    match payload.as_text() {
        Some(text) if text.len() <= 80 => format!("{text:?}"),
        Some(text) => format!("{} bytes of text", text.len()),
        None => {
            let bytes = payload.as_bytes();
            format!("{} bytes, first {:?}", bytes.len(), &bytes[..bytes.len().min(8)])
        }
    }
}

/// A reason, without its words.
fn kind(reason: &Reason) -> String {
    match reason {
        Reason::Application => "the application".to_owned(),
        Reason::DialFailed(DialFailure { kind, status, retry_after, detail: _ }) => {
            format!("dial failed, {kind:?}, status {status:?}, retry after {}", delay(*retry_after))
        }
        Reason::DialTimeout => "dial timeout".to_owned(),
        Reason::Ended(End { kind, detail: _ }) => format!("ended, {kind:?}"),
        Reason::PeerClosed(None) => "closed by the peer without a code".to_owned(),
        Reason::PeerClosed(Some(CloseFrame { code, reason })) => {
            format!("closed by the peer with {code} {:?}", reason.as_ref() as &str)
        }
        Reason::Dead(death) => format!("dead, {}", death.as_str()),
        Reason::Violated(violation) => format!("violated, {}", violation.code),
        Reason::Refused { retry, detail: _ } => format!("refused, retry {retry}"),
        Reason::OpeningTimeout => "opening timeout".to_owned(),
        Reason::Incapable(capability) => format!("incapable, {}", capability.as_str()),
        Reason::MaxAttempts(last) => format!("no attempts left after: {}", kind(last)),
        Reason::MaxOutage => "the outage lasted too long".to_owned(),
        Reason::Stopped(last) => format!("stopped after: {}", kind(last)),
        Reason::FirstFailed(last) => format!("the first failed: {}", kind(last)),
    }
}

fn delay(delay: Option<Duration>) -> String {
    delay.map_or("none".to_owned(), |delay| format!("{delay:?}"))
}

/// What a reason says for people, where that is not the operating system's or names a port.
fn words(reason: &Reason) -> String {
    match reason {
        Reason::DialFailed(failure) => match failure.kind {
            DialError::Connect => String::new(),
            DialError::Request
            | DialError::RequestRefused
            | DialError::Resolve
            | DialError::Tls
            | DialError::Handshake
            | DialError::Status
            | DialError::Proxy
            | DialError::ProxyAuth => failure.detail.to_string(),
        },
        Reason::Ended(end) => match end.kind {
            EndKind::Io => String::new(),
            EndKind::Eof | EndKind::Reset => end.detail.to_string(),
        },
        Reason::Violated(violation) => violation.detail.to_string(),
        Reason::Refused { detail, .. } => detail.to_string(),
        Reason::MaxAttempts(last) | Reason::Stopped(last) | Reason::FirstFailed(last) => {
            words(last)
        }
        Reason::Application
        | Reason::DialTimeout
        | Reason::PeerClosed(_)
        | Reason::Dead(_)
        | Reason::OpeningTimeout
        | Reason::Incapable(_)
        | Reason::MaxOutage => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::{DropReason, Fate, Seq};

    fn seq(number: u64) -> Seq {
        serde_json::from_value(number.into()).expect("a name is a number")
    }

    fn line(text: &str, words: &str) -> Line {
        Line { text: text.to_owned(), words: words.to_owned() }
    }

    fn told(lines: &[Line]) -> Transcript {
        Transcript(vec![Story { told: lines.to_vec(), sent: None }])
    }

    #[test]
    fn a_difference_shows_both_sides_and_what_surrounds_it() {
        let ours = told(&[line("a", ""), line("b", ""), line("c", "")]);
        let theirs = told(&[line("a", ""), line("x", ""), line("y", ""), line("c", "")]);
        let shown = ours.difference(&theirs, true).expect("different");
        let expected = "    1 told a\n  - 1 told b\n  + 1 told x\n  + 1 told y\n    1 told c\n";
        assert_eq!(shown, expected);
        assert_eq!(ours.difference(&ours, true), None);
    }

    #[test]
    fn words_count_only_where_both_use_them() {
        let (ours, theirs) = (told(&[line("a", "this")]), told(&[line("a", "that")]));
        assert!(ours.difference(&theirs, true).is_some());
        assert_eq!(ours.difference(&theirs, false), None);
    }

    #[test]
    fn measured_times_are_left_out() {
        let pong = |millis| Notice::Pong { rtt: Duration::from_millis(millis) };
        assert_eq!(lane(&pong(1)), Lane::Neither);
        let suspended = |secs| lane(&Notice::Suspended { outage: Duration::from_secs(secs) });
        assert_eq!(suspended(1), suspended(2));
    }

    #[test]
    fn the_fate_of_a_message_is_in_a_lane_of_its_own() {
        let fate = Fate::Dropped(DropReason::Lost);
        let payload = Payload::from("secret no more");
        let notice = Notice::Undelivered { seq: seq(7), id: None, fate, payload };
        let expected = "7 undelivered, id None, Dropped(Lost): \"secret no more\"";
        assert_eq!(lane(&notice), Lane::Sent(line(expected, "")));
    }
}
