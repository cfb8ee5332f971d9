//! The place of the meter where the feature `metrics` is off: it tells nobody.

use perennial_core::{Counters, Notice};

/// The metrics of one connection: none.
pub(crate) struct Meter;

impl Meter {
    pub(crate) fn new(_: Option<&str>) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn count(&mut self, _: &Counters) {}

    #[inline]
    pub(crate) fn cross(&mut self, _: u64, _: u64) {}

    #[inline]
    pub(crate) fn end_transport(&mut self) {}

    #[inline]
    pub(crate) fn note(&mut self, _: &Notice) {}
}
