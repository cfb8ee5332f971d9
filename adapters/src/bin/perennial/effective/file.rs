//! Reads a config file and lays it over a preset.

use std::path::Path;

use perennial_core::ConfigBuilder;
use serde_json::Value;

use crate::errors::Usage;

/// `base` with the fields that the file names replaced. A field is replaced whole, policies
/// included, but for the table of close codes, where codes that the file does not name stay what
/// they are. So do fields that it does not name.
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
    read(text).map_err(|(field, error)| malformed(path, &field, &error))?;
    let mut merged = serde_json::to_value(base).unwrap_or_default();
    let changes: Value = serde_json::from_str(text).unwrap_or_default();
    lay(&mut merged, changes).map_err(|field| malformed(path, field, "it must be an object"))?;
    read(&merged.to_string()).map_err(|(field, error)| malformed(path, &field, &error))
}

fn malformed(path: &Path, field: &str, error: &str) -> Usage {
    let place = if field == "." { String::new() } else { format!(" at {field}") };
    Usage::new(
        format!("{} is no config{place} ({error})", path.display()),
        "correct it; --print-config shows every field",
    )
}

fn read(text: &str) -> Result<ConfigBuilder, (String, String)> {
    let mut json = serde_json::Deserializer::from_str(text);
    let builder = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| (error.path().to_string(), error.inner().to_string()))?;
    json.end().map_err(|error| (".".to_owned(), error.to_string()))?;
    Ok(builder)
}

/// Sections are merged field by field; everything else is replaced. Fails with the name of a
/// section that is no object (serde would take a list for one).
fn lay(base: &mut Value, changes: Value) -> Result<(), &'static str> {
    const SECTIONS: [&str; 7] =
        ["connect", "retry", "heartbeat", "clock", "close", "outbox", "inbox"];
    let (Value::Object(base), Value::Object(changes)) = (base, changes) else { return Err(".") };
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
