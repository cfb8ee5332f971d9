//! Worlds that follow from a seed alone: configs, weather, server and application.

use perennial_core::sim::{Chatter, Choices, Echo, Failure, Log, Setup, Stats, Weather, World};
use perennial_core::{Config, Duration, HeartbeatStyle};

/// A world of one seed.
pub type Seeded = World<Echo, Chatter>;

/// Every so many seeds a run is made twice, and goes on from a clone at half time as well
/// (invariants 31 and 32).
pub const TWICE_EVERY: u64 = 64;

/// One to four clients of arbitrary configs that speak one dialect, in arbitrary weather.
#[must_use]
pub fn world(seed: u64, log: &Log) -> Seeded {
    let mut choices = Choices::from_seed(seed);
    let count = 1 + choices.below(4);
    let setups: Vec<Setup> = (0..count).map(|_| Setup::choose(&mut choices)).collect();
    let weather = Weather::choose(&mut choices);
    let dialect = setups[0].dialect;
    let configs: Vec<Config> =
        setups.into_iter().map(|setup| Setup { dialect, ..setup }.config()).collect();
    let mut server = Echo::new(&configs[0].dialect);
    server.echoes = choices.chance(800);
    let waits = |config: &&Config| config.heartbeat.style == HeartbeatStyle::Server;
    server.pings = configs.iter().find(waits).map(|config| config.heartbeat.interval);
    let mut chatter = Chatter::new(Duration::from_millis(5 + choices.below(100)));
    chatter.leaves = choices.one_of(&[0, 0, 0, 1]);
    let mut world = World::with_application(seed, server, chatter);
    world.keep(log.clone());
    world.set_weather(weather);
    for config in configs {
        world.connect(config);
    }
    world
}

/// Takes so many steps in the seed's weather; then the faults end, and all must come to rest.
///
/// # Errors
/// The first promise that is broken.
pub fn run(seed: u64, steps: u64) -> Result<Stats, Failure> {
    if seed.is_multiple_of(TWICE_EVERY) { run_twice(seed, steps) } else { run_once(seed, steps) }
}

fn run_once(seed: u64, steps: u64) -> Result<Stats, Failure> {
    let mut world = world(seed, &Log::Off);
    world.run(steps)?;
    world.settle()?;
    Ok(world.stats())
}

fn run_twice(seed: u64, steps: u64) -> Result<Stats, Failure> {
    let mut one = world(seed, &Log::digest());
    one.run(steps / 2)?;
    let mut clone = one.clone();
    // Simulated once, whoever has the numbers.
    let half = one.stats();
    for world in [&mut one, &mut clone] {
        world.run(steps - steps / 2)?;
        world.settle()?;
    }
    let mut two = world(seed, &Log::digest());
    two.run(steps)?;
    two.settle()?;
    for client in 0..one.clients() {
        let log = |world: &Seeded| world.driver(client).log().clone();
        assert_eq!(log(&one), log(&two), "invariant 31: seed {seed}, client {client}");
        assert_eq!(log(&one), log(&clone), "invariant 32: seed {seed}, client {client}");
        let connection = |world: &Seeded| world.driver(client).checked().connection().clone();
        assert!(connection(&one) == connection(&two), "invariant 31: seed {seed}");
        assert!(connection(&one) == connection(&clone), "invariant 32: seed {seed}");
    }
    let mut stats = one.stats();
    stats.add(&two.stats());
    stats.add(&clone.stats().since(&half));
    Ok(stats)
}
