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
