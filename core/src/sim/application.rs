//! The program behind a simulated connection.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::choices::Choices;
use super::driver::Driver;
use crate::config::Class;
use crate::dialect::Dialect;
use crate::error::{Accepted, Rejected};
use crate::event::{Event, Outgoing, RetryChoice, Seq, TransportId};
use crate::frame::CloseFrame;
use crate::json::{digits, push_number};
use crate::notice::{Notice, State};
use crate::status::Status;
use crate::time::{Duration, Instant};

/// A program, yours or [`Chatter`]. One stands behind every client of a [`World`](super::World).
pub trait Application<D> {
    /// A client was made. Nothing was done for it yet.
    fn started(&mut self, hands: &mut Hands<'_, D>) {
        let _ = hands;
    }

    /// A client's connection has something to tell. With `opening.hold` a transport that opens has
    /// to be [released](Hands::release) sooner or later; at once when the world
    /// [settles](Hands::is_settling).
    fn notified(&mut self, hands: &mut Hands<'_, D>, notice: &Notice);

    /// The time has come that was asked for with [`Hands::wake_in`]; never while the world
    /// settles.
    fn woken(&mut self, hands: &mut Hands<'_, D>) {
        let _ = hands;
    }
}

/// What a program can do with one client.
#[derive(Debug)]
pub struct Hands<'a, D> {
    pub(super) client: usize,
    pub(super) driver: &'a mut Driver<D>,
    pub(super) wakes: &'a mut Vec<Duration>,
    pub(super) choices: &'a mut Choices<'static>,
    pub(super) settling: bool,
}

impl<D: Dialect + Clone + PartialEq> Hands<'_, D> {
    /// Which client it is, from 0.
    #[must_use]
    pub fn client(&self) -> usize {
        self.client
    }

    /// What the driver's clock shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.driver.now()
    }

    /// The connection's status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.driver.status()
    }

    /// Whether the world settles: from now on [`Application::woken`] is not called.
    #[must_use]
    pub fn is_settling(&self) -> bool {
        self.settling
    }

    /// The program's own randomness.
    pub fn choices(&mut self) -> &mut Choices<'static> {
        self.choices
    }

    /// Has [`Application::woken`] called after this time.
    pub fn wake_in(&mut self, after: Duration) {
        self.wakes.push(after);
    }

    /// Sends a message.
    ///
    /// # Errors
    /// As [`Connection::handle`](crate::Connection::handle).
    pub fn send(&mut self, message: impl Into<Outgoing>) -> Result<Seq, Rejected> {
        match self.driver.handle(Event::Send(message.into()))? {
            Accepted::Message(seq) => Ok(seq),
            // A send is answered with a name; this keeps the match total.
            Accepted::Done | Accepted::Stale => Ok(Seq(0)),
        }
    }

    /// Closes.
    pub fn close(&mut self) {
        self.command(Event::Close(CloseFrame::new(1000, "")));
    }

    /// Drains, then closes.
    pub fn drain(&mut self) {
        self.command(Event::Drain { timeout: None, close: CloseFrame::new(1000, "") });
    }

    /// Asks for a new transport.
    pub fn reconnect(&mut self) {
        self.command(Event::Reconnect);
    }

    /// Answers a [`Notice::Retrying`].
    pub fn retry(&mut self, attempt: u32, choice: RetryChoice) {
        self.command(Event::Retry { attempt, choice });
    }

    /// Takes a message back.
    ///
    /// # Errors
    /// [`Rejected::NotQueued`] if that is too late.
    pub fn cancel(&mut self, seq: Seq) -> Result<(), Rejected> {
        self.driver.handle(Event::Cancel(seq)).map(|_| ())
    }

    /// Takes every message back that was not written yet.
    pub fn purge(&mut self) {
        self.command(Event::Purge);
    }

    /// Ends the opening of a held transport.
    pub fn release(&mut self, transport: TransportId) {
        self.command(Event::Release { transport });
    }

    /// Gives the open transport up, held or not.
    pub fn refuse(&mut self, transport: TransportId, retry: bool) {
        self.command(Event::Refuse { transport, retry, detail: "refused".into() });
    }

    /// Puts the queue in order.
    pub fn reorder(&mut self, first: Vec<Seq>) {
        self.command(Event::Reorder(first));
    }

    /// Releases the transport that has just opened, if the notice says that one has and the config
    /// holds it. For an [`Application`] with nothing to say before.
    pub fn release_at_once(&mut self, notice: &Notice) {
        if let Notice::StateChanged { to: State::Open, transport: Some(transport), .. } = notice
            && self.driver.config().opening.hold
        {
            self.release(*transport);
        }
    }

    fn command(&mut self, event: Event) {
        // Counted as refused where it is; the checker has seen why.
        let _ = self.driver.handle(event);
    }
}

/// What makes messages of different sizes.
const PADDING: &str = "........................................";

/// A program that does nothing but to release what the config holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Idle;

impl<D: Dialect + Clone + PartialEq> Application<D> for Idle {
    fn notified(&mut self, hands: &mut Hands<'_, D>, notice: &Notice) {
        hands.release_at_once(notice);
    }
}

/// A program that sends messages of every class at random times, and now and then takes one back,
/// puts the queue in order, asks for a new transport, or answers the retry hook. What the config
/// holds it releases, at once or later, or it refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct Chatter {
    /// The mean time between two messages of one client.
    pub every: Duration,
    /// How often it closes or drains, per mille of what it does. Default 0.
    pub leaves: u16,
    last: Option<Seq>,
    sent: u64,
}

impl Chatter {
    /// A program that does something every so often on average.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, leaves: 0, last: None, sent: 0 }
    }

    /// Says something ahead on a transport that is held, and releases it, mostly.
    fn open<D: Dialect + Clone + PartialEq>(
        &mut self,
        hands: &mut Hands<'_, D>,
        transport: TransportId,
    ) {
        self.sent += 1;
        // It may have ended by now.
        let _ = hands.send(Outgoing::new(format!("login {}", self.sent)).ahead());
        if hands.is_settling() {
            return hands.release(transport);
        }
        match hands.choices().weighted(&[80, 15, 5]) {
            0 => hands.release(transport),
            // When it is woken.
            1 => {}
            _ => hands.refuse(transport, true),
        }
    }
}

/// A number and a text, in a buffer of exactly their size.
fn text(number: u64, text: &str) -> String {
    let mut out = String::with_capacity(digits(number) + 1 + text.len());
    push_number(&mut out, number);
    out.push(' ');
    out.push_str(text);
    out
}

impl<D: Dialect + Clone + PartialEq> Application<D> for Chatter {
    fn started(&mut self, hands: &mut Hands<'_, D>) {
        hands.wake_in(Duration::ZERO);
    }

    fn notified(&mut self, hands: &mut Hands<'_, D>, notice: &Notice) {
        if let Notice::StateChanged { to: State::Open, transport: Some(transport), .. } = notice
            && hands.driver.config().opening.hold
        {
            self.open(hands, *transport);
        }
        if let Notice::Retrying { attempt, .. } = notice
            && hands.choices().chance(30)
        {
            let delay = hands.choices().between(Duration::ZERO, self.every.saturating_mul(4));
            let choice = hands.choices().one_of(&[RetryChoice::Keep, RetryChoice::After(delay)]);
            hands.retry(*attempt, choice);
        }
    }

    fn woken(&mut self, hands: &mut Hands<'_, D>) {
        let pause = hands.choices().between(Duration::ZERO, self.every.saturating_mul(2));
        hands.wake_in(pause);
        if hands.choices().chance(self.leaves) {
            return if hands.choices().chance(500) { hands.close() } else { hands.drain() };
        }
        // The whole status would have to be put together.
        let connection = hands.driver.checked().connection();
        let held = connection.transport.as_ref().filter(|_| connection.is_held());
        if let Some(transport) = held.map(|transport| transport.id) {
            hands.release(transport);
        }
        match hands.choices().weighted(&[900, 40, 5, 5, 10]) {
            0 => {
                self.sent += 1;
                let padding = hands.choices().below(40) as usize;
                let mut message = Outgoing::new(text(self.sent, &PADDING[..padding]));
                let classes = [
                    None,
                    None,
                    Some(Class::Queued),
                    Some(Class::Volatile),
                    Some(Class::Acknowledged),
                ];
                message.class = hands.choices().one_of(&classes);
                if hands.choices().chance(100) {
                    message.ttl = Some(
                        hands.choices().between(Duration::ZERO, self.every.saturating_mul(20)),
                    );
                }
                message.ahead = hands.choices().chance(50);
                self.last = hands.send(message).ok().or(self.last);
            }
            1 => {
                if let Some(seq) = self.last {
                    // It may be too late for that.
                    let _ = hands.cancel(seq);
                }
            }
            2 => hands.purge(),
            3 => hands.reconnect(),
            _ => hands.reorder(self.last.into_iter().collect()),
        }
    }
}
