//! What hooks, listeners and the application are told.

use perennial_core::{Closed, Event, Instant, Notice};

use super::{Engine, News};
use crate::builder::RetryContext;
use crate::engine::network::Network;
use crate::engine::routed::in_order;
use crate::engine::sink::Sink;

impl<N: Network, S: Sink> Engine<N, S> {
    /// Looks through the notices, before anything is done: the journal has its say first. Then asks
    /// the application what the session wants to know.
    pub(super) fn heed(&mut self) -> News {
        let mut news = News::default();
        for at in 0..self.notices.len() {
            let Some(notice) = self.notices.get(at) else { break };
            self.journal.note(notice);
            self.meter.note(notice);
            match notice {
                Notice::Closed(end) => {
                    news.closed = Some(end.clone());
                    news.shows = true;
                }
                Notice::StateChanged { .. } => {
                    news.somebody_waits = true;
                    news.shows = true;
                }
                Notice::Writable => news.somebody_waits = true,
                Notice::Retrying { .. } => {
                    news.shows = true;
                    self.ask_retry_hook(at);
                }
                Notice::Dialing { .. } | Notice::Suspended { .. } => news.shows = true,
                Notice::Message(_)
                | Notice::Duplicate { .. }
                | Notice::Flushed { .. }
                | Notice::Acknowledged { .. }
                | Notice::Undelivered { .. }
                | Notice::Pong { .. }
                | Notice::Dead { .. }
                | Notice::Warning(_) => {}
            }
        }
        for ask in self.asks.drain(..) {
            self.hooks.ask(ask, &mut self.decisions);
        }
        news
    }

    /// Asks the retry hook about the notice in this place.
    fn ask_retry_hook(&mut self, at: usize) {
        if let Some(hook) = &mut self.retry_hook
            && let Some(Notice::Retrying { attempt, delay, outage, reason, .. }) =
                self.notices.get(at)
        {
            let context = RetryContext {
                attempt: *attempt,
                delay: *delay,
                outage: *outage,
                reason: reason.clone(),
            };
            let choice = hook(&context);
            self.events.push_back(Event::Retry { attempt: *attempt, choice });
        }
    }

    /// Tells the application what it is to know. Returns the end, if that has come.
    pub(super) fn tell_application(&mut self, now: Instant, news: News) -> Option<Closed> {
        if let Some(target) = self.target.take() {
            self.shared.board.head_for(target);
        }
        if self.notices.is_empty() && self.routed.is_empty() {
            return None;
        }
        if let Some(end) = &news.closed {
            // Whoever is told of it may ask for it.
            self.shared.lock().ending = Some(end.clone());
        }
        let all = in_order(self.told, &self.notices, &self.routed);
        self.shared.show(now, all, &self.notices, news.shows);
        self.routed.clear();
        if self.notices.is_empty() {
            return None;
        }
        self.told += self.notices.len() as u64;
        if !self.sink.put(now, &mut self.notices) && !self.paused {
            self.paused = true;
            self.events.push_back(Event::PauseReads);
        }
        if news.somebody_waits || news.closed.is_some() {
            self.shared.lock().announce();
        }
        if news.closed.is_some()
            && let Some(link) = &mut self.link
        {
            link.say_goodbye();
        }
        news.closed
    }
}
