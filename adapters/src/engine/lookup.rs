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

/// What is told of an attempt that is prepared on another thread.
#[derive(Debug)]
pub(crate) enum Preparation {
    /// The hook has made its request, which goes there: see [`Request::target`].
    Requested(Arc<str>),
    /// The dial can begin, or will not.
    Over(Outcome),
}

/// Prepares dials.
pub(crate) struct Preparer {
    request: Request,
    /// Where every request goes, unless a hook says where each does.
    target: Option<Arc<str>>,
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
        let target = hook.is_none().then(|| request.target().into());
        let hook = hook.map(|hook| Arc::new(Mutex::new(hook)));
        Self { request, target, routes, hook, threads: Arc::default() }
    }

    /// Where an attempt goes, if that is known before it is prepared.
    pub(crate) fn target(&self) -> Option<&Arc<str>> {
        self.target.as_ref()
    }

    /// Prepares an attempt: at once where nothing can block, otherwise through `report`, which is
    /// called on another thread.
    pub(crate) fn prepare(
        &self,
        transport: TransportId,
        attempt: u32,
        report: impl Fn(Preparation) + Send + 'static,
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
            let made = match hook {
                None => Ok(()),
                Some(hook) => run_hook(&hook, attempt, transport, &mut request)
                    // Told before the name is looked up, which may take long or fail.
                    .inspect(|()| report(Preparation::Requested(request.target().into()))),
            };
            let outcome = made
                .and_then(|()| routes.find(&request, attempt, resolve))
                .and_then(|route| route.ok_or_else(|| DialFailure::new(DialError::Resolve, "")))
                .map(|route| Prepared { request, route });
            // The place is free before anybody can ask for the next one.
            drop(place);
            report(Preparation::Over(outcome));
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

    /// Prepares an attempt. Returns what came of it, and where the request goes, if that was told.
    fn prepare_and_tell(preparer: &Preparer) -> (Outcome, Option<Arc<str>>) {
        let (sender, receiver) = mpsc::channel();
        let report = move |step| sender.send(step).expect("the test waits");
        let mut target = preparer.target().cloned();
        if let Some(outcome) = preparer.prepare(transport(), 1, report) {
            return (outcome, target);
        }
        loop {
            match receiver.recv_timeout(Duration::from_secs(10)).expect("an outcome in time") {
                Preparation::Requested(to) => assert_eq!(target.replace(to), None, "told once"),
                Preparation::Over(outcome) => return (outcome, target),
            }
        }
    }

    fn prepare(preparer: &Preparer) -> Outcome {
        prepare_and_tell(preparer).0
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
    fn where_a_request_goes_is_told_though_the_name_is_not_found() {
        // No name is so long (RFC 1035 §2.3.4), so that nobody need be asked for it.
        let unknown = format!("ws://{}.invalid:7/chat", "a".repeat(64));
        let request = Request::new(&format!("{unknown}?token=secret")).expect("a url");
        let preparer = Preparer::new(request, Routes::direct(), None);
        assert_eq!(preparer.target().map(|target| &**target), Some(&*unknown));

        let url = unknown.replace("ws://", "ws://user:secret@") + "?token=secret";
        let hook: Hook = Box::new(move |attempt| Ok(attempt.set_url(&url)?));
        let request = Request::new("ws://127.0.0.1:9/first").expect("a url");
        let preparer = Preparer::new(request, Routes::direct(), Some(hook));
        let (outcome, target) = prepare_and_tell(&preparer);
        assert_eq!(outcome.expect_err("there is none").kind, DialError::Resolve);
        assert_eq!(target.as_deref(), Some(&*unknown));

        let hook: Hook = Box::new(|_| Err(HookError::Retry("not now".into())));
        let request = Request::new("ws://127.0.0.1:9/first").expect("a url");
        let preparer = Preparer::new(request, Routes::direct(), Some(hook));
        assert_eq!(prepare_and_tell(&preparer).1, None, "no request was made");
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
