//! What the scripts need of a driver.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::{ControlFlow, Deref};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use futures_lite::FutureExt as _;
use perennial::bus::Delivery;
use perennial::requests::{Answer, Request};
use perennial::subscriptions::News;
use perennial::{
    Builder, Control, Lagged, Listen, NotOpen, Notice, Outgoing, RequestError, RequestFailed,
    Standing, TopicError, asynchronous, blocking,
};

use crate::LONG;

/// What comes next, the end, or nothing in time.
pub(crate) type Next<T> = Result<Option<T>, ()>;

/// A driver. No wait is longer than [`LONG`].
pub(crate) trait Driver: 'static {
    type Client: Send;
    type Handle: Deref<Target = Control> + Clone + Send + 'static;
    type Listener: Send + 'static;
    type Topic: Send + 'static;
    type Pending: Send + 'static;

    fn start(builder: Builder) -> Self::Client;
    fn handle(client: &Self::Client) -> Self::Handle;
    /// The next notice.
    fn recv(client: &mut Self::Client) -> Option<Notice>;
    fn send(handle: &Self::Handle, message: impl Into<Outgoing>);
    fn wait_open(handle: &Self::Handle) -> Result<(), NotOpen>;
    fn news(handle: &Self::Handle, standing: &Standing) -> Result<News, NotOpen>;

    fn listen(handle: &Self::Handle, listen: impl Into<Listen>) -> Self::Listener;
    fn hear(listener: &mut Self::Listener, limit: Duration) -> Next<Result<Delivery, Lagged>>;
    fn missed(listener: &Self::Listener) -> u64;
    /// A topic of numbers.
    fn topic(handle: &Self::Handle, listen: impl Into<Listen>) -> Self::Topic;
    fn read(topic: &mut Self::Topic, limit: Duration) -> Next<Result<u64, TopicError>>;

    fn request(handle: &Self::Handle, request: Request) -> Result<Self::Pending, RequestError>;
    fn answer(pending: Self::Pending) -> Result<Answer, RequestFailed>;
    fn try_answer(pending: &mut Self::Pending) -> Option<Result<Answer, RequestFailed>>;

    /// The text of the next delivery, which comes in time.
    fn heard(listener: &mut Self::Listener) -> String {
        let next = Self::hear(listener, LONG).expect("in time").expect("before the end");
        next.expect("it keeps up").as_text().unwrap().to_owned()
    }
}

/// The blocking client, and what is the same where a callback is called instead.
pub(crate) struct OnThreads<B>(PhantomData<B>);

pub(crate) trait Blocking {
    type Client: Send;

    fn start(builder: Builder) -> Self::Client;
    fn handle(client: &Self::Client) -> blocking::Handle;
    fn recv(client: &mut Self::Client) -> Option<Notice>;
}

/// With a thread of its own.
pub(crate) struct Threaded;

impl Blocking for Threaded {
    type Client = blocking::Client;

    fn start(builder: Builder) -> Self::Client {
        builder.connect().unwrap()
    }

    fn handle(client: &Self::Client) -> blocking::Handle {
        client.handle()
    }

    fn recv(client: &mut Self::Client) -> Option<Notice> {
        client.recv_timeout(LONG).expect("in time")
    }
}

/// On a thread of the program's, with a callback.
pub(crate) struct Called;

/// What the callback was told. Dropping it closes the connection, as dropping a client does.
pub(crate) struct Told {
    handle: blocking::Handle,
    notices: mpsc::Receiver<Notice>,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl Blocking for Called {
    type Client = Told;

    fn start(builder: Builder) -> Told {
        let (tell, notices) = mpsc::channel();
        let (meet, met) = mpsc::channel();
        thread::spawn(move || {
            let told = builder.run(|handle, notice| {
                let _ = meet.send(handle.clone());
                let _ = tell.send(notice);
                ControlFlow::Continue(())
            });
            told.unwrap();
        });
        Told { handle: met.recv_timeout(LONG).expect("it is told that it dials"), notices }
    }

    fn handle(client: &Told) -> blocking::Handle {
        client.handle.clone()
    }

    fn recv(client: &mut Told) -> Option<Notice> {
        match client.notices.recv_timeout(LONG) {
            Ok(notice) => Some(notice),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("in time"),
        }
    }
}

impl<B: Blocking + 'static> Driver for OnThreads<B> {
    type Client = B::Client;
    type Handle = blocking::Handle;
    type Listener = blocking::Listener;
    type Topic = blocking::Topic<u64>;
    type Pending = blocking::Pending;

    fn start(builder: Builder) -> Self::Client {
        B::start(builder)
    }

    fn handle(client: &Self::Client) -> Self::Handle {
        B::handle(client)
    }

    fn recv(client: &mut Self::Client) -> Option<Notice> {
        B::recv(client)
    }

    fn send(handle: &Self::Handle, message: impl Into<Outgoing>) {
        handle.send(message).unwrap();
    }

    fn wait_open(handle: &Self::Handle) -> Result<(), NotOpen> {
        handle.wait_open(LONG)
    }

    fn news(handle: &Self::Handle, standing: &Standing) -> Result<News, NotOpen> {
        handle.wait_standing(standing, LONG)
    }

    fn listen(handle: &Self::Handle, listen: impl Into<Listen>) -> Self::Listener {
        handle.listen(listen).unwrap()
    }

    fn hear(listener: &mut Self::Listener, limit: Duration) -> Next<Result<Delivery, Lagged>> {
        listener.recv_timeout(limit).map_err(|_| ())
    }

    fn missed(listener: &Self::Listener) -> u64 {
        listener.missed()
    }

    fn topic(handle: &Self::Handle, listen: impl Into<Listen>) -> Self::Topic {
        handle.topic(listen).unwrap()
    }

    fn read(topic: &mut Self::Topic, limit: Duration) -> Next<Result<u64, TopicError>> {
        topic.recv_timeout(limit).map_err(|_| ())
    }

    fn request(handle: &Self::Handle, request: Request) -> Result<Self::Pending, RequestError> {
        handle.request(request)
    }

    fn answer(mut pending: Self::Pending) -> Result<Answer, RequestFailed> {
        pending.wait_timeout(LONG).expect("in time")
    }

    fn try_answer(pending: &mut Self::Pending) -> Option<Result<Answer, RequestFailed>> {
        pending.try_answer()
    }
}

/// A runtime that polls the driver while the test waits on a thread of its own.
pub(crate) trait Runtime: 'static {
    fn start(builder: Builder) -> asynchronous::Client;
}

pub(crate) struct Smol;

impl Runtime for Smol {
    fn start(builder: Builder) -> asynchronous::Client {
        perennial::smol::spawn(builder).unwrap()
    }
}

pub(crate) struct AsyncStd;

impl Runtime for AsyncStd {
    fn start(builder: Builder) -> asynchronous::Client {
        perennial::async_std::spawn(builder).unwrap()
    }
}

pub(crate) struct Tokio;

impl Runtime for Tokio {
    fn start(builder: Builder) -> asynchronous::Client {
        static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
        let runtime = RUNTIME.get_or_init(|| {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(2).enable_all().build().unwrap()
        });
        let _entered = runtime.enter();
        perennial::tokio::spawn(builder).unwrap()
    }
}

/// Waits for a future, but not for ever.
pub(crate) fn wait<T>(limit: Duration, what: impl Future<Output = T>) -> Result<T, ()> {
    let late = async {
        smol::Timer::after(limit).await;
        Err(())
    };
    smol::block_on(async { Ok(what.await) }.or(late))
}

/// The async client on a runtime.
pub(crate) struct Async<R>(PhantomData<R>);

impl<R: Runtime> Driver for Async<R> {
    type Client = asynchronous::Client;
    type Handle = asynchronous::Handle;
    type Listener = asynchronous::Listener;
    type Topic = asynchronous::Topic<u64>;
    type Pending = asynchronous::Pending;

    fn start(builder: Builder) -> Self::Client {
        R::start(builder)
    }

    fn handle(client: &Self::Client) -> Self::Handle {
        client.handle()
    }

    fn recv(client: &mut Self::Client) -> Option<Notice> {
        wait(LONG, client.recv()).expect("in time")
    }

    fn send(handle: &Self::Handle, message: impl Into<Outgoing>) {
        wait(LONG, handle.send(message)).expect("in time").unwrap();
    }

    fn wait_open(handle: &Self::Handle) -> Result<(), NotOpen> {
        wait(LONG, handle.wait_open()).expect("in time")
    }

    fn news(handle: &Self::Handle, standing: &Standing) -> Result<News, NotOpen> {
        wait(LONG, handle.wait_standing(standing)).expect("in time")
    }

    fn listen(handle: &Self::Handle, listen: impl Into<Listen>) -> Self::Listener {
        handle.listen(listen).unwrap()
    }

    fn hear(listener: &mut Self::Listener, limit: Duration) -> Next<Result<Delivery, Lagged>> {
        wait(limit, listener.recv())
    }

    fn missed(listener: &Self::Listener) -> u64 {
        listener.missed()
    }

    fn topic(handle: &Self::Handle, listen: impl Into<Listen>) -> Self::Topic {
        handle.topic(listen).unwrap()
    }

    fn read(topic: &mut Self::Topic, limit: Duration) -> Next<Result<u64, TopicError>> {
        wait(limit, topic.recv())
    }

    fn request(handle: &Self::Handle, request: Request) -> Result<Self::Pending, RequestError> {
        wait(LONG, handle.request(request)).expect("in time")
    }

    fn answer(pending: Self::Pending) -> Result<Answer, RequestFailed> {
        wait(LONG, pending).expect("in time")
    }

    fn try_answer(pending: &mut Self::Pending) -> Option<Result<Answer, RequestFailed>> {
        pending.try_answer()
    }
}
