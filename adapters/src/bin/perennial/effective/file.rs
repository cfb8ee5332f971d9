//! Reads a config file and lays it over a preset.

use std::path::Path;

use perennial_core::ConfigBuilder;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::Segment;

use crate::errors::{Usage, is_word};

/// The parts of a config that are laid over one another field by field.
pub(super) const SECTIONS: [&str; 8] =
    ["connect", "retry", "opening", "heartbeat", "clock", "close", "outbox", "inbox"];

/// `base` with the fields that the file names replaced. A field is replaced whole, policies
/// included, but for the table of close codes, where codes that the file does not name stay what
/// they are. So do fields that it does not name, save that a file which limits the attempts takes the
/// place of a preset's limit of retries too.
pub(super) fn over(base: ConfigBuilder, path: &Path) -> Result<ConfigBuilder, Usage> {
    let file = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Usage::new(
            format!("{file} cannot be read ({error})"),
            "name a JSON file with --config; --print-config writes one",
        )
    })?;
    text_over(base, &text, path)
}

/// The same for the text of a file, which `path` names in errors.
pub(super) fn text_over(
    base: ConfigBuilder,
    text: &str,
    path: &Path,
) -> Result<ConfigBuilder, Usage> {
    // Read by itself first: this finds what is malformed, and where.
    read(text).map_err(|flaw| malformed(path, &flaw.field, &flaw.text(true)))?;
    let mut merged = serde_json::to_value(base).unwrap_or_default();
    let changes: Value = serde_json::from_str(text).unwrap_or_default();
    let names = |field: &str| changes.get("retry").is_some_and(|retry| retry.get(field).is_some());
    if names("max_attempts") && !names("max_retries") {
        merged["retry"]["max_retries"] = Value::Null;
    }
    lay(&mut merged, changes).map_err(|field| malformed(path, field, "it must be an object"))?;
    // What is read here is one long line, and nobody's.
    read(&merged.to_string()).map_err(|flaw| malformed(path, &flaw.field, &flaw.text(false)))
}

fn malformed(path: &Path, field: &str, error: &str) -> Usage {
    let place = if field.is_empty() { String::new() } else { format!(" at {field}") };
    Usage::new(
        format!("{} is no config{place} ({error})", path.display()),
        "correct it; --print-config shows every field",
    )
}

/// What is wrong with a config's text.
struct Flaw {
    /// The path to the field, as far as it may be repeated; empty for the whole.
    field: String,
    error: serde_json::Error,
}

fn read(text: &str) -> Result<ConfigBuilder, Flaw> {
    let mut json = serde_json::Deserializer::from_str(text);
    let builder = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Flaw { field: field(error.path()), error: error.into_inner() })?;
    json.end().map_err(|error| Flaw { field: String::new(), error })?;
    Ok(builder)
}

/// A path, up to the first name that nobody but a person in error can have written.
fn field(path: &serde_path_to_error::Path) -> String {
    let mut names: Vec<String> = Vec::new();
    for segment in path {
        names.push(match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key: name } | Segment::Enum { variant: name }
                if is_word(name) || name.parse::<u16>().is_ok() =>
            {
                name.clone()
            }
            Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => break,
        });
    }
    names.join(".")
}

impl Flaw {
    /// What is wrong, without the values in the file: any of them may be a secret in the wrong place.
    fn text(&self, with_place: bool) -> String {
        let error = &self.error;
        let place = format!(" at line {} column {}", error.line(), error.column());
        let text = error.to_string();
        let text = text.strip_suffix(&place).unwrap_or(&text);
        let text = match error.classify() {
            Category::Data => without_values(text),
            // These have fixed texts.
            Category::Syntax | Category::Eof | Category::Io => text.to_owned(),
        };
        if with_place { text + &place } else { text }
    }
}

/// A text of serde's without what it quotes of the input. What was expected stands at its end and is
/// ours.
fn without_values(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("unknown field `") {
        let (name, expected) = match rest.strip_suffix("`, there are no fields") {
            Some(name) => (name, None),
            None => match rest.rsplit_once("`, expected ") {
                Some((name, expected)) => (name, Some(expected)),
                None => ("", None),
            },
        };
        let name = if is_word(name) { format!(" `{name}`") } else { String::new() };
        let expected = expected.map(|names| format!(", expected {names}")).unwrap_or_default();
        return format!("unknown field{name}{expected}");
    }
    let expected = || match text.rsplit_once(", expected ") {
        Some((_, "a map")) => ", expected an object".to_owned(),
        Some((_, "a sequence")) => ", expected a list".to_owned(),
        // The names of types say nothing to who writes JSON.
        Some((_, expected)) if expected.starts_with("struct ") => ", expected an object".to_owned(),
        Some((_, "u16")) => ", expected a whole number up to 65535".to_owned(),
        Some((_, "u8" | "u32" | "u64" | "usize")) => {
            ", expected a whole number in range".to_owned()
        }
        Some((_, expected)) if expected.starts_with("enum ") => {
            ", expected a name, or an object with one".to_owned()
        }
        Some((_, expected)) => format!(", expected {expected}"),
        None => String::new(),
    };
    for (before, kind) in
        [("unknown variant ", "unknown name"), ("invalid value: ", "invalid value")]
    {
        if text.starts_with(before) {
            return format!("{kind}{}", expected());
        }
    }
    if let Some(rest) = text.strip_prefix("invalid type: ") {
        let kind = rest.split(['"', '`', ',']).next().unwrap_or_default().trim_end();
        let kind = match kind {
            "map" => "object",
            "sequence" => "list",
            other => other,
        };
        return format!("invalid type: {kind}{}", expected());
    }
    let ours = text.starts_with("missing field `") || text.starts_with("duplicate field `");
    if ours || !text.contains(['"', '`']) {
        return text.to_owned();
    }
    format!("invalid value{}", expected())
}

/// Sections are merged field by field; everything else is replaced. Fails with the name of a
/// section that is no object (serde would take a list for one).
fn lay(base: &mut Value, changes: Value) -> Result<(), &'static str> {
    let (Value::Object(base), Value::Object(changes)) = (base, changes) else { return Err("") };
    for (name, change) in changes {
        match SECTIONS.into_iter().find(|section| *section == name) {
            Some(section) => match (base.get_mut(section), change) {
                (Some(Value::Object(old)), Value::Object(mut new)) => {
                    // Whoever adds a code does not mean to retry those that are final.
                    if let (Some(Value::Object(codes)), Some(Value::Object(added))) =
                        (old.get("close_codes"), new.get_mut("close_codes"))
                    {
                        let all = codes.iter().map(|(code, rule)| (code.clone(), rule.clone()));
                        let mut all: serde_json::Map<_, _> = all.collect();
                        all.append(added);
                        *added = all;
                    }
                    old.extend(new);
                }
                _ => return Err(section),
            },
            None => {
                base.insert(name, change);
            }
        }
    }
    Ok(())
}
