//! A dial: prepare, connect, secure, upgrade; never blocking.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use perennial_core::{DialError, DialFailure, TransportId};
use polling::Poller;
use tungstenite::WebSocket;
use tungstenite::handshake::client::Response;
use tungstenite::handshake::machine::{HandshakeMachine, RoundResult, StageResult};
use tungstenite::protocol::{Role, WebSocketConfig};

use super::lookup::Prepared;
use super::polled::Polled;
use super::race::Race;
#[cfg(feature = "tls")]
use super::stream::TlsStream;
use super::stream::{Stream, Wire};
use crate::answer::Answer;
use crate::handshake::{Expected, Opening};
use crate::mapping;
use crate::request::Request;
#[cfg(feature = "tls")]
use crate::tls::{self, Tls};

/// What dials have in common.
#[derive(Debug)]
pub(super) struct Dialing {
    pub(super) poller: Arc<Poller>,
    pub(super) limits: WebSocketConfig,
    #[cfg(feature = "tls")]
    pub(super) tls: Tls,
    /// The last key given to a socket. Keys are never used twice, so that an event of a socket that
    /// is gone means nothing.
    pub(super) last_key: usize,
}

/// A dial in progress. Dropping it ends it at once.
pub(super) struct Dial {
    transport: TransportId,
    stage: Stage,
}

enum Stage {
    /// Request and addresses are being made elsewhere.
    Preparing,
    Racing(Box<Request>, Race),
    #[cfg(feature = "tls")]
    Securing(Box<Request>, Box<TlsStream>),
    Sending(HandshakeMachine<Wire>, Expected),
    Receiving(Box<Wire>, Answer, Expected),
    /// It has ended, or is on its way between two stages.
    Over,
}

/// How far a step of a dial has come.
enum Step {
    /// Nothing more can be done before the poller says so.
    Waits(Stage),
    /// The next stage can begin at once.
    Goes(Stage),
    Open(Box<WebSocket<Wire>>),
}

type Outcome = Result<Box<WebSocket<Wire>>, DialFailure>;

impl Dial {
    pub(super) fn new(transport: TransportId) -> Self {
        Self { transport, stage: Stage::Preparing }
    }

    pub(super) fn transport(&self) -> TransportId {
        self.transport
    }

    /// Begins to connect.
    pub(super) fn begin(&mut self, prepared: Prepared) {
        self.begin_at(prepared.request, prepared.addresses);
    }

    fn begin_at(&mut self, request: Request, addresses: Vec<SocketAddr>) {
        self.stage = Stage::Racing(Box::new(request), Race::new(addresses));
    }

    /// When the dial must be looked at even if nothing happens on its sockets.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Racing(_, race) => race.deadline(),
            #[cfg(feature = "tls")]
            Stage::Securing(..) => None,
            Stage::Preparing | Stage::Sending(..) | Stage::Receiving(..) | Stage::Over => None,
        }
    }

    /// Goes as far as it can without waiting.
    pub(super) fn advance(&mut self, dialing: &mut Dialing) -> Option<Outcome> {
        loop {
            match step(std::mem::replace(&mut self.stage, Stage::Over), dialing) {
                Ok(Step::Goes(stage)) => self.stage = stage,
                Ok(Step::Waits(stage)) => {
                    self.stage = stage;
                    return None;
                }
                Ok(Step::Open(socket)) => return Some(Ok(socket)),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }
}

fn step(stage: Stage, dialing: &mut Dialing) -> Result<Step, DialFailure> {
    match stage {
        Stage::Preparing => Ok(Step::Waits(Stage::Preparing)),
        Stage::Over => Ok(Step::Waits(Stage::Over)),
        Stage::Racing(request, mut race) => {
            let Dialing { poller, last_key, .. } = dialing;
            let mut mint = || {
                *last_key += 1;
                *last_key
            };
            match race.advance(poller, &mut mint) {
                None => Ok(Step::Waits(Stage::Racing(request, race))),
                Some(Ok(polled)) => connected(request, polled, dialing).map(Step::Goes),
                Some(Err(failure)) => Err(failure),
            }
        }
        #[cfg(feature = "tls")]
        Stage::Securing(request, mut stream) => {
            stream.polled().fired();
            match stream.handshake() {
                Ok(()) => Ok(Step::Goes(upgrade(&request, Stream::Tls(stream)))),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    stream.watch_handshake().map_err(|error| tls_failure(&request, &error))?;
                    Ok(Step::Waits(Stage::Securing(request, stream)))
                }
                Err(error) => Err(tls_failure(&request, &error)),
            }
        }
        Stage::Sending(machine, expected) => send(machine, expected),
        Stage::Receiving(wire, answer, expected) => receive(wire, answer, expected, dialing.limits),
    }
}

#[cfg(feature = "tls")]
fn connected(
    request: Box<Request>,
    polled: Polled,
    dialing: &Dialing,
) -> Result<Stage, DialFailure> {
    if !request.is_tls() {
        return Ok(upgrade(&request, Stream::Plain(polled)));
    }
    let failure = |detail: String| DialFailure::new(DialError::Tls, detail);
    let config = dialing.tls.config().map_err(|error| failure(error.to_string()))?;
    let host = request.host();
    let name = tls::server_name(&host)
        .ok_or_else(|| failure(format!("{host} is no name that a certificate can be for")))?;
    let session =
        rustls::ClientConnection::new(config, name).map_err(|error| failure(error.to_string()))?;
    Ok(Stage::Securing(request, Box::new(TlsStream::new(session, polled))))
}

#[cfg(not(feature = "tls"))]
fn connected(request: Box<Request>, polled: Polled, _: &Dialing) -> Result<Stage, DialFailure> {
    if request.is_tls() {
        let detail = "this program was built without TLS";
        return Err(DialFailure::new(DialError::Tls, detail));
    }
    Ok(upgrade(&request, Stream::Plain(polled)))
}

#[cfg(feature = "tls")]
fn tls_failure(request: &Request, error: &std::io::Error) -> DialFailure {
    DialFailure::new(DialError::Tls, tls::describe(&request.host().to_string(), error))
}

fn upgrade(request: &Request, stream: Stream) -> Stage {
    let (bytes, expected) = Opening::new(request).into_parts();
    Stage::Sending(HandshakeMachine::start_write(Wire::new(stream), bytes), expected)
}

fn send(mut machine: HandshakeMachine<Wire>, expected: Expected) -> Result<Step, DialFailure> {
    machine.get_mut().stream().polled().fired();
    loop {
        // Which object would be read does not matter while it writes.
        let round = machine.single_round::<Response>();
        machine = match round.map_err(|error| mapping::handshake_failure(&error))? {
            RoundResult::Incomplete(machine) => machine,
            RoundResult::WouldBlock(mut machine) => {
                watch(machine.get_mut(), true)?;
                return Ok(Step::Waits(Stage::Sending(machine, expected)));
            }
            RoundResult::StageFinished(
                StageResult::DoneWriting(stream) | StageResult::DoneReading { stream, .. },
            ) => {
                let stage = Stage::Receiving(Box::new(stream), Answer::default(), expected);
                return Ok(Step::Goes(stage));
            }
        };
    }
}

fn receive(
    mut wire: Box<Wire>,
    mut answer: Answer,
    expected: Expected,
    limits: WebSocketConfig,
) -> Result<Step, DialFailure> {
    wire.stream().polled().fired();
    wire.begin(usize::MAX);
    let mut piece = [0; 4096];
    loop {
        let count = match wire.read(&mut piece) {
            Ok(0) => return Err(Answer::cut_off()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                watch(&mut wire, false)?;
                return Ok(Step::Waits(Stage::Receiving(wire, answer, expected)));
            }
            Err(error) => return Err(mapping::handshake_failure(&error.into())),
        };
        if let Some((response, tail)) = answer.take(&piece[..count])? {
            expected.check(&response)?;
            // What came right behind the answer is the first of the frames. `tungstenite` could
            // take it, but would then read in pieces as small as it for ever.
            wire.put_back(tail);
            let socket = WebSocket::from_raw_socket(*wire, Role::Client, Some(limits));
            return Ok(Step::Open(Box::new(socket)));
        }
    }
}

fn watch(wire: &mut Wire, writing: bool) -> Result<(), DialFailure> {
    // A write that failed is found out by reading.
    let writing = writing && wire.broken().is_none();
    wire.stream()
        .polled()
        .watch(!writing, writing)
        .map_err(|error| DialFailure::new(DialError::Handshake, error.to_string()))
}
