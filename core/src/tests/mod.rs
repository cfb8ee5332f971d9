//! The rules of behaviour, each in virtual time, from outside.

mod clock;
mod heartbeat;
mod reconnect;
