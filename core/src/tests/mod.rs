//! The rules of behaviour, each in virtual time, from outside.

mod clock;
mod close;
mod credit;
mod heartbeat;
mod order;
mod outbox;
mod reconnect;
mod stale_events;
