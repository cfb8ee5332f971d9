use crate::support::*;
use perennial::practice::{Faults, Misbehave, Options, Refusal, Server, Span, Trickle};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};
use tungstenite::client::IntoClientRequest;
use tungstenite::error::ProtocolError;
use tungstenite::{Error, Message};

fn misbehaving(misbehave: Misbehave) -> Server {
    server(Faults { misbehave: Some(misbehave), ..Faults::default() })
}

#[test]
fn the_request_is_noted_and_a_subprotocol_chosen() {
    let server =
        start(Options { subprotocols: vec!["v2".into(), "v1".into()], ..Options::default() });
    let mut request = format!("{}/room?token=abc", server.url()).into_client_request().unwrap();
    request.headers_mut().insert("Authorization", "Bearer xyz".parse().unwrap());
    request.headers_mut().insert("Sec-WebSocket-Protocol", "v0, v1, v2".parse().unwrap());
    let (_client, response) = tungstenite::client(request, tcp(&server)).unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "v1");
    let handshakes = server.handshakes();
    assert_eq!(handshakes.len(), 1);
    let noted = &handshakes[0];
    assert_eq!((noted.connection, noted.path.as_str(), noted.status), (1, "/room", 101));
    assert_eq!(noted.param("token").as_deref(), Some("abc"));
    assert_eq!(noted.header("Authorization"), Some("Bearer xyz"));
    assert_eq!(noted.subprotocol.as_deref(), Some("v1"));
    let stats = server.stats();
    assert_eq!((stats.tcp_accepts, stats.upgrades, stats.live), (1, 1, 1));
    assert_eq!((server.accepted_at().len(), server.upgraded_at().len()), (1, 1));
}

#[test]
fn a_refusal_has_its_status_and_its_advice_and_ends_after_its_times() {
    let refusal = Refusal::status(503).retry_after(Duration::from_secs(2)).times(2);
    let server = server(Faults { refuse: Some(refusal), ..Faults::default() });
    for _ in 0..2 {
        let Err(Error::Http(response)) = try_connect(&server, "/") else { panic!() };
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "2");
    }
    connect(&server);
    assert_eq!(server.stats().refused, 2);
    assert_eq!(server.handshakes().iter().map(|h| h.status).collect::<Vec<_>>(), [503, 503, 101]);
}

#[test]
fn a_refusal_for_a_time_ends_with_it() {
    let lasting = Duration::from_millis(300);
    let begin = Instant::now();
    let refuse = Some(Refusal::status(429).lasting(lasting));
    let server = server(Faults { refuse, ..Faults::default() });
    loop {
        match try_connect(&server, "/") {
            Ok(_) => break,
            Err(Error::Http(response)) => assert_eq!(response.status(), 429),
            Err(e) => panic!("{e}"),
        }
        assert!(begin.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(begin.elapsed() >= lasting);
}

#[test]
fn a_slow_handshake_is_slow() {
    let delay = Duration::from_millis(200);
    let server = server(Faults { slow_handshake: Some(delay.into()), ..Faults::default() });
    let begin = Instant::now();
    let mut client = connect(&server);
    assert!(begin.elapsed() >= delay);
    say(&mut client, "a");
    assert_eq!(hear(&mut client), "a");
}

#[test]
fn a_slow_handshake_takes_early_bytes_and_draws_from_its_range() {
    let span = Span::from(Duration::from_millis(20)..=Duration::from_millis(60));
    let server = server(Faults { slow_handshake: Some(span), ..Faults::default() });
    let mut tcp = tcp(&server);
    // A masked text frame "hi" in the same write as the request.
    let mut bytes = REQUEST.as_bytes().to_vec();
    bytes.extend([0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    tcp.write_all(&bytes).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(&[0x81, 2, b'h', b'i']) {
        let mut buf = [0; 512];
        let n = tcp.read(&mut buf).unwrap();
        assert!(n > 0);
        answer.extend_from_slice(&buf[..n]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
}

#[test]
fn a_request_may_come_byte_by_byte_and_the_answer_too() {
    let pause = Duration::from_millis(1);
    let trickle = Some(Trickle { bytes: 7, pause, handshake: true });
    let server = server(Faults { trickle, ..Faults::default() });
    let mut tcp = tcp(&server);
    tcp.set_nodelay(true).unwrap();
    for byte in REQUEST.as_bytes() {
        tcp.write_all(&[*byte]).unwrap();
    }
    let begin = Instant::now();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        tcp.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    // Pieces of 7 bytes with a pause after each but the last, some of them gone before `begin`.
    assert!(begin.elapsed() >= pause * (head.len() / 7 / 2) as u32);
    let mut client = connect(&server);
    say(&mut client, &"x".repeat(100));
    assert_eq!(hear(&mut client).len(), 100);
}

#[test]
fn one_byte_per_write_without_pause_arrives_whole() {
    let trickle = Some(Trickle { bytes: 1, pause: Duration::ZERO, handshake: false });
    let server = server(Faults { trickle, ..Faults::default() });
    let mut client = connect(&server);
    say(&mut client, &"y".repeat(20_000));
    assert_eq!(hear(&mut client).len(), 20_000);
}

#[test]
fn the_first_message_can_stick_to_the_answer() {
    let server = server(Faults {
        glue_first: Some("first".into()),
        raw_after_open: vec![0x81, 1, b'r'],
        ..Faults::default()
    });
    let mut tcp = tcp(&server);
    tcp.write_all(REQUEST.as_bytes()).unwrap();
    let mut buf = [0; 4_096];
    let n = tcp.read(&mut buf).unwrap();
    assert!(buf[..n].starts_with(b"HTTP/1.1 101 "));
    assert!(buf[..n].ends_with(b"\r\n\r\n\x81\x05first\x81\x01r"), "one write, one segment");
    let mut client = connect(&server);
    assert_eq!((hear(&mut client), hear(&mut client)), ("first".into(), "r".into()));
}

#[test]
fn raw_frames_are_sent_as_they_are() {
    // Invalid UTF-8, a masked frame, reserved bits, a header that promises 2^63 - 1 bytes.
    for raw in [
        vec![0x81, 2, 0xc3, 0x28],
        vec![0x81, 0x81, 1, 2, 3, 4, 0x60],
        vec![0xf1, 1, b'a'],
        [&[0x82, 127, 0x7f][..], &[0xff; 7]].concat(),
    ] {
        let raw_after_open = raw.clone();
        let server = server(Faults { raw_after_open, ..Faults::default() });
        let mut tcp = raw_open(&server);
        let mut got = vec![0; raw.len()];
        tcp.read_exact(&mut got).unwrap();
        assert_eq!(got, raw);
        assert!(connect(&server).read().is_err(), "{raw:?}");
    }
}

#[test]
fn an_answer_that_is_no_http() {
    let server = misbehaving(Misbehave::Garbage(b"220 mail ready\r\n\r\n".to_vec()));
    assert!(try_connect(&server, "/").is_err());
    let mut tcp = tcp(&server);
    tcp.write_all(REQUEST.as_bytes()).unwrap();
    let mut all = Vec::new();
    tcp.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"220 mail ready\r\n\r\n");
    assert!(server.wait(SOON, |s| s.failed_handshakes == 2));
}

#[test]
fn a_wrong_accept_key() {
    let server = misbehaving(Misbehave::BadAccept);
    let error = try_connect(&server, "/").unwrap_err();
    assert!(
        matches!(error, Error::Protocol(ProtocolError::SecWebSocketAcceptKeyMismatch)),
        "{error}"
    );
}

#[test]
fn an_extension_and_a_subprotocol_nobody_asked_for() {
    let server = misbehaving(Misbehave::UnaskedExtension);
    let mut tcp = tcp(&server);
    tcp.write_all(REQUEST.as_bytes()).unwrap();
    let mut buf = [0; 4_096];
    let n = tcp.read(&mut buf).unwrap();
    let head = String::from_utf8_lossy(&buf[..n]).to_ascii_lowercase();
    assert!(head.contains("sec-websocket-extensions: permessage-deflate"), "{head}");
    let server = misbehaving(Misbehave::UnaskedSubprotocol);
    assert!(try_connect(&server, "/").is_err());
}

#[test]
fn a_handshake_cut_in_the_middle() {
    let server = misbehaving(Misbehave::HalfHandshake);
    let mut tcp = tcp(&server);
    tcp.write_all(REQUEST.as_bytes()).unwrap();
    let mut all = Vec::new();
    tcp.read_to_end(&mut all).unwrap();
    assert!(all.starts_with(b"HTTP/1.1 101"));
    assert!(!String::from_utf8_lossy(&all).contains("\r\n\r\n"));
}

#[test]
fn a_head_that_never_ends() {
    let server = misbehaving(Misbehave::EndlessHead { bytes: 300_000 });
    let mut tcp = tcp(&server);
    tcp.write_all(REQUEST.as_bytes()).unwrap();
    let mut all = Vec::new();
    tcp.read_to_end(&mut all).unwrap();
    assert!(all.len() >= 300_000);
    assert!(!String::from_utf8_lossy(&all).contains("\r\n\r\n"));
}

#[test]
fn a_handshake_never_answered_keeps_the_connection() {
    let server = misbehaving(Misbehave::NeverAnswer);
    let mut tcp = tcp(&server);
    tcp.write_all(REQUEST.as_bytes()).unwrap();
    assert!(server.wait(SOON, |s| s.failed_handshakes == 1));
    tcp.set_read_timeout(Some(WHILE)).unwrap();
    assert!(is_timeout(tcp.read(&mut [0]).unwrap_err().kind()));
    server.reset_all();
    assert_eq!(tcp.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_reset_on_accept() {
    let server = misbehaving(Misbehave::ResetOnAccept);
    assert!(try_connect(&server, "/").is_err());
    assert!(server.wait(SOON, |s| s.resets == 1 && s.upgrades == 0));
}

#[test]
fn nonsense_is_answered_with_400_and_silence_is_cut_off() {
    let server = start(Options { patience: Duration::from_millis(100), ..Options::default() });
    let mut tcp1 = tcp(&server);
    tcp1.write_all(b"\x16\x03\x01nonsense\r\n\r\n").unwrap();
    let mut all = Vec::new();
    tcp1.read_to_end(&mut all).unwrap();
    assert!(all.starts_with(b"HTTP/1.1 400 "));
    let mut silent = tcp(&server);
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.stats().failed_handshakes, 2);
    // None of it keeps a good client out.
    let mut client = connect(&server);
    client.send(Message::binary(vec![1, 2])).unwrap();
    assert_eq!(client.read().unwrap(), Message::binary(vec![1, 2]));
}
