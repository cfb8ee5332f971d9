//! One suite for every way of driving connections: the same script, with the same server, gives the
//! same notices.
//!
//! A script is a short program: it connects through the [`Adapter`] under test, plays the server
//! itself, well or badly, and says what must follow. What the connection told is its *transcript*,
//! without what may differ from run to run: times, round trips, the operating system's words. Each
//! script must pass over each adapter, and the transcripts of all adapters must be the same.
//!
//! # What is compared
//!
//! Two lanes, each in order. *Told*: states, dials, retries, what was received, warnings, deaths,
//! the end. *Sent*: what became of each message. How the two interleave depends on when a flush is
//! noticed, and is not compared. Nor are pongs and `Writable`, whose number depends on time, nor the
//! lane *sent* where a script fills a socket until it blocks: how much the kernel takes is its own
//! affair. That every accepted message comes to exactly one end is always checked.
//!
//! # A new adapter
//!
//! Implement [`Adapter`] and [`Session`] for it; neither needs the crate `perennial`, only its core.
//! Then either have one test per script, each compared with the blocking driver:
//!
//! ```text
//! perennial_tests::conformance_tests! {
//!     blocking: perennial_tests::conformance::drivers::Blocking,
//!     mine: my_adapter::Mine,
//! }
//! ```
//!
//! or run everything in one go: [`check`] returns a [`Report`], whose `Display` lists what failed,
//! what differs from the blocking driver, and which scripts were not run because the adapter lacks
//! a [feature](Features). The program `conformance` of this crate does the same for the drivers of
//! `perennial`:
//!
//! ```sh
//! cargo run -p perennial-tests --bin conformance -- smol
//! ```
//!
//! No wait is unbounded, and no measured time is compared exactly. All traffic is on loopback.

// Scripts are tests: what does not hold must panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

mod adapter;
mod authority;
mod child;
mod client;
pub mod drivers;
mod peer;
mod run;
mod server;
mod transcript;

mod clock;
mod closes;
mod delivery;
mod frames;
mod handshakes;
mod liveness;
mod pressure;
mod refusals;
mod situations;
mod tls;
mod violations;

use std::time::Duration;

use perennial_core::{Backoff, Config, ConfigBuilder, Jitter};

pub use adapter::{Adapter, Features, Plan, Received, Refusal, Refused, Session, Waited};
pub use child::child;
pub use run::{Outcome, Report, Script, Suite};
pub use transcript::Transcript;

/// No wait of a script is longer; where something fails to happen, the script fails after it. Large
/// messages take their time on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// A config for scripts: it comes back at once, without jitter, and does nothing else of itself.
fn quick() -> ConfigBuilder {
    let mut builder = Config::builder();
    builder.connect.dial_timeout = LONG;
    builder.retry.backoff = Backoff::Constant { base: Duration::from_millis(1) };
    builder.retry.jitter = Jitter::None;
    builder.retry.suspend_after = None;
    // Until then nothing is asked of a peer that says nothing.
    builder.retry.stable_after = Duration::from_secs(3600);
    builder.heartbeat.interval = Duration::from_secs(3600);
    builder.heartbeat.deadline = Duration::from_secs(3600);
    builder.close.timeout = LONG;
    builder.close.drain = LONG;
    builder
}

/// As [`quick`], but it never comes back by itself.
fn patient() -> ConfigBuilder {
    let mut builder = quick();
    builder.retry.cap = Duration::from_secs(3600);
    builder.retry.backoff = Backoff::Constant { base: Duration::from_secs(3600) };
    builder
}

/// Runs every script over the blocking driver and over `adapter`, and compares.
#[must_use]
pub fn check(adapter: Box<dyn Adapter + Send>) -> Report {
    Suite::new(vec![Box::new(drivers::Blocking), adapter]).run()
}

/// The one list of scripts, handed to a macro together with other tokens.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_scripts {
    ([$($then:tt)+] $more:tt) => {
        $($then)+! { $more
            refusals {
                statuses_that_no_retry_can_mend
                other_statuses_are_tried_again
                redirects_are_not_followed
                retry_after_is_waited_for
                retry_after_has_its_limit_and_its_statuses
                delays_follow_the_seed
                an_outage_has_its_limit
                a_wrong_accept_key
                an_answer_without_what_it_must_have
                what_was_not_asked_for
                what_is_not_http
                an_answer_that_never_ends
                an_answer_that_breaks_off
                an_answer_that_never_comes
                an_answer_that_comes_too_late
                nobody_listens
                connecting_takes_for_ever
            }
            handshakes {
                a_connection_opens_and_closes
                the_request_says_what_it_should
                the_answer_may_be_written_oddly
                one_byte_at_a_time
                frames_glued_to_the_answer
                a_large_message_glued_to_the_answer
                a_close_glued_to_the_answer
                a_slow_handshake
            }
            frames {
                every_length_both_ways
                fragments_with_control_frames_between_them
                pings_are_answered
                many_frames_in_one_piece
                many_messages_at_once
                messages_of_64_mib
            }
            violations {
                text_that_is_not_utf8
                masked_frames
                reserved_bits
                reserved_opcodes
                frames_that_are_too_large
                messages_that_are_too_large
                messages_of_the_largest_size
                control_frames_that_are_none
                close_frames_that_are_none
                fragments_out_of_order
                a_violation_without_an_end
            }
            closes {
                codes_that_are_tried_again
                codes_that_are_final
                codes_that_ask_for_patience
                codes_of_the_table
                a_close_without_a_code
                a_close_without_an_end
                an_answer_before_the_next_dial
                a_final_close_without_an_end
                messages_before_a_close
                messages_after_a_close
                closes_that_cross
                an_end_of_the_stream
                an_end_within_a_frame
                a_reset
                an_end_instead_of_an_answer
                half_an_end
                codes_that_may_not_be_sent
            }
            situations {
                close_while_waiting
                close_while_dialing
                close_while_securing
                close_while_upgrading
                close_while_open
                close_while_blocked
                close_while_draining
                close_while_reconnecting
                close_while_redialing
                close_while_closing
                drop_while_waiting
                drop_while_dialing
                drop_while_securing
                drop_while_upgrading
                drop_while_open
                drop_while_blocked
                drop_while_draining
                drop_while_reconnecting
                drop_while_redialing
                drop_while_closing
                reconnect_while_waiting
                reconnect_while_dialing
                reconnect_while_securing
                reconnect_while_upgrading
                reconnect_while_open
                reconnect_while_blocked
                reconnect_while_draining
                reconnect_while_reconnecting
                reconnect_while_redialing
                reconnect_while_closing
            }
            delivery {
                what_is_queued_while_down
                what_is_given_up
                the_oldest_make_room
                what_is_not_acknowledged_is_sent_again
                duplicates_are_dropped
                a_drain_sends_what_is_queued
                a_drain_awaits_acknowledgements
                a_drain_has_its_time
                a_drain_that_never_connects
                what_was_cut_in_the_middle_is_uncertain
                a_close_drops_what_is_queued
            }
            liveness {
                a_peer_that_answers_nothing
                a_dead_peer_under_load
                a_peer_that_freezes_while_we_send
                a_peer_that_only_answers_pings
                pings_as_text
                a_server_that_stops_pinging
                half_a_frame_proves_life
                a_feed_that_went_stale
                a_pause_is_not_a_death
            }
            pressure {
                a_peer_that_does_not_read
                a_sender_that_waits_has_its_turn
                a_send_that_is_withdrawn_was_not_accepted
                a_sender_that_waits_is_released_by_the_close
                a_full_outbox_while_down
                an_application_that_does_not_fetch
                commands_while_nothing_is_fetched
                both_sides_at_once
                reports_that_nobody_fetches
                a_flood_of_pings
                a_flood_of_empty_fragments
                reconnect_while_sending
            }
            clock {
                a_jump_that_the_link_survives
                a_jump_that_the_link_does_not_survive
            }
            tls {
                a_trusted_server
                a_certificate_that_is_self_signed
                a_certificate_of_an_unknown_issuer
                a_certificate_for_another_name
                a_certificate_out_of_its_time
                a_server_that_does_not_speak_tls
                a_client_that_does_not_speak_tls
                a_handshake_that_breaks_off
                an_end_between_the_handshakes
                a_handshake_that_is_never_answered
                a_refusal_over_tls
                an_end_without_a_close
                a_close_code_over_tls
                garbage_in_a_session
                records_of_every_size
                back_pressure_over_tls
            }
        }
    };
}

/// A table of the scripts.
macro_rules! table {
    (() $($module:ident { $($script:ident)* })*) => {
        vec![$($(Script {
            name: concat!(stringify!($module), "::", stringify!($script)),
            body: $module::$script,
        },)*)*]
    };
}

/// Every script.
#[must_use]
pub fn scripts() -> Vec<Script> {
    conformance_scripts!([table]())
}

/// A test for every script over every adapter, in a module for the script, and one that compares
/// what they told. The first adapter is what the others are compared with.
///
/// ```text
/// perennial_tests::conformance_tests! {
///     blocking: perennial_tests::conformance::drivers::Blocking,
///     mine: my_adapter::Mine,
/// }
/// ```
#[macro_export]
macro_rules! conformance_tests {
    ($($name:ident: $adapter:expr),+ $(,)?) => {
        static SUITE: ::std::sync::LazyLock<$crate::conformance::Suite> =
            ::std::sync::LazyLock::new(|| {
                $crate::conformance::Suite::new(vec![$(Box::new($adapter)),+])
            });
        $crate::conformance_scripts!([$crate::conformance_modules] ($($name)+));
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_modules {
    ($adapters:tt $($module:ident { $($script:ident)* })*) => {
        $(mod $module {
            use super::SUITE;
            $($crate::conformance_module!($module $script $adapters);)*
        })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_module {
    ($module:ident $script:ident ($first:ident $($other:ident)*)) => {
        mod $script {
            const NAME: &str = concat!(stringify!($module), "::", stringify!($script));
            $crate::conformance_test!(super::SUITE, NAME, $first $($other)*);

            #[test]
            fn all_agree() {
                super::SUITE.compare(NAME);
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_test {
    ($suite:path, $script:ident, $($adapter:ident)+) => {
        $(#[test]
        fn $adapter() {
            $suite.test($script, stringify!($adapter));
        })+
    };
}
