//! The simulator: virtual time, a network with weather, and a checker that finds every broken
//! promise from outside.
//!
//! | you want to test | use |
//! | --- | --- |
//! | a program and its server, over a network that misbehaves | [`World`], with a [`Server`] and an [`Application`] of your own |
//! | a connection against any sequence of events | [`Scenario`], with [`Step`]s |
//! | a driver of your own | [`Checked`] in place of the connection, [`CheckedSession`] in place of the session |
//! | a session against any sequence of calls and events | [`SessionScenario`], with [`SessionStep`]s |
//! | with `proptest` | the module `strategies` (feature `proptest`) |
//!
//! All of it is deterministic: a seed or a script leads to the same actions on every platform. All
//! of it checks the [`INVARIANTS`] after every event, by the one [`Checked`]; [`World::settle`]
//! adds the last one, that everything comes to rest once nothing goes wrong any more.
//!
//! [`Checked`] wraps a [`Connection`](crate::Connection) and offers the same door. It shadows the
//! connection with a simple model that is fed with nothing but the events and the actions, and
//! after each of them compares the two by the rules in [`INVARIANTS`]. Use it in place of the
//! connection in tests of a driver, in property tests and in fuzzing.
//!
//! ```
//! use perennial_core::sim::Checked;
//! use perennial_core::{Action, Capabilities, Config, Event, Instant, Plain};
//!
//! let now = Instant::ZERO;
//! let mut connection = Checked::new(Config::default(), Plain, 7, now);
//! let mut dialled = None;
//! while let action = connection.poll()
//!     && !matches!(action, Action::Wait { .. })
//! {
//!     if let Action::Dial { transport, .. } = action {
//!         dialled = Some(transport);
//!     }
//! }
//! let transport = dialled.expect("it dials at once");
//! let opened = Event::Opened { transport, capabilities: Capabilities::SOCKET };
//! connection.handle(now, opened).expect("it is the one that was dialled");
//! assert_eq!(connection.check(), Ok(()));
//! ```

mod application;
mod checker;
mod choices;
mod client;
mod compare;
mod delays;
mod driver;
mod entry;
mod faults;
mod fingerprint;
mod glance;
mod inbox;
mod ledger;
mod liveness;
mod log;
mod network;
mod offer;
mod opening;
mod queue;
pub mod reference;
mod scenario;
#[cfg(feature = "proptest")]
mod script;
mod seen;
mod server;
mod session;
mod setup;
mod spare;
mod step;
mod story;
#[cfg(feature = "proptest")]
pub mod strategies;
mod ticks;
mod weather;
mod wire;
mod world;

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

pub use application::{Application, Chatter, Hands, Idle};
pub use checker::Checked;
pub use choices::Choices;
pub use driver::{Driver, Stats, Touch};
pub(crate) use fingerprint::Fingerprint;
pub use log::{Log, LogDigest};
pub use scenario::{Scenario, run};
pub use server::{Answer, Cx, Echo, Link, Server};
pub use session::{
    CheckedSession, Saying, SessionScenario, SessionSetup, SessionStats, SessionStep,
    run as run_session,
};
pub use setup::Setup;
pub(crate) use spare::copy_queue;
pub use step::{Clock, Inbound, Step, Whom};
pub use weather::{Fault, Weather, Weights};
pub use world::{Failure, Rest, World};

use glance::Glance;

use crate::config::Config;
use crate::error::{Accepted, Rejected};
use crate::event::{Event, TransportId};
use crate::time::Instant;

/// The invariants by number and name, and how each is read here where its name leaves that open.
///
/// Those that say "by the caller" need two connections or an allocator, and so a test around the
/// checker.
pub const INVARIANTS: [(u8, &str, &str); 52] = [
    (
        1,
        "one live transport",
        "From `Dial` to `Abort`, to its reported end, or to the closed notice",
    ),
    (2, "ids increase", "By one, from 1"),
    (3, "end before dial", "As 1: a dial finds nothing live"),
    (4, "no dead id", "But the `Abort` that answers a late `Opened`"),
    (
        5,
        "no data before open",
        "Nor any other write; nothing follows a close frame; no gap in the index",
    ),
    (
        6,
        "stale changes counters",
        "Equal to the connection that was given a tick instead, counters and the late `Abort` apart; and what is live is not called stale",
    ),
    (7, "closed absorbs", "No action after the closed notice, but the late `Abort`; no deadline"),
    (8, "one closed notice", "And a second close changes nothing"),
    (
        9,
        "close in time",
        "A handshake or a lingering transport ends within `close.timeout`, a drain begins to close within its own; a manual reconnect calls off a handshake, not a drain",
    ),
    (
        10,
        "delay in range",
        "And spread over it, at the cap too; before the dial at least the announced delay passes, or the hook's",
    ),
    (11, "nominal never shrinks", "Equal to the policy's formula, at the cap while suspended"),
    (
        12,
        "reset when stable",
        "If and only if: open for `stable_after` and something was heard, or the heartbeat is off, when nothing would ask for proof",
    ),
    (13, "limits and fatal", "A manual reconnect is no retry; `max_outage` included"),
    (14, "time is monotone", "What goes backwards is held and warned of, until closed"),
    (15, "deadline by handle", "`Wait` says what the deadline was after the last event"),
    (16, "deadline moves on", "Later than the tick"),
    (17, "early tick is nothing", "Equal but for the time"),
    (18, "one ping per tick", "For any event"),
    (19, "dial in time", "Found at the first event at or past the deadline"),
    (
        20,
        "dead peer found",
        "The driver's lateness is added; a resumed read or a clock's jump starts anew. Nobody is called dead earlier than the config says, nor while reads are paused. `stale_after` alike",
    ),
    (21, "own pong for a probe", "And that pong does satisfy it"),
    (22, "outbox within limits", "Counted by the model too"),
    (23, "credit", "One message always may; control frames pass up to 64, a close always"),
    (
        24,
        "bounded output",
        "256, the outbox and 32; that the dedupe window is bounded is seen by 28",
    ),
    (25, "every message ends once", "With the right notice; counters agree; lifetimes are kept"),
    (
        26,
        "resent until acknowledged",
        "After `ack_timeout`, and first on the next transport; nothing is held back without cause",
    ),
    (27, "volatile once", "And gone when its transport is"),
    (
        28,
        "no duplicate",
        "Each received message is delivered or a duplicate of the last `dedupe` ids, exactly",
    ),
    (
        29,
        "order",
        "What is written is the first that waits, in the bytes of its encoding: the oldest, unless what was never written was put in another order",
    ),
    (
        30,
        "rejection gives back",
        "Equal to the connection that was given a tick instead, but for the count and the promise of `Writable`; only for cause",
    ),
    (31, "deterministic", "By the caller: two runs, whose logs have one digest"),
    (32, "clone goes on alike", "By the caller: clone a world or a scenario, and go on"),
    (33, "wait is stable", ""),
    (34, "notices follow the graph", "And the status agrees"),
    (35, "no panic", "By the caller"),
    (36, "no allocation", "By the caller: a counting allocator"),
    (37, "comes to rest", "By `World::settle` and `Scenario::settle`"),
    (
        38,
        "held back",
        "Before the release nothing is written but control frames and what goes ahead",
    ),
    (39, "ahead of data", "Nothing queued is written while something waits that goes ahead"),
    (
        40,
        "opening in time",
        "A held transport is released, given up or closing within `opening.timeout`",
    ),
    (
        41,
        "ahead on one transport",
        "Accepted on an open transport, written on that or none; `refuse` accepts nothing elsewhere",
    ),
    (
        42,
        "every request ends once",
        "For the cause that was seen, and by the time that it was given; none is left after the closed notice",
    ),
    (
        43,
        "asked once",
        "One message each; once more on each later transport if it was handed over, is of class acknowledged and has not ended, oldest first",
    ),
    (
        44,
        "session within limits",
        "Refused only for cause, and given back; the session's counts are those of what was seen",
    ),
    (
        45,
        "opening in order",
        "The login, the subscriptions and what confirms them or three quarters of `opening.timeout`, the requests, the look at the queue, the release; each once, and as soon as the one before is over. Nothing on a transport that was given up",
    ),
    (
        46,
        "what lives stands",
        "On each transport every subscription that lives is said once, as they were made; what was taken back is said no more, and unsaid if it was said there",
    ),
    (
        47,
        "one way for a message",
        "To the login, a request, its subscribers, the application, or dropped and counted; in order",
    ),
    (48, "news for cause", "What is told of a subscription was seen, and what was seen is told"),
    (
        49,
        "the rest passes",
        "All that is not the session's own comes through as it is, in order; the connection is told nothing without cause",
    ),
    (
        50,
        "poll ends",
        "After each event or call a bounded number of polls leads to `Wait`, and each of them ends",
    ),
    (
        51,
        "both deadlines",
        "`Wait` says the earlier of the session's and the connection's, later than now, and again the same",
    ),
    (
        52,
        "session comes to rest",
        "By `SessionScenario::settle`: released, everything subscribed, every request ended",
    ),
];

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number in [`INVARIANTS`].
    pub invariant: u8,
    /// Its name there.
    pub name: &'static str,
    /// What was seen, and when.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {} ({}): {}", self.invariant, self.name, self.detail)
    }
}

impl core::error::Error for Violation {}

/// What each part of the model answers.
type Verdict = Result<(), Broken>;

/// A violation is large, and so rare that a pointer to it costs less: every answer is looked at.
type Broken = Box<Violation>;

/// Finds the violation that is meant.
#[cold]
fn violation(invariant: u8, detail: String) -> Broken {
    let entry = INVARIANTS.iter().find(|(number, _, _)| *number == invariant);
    Box::new(Violation { invariant, name: entry.map_or("unknown", |(_, name, _)| name), detail })
}

/// Demands a condition.
macro_rules! demand {
    ($invariant:expr, $condition:expr, $($detail:tt)+) => {
        if !$condition {
            return Err($crate::sim::violation($invariant, alloc::format!($($detail)+)));
        }
    };
}
use demand;

/// One event and what it led to, as each part of the model sees it.
#[derive(Clone, Copy)]
struct Moment<'a> {
    /// The time, held where it went backwards.
    now: Instant,
    config: &'a Config,
    event: &'a Event,
    /// The transport that it names.
    transport: Option<TransportId>,
    result: &'a Result<Accepted, Rejected>,
    /// Before the event.
    before: &'a Glance,
    /// After due deadlines alone.
    due: &'a Glance,
    /// After the event.
    after: &'a Glance,
}

impl Moment<'_> {
    fn done(&self) -> bool {
        matches!(self.result, Ok(Accepted::Done))
    }

    /// The message that the event brought, if it was accepted.
    fn sent(&self) -> Option<u64> {
        match self.result {
            Ok(Accepted::Message(seq)) => Some(seq.get()),
            Ok(Accepted::Done | Accepted::Stale) | Err(_) => None,
        }
    }

    fn is_reconnect(&self) -> bool {
        matches!(self.event, Event::Reconnect) && self.done()
    }
}
