//! Durations as people write them: `250ms`, `1.5s`, `10s`, `2m`, `1h`.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Units from large to small, in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// There is no number, or it is malformed.
    Number,
    /// There is no unit, or none of `ns us ms s m h d`.
    Unit,
    /// It is longer than 584 years.
    TooLong,
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DurationError::Number => {
                "not a duration: write a number and a unit, as in 250ms or 10s"
            }
            DurationError::Unit => "a duration needs a unit: ns, us, ms, s, m, h or d",
            DurationError::TooLong => "the duration is too long",
        })
    }
}

impl core::error::Error for DurationError {}

/// Reads a duration: a decimal number and one of the units `ns us ms s m h d`.
///
/// # Errors
/// [`DurationError`] where the text is anything else.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number = number.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(DurationError::Number);
    }
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(DurationError::Unit)?;
    let whole: u64 = whole.parse().map_err(|_| DurationError::TooLong)?;
    let mut nanos = whole.checked_mul(*scale).ok_or(DurationError::TooLong)?;
    let mut place = *scale;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(u64::from(digit - b'0') * place).ok_or(DurationError::TooLong)?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// Writes a duration so that [`parse_duration`] reads it back: the largest unit that divides it.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = crate::time::nanos(duration);
    if nanos == 0 {
        return String::from("0s");
    }
    let (unit, scale) = UNITS
        .iter()
        .find(|(unit, scale)| *unit != "d" && nanos.is_multiple_of(*scale))
        .unwrap_or(&UNITS[6]);
    format!("{}{unit}", nanos / scale)
}

/// A serde adapter: `#[serde(with = "duration")]`.
pub(crate) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    format_duration(*value).serialize(to)
}

/// The other half of the serde adapter.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = alloc::borrow::Cow::<'de, str>::deserialize(from)?;
    parse_duration(&text).map_err(serde::de::Error::custom)
}

/// The same for durations that may be absent: `null` means off.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(super::format_duration).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<alloc::borrow::Cow<'de, str>>::deserialize(from)?
            .map(|text| super::parse_duration(&text).map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// The same for lists.
pub(crate) mod list {
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &[Duration], to: S) -> Result<S::Ok, S::Error> {
        value.iter().copied().map(super::format_duration).collect::<Vec<_>>().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Duration>, D::Error> {
        Vec::<String>::deserialize(from)?
            .iter()
            .map(|text| super::parse_duration(text).map_err(serde::de::Error::custom))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in
            [("250ms", 250), ("10s", 10_000), ("2m", 120_000), ("1.5s", 1_500), ("1h", 3_600_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        assert_eq!(parse_duration("1.0000000009s"), Ok(Duration::from_secs(1)));
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "s", "-1s", "1.s", ".5s", "é"] {
            assert_eq!(parse_duration(text), Err(DurationError::Number), "{text}");
        }
        for text in ["10", "10x", "10 sec", "10S", "1e3s"] {
            assert_eq!(parse_duration(text), Err(DurationError::Unit), "{text}");
        }
        assert_eq!(parse_duration("99999999999999999999s"), Err(DurationError::TooLong));
        assert_eq!(parse_duration("18446744073709551615s"), Err(DurationError::TooLong));
    }

    #[test]
    fn writes_what_it_reads() {
        for nanos in [0, 1, 999, 1_000, 250_000_000, 90_000_000_000, 3_600_000_000_000, u64::MAX] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
        assert_eq!(format_duration(Duration::from_secs(120)), "2m");
    }
}
