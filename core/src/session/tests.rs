//! A session before a real connection, in virtual time, with a server that is a model.

mod opening;
mod requests;
mod routing;
mod subscriptions;

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Decision, Output, Session, SessionConfig};
use crate::action::Action;
use crate::bus::{Delivery, SubscriberId};
use crate::config::Config;
use crate::connection::Connection;
use crate::dialect::BuiltIn;
use crate::error::{Accepted, Rejected};
use crate::event::{
    Capabilities, DialError, DialFailure, End, EndKind, Event, Outgoing, TransportId,
};
use crate::frame::Frame;
use crate::notice::Notice;
use crate::requests::{Ended, Request, RequestId};
use crate::subscriptions::{Subscription, SubscriptionId, Told};
use crate::time::{Duration, Instant};

/// A driver in small: it takes what is to be done, and notes everything.
pub(super) struct Rig {
    pub(super) connection: Connection<BuiltIn>,
    pub(super) session: Session,
    pub(super) now: Instant,
    /// The transport that was dialled last.
    pub(super) transport: Option<TransportId>,
    pub(super) open: bool,
    /// Whether what is written is reported as flushed.
    pub(super) flushes: bool,
    /// What was written since somebody looked, on whichever transport.
    wire: VecDeque<String>,
    pub(super) notices: Vec<Notice>,
    pub(super) delivered: Vec<(Vec<SubscriberId>, Delivery)>,
    pub(super) ended: Vec<Ended>,
    pub(super) told: Vec<Told>,
    pub(super) asked: VecDeque<Output>,
    pub(super) until: Option<Instant>,
}

impl Rig {
    pub(super) fn new(session: SessionConfig) -> Self {
        let mut config = Config::builder();
        config.opening.hold = true;
        config.outbox.max_messages = 100_000;
        config.outbox.max_bytes = 64 << 20;
        Self::with(config.build().expect("a config"), session)
    }

    pub(super) fn with(config: Config, session: SessionConfig) -> Self {
        let now = Instant::ZERO;
        let dialect = BuiltIn::new(&config.dialect);
        let mut rig = Self {
            connection: Connection::new(config, dialect, 7, now),
            session: Session::new(session, now).expect("a session"),
            now,
            transport: None,
            open: false,
            flushes: true,
            wire: VecDeque::new(),
            notices: Vec::new(),
            delivered: Vec::new(),
            ended: Vec::new(),
            told: Vec::new(),
            asked: VecDeque::new(),
            until: None,
        };
        rig.pump();
        rig
    }

    /// One that is open, with nothing noted.
    pub(super) fn opened(session: SessionConfig) -> Self {
        let mut rig = Self::new(session);
        rig.open();
        rig.notices.clear();
        rig
    }

    /// Takes everything there is to be taken.
    pub(super) fn pump(&mut self) {
        loop {
            let mut through = None;
            self.until = loop {
                match self.session.poll(&mut self.connection) {
                    Output::Action(Action::Dial { transport, .. }) => {
                        self.transport = Some(transport);
                    }
                    Output::Action(Action::Write { index, frame, .. }) => {
                        through = Some(index);
                        if let Frame::Text(text) = frame {
                            self.wire.push_back(text.to_string());
                        }
                    }
                    Output::Action(Action::Abort { .. }) => self.open = false,
                    Output::Action(Action::Notify(notice)) => self.notices.push(notice),
                    Output::Action(Action::Wait { until, .. }) => break until,
                    Output::Deliver(delivery) => {
                        self.delivered.push((self.session.matched().to_vec(), delivery));
                    }
                    Output::Ended(ended) => self.ended.push(ended),
                    Output::Told(told) => self.told.push(told),
                    asked @ (Output::Login { .. }
                    | Output::DuringLogin(_)
                    | Output::Queue { .. }) => self.asked.push_back(asked),
                }
            };
            let (Some(through), Some(transport), true) = (through, self.transport, self.flushes)
            else {
                return;
            };
            self.feed(Event::Flushed { transport, through }).expect("never refused");
        }
    }

    fn feed(&mut self, event: Event) -> Result<Accepted, Rejected> {
        self.session.handle(&mut self.connection, self.now, event)
    }

    pub(super) fn event(&mut self, event: Event) {
        self.feed(event).expect("taken");
        self.pump();
    }

    pub(super) fn transport(&self) -> TransportId {
        self.transport.expect("something was dialled")
    }

    /// The dial succeeds.
    pub(super) fn open(&mut self) {
        let transport = self.transport();
        self.open = true;
        self.event(Event::Opened { transport, capabilities: Capabilities::SOCKET });
    }

    /// The dial fails.
    pub(super) fn refuse(&mut self) {
        let transport = self.transport();
        let failure = DialFailure::new(DialError::Connect, "refused");
        self.event(Event::DialFailed { transport, failure });
    }

    /// The transport is lost.
    pub(super) fn lose(&mut self) {
        let transport = self.transport();
        self.open = false;
        self.event(Event::Ended { transport, end: End::new(EndKind::Reset) });
    }

    /// Lets time pass until the next transport is dialled, and opens it.
    pub(super) fn reopen(&mut self) {
        let before = self.transport;
        for _ in 0..100 {
            if self.transport != before {
                return self.open();
            }
            self.pass_to_deadline();
        }
        panic!("it does not dial again");
    }

    /// Cuts the connection and has it back.
    pub(super) fn cut(&mut self) {
        self.lose();
        self.reopen();
    }

    pub(super) fn pass_to_deadline(&mut self) {
        self.now = self.until.expect("something is due");
        self.event(Event::Tick);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(until) = self.until.filter(|until| *until <= end) {
            self.now = until.max(self.now);
            self.event(Event::Tick);
        }
        self.now = end;
        self.event(Event::Tick);
    }

    /// The server says something.
    pub(super) fn hear(&mut self, text: impl Into<String>) {
        let transport = self.transport();
        let frame = Frame::Text(text.into().into());
        self.event(Event::Received { transport, frame });
    }

    pub(super) fn send(&mut self, text: &str) {
        self.event(Event::Send(Outgoing::new(text.to_string())));
    }

    pub(super) fn ask(&mut self, request: Request) -> RequestId {
        let id = self.session.request(&mut self.connection, self.now, request).expect("taken");
        self.pump();
        id
    }

    pub(super) fn subscribe(&mut self, subscription: Subscription) -> SubscriptionId {
        let subscribed = self.session.subscribe(&mut self.connection, self.now, subscription);
        self.pump();
        subscribed.expect("taken")
    }

    pub(super) fn unsubscribe(&mut self, id: SubscriptionId) {
        assert!(self.session.unsubscribe(&mut self.connection, self.now, id), "it stood");
        self.pump();
    }

    pub(super) fn decide(&mut self, decision: Decision) {
        self.session.decide(&mut self.connection, self.now, decision);
        self.pump();
    }

    /// What was written since the last look.
    pub(super) fn written(&mut self) -> Vec<String> {
        self.wire.drain(..).collect()
    }

    /// The messages that the application was told.
    pub(super) fn messages(&self) -> Vec<&str> {
        let texts = self.notices.iter().filter_map(|notice| match notice {
            Notice::Message(message) => message.as_text(),
            _ => None,
        });
        texts.collect()
    }
}
