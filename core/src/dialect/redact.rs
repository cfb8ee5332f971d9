//! What stands for a payload where the payload itself must not be shown.

use alloc::string::String;
use alloc::vec::Vec;

use crate::frame::Payload;

/// Which way a payload goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the application: the dialect will encode it.
    Sent,
    /// From the peer: the dialect will decode it.
    Received,
}

/// No vowels, so that no word comes out, and nothing that is JSON: not `true`, not a number.
const LETTERS: [u8; 20] = *b"bcdfghjklmnpqrstvwxz";

/// What follows the label.
pub(super) const FILL: char = '.';

/// Payload of the same kind and length, with as much of the label as there is room for.
pub(crate) fn filler(payload: &Payload, label: u64) -> Payload {
    let size = payload.len();
    match payload {
        Payload::Text(_) => Payload::from(text(size, label)),
        Payload::Binary(_) => {
            let mut bytes: Vec<u8> = label.to_le_bytes().into_iter().take(size).collect();
            bytes.resize(size, 0);
            Payload::from(bytes)
        }
    }
}

/// Text of `size` bytes. The label's lowest digit comes first: where there is little room, it is the
/// one that differs most.
pub(super) fn text(size: usize, label: u64) -> String {
    let mut text = String::with_capacity(size);
    push(&mut text, size, label);
    text
}

/// Appends `size` bytes of that text.
pub(super) fn push(text: &mut String, size: usize, label: u64) {
    let mut left = size;
    let mut label = label;
    while left > 0 {
        // Below 20.
        let digit = (label % 20) as usize;
        text.push(char::from(LETTERS[digit]));
        left -= 1;
        label /= 20;
        if label == 0 {
            break;
        }
    }
    text.extend(core::iter::repeat_n(FILL, left));
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn filler_is_of_the_same_kind_and_length() {
        for size in [0, 1, 2, 9, 300] {
            for label in [0, 1, 19, 20, 400, u64::MAX] {
                let text = filler(&Payload::from("é".repeat(size)), label);
                assert_eq!(text.as_text().map(str::len), Some(2 * size));
                let binary = filler(&Payload::from([7].repeat(size)), label);
                assert_eq!((binary.as_text(), binary.len()), (None, size));
            }
        }
    }

    #[test]
    fn labels_tell_fillers_apart() {
        let count = if cfg!(miri) { 800 } else { 8_000 };
        let texts: BTreeSet<String> = (0..count).map(|label| text(3, label)).collect();
        assert_eq!(texts.len() as u64, count);
        let last: BTreeSet<String> = (0..20).map(|label| text(1, 400 + label)).collect();
        assert_eq!(last.len(), 20);
    }
}
