//! Reading and writing JSON texts (RFC 8259) as they stand: in one pass, and without building
//! values.

mod escape;
mod normal;
mod object;
mod scan;
mod token;
mod words;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use escape::{means, unescape};
pub(crate) use normal::normal;
pub(crate) use object::{Pick, check, members, pick, pick_within, range_of, try_pick};
pub(crate) use scan::{Kind, Scan, Token};
pub(crate) use token::{
    first_byte, integer, is_array_or_scalar, is_number, is_string, too_deep, unquoted,
};
pub(crate) use write::{Escapes, digits, escapes, finish, push_number, push_quoted, quoted_len};
