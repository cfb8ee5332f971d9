//! Why a payload cannot be read, in words that quote nothing of it.

use alloc::boxed::Box;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::super::shape::Shape;
use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(rename = "order-id")]
    _id: u8,
    _side: Option<Side>,
    _list: Option<[u8; 2]>,
    _inner: Option<Inner>,
}

#[derive(Debug, Deserialize)]
enum Side {
    Buy,
    Sell(u8),
}

#[derive(Debug, Deserialize)]
struct Inner {
    _needed: bool,
}

/// Wrapped in itself: whoever asks it what it is must not ask for ever.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is read into and no further")]
struct Chain(Option<Box<Chain>>);

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is read into and no further")]
struct Wrapped(Order);

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "it is read into and no further")]
struct Pair(u8, u8);

#[derive(Debug)]
struct Picky;

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Err(serde::de::Error::custom(text))
    }
}

#[track_caller]
fn fails<T: DeserializeOwned + core::fmt::Debug>(payload: &str, fault: &Fault, words: &str) {
    let delivery = delivered(Routing::by(|_| Some(Address::new("t"))), text(payload));
    let error = delivery.parse::<T>().expect_err("it is none");
    assert_eq!(error.fault(), fault, "{payload}");
    let shown = error.to_string();
    let (place, what) = shown.split_once(": ").expect("a place and a fault");
    assert_eq!(what, words, "{payload}");
    let (line, column) = (error.line(), error.column());
    let expected = format!(r#"the payload on "t" cannot be read at line {line} column {column}"#);
    assert_eq!(place, expected);
    assert!(!format!("{error:?} {error}").contains("SECRET"), "{error:?} {error}");
    assert_eq!(error.topic(), Some("t"));
    assert_eq!(error.delivery(), &delivery);
    assert_eq!(error.into_delivery(), delivery);
}

fn of_type(found: &'static str, expected: &'static str) -> Fault {
    Fault::Type { found: Some(found), expected: Some(expected) }
}

fn syntax(what: &str) -> Fault {
    Fault::Syntax { what: what.into() }
}

#[test]
fn what_is_not_json_is_told_apart() {
    fails::<u8>("", &Fault::Incomplete, "it ends too early");
    fails::<Vec<String>>(r#"["SECRET"#, &Fault::Incomplete, "it ends too early");
    let words = "it is not JSON: expected value";
    fails::<u8>("SECRET", &syntax("expected value"), words);
    let what = "lone leading surrogate in hex escape";
    fails::<String>(r#""SECRET\udc00""#, &syntax(what), &format!("it is not JSON: {what}"));
    let what = "trailing characters";
    fails::<u8>("1 SECRET", &syntax(what), &format!("it is not JSON: {what}"));
    let what = "expected `,` or `}`";
    fails::<Order>(
        r#"{"order-id":1 "SECRET":2}"#,
        &syntax(what),
        &format!("it is not JSON: {what}"),
    );
}

#[test]
fn what_is_of_another_type_is_told_apart() {
    for (json, found) in [
        ("null", "null"),
        ("true", "a boolean"),
        ("-1.5", "a number with a fraction or an exponent"),
        (r#""SECRET, expected u16 at line 1""#, "a string"),
        (r#""SECRET\", expected u16 at line 1 column 7""#, "a string"),
        (r#"["SECRET"]"#, "an array"),
        (r#"{"SECRET":1}"#, "an object"),
    ] {
        fails::<u8>(json, &of_type(found, "u8"), &format!("{found} where u8 was expected"));
    }
    fails::<String>(
        "5",
        &of_type("an integer", "a string"),
        "an integer where a string was expected",
    );
    fails::<Order>("5", &of_type("an integer", "Order"), "an integer where Order was expected");
    fails::<Wrapped>("5", &of_type("an integer", "Order"), "an integer where Order was expected");
    fails::<Pair>(r#""SECRET""#, &of_type("a string", "Pair"), "a string where Pair was expected");
    // An inner type's name is not among those known.
    let inner = Fault::Type { found: Some("a string"), expected: None };
    let words = "a string where something else was expected";
    fails::<Order>(r#"{"order-id":1,"_inner":"SECRET"}"#, &inner, words);
}

#[test]
fn a_type_is_asked_for_its_shape_in_so_many_wrappers() {
    assert_eq!(Shape::of::<Option<Wrapped>>(), Shape::of::<Order>());
    assert_eq!(Shape::of::<Order>().fields, ["order-id", "_side", "_list", "_inner"]);
    assert_eq!(Shape::of::<Side>(), Shape { name: Some("Side"), fields: &[] });
    assert_eq!(Shape::of::<Chain>(), Shape::default());
    assert_eq!(Shape::of::<Vec<Order>>(), Shape::default());
}

#[test]
fn what_is_not_possible_is_told_apart() {
    let value = Fault::Value { expected: Some("u8") };
    fails::<u8>("300", &value, "a value that is not possible for u8");
    let missing = Fault::MissingField { name: Some("order-id") };
    fails::<Order>("{}", &missing, "the field order-id is missing");
    fails::<Wrapped>("{}", &missing, "the field order-id is missing");
    let inner = Fault::MissingField { name: None };
    fails::<Order>(r#"{"order-id":1,"_inner":{}}"#, &inner, "a field is missing");
    let twice = Fault::DuplicateField { name: Some("order-id") };
    fails::<Order>(r#"{"order-id":1,"order-id":2}"#, &twice, "the field order-id stands twice");
    let inner = Fault::DuplicateField { name: None };
    fails::<Order>(r#"{"_inner":{"_needed":true,"_needed":true}}"#, &inner, "a field stands twice");
    let words = "a field that the type does not know";
    fails::<Order>(r#"{"order-id":1,"SECRET":2}"#, &Fault::UnknownField, words);
    let words = "a variant that the type does not know";
    fails::<Order>(r#"{"_side":"SECRET"}"#, &Fault::UnknownVariant, words);
    fails::<Side>(r#""SECRET""#, &Fault::UnknownVariant, words);
    fails::<Order>(r#"{"_list":[1]}"#, &Fault::Length, "an array of the wrong length");
    fails::<Side>(r#""Sell""#, &Fault::Type { found: None, expected: None }, {
        "a value of another type where something else was expected"
    });
    assert!(matches!(serde_json::from_str(r#""Buy""#), Ok(Side::Buy)));
    assert!(matches!(serde_json::from_str(r#"{"Sell":3}"#), Ok(Side::Sell(3))));
}

#[test]
fn a_type_that_quotes_in_words_of_its_own_is_not_repeated() {
    fails::<Picky>(r#""SECRET""#, &Fault::Refused, "the type refuses it");
    // Not even if it takes the words of others.
    let unknown = Fault::MissingField { name: None };
    fails::<Picky>(r#""missing field `SECRET`""#, &unknown, "a field is missing");
    let other = Fault::Type { found: None, expected: None };
    fails::<Picky>(r#""invalid type: SECRET, expected SECRET""#, &other, {
        "a value of another type where something else was expected"
    });
    let value = Fault::Value { expected: None };
    fails::<Picky>(r#""invalid value: SECRET""#, &value, "a value that is not possible");
}

#[test]
fn the_place_is_one_in_the_payload() {
    let json = "{\"type\":\"t\",\n\n\"data\":[1,\n  \"SECRET\"]}";
    let error = delivered(fields(), text(json)).parse::<Vec<u8>>().expect_err("no number");
    assert_eq!((error.line(), error.column()), (2, 10));
    assert_eq!(
        error.to_string(),
        "the payload on \"t\" cannot be read at line 2 column 10: a string where u8 was expected"
    );
    let error = delivered(fields(), text("[]")).parse::<u8>().expect_err("no number");
    assert_eq!(
        error.to_string(),
        "the payload of a message cannot be read at line 1 column 0: an array where u8 was expected"
    );
    // A topic cannot break out of its line.
    let error =
        delivered(fields(), text(r#"{"type":"a\nb"}"#)).parse::<u8>().expect_err("no number");
    assert!(error.to_string().starts_with(r#"the payload on "a\nb" cannot"#), "{error}");
}

#[test]
fn a_message_is_read_as_a_whole() {
    let json = r#"{"type":"t","data":7}"#;
    let delivery = delivered(fields(), text(json));
    assert_eq!(delivery.parse::<u8>(), Ok(7));
    let message = delivery.message();
    let read = message.parse::<serde_json::Value>().expect("it is JSON");
    assert_eq!(read["data"], 7);
    let error = message.parse::<u8>().expect_err("no number");
    assert_eq!(error.delivery().message(), message);
    assert_eq!((error.topic(), error.line(), error.column()), (None, 1, 0));
    let binary =
        crate::Message { payload: Payload::Binary(b"[1,2]"[..].into()), ..message.clone() };
    assert_eq!(binary.parse::<Vec<u8>>(), Ok([1, 2].to_vec()));
}
