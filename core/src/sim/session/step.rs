//! The steps that a session's scenario is made of. As those of a connection they name things
//! relatively, so that a script stays meaningful when some of it is taken away.

use crate::sim::{Choices, Step};

/// What the peer says to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saying {
    /// The answer to the last request but so many, or a refusal.
    Answer(u8, bool),
    /// The same with an id that may never have been asked.
    AnyAnswer(u8, bool),
    /// What confirms every subscription of a kind.
    Confirm(u8),
    /// What refuses it.
    Refuse(u8),
    /// A message on one of several topics.
    News(u8),
    /// One of several oddities.
    Odd(u8),
}

/// Something that happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStep {
    /// Something that happens to its connection. Its transports are released by the session alone.
    Connection(Step),
    /// Whatever comes next where nothing goes wrong: the dial succeeds, the login does, what was
    /// written is flushed, or else time passes to the deadline.
    Oblige,
    /// The transport is cut off, and the next one is dialled and opens.
    Cut,
    /// The peer says something.
    Hear(Saying),
    /// The application subscribes: one of 17 kinds, which says how that is confirmed, and for how
    /// long it waits.
    Subscribe(u8, u8),
    /// It takes the last subscription back but so many.
    Unsubscribe(u8),
    /// It asks something, of a class, within a time or the usual one.
    Ask(u8, Option<u8>),
    /// It asks what cannot be asked.
    AskOdd(u8),
    /// It gives up the last request but so many.
    GiveUp(u8),
    /// It asks and gives up so many times, and once more, all at once: so often that the connection is
    /// busy. Of a class.
    Burst(u8, u8),
    /// It listens to one of several patterns.
    Listen(u8),
    /// The last subscriber but so many leaves.
    Unlisten(u8),
    /// Of the login, about this transport or the one before: so many messages, and what it comes to.
    Login(bool, u8, u8),
    /// It has looked at a message that came during the login, and passes it on or keeps it.
    Look(bool),
    /// It has looked at the queue, drops those of these bits, and lets the last go first.
    LookAtQueue(u8, bool),
    /// Nobody drives the connection any more.
    Leave,
}

impl SessionStep {
    /// A step by choice.
    #[must_use]
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.weighted(&[50, 40, 36, 16, 6, 18, 2, 4, 4, 3, 8, 6, 6, 6, 1]) {
            0 => SessionStep::Oblige,
            1 => SessionStep::Connection(Step::choose(c)),
            2 => SessionStep::Hear(saying(c)),
            3 => SessionStep::Subscribe(c.below(17) as u8, c.byte()),
            4 => SessionStep::Unsubscribe(c.below(4) as u8),
            5 => SessionStep::Ask(c.below(4) as u8, c.chance(300).then(|| c.byte())),
            6 => SessionStep::AskOdd(c.below(4) as u8),
            7 => SessionStep::GiveUp(c.below(4) as u8),
            8 => SessionStep::Listen(c.below(8) as u8),
            9 => SessionStep::Unlisten(c.below(4) as u8),
            10 => SessionStep::Login(c.chance(50), c.below(3) as u8, c.byte()),
            11 => SessionStep::Look(c.chance(500)),
            12 => SessionStep::LookAtQueue(c.byte(), c.chance(500)),
            13 => SessionStep::Cut,
            _ => match c.below(20) {
                0 => SessionStep::Leave,
                1..=8 => SessionStep::Burst(c.byte(), c.below(4) as u8),
                _ => SessionStep::Oblige,
            },
        }
    }
}

fn saying(c: &mut Choices<'_>) -> Saying {
    match c.weighted(&[10, 2, 8, 2, 8, 4]) {
        0 => Saying::Answer(c.below(4) as u8, c.chance(200)),
        1 => Saying::AnyAnswer(c.below(20) as u8, c.chance(200)),
        2 => Saying::Confirm(c.below(4) as u8),
        3 => Saying::Refuse(c.below(4) as u8),
        4 => Saying::News(c.below(8) as u8),
        _ => Saying::Odd(c.byte()),
    }
}
