//! The table from outside.

mod answers;
mod matching;
mod model;
mod saying;

use super::*;
use crate::event::Seq;
use crate::frame::Payload;
use crate::notice::{DropReason, Fate};
use crate::time::{Duration, Instant};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const NOW: Instant = Instant::from_millis(1_000);

fn table() -> Subscriptions {
    Subscriptions::new(Limits::default()).unwrap()
}

fn text(text: &str) -> Payload {
    Payload::Text(text.into())
}

/// A subscription to a channel, confirmed and refused by name.
fn channel(name: &str) -> Subscription {
    let answer = |kind| Matcher::new("type", kind).and("channel", name);
    Subscription::new(text(&format!("+{name}")))
        .unsay(text(&format!("-{name}")))
        .confirm(Confirm::when(answer("ok")).refuse(answer("no")))
}

fn plain(name: &str) -> Subscription {
    Subscription::new(text(&format!("+{name}"))).unsay(text(&format!("-{name}")))
}

fn answer(kind: &str, name: &str) -> Payload {
    text(&format!(r#"{{"type":"{kind}","channel":"{name}"}}"#))
}

/// Says what there is to say, as the messages from `seq` on.
fn say(subscriptions: &mut Subscriptions, mut seq: u64) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(saying) = subscriptions.next_to_say() {
        said.push(saying.payload.as_text().unwrap().to_string());
        subscriptions.said(NOW, &saying, Seq(seq));
        seq += 1;
    }
    said
}

fn news(subscriptions: &mut Subscriptions) -> Vec<(u64, News)> {
    core::iter::from_fn(|| subscriptions.poll_event())
        .map(|told| (told.id.get(), told.news))
        .collect()
}
