//! Whether a socket has something to read.

use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whether there is something to read from `socket`, or its end, or an error: a read would not wait.
///
/// It leaves the error for that read. To peek for a byte would take it away.
pub(crate) fn is_readable(socket: &impl AsFd) -> bool {
    let mut sockets = [PollFd::new(socket, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut sockets, Some(&at_once)).is_ok_and(|ready| ready > 0)
}
