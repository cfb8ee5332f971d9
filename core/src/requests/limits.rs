//! How much may be asked at once, and for how long.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, duration};

/// The bounds of a table of [`Requests`](super::Requests).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How many requests await their end. Default 16,384; 1 to 1,048,576.
    pub max_in_flight: usize,
    /// How many bytes their messages take together. Default 16 MiB; at least 1.
    pub max_bytes: usize,
    /// How long a request waits for its answer, from its issue, unless it says otherwise.
    /// Default 30 s; 1 ms to 365 days.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_in_flight: 16_384, max_bytes: 16 << 20, timeout: Duration::from_secs(30) }
    }
}

impl Limits {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ConfigError`] with the first field that is out of its range, and the range.
    pub fn check(&self) -> Result<(), ConfigError> {
        const YEAR: Duration = Duration::from_secs(365 * 86_400);
        if !(1..=1 << 20).contains(&self.max_in_flight) {
            return Err(ConfigError::new("requests.max_in_flight", "must be 1 to 1048576"));
        }
        if self.max_bytes == 0 {
            return Err(ConfigError::new("requests.max_bytes", "must be at least 1 byte"));
        }
        if !(Duration::from_millis(1)..=YEAR).contains(&self.timeout) {
            return Err(ConfigError::new("requests.timeout", "must be 1ms to 365 days"));
        }
        Ok(())
    }
}
