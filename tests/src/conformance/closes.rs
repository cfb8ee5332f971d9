//! Ends that the server brings about: its close codes, and ends without any.

use std::time::Duration;

use perennial_core::{Advice, Backoff, CloseRule, ClosedBy, EndKind, Notice, Reason, State};

use super::client::Client;
use super::peer::{CLOSE, Ending, TEXT, close_payload, frame};
use super::quick;
use super::run::Run;
use super::server::Server;

/// The client comes back, and works.
fn comes_back(client: &mut Client, server: &Server) {
    let mut peer = server.open();
    client.opens();
    client.send("back");
    peer.hears("back");
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    server.is_left_alone();
}

/// What the server says at the end of a first connection.
fn said(
    run: &Run<'_>,
    bytes: &[u8],
    answer: u16,
    config: perennial_core::ConfigBuilder,
) -> (Client, Server) {
    let server = Server::start();
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    peer.raw(bytes);
    // Answered once, with the same code.
    let answered = peer.frame();
    assert_eq!(answered.opcode, CLOSE);
    let code = super::peer::close_code(&answered);
    assert_eq!(code.unwrap_or(1005), answer);
    peer.hang_up();
    assert_eq!(peer.ends(), Ending::Fin);
    (client, server)
}

fn closing(code: u16) -> Vec<u8> {
    frame(true, CLOSE, &close_payload(code, "so it is"))
}

pub(super) fn codes_that_are_tried_again(run: &Run<'_>) {
    for code in [1000, 1001, 1011, 3000, 4000, 4999] {
        let (mut client, server) = said(run, &closing(code), code, quick());
        client.becomes(State::Reconnecting);
        let (_, reason) = client.retries();
        assert_eq!(reason.code(), code);
        comes_back(&mut client, &server);
    }
}

pub(super) fn codes_that_are_final(run: &Run<'_>) {
    for code in [1002, 1003, 1007, 1008, 1009, 1010] {
        let (mut client, server) = said(run, &closing(code), code, quick());
        let closed = client.closed();
        assert_eq!((closed.by, closed.code, closed.clean), (ClosedBy::Server, code, true));
        server.is_left_alone();
    }
}

pub(super) fn codes_that_ask_for_patience(run: &Run<'_>) {
    for code in [1012, 1013] {
        let mut config = quick();
        config.retry.cap = Duration::from_millis(40);
        config.retry.restart_delay = vec![Duration::from_millis(15), Duration::from_millis(20)];
        let (mut client, server) = said(run, &closing(code), code, config);
        let (delay, advice) = client.until("a retry", |notice| match notice {
            Notice::Retrying { delay, advice, .. } => Some((*delay, *advice)),
            _ => None,
        });
        assert_eq!(advice, Some(Advice::CloseCode));
        let range = Duration::from_millis(15)..=Duration::from_millis(20);
        assert!(range.contains(&delay), "{delay:?}");
        comes_back(&mut client, &server);
    }
}

pub(super) fn codes_of_the_table(run: &Run<'_>) {
    let table = [
        (4000, CloseRule::Final),
        (4001, CloseRule::Retry),
        (1000, CloseRule::Final),
        (1008, CloseRule::Retry),
    ];
    for (code, rule) in table {
        let mut config = quick();
        config.retry.close_codes.extend(table);
        let (mut client, server) = said(run, &closing(code), code, config);
        match rule {
            CloseRule::Final => assert_eq!(client.closed().by, ClosedBy::Server, "{code}"),
            CloseRule::Retry => comes_back(&mut client, &server),
        }
    }
}

pub(super) fn a_close_without_a_code(run: &Run<'_>) {
    let (mut client, server) = said(run, &frame(true, CLOSE, b""), 1005, quick());
    let (_, reason) = client.retries();
    assert_eq!(reason, Reason::PeerClosed(None));
    comes_back(&mut client, &server);
}

/// The server says goodbye and stays on the line.
pub(super) fn a_close_without_an_end(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut old = server.open();
    client.opens();
    old.close(1001, "");
    old.hears_close(1001);
    comes_back(&mut client, &server);
    old.ends_somehow();
}

/// The answer goes out even where the next dial follows at once.
pub(super) fn an_answer_before_the_next_dial(run: &Run<'_>) {
    let mut config = quick();
    config.retry.backoff = Backoff::List { delays: vec![Duration::ZERO] };
    let (mut client, server) = said(run, &closing(1001), 1001, config);
    comes_back(&mut client, &server);
}

pub(super) fn a_final_close_without_an_end(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    config.close.timeout = Duration::from_millis(100);
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    client.opens();
    peer.close(1008, "go away");
    peer.hears_close(1008);
    let closed = client.closed();
    assert_eq!((closed.by, closed.code), (ClosedBy::Server, 1008));
    peer.ends_somehow();
    server.is_left_alone();
}

/// What is on its way when the server closes is still delivered.
pub(super) fn messages_before_a_close(run: &Run<'_>) {
    let mut bytes = Vec::new();
    for number in 0..100 {
        bytes.extend(frame(true, TEXT, format!("{number}").as_bytes()));
    }
    bytes.extend(closing(1003));
    let (mut client, _server) = said(run, &bytes, 1003, quick());
    for number in 0..100 {
        client.hears(&number.to_string());
    }
    assert_eq!(client.closed().code, 1003);
}

/// Nothing that follows a close frame means anything (RFC 6455 §5.5.1).
pub(super) fn messages_after_a_close(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    let mut bytes = closing(1001);
    bytes.extend(frame(true, TEXT, b"ignore me"));
    peer.raw(&bytes);
    peer.hears_close(1001);
    peer.hang_up();
    peer.ends_somehow();
    let mut peer = server.open();
    peer.text("hear me");
    client.hears("hear me");
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

/// Both close at once.
pub(super) fn closes_that_cross(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    client.close();
    peer.hears_close(1000);
    // Not an answer, to judge by its code.
    peer.close(1011, "of my own accord");
    peer.hang_up();
    assert_eq!(peer.ends(), Ending::Fin);
    let closed = client.closed_as_asked();
    assert_eq!((closed.code, closed.clean), (1000, true));
    server.is_left_alone();
}

/// The kind of end that is told for the first connection.
fn ended(run: &Run<'_>, end: impl FnOnce(super::peer::Peer)) -> EndKind {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    peer.text("before the end");
    client.hears("before the end");
    end(peer);
    client.becomes(State::Reconnecting);
    let (_, reason) = client.retries();
    let Reason::Ended(end) = &reason else { panic!("{reason:?}") };
    assert_eq!(reason.code(), 1006);
    comes_back(&mut client, &server);
    end.kind
}

pub(super) fn an_end_of_the_stream(run: &Run<'_>) {
    let kind = ended(run, |mut peer| {
        peer.hang_up();
        assert_eq!(peer.ends(), Ending::Fin);
    });
    assert_eq!(kind, EndKind::Eof);
}

pub(super) fn an_end_within_a_frame(run: &Run<'_>) {
    let kind = ended(run, |mut peer| {
        peer.raw(&frame(true, TEXT, b"cut off")[..5]);
        peer.hang_up();
        assert_eq!(peer.ends(), Ending::Fin);
    });
    assert_eq!(kind, EndKind::Eof);
}

pub(super) fn a_reset(run: &Run<'_>) {
    assert_eq!(ended(run, super::peer::Peer::reset), EndKind::Reset);
}

/// The end comes while our close waits for its answer.
pub(super) fn an_end_instead_of_an_answer(run: &Run<'_>) {
    for reset in [false, true] {
        let server = Server::start();
        let mut client = run.connect(&server, quick());
        let mut peer = server.open();
        client.opens();
        client.close();
        peer.hears_close(1000);
        if reset {
            peer.reset();
        } else {
            peer.hang_up();
            assert_eq!(peer.ends(), Ending::Fin);
        }
        let closed = client.closed_as_asked();
        assert_eq!((closed.code, closed.clean), (1000, false));
        server.is_left_alone();
    }
}

/// The server ends its direction only, and still reads.
pub(super) fn half_an_end(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let mut peer = server.open();
    client.opens();
    peer.hang_up();
    let (_, reason) = client.retries();
    assert!(matches!(reason, Reason::Ended(_)), "{reason:?}");
    assert_eq!(peer.ends(), Ending::Fin);
    comes_back(&mut client, &server);
}

pub(super) fn codes_that_may_not_be_sent(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    let peer = server.open();
    client.opens();
    for code in [0, 999, 1004, 1005, 1006, 1015, 2999, 5000] {
        assert!(client.session().close(code, "").is_err(), "{code}");
    }
    // A reason is cut to what fits.
    client.session().close(3000, &"é".repeat(100)).expect("a valid code");
    peer.closes(3000);
    assert_eq!(client.closed_as_asked().code, 3000);
}
