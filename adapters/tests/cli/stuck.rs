//! A run whose stderr nobody reads.

use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _, pipe};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use perennial::practice::{Faults, Options, Server};

use crate::process::{LIMIT, command};

/// A pipe that takes nothing more, for as long as its reader is there.
fn full() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let (mut filler, count) = (writer.try_clone().unwrap(), Arc::clone(&written));
    std::thread::spawn(move || {
        while filler.write_all(&[b'x'; 512]).is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    loop {
        let before = written.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(50));
        if before > 0 && written.load(Ordering::Relaxed) == before {
            return (reader, writer);
        }
    }
}

fn signal(child: &Child) {
    // It may have ended just now, and is there until it is waited for.
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn further_signals_end_it_though_nobody_reads_stderr() {
    let (reader, stderr) = full();
    let faults = Faults { lose_acks: 1.0, ..Faults::default() };
    let server = Server::start(Options { faults, ..Options::default() }).unwrap();
    let mut child = command(&["connect", &server.url(), "--stay", "--acks"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"x\n").unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, echo) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = sender.send(stdout.read_line(&mut line).map(|_| line));
    });
    assert!(echo.recv_timeout(LIMIT).unwrap().unwrap().contains("\"x\""));
    // It has something to say of that, and of the line that nobody has acknowledged.
    drop(server);
    std::thread::sleep(Duration::from_millis(500));
    let start = Instant::now();
    let status = loop {
        // More than two, as those that come at once count as one.
        signal(&child);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LIMIT {
            let _ = child.kill();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(status.code(), Some(1));
    drop(reader);
}
