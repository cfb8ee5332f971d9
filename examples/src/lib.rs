//! What the example `own_loop` is made of. The other examples are one file each, in `examples/`.

pub mod own_loop;
