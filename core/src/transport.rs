//! The one live transport: its writes, their credit, and the lane of control frames.

use alloc::collections::VecDeque;

use crate::event::{Capabilities, Seq, TransportId};
use crate::frame::Frame;

/// Control frames that may wait to be written. Pongs replace each other and a close is the last,
/// so only acknowledgements can fill it; one that finds no room is left out, and the peer's resend
/// brings it again.
const MAX_CONTROL: usize = 256;

/// Control frames that may be written without a flush report, so that a peer that provokes answers
/// and reads none of them costs nothing.
const CONTROL_CREDIT: usize = 64;

/// A write that was handed over and not yet reported as flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Unflushed {
    /// The bytes written up to and including this one.
    end: u64,
    /// The message, unless it was a control frame.
    seq: Option<Seq>,
}

/// A frame that waits to be written before any data.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Control {
    frame: Frame,
    /// Whether it is a ping of ours, in whatever form.
    ping: bool,
}

/// A transport from its dial to its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Transport {
    pub(crate) id: TransportId,
    /// What it can do; `None` until it is open.
    pub(crate) capabilities: Option<Capabilities>,
    /// Writes handed over so far: the index of the last one.
    written: u64,
    /// Bytes handed over so far.
    written_bytes: u64,
    /// Bytes reported as flushed so far.
    flushed_bytes: u64,
    /// The writes after `written - unflushed.len()`, oldest first.
    unflushed: VecDeque<Unflushed>,
    control_unflushed: usize,
    control: VecDeque<Control>,
    /// A close frame is queued or written: nothing may follow it (RFC 6455 §5.5.1).
    closing: bool,
    /// What is queued waits until the opening is over.
    pub(crate) held: bool,
    /// Whether the peer takes messages. A dialect that greets it waits for its word.
    pub(crate) admits: bool,
}

impl Transport {
    pub(crate) fn new(id: TransportId) -> Self {
        Self {
            id,
            capabilities: None,
            written: 0,
            written_bytes: 0,
            flushed_bytes: 0,
            unflushed: VecDeque::new(),
            control_unflushed: 0,
            control: VecDeque::new(),
            closing: false,
            held: false,
            admits: true,
        }
    }

    /// Queues a control frame, or a frame of the dialect's that serves as one.
    pub(crate) fn control(&mut self, frame: Frame) {
        self.queue(frame, false);
    }

    /// Queues the greeting, which is the first frame of all. Messages wait for its answer.
    pub(crate) fn greet(&mut self, frame: Frame) {
        self.admits = false;
        self.queue(frame, false);
    }

    /// Queues a ping of ours, a protocol ping or the dialect's. Says whether there was room for it.
    pub(crate) fn ping(&mut self, frame: Frame) -> bool {
        self.queue(frame, true)
    }

    /// How many pings of ours were not written yet.
    pub(crate) fn unwritten_pings(&self) -> u64 {
        self.control.iter().filter(|control| control.ping).count() as u64
    }

    fn queue(&mut self, frame: Frame, ping: bool) -> bool {
        if self.closing {
            return false;
        }
        match &frame {
            // Only the latest ping need be answered (RFC 6455 §5.5.3).
            Frame::Pong(_) => self.control.retain(|queued| !matches!(queued.frame, Frame::Pong(_))),
            Frame::Close(_) => self.closing = true,
            Frame::Text(_) | Frame::Binary(_) | Frame::Ping(_) => {
                if self.control.len() >= MAX_CONTROL {
                    return false;
                }
            }
        }
        self.control.push_back(Control { frame, ping });
        true
    }

    /// The next control frame to be written, with its index.
    #[inline]
    pub(crate) fn next_control(&mut self) -> Option<(u64, Frame)> {
        if self.control.is_empty() { None } else { self.take_control() }
    }

    fn take_control(&mut self) -> Option<(u64, Frame)> {
        let last = self.control.len() == 1 && self.closing;
        if self.control_unflushed >= CONTROL_CREDIT && !last {
            return None;
        }
        let Control { frame, .. } = self.control.pop_front()?;
        self.control_unflushed += 1;
        let index = self.hand_over(None, frame.len());
        Some((index, frame))
    }

    /// Whether data may be written at all.
    pub(crate) fn takes_data(&self) -> bool {
        !self.closing && self.admits
    }

    /// Whether a message of this size fits the credit. One always does.
    pub(crate) fn has_credit(&self, size: usize, credit: usize) -> bool {
        let unflushed = self.written_bytes - self.flushed_bytes;
        let wanted = unflushed.saturating_add(size as u64);
        self.unflushed.is_empty() || wanted <= credit as u64
    }

    /// Notes a write; returns its index.
    pub(crate) fn hand_over(&mut self, seq: Option<Seq>, size: usize) -> u64 {
        self.written += 1;
        self.written_bytes = self.written_bytes.saturating_add(size as u64);
        self.unflushed.push_back(Unflushed { end: self.written_bytes, seq });
        self.written
    }

    /// Takes the oldest unflushed write if its index is at most `through`; says which message it
    /// was, if it was one.
    pub(crate) fn flushed(&mut self, through: u64) -> Option<Option<Seq>> {
        let oldest = self.written - self.unflushed.len() as u64 + 1;
        if oldest > through { None } else { self.take_oldest() }
    }

    /// The same for a transport that reports how many bytes still wait in it.
    pub(crate) fn drained_to(&mut self, buffered: u64) -> Option<Option<Seq>> {
        let gone = self.written_bytes.saturating_sub(buffered);
        if self.unflushed.front()?.end > gone { None } else { self.take_oldest() }
    }

    /// Becomes equal to another.
    #[cfg(feature = "sim")]
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let Self { id, capabilities, written, written_bytes, flushed_bytes, .. } = other;
        let Self { unflushed, control_unflushed, control, closing, held, admits, .. } = other;
        crate::sim::copy_queue(&mut self.unflushed, unflushed);
        crate::sim::copy_queue(&mut self.control, control);
        self.id = *id;
        self.capabilities = *capabilities;
        self.written = *written;
        self.written_bytes = *written_bytes;
        self.flushed_bytes = *flushed_bytes;
        self.control_unflushed = *control_unflushed;
        self.closing = *closing;
        self.held = *held;
        self.admits = *admits;
    }

    fn take_oldest(&mut self) -> Option<Option<Seq>> {
        let write = self.unflushed.pop_front()?;
        self.flushed_bytes = write.end;
        if write.seq.is_none() {
            self.control_unflushed -= 1;
        }
        Some(write.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn transport() -> Transport {
        Transport::new(TransportId(1))
    }

    #[test]
    fn writes_are_numbered_and_flushed_in_order() {
        let mut transport = transport();
        transport.control(Frame::Ping(Bytes::from_static(b"1")));
        assert_eq!(transport.hand_over(Some(Seq(7)), 10), 1);
        assert_eq!(transport.next_control().map(|(index, _)| index), Some(2));
        assert_eq!(transport.flushed(0), None);
        assert_eq!(transport.flushed(1), Some(Some(Seq(7))));
        assert_eq!(transport.flushed(1), None);
        assert_eq!(transport.flushed(99), Some(None));
        assert_eq!(transport.flushed(99), None);
    }

    #[test]
    fn credit_counts_bytes_and_lets_one_message_pass() {
        let mut transport = transport();
        assert!(transport.has_credit(1_000, 10));
        transport.hand_over(Some(Seq(1)), 8);
        assert!(transport.has_credit(2, 10));
        assert!(!transport.has_credit(3, 10));
        transport.flushed(1);
        assert!(transport.has_credit(3, 10));
    }

    #[test]
    fn a_transport_without_flush_reports_says_what_it_still_holds() {
        let mut transport = transport();
        transport.hand_over(Some(Seq(1)), 8);
        transport.hand_over(Some(Seq(2)), 8);
        assert_eq!(transport.drained_to(9), None);
        assert_eq!(transport.drained_to(8), Some(Some(Seq(1))));
        assert_eq!(transport.drained_to(8), None);
        assert_eq!(transport.drained_to(0), Some(Some(Seq(2))));
    }

    #[test]
    fn nothing_follows_a_close() {
        let mut transport = transport();
        transport.control(Frame::Close(None));
        transport.control(Frame::Ping(Bytes::new()));
        assert!(!transport.takes_data());
        assert_eq!(transport.next_control(), Some((1, Frame::Close(None))));
        assert_eq!(transport.next_control(), None);
    }

    #[test]
    fn a_flood_of_pings_and_acks_is_bounded() {
        let mut transport = transport();
        for n in 0..if cfg!(miri) { 600 } else { 10_000_u32 } {
            transport.control(Frame::Pong(Bytes::copy_from_slice(&n.to_be_bytes())));
            transport.control(Frame::Text("ack".into()));
        }
        assert!(transport.control.len() <= MAX_CONTROL + 1);
        let mut written = 0;
        while transport.next_control().is_some() {
            written += 1;
        }
        assert_eq!(written, CONTROL_CREDIT);
        transport.flushed(1);
        assert!(transport.next_control().is_some());
        assert!(transport.next_control().is_none());
    }

    #[test]
    fn a_close_passes_without_credit_once_it_is_next() {
        let mut transport = transport();
        for _ in 0..CONTROL_CREDIT {
            transport.control(Frame::Text("ack".into()));
        }
        while transport.next_control().is_some() {}
        transport.control(Frame::Close(None));
        assert!(matches!(transport.next_control(), Some((_, Frame::Close(None)))));
    }
}
