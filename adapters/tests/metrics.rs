//! What the drivers tell the `metrics` facade.

#![cfg(all(feature = "metrics", feature = "blocking"))]
#![allow(clippy::unwrap_used, clippy::wildcard_imports)]

mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use perennial::blocking::Client;
use perennial::{Builder, Class, HeartbeatStyle, Notice, Outgoing, State};
use support::*;

/// Keeps everything that it is told.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Store>>);

#[derive(Default)]
struct Store {
    described: BTreeMap<String, (Option<Unit>, String)>,
    counters: BTreeMap<String, Arc<AtomicU64>>,
    gauges: BTreeMap<String, Arc<AtomicU64>>,
    histograms: BTreeMap<String, Arc<Samples>>,
}

#[derive(Default)]
struct Samples(Mutex<Vec<f64>>);

impl HistogramFn for Samples {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        let entry = (unit, text.into_owned());
        self.0.lock().unwrap().described.insert(key.as_str().to_owned(), entry);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe_counter(key, unit, text);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe_counter(key, unit, text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Arc::clone(self.0.lock().unwrap().counters.entry(line(key)).or_default()).into()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Arc::clone(self.0.lock().unwrap().gauges.entry(line(key)).or_default()).into()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Arc::clone(self.0.lock().unwrap().histograms.entry(line(key)).or_default()).into()
    }
}

/// `name{label="value"}`, without the prefix that all have.
fn line(key: &Key) -> String {
    let labels: Vec<_> =
        key.labels().map(|label| format!("{}={:?}", label.key(), label.value())).collect();
    let name = key.name().strip_prefix("perennial_").unwrap();
    if labels.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", labels.join(",")) }
}

impl Kept {
    fn counter(&self, line: &str) -> u64 {
        self.0.lock().unwrap().counters[line].load(Ordering::SeqCst)
    }

    fn gauge(&self, line: &str) -> f64 {
        f64::from_bits(self.0.lock().unwrap().gauges[line].load(Ordering::SeqCst))
    }

    fn samples(&self, line: &str) -> Vec<f64> {
        self.0.lock().unwrap().histograms[line].0.lock().unwrap().clone()
    }

    fn connect(&self, builder: Builder) -> Client {
        #[cfg(feature = "proxy")]
        let builder = builder.no_proxy();
        metrics::with_local_recorder(self, || builder.connect().unwrap())
    }
}

#[test]
fn counts_what_happens_and_ends_at_nothing() {
    let server = Server::start(|number, mut stream| match number {
        0 => {
            read_request(&mut stream);
            stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\n\r\n").unwrap();
        }
        1 => {
            let mut socket = accept(stream);
            socket.read().unwrap();
            socket.send("goes down".into()).unwrap();
            reset(socket.get_ref());
        }
        _ => echo(accept(stream)),
    });
    let kept = Kept::default();
    let mut config = quick();
    config.heartbeat.style = HeartbeatStyle::Protocol;
    config.heartbeat.interval = Duration::from_millis(20);
    let builder = Builder::new(server.url()).config(config.build().unwrap()).reports(true);
    let mut client = kept.connect(builder);
    let volatile = Outgoing::new("too early").class(Class::Volatile);
    client.send(volatile).unwrap();
    client.send("one").unwrap();
    assert_eq!(text(&mut client), "goes down");
    until(&mut client, State::Reconnecting);
    until(&mut client, State::Open);
    eventually("the gauge of what is open", || kept.gauge("connections_open") == 1.0);
    client.send("two").unwrap();
    assert_eq!(text(&mut client), "two");
    find(&mut client, |notice| matches!(notice, Notice::Pong { .. }).then_some(()));
    eventually("a round trip", || !kept.samples("rtt_seconds").is_empty());
    client.close();
    let _ = closed(&mut client);
    let counters = client.counters();
    drop(client);
    eventually("the driver is gone", || kept.gauge("connections_open") == 0.0);

    for (line, expected) in [
        ("messages_accepted_total", 3),
        ("messages_flushed_total", 2),
        ("messages_acknowledged_total", 0),
        ("messages_undelivered_total{reason=\"dropped\"}", 1),
        ("messages_undelivered_total{reason=\"uncertain\"}", 0),
        ("messages_received_total", 2),
        ("messages_rejected_total", 0),
        ("attempts_total", 3),
        ("attempts_failed_total{reason=\"status\"}", 1),
        ("attempts_failed_total{reason=\"connect\"}", 0),
        ("connections_lost_total{reason=\"ended\"}", 1),
        ("reconnects_total", 1),
    ] {
        assert_eq!(kept.counter(line), expected, "{line}");
    }
    assert_eq!((counters.accepted, counters.attempts), (3, 3));
    assert_eq!(kept.gauge("outbox_messages"), 0.0);
    let outages = kept.samples("outage_seconds");
    let total = Duration::from_nanos(counters.outage_ns).as_secs_f64();
    assert_eq!(outages.len(), 1);
    assert!((outages[0] - total).abs() < 1e-6, "{outages:?} {total}");
    // Two handshakes are more than this.
    assert!(kept.counter("sent_bytes_total") > 200);
    assert!(kept.counter("received_bytes_total") > 200);
}

#[test]
fn the_outbox_is_seen_to_fill_and_a_name_is_a_label() {
    let kept = Kept::default();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/?token=hidden", listener.local_addr().unwrap());
    drop(listener);
    let builder = Builder::new(url).config(quick().build().unwrap()).name("feed");
    let client = kept.connect(builder);
    for _ in 0..5 {
        client.send("kept").unwrap();
    }
    let outbox = "outbox_messages{connection=\"feed\"}";
    eventually("the outbox", || kept.gauge(outbox) == 5.0);
    let failed = "attempts_failed_total{connection=\"feed\",reason=\"connect\"}";
    eventually("failed attempts", || kept.counter(failed) > 1);
    // The driver goes without getting to its end.
    client.abort();
    drop(client);
    eventually("an empty outbox", || kept.gauge(outbox) == 0.0);
    let dropped = "messages_undelivered_total{connection=\"feed\",reason=\"dropped\"}";
    eventually("the end of each", || kept.counter(dropped) == 5);
    let all = kept.0.lock().unwrap();
    let lines = all.counters.keys().chain(all.gauges.keys()).chain(all.histograms.keys());
    assert!(lines.clone().all(|line| line.contains("connection=\"feed\"")));
    assert!(!lines.clone().any(|line| line.contains("hidden") || line.contains("127.0.0.1")));
}

#[cfg(feature = "smol")]
#[test]
fn a_driver_that_is_dropped_leaves_nothing_open() {
    let server = Server::echo();
    let kept = Kept::default();
    let builder = Builder::new(server.url()).config(quick().build().unwrap());
    let (client, mut driver) =
        metrics::with_local_recorder(&kept, || builder.connect_on(perennial::smol::Smol)).unwrap();
    smol::block_on(async {
        let open = async {
            client.wait_open().await.unwrap();
            client.send("x").await.unwrap();
        };
        let driving = async {
            (&mut driver).await;
        };
        futures_lite::future::or(open, driving).await;
    });
    drop(driver);
    assert_eq!(kept.gauge("connections_open"), 0.0);
    assert_eq!(kept.gauge("outbox_messages"), 0.0);
    assert_eq!(kept.counter("attempts_total"), 1);
}

#[test]
fn every_metric_is_described_and_documented() {
    let kept = Kept::default();
    drop(kept.connect(Builder::new("ws://127.0.0.1:9/")));
    let store = kept.0.lock().unwrap();
    let lines = store.counters.keys().chain(store.gauges.keys()).chain(store.histograms.keys());
    let mut names: Vec<_> =
        lines.map(|line| format!("perennial_{}", line.split('{').next().unwrap())).collect();
    names.sort();
    names.dedup();
    let described: Vec<_> = store.described.keys().cloned().collect();
    assert_eq!(names, described);
    let documentation = include_str!("../src/lib.rs");
    for (name, (unit, text)) in &store.described {
        assert!(documentation.contains(&format!("//! | `{name}`")), "{name}");
        assert!(text.ends_with('.') && unit.is_some(), "{name}");
        let counts =
            store.counters.keys().any(|line| name.contains(line.split('{').next().unwrap()));
        assert_eq!(name.ends_with("_total"), counts, "{name}");
    }
}
