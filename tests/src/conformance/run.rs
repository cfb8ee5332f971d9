//! A run of a script over an adapter, and all runs of a suite.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use perennial_core::ConfigBuilder;

use super::adapter::{Adapter, Features, Plan};
use super::client::Client;
use super::server::Server;
use super::transcript::Transcript;

/// The seed of every connection.
const SEED: u64 = 0x5eed;

/// A script by name.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// The module and the function, as `closes::end_of_stream`.
    pub name: &'static str,
    pub(super) body: fn(&Run<'_>),
}

/// What a script works with.
pub(super) struct Run<'a> {
    pub(super) adapter: &'a dyn Adapter,
    pub(super) transcript: Arc<Mutex<Transcript>>,
}

/// Why a script was not run: it is unwound to the one who runs scripts.
struct NotRun(String);

impl Run<'_> {
    /// Connects, with a config from [`quick`](super::quick).
    pub(super) fn connect(&self, server: &Server, config: ConfigBuilder) -> Client {
        self.connect_with(self.plan(&server.url(), config))
    }

    pub(super) fn plan(&self, url: &str, config: ConfigBuilder) -> Plan {
        Plan {
            url: url.to_owned(),
            config: config.build().expect("a valid config"),
            seed: SEED,
            headers: Vec::new(),
            subprotocols: Vec::new(),
            trust: None,
        }
    }

    pub(super) fn connect_with(&self, plan: Plan) -> Client {
        Client::new(self.adapter.connect(plan), &self.transcript)
    }

    /// Ends the script here, as not run, unless the adapter can do this.
    pub(super) fn needs(&self, what: &str, has: impl Fn(&Features) -> bool) {
        if !has(&self.adapter.features()) {
            self.cannot(&format!("the adapter lacks {what}"));
        }
    }

    /// Ends the script here, as not run.
    pub(super) fn cannot(&self, why: &str) -> ! {
        // Not a panic: nobody is to be told of one.
        resume_unwind(Box::new(NotRun(why.to_owned())))
    }

    /// The words of a failure, where the adapter uses those of `perennial`.
    pub(super) fn says(&self, said: &impl fmt::Display, part: &str) {
        let said = said.to_string();
        assert!(
            !self.adapter.features().words || said.contains(part),
            "{part:?} is not in {said:?}"
        );
    }
}

/// What a script came to over one adapter.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It held, and this is what was told.
    Passed(Transcript),
    /// It did not hold.
    Failed(String),
    /// The adapter, or the system, lacks what it needs.
    NotRun(String),
}

fn play(script: Script, adapter: &dyn Adapter) -> Outcome {
    let transcript = Arc::default();
    let run = Run { adapter, transcript: Arc::clone(&transcript) };
    let result = catch_unwind(AssertUnwindSafe(|| (script.body)(&run)));
    let told = transcript.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match result {
        Ok(()) => Outcome::Passed(told),
        Err(payload) => match payload.downcast::<NotRun>() {
            Ok(why) => Outcome::NotRun(why.0),
            Err(payload) => Outcome::Failed(format!("{}\n{told}", said(&*payload))),
        },
    }
}

fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

/// Scripts over adapters, each at most once. The first adapter is what the others are compared
/// with.
pub struct Suite {
    scripts: Vec<Script>,
    adapters: Vec<Box<dyn Adapter + Send>>,
    outcomes: Vec<OnceLock<Outcome>>,
}

impl Suite {
    /// All scripts over these adapters; nothing is run yet.
    #[must_use]
    pub fn new(adapters: Vec<Box<dyn Adapter + Send>>) -> Self {
        let scripts = super::scripts();
        let outcomes = (0..scripts.len() * adapters.len()).map(|_| OnceLock::new()).collect();
        Self { scripts, adapters, outcomes }
    }

    /// What the script comes to; runs it if it has not been.
    fn outcome(&self, script: usize, adapter: usize) -> &Outcome {
        self.outcomes[script * self.adapters.len() + adapter]
            .get_or_init(|| play(self.scripts[script], &*self.adapters[adapter]))
    }

    fn script(&self, name: &str) -> usize {
        let place = self.scripts.iter().position(|script| script.name == name);
        place.unwrap_or_else(|| panic!("there is no script {name}"))
    }

    /// Runs one script over the adapter of this name, in which `_` stands for `-` too. A script that
    /// could not be run is named on standard error.
    ///
    /// # Panics
    /// If it does not hold.
    pub fn test(&self, script: &str, name: &str) {
        let name = name.replace('_', "-");
        let adapter = self.adapters.iter().position(|adapter| adapter.name() == name);
        let adapter = adapter.unwrap_or_else(|| panic!("there is no adapter {name}"));
        match self.outcome(self.script(script), adapter) {
            Outcome::Passed(_) => {}
            Outcome::Failed(why) => panic!("{script} over {name}: {why}"),
            #[allow(clippy::print_stderr)]
            Outcome::NotRun(why) => eprintln!("NOT RUN: {script} over {name}: {why}"),
        }
    }

    /// Compares what was told over all adapters.
    ///
    /// # Panics
    /// If it is not the same.
    pub fn compare(&self, script: &str) {
        let place = self.script(script);
        let first = place * self.adapters.len();
        self.run_all(first..first + self.adapters.len(), 3);
        let all = (1..self.adapters.len()).filter_map(|adapter| self.difference(place, adapter));
        let all: Vec<_> = all.collect();
        assert!(all.is_empty(), "{}", all.join("\n"));
    }

    /// How what was told over an adapter differs from what was told over the first. What failed is
    /// told elsewhere.
    fn difference(&self, script: usize, adapter: usize) -> Option<String> {
        let Outcome::Passed(first) = self.outcome(script, 0) else { return None };
        let Outcome::Passed(other) = self.outcome(script, adapter) else { return None };
        let (ours, theirs) = (&self.adapters[0], &self.adapters[adapter]);
        let words = ours.features().words && theirs.features().words;
        let shown = first.difference(other, words)?;
        let name = self.scripts[script].name;
        Some(format!("{name}: - over {}, + over {}\n{shown}", ours.name(), theirs.name()))
    }

    /// Runs these, so many at a time: most of them wait most of the time, but some take memory.
    fn run_all(&self, places: std::ops::Range<usize>, threads: usize) {
        let next = AtomicUsize::new(places.start);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if !places.contains(&at) {
                            return;
                        }
                        self.outcome(at / self.adapters.len(), at % self.adapters.len());
                    }
                });
            }
        });
    }

    /// Runs everything.
    #[must_use]
    pub fn run(&self) -> Report {
        self.run_all(0..self.outcomes.len(), 4);
        let mut report = Report::default();
        for (script, Script { name, .. }) in self.scripts.iter().enumerate() {
            for (place, adapter) in self.adapters.iter().enumerate() {
                let whose = format!("{name} over {}", adapter.name());
                match self.outcome(script, place) {
                    Outcome::Passed(_) => report.passed += 1,
                    Outcome::Failed(why) => report.failed.push(format!("{whose}: {why}")),
                    Outcome::NotRun(why) => report.not_run.push(format!("{whose}: {why}")),
                }
                report.failed.extend(self.difference(script, place));
            }
        }
        report
    }
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.adapters.iter().map(|adapter| adapter.name()).collect();
        f.debug_struct("Suite").field("adapters", &names).finish_non_exhaustive()
    }
}

/// What all scripts came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many held.
    pub passed: usize,
    /// What did not hold, and what was told differently.
    pub failed: Vec<String>,
    /// What was not run, and why.
    pub not_run: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failed.iter().try_for_each(|what| writeln!(f, "FAILED   {what}"))?;
        self.not_run.iter().try_for_each(|what| writeln!(f, "NOT RUN  {what}"))?;
        let (failed, not_run) = (self.failed.len(), self.not_run.len());
        write!(f, "{} passed, {failed} failed, {not_run} not run", self.passed)
    }
}
