//! What the outbox takes, and what it does when it is full.

use alloc::vec::Vec;

use super::{Entry, Outbox, Place};
use crate::config::{Class, Config, Overflow, WhileDown};
use crate::dialect::{Dialect, Encoding};
use crate::error::{EncodeError, Rejected};
use crate::event::{Outgoing, Seq};
use crate::notice::{DropReason, Fate};
use crate::output::Output;
use crate::time::Instant;

impl Outbox {
    /// Takes a message, or gives it back. `open` says whether a volatile one has a chance.
    pub(crate) fn accept<D: Dialect>(
        &mut self,
        message: Outgoing,
        config: &Config,
        dialect: &mut D,
        now: Instant,
        open: bool,
        output: &mut Output,
    ) -> Result<Seq, Rejected> {
        let limits = &config.outbox;
        #[cfg(perennial_planted)]
        let limits = &super::planted::loosen(limits, output);
        let class = message.class.unwrap_or(limits.class);
        let too_large =
            |message, size| Err(Rejected::TooLarge { message, size, limit: limits.max_bytes });
        // An envelope only adds to it, so there is no need to write one to know.
        let size = message.payload.len();
        if size > limits.max_bytes {
            return too_large(message, size);
        }
        let refuses = limits.while_down == WhileDown::Refuse && !open;
        if refuses && !planted!(output, TakenWhileDown) {
            return Err(Rejected::NotOpen(message));
        }
        let gives_back = matches!(limits.overflow, Overflow::Reject | Overflow::Wait);
        let hopeless = class == Class::Volatile && !open;
        if gives_back && !hopeless && !self.has_room(size, limits.max_messages, limits.max_bytes) {
            self.note_refusal(size);
            return Err(Rejected::QueueFull(message));
        }

        let unix_ms = config.wall_clock_origin_ms.saturating_add(now.as_millis());
        let context = Encoding { id: self.next_id, unix_ms, class };
        let kept = dialect.rewrites().then(|| message.payload.clone());
        let Outgoing { payload, class: named, ttl, ahead } = message;
        let give_back =
            |payload| Outgoing { payload: kept.unwrap_or(payload), class: named, ttl, ahead };
        let encoded = match dialect.encode(payload, context) {
            Ok(encoded) => encoded,
            Err((payload, error)) => {
                return Err(Rejected::Unencodable { message: give_back(payload), error });
            }
        };
        if class == Class::Acknowledged && encoded.id.is_none() {
            let message = give_back(encoded.payload);
            return Err(Rejected::Unencodable { message, error: EncodeError::NoAcks });
        }
        let size = encoded.payload.len();
        if size > limits.max_bytes {
            return too_large(give_back(encoded.payload), size);
        }
        let fits = self.has_room(size, limits.max_messages, limits.max_bytes);
        if gives_back && !hopeless && !fits {
            self.note_refusal(size);
            return Err(Rejected::QueueFull(give_back(encoded.payload)));
        }
        let expires = ttl.or(limits.ttl).map(|ttl| now + ttl);

        // Accepted: from here on nothing is given back.
        let seq = self.admit(encoded.id, output);
        let mut fate = None;
        if hopeless {
            fate = Some(Fate::Dropped(DropReason::NotOpen));
        } else if !fits {
            let full = match limits.overflow {
                Overflow::DropOldest => !self.make_room(size, config, output),
                Overflow::DropNewest | Overflow::Reject | Overflow::Wait => true,
            };
            if full {
                fate = Some(Fate::Dropped(DropReason::Newest));
            }
        }
        if let Some(fate) = fate {
            output.undelivered(seq, encoded.id, fate, encoded.payload);
            return Ok(seq);
        }
        self.living += 1;
        self.queued += 1;
        self.bytes += size;
        self.entries.push_back(Entry {
            seq,
            id: encoded.id,
            payload: encoded.payload,
            class,
            place: Place::Queued,
            handed: false,
            expires,
            flushed_at: Instant::ZERO,
        });
        Ok(seq)
    }

    /// Counts and names a message that is accepted, and remembers its id.
    pub(super) fn admit(&mut self, id: Option<u64>, output: &mut Output) -> Seq {
        self.last_seq += 1;
        output.counters.accepted += 1;
        if let (Some(used), Some(next)) = (id, self.next_id)
            && used >= next
        {
            self.next_id = used.checked_add(1);
        }
        Seq(self.last_seq)
    }

    /// When the last accepted message's lifetime passes, if it has one.
    pub(crate) fn newest_expiry(&self) -> Option<Instant> {
        self.entries.back().and_then(|entry| entry.expires)
    }

    fn note_refusal(&mut self, size: usize) {
        self.refused = Some(self.refused.map_or(size, |smallest| smallest.min(size)));
    }

    /// Owes the same notice of room as there.
    #[cfg(feature = "sim")]
    pub(crate) fn promise_as(&mut self, other: &Self) {
        self.refused = other.refused;
    }

    /// Whether somebody who was refused should be told that there is room now. Said once a
    /// quarter is free, so that a waiting sender is not woken for every message, and once the
    /// refused message fits, so that it is not woken in vain.
    pub(crate) fn take_writable(&mut self, config: &Config) -> bool {
        let Some(size) = self.refused else { return false };
        let limits = &config.outbox;
        let three_quarters = |limit: usize| limit / 4 * 3 + limit % 4 * 3 / 4;
        let tell = self.living <= three_quarters(limits.max_messages)
            && self.bytes <= three_quarters(limits.max_bytes)
            && self.has_room(size, limits.max_messages, limits.max_bytes);
        if tell {
            self.refused = None;
        }
        tell
    }

    fn has_room(&self, size: usize, max_messages: usize, max_bytes: usize) -> bool {
        self.living < max_messages && self.bytes.saturating_add(size) <= max_bytes
    }

    /// Drops the oldest messages that were never handed to a transport until there is room, or
    /// none if that cannot help.
    fn make_room(&mut self, size: usize, config: &Config, output: &mut Output) -> bool {
        let limits = &config.outbox;
        // They stand in the order of acceptance, unless they were put in another.
        let standing = self.entries.iter().filter(|entry| !self.reordered && entry.is_unsent());
        let mut sorted: Vec<&Entry> = Vec::new();
        if self.reordered {
            sorted.extend(self.entries.iter().filter(|entry| entry.is_unsent()));
            sorted.sort_by_key(|entry| entry.seq);
        }
        let mut living = self.living;
        let mut bytes = self.bytes;
        let mut count = 0;
        let mut newest = Seq(0);
        for entry in standing.chain(sorted) {
            if living < limits.max_messages && bytes.saturating_add(size) <= limits.max_bytes {
                break;
            }
            living -= 1;
            bytes -= entry.payload.len();
            count += 1;
            newest = entry.seq;
        }
        if living >= limits.max_messages || bytes.saturating_add(size) > limits.max_bytes {
            return false;
        }
        for index in 0..self.entries.len() {
            if count == 0 {
                break;
            }
            let entry = &self.entries[index];
            if entry.is_unsent() && entry.seq <= newest {
                self.fail(index, Fate::Dropped(DropReason::Oldest), output);
                count -= 1;
            }
        }
        self.sweep();
        true
    }
}
