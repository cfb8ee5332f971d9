//! What `connect` does when nothing is said: the contract's defaults.

use serde_json::{Value, json};

use crate::process::run;

fn printed(options: &[&str]) -> Value {
    let all = [&["connect", "ws://127.0.0.1:1", "--print-config"], options].concat();
    let finished = run(&all, "");
    assert_eq!(finished.status, 0, "{finished:?}");
    serde_json::from_str(&finished.stdout.join("\n")).unwrap()
}

#[track_caller]
fn assert_has(config: &Value, expected: &[(&str, Value)]) {
    for (path, value) in expected {
        assert_eq!(config.pointer(path), Some(value), "{path}");
    }
}

#[test]
fn nothing_said_means_scripts() {
    let config = printed(&[]);
    assert_eq!(config, printed(&["--preset", "scripts"]));
    assert_has(
        &config,
        &[
            ("/heartbeat/style", json!("protocol")),
            ("/heartbeat/interval", json!("20s")),
            ("/heartbeat/deadline", json!("20s")),
            ("/heartbeat/misses", json!(0)),
            ("/heartbeat/stale_after", json!(null)),
            ("/retry/backoff/exponential/base", json!("500ms")),
            ("/retry/cap", json!("30s")),
            ("/retry/jitter", json!("full")),
            ("/retry/max_attempts", json!(null)),
            ("/retry/max_outage", json!(null)),
            ("/retry/stable_after", json!("10s")),
            ("/connect/fail_fast", json!(false)),
            ("/connect/dial_timeout", json!("10s")),
            ("/close/timeout", json!("5s")),
            ("/close/drain", json!("10s")),
            ("/outbox/max_messages", json!(1024)),
            ("/outbox/max_bytes", json!(1 << 20)),
            ("/outbox/overflow", json!("wait")),
            ("/outbox/ttl", json!(null)),
            ("/outbox/class", json!("queued")),
            ("/inbox/dedupe", json!(0)),
            ("/inbox/max_message", json!(64 << 20)),
            ("/dialect", json!("plain")),
        ],
    );
}

#[test]
fn acks_bring_their_own() {
    let expected = [
        ("/outbox/class", json!("acknowledged")),
        ("/outbox/ack_timeout", json!("10s")),
        ("/outbox/ack_window", json!(256)),
        ("/inbox/dedupe", json!(4096)),
        ("/dialect/json/id_field", json!("id")),
        ("/dialect/json/envelope", json!(true)),
    ];
    assert_has(&printed(&["--acks"]), &expected);
}

#[test]
fn every_preset_can_be_named() {
    for (name, interval, retries) in [
        ("manager", "30s", json!(10)),
        ("idle-watch", "10s", json!(null)),
        ("realtime", "30s", json!(5)),
        ("client", "30s", json!(5)),
        ("basics", "5s", json!(null)),
        ("scripts", "20s", json!(null)),
    ] {
        let config = printed(&["--preset", name]);
        let interval = ("/heartbeat/interval", json!(interval));
        assert_has(
            &config,
            &[
                interval,
                ("/retry/max_retries", retries),
                ("/retry/max_attempts", json!(null)),
                // A pipe's lines wait, whatever the preset says of what is sent while down.
                ("/outbox/while_down", json!("accept")),
            ],
        );
        let asked = printed(&["--preset", name, "--max-attempts", "9"]);
        let limits = [("/retry/max_retries", json!(null)), ("/retry/max_attempts", json!(9))];
        assert_has(&asked, &limits);
    }
}
