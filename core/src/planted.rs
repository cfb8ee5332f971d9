//! Deliberate faults, one at a time, to see that the invariant checker finds them.
//!
//! Nothing of this exists in a build without `--cfg perennial_planted`, which only
//! `tests/planted.rs` is built with. No feature can turn it on.

use crate::backoff::Delay;
use crate::config::Jitter;
use crate::connection::Connection;
use crate::dedupe::Dedupe;
use crate::dialect::Dialect;
use crate::time::{Instant, nanos};
use crate::timers::Timer;

/// Declares the faults and the lists of them, each for whatever they are planted in.
macro_rules! faults {
    ($($(#[$of:meta])* $list:ident { $($(#[$doc:meta])* $name:ident,)+ })+) => {
        /// A fault that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Fault { $($($(#[$doc])* $name,)+)+ }

        impl Fault {
            $($(#[$of])* pub const $list: &[Fault] = &[$(Fault::$name,)+];)+
        }
    };
}

faults! {
/// Every fault of a connection.
CONNECTION {
    /// A dial by hand leaves the planned one planned.
    TwoReconnects,
    /// The old transport is forgotten, not aborted, before the next dial.
    DialWithoutAbort,
    /// The closed connection dials when the retry that was planned is due.
    DialAfterClose,
    /// A dial that hangs is waited for as long as it likes.
    DialUnbounded,
    /// A late `Opened` is not answered.
    LateOpenKept,
    /// At the cap everyone waits equally long.
    JitterLostAtCap,
    /// The jitter reaches below the policy's range.
    JitterBelow,
    /// The jitter reaches above the policy's range.
    JitterAbove,
    /// There may be more dials than `max_attempts` and `max_retries`.
    AttemptsUnlimited,
    /// There may be more retries than `max_retries`, by one.
    OneRetryMore,
    /// What is offered while down is taken, whatever `while_down` says.
    TakenWhileDown,
    /// A purge takes what goes ahead as well.
    AheadPurged,
    /// With style `both`, the ping of the dialect goes out twice.
    OwnPingTwice,
    /// With style `both`, the ping of the dialect does not go out.
    OwnPingMissing,
    /// What the server refused for good is tried again.
    FatalRetried,
    /// The attempt counter starts over as soon as it is open.
    ResetOnOpen,
    /// Any pong satisfies a probe.
    AnyPongForProbe,
    /// A late tick makes up for every ping that was missed.
    PingBurst,
    /// What we send postpones the next ping.
    SendsPostponePing,
    /// What we write proves that the peer lives.
    WritesProveLife,
    /// The peer is called dead while nothing is read from it.
    DeadWhilePaused,
    /// The clock may run backwards.
    ClockBackwards,
    /// A tick puts off the next ping.
    EarlyTickActs,
    /// A message that is sent again gets a new id.
    ResendNewId,
    /// What is sent again comes after what was not sent yet.
    ResendLast,
    /// What is not acknowledged in time is not sent again.
    NoResend,
    /// A volatile message waits for the next transport.
    VolatileKept,
    /// A volatile message that was written is written again.
    VolatileTwice,
    /// The end of a transport that has passed ends the one at hand.
    StaleEndActs,
    /// The opening of a transport that has passed opens the one at hand.
    StaleOpenActs,
    /// One message more than `max_messages`.
    MessageTooMany,
    /// One byte more than `max_bytes`.
    ByteTooMany,
    /// One byte more than `write_credit`.
    CreditExceeded,
    /// A refused message is counted as accepted.
    RejectionCounts,
    /// A message that was with a lost transport ends without a word.
    MessageLost,
    /// A message that was with a lost transport is reported as flushed.
    UncertainFlushed,
    /// That a message's lifetime has passed is not noticed.
    NeverExpires,
    /// An id that was received before is delivered again.
    DuplicateDelivered,
    /// One id more than `dedupe` is remembered.
    DedupeBeyondWindow,
    /// A second close brings a second closed notice.
    ClosedTwice,
    /// A close waits for the peer as long as it likes.
    CloseUnbounded,
    /// What is queued flows before the release.
    GateLeaks,
    /// What goes ahead waits for what is queued.
    AheadBehind,
    /// An opening may take as long as it likes.
    OpeningUnbounded,
    /// A transport is stable though it is held.
    StableWhileHeld,
    /// What the application refused for good is tried again.
    RefusalRetried,
    /// What goes ahead waits for the next transport.
    AheadKept,
    /// An order that was asked for is not kept.
    OrderIgnored,
}
/// Every fault of a session.
SESSION {
    /// A confirmation that cannot be heard is called late.
    DeafIsLate,
    /// A subscription is said twice on a transport.
    SaidTwice,
    /// One that was taken back while the connection was down is said once more.
    TakenBackSaid,
    /// The queue flows though confirmations are awaited.
    UnconfirmedReleased,
    /// The subscriptions do not wait for the login.
    LoginIgnored,
    /// The end of a request is told twice.
    EndedTwice,
    /// A request of class queued is sent again on the next transport.
    QueuedAskedAgain,
    /// A request's time runs, and nobody wakes up for it.
    TimeoutForgotten,
    /// What can not be sent again is tried again and again.
    AskedForEver,
    /// At the end some requests go on.
    AskedBeyondEnd,
    /// An answer that nobody awaits goes to the application.
    StrayDelivered,
    /// Those who got the last message get the next one too.
    MatchedKept,
    /// A message overtakes those that the login looks at.
    LoginOvertaken,
    /// The end overtakes those that the login looks at.
    EndOvertakes,
    /// The application hears that a request's message was flushed.
    OwnFlushTold,
    /// Each subscription that fails costs a transport.
    GivenUpTwice,
    /// A subscription that fails calls off the close.
    CloseCalledOff,
    /// A refused subscription's answer is lost where the application is not to see it.
    ConsumedUntold,
}
}

/// Whether a fault was planted, or what to do if it was.
macro_rules! planted {
    ($output:expr, $fault:ident) => {
        $output.planted == Some($crate::planted::Fault::$fault)
    };
    ($output:expr, $fault:ident => $do:expr) => {
        if planted!($output, $fault) {
            $do
        }
    };
}

impl<D: Dialect> Connection<D> {
    /// Plants a fault.
    pub fn plant(&mut self, fault: Fault) {
        self.output.planted = Some(fault);
        if fault == Fault::DedupeBeyondWindow {
            self.dedupe = Dedupe::new(self.config.inbox.dedupe + 1, 0);
        }
    }

    /// The delay before the next dial, if its jitter is to be at fault.
    pub(crate) fn spoil(&self, mut delay: Delay) -> Delay {
        let retry = &self.config.retry;
        let spreads = matches!(retry.jitter, Jitter::Equal | Jitter::Full);
        if planted!(self.output, JitterLostAtCap) && spreads && delay.nominal == retry.cap {
            delay.delay = delay.delay.max(delay.nominal);
        }
        if planted!(self.output, JitterBelow) {
            delay.delay = delay.delay * 9 / 10;
        }
        if planted!(self.output, JitterAbove) {
            delay.delay = delay.delay * 11 / 10;
        }
        delay
    }

    /// Sends every ping that was missed since one was due, but for the one that is due now.
    pub(crate) fn make_up_for_pings(&mut self, now: Instant) {
        let Some(due) = self.timers.get(Timer::Ping) else { return };
        let interval = nanos(self.config.heartbeat.interval);
        for _ in 0..nanos(now - due) / interval {
            self.ping(now);
        }
        self.timers.arm(Timer::Ping, due);
    }

    /// The next ping is due as if one had just been sent.
    pub(crate) fn postpone_ping(&mut self, now: Instant) {
        if self.timers.is_armed(Timer::Ping) {
            self.timers.arm(Timer::Ping, now + self.config.heartbeat.interval);
        }
    }
}
