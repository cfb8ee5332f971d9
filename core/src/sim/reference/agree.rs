//! The model beside the connection.

use alloc::format;
use alloc::string::{String, ToString};

use super::Reference;
use crate::config::Config;
use crate::sim::step::{Clock, Step, Whom};
use crate::sim::{Log, Scenario};

/// Whether the model has an opinion about a step.
#[must_use]
pub fn understands(step: Step) -> bool {
    match step {
        Step::Tick(clock) => match clock {
            Clock::Deadline | Clock::JustBefore | Clock::Early => true,
            Clock::Late(_) | Clock::By(_) | Clock::Back(_) | Clock::Jump(_) => false,
        },
        Step::Opened(whom, lacks) => whom != Whom::Current || lacks == 0,
        Step::Pass(_)
        | Step::Lazy(_)
        | Step::Poll(_)
        | Step::SendOdd(_)
        | Step::Buffered(..)
        | Step::Pause
        | Step::Resume => false,
        Step::DialFailed(..)
        | Step::Receive(..)
        | Step::Heard(_)
        | Step::Flushed(..)
        | Step::FlushedBeyond(..)
        | Step::Violated(..)
        | Step::Ended(_)
        | Step::Send(..)
        | Step::SendAhead(..)
        | Step::Cancel(_)
        | Step::Purge
        | Step::Reorder(..)
        | Step::Release(_)
        | Step::Refuse(..)
        | Step::Close(_)
        | Step::Drain(_)
        | Step::Reconnect
        | Step::Retry(..) => true,
    }
}

/// Carries out the steps that the model [`understands`], and compares after each: the state, the
/// attempt, the outbox, what became of every message, and the range of every delay. Returns how
/// many steps were compared.
///
/// # Errors
/// Where they first disagree, in words; or the first invariant that is violated.
pub fn agree(config: Config, seed: u64, steps: &[Step]) -> Result<usize, String> {
    let mut scenario = Scenario::with_log(config.clone(), seed, Log::all());
    let mut model = Reference::new(&config, scenario.driver().now());
    let mut compared = 0;
    for step in steps.iter().filter(|step| understands(**step)) {
        let before = scenario.taken();
        scenario.step(*step).map_err(|violation| violation.to_string())?;
        let Some((now, event, result)) = scenario.last_event() else { continue };
        let Log::All(log) = scenario.driver().log() else { continue };
        let actions = log[before..].iter().map(|(_, action)| action);
        model.step(*now, event, result, actions);
        let status = scenario.driver().status();
        model
            .compare(&status)
            .map_err(|wrong| format!("{step:?} at {now}: {wrong}; {event:?} led to {status:?}"))?;
        compared += 1;
    }
    Ok(compared)
}
