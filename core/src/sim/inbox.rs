//! What was received: delivered once, or a duplicate.

use alloc::collections::VecDeque;

use core::hash::Hash as _;

use super::fingerprint::Fingerprint;
use super::{Moment, Verdict, demand};
use crate::action::Action;
use crate::dialect::Meaning;
use crate::event::Event;
use crate::frame::Payload;
use crate::notice::{Message, Notice};
use crate::status::Counters;

/// The ids delivered lately, and what must be told of the event at hand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Inbox {
    window: VecDeque<u64>,
    expected: VecDeque<Notice>,
    received: u64,
    duplicates: u64,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { window: VecDeque::new(), expected: VecDeque::new(), received: 0, duplicates: 0 }
    }

    /// Takes what decides on what comes next.
    pub(super) fn fingerprint(&self, to: &mut Fingerprint) {
        // Nothing is expected between events.
        let Self { window, expected: _, received: _, duplicates: _ } = self;
        window.hash(to);
    }

    /// Takes what a frame was found to mean.
    pub(super) fn event(&mut self, moment: &Moment<'_>, meaning: Meaning) {
        let (payload, id) = match meaning {
            Meaning::Message { payload, id } => (payload, id),
            Meaning::Unreadable { payload, .. } | Meaning::Admission { payload, .. } => {
                (payload, None)
            }
            Meaning::Messages(payloads) => {
                for payload in payloads {
                    self.expect(moment, payload, None);
                }
                return;
            }
            Meaning::Ping | Meaning::Pong | Meaning::Ack { .. } | Meaning::BadAck => return,
        };
        self.expect(moment, payload, id);
    }

    fn expect(&mut self, moment: &Moment<'_>, payload: Payload, id: Option<u64>) {
        let Event::Received { transport, .. } = moment.event else { return };
        let size = moment.config.inbox.dedupe;
        if let Some(id) = id
            && size > 0
        {
            if self.window.contains(&id) {
                self.duplicates += 1;
                self.expected.push_back(Notice::Duplicate { id });
                return;
            }
            self.window.push_back(id);
            if self.window.len() > size {
                self.window.pop_front();
            }
        }
        self.received += 1;
        let message = Message { payload, id, transport: *transport };
        self.expected.push_back(Notice::Message(message));
    }

    #[inline]
    pub(super) fn action(&mut self, action: &Action) -> Verdict {
        if let Action::Notify(notice @ (Notice::Message(_) | Notice::Duplicate { .. })) = action {
            let expected = self.expected.pop_front();
            demand!(28, expected.as_ref() == Some(notice), "{notice:?}, expected {expected:?}");
        }
        Ok(())
    }

    #[inline]
    pub(super) fn after(&self, counters: &Counters) -> Verdict {
        demand!(28, self.expected.is_empty(), "{:?} was not told", self.expected);
        let counted = (counters.received, counters.duplicates);
        let seen = (self.received, self.duplicates);
        demand!(28, counted == seen, "counted {counted:?}, seen {seen:?}");
        Ok(())
    }
}
