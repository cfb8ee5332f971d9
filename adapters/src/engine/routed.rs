//! Messages that went to subscribers, as views see them: in their places among the notices.

use std::iter;

use perennial_core::Notice;

/// A message that went to subscribers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Routed {
    /// How many notices for the application had come before it, since the start.
    pub(super) after: u64,
    /// It, as it would have been told the application.
    pub(super) notice: Notice,
}

/// The notices, before which there were so many, and what went to subscribers, in the order in which
/// they came.
pub(super) fn in_order<'a>(
    before: u64,
    notices: &'a [Notice],
    routed: &'a [Routed],
) -> impl Iterator<Item = &'a Notice> {
    let mut notices = (before..).zip(notices).peekable();
    let mut routed = routed.iter().peekable();
    iter::from_fn(move || {
        let place = notices.peek().map_or(u64::MAX, |(place, _)| *place);
        match routed.next_if(|routed| routed.after <= place) {
            Some(routed) => Some(&routed.notice),
            None => notices.next().map(|(_, notice)| notice),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notices that can be told apart.
    fn notice(id: u64) -> Notice {
        Notice::Duplicate { id }
    }

    #[test]
    fn each_has_its_place() {
        let notices = [2, 4, 5].map(notice);
        let routed = [(10, 1), (11, 3), (13, 6), (13, 7)]
            .map(|(after, id)| Routed { after, notice: notice(id) });
        let ordered: Vec<_> = in_order(10, &notices, &routed).cloned().collect();
        assert_eq!(ordered, (1..8).map(notice).collect::<Vec<_>>());
        assert!(in_order(3, &notices, &[]).eq(&notices));
        assert!(in_order(14, &[], &routed).eq(routed.iter().map(|routed| &routed.notice)));
        assert_eq!(in_order(0, &[], &[]).count(), 0);
    }
}
