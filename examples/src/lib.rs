//! Small programs on perennial.
