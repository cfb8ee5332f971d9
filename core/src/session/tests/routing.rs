//! Which messages go to subscribers.

use super::*;
use crate::bus::{Pattern, Routing, RoutingConfig};
use crate::session::Unrouted;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text, '.').expect("a pattern")
}

#[test]
fn what_subscribers_want_is_theirs_and_the_rest_the_applications() {
    let mut rig = Rig::opened(SessionConfig::default());
    let ticks = rig.session.listen(&pattern("tick"));
    let all = rig.session.listen(&pattern("**"));
    rig.hear(r#"{"type":"tick","price":7}"#);
    rig.hear(r#"{"type":"chat"}"#);
    rig.hear("no JSON");
    let to: Vec<_> = rig.delivered.iter().map(|(to, _)| to.clone()).collect();
    assert_eq!(to, [[ticks, all].to_vec(), [all].to_vec()]);
    assert_eq!(rig.delivered[0].1.topic(), Some("tick"));
    assert_eq!(rig.messages(), ["no JSON"]);
    assert!(rig.session.unlisten(all));
    rig.hear(r#"{"type":"chat"}"#);
    assert_eq!(rig.messages(), ["no JSON", r#"{"type":"chat"}"#]);
}

#[test]
fn the_separator_is_that_of_the_routing() {
    let routing = RoutingConfig { separator: '/', ..RoutingConfig::default() };
    let config = SessionConfig {
        routing: Routing::fields(routing).expect("valid"),
        ..SessionConfig::default()
    };
    assert_eq!(Rig::opened(config).session.separator(), '/');
}

#[test]
fn what_has_no_topic_can_be_subscribed_to() {
    let mut rig = Rig::opened(SessionConfig::default());
    let raw = rig.session.listen(&Pattern::unrouted());
    rig.hear("no JSON");
    assert_eq!(rig.delivered.len(), 1);
    assert_eq!(rig.delivered[0].0, [raw]);
    assert!(rig.messages().is_empty());
}

#[test]
fn subscribers_outlive_a_transport() {
    let mut rig = Rig::opened(SessionConfig::default());
    rig.session.listen(&pattern("tick"));
    rig.cut();
    rig.hear(r#"{"type":"tick"}"#);
    assert_eq!(rig.delivered.len(), 1);
    assert_eq!(rig.session.status().subscribers, 1);
}

#[test]
fn what_nobody_wants_can_be_dropped() {
    let config = SessionConfig { unrouted: Unrouted::Discard, ..SessionConfig::default() };
    let mut rig = Rig::opened(config);
    rig.hear("early");
    rig.session.listen(&pattern("tick"));
    rig.hear(r#"{"type":"tick"}"#);
    rig.hear(r#"{"type":"chat"}"#);
    assert_eq!(rig.delivered.len(), 1);
    assert!(rig.messages().is_empty());
    assert_eq!(rig.session.status().discarded, 2);
}
