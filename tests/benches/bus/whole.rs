//! The whole way: from bytes in memory through the driver, the session and the mailboxes to whoever
//! fetches. The driver is polled by hand on the thread that fetches, so that nobody is waited for.

use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use perennial::asynchronous::{Client, Driver, Listener};
use perennial::bus::{Routing, RoutingConfig};
use perennial::{Builder, Notice, State};
use tungstenite::WebSocket;
use tungstenite::protocol::Role;

use crate::counting::allocations;
use crate::memory::Memory;
use crate::message::{TEXT, Trade};
use crate::{Cost, Fault};

/// How many messages come together: as many as a driver reads in one turn.
const BATCH: usize = 64;
const BATCHES: usize = 200;

/// What one sample comes to, with so many messages at a time: `work` is told of each batch, and what
/// it says it took is summed up.
fn sample(
    batch: usize,
    memory: &Memory,
    mut work: impl FnMut() -> Result<Duration, Fault>,
) -> Result<Cost, Fault> {
    let frame = [&[0x81, u8::try_from(TEXT.len())?][..], TEXT.as_bytes()].concat();
    let bytes = frame.repeat(batch);
    let batches = BATCHES * BATCH / batch;
    let mut took = Duration::ZERO;
    let mut allocated = 0;
    for number in 0..batches + batches / 10 {
        // The first tenth lets what grows grow.
        if number == batches / 10 {
            (took, allocated) = (Duration::ZERO, 0);
        }
        memory.say(&bytes);
        let before = allocations();
        took += work()?;
        allocated += allocations() - before;
    }
    Ok(Cost::of(batches * batch, took, allocated))
}

/// Calls `work`, and says how long it took.
fn time(work: impl FnOnce() -> Result<(), Fault>) -> Result<Duration, Fault> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn read_by_bare(batch: usize) -> Result<Cost, Fault> {
    let memory = Memory::open();
    let mut socket = WebSocket::from_raw_socket(memory.clone(), Role::Client, None);
    sample(batch, &memory, || {
        time(|| {
            for _ in 0..batch {
                black_box(socket.read()?);
            }
            Ok(())
        })
    })
}

/// Bare `tungstenite` reads the frames.
pub(crate) fn bare() -> Result<Cost, Fault> {
    read_by_bare(BATCH)
}

/// The same, with each message alone.
pub(crate) fn bare_alone() -> Result<Cost, Fault> {
    read_by_bare(1)
}

/// Notes that it was called.
#[derive(Default)]
struct Called(AtomicBool);

impl Wake for Called {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A client that is open, and its driver.
struct Rig {
    memory: Memory,
    client: Client,
    driver: Driver<Memory>,
    called: Arc<Called>,
    waker: Waker,
}

impl Rig {
    fn new() -> Result<Self, Fault> {
        let routing = RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() };
        let builder = Builder::new("ws://127.0.0.1:1/").routing(Routing::fields(routing)?);
        let memory = Memory::default();
        let (client, driver) = builder.connect_on(memory.clone())?;
        let called = Arc::<Called>::default();
        let waker = Waker::from(Arc::clone(&called));
        let mut rig = Self { memory, client, driver, called, waker };
        for _ in 0..100 {
            rig.drive()?;
            if rig.client.state() == State::Open {
                while rig.client.try_recv().is_some() {}
                return Ok(rig);
            }
        }
        Err("the client did not open".into())
    }

    /// Polls the driver until nobody calls it any more.
    fn drive(&mut self) -> Result<(), Fault> {
        loop {
            self.called.0.store(false, Ordering::Relaxed);
            let mut cx = Context::from_waker(&self.waker);
            if let Poll::Ready(closed) = Pin::new(&mut self.driver).poll(&mut cx) {
                return Err(closed.reason.to_string().into());
            }
            if !self.called.0.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }
}

/// Nobody has subscribed: the application fetches its messages.
pub(crate) fn application() -> Result<Cost, Fault> {
    let mut rig = Rig::new()?;
    sample(BATCH, &rig.memory.clone(), || {
        time(|| {
            rig.drive()?;
            for _ in 0..BATCH {
                match rig.client.try_recv() {
                    Some(notice @ Notice::Message(_)) => black_box(notice),
                    other => return Err(format!("{other:?} in the place of a message").into()),
                };
            }
            Ok(())
        })
    })
}

fn typed(batch: usize) -> Result<Cost, Fault> {
    let mut rig = Rig::new()?;
    let mut topic = rig.client.handle().topic::<Trade>("trade.btcusd")?;
    sample(batch, &rig.memory.clone(), || {
        time(|| {
            rig.drive()?;
            for _ in 0..batch {
                let trade = topic.try_recv().ok_or("nothing came")??;
                black_box(trade.look());
            }
            Ok(())
        })
    })
}

/// One subscriber reads each message as a type.
pub(crate) fn one() -> Result<Cost, Fault> {
    typed(BATCH)
}

/// The same, with each message alone.
pub(crate) fn alone() -> Result<Cost, Fault> {
    typed(1)
}

/// A hundred subscribers, each of whom fetches; what that takes them is theirs and not counted.
pub(crate) fn hundred() -> Result<Cost, Fault> {
    let mut rig = Rig::new()?;
    let handle = rig.client.handle();
    let listen = |_| handle.listen("trade.btcusd");
    let mut listeners = (0..100).map(listen).collect::<Result<Vec<Listener>, _>>()?;
    sample(BATCH, &rig.memory.clone(), || {
        let took = time(|| rig.drive());
        for listener in &mut listeners {
            for _ in 0..BATCH {
                black_box(listener.try_recv().ok_or("nothing came")??);
            }
        }
        took
    })
}
