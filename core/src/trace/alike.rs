//! Whether two connections do the same, where one was told what was said and the other was not.

use crate::action::Action;
use crate::event::{DialFailure, Violation};
use crate::frame::{CloseFrame, Frame, Payload};
use crate::notice::{Closed, Message, Notice, Reason};

/// Whether `told` and `untold` are the same action but for what is said in it.
pub(super) fn alike(told: &Action, untold: &Action) -> bool {
    match (told, untold) {
        (
            Action::Write { transport, index, frame },
            Action::Write { transport: other, index: number, frame: substitute },
        ) => transport == other && index == number && frames(frame, substitute),
        (Action::Notify(told), Action::Notify(untold)) => notices(told, untold),
        (
            Action::Write { .. }
            | Action::Dial { .. }
            | Action::Abort { .. }
            | Action::Notify(_)
            | Action::Wait { .. },
            _,
        ) => told == untold,
    }
}

fn notices(told: &Notice, untold: &Notice) -> bool {
    use Notice as N;
    match (told, untold) {
        (N::Message(told), N::Message(untold)) => {
            let Message { payload, id, transport } = told;
            payloads(payload, &untold.payload) && *id == untold.id && *transport == untold.transport
        }
        (
            N::Undelivered { seq, id, fate, payload },
            N::Undelivered { seq: seq2, id: id2, fate: fate2, payload: payload2 },
        ) => seq == seq2 && id == id2 && fate == fate2 && payloads(payload, payload2),
        (
            N::StateChanged { from, to, transport, reason: Some(reason) },
            N::StateChanged { from: from2, to: to2, transport: transport2, reason: Some(reason2) },
        ) => from == from2 && to == to2 && transport == transport2 && reasons(reason, reason2),
        (N::Retrying { reason, .. }, N::Retrying { reason: reason2, .. }) => {
            let mut same = untold.clone();
            if let N::Retrying { reason: place, .. } = &mut same {
                place.clone_from(reason);
            }
            reasons(reason, reason2) && same == *told
        }
        (N::Closed(told), N::Closed(untold)) => {
            let Closed { by, code, clean, reason } = told;
            *by == untold.by
                && *code == untold.code
                && *clean == untold.clean
                && reasons(reason, &untold.reason)
        }
        (
            N::StateChanged { .. }
            | N::Dialing { .. }
            | N::Retrying { .. }
            | N::Suspended { .. }
            | N::Message(_)
            | N::Duplicate { .. }
            | N::Flushed { .. }
            | N::Acknowledged { .. }
            | N::Undelivered { .. }
            | N::Writable
            | N::Pong { .. }
            | N::Dead { .. }
            | N::Warning(_)
            | N::Closed(_),
            _,
        ) => told == untold,
    }
}

fn reasons(told: &Reason, untold: &Reason) -> bool {
    match (told, untold) {
        (Reason::DialFailed(told), Reason::DialFailed(untold)) => {
            let DialFailure { kind, status, retry_after, detail: _ } = told;
            *kind == untold.kind && *status == untold.status && *retry_after == untold.retry_after
        }
        (Reason::Ended(told), Reason::Ended(untold)) => told.kind == untold.kind,
        (Reason::PeerClosed(Some(told)), Reason::PeerClosed(Some(untold))) => closes(told, untold),
        (Reason::Violated(Violation { code, .. }), Reason::Violated(untold)) => {
            *code == untold.code
        }
        (Reason::Refused { retry, detail: _ }, Reason::Refused { retry: retry2, .. }) => {
            retry == retry2
        }
        (Reason::MaxAttempts(told), Reason::MaxAttempts(untold))
        | (Reason::Stopped(told), Reason::Stopped(untold))
        | (Reason::FirstFailed(told), Reason::FirstFailed(untold)) => reasons(told, untold),
        (
            Reason::Application
            | Reason::DialFailed(_)
            | Reason::DialTimeout
            | Reason::Ended(_)
            | Reason::PeerClosed(_)
            | Reason::Dead(_)
            | Reason::Violated(_)
            | Reason::Refused { .. }
            | Reason::OpeningTimeout
            | Reason::Incapable(_)
            | Reason::MaxAttempts(_)
            | Reason::MaxOutage
            | Reason::Stopped(_)
            | Reason::FirstFailed(_),
            _,
        ) => told == untold,
    }
}

fn frames(told: &Frame, untold: &Frame) -> bool {
    match (told, untold) {
        (Frame::Close(Some(told)), Frame::Close(Some(untold))) => closes(told, untold),
        (Frame::Text(_), Frame::Text(_))
        | (Frame::Binary(_), Frame::Binary(_))
        | (Frame::Pong(_), Frame::Pong(_)) => told.len() == untold.len(),
        (
            Frame::Text(_)
            | Frame::Binary(_)
            // Its nonce is the connection's own.
            | Frame::Ping(_)
            | Frame::Pong(_)
            | Frame::Close(_),
            _,
        ) => told == untold,
    }
}

fn closes(told: &CloseFrame, untold: &CloseFrame) -> bool {
    told.code == untold.code && told.reason.len() == untold.reason.len()
}

fn payloads(told: &Payload, untold: &Payload) -> bool {
    told.as_text().is_some() == untold.as_text().is_some() && told.len() == untold.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{DialError, End, EndKind, Seq, TransportId};
    use crate::notice::{Advice, ClosedBy, Death, Doubt, DropReason, Fate, State};
    use crate::time::{Duration, Instant};
    use alloc::vec;
    use alloc::vec::Vec;

    /// None of them is alike any other, and each is alike itself.
    #[track_caller]
    fn all_differ(actions: &[Action]) {
        for (at, one) in actions.iter().enumerate() {
            for (other_at, other) in actions.iter().enumerate() {
                assert_eq!(alike(one, other), at == other_at, "{one:?} and {other:?}");
            }
        }
    }

    fn notices_differ(notices: impl IntoIterator<Item = Notice>) {
        all_differ(&notices.into_iter().map(Action::Notify).collect::<Vec<_>>());
    }

    fn write(transport: u64, index: u64, frame: Frame) -> Action {
        Action::Write { transport: TransportId(transport), index, frame }
    }

    fn text(text: &'static str) -> Frame {
        Frame::Text(text.into())
    }

    fn close(code: u16, reason: &'static str) -> Frame {
        Frame::Close(Some(CloseFrame::new(code, reason)))
    }

    #[test]
    fn what_is_said_may_differ() {
        let pairs = [
            (text("abc"), text("xyz")),
            (Frame::Binary(vec![1, 2].into()), Frame::Binary(vec![3, 4].into())),
            (Frame::Pong(vec![1].into()), Frame::Pong(vec![2].into())),
            (close(1000, "bye"), close(1000, "you")),
        ];
        for (told, untold) in pairs {
            assert!(alike(&write(1, 2, told.clone()), &write(1, 2, untold)), "{told:?}");
        }
        let failed = |detail| Reason::DialFailed(DialFailure::new(DialError::Tls, detail));
        let ended = |detail: &str| Reason::Ended(End { kind: EndKind::Io, detail: detail.into() });
        let violated =
            |detail: &str| Reason::Violated(Violation { code: 1002, detail: detail.into() });
        assert!(reasons(&failed("a"), &failed("b")));
        assert!(reasons(&ended("a"), &ended("b")));
        assert!(reasons(&violated("a"), &violated("b")));
        let refused = |detail: &str| Reason::Refused { retry: true, detail: detail.into() };
        assert!(reasons(&refused("a"), &refused("b")));
        assert!(reasons(&Reason::Stopped(ended("a").into()), &Reason::Stopped(ended("b").into())));
    }

    #[test]
    fn frames_differ_in_kind_size_and_place() {
        let ping = |byte: u8| Frame::Ping(vec![byte].into());
        all_differ(&[
            write(1, 1, text("a")),
            write(2, 1, text("a")),
            write(1, 2, text("a")),
            write(1, 1, text("ab")),
            write(1, 1, Frame::Binary(vec![1].into())),
            write(1, 1, Frame::Pong(vec![1].into())),
            // Its nonce is the connection's own.
            write(1, 1, ping(1)),
            write(1, 1, ping(2)),
            write(1, 1, Frame::Close(None)),
            write(1, 1, close(1000, "")),
            write(1, 1, close(1001, "")),
            write(1, 1, close(1000, "a")),
            Action::Dial { transport: TransportId(1), attempt: 1 },
            Action::Dial { transport: TransportId(1), attempt: 2 },
            Action::Abort { transport: TransportId(1) },
            Action::Wait { until: None, why: None },
            Action::Wait { until: Some(Instant::ZERO), why: None },
        ]);
    }

    #[test]
    fn messages_differ_in_all_but_their_content() {
        let message = |payload, id, transport| {
            Notice::Message(Message { payload, id, transport: TransportId(transport) })
        };
        let lost =
            |seq, id, fate, payload| Notice::Undelivered { seq: Seq(seq), id, fate, payload };
        let (a, uncertain) = (|| Payload::from("a"), Fate::Uncertain(Doubt::Lost));
        notices_differ([
            message(a(), None, 1),
            message(a(), Some(1), 1),
            message(a(), None, 2),
            message(Payload::from("ab"), None, 1),
            message(Payload::from(vec![1]), None, 1),
            lost(1, None, uncertain, a()),
            lost(2, None, uncertain, a()),
            lost(1, Some(1), uncertain, a()),
            lost(1, None, Fate::Dropped(DropReason::Lost), a()),
            lost(1, None, uncertain, Payload::from("ab")),
            Notice::Writable,
            Notice::Duplicate { id: 1 },
            Notice::Duplicate { id: 2 },
        ]);
    }

    #[test]
    fn reasons_differ_in_all_but_their_words() {
        let failed = |kind, status, retry_after| {
            let failure = DialFailure { status, retry_after, ..DialFailure::new(kind, "") };
            Reason::DialFailed(failure)
        };
        let closed = |code, reason| Reason::PeerClosed(Some(CloseFrame::new(code, reason)));
        let simple = [
            failed(DialError::Status, None, None),
            failed(DialError::Tls, None, None),
            failed(DialError::Status, Some(503), None),
            failed(DialError::Status, None, Some(Duration::from_secs(1))),
            Reason::Ended(End::new(EndKind::Eof)),
            Reason::Ended(End::new(EndKind::Io)),
            Reason::PeerClosed(None),
            closed(1000, ""),
            closed(1001, ""),
            closed(1000, "a"),
            Reason::Violated(Violation { code: 1002, detail: "".into() }),
            Reason::Violated(Violation { code: 1007, detail: "".into() }),
            Reason::Dead(Death::Pong),
            Reason::Dead(Death::Probe),
            Reason::Refused { retry: true, detail: "".into() },
            Reason::Refused { retry: false, detail: "".into() },
            Reason::OpeningTimeout,
            Reason::MaxOutage,
        ];
        let wraps: [fn(alloc::boxed::Box<Reason>) -> Reason; 3] =
            [Reason::MaxAttempts, Reason::Stopped, Reason::FirstFailed];
        let wrapped = wraps.iter().flat_map(|wrap| simple.iter().map(|r| wrap(r.clone().into())));
        let all: Vec<Reason> = simple.iter().cloned().chain(wrapped).collect();
        for (at, one) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                assert_eq!(reasons(one, other), at == other_at, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn changes_and_retries_differ_in_each_field() {
        let change = |from, to, transport: u64, reason| Notice::StateChanged {
            from,
            to,
            transport: Some(TransportId(transport)),
            reason: Some(reason),
        };
        let (open, lost, timeout) = (State::Open, State::Reconnecting, || Reason::DialTimeout);
        let closed = |by, code, clean, reason| Notice::Closed(Closed { by, code, clean, reason });
        let retrying = |attempt, delay, advice, reason| Notice::Retrying {
            attempt,
            delay: Duration::from_millis(delay),
            nominal: Duration::from_millis(9),
            advice,
            outage: Duration::ZERO,
            reason,
        };
        let by = ClosedBy::Policy;
        notices_differ([
            change(open, lost, 1, timeout()),
            change(lost, lost, 1, timeout()),
            change(open, open, 1, timeout()),
            change(open, lost, 2, timeout()),
            change(open, lost, 1, Reason::MaxOutage),
            Notice::StateChanged { from: open, to: lost, transport: None, reason: None },
            closed(by, 1000, true, timeout()),
            closed(ClosedBy::Server, 1000, true, timeout()),
            closed(by, 1001, true, timeout()),
            closed(by, 1000, false, timeout()),
            closed(by, 1000, true, Reason::MaxOutage),
            retrying(1, 5, None, timeout()),
            retrying(2, 5, None, timeout()),
            retrying(1, 6, None, timeout()),
            retrying(1, 5, Some(Advice::CloseCode), timeout()),
            retrying(1, 5, None, Reason::MaxOutage),
        ]);
    }
}
