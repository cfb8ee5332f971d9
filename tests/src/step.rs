//! The steps that a scenario is made of.
//!
//! They name things relatively (the current transport, the last ping, the third id written), so
//! that a sequence stays meaningful when some of it is taken away.

/// Whose event it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
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
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub enum Clock {
    /// To the deadline exactly.
    Deadline,
    /// Past the deadline.
    Late(u8),
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
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
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
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
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
    /// The application sends one of several oddities.
    SendOdd(u8),
    /// The application takes back the last message but so many.
    Cancel(u8),
    /// It takes back all.
    Purge,
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
