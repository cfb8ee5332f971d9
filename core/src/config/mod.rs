//! Everything that can be configured, checked before it can be used.

mod check;
pub(crate) mod duration;
mod presets;
mod sections;

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;

use serde::{Deserialize, Serialize};

pub use duration::{DurationError, format_duration, parse_duration};
pub use sections::{
    Backoff, Class, Clock, Close, CloseRule, ConfigBuilder, Connect, Heartbeat, HeartbeatStyle,
    Inbox, Jitter, Opening, Outbox, Overflow, Retry, WhileDown,
};
pub(crate) use sections::{default_id_field, is_reserved_field};

/// A checked configuration. Its sections can be read through it. Cloning it counts a reference.
///
/// Made by [`Config::builder`], by a preset, or from JSON through serde; each checks it, so that
/// no connection ever runs on nonsense. Durations are written as text: `"250ms"`, `"10s"`.
///
/// ```
/// use perennial_core::{Config, Duration};
///
/// let mut builder = Config::builder();
/// builder.heartbeat.interval = Duration::from_secs(5);
/// builder.retry.max_attempts = Some(10);
/// let config = builder.build()?;
/// assert_eq!(config.heartbeat.interval, Duration::from_secs(5));
///
/// let mut nonsense = Config::builder();
/// nonsense.retry.cap = Duration::from_millis(1);
/// let error = nonsense.build().unwrap_err();
/// assert_eq!(error.field, "retry.cap");
/// # Ok::<(), perennial_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConfigBuilder", into = "ConfigBuilder")]
pub struct Config(Arc<ConfigBuilder>);

impl Config {
    /// Every default, to be changed and then built.
    #[must_use]
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The sections, to be changed and built anew.
    #[must_use]
    pub fn into_builder(self) -> ConfigBuilder {
        Arc::unwrap_or_clone(self.0)
    }
}

impl ConfigBuilder {
    /// Checks the sections.
    ///
    /// # Errors
    /// [`ConfigError`] with the first field that breaks a rule, and the rule.
    pub fn build(self) -> Result<Config, ConfigError> {
        check::check(&self)?;
        Ok(Config(Arc::new(self)))
    }
}

impl Deref for Config {
    type Target = ConfigBuilder;

    fn deref(&self) -> &ConfigBuilder {
        &self.0
    }
}

impl TryFrom<ConfigBuilder> for Config {
    type Error = ConfigError;

    fn try_from(builder: ConfigBuilder) -> Result<Self, ConfigError> {
        builder.build()
    }
}

impl From<Config> for ConfigBuilder {
    fn from(config: Config) -> Self {
        config.into_builder()
    }
}

/// A field of a config that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The field, such as `retry.cap`.
    pub field: &'static str,
    /// The rule it breaks, in words.
    pub rule: Cow<'static, str>,
}

impl ConfigError {
    pub(crate) fn new(field: &'static str, rule: impl Into<Cow<'static, str>>) -> Self {
        Self { field, rule: rule.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.rule)
    }
}

impl core::error::Error for ConfigError {}
