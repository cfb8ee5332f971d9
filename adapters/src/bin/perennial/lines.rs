//! Lines of bounded length.

use std::io::{BufRead, ErrorKind, Result};

/// What a reader held next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line, without its `\n` or `\r\n`. The last one may have had neither.
    Whole(Vec<u8>),
    /// A line that is longer than the limit, and was skipped.
    TooLong {
        /// Its length.
        bytes: u64,
    },
    /// The end.
    End,
}

/// Reads one line and holds no more than `limit` bytes of it (and two for its ending).
pub(crate) fn read(reader: &mut impl BufRead, limit: usize) -> Result<Line> {
    let mut line = Vec::new();
    let mut bytes: u64 = 0;
    let mut any = false;
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        any = true;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        bytes = bytes.saturating_add(part.len() as u64);
        // One byte past the limit is kept, because it may be the `\r` of the ending.
        let room = limit.saturating_add(1).saturating_sub(line.len());
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            if bytes == line.len() as u64 && line.last() == Some(&b'\r') {
                line.pop();
                bytes -= 1;
            }
            break;
        }
    }
    Ok(if !any {
        Line::End
    } else if bytes > limit as u64 {
        Line::TooLong { bytes }
    } else {
        Line::Whole(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn all(text: &[u8], limit: usize, buffer: usize) -> Vec<Line> {
        let mut reader = BufReader::with_capacity(buffer, text);
        std::iter::from_fn(|| match read(&mut reader, limit).expect("memory does not fail") {
            Line::End => None,
            line => Some(line),
        })
        .collect()
    }

    fn whole(text: &str) -> Line {
        Line::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn lines_lose_their_ending_and_nothing_else() {
        for buffer in [1, 2, 3, 64] {
            assert_eq!(all(b"", 9, buffer), []);
            assert_eq!(all(b"a\n\nb", 9, buffer), [whole("a"), whole(""), whole("b")]);
            assert_eq!(all(b"a\r\n\r\r\nb\r", 9, buffer), [whole("a"), whole("\r"), whole("b\r")]);
            assert_eq!(all(b"\xff\n", 9, buffer), [Line::Whole(vec![0xff])]);
        }
    }

    #[test]
    fn long_lines_are_skipped() {
        for buffer in [1, 2, 3, 64] {
            assert_eq!(
                all(b"abc\nabcd\nabc\r\nabcd\r\nabcdefgh", 3, buffer),
                [
                    whole("abc"),
                    Line::TooLong { bytes: 4 },
                    whole("abc"),
                    Line::TooLong { bytes: 5 },
                    Line::TooLong { bytes: 8 },
                ]
            );
        }
    }

    #[test]
    fn a_long_line_is_not_held() {
        struct Endless(u64);
        impl std::io::Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
                let n = buffer.len().min(usize::try_from(self.0).unwrap_or(usize::MAX));
                buffer[..n].fill(b'x');
                self.0 -= n as u64;
                Ok(n)
            }
        }
        let mut reader = BufReader::new(Endless(1 << 28));
        let line = read(&mut reader, 1 << 10).expect("memory does not fail");
        assert_eq!(line, Line::TooLong { bytes: 1 << 28 });
    }
}
