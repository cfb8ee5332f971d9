//! The steps that a scenario is made of.
//!
//! They name things relatively (the current transport, the last ping, the third id written), so
//! that a sequence stays meaningful when some of it is taken away.

use super::choices::Choices;

/// Whose event it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whom {
    /// The transport dialled last.
    #[default]
    Current,
    /// One dialled so many before it.
    Past(u8),
    /// One that may be dialled later.
    Future(u8),
}

/// How time passes. In milliseconds, unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// To the deadline exactly.
    Deadline,
    /// Past the deadline.
    Late(u8),
    /// A nanosecond before the deadline.
    JustBefore,
    /// Half way to the deadline.
    Early,
    /// On.
    By(u8),
    /// Backwards.
    Back(u8),
    /// On, by seconds.
    Jump(u16),
}

/// What the peer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// A message, with an id or without.
    Message(Option<u8>),
    /// Binary data of so many bytes.
    Binary(u8),
    /// The protocol's ping.
    Ping,
    /// The answer to the last ping but so many.
    Pong(u8),
    /// A pong that answers nothing.
    WrongPong(u64),
    /// The dialect's ping.
    DialectPing,
    /// The dialect's pong.
    DialectPong,
    /// An acknowledgement of the last id written but so many.
    Ack(u8, bool),
    /// An acknowledgement of that id, written or not.
    AnyAck(u64, bool),
    /// An acknowledgement of what is no id.
    BadAck,
    /// What nests too deeply.
    Deep,
    /// A close frame.
    Close(Option<u16>),
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Time passes, and the connection is told so.
    Tick(Clock),
    /// Time passes until the next event.
    Pass(Clock),
    /// From now on actions are taken only when a step says so, or again after each.
    Lazy(bool),
    /// Takes so many actions, and one more.
    Poll(u8),
    /// The dial succeeds; the bits are what the transport lacks.
    Opened(Whom, u8),
    /// The dial fails in one of several ways; the last is what the server asks for.
    DialFailed(Whom, u8, u16),
    /// The peer sends something.
    Receive(Whom, Inbound),
    /// Bytes come.
    Heard(Whom),
    /// All that was written is flushed, but so many writes.
    Flushed(Whom, u8),
    /// More than was written is flushed.
    FlushedBeyond(Whom, u8),
    /// So many bytes wait.
    Buffered(Whom, u16),
    /// The peer breaks the protocol.
    Violated(Whom, u16),
    /// The transport ends.
    Ended(Whom),
    /// The application sends so many bytes, of a class and a lifetime or the default ones.
    Send(u8, u8, Option<u8>),
    /// The same, to go ahead of what is queued.
    SendAhead(u8, u8, Option<u8>),
    /// The application sends one of several oddities.
    SendOdd(u8),
    /// The application takes back the last message but so many.
    Cancel(u8),
    /// It takes back all.
    Purge,
    /// It wants the last message but so many, and then that but so many, to go first.
    Reorder(u8, u8),
    /// It releases what is queued.
    Release(Whom),
    /// It refuses the opening; and says whether another transport may fare better.
    Refuse(Whom, bool),
    /// It closes.
    Close(u16),
    /// It drains.
    Drain(Option<u8>),
    /// It wants a new transport.
    Reconnect,
    /// The retry hook answers: about the pending attempt plus so many, keep, stop, or a delay.
    Retry(u8, Option<Option<u8>>),
    /// The driver stops reading.
    Pause,
    /// It reads again.
    Resume,
}

impl Step {
    /// A step by choice: mostly what a driver would do, with some nonsense.
    #[must_use]
    pub fn choose(choices: &mut Choices<'_>) -> Self {
        if choices.chance(40) { nonsense(choices) } else { plausible(choices) }
    }
}

fn plausible(c: &mut Choices<'_>) -> Step {
    let we = Whom::Current;
    match c.weighted(&[30, 3, 24, 4, 28, 3, 20, 3, 3, 30, 4, 3, 2, 2, 2, 3, 6, 8, 1, 2]) {
        0 => Step::Tick(clock(c)),
        1 => Step::Pass(clock(c)),
        2 => Step::Opened(we, c.one_of(&[0, 0, 0, 0, 0, 5, 4, 2])),
        3 => Step::DialFailed(we, c.below(8) as u8, c.short()),
        4 => Step::Receive(we, inbound(c)),
        5 => Step::Heard(we),
        6 => Step::Flushed(we, c.one_of(&[0, 0, 0, 1, 2])),
        7 => Step::Buffered(we, c.below(40) as u16),
        8 => Step::Ended(we),
        9 => Step::Send(c.below(60) as u8, c.below(4) as u8, lifetime(c)),
        10 => Step::SendOdd(c.byte()),
        11 => Step::Cancel(c.below(4) as u8),
        12 => Step::Reconnect,
        13 => Step::Retry(0, c.chance(500).then(|| Some(c.byte()))),
        14 => Step::Pause,
        15 => Step::Resume,
        16 => Step::SendAhead(c.below(60) as u8, c.below(4) as u8, lifetime(c)),
        17 => Step::Release(we),
        18 => Step::Refuse(we, c.chance(900)),
        _ => Step::Reorder(c.below(4) as u8, c.below(4) as u8),
    }
}

fn nonsense(c: &mut Choices<'_>) -> Step {
    match c.weighted(&[4, 3, 6, 2, 2, 2, 2, 1, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) {
        0 => Step::Opened(whom(c), c.below(8) as u8),
        1 => Step::DialFailed(whom(c), c.byte(), c.short()),
        2 => Step::Receive(whom(c), inbound(c)),
        3 => Step::Heard(whom(c)),
        4 => Step::Flushed(whom(c), c.byte()),
        5 => Step::FlushedBeyond(whom(c), c.byte()),
        6 => Step::Buffered(whom(c), c.short()),
        7 => Step::Violated(whom(c), c.short()),
        8 => Step::Ended(whom(c)),
        9 => Step::Send(c.byte(), c.byte(), lifetime(c)),
        10 => Step::Lazy(c.chance(500)),
        11 => Step::Poll(c.byte()),
        12 => Step::Cancel(c.byte()),
        13 => Step::Purge,
        14 => Step::Close(c.one_of(&[1000, 1000, 1001, 4000, 1006, 0])),
        15 => Step::Drain(lifetime(c)),
        16 => Step::Reconnect,
        17 => Step::Retry(c.below(3) as u8, c.chance(500).then(|| c.chance(500).then(|| c.byte()))),
        18 => Step::Resume,
        19 => Step::SendAhead(c.byte(), c.byte(), lifetime(c)),
        20 => Step::Release(whom(c)),
        21 => Step::Refuse(whom(c), c.chance(500)),
        _ => Step::Reorder(c.byte(), c.byte()),
    }
}

fn whom(c: &mut Choices<'_>) -> Whom {
    match c.weighted(&[20, 2, 1]) {
        0 => Whom::Current,
        1 => Whom::Past(c.below(4) as u8),
        _ => Whom::Future(c.below(3) as u8),
    }
}

fn lifetime(c: &mut Choices<'_>) -> Option<u8> {
    c.chance(200).then(|| c.byte())
}

fn clock(c: &mut Choices<'_>) -> Clock {
    match c.weighted(&[8, 1, 4, 4, 4, 1, 1]) {
        0 => Clock::Deadline,
        1 => Clock::JustBefore,
        2 => Clock::Late(c.below(101) as u8),
        3 => Clock::Early,
        4 => Clock::By(c.byte()),
        5 => Clock::Back(c.byte()),
        _ => Clock::Jump(c.short()),
    }
}

fn inbound(c: &mut Choices<'_>) -> Inbound {
    match c.weighted(&[6, 1, 1, 5, 1, 1, 4, 6, 1, 1, 1, 1]) {
        0 => Inbound::Message(c.chance(500).then(|| c.below(8) as u8)),
        1 => Inbound::Binary(c.byte()),
        2 => Inbound::Ping,
        3 => Inbound::Pong(c.one_of(&[0, 0, 0, 1, 2, 3])),
        4 => Inbound::WrongPong(c.any()),
        5 => Inbound::DialectPing,
        6 => Inbound::DialectPong,
        7 => Inbound::Ack(c.below(4) as u8, c.chance(200)),
        8 => Inbound::AnyAck(c.below(40), c.chance(500)),
        9 => Inbound::BadAck,
        10 => Inbound::Deep,
        _ => Inbound::Close(c.chance(900).then(|| c.one_of(&CLOSE_CODES))),
    }
}

/// Codes that a peer closes with: retried, advised, final, and nonsense.
pub(super) const CLOSE_CODES: [u16; 12] =
    [1000, 1001, 1012, 1013, 1011, 4002, 1006, 4001, 1008, 1002, 0, 65_535];
