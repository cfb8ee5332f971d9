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

#[cfg(test)]
mod tests {
    use std::io::{self, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("connects");
        (ours, listener.accept().expect("connected").0)
    }

    fn await_input(socket: &TcpStream) {
        let end = Instant::now() + Duration::from_secs(20);
        while !is_readable(socket) {
            assert!(Instant::now() < end, "in time");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn bytes_and_the_end_are_seen_and_left_there() {
        let (mut ours, mut theirs) = pair();
        assert!(!is_readable(&ours));
        theirs.write_all(b"x").expect("sent");
        await_input(&ours);
        assert!(is_readable(&ours), "still");
        assert_eq!(ours.read(&mut [0; 8]).expect("a byte"), 1);
        assert!(!is_readable(&ours));
        drop(theirs);
        await_input(&ours);
        assert_eq!(ours.read(&mut [0; 8]).expect("the end"), 0);
    }

    #[test]
    fn an_error_is_left_to_who_reads() {
        let (mut ours, theirs) = pair();
        socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).expect("set");
        drop(theirs);
        await_input(&ours);
        let error = ours.read(&mut [0; 8]).expect_err("a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
