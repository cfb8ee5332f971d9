//! What the example `own_loop` is made of. The other examples are one file each, in `examples/`.

pub mod own_loop;

/// The programs in the adapter's guide are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/ADAPTERS.md")]
mod adapters_guide {}
