//! What the examples `own_loop` and `assistant` are made of. The others are one file each, in
//! `examples/`.

pub mod entries;
pub mod own_loop;

/// The programs in the adapter's guide are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/ADAPTERS.md")]
mod adapters_guide {}
