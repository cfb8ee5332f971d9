//! Who pings when, which pong answers which ping, and what silence means.

use bytes::Bytes;

use crate::config::{Config, HeartbeatStyle};
use crate::event::Capabilities;
use crate::notice::Capability;
use crate::rng::{Rng, Stream};
use crate::time::{Duration, Instant};

/// How many pings are remembered for their round trip. Older ones still prove life.
const REMEMBERED: usize = 8;

/// How pings go out on the current transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Pings {
    /// As protocol pings.
    Protocol,
    /// As the dialect's own.
    Application,
    /// As protocol pings, each with one of the dialect's beside it that need not be answered.
    Both,
    /// Not at all: the server pings.
    Server,
    /// Not at all.
    Off,
}

impl Pings {
    /// What the transport and the dialect make of the configured style.
    pub(crate) fn choose(
        style: HeartbeatStyle,
        capabilities: Capabilities,
        dialect_pings: bool,
    ) -> Result<Self, Capability> {
        match style {
            HeartbeatStyle::Protocol if capabilities.protocol_ping => Ok(Pings::Protocol),
            HeartbeatStyle::Both if capabilities.protocol_ping => {
                Ok(if dialect_pings { Pings::Both } else { Pings::Protocol })
            }
            HeartbeatStyle::Protocol | HeartbeatStyle::Application | HeartbeatStyle::Both
                if dialect_pings =>
            {
                Ok(Pings::Application)
            }
            HeartbeatStyle::Protocol | HeartbeatStyle::Application | HeartbeatStyle::Both => {
                Err(Capability::ProtocolPing)
            }
            HeartbeatStyle::Server => Ok(Pings::Server),
            HeartbeatStyle::Off => Ok(Pings::Off),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ping {
    /// 1 for the first on this transport; 0 for an empty place.
    number: u64,
    nonce: u64,
    sent: Instant,
}

/// What a pong turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The time since its ping.
    pub(crate) rtt: Duration,
    /// Whether it answers the probe.
    pub(crate) probe: bool,
}

/// The pings of the current transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    nonces: Rng,
    pub(crate) pings: Pings,
    /// Pings sent, and pongs of the dialect's received, on this transport.
    sent: u64,
    answered: u64,
    recent: [Ping; REMEMBERED],
    /// The ping that is the probe after a clock jump. Kept apart, so that no later pings make it
    /// forgotten.
    probe: Option<Ping>,
    /// When something was last heard on this transport.
    pub(crate) last_heard: Instant,
    /// Since when data has been awaited.
    pub(crate) data_awaited: Instant,
    /// Whether anything was heard since it opened.
    pub(crate) proved_alive: bool,
    /// Whether a ping went out and nothing was heard since.
    pub(crate) asked: bool,
    pub(crate) rtt: Option<Duration>,
}

impl Heartbeat {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            nonces: Rng::new(seed, Stream::Nonce),
            pings: Pings::Off,
            sent: 0,
            answered: 0,
            recent: [Ping::default(); REMEMBERED],
            probe: None,
            last_heard: Instant::ZERO,
            data_awaited: Instant::ZERO,
            proved_alive: false,
            asked: false,
            rtt: None,
        }
    }

    /// Starts over on a new transport.
    pub(crate) fn open(&mut self, now: Instant, pings: Pings) {
        self.pings = pings;
        self.sent = 0;
        self.answered = 0;
        self.recent = [Ping::default(); REMEMBERED];
        self.probe = None;
        self.last_heard = now;
        self.proved_alive = false;
        self.asked = false;
        self.rtt = None;
    }

    /// Notes a ping that goes out now; returns the payload of a protocol ping.
    pub(crate) fn ping(&mut self, now: Instant) -> Bytes {
        self.sent += 1;
        self.asked = true;
        let nonce = self.nonces.next();
        self.recent[place(self.sent)] = Ping { number: self.sent, nonce, sent: now };
        Bytes::copy_from_slice(&nonce.to_be_bytes())
    }

    /// The ping just noted never goes out, so that nothing answers it.
    pub(crate) fn withdraw(&mut self) {
        self.recent[place(self.sent)] = Ping::default();
        self.sent -= 1;
    }

    /// Makes the ping just sent the probe; if it was not, nothing answers the probe.
    pub(crate) fn probe(&mut self, sent: bool) {
        let ping = if sent { self.recent[place(self.sent)] } else { Ping::default() };
        self.probe = Some(ping);
    }

    pub(crate) fn forget_probe(&mut self) {
        self.probe = None;
    }

    pub(crate) fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// A protocol pong: it answers the ping with the same payload, and no other. The last
    /// `unwritten` pings have not gone out and cannot have been answered.
    pub(crate) fn protocol_pong(
        &mut self,
        now: Instant,
        payload: &[u8],
        unwritten: u64,
    ) -> Option<Answer> {
        let ping = self.asked_with(payload, unwritten)?;
        self.answer(now, ping)
    }

    /// Whether this is the payload of a ping that a pong may still answer.
    pub(crate) fn knows(&self, payload: &[u8], unwritten: u64) -> bool {
        self.asked_with(payload, unwritten).is_some()
    }

    /// The ping with this payload that went out and is remembered.
    fn asked_with(&self, payload: &[u8], unwritten: u64) -> Option<Ping> {
        let nonce = u64::from_be_bytes(payload.try_into().ok()?);
        let written = 1..=self.sent.saturating_sub(unwritten);
        let mut known = self.recent.iter().chain(&self.probe);
        known.find(|ping| ping.nonce == nonce && written.contains(&ping.number)).copied()
    }

    /// A pong of the dialect's, which carries no nonce: a transport keeps the order, so the n-th
    /// pong answers the n-th ping, of which the last `unwritten` have not gone out either.
    pub(crate) fn application_pong(&mut self, now: Instant, unwritten: u64) -> Option<Answer> {
        // What was sent as protocol pings no words of the dialect's can answer.
        if self.pings != Pings::Application || self.answered + unwritten >= self.sent {
            return None;
        }
        self.answered += 1;
        let mut known = [self.recent[place(self.answered)]].into_iter().chain(self.probe);
        let ping = known.find(|ping| ping.number == self.answered)?;
        self.answer(now, ping)
    }

    /// Takes what decides on what comes next, with a live transport or without.
    #[cfg(feature = "sim")]
    pub(crate) fn fingerprint(&self, to: &mut crate::sim::Fingerprint, live: bool) {
        use core::hash::Hash as _;
        self.nonces.hash(to);
        if !live {
            return;
        }
        (self.pings, self.sent, self.answered, self.proved_alive, self.asked).hash(to);
        for ping in self.recent.iter().chain(&self.probe).filter(|ping| ping.number > 0) {
            (ping.number, ping.nonce).hash(to);
            to.instant(ping.sent);
        }
        self.probe.is_some().hash(to);
        to.instant(self.last_heard);
        to.instant(self.data_awaited);
    }

    fn answer(&mut self, now: Instant, ping: Ping) -> Option<Answer> {
        let remembered = &mut self.recent[place(ping.number)];
        if remembered.number == ping.number {
            *remembered = Ping::default();
        }
        let rtt = now - ping.sent;
        self.rtt = Some(rtt);
        let probe = self.probe.is_some_and(|probe| probe.number == ping.number);
        if probe {
            self.probe = None;
        }
        Some(Answer { rtt, probe })
    }
}

/// Where a ping of this number is remembered.
const fn place(number: u64) -> usize {
    // The remainder is below `REMEMBERED`.
    (number % REMEMBERED as u64) as usize
}

/// How long after a ping, or after the last sound of a server that pings, a link is dead.
pub(crate) fn patience(config: &Config, pings: Pings) -> Duration {
    let heartbeat = &config.heartbeat;
    let misses = heartbeat.interval.saturating_mul(heartbeat.misses);
    let patience = misses.saturating_add(heartbeat.deadline);
    match pings {
        Pings::Server => patience.saturating_add(heartbeat.interval),
        Pings::Protocol | Pings::Application | Pings::Both | Pings::Off => patience,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn heartbeat(pings: Pings) -> Heartbeat {
        let mut heartbeat = Heartbeat::new(1);
        heartbeat.open(at(0), pings);
        heartbeat
    }

    #[test]
    fn a_pong_is_matched_by_its_nonce() {
        let mut heartbeat = heartbeat(Pings::Protocol);
        let first = heartbeat.ping(at(10));
        let second = heartbeat.ping(at(20));
        assert_ne!(first, second);
        assert_eq!(heartbeat.protocol_pong(at(25), b"nonsense", 0), None);
        assert_eq!(heartbeat.protocol_pong(at(25), b"", 0), None);
        let answer = heartbeat.protocol_pong(at(25), &second, 0).expect("it matches");
        assert_eq!(answer.rtt, Duration::from_millis(5));
        let answer = heartbeat.protocol_pong(at(30), &first, 0).expect("it matches");
        assert_eq!(answer.rtt, Duration::from_millis(20));
        assert_eq!(heartbeat.protocol_pong(at(30), &first, 0), None, "twice");
    }

    #[test]
    fn only_what_a_pong_may_still_answer_is_known() {
        let mut heartbeat = heartbeat(Pings::Protocol);
        assert!(!heartbeat.knows(&0_u64.to_be_bytes(), 0), "the places are empty");
        let probe = heartbeat.ping(at(10));
        heartbeat.probe(true);
        assert!(heartbeat.knows(&probe, 0));
        assert!(!heartbeat.knows(&1_u64.to_be_bytes(), 0) && !heartbeat.knows(b"short", 0));
        let later: Vec<_> = (0..20).map(|n| heartbeat.ping(at(20 + n))).collect();
        assert!(heartbeat.knows(&probe, 0), "the probe is not forgotten");
        for (index, ping) in later.iter().enumerate() {
            assert_eq!(heartbeat.knows(ping, 0), index >= later.len() - REMEMBERED, "{index}");
        }
        heartbeat.protocol_pong(at(50), &probe, 0).expect("it matches");
        assert!(!heartbeat.knows(&probe, 0), "answered");
    }

    #[test]
    fn a_ping_that_did_not_go_out_is_answered_by_nothing() {
        let mut heartbeat = heartbeat(Pings::Protocol);
        let first = heartbeat.ping(at(10));
        let second = heartbeat.ping(at(20));
        assert!(heartbeat.knows(&first, 1) && !heartbeat.knows(&first, 2));
        assert_eq!(heartbeat.protocol_pong(at(25), &second, 1), None);
        assert!(heartbeat.protocol_pong(at(25), &second, 0).is_some());
        let third = heartbeat.ping(at(30));
        heartbeat.withdraw();
        heartbeat.probe(false);
        assert!(heartbeat.is_probing());
        assert_eq!(heartbeat.protocol_pong(at(35), &third, 0), None);
        assert_eq!(heartbeat.protocol_pong(at(35), &0_u64.to_be_bytes(), 0), None);
        assert!(!heartbeat.protocol_pong(at(35), &first, 0).expect("it matches").probe);
        let fourth = heartbeat.ping(at(40));
        assert!(!heartbeat.protocol_pong(at(45), &fourth, 0).expect("it matches").probe);
    }

    #[test]
    fn only_its_own_pong_answers_a_probe() {
        let mut heartbeat = heartbeat(Pings::Protocol);
        let early = heartbeat.ping(at(0));
        let probe = heartbeat.ping(at(10));
        heartbeat.probe(true);
        assert!(!heartbeat.protocol_pong(at(11), &early, 0).expect("it matches").probe);
        assert!(heartbeat.is_probing());
        assert!(heartbeat.protocol_pong(at(12), &probe, 0).expect("it matches").probe);
        assert!(!heartbeat.is_probing());
    }

    #[test]
    fn pongs_without_a_nonce_answer_in_order() {
        let mut heartbeat = heartbeat(Pings::Application);
        assert_eq!(heartbeat.application_pong(at(1), 0), None, "unasked");
        heartbeat.ping(at(10));
        heartbeat.ping(at(20));
        heartbeat.probe(true);
        let answer = heartbeat.application_pong(at(30), 0).expect("it matches");
        assert_eq!((answer.rtt, answer.probe), (Duration::from_millis(20), false));
        let answer = heartbeat.application_pong(at(30), 0).expect("it matches");
        assert_eq!((answer.rtt, answer.probe), (Duration::from_millis(10), true));
        assert_eq!(heartbeat.application_pong(at(31), 0), None);
    }

    #[test]
    fn forgotten_pings_still_count_in_the_order() {
        let mut heartbeat = heartbeat(Pings::Application);
        for n in 0..20 {
            heartbeat.ping(at(n));
        }
        let answered = (0..20).filter(|_| heartbeat.application_pong(at(100), 0).is_some()).count();
        assert_eq!(answered, REMEMBERED);
        assert_eq!(heartbeat.application_pong(at(100), 0), None);
    }

    #[test]
    fn a_ping_that_did_not_go_out_has_no_place_in_the_order() {
        let mut heartbeat = heartbeat(Pings::Application);
        heartbeat.ping(at(10));
        heartbeat.withdraw();
        heartbeat.ping(at(20));
        let answer = heartbeat.application_pong(at(30), 0).expect("it matches");
        assert_eq!(answer.rtt, Duration::from_millis(10));
    }

    #[test]
    fn a_missing_capability_is_replaced_or_named() {
        let (socket, browser) = (Capabilities::SOCKET, Capabilities::BROWSER);
        for (style, on_a_socket) in
            [(HeartbeatStyle::Protocol, Pings::Protocol), (HeartbeatStyle::Both, Pings::Both)]
        {
            assert_eq!(Pings::choose(style, socket, true), Ok(on_a_socket));
            assert_eq!(Pings::choose(style, browser, true), Ok(Pings::Application));
            assert_eq!(Pings::choose(style, browser, false), Err(Capability::ProtocolPing));
        }
        for style in [HeartbeatStyle::Protocol, HeartbeatStyle::Both] {
            assert_eq!(Pings::choose(style, socket, false), Ok(Pings::Protocol));
        }
    }
}
