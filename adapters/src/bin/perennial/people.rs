//! What people are told on stderr while a connection runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use perennial_core::{Closed, ClosedBy, DialError, Duration, Notice, Reason, State, Warning};

use crate::errors::complain;
use crate::ledger::{Ledger, Outcome};

/// How many warnings that every message of the server's can cause are told one by one. A server
/// must not be able to fill a log with them.
const TOLD: u64 = 10;

static QUIET: AtomicBool = AtomicBool::new(false);
/// Why the latest attempt or connection failed; empty before one has.
static LAST: Mutex<String> = Mutex::new(String::new());
/// How many warnings there were that every message of the server's can cause.
static CAUSED: AtomicU64 = AtomicU64::new(0);

/// `--quiet`.
pub(crate) fn be_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// One line, unless `--quiet`.
pub(crate) fn tell(line: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        complain(line);
    }
}

/// Tells what a notice means, if it means something to people.
pub(crate) fn notice(notice: &Notice) {
    match notice {
        Notice::Retrying { delay, reason, .. } => {
            let reason = said(reason);
            tell(&format!("{reason}; next attempt in {}", readable(*delay)));
            *last() = reason;
        }
        // After a failure only: that a connection opens is what everybody expects.
        Notice::StateChanged { from: State::Connecting, to: State::Open, .. }
            if !last().is_empty() =>
        {
            tell("connected");
        }
        Notice::StateChanged { from: State::Reconnecting, to: State::Open, .. } => {
            tell("connected again");
        }
        Notice::Suspended { outage } => {
            tell(&format!("down for {}; still trying", readable(*outage)));
        }
        Notice::Warning(Warning::IgnoredAck { id: Some(id) }) => {
            warn(&format!("an ack for id {id}, which awaits none, was ignored"));
        }
        Notice::Warning(Warning::IgnoredAck { id: None }) => {
            warn("an ack without a usable id was ignored");
        }
        Notice::Warning(Warning::Unreadable { detail }) => {
            warn(&format!("a message is not what the dialect expects ({detail}): passed on as is"));
        }
        Notice::Warning(Warning::ClockJump { late }) => {
            tell(&format!(
                "the clock jumped by {}: asking whether the link lives",
                readable(*late)
            ));
        }
        Notice::Warning(Warning::ClockBackwards { .. })
        | Notice::StateChanged { .. }
        | Notice::Dialing { .. }
        | Notice::Message(_)
        | Notice::Duplicate { .. }
        | Notice::Flushed { .. }
        | Notice::Acknowledged { .. }
        | Notice::Undelivered { .. }
        | Notice::Writable
        | Notice::Pong { .. }
        | Notice::Dead { .. }
        | Notice::Closed(_) => {}
    }
}

fn last() -> MutexGuard<'static, String> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A reason, and what to do where that is an option's matter.
fn said(reason: &Reason) -> String {
    let text = reason.to_string();
    // A server's words are no such reason, whatever they are.
    let of_tls = matches!(reason, Reason::DialFailed(failure) if failure.kind == DialError::Tls);
    let untrusted = ["does not verify: unknown issuer", "does not verify: self-signed"]
        .map(|why| text.contains(why));
    if of_tls && untrusted.contains(&true) {
        text + ": give --ca FILE with its certificate or its authority's"
    } else {
        text
    }
}

/// `1 line`, `2 lines`: a count with the noun that goes with it.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Tells one of the first warnings of this sort; counts the others.
fn warn(line: &str) {
    let caused = CAUSED.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    if caused <= TOLD {
        tell(line);
    }
    if caused == TOLD {
        tell("further warnings of this sort are counted only");
    }
}

fn wants_proxy_credentials(reason: &Reason) -> bool {
    matches!(reason, Reason::DialFailed(failure) if failure.kind == DialError::ProxyAuth)
}

/// Tells how it ended.
pub(crate) fn end(closed: &Closed, ledger: &Ledger, outcome: Outcome) {
    match outcome {
        Outcome::Late => tell("--deadline passed: stopped at once"),
        Outcome::Refused
            if closed.by == ClosedBy::Server
                && closed.reason.status().is_some()
                && !wants_proxy_credentials(&closed.reason) =>
        {
            tell(&format!(
                "{}: check the URL and the credentials; not trying again",
                closed.reason
            ));
        }
        // Which credentials is in the reason already.
        Outcome::Refused if wants_proxy_credentials(&closed.reason) => {
            tell(&format!("{}: not trying again", closed.reason));
        }
        Outcome::Refused => {
            let code = match closed.reason {
                // These say it.
                Reason::PeerClosed(Some(_)) | Reason::Violated(_) => String::new(),
                _ => format!(" (close code {})", closed.code),
            };
            tell(&format!("{}{code}: not trying again", closed.reason));
        }
        Outcome::Short if closed.reason == Reason::MaxOutage && !last().is_empty() => {
            tell(&format!("gave up: {}; the last failure: {}", closed.reason, last()));
        }
        Outcome::Short if closed.by == ClosedBy::Policy => {
            tell(&format!("gave up: {}", said(&closed.reason)));
        }
        Outcome::Short | Outcome::Done => {}
    }
    let caused = CAUSED.load(Ordering::Relaxed);
    if caused > TOLD {
        tell(&format!("{caused} acks or messages were not as expected, {TOLD} of them told above"));
    }
    if let Some(shortfall) = ledger.shortfall() {
        tell(&shortfall);
    }
    if ledger.rejected > 0 {
        let lines = count(ledger.rejected, "line was", "lines were");
        tell(&format!("{lines} rejected and not sent"));
    }
}

/// A duration in milliseconds at most, as people read it.
pub(crate) fn readable(duration: Duration) -> String {
    match u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) {
        0 => "0s".to_owned(),
        millis => format!("{:?}", Duration::from_millis(millis)),
    }
}
