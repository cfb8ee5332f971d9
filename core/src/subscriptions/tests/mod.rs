//! The table from outside.
