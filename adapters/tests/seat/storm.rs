//! Everything at once, from several threads, over a connection that is cut again and again.

use super::*;

/// Numbers that look like chance, the same ones every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Returns messages, and cuts the connection after some.
fn cutting_echo(seed: u64) -> Server {
    Server::start(move |number, stream| {
        let mut dice = Dice(seed + number as u64);
        let mut socket = accept(stream);
        for _ in 0..100 + dice.roll(1_000) {
            let Ok(message) = socket.read() else { return };
            if message.is_text() && socket.send(message).is_err() {
                return;
            }
        }
        if dice.roll(2) == 0 {
            reset(socket.get_ref());
        }
    })
}

/// Sends now and then until it is refused. Returns how often it was not.
fn send_until_closed(handle: &Handle, mut dice: Dice) -> u64 {
    let mut accepted = 0;
    loop {
        for _ in 0..dice.roll(20) {
            if handle.send("from another").is_err() && handle.closed().is_some() {
                return accepted;
            }
            accepted += 1;
        }
        if handle.closed().is_some() {
            return accepted;
        }
        thread::sleep(Duration::from_micros(dice.roll(3_000)));
    }
}

/// Receives for a while, in every manner.
fn receive(client: &mut Client, dice: &mut Dice, received: &AtomicUsize) {
    for _ in 0..200 {
        let note = |notice: Option<Notice>| {
            if matches!(notice, Some(Notice::Message(_))) {
                received.fetch_add(1, Ordering::Relaxed);
            }
        };
        match dice.roll(8) {
            0 => thread::sleep(Duration::from_micros(dice.roll(15_000))),
            1 => note(client.try_recv()),
            2 => note(client.recv_timeout(Duration::from_micros(dice.roll(4_000))).ok().flatten()),
            _ => {
                for _ in 0..dice.roll(20) {
                    let _ = client.send("from the caller");
                    note(client.recv_timeout(20 * MS).ok().flatten());
                }
            }
        }
    }
}

fn storm(seed: u64) {
    let server = cutting_echo(seed);
    let mut dice = Dice(seed);
    let mut config = quick();
    config.outbox.overflow = if dice.roll(2) == 0 { Overflow::Wait } else { Overflow::DropOldest };
    config.outbox.max_messages = 8;
    config.inbox.max_messages = 1 + dice.roll(100) as usize;
    let mut client = connect(&server.url(), config);
    let handle = client.handle();
    let others: Vec<_> = (0..3)
        .map(|number| {
            let handle = client.handle();
            thread::spawn(move || send_until_closed(&handle, Dice(seed * 10 + number)))
        })
        .collect();
    let received = Arc::new(AtomicUsize::new(0));
    receive(&mut client, &mut dice, &received);
    match dice.roll(4) {
        0 => drop(client),
        1 => {
            client.close();
            let _ = client.join();
        }
        2 => {
            client.drain(Some(50 * MS));
            while client.recv_timeout(LONG).unwrap().is_some() {}
        }
        _ => {
            client.abort();
            let _ = client.join();
        }
    }
    eventually("it ends", || handle.closed().is_some());
    for other in others {
        other.join().unwrap();
    }
    assert_accounted(&handle.counters());
    assert!(received.load(Ordering::Relaxed) > 0, "it received something");
}

#[test]
fn nothing_is_lost_in_a_storm_of_everything() {
    for seed in 0..12 {
        in_time(move || storm(seed));
    }
}
