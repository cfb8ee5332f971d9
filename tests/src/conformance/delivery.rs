//! What becomes of messages across outages, and at the end.

use std::io::Read as _;
use std::time::Duration;

use perennial_core::{Class, DialectConfig, JsonConfig, Notice, Outgoing, Overflow};

use super::peer::Ending;
use super::run::Run;
use super::server::Server;
use super::{patient, quick};

pub(super) fn what_is_queued_while_down(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    for number in 0..10 {
        client.send(number.to_string());
    }
    server.accept().refuse("503 Later");
    client.retries();
    let mut peer = server.open();
    for number in 0..10 {
        peer.hears(&number.to_string());
    }
    client.opens();
    peer.hang_up();
    client.retries();
    // Down again.
    let mut next = server.accept();
    let request = next.request();
    for number in 10..20 {
        client.send(number.to_string());
    }
    next.raw(super::peer::answer(&request, "").as_bytes());
    for number in 10..20 {
        next.hears(&number.to_string());
    }
    client.close();
    next.closes(1000);
    client.closed_as_asked();
}

pub(super) fn what_is_given_up(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    client.send(Outgoing::new("not open").class(Class::Volatile));
    client.send(Outgoing::new("expires").ttl(Duration::from_millis(1)));
    let cancelled = client.send("cancelled");
    client.session().cancel(cancelled).expect("it is queued");
    assert!(client.session().cancel(cancelled).is_err(), "once only");
    client.until("the lifetime's end", |notice| match notice {
        Notice::Undelivered { fate: perennial_core::Fate::Expired, .. } => Some(()),
        _ => None,
    });
    client.send("purged");
    client.session().purge();
    client.send("kept");
    let mut peer = server.open();
    peer.hears("kept");
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn the_oldest_make_room(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    config.outbox.max_messages = 3;
    config.outbox.overflow = Overflow::DropOldest;
    let mut client = run.connect(&server, config);
    for number in 0..6 {
        client.send(number.to_string());
    }
    let mut peer = server.open();
    for number in 3..6 {
        peer.hears(&number.to_string());
    }
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
}

/// With acknowledgements, in the json dialect.
fn acknowledging() -> perennial_core::ConfigBuilder {
    let mut config = quick();
    config.dialect = DialectConfig::Json(JsonConfig::default());
    config.outbox.class = Class::Acknowledged;
    config.outbox.ack_timeout = Duration::from_secs(3600);
    config
}

pub(super) fn what_is_not_acknowledged_is_sent_again(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, acknowledging());
    for id in 1..=4 {
        client.send(format!(r#"{{"id":{id}}}"#));
    }
    let mut peer = server.open();
    for id in 1..=4 {
        peer.hears(&format!(r#"{{"id":{id}}}"#));
    }
    peer.text(r#"{"ack":2}"#);
    client.until("an acknowledgement", |notice| {
        matches!(notice, Notice::Acknowledged { .. }).then_some(())
    });
    peer.reset();
    let mut peer = server.open();
    // The same bytes, in the original order, before anything newer.
    client.send(r#"{"id":5}"#);
    for id in [1, 3, 4, 5] {
        peer.hears(&format!(r#"{{"id":{id}}}"#));
    }
    peer.text(r#"{"ack":4,"cumulative":true}"#);
    peer.text(r#"{"ack":5}"#);
    for _ in 0..4 {
        client.until("an acknowledgement", |notice| {
            matches!(notice, Notice::Acknowledged { .. }).then_some(())
        });
    }
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    assert_eq!(client.status().counters.resent, 3);
}

pub(super) fn duplicates_are_dropped(run: &Run<'_>) {
    let server = Server::start();
    let mut config = quick();
    config.dialect = DialectConfig::Json(JsonConfig { acknowledge: true, ..JsonConfig::default() });
    config.inbox.dedupe = 10;
    let mut client = run.connect(&server, config);
    let mut peer = server.open();
    peer.text(r#"{"id":1}"#);
    peer.hears(r#"{"ack":1}"#);
    client.hears(r#"{"id":1}"#);
    peer.hang_up();
    client.retries();
    let mut peer = server.open();
    // Acknowledged again, as the acknowledgement may have been lost, but not told again.
    peer.text(r#"{"id":1}"#);
    peer.hears(r#"{"ack":1}"#);
    peer.text(r#"{"id":2}"#);
    peer.hears(r#"{"ack":2}"#);
    client.hears(r#"{"id":2}"#);
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    assert_eq!(client.status().counters.duplicates, 1);
}

pub(super) fn a_drain_sends_what_is_queued(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    for number in 0..100 {
        client.send(number.to_string());
    }
    client.session().drain(None);
    assert!(client.try_send("too late").is_err());
    let mut peer = server.open();
    for number in 0..100 {
        peer.hears(&number.to_string());
    }
    peer.closes(1000);
    let closed = client.closed_as_asked();
    assert!(closed.clean);
    assert_eq!(client.status().counters.flushed, 100);
}

pub(super) fn a_drain_awaits_acknowledgements(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, acknowledging());
    client.send(r#"{"id":1}"#);
    client.session().drain(None);
    let mut peer = server.open();
    peer.hears(r#"{"id":1}"#);
    // Lost on the way, and there again.
    peer.reset();
    let mut peer = server.open();
    peer.hears(r#"{"id":1}"#);
    peer.text(r#"{"ack":1}"#);
    peer.closes(1000);
    client.closed_as_asked();
    assert_eq!(client.status().counters.acknowledged, 1);
}

pub(super) fn a_drain_has_its_time(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, acknowledging());
    client.send(r#"{"id":1}"#);
    let mut peer = server.open();
    peer.hears(r#"{"id":1}"#);
    client.opens();
    client.session().drain(Some(Duration::from_millis(50)));
    // It is never acknowledged.
    peer.closes(1000);
    client.closed_as_asked();
}

pub(super) fn a_drain_that_never_connects(run: &Run<'_>) {
    let address = Server::nowhere();
    let mut client = run.connect_with(run.plan(&format!("ws://{address}/"), patient()));
    client.send("in vain");
    client.retries();
    client.session().drain(Some(Duration::from_millis(50)));
    let closed = client.closed_as_asked();
    assert!(!closed.clean);
}

/// A message that was cut in the middle may have arrived, for all that is known.
pub(super) fn what_was_cut_in_the_middle_is_uncertain(run: &Run<'_>) {
    let server = Server::with_small_buffers();
    let mut config = quick();
    config.outbox.max_bytes = 32 << 20;
    let mut client = run.connect(&server, config);
    client.send(vec![7; 16 << 20]);
    client.send("after it");
    client.send(Outgoing::new("volatile").class(Class::Volatile));
    let mut peer = server.open();
    client.opens();
    peer.read_exact(&mut [0; 1000]).expect("the beginning");
    peer.reset();
    client.retries();
    let mut peer = server.open();
    peer.hears("after it");
    client.close();
    peer.closes(1000);
    client.closed_as_asked();
    assert_eq!(client.status().counters.uncertain, 1);
}

/// Closing drops what was not handed over, and says so.
pub(super) fn a_close_drops_what_is_queued(run: &Run<'_>) {
    let server = Server::start();
    let mut client = run.connect(&server, quick());
    client.send("queued");
    let mut peer = server.accept();
    peer.request();
    client.close();
    client.closed_as_asked();
    assert_eq!(peer.ends(), Ending::Fin);
    assert_eq!(client.status().counters.dropped, 1);
}
