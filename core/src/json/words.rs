//! Looking for bytes eight at a time.

/// Where the first byte from `at` on stands that a JSON string does not hold as it is: a quote, a
/// backslash, or a control character (RFC 8259 §7). The length, if there is none.
#[inline]
pub(super) fn plain(bytes: &[u8], at: usize) -> usize {
    find(
        bytes,
        at,
        |word| (word.specials() | word.equal_to(b'\\')) & HIGHEST,
        |byte| matches!(byte, b'"' | b'\\' | 0..0x20),
    )
}

/// Where the first byte from `at` on stands that is no digit. The length, if there is none.
#[inline]
pub(super) fn digits(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, Word::no_digits, |byte| !byte.is_ascii_digit())
}

/// Where the first byte from `at` on stands that is looked for. Both look for the same: one in eight
/// bytes, the other in one.
#[inline]
fn find(
    bytes: &[u8],
    mut at: usize,
    in_word: impl Fn(Word) -> u64,
    is_it: impl Fn(u8) -> bool,
) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let found = in_word(Word(u64::from_le_bytes(*chunk)));
        if found != 0 {
            return at + first(found);
        }
        at += chunk.len();
    }
    while bytes.get(at).is_some_and(|byte| !is_it(*byte)) {
        at += 1;
    }
    at
}

/// Eight bytes, the first the lowest.
///
/// What is asked of all of them at once is answered by a mask with the highest bit of each byte that
/// is so. A carry out of such a byte may spoil the answers about those above, so that only the lowest
/// bit means anything, and whether there is one.
#[derive(Clone, Copy, Debug)]
struct Word(u64);

const EACH: u64 = u64::from_ne_bytes([1; 8]);
const HIGHEST: u64 = EACH << 7;

impl Word {
    /// Bytes below `limit`, which is at most 128. Only the highest bits mean anything.
    #[inline]
    const fn less_than(self, limit: u8) -> u64 {
        self.0.wrapping_sub(EACH * limit as u64) & !self.0
    }

    #[inline]
    const fn equal_to(self, byte: u8) -> u64 {
        Self(self.0 ^ (EACH * byte as u64)).less_than(1)
    }

    /// Quotes and control characters: in the quote, 0x22, a bit is turned that makes it 0x20. It makes
    /// no other byte that, and none of those below 0x20 one above.
    #[inline]
    const fn specials(self) -> u64 {
        Self(self.0 ^ (EACH * 0x02)).less_than(0x21)
    }

    /// Bytes that are no ASCII digits.
    #[inline]
    const fn no_digits(self) -> u64 {
        let digits = self.0 ^ (EACH * b'0' as u64);
        (digits.wrapping_add(EACH * (0x80 - 10)) | digits) & HIGHEST
    }
}

/// Which is the first byte in a mask that is not empty.
#[inline]
const fn first(mask: u64) -> usize {
    (mask.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that are looked for stand for themselves wherever they are, among `other` ones.
    fn finds(search: fn(&[u8], usize) -> usize, is_it: fn(u8) -> bool, other: u8, last: u8) {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                let mut bytes = [other; 20];
                bytes[at] = byte;
                let expected = if is_it(byte) { at } else { 20 };
                for from in 0..=at {
                    assert_eq!(search(&bytes, from), expected, "{byte} at {at} from {from}");
                }
                bytes[19] = last;
                let expected = expected.min(19);
                assert_eq!(search(&bytes, 0), expected, "{byte} at {at}");
            }
        }
        assert_eq!(search(&[], 0), 0);
        assert_eq!(search(&[other; 8], 8), 8);
    }

    #[test]
    fn every_byte_stands_for_itself_in_a_string_or_does_not() {
        finds(plain, |byte| byte < 0x20 || byte == b'"' || byte == b'\\', b'a', b'"');
    }

    #[test]
    fn every_byte_is_a_digit_or_is_not() {
        finds(digits, |byte| !byte.is_ascii_digit(), b'7', b',');
    }
}
