//! The first line.

use alloc::format;
use alloc::string::{String, ToString as _};

use serde::{Deserialize, Serialize};

use super::error::{Flaw, TraceError};
use crate::config::Config;
use crate::dialect::DialectConfig;

/// The version of the format that is written.
///
/// Version 1 is read as well: it is the same without the opening, the lane ahead and the order of
/// the queue.
pub const VERSION: u32 = 2;

/// The oldest version that is read.
pub(super) const OLDEST: u64 = 1;

/// What the first line says that it is the first line of.
const FORMAT: &str = "perennial-trace";

/// What stands in a trace for payloads, close reasons and the texts of errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contents {
    /// Substitutes: nothing in the trace says what was said.
    #[default]
    Redacted,
    /// They themselves, secrets included.
    Full,
}

/// What a recorded connection started from: the first line of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The config. Its `wall_clock_origin_ms` is the time of the clock's origin.
    pub config: Config,
    /// The seed of every random choice.
    pub seed: u64,
    /// What stands for payloads.
    pub contents: Contents,
}

/// The header as it is written. What is said twice, for readers that look for it, must agree.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    format: String,
    version: u64,
    dialect: String,
    contents: Contents,
    seed: u64,
    wall_clock_origin_ms: u64,
    config: Config,
}

/// As much of it as any version has.
#[derive(Deserialize)]
struct AnyVersion {
    format: String,
    version: u64,
}

impl Header {
    /// Reads the first line.
    pub(super) fn parse(line: &[u8]) -> Result<Self, TraceError> {
        const LINE: usize = 1;
        let not_a_trace = TraceError::new(LINE, Flaw::NotATrace);
        let any: AnyVersion = match serde_json::from_slice(line) {
            Ok(any) => any,
            Err(_) if line.starts_with(format!("{{\"format\":\"{FORMAT}\"").as_bytes()) => {
                return Err(match line.last() {
                    Some(b'\n') => TraceError::malformed(LINE, "it is not one JSON object"),
                    _ => TraceError::new(LINE, Flaw::Torn),
                });
            }
            Err(_) => return Err(not_a_trace),
        };
        if any.format != FORMAT {
            return Err(not_a_trace);
        }
        if !(OLDEST..=u64::from(VERSION)).contains(&any.version) {
            return Err(TraceError::new(LINE, Flaw::UnknownVersion { version: any.version }));
        }
        let header: HeaderLine = serde_json::from_slice(line)
            .map_err(|error| TraceError::malformed(LINE, error.to_string()))?;
        if header.dialect != name(&header.config.dialect) {
            return Err(TraceError::malformed(LINE, "dialect is not that of the config"));
        }
        if header.wall_clock_origin_ms != header.config.wall_clock_origin_ms {
            let detail = "wall_clock_origin_ms is not that of the config";
            return Err(TraceError::malformed(LINE, detail));
        }
        Ok(Self { config: header.config, seed: header.seed, contents: header.contents })
    }

    /// The line, its end included.
    pub(super) fn line(&self) -> String {
        let line = HeaderLine {
            format: FORMAT.to_string(),
            version: VERSION.into(),
            dialect: self.dialect().to_string(),
            contents: self.contents,
            seed: self.seed,
            wall_clock_origin_ms: self.config.wall_clock_origin_ms,
            config: self.config.clone(),
        };
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The dialect's name, as in the config.
    #[must_use]
    pub fn dialect(&self) -> &'static str {
        name(&self.config.dialect)
    }
}

fn name(dialect: &DialectConfig) -> &'static str {
    match dialect {
        DialectConfig::Plain => "plain",
        DialectConfig::Text { .. } => "text",
        DialectConfig::Json(_) => "json",
        DialectConfig::SocketIo(_) => "socket_io",
        DialectConfig::EventStream(_) => "event_stream",
        DialectConfig::Custom => "custom",
    }
}
