//! What staying alive costs: this client, with every default on, against bare `tungstenite` and bare
//! `async-tungstenite` on the same runtime.
//!
//! ```text
//! cargo bench -p perennial-tests --bench bare [-- [--rounds=N] [--only=ours|bare] [DRIVER …] [TASK …]]
//! ```
//!
//! Every sample has a connection of its own to one server in this process. The samples of the two
//! take turns, and the medians of the rounds are compared, so that what else the machine does falls
//! on both. Exits with 1 if a bar is not met.
//!
//! Most of a round trip on an idle machine is the time that a sleeping core takes to wake up, and it
//! scatters by more than the bars allow for. On one core (`taskset -c 0` before the command) nothing
//! sleeps, and what the two do themselves is nearly all there is.

#![allow(clippy::print_stdout, reason = "a report is its purpose")]

mod blocking;
mod callback;
mod runtimes;
mod server;
mod task;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use task::{TASKS, Task};

/// What goes wrong in a sample.
type Fault = Box<dyn Error + Send + Sync>;

/// Runs one sample of a task and says how long it took, per message.
type Sample = fn(&'static Task, &str) -> Result<Duration, Fault>;

/// A driver, and what it is measured against.
struct Driver {
    name: &'static str,
    ours: Sample,
    bare: Sample,
}

const DRIVERS: [Driver; 9] = [
    Driver { name: "blocking", ours: blocking::ours, bare: blocking::bare },
    Driver { name: "callback", ours: callback::ours, bare: blocking::bare },
    Driver { name: "smol", ours: runtimes::smol::ours, bare: runtimes::smol::bare },
    Driver { name: "smol-joined", ours: runtimes::smol::joined, bare: runtimes::smol::bare },
    Driver { name: "async-std", ours: runtimes::async_std::ours, bare: runtimes::async_std::bare },
    Driver {
        name: "async-std-joined",
        ours: runtimes::async_std::joined,
        bare: runtimes::async_std::bare,
    },
    Driver { name: "tokio", ours: runtimes::tokio::ours, bare: runtimes::tokio::bare },
    Driver { name: "tokio-joined", ours: runtimes::tokio::joined, bare: runtimes::tokio::bare },
    Driver { name: "tokio-threads", ours: runtimes::threads::ours, bare: runtimes::threads::bare },
];

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

/// Compares the two in one task. Returns whether the bar was met.
fn compare(driver: &Driver, task: &'static Task, url: &str, rounds: usize) -> Result<bool, Fault> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=rounds * task.connections {
        // Each goes first in every other round; the first one warms up.
        let (one, other) = if round % 2 == 0 {
            let one = (driver.ours)(task, url)?;
            (one, (driver.bare)(task, url)?)
        } else {
            let other = (driver.bare)(task, url)?;
            ((driver.ours)(task, url)?, other)
        };
        if round > 0 {
            ours.push(one);
            bare.push(other);
        }
    }
    let (ours, bare) = (median(ours), median(bare));
    let ratio = ours.as_secs_f64() / bare.as_secs_f64();
    let met = task.bar.is_none_or(|bar| ratio <= bar);
    let verdict = match task.bar {
        None => "    ".to_owned(),
        Some(_) if met => "ok  ".to_owned(),
        Some(_) => "MISS".to_owned(),
    };
    let bar = task.bar.map_or_else(String::new, |bar| format!("  (bar: {bar})"));
    println!("  {verdict} {:<34} {ratio:5.2} x  {ours:>9.2?} : {bare:>9.2?}{bar}", task.name);
    Ok(met)
}

/// Runs one of the two without the other, for a profiler to look at.
fn alone(
    driver: &Driver,
    task: &'static Task,
    ours: bool,
    url: &str,
    rounds: usize,
) -> Result<(), Fault> {
    let sample = || {
        if ours { (driver.ours)(task, url) } else { (driver.bare)(task, url) }
    };
    let samples =
        (0..rounds * task.connections).map(|_| sample()).collect::<Result<Vec<_>, _>>()?;
    println!("       {:<34}  {:>9.2?}", task.name, median(samples));
    Ok(())
}

fn main() -> ExitCode {
    let (mut rounds, mut only) = (25, None);
    let (mut wanted, mut tasks) = (Vec::new(), Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.strip_prefix("--rounds=").map(str::parse) {
            Some(Ok(number)) => rounds = number,
            None if argument == "--only=ours" => only = Some(true),
            None if argument == "--only=bare" => only = Some(false),
            // What `cargo bench` itself passes on.
            None if argument == "--bench" => {}
            None if DRIVERS.iter().any(|driver| driver.name == argument) => wanted.push(argument),
            None if TASKS.iter().any(|task| task.name == argument) => tasks.push(argument),
            Some(Err(_)) | None => {
                println!(
                    "what is {argument}? There are --rounds=N, --only=ours, --only=bare, and the names of drivers and tasks"
                );
                return ExitCode::from(2);
            }
        }
    }
    let run = || -> Result<bool, Fault> {
        let url = server::start()?;
        let mut met = true;
        for driver in &DRIVERS {
            if !wanted.is_empty() && !wanted.iter().any(|name| name == driver.name) {
                continue;
            }
            println!("{}: time per message, ours to bare", driver.name);
            for task in &TASKS {
                if !tasks.is_empty() && !tasks.iter().any(|name| name == task.name) {
                    continue;
                }
                match only {
                    None => met &= compare(driver, task, &url, rounds)?,
                    Some(ours) => alone(driver, task, ours, &url, rounds)?,
                }
            }
        }
        Ok(met)
    };
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("a bar is not met");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("not measured: {error}");
            ExitCode::FAILURE
        }
    }
}
