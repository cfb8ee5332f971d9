//! What a driver must do: the output vocabulary.

use crate::event::TransportId;
use crate::frame::Frame;
use crate::notice::Notice;
use crate::time::Instant;
use crate::timers::Timer;

/// Something the driver must do, from [`Connection::poll`](crate::Connection::poll).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a WebSocket; report [`Opened`](crate::Event::Opened) or
    /// [`DialFailed`](crate::Event::DialFailed). At most one transport lives at a time.
    Dial {
        /// The new transport's name.
        transport: TransportId,
        /// Which attempt this is since the counter was last reset, from 1.
        attempt: u32,
    },
    /// Write a frame. Flush once, after the last write before [`Action::Wait`], then report
    /// [`Flushed`](crate::Event::Flushed).
    Write {
        /// Where.
        transport: TransportId,
        /// The number of this write on this transport, from 1 without gaps.
        index: u64,
        /// What.
        frame: Frame,
    },
    /// Drop the transport at once, in whatever state; its later events are stale.
    Abort {
        /// Which.
        transport: TransportId,
    },
    /// Tell the application.
    Notify(Notice),
    /// Nothing more to do: flush, and come back with [`Event::Tick`](crate::Event::Tick) at
    /// `until`, or earlier with another event.
    Wait {
        /// When; `None` means that only another event can wake the connection.
        until: Option<Instant>,
        /// What is due then.
        why: Option<Timer>,
    },
}
