//! The rules of behaviour, each in virtual time, from outside.

mod acks;
mod both_pings;
mod capabilities;
mod clock;
mod close;
mod credit;
mod dedupe;
mod dialects;
mod heartbeat;
mod hostile;
mod opening;
mod order;
mod outbox;
mod read_pause;
mod reconnect;
mod reorder;
mod retries;
mod scenarios;
mod stale_events;
mod status;
mod suspend;
mod texts;
