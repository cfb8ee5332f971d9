//! What a session says, asks and is told, besides a connection's own vocabulary.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::bus::Delivery;
use crate::event::{Outgoing, Seq, TransportId};
use crate::notice::Message;
use crate::requests::Ended;
use crate::subscriptions::Told;

/// What a driver takes from [`Session::poll`](super::Session::poll).
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// An action of the connection. Its `Wait` comes last, and its deadline minds the session's own.
    Action(Action),
    /// A message for the subscribers that [`Session::matched`](super::Session::matched) names.
    Deliver(Delivery),
    /// A request has ended.
    Ended(Ended),
    /// Something about a subscription.
    Told(Told),
    /// A transport has opened and wants its login: see [`Decision::Login`]. Asked only with
    /// `asks.login`.
    Login {
        /// The transport that opened.
        transport: TransportId,
    },
    /// A message that came before the login was over, or before another one of these was answered,
    /// so that all keep their order. It is the login's to look at. The answer to each, in turn, is
    /// [`Decision::Pass`] or [`Decision::Taken`], even if the connection has ended: the closed notice
    /// waits for them, so that what is passed comes before it. A loss does not wait: the answer to a request
    /// that ended as lost meanwhile is a stray one.
    DuringLogin(Message),
    /// What is queued is about to go out: look at [`Connection::queued`](crate::Connection::queued),
    /// and say with [`Decision::Queue`] what goes, and in which order. Asked only with `asks.queue`,
    /// and only if something is queued.
    Queue {
        /// The transport that it would go out on.
        transport: TransportId,
    },
}

/// What the application says to what it was asked. It is stale, and changes nothing, once the
/// transport is another; what became of a message counts all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// What a login comes to.
    Login {
        /// The transport that was asked about.
        transport: TransportId,
        /// What is sent now, before everything else; 64 messages at most. One that cannot be sent
        /// fails the login.
        send: Vec<Outgoing>,
        /// How it ended; `None` while it goes on.
        verdict: Option<Verdict>,
    },
    /// A message that came during the login is like any other.
    Pass(Message),
    /// A message that came during the login was the login's own.
    Taken,
    /// What is queued was looked at.
    Queue {
        /// The transport that was asked about.
        transport: TransportId,
        /// What is taken back, and ends as cancelled.
        drop: Vec<Seq>,
        /// What goes first, in this order; the rest follows as it stood.
        first: Vec<Seq>,
    },
}

/// How a login ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The transport serves.
    Good,
    /// It does not; another one may.
    Failed {
        /// Why, in words, without secrets.
        detail: Box<str>,
    },
    /// No other one ever will: the connection closes for good.
    Refused {
        /// Why, in words, without secrets.
        detail: Box<str>,
    },
}

/// Which questions the application wants to be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asks {
    /// After each open, before anything else is sent. Default off.
    pub login: bool,
    /// After each open, before what is queued goes out. Default off.
    pub queue: bool,
}

/// What becomes of the connection when a subscription is refused, or not confirmed in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unconfirmed {
    /// It lives on; the application is told.
    #[default]
    Continue,
    /// The application is told, and there is another attempt on a new transport. It comes as after
    /// any lost connection, when the retry policy says so; the delays grow from one to the next,
    /// unless a transport is called stable (`retry.stable_after`) before its time for a confirmation
    /// is over.
    Reconnect,
}

/// What becomes of a message that no subscriber wants, and that is no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unrouted {
    /// It is the application's, as every message is without a session.
    #[default]
    Deliver,
    /// It is dropped and counted: for a program that hears through subscribers alone.
    Discard,
}

/// Whether the application is told of each message that was flushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flushes {
    /// By [`Notice::Flushed`](crate::Notice::Flushed), as without a session.
    #[default]
    Tell,
    /// It is not: for a program that does not care, which costs a notice for each message otherwise.
    /// They are counted all the same.
    Omit,
}

/// A session in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SessionStatus {
    /// How many subscribers the bus has.
    pub subscribers: usize,
    /// Messages that were dropped because no subscriber wanted them: see [`Unrouted::Discard`].
    pub discarded: u64,
    /// How many requests await their end.
    pub requests: usize,
    /// Answers to requests that had ended, or that there never were.
    pub stray_answers: u64,
    /// How many subscriptions are said anew after each open.
    pub subscriptions: usize,
    /// How many of them were said and await their confirmation.
    pub unconfirmed: usize,
}
