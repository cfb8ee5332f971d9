//! Who subscribed to what.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytestring::ByteString;

use super::SubscriberId;
use super::pattern::{Kind, Pattern, Wild};

/// Every subscription, by name and by what it matches. Each list of names is in increasing order.
#[derive(Clone, Debug)]
pub(super) struct Table {
    patterns: BTreeMap<SubscriberId, Pattern>,
    exact: BTreeMap<ByteString, Vec<SubscriberId>>,
    wild: BTreeMap<Wild, Vec<SubscriberId>>,
    unrouted: Vec<SubscriberId>,
}

impl Table {
    pub(super) const fn new() -> Self {
        Self {
            patterns: BTreeMap::new(),
            exact: BTreeMap::new(),
            wild: BTreeMap::new(),
            unrouted: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.patterns.len()
    }

    pub(super) fn get(&self, id: SubscriberId) -> Option<&Pattern> {
        self.patterns.get(&id)
    }

    /// Adds a subscription, whose name must be greater than all before.
    pub(super) fn insert(&mut self, id: SubscriberId, pattern: &Pattern) {
        let ids = match &pattern.0 {
            Kind::Exact(topic) => self.exact.entry(topic.clone()).or_default(),
            Kind::Wild(wild) => self.wild.entry(wild.clone()).or_default(),
            Kind::Unrouted => &mut self.unrouted,
        };
        ids.push(id);
        self.patterns.insert(id, pattern.clone());
    }

    /// Removes a subscription. Says whether it was there.
    pub(super) fn remove(&mut self, id: SubscriberId) -> bool {
        let Some(pattern) = self.patterns.remove(&id) else { return false };
        match &pattern.0 {
            Kind::Exact(topic) => strike(&mut self.exact, topic, id),
            Kind::Wild(wild) => strike(&mut self.wild, wild, id),
            Kind::Unrouted => remove(&mut self.unrouted, id),
        }
        true
    }

    /// Appends those who get a message on this topic, or without one, in increasing order.
    pub(super) fn find(&self, topic: Option<&str>, to: &mut Vec<SubscriberId>) {
        let Some(topic) = topic else { return to.extend_from_slice(&self.unrouted) };
        let start = to.len();
        let mut lists = 0;
        if let Some(ids) = self.exact.get(topic) {
            to.extend_from_slice(ids);
            lists += 1;
        }
        if self.wild.is_empty() {
            return;
        }
        for (_, ids) in self.wild.iter().filter(|(wild, _)| wild.matches(topic)) {
            to.extend_from_slice(ids);
            lists += 1;
        }
        if lists > 1 {
            to[start..].sort_unstable();
        }
    }
}

/// Removes a name from the list under `key`, and the list if it was the last one.
fn strike<K: Ord>(lists: &mut BTreeMap<K, Vec<SubscriberId>>, key: &K, id: SubscriberId) {
    if let Some(ids) = lists.get_mut(key) {
        remove(ids, id);
        if ids.is_empty() {
            lists.remove(key);
        }
    }
}

fn remove(ids: &mut Vec<SubscriberId>, id: SubscriberId) {
    if let Ok(at) = ids.binary_search(&id) {
        ids.remove(at);
    }
}
