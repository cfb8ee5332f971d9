//! Whether a socket has something to read.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

/// Whether there is something to read from `socket`, or its end, or an error: a read would not wait.
pub(crate) fn is_readable(socket: impl AsFd) -> bool {
    let looked = recv(socket, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    !matches!(looked, Err(Errno::AGAIN | Errno::INTR))
}
