//! What views see of messages that go to subscribers.

use std::time::Duration;

use perennial::View;

use crate::host::Host;
use crate::support::{eventually, quick};
use crate::*;

scripts! {
    routed_messages_and_others_are_shown_in_the_order_of_their_arrival,
    the_first_message_to_a_subscriber_after_a_view_was_made_is_shown,
}

fn latest(view: &View) -> Option<String> {
    view.snapshot().latest.map(|stamped| stamped.value.to_string())
}

fn routed_messages_and_others_are_shown_in_the_order_of_their_arrival<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(builder(&host.url(), quick()).history(10));
    let handle = D::handle(&client);
    let _listener = D::listen(&handle, "a");
    let view = handle.view();
    let mut peer = host.peer();
    D::wait_open(&handle).unwrap();
    let text = |topic: &str, number: usize| format!(r#"{{"type":"{topic}","number":{number}}}"#);
    for last in ["u", "a"] {
        view.clear();
        let texts = [text("u", 1), text("a", 2), text("u", 3), text("a", 4), text(last, 5)];
        peer.says_at_once(&texts);
        eventually("all are shown", || view.history().len() == texts.len());
        let shown: Vec<_> = view.history().iter().map(|shown| shown.value.to_string()).collect();
        assert_eq!(shown, texts);
        assert_eq!(latest(&view).as_ref(), texts.last());
    }
}

fn the_first_message_to_a_subscriber_after_a_view_was_made_is_shown<D: Driver>() {
    let mut host = Host::new();
    let client = D::start(builder(&host.url(), quick()));
    let handle = D::handle(&client);
    let mut listener = D::listen(&handle, "a");
    let mut peer = host.peer();
    D::wait_open(&handle).unwrap();
    // What came before there was a view is not kept.
    peer.says(r#"{"type":"a","number":1}"#);
    D::heard(&mut listener);
    // So that the driver sleeps.
    assert!(D::hear(&mut listener, Duration::from_millis(30)).is_err());
    let view = handle.view();
    assert_eq!(latest(&view), None);
    let text = r#"{"type":"a","number":2}"#;
    peer.says(text);
    assert_eq!(D::heard(&mut listener), text);
    eventually("it is shown", || latest(&view).as_deref() == Some(text));
}
