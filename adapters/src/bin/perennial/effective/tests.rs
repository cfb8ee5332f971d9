use super::*;
use crate::args::{Cli, Command};
use clap::Parser;
use perennial_core::{Backoff, CloseRule, Duration, HeartbeatFrames, HeartbeatStyle, Overflow};

fn args(options: &[&str]) -> ConnectArgs {
    let all = ["perennial", "connect", "ws://127.0.0.1:1"].iter().chain(options);
    match Cli::try_parse_from(all).expect("the options are known").command {
        Command::Connect(args) => *args,
        other => panic!("{other:?}"),
    }
}

fn of(options: &[&str]) -> Config {
    config(&args(options)).expect("the config is sound")
}

fn refused(options: &[&str]) -> String {
    config(&args(options)).expect_err("nonsense was accepted").to_string()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("it can be written");
    file
}

#[test]
fn nothing_given_means_the_contracts_defaults() {
    let config = of(&[]);
    assert_eq!(config, Config::scripts());
    assert_eq!(config.outbox.overflow, Overflow::Wait);
    assert_eq!(config.dialect, DialectConfig::Plain);
}

#[test]
fn acks_bring_the_dialect_the_class_and_the_window() {
    for options in [&["--acks"][..], &["--class", "acknowledged"]] {
        let config = of(options);
        assert_eq!(config.outbox.class, Class::Acknowledged);
        assert_eq!(config.inbox.dedupe, 4096);
        let DialectConfig::Json(json) = &config.dialect else { panic!("{:?}", config.dialect) };
        assert!(json.envelope && json.acks && !json.acknowledge);
        assert_eq!(json.heartbeat, HeartbeatFrames::None);
    }
    let config = of(&["--acks", "--dedupe", "7", "--id-field", "n", "--heartbeat-style", "json"]);
    assert_eq!(config.inbox.dedupe, 7);
    let DialectConfig::Json(json) = &config.dialect else { panic!("{:?}", config.dialect) };
    assert_eq!(json.id_field, "n");
    assert!(matches!(json.heartbeat, HeartbeatFrames::Json { .. }));
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Application);
    assert_eq!(of(&["--acks", "--dedupe", "0"]).inbox.dedupe, 0);
}

#[test]
fn the_dialect_is_as_plain_as_can_be() {
    assert_eq!(of(&["--heartbeat-style", "text"]).dialect, DialectConfig::text());
    assert_eq!(of(&["--heartbeat-style", "ws"]).dialect, DialectConfig::Plain);
    let config = of(&["--heartbeat-style", "literal:a,b"]);
    assert_eq!(config.dialect, DialectConfig::Text { ping: "a".into(), pong: "b".into() });
    let config = of(&["--dedupe", "9", "--heartbeat-style", "text"]);
    let DialectConfig::Json(json) = &config.dialect else { panic!("{:?}", config.dialect) };
    assert!(!json.envelope && !json.acks);
    assert!(matches!(json.heartbeat, HeartbeatFrames::Literals { .. }));
    assert_eq!(of(&["--heartbeat-style", "server"]).heartbeat.style, HeartbeatStyle::Server);
    assert_eq!(of(&["--heartbeat", "off"]).heartbeat.style, HeartbeatStyle::Off);
    // A preset's own heartbeat stays with acks added.
    let config = of(&["--preset", "manager", "--acks"]);
    let DialectConfig::Json(json) = &config.dialect else { panic!("{:?}", config.dialect) };
    assert!(json.acks && json.envelope);
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Application);
}

#[test]
fn a_pipe_waits_whatever_the_preset() {
    for preset in [
        "manager",
        "idle-watch",
        "realtime",
        "client",
        "basics",
        "socket-io",
        "event-source",
        "scripts",
    ] {
        let outbox = &of(&["--preset", preset]).outbox;
        assert_eq!((outbox.class, outbox.overflow), (Class::Queued, Overflow::Wait), "{preset}");
    }
    let outbox = &of(&["--preset", "realtime", "--class", "volatile"]).outbox;
    assert_eq!(outbox.class, Class::Volatile);
}

#[test]
fn a_protocol_of_its_own_stays_what_it_is() {
    let config = of(&["--preset", "socket-io", "--acks", "--heartbeat-style", "ws"]);
    assert_eq!(config.dialect, Config::socket_io().dialect);
    assert_eq!((config.outbox.class, config.inbox.dedupe), (Class::Acknowledged, 0));
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Protocol);
    let config = of(&["--preset", "event-source", "--heartbeat", "5s"]);
    assert_eq!(config.dialect, Config::event_source().dialect);
    assert_eq!(config.heartbeat.style, HeartbeatStyle::Protocol);
    assert!(refused(&["--preset", "event-source", "--acks"]).contains("only receives"));
    for (options, named) in [
        (["--preset", "socket-io", "--dedupe", "9"], "--dedupe"),
        (["--preset", "socket-io", "--heartbeat-style", "text"], "--heartbeat-style"),
        (["--preset", "event-source", "--class", "acknowledged"], "only receives: leave --acks"),
    ] {
        let said = refused(&options);
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn a_short_cap_cuts_the_base_that_nobody_asked_for() {
    let base = |config: Config| match config.retry.backoff {
        Backoff::Constant { base }
        | Backoff::Linear { base }
        | Backoff::Exponential { base, .. } => base,
        Backoff::List { .. } => panic!("a list"),
    };
    assert_eq!(base(of(&["--cap", "200ms"])), Duration::from_millis(200));
    assert_eq!(base(of(&["--cap", "1m"])), Duration::from_millis(500));
    assert_eq!(base(of(&["--backoff", "linear", "--cap", "9ms"])), Duration::from_millis(9));
    assert_eq!(base(of(&["--preset", "manager", "--cap", "1s"])), Duration::from_secs(1));
}

#[test]
fn the_file_overrides_the_preset_and_the_options_override_the_file() {
    let file = file(r#"{"retry":{"backoff":{"linear":{"base":"2s"}}},"outbox":{"ttl":"9s"}}"#);
    let path = file.path().to_str().expect("UTF-8");
    let config = of(&["--preset", "client", "--config", path, "--ttl", "3s", "--base", "4s"]);
    assert_eq!(config.retry.backoff, Backoff::Linear { base: Duration::from_secs(4) });
    assert_eq!(config.outbox.ttl, Some(Duration::from_secs(3)));
    // From the preset:
    assert_eq!(config.retry.max_retries, Some(5));
    assert_eq!(config.heartbeat.interval, Duration::from_secs(30));
    // Without a preset the default one is below the file.
    assert_eq!(of(&["--config", path]).outbox.overflow, Overflow::Wait);
}

#[test]
fn a_limit_of_attempts_takes_the_place_of_a_presets_limit_of_retries() {
    let limits = |text: &str| {
        let file = file(text);
        let path = file.path().to_str().expect("UTF-8");
        let retry = &of(&["--preset", "client", "--config", path]).retry;
        (retry.max_attempts, retry.max_retries)
    };
    assert_eq!(limits(r#"{"retry":{"max_attempts":50}}"#), (Some(50), None));
    assert_eq!(limits(r#"{"retry":{"max_attempts":null}}"#), (None, None));
    assert_eq!(limits(r#"{"retry":{"max_attempts":50,"max_retries":9}}"#), (Some(50), Some(9)));
    assert_eq!(limits(r#"{"retry":{"max_retries":9}}"#), (None, Some(9)));
    assert_eq!(limits("{}"), (None, Some(5)));
}

#[test]
fn what_a_file_finds_stale_an_option_may_not() {
    let file = file(r#"{"heartbeat":{"stale_after":"7s"}}"#);
    let path = file.path().to_str().expect("UTF-8");
    let stale_after =
        |options: &[&str]| of(&[&["--config", path], options].concat()).heartbeat.stale_after;
    assert_eq!(stale_after(&[]), Some(Duration::from_secs(7)));
    assert_eq!(stale_after(&["--stale-after", "8s"]), Some(Duration::from_secs(8)));
    assert_eq!(stale_after(&["--stale-after", "off"]), None);
}

#[test]
fn the_files_close_codes_join_those_that_are_final() {
    let file = file(r#"{"retry":{"close_codes":{"4001":"final","1008":"retry"}}}"#);
    let codes = of(&["--config", file.path().to_str().expect("UTF-8")]).retry.close_codes.clone();
    assert_eq!(codes.get(&4001), Some(&CloseRule::Final));
    assert_eq!(codes.get(&1008), Some(&CloseRule::Retry));
    assert_eq!(codes.get(&1003), Some(&CloseRule::Final));
}

#[test]
fn what_is_printed_can_be_read_again() {
    for options in [
        &["--acks", "--heartbeat-style", "literal:x,y"][..],
        &["--preset", "idle-watch", "--backoff", "list:1s,2s", "--jitter", "none"],
        &["--heartbeat", "off", "--max-attempts", "3", "--max-outage", "1m", "--queue", "9"],
    ] {
        let config = of(options);
        let file = file(&serde_json::to_string_pretty(&config).expect("it is serialisable"));
        let path = file.path().to_str().expect("UTF-8");
        assert_eq!(of(&["--config", path]), config);
        assert_eq!(of(&["--config", path, "--preset", "basics"]), config);
    }
}

#[test]
fn broken_rules_name_the_options() {
    for (options, words) in [
        (&["--cap", "100ms", "--base", "1s"][..], &["--cap", "--base"][..]),
        (&["--base", "1m"], &["--base", "--cap"]),
        (&["--backoff", "list:1s,1m"], &["--backoff", "--cap"]),
        (&["--backoff", "list:2s,1s"], &["--backoff", "not decrease"]),
        (&["--backoff", "list:1s", "--base", "1s"], &["--backoff", "--base"]),
        (&["--backoff", "list:1s", "--jitter", "decorrelated"], &["--backoff", "--jitter"]),
        (&["--acks", "--class", "queued"], &["--acks", "--class queued"]),
        (&["--acks", "--class", "volatile"], &["--acks", "--class volatile"]),
        (&["--heartbeat", "0s"], &["--heartbeat", "1ms"]),
        (&["--max-attempts", "0"], &["--max-attempts", "at least 1"]),
        (&["--queue", "0"], &["--queue", "1"]),
        (&["--queue-bytes", "0"], &["--queue-bytes"]),
        (&["--max-message", "0"], &["--max-message", "at least 1 byte"]),
        (&["--id-field", "ack"], &["--id-field", "cumulative"]),
        (&["--id-field", ""], &["--id-field", "empty"]),
        (&["--dial-timeout", "2h"], &["--dial-timeout", "1h"]),
    ] {
        let said = refused(options);
        for word in words {
            assert!(said.contains(word), "{options:?} does not say {word}: {said}");
        }
    }
}

#[test]
fn a_bad_file_is_named_with_its_field() {
    for (text, word) in [
        ("{", "EOF"),
        (r#"{"retry":{"cap":5}}"#, "retry.cap"),
        (r#"{"retry":{"cap":"5 parsecs"}}"#, "retry.cap"),
        (r#"{"retry":{"cop":"5s"}}"#, "cop"),
        (r#"{"retry":{"cap":"1ms"}}"#, "retry.cap"),
        (r#"{"outbox":{"class":"acknowledged"}}"#, "outbox.class"),
        (r#"{} {}"#, "trailing"),
        ("[]", "no config"),
        (r#"{"retry":[]}"#, "retry"),
        (r#"{"dialect":"custom"}"#, "dialect"),
        (r#"{"opening":{"timeout":"2h"}}"#, "opening.timeout"),
    ] {
        let file = file(text);
        let path = file.path().to_str().expect("UTF-8");
        let said = refused(&["--config", path]);
        assert!(said.contains(word), "{text}: {said}");
        assert!(said.contains(path), "{text}: {said}");
    }
    assert!(refused(&["--config", "/no/such/file.json"]).contains("/no/such/file.json"));
}

#[test]
fn a_bad_file_is_told_of_without_what_is_in_it() {
    const URL: &str = "wss://u:s3cr3t@h/?t=s3cr3t";
    for (text, words) in [
        (r#"{"connect":"URL"}"#, &["at connect (", "string, expected an object", "column"][..]),
        (r#"{"connect":7357}"#, &["at connect (", "integer, expected an object"]),
        (r#"{"retry":{"jitter":"URL"}}"#, &["at retry.jitter", "`decorrelated`"]),
        (r#"{"retry":{"jitter":"x`, expected URL"}}"#, &["at retry.jitter", "`decorrelated`"]),
        (r#"{"retry":{"backoff":{"URL":{}}}}"#, &["at retry.backoff (", "`exponential`"]),
        (r#"{"retry":{"backoff":{"linear":{"URL":1}}}}"#, &["at retry.backoff.linear (", "`base`"]),
        (
            r#"{"retry":{"max_attempts":"URL"}}"#,
            &["at retry.max_attempts", "string, expected a whole number"],
        ),
        (r#"{"retry":{"close_codes":{"URL":"final"}}}"#, &["at retry.close_codes ("]),
        (r#"{"retry":{"close_codes":{"1008":"URL"}}}"#, &["at retry.close_codes.1008", "`final`"]),
        (r#"{"retry":{"cap":"URL"}}"#, &["at retry.cap", "250ms"]),
        (r#"{"dialect":"URL"}"#, &["at dialect", "`plain`"]),
        (r#"{"dialect":{"URL":1}}"#, &["at dialect", "`plain`"]),
        (r#"{"dialect":{"json":{"URL":1}}}"#, &["at dialect.json (", "`id_field`"]),
        (r#"{"heartbeat":{"interval":["URL"]}}"#, &["at heartbeat.interval", "list, expected"]),
        (r#"{"heartbeat":"URL"}"#, &["at heartbeat (", "expected an object"]),
        (r#""URL""#, &["is no config (", "string, expected an object"]),
        (r#"{"URL":1}"#, &["is no config (unknown field, expected one of", "`retry`"]),
        (r#"{"x`, there are no fields URL":1}"#, &["is no config (unknown field, expected one of"]),
        (r#"{"connect":{"URL":"URL"}}"#, &["at connect (unknown field, expected one of"]),
        (r#"{"conect":{}}"#, &["at conect (unknown field `conect`, expected one of"]),
        (r#"{"connect":{"auto":true,"URL"#, &["EOF while parsing a string"]),
        (r#"{"connect":{"auto":true} URL"#, &["expected `,` or `}`"]),
    ] {
        let file = file(&text.replace("URL", URL));
        let said = refused(&["--config", file.path().to_str().expect("UTF-8")]);
        assert!(!said.contains("s3cr3t") && !said.contains("7357"), "{text}: {said}");
        for word in words {
            assert!(said.contains(word), "{text} does not say {word}: {said}");
        }
        for odd in ["at ?", "struct ", "ConfigBuilder", " enum "] {
            assert!(!said.contains(odd), "{text}: {said}");
        }
    }
}

#[test]
fn the_file_changes_what_it_names_of_a_section_and_leaves_the_rest() {
    let mut base = Config::builder();
    base.opening.hold = true;
    let path = std::path::Path::new("a.json");
    let over = file::text_over(base, r#"{"opening":{"timeout":"3s"}}"#, path).expect("it is sound");
    assert!(over.opening.hold);
    assert_eq!(over.opening.timeout, Duration::from_secs(3));
}

#[test]
fn every_section_is_one_to_be_merged() {
    let all = serde_json::to_value(Config::builder()).expect("it is serialisable");
    for (name, value) in all.as_object().expect("an object") {
        let is_section = value.is_object() && name != "dialect";
        assert_eq!(is_section, file::SECTIONS.contains(&name.as_str()), "{name}");
    }
}
