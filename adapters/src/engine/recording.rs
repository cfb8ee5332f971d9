//! Writes down what is fed to the state machine and taken from it, while that lies behind the lock.

use std::fmt;
use std::io::Write as _;

use perennial_core::trace::Recorder;
use perennial_core::{Accepted, Action, BuiltIn, Config, Connection, Event, Instant, Rejected};

use crate::record::{Record, RecordError};

/// Lines are written at the latest when there are so many bytes of them.
const ENOUGH: usize = 64 << 10;

/// A recording that goes on.
pub(crate) struct Recording {
    recorder: Recorder<BuiltIn>,
    record: Option<Record>,
}

impl Recording {
    /// Begins to record a connection that is made with just these.
    pub(crate) fn new(
        record: Record,
        config: Config,
        dialect: BuiltIn,
        seed: u64,
        now: Instant,
    ) -> Box<Self> {
        let recorder = Recorder::new(config, dialect, seed, now, record.contents);
        let mut recording = Self { recorder, record: Some(record) };
        // Whoever cannot write should hear of it now.
        recording.write();
        Box::new(recording)
    }

    pub(crate) fn handle(
        &mut self,
        connection: &mut Connection<BuiltIn>,
        now: Instant,
        event: Event,
    ) -> Result<Accepted, Rejected> {
        if self.record.is_none() {
            return connection.handle(now, event);
        }
        if self.recorder.text().len() >= ENOUGH {
            self.write();
        }
        self.recorder.handle(connection, now, event)
    }

    pub(crate) fn poll(&mut self, connection: &mut Connection<BuiltIn>) -> Action {
        if self.record.is_none() {
            return connection.poll();
        }
        self.recorder.poll(connection)
    }

    /// Writes the whole lines there are. Returns whether the recording goes on: a writer that fails
    /// is not used again.
    pub(crate) fn write(&mut self) -> bool {
        let Some(record) = &mut self.record else { return false };
        let text = self.recorder.text();
        let written = if text.is_empty() {
            Ok(())
        } else {
            record.writer.write_all(text.as_bytes()).and_then(|()| record.writer.flush())
        };
        self.recorder.clear();
        let error = match (written, self.recorder.fault()) {
            (Err(error), _) => RecordError::Write(error),
            (Ok(()), Some(fault)) => RecordError::Fault(fault),
            (Ok(()), None) => return true,
        };
        if let Some(record) = self.record.take() {
            (record.on_error)(&error);
        }
        false
    }

    /// The end: nothing is recorded any more.
    pub(crate) fn finish(&mut self) {
        self.recorder.finish();
        self.write();
        self.record = None;
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("goes_on", &self.record.is_some()).finish_non_exhaustive()
    }
}
