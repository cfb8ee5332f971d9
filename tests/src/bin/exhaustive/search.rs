//! The search itself.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use perennial_core::Config;
use perennial_core::sim::{Scenario, Setup};

use super::moves::MOVES;

/// The deepest search whose states can be kept.
pub(crate) const DEEPEST: usize = 14;
/// Shared between threads in parts, so that they seldom wait for each other.
const SHARDS: usize = 64;
/// States that a thread takes at a time.
const BATCH: usize = 256;

/// The moves that lead to a state, and its fingerprint.
#[derive(Clone, Copy)]
struct State {
    moves: [u8; DEEPEST],
    fingerprint: u128,
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u128(&mut self, number: u128) {
        // The lower half chooses the shard, the upper one the place in it.
        self.0 = (number >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

type Shard = HashSet<u128, BuildHasherDefault<AsItIs>>;

pub(crate) struct Search {
    config: Config,
    visited: Vec<Mutex<Shard>>,
    events: AtomicU64,
}

/// How much there was.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) events: u64,
}

/// What was found, and the moves that show it.
pub(crate) struct Failure {
    moves: Vec<u8>,
    what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.what)?;
        write!(f, "after {} moves:", self.moves.len())?;
        for at in &self.moves {
            write!(f, " {:?}", MOVES[usize::from(*at)])?;
        }
        Ok(())
    }
}

impl Search {
    pub(crate) fn new(setup: &Setup) -> Self {
        let visited = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { config: setup.config(), visited, events: AtomicU64::new(0) }
    }

    pub(crate) fn run(&self, depth: usize) -> Result<Found, Failure> {
        let start = Scenario::new(self.config.clone(), 1);
        let first = State { moves: [0; DEEPEST], fingerprint: start.fingerprint() };
        let _ = self.is_new(first.fingerprint);
        let mut layer = vec![first];
        for length in 0..depth {
            // The states of the last layer are counted and checked, but lead nowhere.
            layer = self.expand(&layer, length, length + 1 < depth)?;
        }
        let count = |shard: &Mutex<Shard>| shard.lock().map_or(0, |shard| shard.len());
        let states = self.visited.iter().map(count).sum();
        Ok(Found { states, events: self.events.load(Ordering::Relaxed) })
    }

    /// Makes every move in every state of a layer, and returns the states that are new.
    fn expand(&self, layer: &[State], length: usize, keep: bool) -> Result<Vec<State>, Failure> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut new = Vec::new();
            loop {
                let from = next.fetch_add(BATCH, Ordering::Relaxed);
                if from >= layer.len() {
                    return Ok(new);
                }
                for state in &layer[from..layer.len().min(from + BATCH)] {
                    let done = self.visit(state, length, keep, &mut new);
                    if done.is_err() {
                        // The others need not go on.
                        next.store(layer.len(), Ordering::Relaxed);
                    }
                    done?;
                }
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let mut all = Vec::new();
            for worker in workers {
                let done = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                all.append(&mut done?);
            }
            Ok(all)
        })
    }

    fn visit(
        &self,
        state: &State,
        length: usize,
        keep: bool,
        new: &mut Vec<State>,
    ) -> Result<(), Failure> {
        let moves = &state.moves[..length];
        let failure = |last: Option<u8>, what: String| Failure {
            moves: moves.iter().copied().chain(last).collect(),
            what,
        };
        let mut scenario = Scenario::new(self.config.clone(), 1);
        for at in moves {
            let step = scenario.step(MOVES[usize::from(*at)]);
            step.map_err(|violation| failure(None, violation.to_string()))?;
        }
        if scenario.fingerprint() != state.fingerprint {
            let what = "invariants 31 and 32: the same moves led to another state";
            return Err(failure(None, what.to_string()));
        }
        let settled = scenario.clone().settle(false);
        settled.map_err(|violation| failure(None, violation.to_string()))?;
        for (at, step) in (0_u8..).zip(MOVES) {
            let mut child = scenario.clone();
            let done = child.step(step);
            done.map_err(|violation| failure(Some(at), violation.to_string()))?;
            let fingerprint = child.fingerprint();
            if self.is_new(fingerprint) && keep {
                let mut moves = state.moves;
                moves[length] = at;
                new.push(State { moves, fingerprint });
            }
        }
        self.events.fetch_add(MOVES.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn is_new(&self, fingerprint: u128) -> bool {
        // The remainder is below `SHARDS`.
        let shard = &self.visited[(fingerprint % SHARDS as u128) as usize];
        match shard.lock() {
            Ok(mut shard) => shard.insert(fingerprint),
            // Another thread has panicked, which is told when it is joined.
            Err(_) => false,
        }
    }
}
