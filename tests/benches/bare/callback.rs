//! The blocking client that calls back on the thread that drives it: no other thread is in the way.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use perennial::blocking::Handle;
use perennial::{Builder, Notice, Payload, State};

use crate::Fault;
use crate::blocking::{config, crowd};
use crate::task::{Task, Work};

/// How far a sample has come.
struct Progress {
    start: Instant,
    sent: Instant,
    times: Vec<Duration>,
    arrived: usize,
    flushed: usize,
    took: Option<Duration>,
}

pub(crate) fn ours(task: &'static Task, url: &str) -> Result<Duration, Fault> {
    crowd(task, || ours_alone(task, url))
}

fn ours_alone(task: &'static Task, url: &str) -> Result<Duration, Fault> {
    // The callback must not wait for room, so there is room for all.
    let mut config = config(task);
    config.outbox.max_messages = task.count;
    config.outbox.max_bytes = task.count * task.size;
    let config = config.build()?;
    let builder = Builder::new(task.url(url)).config(config).reports(task.work == Work::Step);
    let payloads = task.payloads::<Payload>();
    let _held = payloads.clone();
    let mut payloads = payloads.into_iter();
    let now = Instant::now();
    let times = Vec::with_capacity(task.count);
    let mut progress =
        Progress { start: now, sent: now, times, arrived: 0, flushed: 0, took: None };
    let closed = builder.run(|handle, notice| {
        if react(task, &mut payloads, &mut progress, handle, &notice) {
            ControlFlow::Continue(())
        } else {
            progress.took = Some(progress.start.elapsed() / task.count as u32);
            ControlFlow::Break(())
        }
    })?;
    let took = progress.took.ok_or_else(|| closed.reason.to_string())?;
    Ok(if task.work == Work::Echo { crate::median(progress.times) } else { took })
}

/// Does what comes next. Returns whether there is more to come.
fn react(
    task: &Task,
    payloads: &mut impl Iterator<Item = Payload>,
    progress: &mut Progress,
    handle: &Handle,
    notice: &Notice,
) -> bool {
    let mut send = || payloads.next().is_some_and(|payload| handle.try_send(payload).is_ok());
    match (task.work, notice) {
        (_, Notice::StateChanged { to: State::Open, .. }) => {
            progress.start = Instant::now();
            progress.sent = progress.start;
            match task.work {
                Work::Receive => handle.try_send("go").is_ok(),
                // The driver sends what was taken when the callback returns.
                Work::Send => (0..task.count).all(|_| send()),
                Work::Exchange | Work::Echo | Work::Step => send(),
            }
        }
        (Work::Exchange | Work::Echo, Notice::Message(_)) => {
            progress.times.push(progress.sent.elapsed());
            progress.sent = Instant::now();
            progress.times.len() < task.count && send()
        }
        (Work::Step, Notice::Flushed { .. }) => {
            progress.flushed += 1;
            progress.flushed >= task.count || send()
        }
        (Work::Send | Work::Step, Notice::Message(_)) => false,
        (Work::Receive, Notice::Message(_)) => {
            progress.arrived += 1;
            progress.arrived < task.count
        }
        _ => true,
    }
}
