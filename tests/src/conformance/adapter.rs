//! What a way of driving connections implements to be tested: [`Adapter`] and [`Session`].

use std::fmt;
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use perennial_core::{Config, Notice, Outgoing, Rejected, Seq, Status};

/// What a script asks to be connected.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to: `ws://` or `wss://`, on loopback.
    pub url: String,
    /// The configuration. `connect.fail_fast` is never set.
    pub config: Config,
    /// The seed of the connection.
    pub seed: u64,
    /// Headers for every request, besides those of the handshake.
    pub headers: Vec<(String, String)>,
    /// The subprotocols to offer, in this order.
    pub subprotocols: Vec<String>,
    /// The PEM text of the only certificate authority to trust; set where the URL is `wss://`.
    pub trust: Option<Vec<u8>>,
}

/// What an adapter can do. A script that needs more is reported as not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Connects to `wss://`.
    pub tls: bool,
    /// Has senders wait for room: [`Session::send_within`].
    pub waits: bool,
    /// Stops reading while the application does not fetch.
    pub pauses: bool,
    /// Tells failures in the words of the crate `perennial`: the details are compared too.
    pub words: bool,
}

/// A way to drive connections, under test.
pub trait Adapter: Sync {
    /// Its name, as in a report: lower case, without spaces.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn features(&self) -> Features;

    /// Begins to connect, and returns without waiting for the outcome. Every notice is told,
    /// reports included. Panics if the plan cannot be carried out.
    fn connect(&self, plan: Plan) -> Box<dyn Session>;

    /// A command that calls [`child`](super::child) with this adapter in a process of its own,
    /// which a script can stop and continue. `None`: scripts that need one are reported as not run.
    fn process(&self) -> Option<Command> {
        None
    }
}

/// One connection under test.
///
/// Dropping it drops everything by which the application could use the connection, and so closes
/// it, in the background: what drives it must come to an end within the config's `close.timeout`,
/// and an adapter that can tell does well to wait for that, with a bound, and to panic if it does
/// not.
pub trait Session: Send {
    /// The next notice; waits for it at most so long.
    fn recv(&mut self, limit: Duration) -> Received;

    /// Sends a message, without ever waiting.
    ///
    /// # Errors
    /// [`Refused`], with the message.
    fn send(&self, message: Outgoing) -> Result<Seq, Refused>;

    /// Begins to send a message, and returns at once: it waits for room at most so long, and is
    /// then withdrawn (a wait that times out, a future that is dropped). The outcome comes through
    /// the channel. Called only with [`Features::waits`].
    fn send_within(&self, message: Outgoing, limit: Duration) -> Receiver<Waited>;

    /// Takes a message back.
    ///
    /// # Errors
    /// As [`Event::Cancel`](perennial_core::Event::Cancel).
    fn cancel(&self, seq: Seq) -> Result<(), Rejected>;

    /// Takes back every message that was not handed to a transport.
    fn purge(&self);

    /// Closes with a code and a reason.
    ///
    /// # Errors
    /// As [`Event::Close`](perennial_core::Event::Close).
    fn close(&self, code: u16, reason: &str) -> Result<(), Rejected>;

    /// Sends what is queued, then closes with code 1000. `None` means the config's `close.drain`.
    fn drain(&self, timeout: Option<Duration>);

    /// Connects anew now.
    fn reconnect(&self);

    /// A snapshot.
    fn status(&self) -> Status;
}

/// What [`Session::recv`] has.
#[derive(Debug)]
pub enum Received {
    /// The next notice.
    Notice(Notice),
    /// [`Notice::Closed`] was fetched; nothing more comes.
    Ended,
    /// Nothing came in time.
    TimedOut,
}

/// A message that was not accepted.
#[derive(Debug)]
pub struct Refused {
    /// The message.
    pub message: Outgoing,
    /// Why.
    pub refusal: Refusal,
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The outbox is full, or the application does not fetch its reports.
    Full,
    /// The message alone is larger than the outbox.
    TooLarge,
    /// The connection is closed, closing or draining.
    Closed,
    /// It was to go ahead, and no transport is open.
    NotOpen,
    /// The dialect cannot write it.
    Unencodable,
}

/// What became of a message that waited for room.
#[derive(Debug)]
pub enum Waited {
    /// It was accepted.
    Accepted(Seq),
    /// There was no room in time: it was not accepted.
    Withdrawn,
    /// It was refused for another reason.
    Refused(Refusal),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} was refused: {:?}", self.message.payload, self.refusal)
    }
}

impl std::error::Error for Refused {}
