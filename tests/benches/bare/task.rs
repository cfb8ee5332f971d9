//! What is measured.

/// What a sample does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Sends a message and waits for it to come back; the whole time counts.
    Exchange,
    /// The same; the median time counts.
    Echo,
    /// Sends one message after the other, as fast as they are taken.
    Send,
    /// Sends one message after the other, each when the one before is with the kernel.
    Step,
    /// Receives what the server sends without pause.
    Receive,
}

/// A kind of sample.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// The payload, in bytes.
    pub(crate) size: usize,
    pub(crate) count: usize,
    /// How many connections there are in a round, one after the other.
    pub(crate) connections: usize,
    /// How many there are at the same time.
    pub(crate) crowd: usize,
    /// The most that it may take, as a multiple of what the bare client takes.
    pub(crate) bar: Option<f64>,
}

const fn task(name: &'static str, work: Work, size: usize, count: usize, bar: Option<f64>) -> Task {
    Task { name, work, size, count, connections: 1, crowd: 1, bar }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

pub(crate) static TASKS: [Task; 16] = [
    task("send and receive one by one, 64 B", Work::Exchange, 64, 2_000, Some(1.05)).by(10),
    task("send and receive one by one, 1 KiB", Work::Exchange, KIB, 2_000, Some(1.05)).by(10),
    task("send and receive one by one, 1 MiB", Work::Exchange, MIB, 50, Some(1.05)),
    task("echo, median, 64 B", Work::Echo, 64, 2_000, Some(1.0)).by(10),
    task("four at once, one by one, 64 B", Work::Exchange, 64, 1_000, None).crowd(4),
    task("twenty at once, one by one, 64 B", Work::Exchange, 64, 500, None).crowd(20),
    task("queued sends to one by one, 64 B", Work::Send, 64, 50_000, Some(0.25)),
    task("send, 64 B", Work::Send, 64, 50_000, Some(1.05)),
    task("send, 1 KiB", Work::Send, KIB, 20_000, Some(1.05)),
    task("send, 1 MiB", Work::Send, MIB, 50, Some(1.05)),
    task("send and await the kernel, 64 B", Work::Step, 64, 20_000, None),
    task("send and await the kernel, 1 KiB", Work::Step, KIB, 20_000, None),
    task("send and await the kernel, 1 MiB", Work::Step, MIB, 50, None),
    task("receive without pause, 64 B", Work::Receive, 64, 50_000, None),
    task("receive without pause, 1 KiB", Work::Receive, KIB, 20_000, None),
    task("receive without pause, 1 MiB", Work::Receive, MIB, 50, None),
];

impl Task {
    /// The same, by several connections one after the other.
    ///
    /// Where its threads meet on a core, or which of them is awake, makes a round trip take a tenth of
    /// the time or all of it, and may stay so for as long as the connection lives.
    const fn by(self, connections: usize) -> Self {
        let count = self.count / connections;
        Self { count, connections, ..self }
    }

    /// The same, by so many connections at the same time.
    const fn crowd(self, crowd: usize) -> Self {
        Self { crowd, ..self }
    }

    /// What to ask the server for.
    pub(crate) fn url(&self, base: &str) -> String {
        let path = match self.work {
            Work::Send | Work::Step => "sink",
            Work::Receive => "source",
            Work::Exchange | Work::Echo => "echo",
        };
        format!("{base}{path}/{}/{}", self.size, self.count)
    }

    /// What is sent: a payload of its own for each message, as applications have, made beforehand.
    ///
    /// Whoever measures holds a clone of all of them until the time is taken. Else an allocator may give
    /// the memory back to the system meanwhile, which takes as long as five exchanges of 1 MiB, or a
    /// moment later: which it is depends on what else lies beside them.
    pub(crate) fn payloads<P: From<String>>(&self) -> Vec<P> {
        let count = if self.work == Work::Receive { 0 } else { self.count };
        (0..count).map(|_| P::from("x".repeat(self.size))).collect()
    }
}
