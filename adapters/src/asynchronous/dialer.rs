//! Connecting through a runtime.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use atomic_waker::AtomicWaker;

use super::Runtime;
use super::ready::{Ready, Signal};
use crate::engine::Network;

/// The way to the peers that a runtime opens.
pub(super) struct Dialer<R> {
    pub(super) runtime: R,
    /// The driver's task.
    pub(super) task: Arc<AtomicWaker>,
    waker: Waker,
}

impl<R> Dialer<R> {
    pub(super) fn new(runtime: R) -> Self {
        let task = Arc::new(AtomicWaker::new());
        let waker = Waker::from(Signal::new(&task));
        Self { runtime, task, waker }
    }
}

impl<R: Runtime> Network for Dialer<R> {
    type Socket = Ready<R::Io>;
    type Attempt = Pin<Box<dyn Future<Output = io::Result<R::Io>> + Send>>;

    fn connect(&mut self, address: SocketAddr) -> io::Result<Self::Attempt> {
        Ok(Box::pin(self.runtime.open(address)))
    }

    fn advance(&mut self, attempt: &mut Self::Attempt) -> Option<io::Result<Self::Socket>> {
        match attempt.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(outcome) => {
                Some(outcome.map(|io| Ready::new(io, &self.task, R::KNOWS_WHEN_EMPTY)))
            }
            Poll::Pending => None,
        }
    }
}
