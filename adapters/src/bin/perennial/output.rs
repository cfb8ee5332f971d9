//! stdout: messages, or events with `--events`. Shared by the threads that have something to say.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use perennial_core::{Duration, Notice, Payload};

use crate::events::{Event, Line, millis};
use crate::ledger::Ledger;

/// What became of stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Writable,
    /// The reader went away: it had enough.
    Closed,
    /// What was to be written is lost.
    Failed,
}

/// stdout behind a lock. A reader that does not read blocks the writer, and so the connection's
/// inbox fills and reading from the socket pauses.
pub(crate) struct Output<W: Write = io::Stdout> {
    start: Instant,
    events: bool,
    state: Mutex<State<W>>,
    /// Held while people are told of a rejected line, who may be slow to read, and taken before `state`.
    telling: Mutex<()>,
}

struct State<W: Write> {
    writer: BufWriter<W>,
    /// The last time printed: times never go back, whichever thread prints.
    at: u64,
    rejected: u64,
    health: Health,
    finished: bool,
}

impl Output {
    /// The process's stdout.
    pub(crate) fn stdout(start: Instant, events: bool) -> Self {
        Self::new(io::stdout(), start, events)
    }
}

impl<W: Write> Output<W> {
    fn new(writer: W, start: Instant, events: bool) -> Self {
        let state = State {
            writer: BufWriter::with_capacity(64 << 10, writer),
            at: 0,
            rejected: 0,
            health: Health::Writable,
            finished: false,
        };
        Self { start, events, state: Mutex::new(state), telling: Mutex::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn telling(&self) -> MutexGuard<'_, ()> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints what a notice amounts to: nothing, unless it is a message or `--events` is on.
    /// Without a flush.
    pub(crate) fn notice(&self, at: Duration, notice: &Notice) -> Health {
        let mut state = self.lock();
        if self.events {
            if let Some(event) = Event::of(notice) {
                state.event(millis(at), event);
            }
        } else if let Notice::Message(message) = notice {
            state.write(|writer| {
                match &message.payload {
                    Payload::Text(text) => writer.write_all(text.as_bytes())?,
                    Payload::Binary(bytes) => writer.write_all(bytes)?,
                }
                writer.write_all(b"\n")
            });
        }
        state.health
    }

    /// Counts a line of stdin that was not accepted, prints the event and has people told of it: all
    /// of it, or nothing after the ledger, which waits until they are. Messages do not.
    pub(crate) fn rejected(&self, id: Option<u64>, reason: &str, tell: impl FnOnce()) {
        let telling = self.telling();
        let mut state = self.lock();
        if state.finished {
            return;
        }
        state.rejected += 1;
        if self.events {
            state.event(millis(self.start.elapsed()), Event::Rejected { id, reason });
            state.flush();
        }
        drop(state);
        tell();
        drop(telling);
    }

    /// Hands everything to whoever reads.
    pub(crate) fn flush(&self) -> Health {
        let mut state = self.lock();
        state.flush();
        state.health
    }

    /// Prints the ledger, which nothing follows. `account` is given the number of rejected lines.
    pub(crate) fn finish(&self, account: impl FnOnce(u64) -> Ledger) -> (Ledger, Health) {
        let _telling = self.telling();
        let mut state = self.lock();
        state.finished = true;
        let ledger = account(state.rejected);
        if self.events {
            state.event(millis(self.start.elapsed()), Event::Ledger(&ledger));
        }
        state.flush();
        (ledger, state.health)
    }
}

impl<W: Write> State<W> {
    fn event(&mut self, at: u64, event: Event<'_>) {
        self.at = self.at.max(at);
        let line = Line { at: self.at, event };
        self.write(|writer| {
            serde_json::to_writer(&mut *writer, &line)?;
            writer.write_all(b"\n")
        });
    }

    fn flush(&mut self) {
        self.write(Write::flush);
    }

    fn write(&mut self, write: impl FnOnce(&mut BufWriter<W>) -> io::Result<()>) {
        if self.health == Health::Writable
            && let Err(error) = write(&mut self.writer)
        {
            self.health = match error.kind() {
                ErrorKind::BrokenPipe => Health::Closed,
                _ => Health::Failed,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perennial_core::Message;

    fn message(payload: impl Into<Payload>) -> Notice {
        let transport = serde_json::from_value(1.into()).expect("a number");
        Notice::Message(Message { payload: payload.into(), id: None, transport })
    }

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn messages_are_lines() {
        let output = Output::new(Vec::new(), Instant::now(), false);
        output.notice(Duration::ZERO, &message("a\nb"));
        output.notice(Duration::ZERO, &message(vec![0xff]));
        output.notice(Duration::ZERO, &Notice::Writable);
        output.rejected(None, "no", || {});
        let (ledger, health) = output.finish(|rejected| Ledger { rejected, ..Ledger::default() });
        assert_eq!((ledger.rejected, health), (1, Health::Writable));
        assert_eq!(output.lock().writer.get_ref(), b"a\nb\n\xff\n");
    }

    #[test]
    fn the_ledger_is_last_and_time_never_goes_back() {
        let output = Output::new(Vec::new(), Instant::now(), true);
        output.notice(Duration::from_secs(5), &message("x"));
        let mut told = 0;
        output.rejected(Some(3), "too large", || told += 1);
        output.finish(|rejected| Ledger { rejected, ..Ledger::default() });
        output.rejected(None, "late", || told += 1);
        assert_eq!(told, 1, "people and the ledger disagree");
        let state = output.lock();
        let printed = String::from_utf8(state.writer.get_ref().clone()).expect("UTF-8");
        let lines: Vec<&str> = printed.lines().collect();
        assert_eq!(lines.len(), 3, "{printed}");
        assert_eq!(lines[1], r#"{"at":5000,"event":"rejected","id":3,"reason":"too large"}"#);
        assert!(
            lines[2].contains(r#""ledger","accepted":0"#)
                && lines[2].ends_with(r#""rtt_ms":null}"#)
        );
        assert!(lines[2].contains(r#""rejected":1"#));
    }

    #[test]
    fn messages_go_on_while_people_are_told_of_a_line() {
        let output = Output::new(Vec::new(), Instant::now(), false);
        output.rejected(None, "no", || {
            output.notice(Duration::ZERO, &message("x"));
            output.flush();
        });
        assert_eq!(output.lock().writer.get_ref(), b"x\n");
    }

    #[test]
    fn a_broken_stdout_is_noticed_and_not_written_again() {
        for (kind, health) in
            [(ErrorKind::BrokenPipe, Health::Closed), (ErrorKind::StorageFull, Health::Failed)]
        {
            let output = Output::new(Broken(kind), Instant::now(), false);
            assert_eq!(output.notice(Duration::ZERO, &message("x")), Health::Writable);
            assert_eq!(output.flush(), health);
            assert_eq!(output.notice(Duration::ZERO, &message("x")), health);
        }
    }
}
