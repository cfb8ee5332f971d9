//! The server's answer to the opening handshake, as it comes in (RFC 6455 §4.2.2).
//!
//! `tungstenite`'s own reader takes an answer that comes in many small pieces for an attack: a
//! slow line that delivers byte by byte would never open.

use perennial_core::DialFailure;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::handshake::client::Response;
use tungstenite::handshake::machine::TryParse;

use crate::mapping::handshake_failure;

/// The longest head, in bytes.
const LONGEST: usize = 64 << 10;
/// Up to here everything is parsed at once, so that what is no HTTP is found out without waiting
/// for the end of a line. Beyond, parsing waits for one: it starts from the beginning each time.
const EAGER: usize = 1 << 10;

/// An answer of which the head is not there yet.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
}

impl Answer {
    /// Takes the next piece. Once the head is complete: the head, and what came behind it.
    ///
    /// # Errors
    /// It is no HTTP/1.1, or its head is longer than 64 KiB.
    pub(crate) fn take(
        &mut self,
        piece: &[u8],
    ) -> Result<Option<(Response, Vec<u8>)>, DialFailure> {
        self.bytes.extend_from_slice(piece);
        if self.bytes.len() <= EAGER || piece.contains(&b'\n') {
            let parsed = Response::try_parse(&self.bytes);
            if let Some((len, head)) = parsed.map_err(|error| handshake_failure(&error))? {
                return Ok(Some((head, self.bytes.split_off(len))));
            }
        }
        if self.bytes.len() > LONGEST {
            return Err(handshake_failure(&Error::AttackAttempt));
        }
        Ok(None)
    }

    /// What it means that nothing more comes.
    pub(crate) fn cut_off() -> DialFailure {
        handshake_failure(&Error::Protocol(ProtocolError::HandshakeIncomplete))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    #[test]
    fn the_size_of_the_pieces_does_not_matter() {
        for size in [1, 2, 7, 100] {
            let whole = [HEAD, b"\x81\x01x"].concat();
            let mut answer = Answer::default();
            let mut pieces = whole.chunks(size);
            let (head, tail) = pieces
                .find_map(|piece| answer.take(piece).expect("it is HTTP"))
                .expect("it is complete");
            assert_eq!(head.status(), 101, "{size}");
            let rest = [tail, pieces.flatten().copied().collect()].concat();
            assert_eq!(rest, b"\x81\x01x", "{size}");
        }
    }

    #[test]
    fn a_long_head_in_small_pieces_is_taken_and_a_longer_one_is_not() {
        let value = "x".repeat(LONGEST - 200);
        let text = format!("HTTP/1.1 503 No\r\nA: {value}\r\n\r\n");
        let mut answer = Answer::default();
        let found = text.as_bytes().chunks(1).find_map(|piece| answer.take(piece).expect("HTTP"));
        assert_eq!(found.expect("complete").0.status(), 503);

        let mut answer = Answer::default();
        let mut taken = 0;
        let failure = loop {
            match answer.take(if taken == 0 { b"HTTP/1.1 101 x\r\nA: " } else { b"aaaaaaaa" }) {
                Ok(None) => taken += 1,
                Ok(Some(_)) => panic!("it never ends"),
                Err(failure) => break failure,
            }
            assert!(taken < LONGEST, "bounded");
        };
        assert!(failure.to_string().contains("too long"), "{failure}");
    }

    #[test]
    fn what_is_no_http_is_found_out_at_once() {
        for garbage in
            [&b"SSH-2.0-x"[..], b"\0", b"HTTP/1.0 101 x\r\n\r\n", b"HTTP/1.1 101 x\r\n\0"]
        {
            let failure = Answer::default().take(garbage).expect_err("no HTTP");
            assert!(failure.to_string().contains("not HTTP/1.1"), "{failure}");
        }
    }
}
