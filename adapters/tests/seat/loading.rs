//! Who sends without pause writes as well.

use super::*;

/// A server that takes every text, and tells of each.
fn telling_sink() -> (Server, mpsc::Receiver<String>) {
    let (tell, told) = mpsc::channel();
    let server = Server::start(move |_, stream| {
        let mut socket = accept(stream);
        while let Ok(message) = socket.read() {
            if let Message::Text(text) = message {
                let _ = tell.send(text.to_string());
            }
        }
    });
    (server, told)
}

fn waiting() -> ConfigBuilder {
    let mut config = quick();
    config.outbox.overflow = Overflow::Wait;
    config
}

#[test]
fn what_is_sent_without_pause_arrives_in_order_to_its_end() {
    in_time(|| {
        let (server, told) = telling_sink();
        let client = connect(&server.url(), waiting());
        client.wait_open(LONG).unwrap();
        // Nobody does anything after the last one of each row; it goes out all the same.
        for row in 0..20 {
            let count = [1, 20, 300, 700, 3_000, 20_000][row % 6];
            for number in 0..count {
                client.send(format!("{row} {number}")).unwrap();
            }
            for number in 0..count {
                assert_eq!(told.recv_timeout(LONG).unwrap(), format!("{row} {number}"));
            }
        }
    });
}

#[test]
fn several_who_send_without_pause_each_keep_their_order() {
    const EACH: usize = 20_000;
    in_time(|| {
        let (server, told) = telling_sink();
        let client = connect(&server.url(), waiting());
        client.wait_open(LONG).unwrap();
        let threads: Vec<_> = (0..3)
            .map(|who| {
                let handle = client.handle();
                thread::spawn(move || {
                    (0..EACH)
                        .for_each(|number| _ = handle.send(format!("{who} {number}")).unwrap());
                })
            })
            .collect();
        let mut next = [0; 3];
        for _ in 0..3 * EACH {
            let text = told.recv_timeout(LONG).unwrap();
            let (who, number) = text.split_once(' ').unwrap();
            let who: usize = who.parse().unwrap();
            assert_eq!(number.parse::<usize>().unwrap(), next[who]);
            next[who] += 1;
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn pings_are_answered_and_the_heartbeat_goes_on_while_somebody_sends_without_pause() {
    in_time(|| {
        let (pong, pongs) = mpsc::channel();
        let server = Server::start(move |_, stream| {
            let mut socket = accept(stream);
            let (mut pings, mut texts) = (0_u32, 0_u32);
            while let Ok(message) = socket.read() {
                match message {
                    Message::Text(_) => {
                        texts += 1;
                        if texts % 10_000 == 1 {
                            socket.send(Message::Ping("are you there".into())).unwrap();
                        }
                    }
                    Message::Ping(_) => pings += 1,
                    Message::Pong(_) => pong.send(pings).unwrap(),
                    _ => {}
                }
            }
        });
        let mut config = waiting();
        config.heartbeat.interval = 20 * MS;
        config.heartbeat.deadline = 10 * LONG;
        // So soon is it full that the sender writes all the time.
        config.outbox.max_messages = 16;
        let client = connect(&server.url(), config);
        client.wait_open(LONG).unwrap();
        let handle = client.handle();
        let end = Instant::now() + LONG;
        let (mut answered, mut pinged) = (0, 0);
        while answered < 10 || pinged < 5 {
            assert!(Instant::now() < end, "{answered} pongs came, {pinged} pings");
            for number in 0..1_000 {
                handle.send(number.to_string()).unwrap();
            }
            for pings in pongs.try_iter() {
                answered += 1;
                pinged = pings;
            }
        }
    });
}

#[test]
fn hooks_run_on_no_thread_that_only_sends() {
    in_time(|| {
        let (server, told) = telling_sink();
        let (hook, hooks) = mpsc::channel();
        let client = Client::builder(server.url())
            .config(waiting().build().unwrap())
            .on_state(move |_| {
                let _ = hook.send(thread::current().id());
            })
            .connect()
            .unwrap();
        client.wait_open(LONG).unwrap();
        for number in 0..5 {
            for number in 0..20_000 {
                client.send(number.to_string()).unwrap();
            }
            told.iter().find(|text| text == "19999").unwrap();
            client.reconnect();
            while server.accepted() < number + 2 {
                for number in 0..100 {
                    let _ = client.send(number.to_string());
                }
            }
            client.wait_open(LONG).unwrap();
        }
        let here = thread::current().id();
        let threads: Vec<_> = hooks.try_iter().collect();
        assert!(threads.len() > 5);
        assert!(threads.iter().all(|thread| *thread != here));
    });
}

#[test]
fn a_timeout_is_kept_while_others_send_without_pause() {
    in_time(|| {
        let server = Server::start(|_, stream| {
            let mut socket = accept(stream);
            while let Ok(message) = socket.read() {
                if message.to_text().is_ok_and(|text| text.starts_with("exchanged")) {
                    socket.send(message).unwrap();
                }
            }
        });
        let mut client = quick_client(&server, waiting());
        let handle = client.handle();
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let sender = thread::spawn(move || {
            while !until.load(Ordering::SeqCst) {
                handle.send("x").unwrap();
            }
        });
        for _ in 0..10 {
            // There may be notices of the heartbeat.
            while client.recv_timeout(20 * MS).is_ok() {}
        }
        is_over.store(true, Ordering::SeqCst);
        sender.join().unwrap();
    });
}
