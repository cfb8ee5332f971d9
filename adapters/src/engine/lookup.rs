//! What a dial needs before it can begin, made in a short-lived thread: the request hook may block,
//! and so does the operating system's name resolution.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::thread;

use perennial_core::{DialError, DialFailure, TransportId};
use url::Host;

use super::journal;
use super::route::{Route, Routes};
use crate::request::{Attempt, HookError, Request};

/// How many of these threads may hang at once: a resolver that does not answer outlives the dial.
const MOST_THREADS: usize = 4;

/// Builds the request of each attempt.
pub(crate) type Hook = Box<dyn FnMut(&mut Attempt<'_>) -> Result<(), HookError> + Send>;

/// What a dial begins with.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) request: Request,
    pub(crate) route: Route,
}

type Outcome = Result<Prepared, DialFailure>;

/// Prepares dials.
pub(crate) struct Preparer {
    request: Request,
    routes: Routes,
    hook: Option<Arc<Mutex<Hook>>>,
    threads: Arc<AtomicUsize>,
}

impl fmt::Debug for Preparer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preparer").field("request", &self.request).finish_non_exhaustive()
    }
}

impl Preparer {
    pub(crate) fn new(request: Request, routes: Routes, hook: Option<Hook>) -> Self {
        let hook = hook.map(|hook| Arc::new(Mutex::new(hook)));
        Self { request, routes, hook, threads: Arc::default() }
    }

    /// Prepares an attempt: at once where nothing can block, otherwise through `report`, which is
    /// called on another thread.
    pub(crate) fn prepare(
        &self,
        transport: TransportId,
        attempt: u32,
        report: impl FnOnce(Outcome) + Send + 'static,
    ) -> Option<Outcome> {
        if self.hook.is_none() {
            let found = self.routes.find(&self.request, attempt, literal);
            if let Some(found) = found.transpose() {
                return Some(found.map(|route| Prepared { request: self.request.clone(), route }));
            }
        }
        let Some(place) = Place::take(&self.threads) else {
            let detail = "earlier attempts still wait for the request hook or the name resolution";
            return Some(Err(DialFailure::new(DialError::Resolve, detail)));
        };
        let mut request = self.request.clone();
        let hook = self.hook.clone();
        let routes = self.routes.clone();
        // What the hook tells lies in the attempt's span, although the thread is another.
        let span = journal::preparing();
        let work = move || {
            let _entered = span.entered();
            let outcome = hook
                .map_or(Ok(()), |hook| run_hook(&hook, attempt, transport, &mut request))
                .and_then(|()| routes.find(&request, attempt, resolve))
                .and_then(|route| route.ok_or_else(|| DialFailure::new(DialError::Resolve, "")))
                .map(|route| Prepared { request, route });
            // The place is free before anybody can ask for the next one.
            drop(place);
            report(outcome);
        };
        let spawned = thread::Builder::new().name("perennial-lookup".to_owned()).spawn(work);
        let error = spawned.err()?;
        Some(Err(DialFailure::new(DialError::Resolve, format!("no thread for it: {error}"))))
    }
}

/// A place among the threads that may run at once.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(threads: &Arc<AtomicUsize>) -> Option<Self> {
        threads
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < MOST_THREADS).then_some(count + 1)
            })
            .ok()
            .map(|_| Self(Arc::clone(threads)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn run_hook(
    hook: &Mutex<Hook>,
    attempt: u32,
    transport: TransportId,
    request: &mut Request,
) -> Result<(), DialFailure> {
    let mut hook = match hook.try_lock() {
        Ok(hook) => hook,
        // It panicked once. It may do better now.
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => {
            let detail = "the request hook still runs for an earlier attempt";
            return Err(DialFailure::new(DialError::Request, detail));
        }
    };
    let mut attempt = Attempt::new(attempt, transport, request);
    let run = std::panic::AssertUnwindSafe(|| hook(&mut attempt));
    match std::panic::catch_unwind(run) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(HookError::Retry(detail))) => Err(DialFailure::new(DialError::Request, detail)),
        Ok(Err(HookError::Stop(detail))) => {
            Err(DialFailure::new(DialError::RequestRefused, detail))
        }
        Err(_) => Err(DialFailure::new(DialError::Request, "the request hook panicked")),
    }
}

/// The address that a host is itself.
fn literal(host: &Host<&str>, port: u16) -> Result<Option<Vec<SocketAddr>>, DialFailure> {
    Ok(match host {
        Host::Domain(_) => None,
        Host::Ipv4(ip) => Some(vec![(*ip, port).into()]),
        Host::Ipv6(ip) => Some(vec![(*ip, port).into()]),
    })
}

/// The addresses of a host, which the operating system may have to ask for.
fn resolve(host: &Host<&str>, port: u16) -> Result<Option<Vec<SocketAddr>>, DialFailure> {
    let Host::Domain(name) = *host else { return literal(host, port) };
    let failure = |detail: String| DialFailure::new(DialError::Resolve, detail);
    let found =
        (name, port).to_socket_addrs().map_err(|error| failure(format!("{name}: {error}")))?;
    let addresses = interleave(found.collect());
    if addresses.is_empty() {
        return Err(failure(format!("{name} has no address")));
    }
    Ok(Some(addresses))
}

/// The families by turns, the resolver's favourite first (RFC 8305 §4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let total = addresses.len();
    let (one, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut ordered = Vec::with_capacity(total);
    while ordered.len() < total {
        ordered.extend(one.next());
        ordered.extend(other.next());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    fn transport() -> TransportId {
        serde_json::from_str("1").expect("an id is a number")
    }

    fn prepare(preparer: &Preparer) -> Outcome {
        let (sender, receiver) = mpsc::channel();
        let report = move |outcome| sender.send(outcome).expect("the test waits");
        preparer.prepare(transport(), 1, report).unwrap_or_else(|| {
            receiver.recv_timeout(Duration::from_secs(10)).expect("an outcome in time")
        })
    }

    #[test]
    fn families_take_turns() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let (a, b, c) = (address("[::1]:1"), address("[::2]:1"), address("[::3]:1"));
        let (x, y) = (address("1.1.1.1:1"), address("2.2.2.2:1"));
        assert_eq!(interleave(vec![a, b, c, x, y]), [a, x, b, y, c]);
        assert_eq!(interleave(vec![x, a, b]), [x, a, b]);
        assert_eq!(interleave(vec![]), []);
    }

    #[test]
    fn a_literal_needs_no_thread() {
        let preparer =
            Preparer::new(Request::new("ws://[::1]:9/x").expect("a url"), Routes::direct(), None);
        let outcome = preparer.prepare(transport(), 1, |_| panic!("not reported"));
        let prepared = outcome.expect("at once").expect("an address");
        assert_eq!(prepared.route.addresses, ["[::1]:9".parse().expect("an address")]);
    }

    #[test]
    fn a_name_is_resolved() {
        let preparer = Preparer::new(
            Request::new("ws://localhost:9/").expect("a url"),
            Routes::direct(),
            None,
        );
        let prepared = prepare(&preparer).expect("localhost resolves");
        assert!(prepared.route.addresses.iter().all(|address| address.ip().is_loopback()));
    }

    #[test]
    fn the_hook_changes_one_attempt_only() {
        let hook: Hook = Box::new(|attempt: &mut Attempt<'_>| {
            assert_eq!(attempt.url().path(), "/first");
            Ok(attempt.set_url("ws://127.0.0.1:10/second")?)
        });
        let preparer = Preparer::new(
            Request::new("ws://127.0.0.1:9/first").expect("a url"),
            Routes::direct(),
            Some(hook),
        );
        for _ in 0..2 {
            let prepared = prepare(&preparer).expect("a request");
            assert_eq!(prepared.request.target(), "ws://127.0.0.1:10/second");
        }
    }

    #[test]
    fn what_the_hook_says_decides() {
        let mut answers = vec![HookError::Stop("no".into()), HookError::Retry("later".into())];
        let hook: Hook = Box::new(move |_| Err(answers.pop().expect("asked twice only")));
        let preparer = Preparer::new(
            Request::new("ws://127.0.0.1:9/").expect("a url"),
            Routes::direct(),
            Some(hook),
        );
        assert_eq!(prepare(&preparer).expect_err("later").kind, DialError::Request);
        assert_eq!(prepare(&preparer).expect_err("no").kind, DialError::RequestRefused);
        let panicked = prepare(&preparer).expect_err("no answers left");
        assert_eq!(panicked.kind, DialError::Request);
    }

    #[test]
    fn a_hanging_hook_does_not_pile_up_threads() {
        let (release, held) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let hook: Hook = Box::new(move |_| {
            started.send(()).expect("the test waits");
            let _ = held.recv();
            Ok(())
        });
        let preparer = Preparer::new(
            Request::new("ws://127.0.0.1:9/").expect("a url"),
            Routes::direct(),
            Some(hook),
        );
        assert!(preparer.prepare(transport(), 1, |_| ()).is_none());
        has_started.recv_timeout(Duration::from_secs(10)).expect("the hook runs");
        let busy = prepare(&preparer).expect_err("the hook is busy");
        assert!(busy.detail.contains("still runs"), "{busy}");
        drop(release);
    }
}
