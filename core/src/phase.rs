//! The private phases within the four states.

use crate::frame::CloseFrame;
use crate::notice::{ClosedBy, Reason, State};

/// Where a connection is, exactly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// Made, but not yet told to dial.
    Idle,
    /// A dial is pending. A transport that said goodbye may linger meanwhile.
    Waiting,
    /// A dial is under way.
    Dialing,
    /// Open.
    Open,
    /// The close handshake is under way, or the peer's last close is being answered.
    Closing(Closing),
    /// Finished.
    Closed,
}

/// How the connection will have ended once the close handshake is through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Closing {
    pub(crate) by: ClosedBy,
    pub(crate) code: u16,
    pub(crate) reason: Reason,
    /// The peer's close frame has come.
    pub(crate) answered: bool,
}

impl Phase {
    /// The public state; `was_open` says whether the connection ever was.
    pub(crate) fn state(&self, was_open: bool) -> State {
        match self {
            Phase::Idle | Phase::Waiting | Phase::Dialing if was_open => State::Reconnecting,
            Phase::Idle | Phase::Waiting | Phase::Dialing => State::Connecting,
            Phase::Open | Phase::Closing(_) => State::Open,
            Phase::Closed => State::Closed,
        }
    }

    /// The phase in a word.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Waiting => "waiting",
            Phase::Dialing => "dialing",
            Phase::Open => "open",
            Phase::Closing(_) => "closing",
            Phase::Closed => "closed",
        }
    }
}

/// A drain that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Draining {
    /// The close frame at its end.
    pub(crate) close: CloseFrame,
}
