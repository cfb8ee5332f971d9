//! Worlds with weather: every invariant in the storm, and rest after it.
//!
//! `PERENNIAL_SEED` runs one seed, `PERENNIAL_STEPS` says for how long; `PROPTEST_CASES` sets the
//! number of cases of the property.

use perennial_core::sim::strategies::{forecast, setup, weather};
use perennial_core::sim::{
    Answer, Application, Chatter, Cx, Echo, Fault, Hands, Link, Rest, Server, Setup, Stats,
    Weather, World,
};
use perennial_core::{
    Class, Config, DialectConfig, Duration, HeartbeatStyle, Notice, Outgoing, Payload,
    SocketIoConfig,
};
use perennial_determinism::seeds;
use proptest::prelude::*;

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn cases(default: u32) -> ProptestConfig {
    let cases = from_env("PROPTEST_CASES").and_then(|cases| cases.try_into().ok());
    ProptestConfig {
        cases: cases.unwrap_or(default),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// All that can be checked, in the weather and with the faults of a forecast; then 37.
    #[test]
    fn what_the_weather_does_is_made_good(
        setups in prop::collection::vec(setup(), 1..4),
        weather in weather(),
        faults in forecast(),
        seed: u64,
    ) {
        let dialect = setups[0].dialect;
        let configs: Vec<Config> =
            setups.iter().map(|setup| Setup { dialect, ..setup.clone() }.config()).collect();
        let mut server = Echo::new(&configs[0].dialect);
        let waits = |config: &&Config| config.heartbeat.style == HeartbeatStyle::Server;
        server.pings = configs.iter().find(waits).map(|config| config.heartbeat.interval);
        let chatter = Chatter::new(Duration::from_millis(20));
        let mut world = World::with_application(seed, server, chatter);
        world.set_weather(weather);
        for config in configs {
            world.connect(config);
        }
        for (at, (after, fault)) in faults.into_iter().enumerate() {
            world.fault_in(after, at % world.clients(), fault);
        }
        let fail = |failure| Err(TestCaseError::fail(format!("{failure}")));
        match world.run(600).and_then(|()| world.settle()) {
            Ok(rests) => prop_assert_eq!(rests.len(), world.clients()),
            Err(failure) => return fail(failure),
        }
    }
}

/// A program that sends events of every class.
struct Events(u64);

impl<D: perennial_core::Dialect + Clone + PartialEq> Application<D> for Events {
    fn started(&mut self, hands: &mut Hands<'_, D>) {
        hands.wake_in(Duration::ZERO);
    }

    fn notified(&mut self, hands: &mut Hands<'_, D>, notice: &Notice) {
        // What is queued is to wait for the greeting's answer, and for nothing else.
        hands.release_at_once(notice);
    }

    fn woken(&mut self, hands: &mut Hands<'_, D>) {
        self.0 += 1;
        let class = hands.choices().one_of(&[Class::Volatile, Class::Queued, Class::Acknowledged]);
        // Refused where there is no room; the checker has seen why.
        let _ = hands.send(Outgoing::new(format!(r#"["event",{}]"#, self.0)).class(class));
        let pause = hands.choices().between(Duration::ZERO, Duration::from_millis(40));
        hands.wake_in(pause);
    }
}

/// The config of a setup, for Socket.IO.
fn socket_io(setup: &Setup) -> Config {
    let mut config = setup.config().into_builder();
    config.dialect = DialectConfig::SocketIo(SocketIoConfig::default());
    config.inbox.dedupe = 0;
    if matches!(config.heartbeat.style, HeartbeatStyle::Application | HeartbeatStyle::Both) {
        config.heartbeat.style = HeartbeatStyle::Server;
    }
    config.build().expect("it keeps the rules")
}

proptest! {
    #![proptest_config(cases(200))]

    /// The same over Socket.IO: nothing goes out before the server agrees, or all is tried again.
    #[test]
    fn what_the_weather_does_to_a_greeting_is_made_good(
        setups in prop::collection::vec(setup(), 1..4),
        weather in weather(),
        faults in forecast(),
        seed: u64,
    ) {
        let configs: Vec<Config> = setups.iter().map(socket_io).collect();
        let mut server = Echo::new(&configs[0].dialect);
        let waits = |config: &&Config| config.heartbeat.style == HeartbeatStyle::Server;
        server.pings = configs.iter().find(waits).map(|config| config.heartbeat.interval);
        let mut world = World::with_application(seed, server, Events(0));
        world.set_weather(weather);
        for config in configs {
            world.connect(config);
        }
        for (at, (after, fault)) in faults.into_iter().enumerate() {
            world.fault_in(after, at % world.clients(), fault);
        }
        match world.run(600).and_then(|()| world.settle()) {
            Ok(rests) => prop_assert_eq!(rests.len(), world.clients()),
            Err(failure) => return Err(TestCaseError::fail(format!("{failure}"))),
        }
    }
}

#[test]
fn seeded_worlds_keep_every_promise() {
    let steps = from_env("PERENNIAL_STEPS").unwrap_or(5_000);
    let seeds = match from_env("PERENNIAL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..64,
    };
    let mut total = Stats::default();
    for seed in seeds.clone() {
        let stats = seeds::run(seed, steps).unwrap_or_else(|failure| {
            panic!(
                "{failure}\nreproduce: PERENNIAL_SEED={seed} PERENNIAL_STEPS={steps} \
                 cargo test -p perennial-tests --test worlds seeded"
            )
        });
        total.add(&stats);
    }
    // The worlds say little if they reach little.
    if seeds.end - seeds.start >= 64 && steps >= 5_000 {
        let rare = [
            total.dead,
            total.jumps,
            total.acknowledged,
            total.duplicates,
            total.suspended,
            total.pongs,
            total.opened,
            total.rejected,
            total.undelivered,
        ];
        assert!(rare.iter().all(|count| *count >= 20), "{total:?}");
    }
}

#[test]
fn in_calm_weather_nothing_is_lost_and_nothing_repeated() {
    let setup = Setup { dialect: 2, interval: 200, deadline: 200, ..plain() };
    let mut world = World::new(1, Echo::new(&setup.config().dialect));
    let client = world.connect(setup.config());
    for n in 0..50 {
        let message = Outgoing::new(format!("message {n}")).class(Class::Acknowledged);
        let sent = world.act(client, |hands| hands.send(message));
        assert!(sent.is_ok(), "{sent:?}");
        world.run_for(Duration::from_millis(10)).expect("every promise is kept");
    }
    assert_eq!(world.settle(), Ok(vec![Rest::Open]));
    let stats = world.stats();
    assert_eq!((stats.acknowledged, stats.messages, stats.dials), (50, 50, 1), "{stats:?}");
    assert_eq!((stats.undelivered, stats.dead), (0, 0), "{stats:?}");
}

#[test]
fn every_fault_does_what_it_says() {
    let setup = Setup { dialect: 2, interval: 50, deadline: 50, stable_after: 20, ..plain() };
    let ms = Duration::from_millis;
    let meet = |fault: Fault| {
        let mut world = World::new(3, Echo::new(&setup.config().dialect));
        world.connect(setup.config());
        world.run_for(ms(500)).expect("every promise is kept");
        let before = world.stats();
        assert_eq!(before.opened, 1);
        world.fault_in(ms(0), 0, fault);
        // For the faults that lie in wait for a dial.
        let waits = matches!(
            fault,
            Fault::RefuseDial
                | Fault::RefuseHandshake { .. }
                | Fault::NoHandshake
                | Fault::SlowHandshake(_)
        );
        if waits {
            world.fault_in(ms(1), 0, Fault::Reset);
        }
        world.run_for(ms(5_000)).expect("every promise is kept");
        assert_eq!(world.settle(), Ok(vec![Rest::Open]), "{fault:?}");
        let counters = *world.driver(0).checked().connection().counters();
        (world.stats(), counters)
    };
    let ever = Duration::MAX;
    let dialled = |fault| meet(fault).0.dials;
    assert_eq!(dialled(Fault::Fin), 2);
    assert_eq!(dialled(Fault::Reset), 2);
    assert_eq!(dialled(Fault::Close(1001)), 2);
    assert_eq!(dialled(Fault::RefuseDial), 3);
    assert_eq!(dialled(Fault::NoHandshake), 3);
    assert_eq!(dialled(Fault::SlowHandshake(ms(10))), 2);
    assert_eq!(dialled(Fault::RefuseHandshake { status: 503, retry_after: Some(ms(5)) }), 3);
    let silence = Fault::Silence { inbound: true, outbound: true, lasts: ever };
    assert_eq!(meet(silence).0.dead, 1);
    let jump = meet(Fault::ClockJump(Duration::from_secs(60)));
    assert_eq!((jump.0.jumps, jump.0.dials), (1, 1));
    assert!(meet(Fault::ClockBack(ms(200))).1.clock_backwards >= 1);
    assert_eq!(meet(Fault::LateTick(Duration::from_secs(2))).0.jumps, 1);
    assert_eq!(meet(Fault::StopReading(ms(1_000))).0.dead, 0, "who does not read is not silent");
    assert_eq!(meet(Fault::Stall(ms(20))).0.dials, 1);
    assert_eq!(meet(Fault::Stale(0)).1.stale_events, 0, "there was no transport before");
}

#[test]
fn what_takes_for_ever_does_not_stop_the_clock() {
    let ever = Duration::MAX;
    let setup = Setup { style: 3, ..plain() };
    let mut world = World::new(2, Echo::new(&setup.config().dialect));
    world.connect(setup.config());
    world.run_for(Duration::from_millis(300)).expect("every promise is kept");
    for fault in [
        Fault::Silence { inbound: true, outbound: true, lasts: ever },
        Fault::Stall(ever),
        Fault::SlowHandshake(ever),
        Fault::StopReading(ever),
        Fault::LateTick(ever),
    ] {
        world.fault_in(Duration::ZERO, 0, fault);
    }
    world.act(0, |hands| hands.send("hello")).expect("there is room");
    let start = world.now();
    world.run(1_000).expect("every promise is kept");
    assert!(world.now() < start + Duration::from_secs(3_600));
    assert_eq!(world.settle(), Ok(vec![Rest::Open]));
}

/// A server that never acknowledges, or never answers at all.
struct Mute {
    answers: bool,
}

impl Server for Mute {
    fn dialed(&mut self, _cx: &mut Cx<'_>, _link: Link) -> Answer {
        if self.answers { Answer::Accept } else { Answer::Ignore }
    }

    fn received(&mut self, _cx: &mut Cx<'_>, _link: Link, _payload: Payload) {}
}

#[test]
fn who_does_not_come_to_rest_is_named() {
    let setup = Setup { dialect: 2, interval: 50, deadline: 50, ..plain() };
    for answers in [false, true] {
        let mut world = World::new(5, Mute { answers });
        world.connect(setup.config());
        let message = Outgoing::new("hello").class(Class::Acknowledged);
        world.act(0, |hands| hands.send(message)).expect("there is room");
        world.set_weather(Weather::storm(Duration::from_millis(100)));
        world.run(200).expect("every promise is kept");
        let failure = world.settle().expect_err("nothing acknowledges");
        assert_eq!((failure.violation.invariant, failure.seed, failure.client), (37, 5, 0));
        let told = failure.to_string();
        assert!(told.starts_with("seed 5, step ") && told.contains("invariant 37"), "{told}");
    }
}

#[test]
fn what_is_done_twice_is_the_same() {
    let run = |seed| {
        let mut world = seeds::world(seed, &perennial_core::sim::Log::digest());
        world.run(2_000).expect("every promise is kept");
        let logs: Vec<_> = (0..world.clients()).map(|n| world.driver(n).log().clone()).collect();
        (world.now(), world.stats(), logs)
    };
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}

/// A setup without odd limits.
fn plain() -> Setup {
    Setup {
        dial_timeout: 100,
        base: 10,
        cap: 100,
        jump: 250,
        probe_deadline: 50,
        close_timeout: 50,
        drain: 50,
        max_messages: 7,
        max_bytes: 255,
        credit: 255,
        ack_timeout: 100,
        ack_window: 3,
        ..Setup::default()
    }
}
