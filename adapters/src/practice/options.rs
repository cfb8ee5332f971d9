//! What a practice server is told before it starts.

use super::faults::Faults;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Which program answers the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum App {
    /// Returns every message, text and binary, as it came.
    #[default]
    Echo,
    /// Passes `{"type":"chat",…}` to everybody in the room named by the URL path.
    Chat,
    /// Sends prices of the symbols a connection subscribed to.
    Ticker,
    /// Answers prompts piece by piece.
    Ai,
    /// Passes moves and actions to the other players.
    Game,
    /// Answers nothing (acks and pongs apart): for tests that script what the server says.
    Silent,
}

/// The form of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AckStyle {
    /// `{"ack":n}`
    #[default]
    Plain,
    /// `{"type":"ack","id":n}`
    Typed,
    /// `{"ack":n,"cumulative":true}`, where n is the highest id up to which the connection has
    /// sent every one, counted from its first; nothing is sent while an earlier one is missing.
    Cumulative,
    /// No acks at all.
    Off,
}

/// Everything a [`Server`](super::Server) can be told. `Options::default()` is an echo server
/// without faults on a free port of 127.0.0.1.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 picks a free one. Default `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// The program that answers. Default [`App::Echo`].
    pub app: App,
    /// Seed of every random choice (faults, prices, answers). Default 0. The draws of a connection
    /// depend on this and on its number alone.
    pub seed: u64,
    /// What goes wrong; changeable later with [`Server::set_faults`](super::Server::set_faults).
    pub faults: Faults,
    /// How messages with an id are acknowledged. Default [`AckStyle::Plain`].
    pub acks: AckStyle,
    /// Name of the field with a message's id. Default `id`.
    pub id_field: String,
    /// Name of the URL query parameter that tells clients apart. Ids are counted, and with
    /// [`dedupe`](Self::dedupe) filtered, per value of it; connections without it share one
    /// session. Default `session`.
    pub session_param: String,
    /// Hands a message whose id the session has sent before to the app no second time (it is
    /// acknowledged again all the same). Default false: every message is answered.
    pub dedupe: bool,
    /// Keeps every text message for [`Server::received`](super::Server::received). Default false.
    pub record: bool,
    /// Subprotocols spoken, in no order: the first one the client offers that is in here is chosen
    /// (RFC 6455 §4.2.2). Default none.
    pub subprotocols: Vec<String>,
    /// Answers the text `ping` with `pong` and `{"type":"ping"}` with `{"type":"pong"}` in place of
    /// handing them to the app. Default `None`: every app but [`App::Echo`] does so, because echo
    /// returns every message.
    pub answer_text_pings: Option<bool>,
    /// Sends a ping frame to every open connection this often. Default none.
    pub ping_every: Option<Duration>,
    /// Query parameter by which a client says how far it got: on opening, what was
    /// [published](super::Server::publish) with a higher number is sent again. Default `since`.
    pub resume_param: String,
    /// Most bytes waiting to be sent to one connection; past that it is closed with 1013.
    /// Default 64 MiB.
    pub max_outgoing: usize,
    /// Largest message taken, in bytes; a larger one is answered with close 1009. Default 64 MiB.
    pub max_message: usize,
    /// How often [`App::Ticker`] sends a tick per symbol. Default 200 ms.
    pub tick_every: Duration,
    /// How often [`App::Ai`] sends a piece. Default 30 ms.
    pub piece_every: Duration,
    /// How long a handshake may take to arrive, and a peer to finish a close. Default 5 s.
    pub patience: Duration,
    /// Serves `wss://` with this certificate and these settings in place of `ws://`.
    #[cfg(feature = "tls")]
    pub tls: Option<std::sync::Arc<rustls::ServerConfig>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            app: App::Echo,
            seed: 0,
            faults: Faults::default(),
            acks: AckStyle::Plain,
            id_field: "id".to_owned(),
            session_param: "session".to_owned(),
            dedupe: false,
            record: false,
            subprotocols: Vec::new(),
            answer_text_pings: None,
            ping_every: None,
            resume_param: "since".to_owned(),
            max_outgoing: 64 << 20,
            max_message: 64 << 20,
            tick_every: Duration::from_millis(200),
            piece_every: Duration::from_millis(30),
            patience: Duration::from_secs(5),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}
