//! Arbitrary bytes as a config, and as the command line's config file.
//!
//! Reading must not panic. What is accepted is written as it is read, and whatever it says, a
//! connection keeps its promises under it. A file changes what it names and nothing else.

use std::path::Path;
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use perennial_core::{Config, ConfigBuilder, DialectConfig};
use serde_json::{Map, Value, json};

use super::connection::{Clock, Inbound, Step, Whom, drive};
use super::file::text_over;

const PRESETS: [&str; 8] = [
    "manager",
    "idle-watch",
    "realtime",
    "client",
    "basics",
    "scripts",
    "socket-io",
    "event-source",
];

/// A change of a config, so that the fuzzer need not find the names of fields.
#[derive(Arbitrary, Debug)]
struct Change<'a> {
    field: u8,
    content: Content<'a>,
}

#[derive(Arbitrary, Debug)]
enum Content<'a> {
    Small(u8),
    Number(u64),
    Negative(i32),
    Bool(bool),
    Null,
    Text(&'a str),
    Word(u8),
    Time(u16, u8),
    Fraction(u16, u16, u8),
    Times(Vec<(u8, u8)>),
    Numbers(Vec<u16>),
    Codes(Vec<(u16, bool)>),
    Backoff(u8, u16, u16),
    TextDialect(&'a str, &'a str),
    JsonDialect { heartbeat: u8, words: [&'a str; 2], id_field: &'a str, flags: u8, depth: u16 },
    Empty(bool),
}

/// Where each value of a config stands.
static FIELDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let whole = serde_json::to_value(Config::default()).expect("a config can be written");
    let mut fields = Vec::new();
    for (name, value) in whole.as_object().into_iter().flatten() {
        fields.push(format!("/{name}"));
        for inner in value.as_object().into_iter().flat_map(Map::keys) {
            fields.push(format!("/{name}/{inner}"));
        }
    }
    fields
});

const WORDS: [&str; 24] = [
    "none",
    "equal",
    "full",
    "decorrelated",
    "retry",
    "final",
    "protocol",
    "application",
    "server",
    "off",
    "reject",
    "wait",
    "drop_oldest",
    "drop_newest",
    "volatile",
    "queued",
    "acknowledged",
    "plain",
    "custom",
    "json",
    "text",
    "default",
    "constant",
    "",
];

fn time(number: impl std::fmt::Display, unit: u8) -> String {
    let units = ["ns", "us", "ms", "s", "m", "h", "d", ""];
    format!("{number}{}", units[usize::from(unit) % units.len()])
}

impl Content<'_> {
    fn value(&self) -> Value {
        match self {
            Content::Small(number) => json!(number),
            Content::Number(number) => json!(number),
            Content::Negative(number) => json!(number),
            Content::Bool(value) => json!(value),
            Content::Null => Value::Null,
            Content::Text(text) => json!(text),
            Content::Word(word) => json!(WORDS[usize::from(*word) % WORDS.len()]),
            Content::Time(number, unit) => json!(time(number, *unit)),
            Content::Fraction(whole, part, unit) => json!(time(format!("{whole}.{part}"), *unit)),
            Content::Times(times) => {
                times.iter().map(|(number, unit)| time(number, *unit)).collect()
            }
            Content::Numbers(numbers) => json!(numbers),
            Content::Codes(codes) => codes
                .iter()
                .map(|(code, retry)| (code.to_string(), if *retry { "retry" } else { "final" }))
                .collect(),
            Content::Backoff(kind, base, other) => {
                let base = format!("{base}ms");
                match kind % 4 {
                    0 => json!({ "constant": { "base": base } }),
                    1 => json!({ "linear": { "base": base } }),
                    2 => json!({ "exponential": { "base": base, "factor_percent": other } }),
                    _ => json!({ "list": { "delays": [base, format!("{other}ms")] } }),
                }
            }
            Content::TextDialect(ping, pong) => json!({ "text": { "ping": ping, "pong": pong } }),
            Content::JsonDialect { heartbeat, words: [ping, pong], id_field, flags, depth } => {
                let bit = |bit: u8| flags & bit != 0;
                let heartbeat = match heartbeat % 3 {
                    0 => json!("none"),
                    1 => json!({ "literals": { "ping": ping, "pong": pong } }),
                    _ => json!({ "json": { "ping": ping, "pong": pong, "timestamp": bit(1) } }),
                };
                let mut json = json!({
                    "heartbeat": heartbeat, "envelope": bit(2), "acks": bit(4),
                    "acknowledge": bit(8), "max_depth": depth,
                });
                if bit(16) {
                    json["id_field"] = json!(id_field);
                }
                json!({ "json": json })
            }
            Content::Empty(object) => {
                if *object {
                    json!({})
                } else {
                    json!([])
                }
            }
        }
    }
}

/// What the changes make of a file.
fn document(changes: &[Change<'_>]) -> String {
    let mut file = Map::new();
    for Change { field, content } in changes {
        let place = &FIELDS[usize::from(*field) % FIELDS.len()];
        let mut names = place.split('/').skip(1);
        match (names.next(), names.next()) {
            (Some(section), Some(name)) => {
                let section = file.entry(section).or_insert_with(|| json!({}));
                if let Some(section) = section.as_object_mut() {
                    section.insert(name.to_owned(), content.value());
                }
            }
            (Some(name), None) => {
                file.insert(name.to_owned(), content.value());
            }
            (None, _) => {}
        }
    }
    Value::Object(file).to_string()
}

/// See the module. A first byte below 128 has the rest say what changes; otherwise the rest is the
/// text itself.
///
/// # Panics
/// If a config is not read or written as it should be, or an invariant does not hold under it.
pub fn run(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let preset = PRESETS[usize::from(*choice) % PRESETS.len()];
    if *choice < 128 {
        let Ok(changes) = Vec::<Change<'_>>::arbitrary_take_rest(Unstructured::new(rest)) else {
            return;
        };
        judge(&document(&changes), preset);
    } else if let Ok(text) = std::str::from_utf8(rest) {
        judge(text, preset);
    }
}

fn judge(text: &str, preset: &str) {
    let alone = serde_json::from_str::<ConfigBuilder>(text);
    let is_builder = alone.is_ok();
    let alone = alone.ok().and_then(|builder| builder.build().ok());
    // Read in one step or in two.
    assert_eq!(serde_json::from_str::<Config>(text).ok(), alone);
    if let Some(config) = &alone {
        comes_back(config);
    }
    let path = Path::new("perennial.json");
    let preset = Config::preset(preset).expect("there is one").into_builder();
    let over = match text_over(preset.clone(), text, path) {
        Ok(builder) => {
            assert!(is_builder, "a part of it is no config");
            assert_eq!(text_over(builder.clone(), text, path).ok(), Some(builder.clone()));
            unnamed_fields_stay(text, &preset, &builder);
            builder.build().ok()
        }
        Err(usage) => {
            assert!(usage.to_string().starts_with("perennial.json is no config"));
            None
        }
    };
    if let Some(config) = &over {
        comes_back(config);
    }
    // What a dialect of the program's own has to keep nobody knows here.
    if let Some(config) = over.or(alone).filter(|config| config.dialect != DialectConfig::Custom) {
        drive(config, text.len() as u64, &SCRIPT);
    }
}

/// What the file does not name is as it was, save that a limit of attempts takes the place of one of
/// retries.
fn unnamed_fields_stay(text: &str, before: &ConfigBuilder, after: &ConfigBuilder) {
    let value = |builder| serde_json::to_value(builder).expect("a config can be written");
    let (before, after) = (value(before), value(after));
    let file: Value = serde_json::from_str(text).expect("it was read before");
    for field in FIELDS.iter() {
        let section = field.rsplit_once('/').map_or("", |(section, _)| section);
        let is_named = file.pointer(field).is_some()
            || (!section.is_empty() && file.pointer(section).is_some_and(|v| !v.is_object()))
            // Whole, if at all.
            || (section == "/dialect" && file.pointer(section).is_some());
        let holds_others = before.pointer(field).is_some_and(Value::is_object);
        if field == "/retry/max_retries"
            && !is_named
            && file.pointer("/retry/max_attempts").is_some()
        {
            assert_eq!(after.pointer(field), Some(&Value::Null));
        } else if !is_named && !holds_others {
            assert_eq!(before.pointer(field), after.pointer(field), "{field}");
        }
    }
}

/// What is accepted is written as it is read.
fn comes_back(config: &Config) {
    let written = serde_json::to_string(config).expect("a config can be written");
    let read: Config = serde_json::from_str(&written).expect("what is written can be read");
    assert_eq!(read, *config);
    assert_eq!(serde_json::to_string(&read).expect("a config can be written"), written);
    let builder: ConfigBuilder = serde_json::from_str(&written).expect("it was read before");
    assert_eq!(builder.build().as_ref(), Ok(config));
}

const WE: Whom = Whom::Current;

/// A bit of everything that can happen to a connection.
const SCRIPT: [Step; 58] = [
    Step::Reconnect,
    Step::Send(9, 0, None),
    Step::Tick(Clock::Early),
    Step::Opened(WE, 0),
    Step::SendAhead(9, 0, None),
    Step::Send(1, 1, None),
    Step::Reorder(0, 1),
    Step::Release(WE),
    Step::Heard(WE),
    Step::Send(0, 1, None),
    Step::Send(30, 2, Some(5)),
    Step::Send(200, 3, None),
    Step::SendOdd(1),
    Step::SendOdd(4),
    Step::Flushed(WE, 0),
    Step::Receive(WE, Inbound::Message(Some(1))),
    Step::Receive(WE, Inbound::Message(Some(1))),
    Step::Receive(WE, Inbound::Message(None)),
    Step::Receive(WE, Inbound::Ack(0, false)),
    Step::Receive(WE, Inbound::Deep),
    Step::Tick(Clock::Deadline),
    Step::Receive(WE, Inbound::Pong(0)),
    Step::Receive(WE, Inbound::DialectPing),
    Step::Receive(WE, Inbound::DialectPong),
    Step::Tick(Clock::Deadline),
    Step::Tick(Clock::Late(200)),
    Step::Receive(WE, Inbound::Binary(3)),
    Step::Tick(Clock::Jump(65_535)),
    Step::Receive(WE, Inbound::Pong(0)),
    Step::Ended(WE),
    Step::Tick(Clock::Early),
    Step::Tick(Clock::Deadline),
    Step::DialFailed(WE, 0, 0),
    Step::Retry(0, Some(Some(7))),
    Step::Tick(Clock::Deadline),
    Step::DialFailed(WE, 6, 9_000),
    Step::Tick(Clock::Deadline),
    Step::Tick(Clock::Deadline),
    Step::Tick(Clock::Deadline),
    Step::Opened(WE, 5),
    Step::Release(WE),
    Step::Buffered(WE, 10),
    Step::Receive(WE, Inbound::Close(Some(1012))),
    Step::Ended(WE),
    Step::Tick(Clock::Deadline),
    Step::Opened(WE, 0),
    Step::Refuse(WE, true),
    Step::Pause,
    Step::Tick(Clock::Deadline),
    Step::Resume,
    Step::Receive(WE, Inbound::Close(Some(1001))),
    Step::Ended(WE),
    Step::Tick(Clock::Deadline),
    Step::Opened(WE, 0),
    Step::Drain(None),
    Step::Tick(Clock::Deadline),
    Step::Tick(Clock::Deadline),
    Step::Tick(Clock::Deadline),
];
