//! The grammar, against what `serde_json` reads.

mod agreement;
mod grammar;
mod scanning;

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::*;

fn is_value(text: &str, max_depth: usize) -> bool {
    let mut scan = Scan::new(text);
    scan.value(max_depth).is_some() && scan.is_over()
}

#[track_caller]
fn agree(text: &str) {
    let valid = serde_json::from_str::<IgnoredAny>(text).is_ok();
    assert_eq!(is_value(text, usize::MAX), valid, "{text:?}");
    let mut ours = BTreeMap::new();
    let read = members(text, |key, value| {
        // Not every key is Unicode text.
        if let Ok(key) = serde_json::from_str::<String>(key) {
            ours.insert(key, value);
        }
    });
    let object = valid && first_byte(text) == Some(b'{');
    assert_eq!(read.is_some(), object, "{text:?}");
    // One that is none fails the whole object here.
    if let Ok(theirs) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
        let theirs = theirs.into_iter().map(|(key, value)| (key, value.get()));
        assert_eq!(ours, theirs.collect(), "{text:?}");
    }
}
