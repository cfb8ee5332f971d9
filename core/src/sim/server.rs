//! The other end of a simulated network.

use alloc::format;
use alloc::vec::Vec;

use super::choices::Choices;
use crate::config::Class;
use crate::dialect::{BuiltIn, Dialect, DialectConfig, Encoding, Meaning};
use crate::event::{DialError, DialFailure, EndKind, TransportId};
use crate::frame::{CloseFrame, Frame, Payload};
use crate::time::{Duration, Instant};

/// One WebSocket, as a server knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// Whose: the clients of a [`World`](super::World) are numbered from 0.
    pub client: usize,
    /// Which of the client's transports.
    pub transport: TransportId,
}

/// What a server makes of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It succeeds.
    Accept,
    /// It is refused with this HTTP status and perhaps a `Retry-After`.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// What `Retry-After` asks for.
        retry_after: Option<Duration>,
    },
    /// There is no answer.
    Ignore,
}

/// A server, yours or [`Echo`]. One serves every client of its [`World`](super::World).
///
/// It has no clock but [`Cx::now`] and no randomness but [`Cx::choices`], so that a run can be
/// repeated.
pub trait Server {
    /// A client dials.
    fn dialed(&mut self, cx: &mut Cx<'_>, link: Link) -> Answer {
        let _ = (cx, link);
        Answer::Accept
    }

    /// The handshake was accepted; what is sent from now on follows it.
    fn opened(&mut self, cx: &mut Cx<'_>, link: Link) {
        let _ = (cx, link);
    }

    /// A data frame arrived.
    fn received(&mut self, cx: &mut Cx<'_>, link: Link, payload: Payload);

    /// A ping, a pong or a close arrived. Answers as RFC 6455 §5.5 asks, unless you do otherwise.
    fn control(&mut self, cx: &mut Cx<'_>, link: Link, frame: Frame) {
        cx.answer(link, frame);
    }

    /// The link has ended, by whichever side.
    fn ended(&mut self, cx: &mut Cx<'_>, link: Link) {
        let _ = (cx, link);
    }

    /// The time has come that was asked for with [`Cx::wake_at`].
    fn woken(&mut self, cx: &mut Cx<'_>) {
        let _ = cx;
    }
}

/// What a server can do.
#[derive(Debug)]
pub struct Cx<'a> {
    pub(super) now: Instant,
    pub(super) orders: &'a mut Vec<Order>,
    pub(super) choices: &'a mut Choices<'static>,
}

/// What a server wants done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    Send(Link, Frame),
    End(Link, EndKind),
    Wake(Instant),
}

impl Cx<'_> {
    /// The world's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The server's own randomness.
    pub fn choices(&mut self) -> &mut Choices<'static> {
        self.choices
    }

    /// Sends a message.
    pub fn send(&mut self, link: Link, payload: impl Into<Payload>) {
        self.frame(link, Frame::from(payload.into()));
    }

    /// Sends a frame of any kind. What follows a close frame is not sent.
    pub fn frame(&mut self, link: Link, frame: Frame) {
        self.orders.push(Order::Send(link, frame));
    }

    /// Begins the close handshake.
    pub fn close(&mut self, link: Link, code: u16, reason: &str) {
        self.frame(link, Frame::Close(Some(CloseFrame::new(code, reason))));
    }

    /// Ends the link: with [`EndKind::Eof`] after what was sent, else at once.
    pub fn end(&mut self, link: Link, kind: EndKind) {
        self.orders.push(Order::End(link, kind));
    }

    /// Has [`Server::woken`] called at that time.
    pub fn wake_at(&mut self, at: Instant) {
        self.orders.push(Order::Wake(at));
    }

    /// Answers a ping with a pong, and a close with a close and the end.
    pub fn answer(&mut self, link: Link, frame: Frame) {
        match frame {
            Frame::Ping(payload) => self.frame(link, Frame::Pong(payload)),
            Frame::Close(close) => {
                self.frame(link, Frame::Close(close));
                self.end(link, EndKind::Eof);
            }
            Frame::Pong(_) | Frame::Text(_) | Frame::Binary(_) => {}
        }
    }
}

impl Answer {
    pub(super) fn failure(status: u16, retry_after: Option<Duration>) -> DialFailure {
        let failure = DialFailure::new(DialError::Status, "");
        DialFailure { status: Some(status), retry_after, ..failure }
    }
}

/// A server without faults: it answers greetings and heartbeats, acknowledges what carries an id, and
/// sends every message back.
#[derive(Clone, Debug, PartialEq)]
pub struct Echo {
    dialect: BuiltIn,
    /// Whether it sends messages back.
    pub echoes: bool,
    /// How often it pings each link, if it does.
    pub pings: Option<Duration>,
    links: Vec<Link>,
    pinging: bool,
}

impl Echo {
    /// A server that speaks the dialect which the clients' config names.
    #[must_use]
    pub fn new(dialect: &DialectConfig) -> Self {
        let mut dialect = dialect.clone();
        if let DialectConfig::Json(json) = &mut dialect {
            json.acknowledge = true;
        }
        let dialect = BuiltIn::new(&dialect);
        Self { dialect, echoes: true, pings: None, links: Vec::new(), pinging: false }
    }

    /// A message as it goes back: an event of Socket.IO is one again, anything else is as it came.
    fn echo(&mut self, payload: Payload, unix_ms: u64) -> Payload {
        match &mut self.dialect {
            BuiltIn::SocketIo(dialect) => {
                let context = Encoding { id: None, unix_ms, class: Class::Queued };
                match dialect.encode(payload, context) {
                    Ok(event) => event.payload,
                    Err((payload, _)) => payload,
                }
            }
            BuiltIn::Plain(_) | BuiltIn::Text(_) | BuiltIn::Json(_) | BuiltIn::EventStream(_) => {
                payload
            }
        }
    }
}

impl Server for Echo {
    fn opened(&mut self, cx: &mut Cx<'_>, link: Link) {
        self.links.push(link);
        if let (Some(every), false) = (self.pings, self.pinging) {
            self.pinging = true;
            cx.wake_at(cx.now() + every);
        }
    }

    fn received(&mut self, cx: &mut Cx<'_>, link: Link, payload: Payload) {
        let unix_ms = cx.now().as_millis();
        if self.dialect.greeting().as_ref() == Some(&payload) {
            // Only Socket.IO greets, and is answered likewise, with an id.
            let text = payload.as_text().unwrap_or_default();
            return cx.send(link, Payload::from(format!(r#"{text}{{"sid":"{}"}}"#, link.client)));
        }
        match self.dialect.decode(payload) {
            Meaning::Message { payload, id } => {
                if let Some(ack) = id.and_then(|id| self.dialect.ack(id)) {
                    cx.send(link, ack);
                }
                if self.echoes {
                    cx.send(link, self.echo(payload, unix_ms));
                }
            }
            Meaning::Unreadable { payload, .. } if self.echoes => cx.send(link, payload),
            Meaning::Ping => {
                if let Some(pong) = self.dialect.pong(unix_ms) {
                    cx.send(link, pong);
                }
            }
            Meaning::Unreadable { .. }
            | Meaning::Messages(_)
            | Meaning::Admission { .. }
            | Meaning::Pong
            | Meaning::Ack { .. }
            | Meaning::BadAck => {}
        }
    }

    fn ended(&mut self, _cx: &mut Cx<'_>, link: Link) {
        self.links.retain(|other| *other != link);
    }

    fn woken(&mut self, cx: &mut Cx<'_>) {
        self.pinging = false;
        let Some(every) = self.pings.filter(|_| !self.links.is_empty()) else { return };
        for link in &self.links {
            cx.frame(*link, Frame::Ping(crate::Bytes::from_static(b"you?")));
        }
        self.pinging = true;
        cx.wake_at(cx.now() + every);
    }
}
