//! A protocol of one's own on the pure core: no socket, no clock, no thread.
//!
//! Messages go out as `#7 hello` and are acknowledged with `!7`; the server's `?` is answered with `.`:
//! `cargo run -p perennial-examples --example custom_dialect`

use std::error::Error;

use perennial::core::*;

struct Numbered;

impl Dialect for Numbered {
    fn decode(&mut self, payload: Payload) -> Meaning {
        let read = |text: &str| match text.split_at_checked(1)? {
            ("!", id) => Some(Meaning::Ack { id: id.parse().ok()?, cumulative: false }),
            ("?", "") => Some(Meaning::Ping),
            _ => None,
        };
        payload.as_text().and_then(read).unwrap_or(Meaning::Message { payload, id: None })
    }

    fn encode(
        &mut self,
        payload: Payload,
        to: Encoding,
    ) -> Result<Encoded, (Payload, EncodeError)> {
        match (to.id, payload.as_text()) {
            (None, _) => Err((payload, EncodeError::IdsExhausted)),
            (_, None) => Err((payload, EncodeError::BinaryInText)),
            (id @ Some(n), Some(text)) => {
                Ok(Encoded { payload: format!("#{n} {text}").into(), id })
            }
        }
    }

    fn pong(&mut self, _unix_ms: u64) -> Option<Payload> {
        Some(".".into())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::builder();
    config.dialect = DialectConfig::Custom;
    config.outbox.class = Class::Acknowledged;
    let mut now = Instant::ZERO;
    let mut connection = Connection::new(config.build()?, Numbered, 7, now);
    connection.handle(now, Event::Send("hello".into()))?;
    loop {
        let event = match connection.poll() {
            Action::Dial { transport, .. } => {
                Event::Opened { transport, capabilities: Capabilities::SOCKET }
            }
            Action::Write { transport, frame, .. } => answer(transport, frame),
            Action::Notify(Notice::Acknowledged { .. }) => {
                println!("acknowledged after {now}");
                Event::Close(CloseFrame::new(1000, ""))
            }
            Action::Notify(Notice::Closed(_)) => return Ok(()),
            Action::Notify(_) | Action::Abort { .. } => continue,
            // There is nothing else to do: time may pass.
            Action::Wait { until, .. } => {
                now = until.ok_or("nothing will ever happen")?;
                Event::Tick
            }
        };
        connection.handle(now, event)?;
    }
}

/// The server: it breaks down at its first message, and has mended when it is dialled again.
fn answer(transport: TransportId, frame: Frame) -> Event {
    println!("transport {transport}: {frame:?}");
    match frame {
        Frame::Text(text) if transport.get() > 1 => {
            let id = text.trim_start_matches('#').split(' ').next().unwrap_or_default();
            Event::Received { transport, frame: Frame::Text(format!("!{id}").into()) }
        }
        _ => Event::Ended { transport, end: End::new(EndKind::Reset) },
    }
}
