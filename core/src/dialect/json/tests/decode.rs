//! What is received, rule by rule.

use alloc::string::ToString;

use bytes::Bytes;

use super::*;

#[test]
fn messages_pass_with_their_id_and_are_not_copied() {
    let mut dialect = default();
    for (frame, id) in [
        (r#"{"id":5,"data":{"a":[1,{"b":2}]},"timestamp":1}"#, Some(5)),
        (r#"{"data":1}"#, None),
        (r#"{"id":"5"}"#, None),
        (r#"{"id":1,"id":2}"#, Some(2)),
        (r#"{"id":1,"id":null}"#, None),
        (r#"{"x":{"id":5}}"#, None),
        (r#"[{"id":5}]"#, None),
        (r#"{"id":18446744073709551615}"#, Some(u64::MAX)),
        (r#"{"id":18446744073709551616}"#, None),
        (r#"{"id":1e400}"#, None),
        (r#"{"id":1.0}"#, None),
        (r#"{"id":-5}"#, None),
        (r#"{"\ud800":1,"id":5}"#, Some(5)),
        (r#"{"id":5,"x":1e999}"#, Some(5)),
        ("\r\n\t {\"id\" :\n5 } ", Some(5)),
        ("hello", None),
        ("", None),
        (" ", None),
        ("{", None),
        ("{}", None),
        ("{\"id\":5", None),
        ("{\"id\":5} x", None),
        ("{\"id\":5}{\"id\":6}", None),
        ("\u{feff}{\"id\":5}", None),
        ("{not json}", None),
        ("{\"a\nb\":1,\"id\":5}", None),
        ("5", None),
        (r#""{\"id\":5}""#, None),
    ] {
        let payload = text(frame);
        let address = payload.as_bytes().as_ptr();
        let Meaning::Message { payload, id: read } = dialect.decode(payload) else {
            panic!("{frame} is no message");
        };
        assert_eq!(read, id, "{frame}");
        assert_eq!(payload, text(frame));
        assert_eq!(payload.as_bytes().as_ptr(), address, "{frame} was copied");
    }
    let binary = Payload::Binary(Bytes::from_static(br#"{"id":5}"#));
    assert_eq!(dialect.decode(binary.clone()), Meaning::Message { payload: binary, id: None });
}

#[test]
fn json_heartbeats_are_consumed() {
    let mut dialect = default();
    for ping in [
        r#"{"type":"ping"}"#,
        r#" { "timestamp" : 1 , "type" : "ping" } "#,
        r#"{"type":"ping","id":5,"ack":6}"#,
        r#"{"type":"\u0070ing"}"#,
        r#"{"\u0074ype":"ping"}"#,
        r#"{"type":"x","type":"ping"}"#,
    ] {
        reads(&mut dialect, ping, Meaning::Ping);
    }
    reads(&mut dialect, r#"{"type":"pong","t":[[]]}"#, Meaning::Pong);
    for other in [
        "ping",
        r#"{"type":"pin"}"#,
        r#"{"type":"pingx"}"#,
        r#"{"type":"PING"}"#,
        r#"{"type":["ping"]}"#,
        r#"{"type":"ping","type":"x"}"#,
        r#"{"data":{"type":"ping"}}"#,
        r#"{"type":"ping""#,
        r#""ping""#,
    ] {
        reads(&mut dialect, other, message(other, None));
    }
    // One name for both: an answer to an answer would never end.
    let mut dialect = json(|c| {
        c.heartbeat = HeartbeatFrames::Json {
            ping: "heartbeat".to_string(),
            pong: "heartbeat".to_string(),
            timestamp: true,
        };
    });
    reads(&mut dialect, r#"{"type":"heartbeat"}"#, Meaning::Pong);
}

#[test]
fn literal_heartbeats_are_consumed() {
    let mut dialect = json(|c| {
        c.heartbeat = HeartbeatFrames::Literals {
            ping: "ping".to_string(),
            pong: r#"{"op":11}"#.to_string(),
        };
    });
    reads(&mut dialect, "ping", Meaning::Ping);
    reads(&mut dialect, r#"{"op":11}"#, Meaning::Pong);
    for other in [" ping", r#"{"op": 11}"#, r#"{"type":"ping"}"#, r#"{"type":"pong"}"#] {
        reads(&mut dialect, other, message(other, None));
    }
    assert_eq!(
        dialect.decode(Payload::from(&b"ping"[..])),
        Meaning::Message { payload: Payload::from(&b"ping"[..]), id: None }
    );
    assert_eq!(dialect.ping(1), Some(text("ping")));
    assert_eq!(dialect.pong(1), Some(text(r#"{"op":11}"#)));
    assert!(dialect.has_heartbeat());
}

#[test]
fn acknowledgements_are_read_in_every_form() {
    let mut dialect = default();
    for (frame, meaning) in [
        (r#"{"ack":5}"#, ack(5, false)),
        (r#"{"ack":0}"#, ack(0, false)),
        (r#"{"ack":18446744073709551615}"#, ack(u64::MAX, false)),
        (r#"{"ack":5,"cumulative":true}"#, ack(5, true)),
        (r#"{"cumulative":true,"ack":5}"#, ack(5, true)),
        (r#"{"ack":5,"cumulative":false}"#, ack(5, false)),
        (r#"{"ack":5,"cumulative":"true"}"#, ack(5, false)),
        (r#"{"ack":5,"cumulative":1}"#, ack(5, false)),
        (r#"{"ack":5,"timestamp":1,"x":{}}"#, ack(5, false)),
        (r#"{"type":"ack","id":5}"#, ack(5, false)),
        (r#"{"id":5,"type":"ack","cumulative":true}"#, ack(5, true)),
        (r#"{"type":"ack","ack":5}"#, ack(5, false)),
        (r#"{"type":"ack","ack":5,"id":6}"#, ack(5, false)),
        (r#"{"type":"ack","ack":"x","id":6}"#, ack(6, false)),
        (r#"{"type":"\u0061ck","id":5}"#, ack(5, false)),
        (r#"{"ack":1,"ack":2}"#, ack(2, false)),
        (r#"{"ack":"x","ack":2}"#, ack(2, false)),
        ("\n{ \"ack\" : 5 }\n", ack(5, false)),
    ] {
        reads(&mut dialect, frame, meaning);
    }
    let huge =
        std::format!(r#"{{"ack":{}}}"#, "9".repeat(if cfg!(miri) { 1 << 12 } else { 1 << 20 }));
    for bad in [
        r#"{"ack":-1}"#,
        r#"{"ack":-0}"#,
        r#"{"ack":1.0}"#,
        r#"{"ack":0.5}"#,
        r#"{"ack":1e3}"#,
        r#"{"ack":1E0}"#,
        r#"{"ack":1e400}"#,
        r#"{"ack":18446744073709551616}"#,
        r#"{"ack":18446744073709551616,"cumulative":true}"#,
        r#"{"type":"ack","id":-1}"#,
        r#"{"type":"ack","id":1.5}"#,
        r#"{"type":"ack","ack":1.5,"id":1}"#,
        &huge,
    ] {
        reads(&mut dialect, bad, Meaning::BadAck);
    }
    for (other, id) in [
        (r#"{"ack":"5"}"#, None),
        (r#"{"ack":{"id":5}}"#, None),
        (r#"{"ack":[5]}"#, None),
        (r#"{"ack":null}"#, None),
        (r#"{"ack":true,"id":3}"#, Some(3)),
        (r#"{"ack":1,"ack":"x"}"#, None),
        (r#"{"type":"ack"}"#, None),
        (r#"{"type":"ack","id":"5"}"#, None),
        (r#"{"type":"chat","ack":5,"id":6}"#, Some(6)),
        (r#"{"type":null,"ack":5}"#, None),
        (r#"{"type":"acks","id":5}"#, Some(5)),
        (r#"{"data":{"ack":5}}"#, None),
        (r#"{"ack":05}"#, None),
        (r#"{"ack":+5}"#, None),
        (r#"{"ack":5"#, None),
    ] {
        reads(&mut dialect, other, message(other, id));
    }
}

#[test]
fn an_acknowledgement_may_use_either_name_of_the_id() {
    let mut dialect = json(|c| c.id_field = "seq".to_string());
    reads(&mut dialect, r#"{"type":"ack","seq":5}"#, ack(5, false));
    reads(&mut dialect, r#"{"type":"ack","id":5}"#, ack(5, false));
    reads(&mut dialect, r#"{"type":"ack","id":6,"seq":5}"#, ack(5, false));
    reads(&mut dialect, r#"{"type":"ack","id":6,"seq":"5"}"#, ack(6, false));
    reads(&mut dialect, r#"{"type":"ack","seq":-5}"#, Meaning::BadAck);
}

#[test]
fn without_acks_they_are_messages() {
    let mut dialect = json(|c| c.acks = false);
    for (frame, id) in
        [(r#"{"ack":5}"#, None), (r#"{"ack":-5}"#, None), (r#"{"type":"ack","id":5}"#, Some(5))]
    {
        reads(&mut dialect, frame, message(frame, id));
    }
}

#[test]
fn frames_are_written_as_configured() {
    let mut dialect = default();
    assert_eq!(dialect.ping(5), Some(text(r#"{"type":"ping"}"#)));
    assert_eq!(dialect.pong(5), Some(text(r#"{"type":"pong"}"#)));
    assert_eq!(dialect.ack(5), None);
    assert!(dialect.has_heartbeat());
    let (first, second) = (dialect.ping(1).expect("a ping"), dialect.ping(2).expect("a ping"));
    assert_eq!(first.as_bytes().as_ptr(), second.as_bytes().as_ptr(), "the ping was built twice");

    let mut dialect = json(|c| {
        c.acknowledge = true;
        c.heartbeat = HeartbeatFrames::Json {
            ping: "he\"art".to_string(),
            pong: "beat".to_string(),
            timestamp: true,
        };
    });
    assert_eq!(dialect.ping(1234), Some(text(r#"{"type":"he\"art","timestamp":1234}"#)));
    assert_eq!(dialect.ping(0), Some(text(r#"{"type":"he\"art","timestamp":0}"#)));
    assert_eq!(dialect.pong(1234), Some(text(r#"{"type":"beat"}"#)));
    let ping = dialect.ping(1234).expect("a ping");
    assert_eq!(dialect.decode(ping), Meaning::Ping);
    assert_eq!(dialect.ack(0), Some(text(r#"{"ack":0}"#)));
    assert_eq!(dialect.ack(u64::MAX), Some(text(r#"{"ack":18446744073709551615}"#)));

    let mut dialect = json(|c| c.heartbeat = HeartbeatFrames::None);
    assert_eq!(dialect.ping(5), None);
    assert_eq!(dialect.pong(5), None);
    assert!(!dialect.has_heartbeat());
    reads(&mut dialect, r#"{"type":"ping"}"#, message(r#"{"type":"ping"}"#, None));
}
