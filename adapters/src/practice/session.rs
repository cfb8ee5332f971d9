//! What a connection says and is told: the handshake, the messages, their acks.

use super::app::{Effects, Peer};
use super::conn::{Next, Phase};
use super::faults::{Misbehave, Refusal};
use super::handshake::{self, Answer, Parsed};
use super::options::{AckStyle, App};
use super::reactor::Reactor;
use super::records::{Received, keep, param};
use super::timers::Timer;
use serde_json::Value;
use std::time::{Duration, Instant};
use tungstenite::{Bytes, Message};

impl Reactor {
    // ----- the handshake -----

    /// Looks whether the request is complete, and settles what it is answered.
    pub(super) fn head(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let Phase::Head(read) = &mut conn.phase else { return };
        let (request, early) = match handshake::parse(read) {
            Parsed::Partial => return,
            Parsed::Bad => {
                conn.push(&handshake::plain(400));
                self.note(|n| n.stats.failed_handshakes += 1);
                return self.drain(number);
            }
            Parsed::Complete(request, size) => (request, read.split_off(size)),
        };
        let mut noted = handshake::note(&request, number);
        let misbehave = self.faults.misbehave.as_ref();
        let refusal = self.refusal();
        let refused = refusal.is_some();
        let answer = match refusal {
            Some(refusal) => {
                noted.status = refusal.status;
                Answer::Final(handshake::refusal(refusal))
            }
            None => handshake::answer(&request, &mut noted, &self.options.subprotocols, misbehave),
        };
        let failed = !refused && !matches!(answer, Answer::Upgrade(_));
        self.refusals = self.refusals.saturating_add(u32::from(refused));
        let slow = self.faults.slow_handshake;
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.path = noted.path.clone();
        conn.session = noted.param(&self.options.session_param).unwrap_or_default();
        conn.since = param(&noted.query, &self.options.resume_param)
            .and_then(|since| since.parse().ok())
            .unwrap_or(0);
        conn.phase = Phase::Delayed(answer, early);
        let delay = slow.map_or(Duration::ZERO, |s| conn.rng.between(s.min, s.max));
        self.note(|n| {
            n.stats.refused += u64::from(refused);
            n.stats.failed_handshakes += u64::from(failed);
            keep(&mut n.handshakes, noted);
        });
        if delay.is_zero() {
            self.answer(number);
        } else {
            self.timers.set(delay, number, Timer::Answer);
        }
    }

    fn refusal(&self) -> Option<&Refusal> {
        self.faults.refuse.as_ref().filter(|refusal| {
            refusal.lasting.is_none_or(|lasting| self.faults_since.elapsed() < lasting)
                && refusal.times.is_none_or(|times| self.refusals < times)
        })
    }

    /// Gives the answer that was settled on.
    pub(super) fn answer(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if !matches!(conn.phase, Phase::Delayed(..)) {
            return;
        }
        match std::mem::replace(&mut conn.phase, Phase::Mute) {
            Phase::Delayed(Answer::Upgrade(bytes), early) => {
                conn.push_head(&bytes);
                self.open(number, &early);
            }
            Phase::Delayed(Answer::Final(bytes), _) => {
                conn.push_head(&bytes);
                self.drain(number);
            }
            _ => {}
        }
        self.touched.insert(number);
    }

    fn open(&mut self, number: u64, early: &[u8]) {
        let now = Instant::now();
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.open(early, self.options.max_message);
        conn.live = true;
        let peer = Peer { connection: number, path: conn.path.clone() };
        if let Some(first) = &self.faults.glue_first {
            conn.send(Message::text(first.as_str()));
        }
        conn.push(&self.faults.raw_after_open);
        self.note(|n| {
            n.stats.upgrades += 1;
            n.stats.live += 1;
            n.stats.peak_live = n.stats.peak_live.max(n.stats.live);
            keep(&mut n.upgraded_at, now);
        });
        let mut effects = Effects::default();
        self.app.opened(&peer, &mut effects);
        self.apply(effects);
        self.replay(number);
        self.arm_faults(number);
        self.arm_ping(number);
        self.close_when_due(number);
        self.pump(number);
    }

    fn replay(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let mut sent = 0;
        for text in self.feed.since(conn.since) {
            sent += u64::from(conn.send(Message::text(text)));
        }
        self.note(|n| n.stats.sent += sent);
        self.bound_queue(number);
    }

    /// Arms the faults that count from now, and voids those armed before.
    pub(super) fn arm_faults(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.generation = conn.generation.wrapping_add(1);
        if !conn.live {
            return;
        }
        let generation = conn.generation;
        for (span, timer) in [
            (self.faults.drop_every, Timer::Reset(generation)),
            (self.faults.fin_every, Timer::Finish(generation)),
            (self.faults.freeze_after, Timer::Freeze(generation)),
        ] {
            if let Some(span) = span {
                let after = conn.rng.between(span.min, span.max);
                self.timers.set(after, number, timer);
            }
        }
    }

    pub(super) fn arm_ping(&mut self, number: u64) {
        if let Some(every) = self.options.ping_every {
            self.timers.set(every.max(Duration::from_millis(1)), number, Timer::Ping);
        }
    }

    // ----- messages in -----

    /// Handles every message that is complete.
    pub(super) fn pump(&mut self, number: u64) {
        let never_closes = self.never_closes();
        loop {
            let Some(conn) = self.conns.get_mut(&number) else { return };
            self.touched.insert(number);
            match conn.next() {
                Next::Nothing => return,
                Next::Closed if never_closes => {
                    conn.phase = Phase::Mute;
                    return self.leave(number);
                }
                Next::Closed => return self.drain(number),
                Next::Violation(code) => {
                    self.note(|n| n.stats.violations += 1);
                    self.close(number, code, "protocol violation");
                    // What follows in the stream cannot be told apart any more.
                    return self.drain(number);
                }
                // After a close frame the app hears no more (RFC 6455 §1.4).
                Next::Message(Message::Text(_) | Message::Binary(_)) if conn.close_sent => {}
                Next::Message(Message::Text(text)) => self.text(number, text.as_str()),
                Next::Message(Message::Binary(data)) => self.binary(number, data),
                Next::Message(Message::Ping(_)) => self.note(|n| n.stats.pings += 1),
                Next::Message(Message::Pong(_)) => self.note(|n| n.stats.pongs += 1),
                Next::Message(Message::Close(_)) => {
                    let ours = conn.close_sent;
                    if self.faults.misbehave == Some(Misbehave::IgnoreClose) {
                        // The codec would answer at its next turn; it gets none.
                        conn.phase = Phase::Mute;
                    }
                    if !ours {
                        self.note(|n| n.stats.peer_closes += 1);
                    }
                }
                Next::Message(Message::Frame(_)) => {}
            }
        }
    }

    /// Whether TCP is left open after the closing handshake.
    pub(super) fn never_closes(&self) -> bool {
        matches!(self.faults.misbehave, Some(Misbehave::CloseWithoutFin | Misbehave::IgnoreClose))
    }

    fn text(&mut self, number: u64, text: &str) {
        let json = text
            .trim_start()
            .starts_with('{')
            .then(|| serde_json::from_str::<Value>(text).ok())
            .flatten()
            .filter(Value::is_object);
        if let Some(pong) = self.text_pong(text, json.as_ref()) {
            self.note(|n| n.stats.text_pings += 1);
            if let Some(conn) = self.conns.get_mut(&number) {
                conn.send(Message::text(pong));
            }
            return;
        }
        let id = json.as_ref().and_then(|json| json.get(&self.options.id_field)?.as_u64());
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.messages += 1;
        let lost = id.is_some() && conn.rng.chance(self.faults.lose_messages);
        let new = match id {
            Some(id) if !lost => self.seen.insert(&conn.session, id),
            _ => true,
        };
        let record = self.options.record && !lost;
        self.note(|n| {
            n.stats.messages += 1;
            n.stats.with_id += u64::from(id.is_some());
            n.stats.messages_lost += u64::from(lost);
            n.stats.distinct_ids += u64::from(id.is_some() && new && !lost);
            if record {
                let at = Instant::now();
                n.received.push(Received { connection: number, text: text.to_owned(), id, at });
            }
        });
        if !lost {
            if let Some(id) = id {
                self.ack(number, id);
            }
            if new || !self.options.dedupe {
                let mut effects = Effects::default();
                self.app.text(number, text, json.as_ref(), &mut effects);
                self.apply(effects);
            }
        }
        self.close_when_due(number);
    }

    fn binary(&mut self, number: u64, data: Bytes) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.messages += 1;
        self.note(|n| n.stats.messages += 1);
        let mut effects = Effects::default();
        self.app.binary(number, data, &mut effects);
        self.apply(effects);
        self.close_when_due(number);
    }

    fn text_pong(&self, text: &str, json: Option<&Value>) -> Option<&'static str> {
        let answers = self.options.answer_text_pings.unwrap_or(self.options.app != App::Echo);
        if !answers {
            None
        } else if text == "ping" {
            Some("pong")
        } else if json?.get("type")?.as_str()? == "ping" {
            Some(r#"{"type":"pong"}"#)
        } else {
            None
        }
    }

    fn close_when_due(&mut self, number: u64) {
        let Some(order) = self.faults.close_after.clone() else { return };
        if self.conns.get(&number).is_some_and(|conn| conn.messages >= order.messages) {
            self.close(number, order.code, &order.reason);
        }
    }

    // ----- messages out -----

    fn ack(&mut self, number: u64, id: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.ids.insert(id);
        let first = *conn.first_id.get_or_insert(id);
        let text = match self.options.acks {
            AckStyle::Off => return,
            AckStyle::Plain => format!(r#"{{"ack":{id}}}"#),
            AckStyle::Typed => format!(r#"{{"type":"ack","id":{id}}}"#),
            AckStyle::Cumulative => match conn.ids.run_end(first) {
                Some(end) => format!(r#"{{"ack":{end},"cumulative":true}}"#),
                None => return,
            },
        };
        let lost = conn.rng.chance(self.faults.lose_acks);
        let sent = !lost && conn.send(Message::text(text));
        self.note(|n| {
            n.stats.acks_lost += u64::from(lost);
            n.stats.acks_sent += u64::from(sent);
        });
        self.bound_queue(number);
    }

    /// Does what an app wants done.
    pub(super) fn apply(&mut self, effects: Effects) {
        for (to, message) in effects.sends {
            self.send(to, message);
        }
        for (after, call) in effects.wakes {
            self.timers.set(after, 0, Timer::App(call));
        }
    }

    /// Sends a data message, twice where the faults say so.
    pub(super) fn send(&mut self, number: u64, message: Message) {
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.can_send()) else { return };
        let twice = conn.rng.chance(self.faults.duplicate);
        if twice {
            conn.send(message.clone());
        }
        conn.send(message);
        self.note(|n| {
            n.stats.sent += 1;
            n.stats.duplicates_sent += u64::from(twice);
        });
        self.touched.insert(number);
        self.bound_queue(number);
    }

    fn bound_queue(&mut self, number: u64) {
        let over = |queued| queued > self.options.max_outgoing;
        if self.conns.get(&number).is_some_and(|conn| conn.can_send() && over(conn.queued())) {
            self.note(|n| n.stats.overflows += 1);
            self.close(number, 1013, "too much unread");
        }
    }
}
