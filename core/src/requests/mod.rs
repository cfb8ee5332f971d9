//! Requests and their answers: which answer belongs to which request, and how each request ends.
//!
//! [`Requests`] is a table. It writes an id into each request, finds it again in the responses, and
//! knows what a lost transport, the clock and the application do to a request. It knows no
//! connection: whoever owns both sends the messages that it writes, and tells it what became of
//! them. Nothing here waits, and the same calls give the same answers.
//!
//! ```
//! use perennial_core::requests::{Correlation, Limits, Outcome, Request, Requests};
//! use perennial_core::{Instant, Payload};
//!
//! let now = Instant::ZERO;
//! let mut requests = Requests::new(Correlation::JsonRpc, Limits::default())?;
//! let issued = requests.issue(now, Request::call("add", Some("[1,2]".into())))?;
//! assert_eq!(
//!     issued.payload.as_text(),
//!     Some(r#"{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}"#)
//! );
//!
//! // … sent, and after a while something comes back.
//! requests.received(&Payload::from(r#"{"jsonrpc":"2.0","id":1,"result":3}"#));
//! let ended = requests.poll_ended().expect("it was answered");
//! assert_eq!(ended.id, issued.id);
//! let Outcome::Answered(answer) = ended.outcome else { panic!("it was not refused") };
//! assert_eq!(answer.parse::<i32>()?, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a lost transport does
//!
//! A request's [`Class`](crate::Class) decides; see also [`Outcome`].
//!
//! | class | when it is sent | when the transport is lost |
//! | --- | --- | --- |
//! | volatile | now, or it ends [`Undelivered`](Outcome::Undelivered) | it ends: [`Lost`](Outcome::Lost) if it was handed over, or `Undelivered` |
//! | queued, the default | when the connection is open | it ends `Lost` if it was handed over; otherwise it waits |
//! | acknowledged | when the connection is open | it is sent again, with the same id and the same bytes, until it is answered, times out or is taken back |
//!
//! Servers that must not act twice upon a request of class acknowledged know it by its id. On the
//! connection itself no message is of class acknowledged: the answer is what acknowledges it.
//!
//! # What its owner does
//!
//! * [`issue`](Requests::issue) a request, give its message to the connection, and say
//!   [`sent`](Requests::sent) or [`unsent`](Requests::unsent).
//! * Pass on what became of messages: [`flushed`](Requests::flushed) and
//!   [`undelivered`](Requests::undelivered), which say whether the message was a request's. That a
//!   transport is gone or open, [`transport_lost`](Requests::transport_lost) and
//!   [`transport_opened`](Requests::transport_opened), comes between them in the order in which the
//!   connection tells it. What else was sent need not be passed on, but may be.
//! * After `transport_opened`, send what [`next_resend`](Requests::next_resend) gives, before
//!   anything newer.
//! * Show it what comes in, with [`received`](Requests::received), and tick at the
//!   [`deadline`](Requests::deadline).
//! * After each of these, take what [`poll_ended`](Requests::poll_ended) and
//!   [`poll_cancellation`](Requests::poll_cancellation) give until they give nothing.

mod correlation;
mod limits;
mod outcome;
mod request;
mod table;

#[cfg(test)]
mod tests;

pub use correlation::Correlation;
pub use limits::Limits;
pub use outcome::{Answer, Ended, Misfit, Outcome, Refusal, RpcError};
pub use request::{Body, Fault, Issued, Request, RequestId, RequestRejected};
pub use table::{Heard, NotPending, Requests};
