//! A dial: prepare, connect, secure, upgrade; never blocking.

use std::io::{self, Read as _};
use std::time::Instant;

use perennial_core::{DialError, DialFailure, TransportId};
use tungstenite::WebSocket;
use tungstenite::handshake::client::Response;
use tungstenite::handshake::machine::{HandshakeMachine, RoundResult, StageResult};
use tungstenite::protocol::{Role, WebSocketConfig};

#[cfg(any(feature = "proxy", feature = "tls"))]
use super::journal;
use super::lookup::Prepared;
use super::network::Network;
use super::race::Race;
use super::route::Way;
use super::stream::Stream;
#[cfg(feature = "tls")]
use super::stream::TlsStream;
#[cfg(feature = "proxy")]
use super::tunnel::Digging;
use super::wire::Wire;
use crate::answer::Answer;
use crate::handshake::{Expected, Opening};
use crate::mapping;
use crate::request::Request;
#[cfg(feature = "tls")]
use crate::tls::{self, Tls};

/// What dials have in common.
#[derive(Debug)]
pub(crate) struct Dialing {
    pub(crate) limits: WebSocketConfig,
    #[cfg(feature = "tls")]
    pub(crate) tls: Tls,
}

/// A dial in progress. Dropping it ends it at once.
pub(crate) struct Dial<N: Network> {
    transport: TransportId,
    stage: Stage<N>,
}

enum Stage<N: Network> {
    /// Request and addresses are being made elsewhere.
    Preparing,
    Racing(Box<Request>, Race<N>, Way),
    #[cfg(feature = "proxy")]
    Tunnelling(Box<Request>, Digging<N::Socket>),
    #[cfg(feature = "tls")]
    Securing(Box<Request>, Box<TlsStream<N::Socket>>),
    Sending(HandshakeMachine<Wire<N::Socket>>, Expected),
    Receiving(Box<Wire<N::Socket>>, Answer, Expected),
    /// It has ended, or is on its way between two stages.
    Over,
}

/// How far a step of a dial has come.
enum Step<N: Network> {
    /// Nothing more can be done before something happens.
    Waits(Stage<N>),
    /// The next stage can begin at once.
    Goes(Stage<N>),
    Open(Box<WebSocket<Wire<N::Socket>>>),
}

type Outcome<S> = Result<Box<WebSocket<Wire<S>>>, DialFailure>;

impl<N: Network> Dial<N> {
    pub(crate) fn new(transport: TransportId) -> Self {
        Self { transport, stage: Stage::Preparing }
    }

    pub(crate) fn transport(&self) -> TransportId {
        self.transport
    }

    /// Begins to connect.
    pub(crate) fn begin(&mut self, prepared: Prepared) {
        let Prepared { request, route } = prepared;
        route.note();
        self.stage = Stage::Racing(Box::new(request), Race::new(route.addresses), route.way);
    }

    /// When the dial must be looked at even if nothing happens on its sockets.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Racing(_, race, _) => race.deadline(),
            #[cfg(feature = "proxy")]
            Stage::Tunnelling(..) => None,
            #[cfg(feature = "tls")]
            Stage::Securing(..) => None,
            Stage::Preparing | Stage::Sending(..) | Stage::Receiving(..) | Stage::Over => None,
        }
    }

    /// Goes as far as it can without waiting.
    pub(crate) fn advance(
        &mut self,
        dialing: &Dialing,
        network: &mut N,
    ) -> Option<Outcome<N::Socket>> {
        loop {
            match step(std::mem::replace(&mut self.stage, Stage::Over), dialing, network) {
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

fn step<N: Network>(
    stage: Stage<N>,
    dialing: &Dialing,
    network: &mut N,
) -> Result<Step<N>, DialFailure> {
    match stage {
        Stage::Preparing => Ok(Step::Waits(Stage::Preparing)),
        Stage::Over => Ok(Step::Waits(Stage::Over)),
        Stage::Racing(request, mut race, way) => match race.advance(network) {
            None => Ok(Step::Waits(Stage::Racing(request, race, way))),
            Some(outcome) => raced(request, outcome, way, dialing).map(Step::Goes),
        },
        #[cfg(feature = "proxy")]
        Stage::Tunnelling(request, mut digging) => match digging.advance() {
            None => Ok(Step::Waits(Stage::Tunnelling(request, digging))),
            Some(outcome) => {
                let socket = outcome?;
                journal::tunnelled();
                connected(request, socket, dialing).map(Step::Goes)
            }
        },
        #[cfg(feature = "tls")]
        Stage::Securing(request, mut stream) => match stream.handshake() {
            Ok(()) => {
                journal::secured();
                Ok(Step::Goes(upgrade(&request, Stream::Tls(stream))))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(Step::Waits(Stage::Securing(request, stream)))
            }
            Err(error) => Err(tls_failure(&request, &error)),
        },
        Stage::Sending(machine, expected) => send(machine, expected),
        Stage::Receiving(wire, answer, expected) => receive(wire, answer, expected, dialing.limits),
    }
}

/// The first connection is there, or there is none.
#[cfg(feature = "proxy")]
fn raced<N: Network>(
    request: Box<Request>,
    outcome: Result<N::Socket, DialFailure>,
    way: Way,
    dialing: &Dialing,
) -> Result<Stage<N>, DialFailure> {
    let Some(tunnel) = way else { return connected(request, outcome?, dialing) };
    let socket = outcome.map_err(|failure| tunnel.names(failure))?;
    Ok(Stage::Tunnelling(request, tunnel.dig(socket)))
}

#[cfg(not(feature = "proxy"))]
fn raced<N: Network>(
    request: Box<Request>,
    outcome: Result<N::Socket, DialFailure>,
    _: Way,
    dialing: &Dialing,
) -> Result<Stage<N>, DialFailure> {
    connected(request, outcome?, dialing)
}

#[cfg(feature = "tls")]
fn connected<N: Network>(
    request: Box<Request>,
    socket: N::Socket,
    dialing: &Dialing,
) -> Result<Stage<N>, DialFailure> {
    if !request.is_tls() {
        return Ok(upgrade(&request, Stream::Plain(socket)));
    }
    let failure = |detail: String| DialFailure::new(DialError::Tls, detail);
    let config = dialing.tls.config().map_err(|error| failure(error.to_string()))?;
    let host = request.host();
    let name = tls::server_name(&host)
        .ok_or_else(|| failure(format!("{host} is no name that a certificate can be for")))?;
    let session =
        rustls::ClientConnection::new(config, name).map_err(|error| failure(error.to_string()))?;
    Ok(Stage::Securing(request, Box::new(TlsStream::new(session, socket))))
}

#[cfg(not(feature = "tls"))]
fn connected<N: Network>(
    request: Box<Request>,
    socket: N::Socket,
    _: &Dialing,
) -> Result<Stage<N>, DialFailure> {
    if request.is_tls() {
        let detail = "this program was built without TLS";
        return Err(DialFailure::new(DialError::Tls, detail));
    }
    Ok(upgrade(&request, Stream::Plain(socket)))
}

#[cfg(feature = "tls")]
fn tls_failure(request: &Request, error: &io::Error) -> DialFailure {
    DialFailure::new(DialError::Tls, tls::describe(&request.host().to_string(), error))
}

fn upgrade<N: Network>(request: &Request, stream: Stream<N::Socket>) -> Stage<N> {
    let (bytes, expected) = Opening::new(request).into_parts();
    Stage::Sending(HandshakeMachine::start_write(Wire::new(stream), bytes), expected)
}

fn send<N: Network>(
    mut machine: HandshakeMachine<Wire<N::Socket>>,
    expected: Expected,
) -> Result<Step<N>, DialFailure> {
    loop {
        // Which object would be read does not matter while it writes.
        let round = machine.single_round::<Response>();
        machine = match round.map_err(|error| mapping::handshake_failure(&error))? {
            RoundResult::Incomplete(machine) => machine,
            RoundResult::WouldBlock(machine) => {
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

fn receive<N: Network>(
    mut wire: Box<Wire<N::Socket>>,
    mut answer: Answer,
    expected: Expected,
    limits: WebSocketConfig,
) -> Result<Step<N>, DialFailure> {
    wire.begin(usize::MAX);
    let mut piece = [0; 4096];
    loop {
        let count = match wire.read(&mut piece) {
            Ok(0) => return Err(Answer::cut_off()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
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
