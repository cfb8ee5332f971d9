//! What is measured.

/// What a sample does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Sends one message after the other, each when the one before is with the kernel.
    Send,
    /// Sends as fast as messages are taken.
    Queue,
    /// Receives what the server sends without pause.
    Receive,
    /// Sends a message and waits for it to come back.
    Echo,
}

/// A kind of sample.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// The payload, in bytes.
    pub(crate) size: usize,
    pub(crate) count: usize,
    /// The most that it may take, as a multiple of what the bare client takes.
    pub(crate) bar: Option<f64>,
}

const fn task(name: &'static str, work: Work, size: usize, count: usize, bar: Option<f64>) -> Task {
    Task { name, work, size, count, bar }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

pub(crate) static TASKS: [Task; 9] = [
    task("send one by one, 64 B", Work::Send, 64, 20_000, Some(1.05)),
    task("send one by one, 1 KiB", Work::Send, KIB, 20_000, Some(1.05)),
    task("send one by one, 1 MiB", Work::Send, MIB, 100, Some(1.05)),
    task("receive, 64 B", Work::Receive, 64, 100_000, Some(1.05)),
    task("receive, 1 KiB", Work::Receive, KIB, 50_000, Some(1.05)),
    task("receive, 1 MiB", Work::Receive, MIB, 100, Some(1.05)),
    task("queued sends to one by one, 64 B", Work::Queue, 64, 100_000, Some(0.25)),
    task("echo, median, 64 B", Work::Echo, 64, 10_000, Some(1.0)),
    task("echo, median, 1 KiB", Work::Echo, KIB, 10_000, None),
];

impl Task {
    /// What the bare client does meanwhile: it has no queue, and sends one by one.
    pub(crate) fn peer(&'static self) -> &'static Task {
        match self.work {
            Work::Queue => &TASKS[0],
            Work::Send | Work::Receive | Work::Echo => self,
        }
    }

    /// What to ask the server for.
    pub(crate) fn url(&self, base: &str) -> String {
        let path = match self.work {
            Work::Send | Work::Queue => "sink",
            Work::Receive => "source",
            Work::Echo => "echo",
        };
        format!("{base}{path}/{}/{}", self.size, self.count)
    }

    pub(crate) fn payload(&self) -> String {
        "x".repeat(self.size)
    }
}
