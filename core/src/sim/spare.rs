//! A copy of the connection, made in the room of the one before.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use crate::connection::Connection;
use crate::dialect::Dialect;

/// The last copy, which is needed no more. It is nothing that a model knows: all are equal.
#[derive(Debug)]
pub(super) struct Spare<D>(Option<Box<Connection<D>>>);

impl<D> Clone for Spare<D> {
    fn clone(&self) -> Self {
        Spare(None)
    }
}

impl<D> PartialEq for Spare<D> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<D: Dialect + Clone + PartialEq> Spare<D> {
    pub(super) fn new() -> Self {
        Spare(None)
    }

    /// A copy of the connection.
    pub(super) fn copy(&mut self, connection: &Connection<D>) -> Box<Connection<D>> {
        match self.0.take() {
            Some(mut copy) => {
                copy.copy_from(connection);
                copy
            }
            None => Box::new(connection.clone()),
        }
    }

    /// Takes a copy that is needed no more.
    pub(super) fn keep(&mut self, copy: Box<Connection<D>>) {
        self.0 = Some(copy);
    }
}

/// Makes one queue equal to another. Often it is.
pub(crate) fn copy_queue<T: Clone + PartialEq>(to: &mut VecDeque<T>, from: &VecDeque<T>) {
    if from.is_empty() {
        if !to.is_empty() {
            to.clear();
        }
    } else if *to != *from {
        to.clone_from(from);
    }
}

impl<D: Clone + PartialEq> Connection<D> {
    /// Becomes equal to another.
    fn copy_from(&mut self, other: &Self) {
        let Self {
            config,
            dialect,
            phase,
            now,
            timers,
            output,
            outbox,
            dedupe,
            heartbeat,
            schedule,
            transport,
            last_transport,
            attempts,
            was_open,
            down_since,
            suspended,
            reads_paused,
            draining,
            last_error,
        } = other;
        // What hardly ever changes is compared: to count a reference costs more.
        if self.config != *config {
            self.config.clone_from(config);
        }
        if self.dialect != *dialect {
            self.dialect.clone_from(dialect);
        }
        if self.phase != *phase {
            self.phase.clone_from(phase);
        }
        if self.draining != *draining {
            self.draining.clone_from(draining);
        }
        if self.last_error != *last_error {
            self.last_error.clone_from(last_error);
        }
        self.output.copy_from(output);
        self.outbox.copy_from(outbox);
        self.dedupe.copy_from(dedupe);
        match (&mut self.transport, transport) {
            (Some(to), Some(from)) => to.copy_from(from),
            (to, from) => to.clone_from(from),
        }
        self.now = *now;
        self.timers.clone_from(timers);
        self.heartbeat.clone_from(heartbeat);
        self.schedule.clone_from(schedule);
        self.last_transport = *last_transport;
        self.attempts = *attempts;
        self.was_open = *was_open;
        self.down_since = *down_since;
        self.suspended = *suspended;
        self.reads_paused = *reads_paused;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::BuiltIn;
    use crate::sim::{Choices, Scenario, Setup, Step};

    #[test]
    fn a_copy_is_equal_whatever_it_was_before() {
        let mut choices = Choices::from_seed(5);
        let mut spare: Spare<BuiltIn> = Spare::new();
        for seed in 0..crate::testing::rounds(50).into() {
            let setup = Setup::choose(&mut choices);
            let mut scenario = Scenario::new(setup.config(), seed);
            for _ in 0..40 {
                scenario.step(Step::choose(&mut choices)).unwrap();
                let connection = scenario.driver().checked().connection();
                let copy = spare.copy(connection);
                assert!(*copy == *connection, "seed {seed}");
                spare.keep(copy);
            }
        }
    }
}
