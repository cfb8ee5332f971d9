//! The thread with the loop, and how others have it do something.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use perennial_core::{Event, Notice};
use perennial_examples::own_loop::{Reactor, Waker};

use super::session::Inbox;

/// Something to be done by the thread with the loop.
type Command = Box<dyn FnOnce(&mut State) + Send>;

/// What the thread has.
pub(super) struct State {
    pub(super) reactor: Reactor,
    /// Where the notices of each connection go.
    pub(super) inboxes: HashMap<usize, Arc<Inbox>>,
}

/// The way to the thread.
pub(super) struct Driver {
    commands: Mutex<Sender<Command>>,
    waker: Arc<Waker>,
}

impl Driver {
    pub(super) fn start() -> Self {
        let reactor = Reactor::new().expect("a poller");
        let (sender, commands) = channel();
        let waker = reactor.waker();
        thread::spawn(move || run(State { reactor, inboxes: HashMap::new() }, &commands));
        Self { commands: Mutex::new(sender), waker }
    }

    /// Has the thread do something, without waiting for it.
    pub(super) fn tell(&self, command: impl FnOnce(&mut State) + Send + 'static) {
        self.commands
            .lock()
            .expect("nobody panics with it")
            .send(Box::new(command))
            .expect("alive");
        self.waker.wake().expect("a wake-up");
    }

    /// Has the thread do something, and waits for the outcome.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> T {
        let (sender, answer) = channel();
        self.tell(move |state| drop(sender.send(question(state))));
        answer.recv().expect("the loop lives")
    }
}

fn run(mut state: State, commands: &Receiver<Command>) {
    loop {
        state.reactor.turn(None).expect("the poller works");
        while let Some((key, notice)) = state.reactor.next_notice() {
            let is_last = matches!(notice, Notice::Closed(_));
            let Some(inbox) = state.inboxes.get(&key) else { continue };
            if inbox.put(notice) {
                state.reactor.handle(key, Event::PauseReads).expect("a pause is never refused");
            }
            if is_last && inbox.is_abandoned() {
                state.forget(key);
            }
        }
        // After what has arrived: a command must not find dead what has just spoken.
        while let Ok(command) = commands.try_recv() {
            command(&mut state);
        }
    }
}

impl State {
    pub(super) fn forget(&mut self, key: usize) {
        self.reactor.remove(key);
        if let Some(inbox) = self.inboxes.remove(&key) {
            inbox.forgotten();
        }
    }
}
