//! Everything there is to say before a connection is made.

use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, OnceLock};
use std::thread;

use perennial_core::bus::Routing;
use perennial_core::requests::Correlation;
use perennial_core::session::{Asks, Flushes, Session, SessionConfig, Unrouted};
use perennial_core::{BuiltIn, Config, Connection, Duration, Reason, RetryChoice};
use tungstenite::client::IntoClientRequest;

use crate::clock::{Clock, unix_ms};
use crate::engine::{
    Board, BusyPoll, Control, Core, Dialing, Hook, Hooks, Inbox, Journal, Listeners, Loss, Meter,
    OpenHook, Parts, Preparer, QueueHook, Recording, RetryHook, Routes, Shared, StateChange,
};
use crate::error::Error;
use crate::into_request::{IntoRequest, from_client};
use crate::mapping;
use crate::opening::{Opening, Queue};
#[cfg(feature = "proxy")]
use crate::proxy::{Proxy, Wish};
use crate::record::Record;
use crate::request::{Attempt, HookError, Request};
#[cfg(feature = "tls")]
use crate::tls::{Tls, Trust};

/// For how long an answer is awaited awake, if there is a core for the peer beside.
const BUSY_POLL: Duration = Duration::from_micros(100);

/// None where one core has to do for all: asking what there is takes a while, so that is done once.
fn usual_busy_poll() -> Duration {
    static USUAL: OnceLock<Duration> = OnceLock::new();
    *USUAL.get_or_init(|| {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        if cores > 1 { BUSY_POLL } else { Duration::ZERO }
    })
}

/// What a retry hook is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryContext {
    /// The attempt to come, since the counter was last reset.
    pub attempt: u32,
    /// The wait before it, as the policy, the jitter and the server's advice have it.
    pub delay: Duration,
    /// How long the connection has been down.
    pub outage: Duration,
    /// What failed.
    pub reason: Reason,
}

/// A connection to be.
#[must_use = "nothing happens before it is connected"]
pub struct Builder {
    request: Result<Request, Error>,
    config: Config,
    #[cfg(feature = "tls")]
    trust: Trust,
    #[cfg(feature = "proxy")]
    proxy: Wish,
    on_request: Option<Hook>,
    on_retry: Option<RetryHook>,
    listeners: Listeners,
    history: usize,
    on_open: Option<OpenHook>,
    on_queue: Option<QueueHook>,
    session: SessionConfig,
    reports: bool,
    busy_poll: Option<Duration>,
    seed: Option<u64>,
    name: Option<String>,
    record: Option<Record>,
}

impl Builder {
    /// A connection to a URL, or as a whole request says; see [`IntoRequest`]. What is wrong with it
    /// is said when it is connected.
    pub fn new(request: impl IntoRequest) -> Self {
        Self::with(request.into_request())
    }

    /// A connection as a request of `tungstenite` says, for types that say so themselves. What is
    /// wrong with it is said when it is connected; [`IntoRequest`] tells what becomes of its
    /// headers.
    pub fn from_request(request: impl IntoClientRequest) -> Self {
        Self::with(from_client(request))
    }

    fn with(request: Result<Request, Error>) -> Self {
        Self {
            request,
            config: Config::default(),
            #[cfg(feature = "tls")]
            trust: Trust::default(),
            #[cfg(feature = "proxy")]
            proxy: Wish::default(),
            on_request: None,
            on_retry: None,
            listeners: Listeners::default(),
            history: 0,
            on_open: None,
            on_queue: None,
            session: SessionConfig::default(),
            reports: false,
            busy_poll: None,
            seed: None,
            name: None,
            record: None,
        }
    }

    /// Sets the configuration. Its `wall_clock_origin_ms` is filled in, unless it is set.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds a header to every request. What is wrong with it is said when it is
    /// connected.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.request(|request| request.add_header(name, value))
    }

    /// Offers a subprotocol, after those offered before.
    pub fn subprotocol(self, protocol: &str) -> Self {
        self.request(|request| request.add_subprotocol(protocol))
    }

    /// Sets the `Authorization` header to a bearer token. What is wrong with it, as if it is empty,
    /// is said when it is connected.
    pub fn bearer(self, token: &str) -> Self {
        self.request(|request| request.set_bearer(token))
    }

    fn request(mut self, change: impl FnOnce(&mut Request) -> Result<(), Error>) -> Self {
        self.request = self.request.and_then(|mut request| change(&mut request).map(|()| request));
        self
    }

    /// Says whom to trust on `wss://`. Default: the certificates that the system trusts.
    #[cfg(feature = "tls")]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Goes through this proxy, whatever the environment says, and wherever it goes.
    ///
    /// | URL | what is spoken | who resolves the target's name |
    /// | --- | --- | --- |
    /// | `http://HOST:PORT`, or `HOST:PORT`; port 80 | CONNECT (RFC 9110 §9.3.6), for `ws://` as for `wss://` | the proxy |
    /// | `socks5h://HOST:PORT`; port 1080 | SOCKS version 5 (RFC 1928) | the proxy |
    /// | `socks5://HOST:PORT`; port 1080 | the same | this side |
    ///
    /// A user and a password go before the host, as `USER:PASSWORD@`, percent-encoded where they
    /// have characters of their own in a URL. An HTTP proxy gets them as Basic authorization (RFC
    /// 7617), a SOCKS proxy as RFC 1929 wants them. They are shown nowhere.
    ///
    /// `wss://` is encrypted through the proxy, which sees the target's name and no more. TLS to the
    /// proxy itself (`https://`) is not supported. What is wrong with the URL is said when it is
    /// connected, as [`Error::Proxy`].
    ///
    /// The dial timeout covers the way through the proxy. A proxy that refuses, hangs up or does not
    /// make sense fails the attempt, with
    /// [`DialError::Proxy`](crate::DialError::Proxy), and the next attempt comes as the config says;
    /// one that wants other credentials (407 or 401, or their like in SOCKS) ends the connection, with
    /// [`DialError::ProxyAuth`](crate::DialError::ProxyAuth): the next attempt would bring the same.
    #[cfg(feature = "proxy")]
    pub fn proxy(mut self, url: &str) -> Self {
        match Proxy::parse("the proxy's URL", url) {
            Ok(proxy) => self.proxy = Wish::One(proxy),
            Err(error) => self.request = self.request.and(Err(error)),
        }
        self
    }

    /// Goes through no proxy, whatever the environment says.
    ///
    /// Without this and [`proxy`](Self::proxy) the environment decides, and is read when the
    /// connection is made. Of these variables the first that is set counts, each in lower case before
    /// the same in upper case:
    ///
    /// * for `wss://`: `wss_proxy`, `https_proxy`, `all_proxy`;
    /// * for `ws://`: `ws_proxy`, `https_proxy`, `http_proxy`, `all_proxy` (RFC 6455 §4.1 prefers the
    ///   proxy for HTTPS).
    ///
    /// An empty one means none; one that cannot be used is [`Error::Proxy`], and no reason to go
    /// around the proxy. `no_proxy` lists where to go directly, separated by commas or spaces: names,
    /// each with all below it, addresses, ranges of them such as `10.0.0.0/8`, each with a port if
    /// so wished, or `*`. Loopback is no exception, as it is none to curl: name `localhost,127.0.0.1`
    /// there. In a CGI program, which is one with `REQUEST_METHOD` in its environment, `HTTP_PROXY`
    /// is not read: whoever asks sets it with a header.
    #[cfg(feature = "proxy")]
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Wish::Off;
        self
    }

    /// Sets the request hook: called once per attempt, it may change the URL, the headers and the
    /// token. It runs on a thread of its own and may block; the dial timeout covers it.
    pub fn on_request(
        mut self,
        hook: impl FnMut(&mut Attempt<'_>) -> Result<(), HookError> + Send + 'static,
    ) -> Self {
        self.on_request = Some(Box::new(hook));
        self
    }

    /// Sets the retry hook: called before each wait, it may override the delay or give up. It runs
    /// on the thread or in the task that drives the connection just then, and must not block.
    pub fn on_retry(
        mut self,
        hook: impl FnMut(&RetryContext) -> RetryChoice + Send + 'static,
    ) -> Self {
        self.on_retry = Some(Box::new(hook));
        self
    }

    /// Adds a state listener: called once for every change of the state, in order, before the client
    /// can receive anything that came after it. It may send and command.
    ///
    /// It runs on the thread or in the task that drives the connection just then. While it takes its
    /// time the connection neither reads nor writes: what must wait belongs elsewhere. One that
    /// panics ends the connection. Listeners are dropped with the end; a driver that is dropped
    /// before the end calls nobody.
    pub fn on_state(self, listener: impl FnMut(&StateChange) + Send + 'static) -> Self {
        self.listeners.add_on_state(Box::new(listener));
        self
    }

    /// Adds a loss listener: called whenever an open connection was lost, after the state listeners,
    /// in the same way. A close by this side is no loss.
    pub fn on_loss(self, listener: impl FnMut(&Loss) + Send + 'static) -> Self {
        self.listeners.add_on_loss(Box::new(listener));
        self
    }

    /// How many messages [views](crate::View) can look back upon: the last so many that were
    /// received, and no more than 1 MiB of payload. Default 0, which keeps none. They are kept
    /// whether there is a view or not.
    pub fn history(mut self, messages: usize) -> Self {
        self.history = messages;
        self
    }

    /// Sets the open hook: called after each open, before anything else is sent. It sends what must
    /// come first, such as a login or joins, and may wait for the server's answer:
    ///
    /// ```no_run
    /// # let builder = perennial::Builder::new("ws://127.0.0.1:9001/");
    /// use perennial::{HookError, Reply};
    ///
    /// let builder = builder.on_open(|opening| {
    ///     opening.send(r#"{"type":"login","user":"ann"}"#)?;
    ///     opening.expect(|message| match message.as_text() {
    ///         Some(r#"{"type":"welcome"}"#) => Ok(Reply::Done),
    ///         Some(r#"{"type":"denied"}"#) => Err(HookError::Stop("the login was denied".into())),
    ///         _ => Ok(Reply::Other),
    ///     });
    ///     Ok(())
    /// });
    /// ```
    ///
    /// [`HookError::Retry`] fails the transport, and the next attempt follows by the config's rules;
    /// [`HookError::Stop`] closes the connection for good. The whole opening may take the config's
    /// `opening.timeout`, or it fails the transport. The hook runs where the retry hook does, and must
    /// not block.
    pub fn on_open(
        mut self,
        hook: impl FnMut(&mut Opening) -> Result<(), HookError> + Send + 'static,
    ) -> Self {
        self.on_open = Some(Box::new(hook));
        self
    }

    /// Sets the queue hook: called after each open, when all that must come first is said, if
    /// something waits to be sent. It may look at that, take messages back, and change their order.
    /// It runs where the retry hook does, and must not block.
    ///
    /// ```no_run
    /// # let builder = perennial::Builder::new("ws://127.0.0.1:9001/");
    /// // Of all that piled up in the outage only the last message is worth sending.
    /// let builder = builder.on_queue(|queue| {
    ///     let seqs: Vec<_> = queue.messages().iter().map(|message| message.seq).collect();
    ///     if let Some((_last, others)) = seqs.split_last() {
    ///         others.iter().for_each(|seq| queue.drop(*seq));
    ///     }
    /// });
    /// ```
    pub fn on_queue(mut self, hook: impl FnMut(&mut Queue) + Send + 'static) -> Self {
        self.on_queue = Some(Box::new(hook));
        self
    }

    /// Says how messages find their subscribers, answers their requests, and what becomes of
    /// subscriptions that are not confirmed. Its `asks` follow from the hooks that are set, and its
    /// `flushes` from [`reports`](Self::reports).
    pub fn session(mut self, session: SessionConfig) -> Self {
        self.session = session;
        self
    }

    /// Says how a message's topic is found. Default: the string in the JSON field `type`.
    pub fn routing(mut self, routing: Routing) -> Self {
        self.session.routing = routing;
        self
    }

    /// Drops every message that no subscriber wants, and counts it
    /// ([`SessionStatus::discarded`](crate::session::SessionStatus::discarded)). For a program that
    /// hears through subscribers alone: what nobody fetches from the client would fill its inbox,
    /// and then reading stops.
    pub fn discard_unrouted(mut self) -> Self {
        self.session.unrouted = Unrouted::Discard;
        self
    }

    /// Says how an answer finds its request. Default: JSON-RPC 2.0.
    pub fn correlation(mut self, correlation: Correlation) -> Self {
        self.session.correlation = correlation;
        self
    }

    /// Whether the notices about single messages, duplicates, pongs and room are told too. Default
    /// off. With it on they must be fetched: a consumer that lags by `inbox.max_messages` of them
    /// has `send` wait, or be refused.
    pub fn reports(mut self, reports: bool) -> Self {
        self.reports = reports;
        self
    }

    /// For how long to stay awake for an answer. Default 100 µs, or zero, for never, if this process
    /// may use one core only.
    ///
    /// It is done only where the last four answers came within that time, as they do on one machine
    /// or in one room, and ends with the first that does not; after which more of them are wanted, so
    /// that who shares its core with others soon does without. What awaits an answer then takes its
    /// core, where nobody else wants it, and spares the time to send it to sleep and to wake it up:
    /// most of what an exchange with so near a peer takes. On `smol` and `async-std` the executor's
    /// other tasks wait for some 50 µs at a time, unless another thread takes them or whoever else wants
    /// the core takes longer, and an executor of several threads may wake another one meanwhile. Who
    /// exchanges messages with such a peer without pause stays awake all the
    /// time; where there are no such answers this is without effect. More than a minute is a minute.
    pub fn busy_poll(mut self, most: Duration) -> Self {
        self.busy_poll = Some(most);
        self
    }

    /// Sets the seed of every random choice. Default: one from the operating system.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Gives the connection a name, to tell it from others: it stands in the journal and, with the
    /// feature `metrics`, as a label of every metric. Default: none. A program should have few
    /// different ones, and no secret among them.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Writes a [trace](perennial_core::trace) of the connection, from its first dial to its end: to
    /// a file, or anything else that is [`Write`](std::io::Write). What is said is not in it, unless
    /// a [`Record`] says otherwise. `perennial replay` and `perennial explain` read it.
    ///
    /// A writer that fails ends the recording, not the connection. Recording costs what the state
    /// machine costs once more, and the writing.
    pub fn record(mut self, to: impl Into<Record>) -> Self {
        self.record = Some(to.into());
        self
    }

    /// Everything that a driver needs, whichever it is.
    pub(crate) fn prepare(self) -> Result<(Parts, Control), Error> {
        let request = self.request?;
        #[cfg(feature = "tls")]
        let tls = {
            let tls = Tls::new(self.trust);
            // What is wrong with it is said now, rather than at every attempt.
            if request.is_tls() || tls.is_explicit() {
                tls.config()?;
            }
            tls
        };
        #[cfg(feature = "proxy")]
        let routes = {
            let proxies = self.proxy.settle();
            // What is wrong with a variable is said now, rather than at every attempt.
            proxies.choose(&request)?;
            Routes::new(proxies)
        };
        #[cfg(not(feature = "proxy"))]
        let routes = Routes::direct();
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|error| Error::Io {
                what: "get random bytes",
                source: std::io::Error::other(error.to_string()),
            })?,
        };
        let mut config = self.config.into_builder();
        if config.wall_clock_origin_ms == 0 {
            config.wall_clock_origin_ms = unix_ms();
        }
        // The session lets the queue flow, once all that must come first is said.
        config.opening.hold = true;
        let config = config.build().map_err(Error::Config)?;
        let dialing = Dialing {
            limits: mapping::web_socket_config(&config),
            #[cfg(feature = "tls")]
            tls,
        };
        let clock = Clock::start();
        // A hook may have it go elsewhere.
        let target = self.on_request.is_none().then(|| request.target());
        let journal = Journal::new(target.as_deref(), self.name.as_deref());
        let inbox = Inbox::new(&config, self.reports);
        let overflow = config.outbox.overflow;
        let dialect = BuiltIn::new(&config.dialect);
        let now = clock.now();
        let recording = self
            .record
            .map(|record| Recording::new(record, config.clone(), dialect.clone(), seed, now));
        let connection = Connection::new(config.clone(), dialect, seed, now);
        let board = Board::new(self.history);
        let mut session = self.session;
        session.asks = Asks { login: self.on_open.is_some(), queue: self.on_queue.is_some() };
        session.flushes = if self.reports { Flushes::Tell } else { Flushes::Omit };
        let session = Session::new(session, now).map_err(Error::Config)?;
        let core = Core::new(connection, recording, session);
        let shared = Arc::new(Shared::new(core, clock, inbox, board, self.listeners));
        let parts = Parts {
            shared: Arc::clone(&shared),
            config,
            dialing,
            preparer: Preparer::new(request, routes, self.on_request),
            retry_hook: self.on_retry,
            hooks: Hooks::new(self.on_open, self.on_queue),
            journal,
            meter: Meter::new(self.name.as_deref()),
            busy_poll: BusyPoll::new(self.busy_poll.unwrap_or_else(usual_busy_poll)),
        };
        Ok((parts, Control::new(shared, overflow)))
    }

    /// Whether connecting waits for the outcome of the first attempt.
    #[cfg(feature = "blocking")]
    pub(crate) fn fails_fast(&self) -> bool {
        self.config.connect.fail_fast && self.config.connect.auto
    }

    #[cfg(feature = "blocking")]
    pub(crate) fn wants_reports(&self) -> bool {
        self.reports
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("request", &self.request)
            .field("config", &self.config)
            .field("name", &self.name)
            .field("reports", &self.reports)
            .finish_non_exhaustive()
    }
}
