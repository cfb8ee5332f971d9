//! What is left of an action for the driver to do.

use perennial_core::{Action, Frame, Notice, TransportId};

/// Something to do with a transport. There is one for every message, and what makes an [`Action`]
/// twice as large as this are the notices.
pub(crate) enum Deed {
    Dial { transport: TransportId, attempt: u32 },
    Write { transport: TransportId, index: u64, frame: Frame },
    Abort { transport: TransportId },
}

impl Deed {
    /// What `action` has the driver do.
    ///
    /// # Errors
    /// What the application is to be told instead, if anything.
    #[inline]
    pub(crate) fn of(action: Action) -> Result<Self, Option<Notice>> {
        Ok(match action {
            Action::Write { transport, index, frame } => Deed::Write { transport, index, frame },
            Action::Dial { transport, attempt } => Deed::Dial { transport, attempt },
            Action::Abort { transport } => Deed::Abort { transport },
            Action::Notify(notice) => return Err(Some(notice)),
            Action::Wait { .. } => return Err(None),
        })
    }

    /// Whether it is to write a frame.
    #[cfg(feature = "blocking")]
    pub(crate) fn is_write(&self) -> bool {
        match self {
            Deed::Write { .. } => true,
            Deed::Dial { .. } | Deed::Abort { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deed_is_no_larger_than_what_is_written() {
        let frame_and_names = size_of::<(TransportId, u64, Frame)>();
        assert!(size_of::<Deed>() <= frame_and_names + size_of::<u64>());
        assert!(size_of::<Deed>() < size_of::<Action>());
    }

    #[test]
    fn an_action_is_done_or_told_or_neither() {
        let transport: TransportId = serde_json::from_str("1").expect("an id is a number");
        let deeds = [
            Action::Dial { transport, attempt: 1 },
            Action::Write { transport, index: 1, frame: Frame::Text("a".into()) },
            Action::Abort { transport },
        ];
        assert!(deeds.into_iter().all(|action| Deed::of(action).is_ok()));
        let told = Deed::of(Action::Notify(Notice::Writable)).err();
        assert_eq!(told, Some(Some(Notice::Writable)));
        let neither = Deed::of(Action::Wait { until: None, why: None }).err();
        assert_eq!(neither, Some(None));
    }
}
