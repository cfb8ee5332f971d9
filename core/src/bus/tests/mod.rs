//! Routing, from the message to the subscribers and what they read.

mod agreement;
mod delivery;
mod fault;
mod hostile;
mod patterns;
mod subscriptions;
mod topics;

use alloc::vec::Vec;

use super::*;
use crate::event::TransportId;
use crate::frame::Payload;

fn message(payload: impl Into<Payload>) -> Message {
    Message { payload: payload.into(), id: None, transport: TransportId(1) }
}

fn text(text: &str) -> Message {
    message(alloc::string::String::from(text))
}

/// The topic in `type`, the payload in `data`.
fn fields() -> Routing {
    let config = RoutingConfig { payload: Some("data".into()), ..RoutingConfig::default() };
    Routing::fields(config).expect("valid")
}

/// What becomes of a message on a bus to which nobody subscribed.
fn delivered(routing: Routing, message: Message) -> Delivery {
    Bus::new(routing).route(message, &mut Vec::new())
}
