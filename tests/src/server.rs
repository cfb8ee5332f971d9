//! A peer without faults, in virtual time.

use perennial_core::sim::Violation;
use perennial_core::{Action, Capabilities, Event, Frame, Instant};

use crate::scenario::World;

/// Lets a peer without faults answer everything at once until the connection is open and its
/// outbox empty. Returns how that ended.
///
/// # Errors
/// The first invariant that is violated.
pub fn come_to_rest(
    world: &mut World,
    capabilities: Capabilities,
    until: Instant,
) -> Result<Rest, Violation> {
    let mut actions = world.drain();
    if world.connection.connection().status().reads_paused {
        world.handle(Event::ResumeReads);
        actions.extend(world.drain());
    }
    let status = world.connection.connection().status();
    match (status.phase, status.transport) {
        ("idle", _) => {
            world.handle(Event::Reconnect);
            actions.extend(world.drain());
        }
        // It was dialled before the faults ended.
        ("dialing", Some(transport)) => {
            world.handle(Event::Opened { transport, capabilities });
            actions = world.drain();
        }
        _ => {}
    }
    // What was written before the faults ended is flushed, or nothing more may be written.
    let status = world.connection.connection().status();
    if let (true, Some(transport)) = (status.phase == "open", status.transport) {
        world.handle(Event::Flushed { transport, through: u64::MAX });
        actions.extend(world.drain());
    }
    for _ in 0..10_000 {
        world.connection.check()?;
        let status = world.connection.connection().status();
        match status.phase {
            "open" if status.queued + status.in_flight == 0 => return Ok(Rest::Open),
            "closed" => return Ok(Rest::Closed),
            _ => {}
        }
        let events: Vec<Event> =
            actions.iter().flat_map(|action| answer(world, action, capabilities)).collect();
        actions.clear();
        if events.is_empty() {
            let Some((deadline, _)) = status.deadline else { return Ok(Rest::Stuck) };
            if deadline > until {
                return Ok(Rest::Stuck);
            }
            world.now = world.now.max(deadline);
            world.handle(Event::Tick);
            actions = world.drain();
        }
        for event in events {
            world.handle(event);
            actions.extend(world.drain());
        }
    }
    Ok(Rest::Stuck)
}

/// How it came to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Open, with an empty outbox.
    Open,
    /// Closed.
    Closed,
    /// Neither, within the time.
    Stuck,
}

/// What the peer and the driver make of an action.
fn answer(world: &World, action: &Action, capabilities: Capabilities) -> Vec<Event> {
    match action {
        Action::Dial { transport, .. } => {
            vec![Event::Opened { transport: *transport, capabilities }]
        }
        Action::Write { transport, index, frame } => {
            let transport = *transport;
            let flushed = if capabilities.flush_reports {
                Event::Flushed { transport, through: *index }
            } else {
                Event::Buffered { transport, bytes: 0 }
            };
            let mut events = vec![flushed];
            let text = |text: String| Frame::Text(text.into());
            let answer = match frame {
                Frame::Ping(payload) => Some(Frame::Pong(payload.clone())),
                Frame::Close(close) => Some(Frame::Close(close.clone())),
                Frame::Text(ping) if *ping == world.heartbeat(true) => {
                    Some(Frame::Text(world.heartbeat(false)))
                }
                Frame::Text(message) => {
                    id(message).map(|id| text(format!(r#"{{"type":"ack","id":{id}}}"#)))
                }
                Frame::Binary(_) | Frame::Pong(_) => None,
            };
            events.extend(answer.map(|frame| Event::Received { transport, frame }));
            events
        }
        Action::Abort { .. } | Action::Notify(_) | Action::Wait { .. } => Vec::new(),
    }
}

/// The id of a message.
fn id(message: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(message).ok()?;
    value.get("id")?.as_u64()
}
