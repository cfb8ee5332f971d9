//! What a subscriber can do with a delivery.

use serde::Deserialize;
use std::format;
use std::string::String;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
struct Trade {
    symbol: String,
    price: u64,
}

#[test]
fn a_payload_is_read_as_what_it_is_taken_for() {
    let trade = || Trade { symbol: "é".into(), price: 7 };
    let json = r#"{"type":"trade","data":{"symbol":"\u00e9","price":7}}"#;
    let delivery = delivered(fields(), text(json));
    assert_eq!(delivery.parse(), Ok(trade()));
    assert_eq!(delivery.parse::<serde::de::IgnoredAny>().map(|_| ()), Ok(()));
    // Without a topic, it is the whole message.
    for message in
        [text(r#" {"symbol":"é","price":7} "#), message(r#"{"symbol":"é","price":7}"#.as_bytes())]
    {
        let delivery = delivered(fields(), message);
        assert_eq!(delivery.topic(), None);
        assert_eq!(delivery.shared_topic(), None);
        assert_eq!(delivery.parse(), Ok(trade()));
    }
    let delivery = delivered(fields(), text(r#"{"type":"a","data":"a text"}"#));
    assert_eq!(delivery.parse(), Ok(String::from("a text")));
}

#[test]
fn the_message_is_at_hand() {
    let original = Message { id: Some(9), ..text(r#"{"type":"a","data":1}"#) };
    let delivery = delivered(fields(), original.clone());
    assert_eq!(delivery.message(), &original);
    assert_eq!(delivery.payload(), Payload::from("1"));
    assert_eq!(delivery.shared_topic().as_deref(), Some("a"));
    assert_eq!(delivery.clone(), delivery);
    assert_eq!(delivery.into_message(), original);
    let escaped = delivered(fields(), text(r#"{"type":"\u0061"}"#));
    assert_eq!(escaped.shared_topic().as_deref(), Some("a"));
}

#[test]
fn debug_shows_the_topic_and_no_content() {
    let shown = format!("{:?}", delivered(fields(), text(r#"{"type":"a","data":"secret"}"#)));
    assert!(shown.contains(r#"topic: Some("a"), payload: Text(8 bytes)"#), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}
