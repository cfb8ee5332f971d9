//! What a simulated network does to its connections.

use super::choices::Choices;
use crate::time::Duration;

/// What the network is like, and how often something goes wrong.
///
/// A duration is the most that is drawn, evenly from zero; a chance is per mille. The default is
/// [`Weather::CALM`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weather {
    /// How long everything takes, one way.
    pub latency: Duration,
    /// What is added to that, at most; the order of one direction is kept.
    pub jitter: Duration,
    /// How long a handshake takes beyond the latency, at most.
    pub handshake: Duration,
    /// How long the kernel takes to take what was written, at most.
    pub flush: Duration,
    /// How often it takes only a part.
    pub partial: u16,
    /// How often a frame arrives in pieces.
    pub pieces: u16,
    /// How late a driver is woken, at most.
    pub late: Duration,
    /// How often a transport is like a browser's: without pings and flush reports.
    pub browser: u16,
    /// How often an event of an aborted transport is reported all the same.
    pub stale: u16,
    /// The mean time between two faults of one client; `None` for no faults.
    pub every: Option<Duration>,
    /// How long a fault lasts, at most.
    pub lasts: Duration,
    /// How often each fault comes, in comparison.
    pub faults: Weights,
}

/// How often each [`Fault`] comes, in comparison; 0 for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// [`Fault::Fin`].
    pub fin: u16,
    /// [`Fault::Reset`].
    pub reset: u16,
    /// [`Fault::Silence`], in either direction or both.
    pub silence: u16,
    /// [`Fault::Stall`].
    pub stall: u16,
    /// [`Fault::RefuseDial`].
    pub refuse_dial: u16,
    /// [`Fault::RefuseHandshake`].
    pub refuse_handshake: u16,
    /// [`Fault::SlowHandshake`] and [`Fault::NoHandshake`].
    pub slow_handshake: u16,
    /// [`Fault::Close`].
    pub close: u16,
    /// [`Fault::ClockJump`].
    pub clock_jump: u16,
    /// [`Fault::ClockBack`].
    pub clock_back: u16,
    /// [`Fault::LateTick`].
    pub late_tick: u16,
    /// [`Fault::StopReading`].
    pub stop_reading: u16,
    /// [`Fault::Stale`].
    pub stale: u16,
}

impl Weights {
    /// All alike.
    pub const ALL: Self = Self {
        fin: 1,
        reset: 1,
        silence: 1,
        stall: 1,
        refuse_dial: 1,
        refuse_handshake: 1,
        slow_handshake: 1,
        close: 1,
        clock_jump: 1,
        clock_back: 1,
        late_tick: 1,
        stop_reading: 1,
        stale: 1,
    };
}

/// Something that goes wrong for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server ends the connection, after what it has sent.
    Fin,
    /// The connection is reset; what is under way is lost.
    Reset,
    /// The link is half open: nothing gets through for a while, and nobody is told. What was sent
    /// arrives when it is over.
    Silence {
        /// Towards the client.
        inbound: bool,
        /// Towards the server.
        outbound: bool,
        /// How long; [`Duration::MAX`] for ever.
        lasts: Duration,
    },
    /// The kernel takes nothing that is written, for so long.
    Stall(Duration),
    /// The next dial finds nobody.
    RefuseDial,
    /// The next handshake is refused.
    RefuseHandshake {
        /// The HTTP status.
        status: u16,
        /// What `Retry-After` asks for.
        retry_after: Option<Duration>,
    },
    /// The next handshake takes so much longer.
    SlowHandshake(Duration),
    /// The next handshake never ends.
    NoHandshake,
    /// The server closes with this code.
    Close(u16),
    /// The driver's clock jumps forwards.
    ClockJump(Duration),
    /// The driver's clock is set back.
    ClockBack(Duration),
    /// The driver is woken so much too late, once.
    LateTick(Duration),
    /// The application lags, and the driver stops reading for so long.
    StopReading(Duration),
    /// The driver reports an event of the transport before the current one; the number chooses
    /// which.
    Stale(u8),
}

impl Weather {
    /// Nothing goes wrong and nothing takes time.
    pub const CALM: Self = Self {
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        handshake: Duration::ZERO,
        flush: Duration::ZERO,
        partial: 0,
        pieces: 0,
        late: Duration::ZERO,
        browser: 0,
        stale: 0,
        every: None,
        lasts: Duration::ZERO,
        faults: Weights::ALL,
    };

    /// A bad network: a fault of every kind every `every` for each client, lasting up to five
    /// times as long; latencies up to a tenth of it.
    #[must_use]
    pub fn storm(every: Duration) -> Self {
        let tenth = every / 10;
        Self {
            latency: tenth / 4,
            jitter: tenth,
            handshake: tenth,
            flush: tenth,
            partial: 300,
            pieces: 50,
            late: every / 100,
            browser: 0,
            stale: 300,
            every: Some(every),
            lasts: every.saturating_mul(5),
            faults: Weights::ALL,
        }
    }

    /// A storm by choice, in which some kinds of faults may be missing; durations are in
    /// milliseconds, as those of a [`Setup`](super::Setup) are.
    #[must_use]
    pub fn choose(c: &mut Choices<'_>) -> Self {
        let ms = |most, c: &mut Choices<'_>| Duration::from_millis(c.below(most));
        let often = |c: &mut Choices<'_>| c.one_of(&[0_u16, 1, 1, 1, 4]);
        Self {
            latency: ms(8, c),
            jitter: ms(12, c),
            handshake: ms(12, c),
            flush: ms(10, c),
            partial: c.below(600) as u16,
            pieces: c.below(100) as u16,
            late: ms(6, c),
            browser: c.one_of(&[0, 0, 0, 100, 1_000]),
            stale: c.below(1_000) as u16,
            every: Some(Duration::from_millis(5 + c.below(400))),
            lasts: ms(1_000, c),
            faults: Weights {
                fin: often(c),
                reset: often(c),
                silence: often(c),
                stall: often(c),
                refuse_dial: often(c),
                refuse_handshake: often(c),
                slow_handshake: often(c),
                close: often(c),
                clock_jump: often(c),
                clock_back: often(c),
                late_tick: often(c),
                stop_reading: often(c),
                stale: often(c),
            },
        }
    }

    /// A fault by choice.
    #[must_use]
    pub fn fault(&self, c: &mut Choices<'_>) -> Fault {
        let Weights {
            fin,
            reset,
            silence,
            stall,
            refuse_dial,
            refuse_handshake,
            slow_handshake,
            close,
            clock_jump,
            clock_back,
            late_tick,
            stop_reading,
            stale,
        } = self.faults;
        let weights = [
            fin,
            reset,
            silence,
            stall,
            refuse_dial,
            refuse_handshake,
            slow_handshake,
            close,
            clock_jump,
            clock_back,
            late_tick,
            stop_reading,
            stale,
        ];
        let kind = c.weighted(&weights);
        let lasts = c.between(Duration::ZERO, self.lasts);
        match kind {
            0 => Fault::Fin,
            1 => Fault::Reset,
            2 => {
                let (inbound, outbound) = c.one_of(&[(true, true), (true, false), (false, true)]);
                let lasts = if c.chance(300) { Duration::MAX } else { lasts };
                Fault::Silence { inbound, outbound, lasts }
            }
            3 => Fault::Stall(lasts),
            4 => Fault::RefuseDial,
            5 => Fault::RefuseHandshake {
                status: c.one_of(&[503, 503, 429, 429, 500, 502]),
                retry_after: c.chance(700).then_some(lasts),
            },
            6 if c.chance(300) => Fault::NoHandshake,
            6 => Fault::SlowHandshake(lasts),
            7 => Fault::Close(c.one_of(&[1000, 1001, 1011, 1012, 1013, 1013, 4000])),
            8 => Fault::ClockJump(lasts.saturating_mul(4)),
            9 => Fault::ClockBack(lasts),
            10 => Fault::LateTick(lasts),
            11 => Fault::StopReading(lasts),
            _ => Fault::Stale(c.byte()),
        }
    }
}

impl Default for Weather {
    fn default() -> Self {
        Self::CALM
    }
}
