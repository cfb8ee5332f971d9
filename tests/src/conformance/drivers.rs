//! The drivers of the crate `perennial` as adapters under test.

use std::future::{Future, pending};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use futures_lite::FutureExt as _;
use futures_lite::future::block_on;
use perennial::asynchronous;
use perennial::{Builder, Control, SendError, Trust, blocking};
use perennial_core::{Closed, Outgoing, Rejected, Seq, Status};

use super::LONG;
use super::adapter::{Adapter, Features, Plan, Received, Refusal, Refused, Session, Waited};

const EVERYTHING: Features = Features { tls: true, waits: true, pauses: true, words: true };

fn builder(plan: Plan) -> Builder {
    let mut builder = Builder::new(&plan.url).config(plan.config).seed(plan.seed).reports(true);
    for (name, value) in &plan.headers {
        builder = builder.header(name, value);
    }
    for protocol in &plan.subprotocols {
        builder = builder.subprotocol(protocol);
    }
    match plan.trust {
        Some(pem) => builder.trust(Trust::CaPem(pem)),
        None => builder,
    }
}

/// The program `conformance`, which lies beside this one or above it.
fn process(name: &str) -> Option<Command> {
    let this = std::env::current_exe().ok()?;
    let file = format!("conformance{}", std::env::consts::EXE_SUFFIX);
    let places = this.ancestors().skip(1).take(2);
    let program: PathBuf = places.map(|place| place.join(&file)).find(|path| path.exists())?;
    let mut command = Command::new(program);
    command.args(["--child", name]);
    Some(command)
}

fn refusal(refusal: perennial::Refusal) -> Refusal {
    match refusal {
        perennial::Refusal::Full | perennial::Refusal::Timeout => Refusal::Full,
        perennial::Refusal::TooLarge { .. } => Refusal::TooLarge,
        perennial::Refusal::Closed => Refusal::Closed,
        perennial::Refusal::NotOpen => Refusal::NotOpen,
        perennial::Refusal::Unencodable(_) => Refusal::Unencodable,
        other => panic!("a refusal that the suite does not know: {other:?}"),
    }
}

fn refused(error: SendError) -> Refused {
    Refused { message: error.message, refusal: refusal(error.refusal) }
}

/// The commands that are the same for all.
macro_rules! commands {
    ($client:ident) => {
        fn send(&self, message: Outgoing) -> Result<Seq, Refused> {
            self.$client().try_send(message).map_err(refused)
        }

        fn cancel(&self, seq: Seq) -> Result<(), Rejected> {
            self.$client().cancel(seq)
        }

        fn purge(&self) {
            self.$client().purge();
        }

        fn close(&self, code: u16, reason: &str) -> Result<(), Rejected> {
            self.$client().close_with(code, reason)
        }

        fn drain(&self, timeout: Option<Duration>) {
            self.$client().drain(timeout);
        }

        fn reconnect(&self) {
            self.$client().reconnect();
        }

        fn status(&self) -> Status {
            self.$client().status()
        }
    };
}

/// The blocking driver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blocking;

struct BlockingSession {
    client: blocking::Client,
}

impl Adapter for Blocking {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn features(&self) -> Features {
        EVERYTHING
    }

    fn connect(&self, plan: Plan) -> Box<dyn Session> {
        let client = builder(plan).connect().expect("a plan that can be carried out");
        Box::new(BlockingSession { client })
    }

    fn process(&self) -> Option<Command> {
        process(self.name())
    }
}

impl Session for BlockingSession {
    fn recv(&mut self, limit: Duration) -> Received {
        match self.client.recv_timeout(limit) {
            Ok(Some(notice)) => Received::Notice(notice),
            Ok(None) => Received::Ended,
            Err(_) => Received::TimedOut,
        }
    }

    fn send_within(&self, message: Outgoing, limit: Duration) -> Receiver<Waited> {
        let (handle, (sender, receiver)) = (self.client.handle(), channel());
        thread::spawn(move || {
            let waited = match handle.send_timeout(message, limit) {
                Ok(seq) => Waited::Accepted(seq),
                Err(error) if error.refusal == perennial::Refusal::Timeout => Waited::Withdrawn,
                Err(error) => Waited::Refused(refusal(error.refusal)),
            };
            // Nobody need be interested.
            let _ = sender.send(waited);
        });
        receiver
    }

    commands!(control);
}

impl BlockingSession {
    fn control(&self) -> &Control {
        &self.client
    }
}

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The async driver, on one runtime.
#[derive(Clone, Copy)]
pub struct Asynchronous {
    name: &'static str,
    connect: fn(Builder) -> (asynchronous::Client, Task<Closed>),
    spawn: fn(Task<()>),
}

impl std::fmt::Debug for Asynchronous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Asynchronous").field(&self.name).finish()
    }
}

/// A runtime's way to connect.
macro_rules! connects {
    ($runtime:expr) => {
        |builder| {
            let (client, driver) = builder.connect_on($runtime).expect("a plan that works");
            (client, Box::pin(driver))
        }
    };
}

/// On `smol`'s global executor.
pub const SMOL: Asynchronous = Asynchronous {
    name: "smol",
    connect: connects!(perennial::smol::Smol),
    spawn: |task| smol::spawn(task).detach(),
};

/// On `async-std`'s executor.
pub const ASYNC_STD: Asynchronous = Asynchronous {
    name: "async-std",
    connect: connects!(perennial::async_std::AsyncStd),
    spawn: |task| drop(async_std::task::spawn(task)),
};

/// On a `tokio` runtime with one thread, which all connections share: nothing may block.
pub const TOKIO: Asynchronous = Asynchronous {
    name: "tokio",
    connect: connects!(perennial::tokio::Tokio),
    spawn: |task| {
        static RUNTIME: LazyLock<tokio::runtime::Handle> = LazyLock::new(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            let handle = runtime.handle().clone();
            thread::spawn(move || runtime.block_on(pending::<()>()));
            handle
        });
        drop(RUNTIME.spawn(task));
    },
};

/// On a `tokio` runtime with several threads, between which drivers move.
pub const TOKIO_THREADS: Asynchronous = Asynchronous {
    name: "tokio-threads",
    connect: connects!(perennial::tokio::Tokio),
    spawn: |task| {
        static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(3).enable_all().build().expect("a runtime")
        });
        drop(RUNTIME.spawn(task));
    },
};

/// All drivers.
#[must_use]
pub fn all() -> Vec<Box<dyn Adapter + Send>> {
    vec![
        Box::new(Blocking),
        Box::new(SMOL),
        Box::new(ASYNC_STD),
        Box::new(TOKIO),
        Box::new(TOKIO_THREADS),
        Box::new(Joined),
    ]
}

struct AsyncSession {
    /// Taken in the drop.
    client: Option<asynchronous::Client>,
    spawn: fn(Task<()>),
    /// Tells that the driver has come to its end.
    ended: Receiver<()>,
}

impl Adapter for Asynchronous {
    fn name(&self) -> &'static str {
        self.name
    }

    fn features(&self) -> Features {
        EVERYTHING
    }

    fn connect(&self, plan: Plan) -> Box<dyn Session> {
        let (client, driver) = (self.connect)(builder(plan));
        let (end, ended) = channel();
        (self.spawn)(Box::pin(async move {
            driver.await;
            // Nobody need be interested.
            let _ = end.send(());
        }));
        Box::new(AsyncSession { client: Some(client), spawn: self.spawn, ended })
    }

    fn process(&self) -> Option<Command> {
        process(self.name)
    }
}

/// Waits at most so long. The timer needs none of the runtimes.
async fn within<T>(limit: Duration, what: impl Future<Output = T>) -> Option<T> {
    let late = async {
        smol::Timer::after(limit).await;
        None
    };
    async { Some(what.await) }.or(late).await
}

/// Has a task wait until the message is taken, at most so long.
fn wait_for_room(
    handle: asynchronous::Handle,
    message: Outgoing,
    limit: Duration,
    spawn: fn(Task<()>),
) -> Receiver<Waited> {
    let (sender, receiver) = channel();
    spawn(Box::pin(async move {
        // A send that is late is dropped.
        let waited = match within(limit, handle.send_when_ready(message)).await {
            Some(Ok(seq)) => Waited::Accepted(seq),
            Some(Err(error)) => Waited::Refused(refusal(error.refusal)),
            None => Waited::Withdrawn,
        };
        // Nobody need be interested.
        let _ = sender.send(waited);
    }));
    receiver
}

/// Expects a driver to come to its end.
fn expect_end(ended: &Receiver<()>) {
    match ended.recv_timeout(LONG) {
        Ok(()) => {}
        Err(_) if thread::panicking() => {}
        Err(RecvTimeoutError::Timeout) => panic!("the driver goes on without a client"),
        Err(RecvTimeoutError::Disconnected) => panic!("the driver panicked"),
    }
}

impl AsyncSession {
    fn client(&self) -> &asynchronous::Client {
        self.client.as_ref().expect("it is there until the drop")
    }

    fn control(&self) -> &Control {
        self.client()
    }
}

impl Session for AsyncSession {
    fn recv(&mut self, limit: Duration) -> Received {
        let client = self.client.as_mut().expect("it is there until the drop");
        match block_on(within(limit, client.recv())) {
            Some(Some(notice)) => Received::Notice(notice),
            Some(None) => Received::Ended,
            None => Received::TimedOut,
        }
    }

    fn send_within(&self, message: Outgoing, limit: Duration) -> Receiver<Waited> {
        wait_for_room(self.client().handle(), message, limit, self.spawn)
    }

    commands!(control);
}

/// The driver must come to its end when nobody can use it any more.
impl Drop for AsyncSession {
    fn drop(&mut self) {
        self.client = None;
        expect_end(&self.ended);
    }
}

/// The async driver on `smol`, in one task with the application.
#[derive(Clone, Copy, Debug, Default)]
pub struct Joined;

struct JoinedSession {
    /// Taken in the drop, as is what follows.
    handle: Option<asynchronous::Handle>,
    /// Each asks the task for the next notice, and says how long it may take.
    requests: smol::channel::Sender<Duration>,
    answers: Receiver<Received>,
    /// Tells that the task has come to its end.
    ended: Receiver<()>,
}

impl Adapter for Joined {
    fn name(&self) -> &'static str {
        "joined"
    }

    fn features(&self) -> Features {
        EVERYTHING
    }

    fn connect(&self, plan: Plan) -> Box<dyn Session> {
        let connected = builder(plan).connect_on(perennial::smol::Smol);
        let (mut client, driver) = connected.expect("a plan that works");
        let handle = Some(client.handle());
        let (requests, asked) = smol::channel::unbounded::<Duration>();
        let ((answer, answers), (end, ended)) = (channel(), channel());
        let task = driver.join(async move {
            while let Ok(limit) = asked.recv().await {
                let received = match within(limit, client.recv()).await {
                    Some(Some(notice)) => Received::Notice(notice),
                    Some(None) => Received::Ended,
                    None => Received::TimedOut,
                };
                // Nobody need be interested.
                let _ = answer.send(received);
            }
        });
        smol::spawn(async move {
            task.await;
            // Nobody need be interested.
            let _ = end.send(());
        })
        .detach();
        Box::new(JoinedSession { handle, requests, answers, ended })
    }

    fn process(&self) -> Option<Command> {
        process(self.name())
    }
}

impl JoinedSession {
    fn control(&self) -> &asynchronous::Handle {
        self.handle.as_ref().expect("it is there until the drop")
    }
}

impl Session for JoinedSession {
    fn recv(&mut self, limit: Duration) -> Received {
        self.requests.send_blocking(limit).expect("the task goes on");
        self.answers.recv().expect("the task answers")
    }

    fn send_within(&self, message: Outgoing, limit: Duration) -> Receiver<Waited> {
        wait_for_room(self.control().clone(), message, limit, SMOL.spawn)
    }

    commands!(control);
}

/// The task must come to its end when nobody can use the connection any more.
impl Drop for JoinedSession {
    fn drop(&mut self) {
        self.handle = None;
        self.requests.close();
        expect_end(&self.ended);
    }
}
