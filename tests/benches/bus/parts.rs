//! Parts of the way, by themselves: the connection, the session before it, routing, reading.

use std::hint::black_box;
use std::time::Instant as Clock;

use perennial_core::bus::{Bus, Pattern, Routing, RoutingConfig};
use perennial_core::session::{Door, Output, Session, SessionConfig};
use perennial_core::{
    Action, BuiltIn, ByteString, Capabilities, Config, Connection, Event, Frame, Instant, Message,
    Notice, Outgoing, TransportId,
};

use crate::counting::allocations;
use crate::message::{TEXT, Trade};
use crate::{Cost, Fault};

const ROUNDS: usize = 10_000;

/// What `work` costs, once it has run a little.
fn measure(mut work: impl FnMut() -> Result<(), Fault>) -> Result<Cost, Fault> {
    for _ in 0..ROUNDS / 10 {
        work()?;
    }
    let (before, start) = (allocations(), Clock::now());
    for _ in 0..ROUNDS {
        work()?;
    }
    let took = start.elapsed();
    Ok(Cost::of(ROUNDS, took, allocations() - before))
}

fn routing() -> Result<Routing, Fault> {
    let config = RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() };
    Ok(Routing::fields(config)?)
}

/// A connection by itself, or with a session before it.
struct Rig {
    connection: Connection<BuiltIn>,
    session: Option<Session>,
    transport: TransportId,
    /// What came last.
    message: Option<Message>,
}

impl Rig {
    fn new(config: Config, session: Option<Session>) -> Result<Self, Fault> {
        let dialect = BuiltIn::new(&config.dialect);
        let mut connection = Connection::new(config, dialect, 1, Instant::ZERO);
        let transport = loop {
            match connection.poll() {
                Action::Dial { transport, .. } => break transport,
                Action::Wait { .. } => return Err("a connection dials".into()),
                Action::Write { .. } | Action::Abort { .. } | Action::Notify(_) => {}
            }
        };
        let mut rig = Self { connection, session, transport, message: None };
        let capabilities = Capabilities::SOCKET;
        rig.event(Event::Opened { transport, capabilities })?;
        Ok(rig)
    }

    fn alone() -> Result<Self, Fault> {
        Self::new(Config::default(), None)
    }

    fn with_session() -> Result<Self, Fault> {
        let mut config = Config::builder();
        config.opening.hold = true;
        let session = SessionConfig { routing: routing()?, ..SessionConfig::default() };
        let session = Session::new(session, Instant::ZERO)?;
        Self::new(config.build()?, Some(session))
    }

    /// Tells an event and takes what comes of it. Returns the number of the last write.
    fn event(&mut self, event: Event) -> Result<u64, Fault> {
        let Self { connection, session, .. } = self;
        match session {
            None => connection.handle(Instant::ZERO, event)?,
            Some(session) => session.handle(connection, Instant::ZERO, event)?,
        };
        let mut last = 0;
        loop {
            let output = match &mut self.session {
                None => Output::Action(Door::poll(&mut self.connection)),
                Some(session) => session.poll(&mut self.connection),
            };
            match output {
                Output::Action(Action::Wait { .. }) => return Ok(last),
                Output::Action(Action::Write { index, frame, .. }) => {
                    black_box(frame);
                    last = index;
                }
                Output::Action(Action::Notify(Notice::Message(message))) => {
                    self.message = Some(message);
                }
                other => drop(black_box(other)),
            }
        }
    }

    fn receive(&mut self, text: &ByteString) -> Result<(), Fault> {
        let frame = Frame::Text(text.clone());
        self.event(Event::Received { transport: self.transport, frame })?;
        Ok(())
    }

    fn send(&mut self, text: &ByteString) -> Result<(), Fault> {
        let through = self.event(Event::Send(Outgoing::new(text.clone())))?;
        self.event(Event::Flushed { transport: self.transport, through })?;
        Ok(())
    }
}

fn text() -> ByteString {
    let text = ByteString::from(TEXT.to_owned());
    // The first clone allocates the count of references.
    drop(text.clone());
    text
}

pub(crate) fn connection_receives() -> Result<Cost, Fault> {
    let (mut rig, text) = (Rig::alone()?, text());
    measure(|| rig.receive(&text))
}

pub(crate) fn session_receives() -> Result<Cost, Fault> {
    let (mut rig, text) = (Rig::with_session()?, text());
    measure(|| rig.receive(&text))
}

pub(crate) fn connection_sends() -> Result<Cost, Fault> {
    let (mut rig, text) = (Rig::alone()?, text());
    measure(|| rig.send(&text))
}

pub(crate) fn session_sends() -> Result<Cost, Fault> {
    let (mut rig, text) = (Rig::with_session()?, text());
    measure(|| rig.send(&text))
}

pub(crate) fn session_sorts() -> Result<Cost, Fault> {
    let (mut rig, text) = (Rig::with_session()?, text());
    let session = rig.session.as_mut().ok_or("there is a session")?;
    session.listen(&Pattern::exact("trade.btcusd")?);
    measure(|| rig.receive(&text))
}

/// A bus with one subscriber, and a message for it.
fn bus() -> Result<(Bus, Message), Fault> {
    let mut rig = Rig::alone()?;
    rig.receive(&text())?;
    let mut bus = Bus::new(routing()?);
    bus.subscribe(&Pattern::exact("trade.btcusd")?);
    Ok((bus, rig.message.take().ok_or("a message was received")?))
}

pub(crate) fn routes() -> Result<Cost, Fault> {
    let (bus, message) = bus()?;
    let mut to = Vec::new();
    measure(|| {
        to.clear();
        black_box(bus.route(message.clone(), &mut to));
        Ok(())
    })
}

pub(crate) fn reads() -> Result<Cost, Fault> {
    let (bus, message) = bus()?;
    let delivery = bus.route(message, &mut Vec::new());
    measure(|| {
        black_box(black_box(&delivery).parse::<Trade>()?.look());
        Ok(())
    })
}
