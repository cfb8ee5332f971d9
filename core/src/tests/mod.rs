//! The rules of behaviour, each in virtual time, from outside.

mod clock;
mod close;
mod heartbeat;
mod reconnect;
mod stale_events;
