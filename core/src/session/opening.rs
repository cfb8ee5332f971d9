//! What happens between the open and the first message from the queue, step by step.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::output::{Output, Unconfirmed, Verdict};
use super::{Door, Session};
use crate::error::{Accepted, Rejected};
use crate::event::{Event, Outgoing, Seq, TransportId};
use crate::frame::Payload;
use crate::subscriptions::News;
use crate::time::{Duration, Instant};

/// How far the opening has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No transport is open.
    Down,
    /// The application logs in.
    Login,
    /// The live subscriptions are said, and their confirmations awaited.
    Subscribing,
    /// The requests that were not answered are sent again.
    Asking,
    /// The application looks at the queue.
    Queue,
    /// It is over.
    Over,
}

/// What the application said to its login.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) transport: TransportId,
    pub(super) send: Vec<Outgoing>,
    pub(super) verdict: Option<Verdict>,
}

impl Session {
    pub(super) fn opened(&mut self, transport: TransportId, timeout: Duration) {
        self.transport = Some(transport);
        // The rest of the time is for what comes after: a server that confirms nothing must not
        // keep the connection from opening.
        self.patience = self.now + (timeout - timeout / 4);
        self.subscriptions.opened();
        self.requests.transport_opened();
        self.stage = if self.config.asks.login && !planted!(self, LoginIgnored) {
            self.outputs.push_back(Output::Login { transport });
            Stage::Login
        } else {
            Stage::Subscribing
        };
    }

    pub(super) fn lost(&mut self) {
        self.down();
        self.requests.transport_lost();
    }

    /// No transport is open, and nothing is said on any.
    pub(super) fn down(&mut self) {
        self.transport = None;
        self.stage = Stage::Down;
        // All but these were about the transport.
        self.orders.retain(|event| matches!(event, Event::Cancel(_)));
        self.subscriptions.lost();
    }

    /// Goes on as far as it goes. Returns whether that left something to be polled.
    pub(super) fn advance(&mut self, door: &mut impl Door) -> bool {
        let Some(transport) = self.transport else { return false };
        let mut busy = false;
        loop {
            match self.stage {
                Stage::Down | Stage::Login | Stage::Queue => return busy,
                Stage::Subscribing => {
                    busy |= self.say(door);
                    let waits = self.subscriptions.unconfirmed() > 0 && self.now < self.patience;
                    let waits = waits && !planted!(self, UnconfirmedReleased);
                    let left = waits || self.subscriptions.next_to_say().is_some();
                    // What could not be said may have cost the transport.
                    if left || self.stage != Stage::Subscribing {
                        return busy;
                    }
                    self.stage = Stage::Asking;
                }
                Stage::Asking => {
                    busy |= self.ask_again(door);
                    if self.requests.has_resends() {
                        return busy;
                    }
                    if self.config.asks.queue && door.connection().queued().next().is_some() {
                        self.outputs.push_back(Output::Queue { transport });
                        self.stage = Stage::Queue;
                    } else {
                        self.release(door, transport);
                    }
                    busy = true;
                }
                Stage::Over => return busy | self.say(door),
            }
        }
    }

    /// Lets what is queued flow.
    fn release(&mut self, door: &mut impl Door, transport: TransportId) {
        self.stage = Stage::Over;
        self.order(door, Event::Release { transport });
    }

    /// Says what is to be said about subscriptions, as far as there is room.
    fn say(&mut self, door: &mut impl Door) -> bool {
        let mut said = false;
        planted!(self, TakenBackSaid => self.say_ghosts(door));
        while self.stage != Stage::Down
            && door.connection().ahead_room() > 0
            && let Some(saying) = self.subscriptions.next_to_say()
        {
            match self.send_ahead(door, saying.payload.clone()) {
                Ok(seq) => {
                    self.subscriptions.said(self.now, &saying, seq);
                    planted!(self, SaidTwice => drop(self.send_ahead(door, saying.payload)));
                }
                Err(Rejected::Busy(_)) => break,
                // It is lost, as will be told: the next transport sets it right.
                Err(Rejected::NotOpen(_)) => return true,
                Err(rejected) => {
                    self.subscriptions.unsayable(&saying, &rejected.to_string());
                    self.collect(door);
                }
            }
            said = true;
        }
        said
    }

    /// Sends again what was asked and not answered, as far as there is room.
    fn ask_again(&mut self, door: &mut impl Door) -> bool {
        let mut asked = false;
        while door.connection().ahead_room() > 0
            && let Some((id, payload)) = self.requests.next_resend()
        {
            match self.send_ahead(door, payload) {
                Ok(seq) => self.requests.sent(id, seq),
                // It is the next again.
                Err(Rejected::Busy(_)) => {
                    self.requests.unsent(id);
                    break;
                }
                // The transport is lost, as will be told: it goes out on the next.
                Err(Rejected::NotOpen(_)) => {
                    self.requests.unsent(id);
                    return true;
                }
                // The others do not wait for it, nor does the queue.
                Err(_) => {
                    planted!(self, AskedForEver => {
                        self.requests.unsent(id);
                        return true;
                    });
                    self.requests.put_off(id);
                }
            }
            // Whatever it answered, the connection may have acted upon what was due.
            asked = true;
        }
        asked
    }

    fn send_ahead(&mut self, door: &mut impl Door, payload: Payload) -> Result<Seq, Rejected> {
        // It is worth saying for as long as its transport is there, whatever the config says of messages.
        let message = Outgoing::new(payload).ttl(Duration::MAX).ahead();
        match door.handle(self.now, Event::Send(message))? {
            Accepted::Message(seq) => Ok(seq),
            Accepted::Done | Accepted::Stale => {
                unreachable!("every message that is taken gets a name")
            }
        }
    }

    /// Takes what the application said about its login, when everything else is done and there is
    /// room. Returns whether there was anything.
    pub(super) fn take_said(&mut self, door: &mut impl Door) -> bool {
        let Some(said) = self.said.pop_front() else { return false };
        self.log_in(door, said);
        true
    }

    fn log_in(&mut self, door: &mut impl Door, said: Said) {
        let Said { transport: of, send, mut verdict } = said;
        if self.transport != Some(of) || self.stage != Stage::Login {
            return;
        }
        for (at, mut message) in send.into_iter().enumerate() {
            message.ttl.get_or_insert(Duration::MAX);
            match door.handle(self.now, Event::Send(message.ahead())) {
                Ok(Accepted::Message(seq)) => {
                    self.login.insert(seq);
                }
                Ok(Accepted::Done | Accepted::Stale) => {}
                Err(rejected) => {
                    let detail = format!("message {} of the login: {rejected}", at + 1).into();
                    verdict = Some(Verdict::Failed { detail });
                    break;
                }
            }
        }
        let (retry, detail) = match verdict {
            None => return,
            Some(Verdict::Good) => {
                self.stage = Stage::Subscribing;
                return;
            }
            Some(Verdict::Failed { detail }) => (true, detail),
            Some(Verdict::Refused { detail }) => (false, detail),
        };
        // Nothing is said on it any more, not even what is to be said of subscriptions.
        self.stage = Stage::Down;
        self.order(door, Event::Refuse { transport: of, retry, detail });
    }

    pub(super) fn looked_at_queue(
        &mut self,
        door: &mut impl Door,
        of: TransportId,
        drop: Vec<Seq>,
        first: Vec<Seq>,
    ) {
        if self.transport != Some(of) || self.stage != Stage::Queue {
            return;
        }
        for seq in drop {
            self.order(door, Event::Cancel(seq));
        }
        if !first.is_empty() {
            self.order(door, Event::Reorder(first));
        }
        self.release(door, of);
    }

    /// What the policy says of a subscription that was not confirmed.
    pub(super) fn judge(&mut self, door: &mut impl Door, news: &News) {
        let failed = match news {
            News::Confirmed { .. } => false,
            News::Refused { .. }
            | News::Unconfirmed
            | News::Undelivered(_)
            | News::Unsayable { .. } => true,
        };
        let (Some(transport), true) = (self.transport, failed) else { return };
        match (self.config.unconfirmed, self.stage) {
            // It was given up already.
            (Unconfirmed::Continue, _) | (Unconfirmed::Reconnect, Stage::Down) => return,
            (
                Unconfirmed::Reconnect,
                Stage::Login | Stage::Subscribing | Stage::Asking | Stage::Queue | Stage::Over,
            ) => {}
        }
        // Nothing is said on it any more, and no other reason costs another one.
        if !planted!(self, GivenUpTwice) {
            self.stage = Stage::Down;
        }
        // The attempt has failed, also if the opening did not wait so long: a server that never
        // confirms is dialled as the policy says.
        let detail = "a subscription was not confirmed".into();
        self.order(door, Event::Refuse { transport, retry: true, detail });
    }

    /// Until when confirmations keep the queue waiting, if they do.
    pub(super) fn waits_until(&self) -> Option<Instant> {
        (self.stage == Stage::Subscribing && self.now < self.patience).then_some(self.patience)
    }
}
