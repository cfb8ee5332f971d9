//! A driver and what uses its connection, in one task.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use atomic_waker::AtomicWaker;
use perennial_core::Closed;

use super::Runtime;
use super::driver::Driver;

/// How often the two take turns before the executor's other tasks have theirs.
const ROUNDS: usize = 64;

/// What [`Driver::join`] gives. Dropped before its end, it ends the connection at once, without a
/// close handshake.
#[must_use = "nothing happens before it is polled: await it"]
pub struct Join<R: Runtime, W: Future> {
    driver: Driver<R>,
    closed: Option<Closed>,
    /// Until it has ended: it may hold the client.
    work: Option<Pin<Box<W>>>,
    output: Option<W::Output>,
    task: Arc<Task>,
    driver_call: Call,
    work_call: Call,
}

// What has to stay in place is in a box.
impl<R: Runtime, W: Future> Unpin for Join<R, W> {}

/// The task that both are polled in.
#[derive(Debug, Default)]
struct Task {
    waker: AtomicWaker,
    /// Whether it is being polled, and looks for itself who was called.
    awake: AtomicBool,
}

/// Whether one of the two was called.
#[derive(Debug)]
struct Flag {
    called: AtomicBool,
    task: Arc<Task>,
}

/// The waker of one of the two. The one calls the other for each message: the executor need not
/// hear of it, which would have the task queued anew, and another thread woken to fetch it.
struct Call {
    flag: Arc<Flag>,
    waker: Waker,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // In this order here, and in the other one when the task falls asleep: one of the two sees
        // what the other has written.
        self.called.store(true, Ordering::SeqCst);
        if !self.task.awake.load(Ordering::SeqCst) {
            self.task.waker.wake();
        }
    }
}

impl Call {
    fn new(task: &Arc<Task>) -> Self {
        let flag = Arc::new(Flag { called: AtomicBool::new(true), task: Arc::clone(task) });
        Self { waker: Waker::from(Arc::clone(&flag)), flag }
    }

    fn is_set(&self) -> bool {
        self.flag.called.load(Ordering::SeqCst)
    }

    fn take(&self) -> bool {
        self.flag.called.swap(false, Ordering::SeqCst)
    }
}

impl<R: Runtime> Driver<R> {
    /// Drives the connection beside `work`, which uses it, in one task; ends when both have ended.
    ///
    /// A driver in a task of its own goes on while the application is busy, and costs a switch
    /// between the two for each message; on an executor of several threads that may be one between
    /// threads. Here they call each other directly. The connection makes progress only while `work`
    /// waits: work that blocks or computes for long belongs elsewhere, or heartbeats are late.
    ///
    /// With the client moved into `work`, its end closes the connection.
    ///
    /// ```no_run
    /// # use perennial::{Builder, Error};
    /// # #[cfg(feature = "smol")]
    /// # async fn example() -> Result<(), Error> {
    /// let (mut client, driver) = perennial::smol::connect("ws://127.0.0.1:9001/")?;
    /// let (answer, closed) = driver
    ///     .join(async move {
    ///         client.send("hello").await.ok()?;
    ///         client.recv().await
    ///     })
    ///     .await;
    /// # let _ = (answer, closed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn join<W: Future>(self, work: W) -> Join<R, W> {
        let task = Arc::default();
        Join {
            driver: self,
            closed: None,
            work: Some(Box::pin(work)),
            output: None,
            driver_call: Call::new(&task),
            work_call: Call::new(&task),
            task,
        }
    }
}

impl<R: Runtime, W: Future> Join<R, W> {
    /// Polls whoever was called, until nobody is. Returns whether that was reached.
    fn advance(&mut self) -> bool {
        for _ in 0..ROUNDS {
            if self.closed.is_none() && self.driver_call.take() {
                let cx = &mut Context::from_waker(&self.driver_call.waker);
                if let Poll::Ready(closed) = Pin::new(&mut self.driver).poll(cx) {
                    self.closed = Some(closed);
                }
            }
            if let Some(work) = &mut self.work
                && self.work_call.take()
            {
                let cx = &mut Context::from_waker(&self.work_call.waker);
                if let Poll::Ready(output) = work.as_mut().poll(cx) {
                    self.output = Some(output);
                    self.work = None;
                }
            }
            if !self.somebody_was_called() {
                return true;
            }
            if self.driver.leaves_turns() && !(self.work.is_some() && self.work_call.is_set()) {
                break;
            }
        }
        false
    }

    fn somebody_was_called(&self) -> bool {
        self.closed.is_none() && self.driver_call.is_set()
            || self.work.is_some() && self.work_call.is_set()
    }
}

impl<R: Runtime, W: Future> Future for Join<R, W> {
    type Output = (W::Output, Closed);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.task.waker.register(cx.waker());
        this.task.awake.store(true, Ordering::SeqCst);
        let is_quiet = this.advance();
        this.task.awake.store(false, Ordering::SeqCst);
        if let Some(closed) = &this.closed
            && let Some(output) = this.output.take()
        {
            return Poll::Ready((output, closed.clone()));
        }
        // Looked at once more: who was called before the task fell asleep has woken nobody.
        if !is_quiet || this.somebody_was_called() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<R: Runtime, W: Future> fmt::Debug for Join<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("driver", &self.driver).finish_non_exhaustive()
    }
}
