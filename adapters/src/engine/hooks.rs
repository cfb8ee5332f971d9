//! The application's say in an opening. The hooks run between two turns, without the lock, so that
//! they may use a handle.

use std::fmt;

use perennial_core::session::{Decision, Verdict};
use perennial_core::{Message, TransportId};

use crate::opening::{Expectation, Opening, Queue, Reply, Waiting, verdict};
use crate::request::HookError;

/// Logs in.
pub(crate) type OpenHook = Box<dyn FnMut(&mut Opening) -> Result<(), HookError> + Send>;
/// Looks at the queue.
pub(crate) type QueueHook = Box<dyn FnMut(&mut Queue) + Send>;

/// What the session asks.
#[derive(Debug)]
pub(crate) enum Ask {
    Login { transport: TransportId },
    DuringLogin(Message),
    Queue { transport: TransportId, waiting: Vec<Waiting> },
}

/// The hooks, and what a login waits for.
pub(crate) struct Hooks {
    open: Option<OpenHook>,
    queue: Option<QueueHook>,
    expected: Option<(TransportId, Expectation)>,
}

impl Hooks {
    pub(crate) fn new(open: Option<OpenHook>, queue: Option<QueueHook>) -> Self {
        Self { open, queue, expected: None }
    }

    /// Asks the hook that is meant, and puts down what it decides.
    pub(crate) fn ask(&mut self, ask: Ask, decisions: &mut Vec<Decision>) {
        match ask {
            Ask::Login { transport } => decisions.push(self.log_in(transport)),
            Ask::DuringLogin(message) => self.look(message, decisions),
            Ask::Queue { transport, waiting } => {
                let mut queue = Queue::new(transport, waiting);
                if let Some(hook) = &mut self.queue {
                    hook(&mut queue);
                }
                let Queue { dropped: drop, first, .. } = queue;
                decisions.push(Decision::Queue { transport, drop, first });
            }
        }
    }

    fn log_in(&mut self, transport: TransportId) -> Decision {
        let mut opening = Opening::new(transport);
        let outcome = self.open.as_mut().map_or(Ok(()), |hook| hook(&mut opening));
        let Opening { messages: send, expectation, .. } = opening;
        // Of an earlier transport, if there is one.
        self.expected = None;
        let verdict = match outcome {
            Err(error) => return over(transport, verdict(error)),
            Ok(()) if expectation.is_none() => Some(Verdict::Good),
            Ok(()) => None,
        };
        self.expected = expectation.map(|look| (transport, look));
        Decision::Login { transport, send, verdict }
    }

    /// Shows the login a message.
    fn look(&mut self, message: Message, decisions: &mut Vec<Decision>) {
        let transport = message.transport;
        let Some((_, look)) = self.expected.as_mut().filter(|(of, _)| *of == transport) else {
            return decisions.push(Decision::Pass(message));
        };
        let verdict = match look(&message) {
            Ok(Reply::Other) => return decisions.push(Decision::Pass(message)),
            Ok(Reply::More) => return decisions.push(Decision::Taken),
            Ok(Reply::Done) => Verdict::Good,
            Err(error) => verdict(error),
        };
        self.expected = None;
        decisions.extend([Decision::Taken, over(transport, verdict)]);
    }
}

/// The login is over, without another word.
fn over(transport: TransportId, verdict: Verdict) -> Decision {
    Decision::Login { transport, send: Vec::new(), verdict: Some(verdict) }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("open", &self.open.is_some())
            .field("queue", &self.queue.is_some())
            .finish_non_exhaustive()
    }
}
