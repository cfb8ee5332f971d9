//! A practice server with faults on demand.
