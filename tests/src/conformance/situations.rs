//! Closing, dropping and reconnecting, in every state that a connection can be in.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use perennial_core::{ConfigBuilder, Notice, State};
use rustls::ServerConfig;

use super::authority::Authority;
use super::client::Client;
use super::peer::Peer;
use super::run::Run;
use super::server::Server;
use super::{LONG, patient, quick};

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Situation {
    /// The first dial was refused; the next one is far away.
    Waiting,
    /// The TCP connection does not come about.
    Dialing,
    /// The server does not answer the TLS handshake.
    Securing,
    /// The server does not answer the WebSocket handshake.
    Upgrading,
    Open,
    /// Open, with half a message written and a peer that does not read.
    Blocked,
    /// As blocked, and draining.
    Draining,
    /// Was open; the next dial is far away.
    Reconnecting,
    /// Was open; the server does not answer the next handshake.
    Redialing,
    /// A close frame was sent, and is not answered.
    Closing,
}

struct Scene {
    client: Client,
    server: Server,
    /// The other end, where there is one.
    peer: Option<Peer>,
    /// How to speak TLS, where that is spoken.
    tls: Option<Arc<ServerConfig>>,
}

impl Scene {
    fn new(client: Client, server: Server, peer: Option<Peer>) -> Self {
        Self { client, server, peer, tls: None }
    }
}

/// More than the kernel takes for a peer that does not read.
const MUCH: usize = 12 << 20;

fn reach(run: &Run<'_>, situation: Situation, mut config: ConfigBuilder) -> Scene {
    config.outbox.max_bytes = 2 * MUCH;
    match situation {
        Situation::Waiting => {
            let server = Server::start();
            let mut client = run.connect(&server, config);
            server.accept().refuse("500 Oops");
            client.retries();
            Scene::new(client, server, None)
        }
        Situation::Dialing => {
            let Some(server) = Server::full() else {
                run.cannot("a full queue refuses callers here")
            };
            let mut client = run.connect(&server, config);
            client.until("a dial", |notice| matches!(notice, Notice::Dialing { .. }).then_some(()));
            client.status_is("a dial", |status| status.phase == "dialing");
            Scene::new(client, server, None)
        }
        Situation::Securing => {
            run.needs("TLS", |features| features.tls);
            let server = Server::start();
            let mut plan = run.plan(&server.url().replace("ws:", "wss:"), config);
            let authority = Authority::new();
            plan.trust = Some(authority.pem());
            let client = run.connect_with(plan);
            let mut peer = server.accept();
            peer.read_exact(&mut [0; 5]).expect("a record of the client's hello");
            let tls = Some(authority.server(&["127.0.0.1"], |_| ()));
            Scene { client, server, peer: Some(peer), tls }
        }
        Situation::Upgrading => {
            let server = Server::start();
            let client = run.connect(&server, config);
            let mut peer = server.accept();
            peer.request();
            Scene::new(client, server, Some(peer))
        }
        Situation::Open | Situation::Blocked | Situation::Draining | Situation::Closing => {
            let server = Server::with_small_buffers();
            let mut client = run.connect(&server, config);
            let mut peer = server.open();
            client.opens();
            match situation {
                Situation::Blocked | Situation::Draining => {
                    client.send(vec![7; MUCH]);
                    client.send("never handed over");
                    peer.read_exact(&mut [0; 14]).expect("a frame's head");
                    if situation == Situation::Draining {
                        client.session().drain(None);
                    }
                }
                Situation::Closing => {
                    client.close();
                    peer.hears_close(1000);
                }
                _ => {}
            }
            Scene::new(client, server, Some(peer))
        }
        Situation::Reconnecting | Situation::Redialing => {
            let server = Server::start();
            let mut client = run.connect(&server, config);
            let mut peer = server.open();
            client.opens();
            peer.hang_up();
            client.becomes(State::Reconnecting);
            client.retries();
            let peer = (situation == Situation::Redialing).then(|| {
                let mut peer = server.accept();
                peer.request();
                peer
            });
            Scene::new(client, server, peer)
        }
    }
}

/// A config for the situation: it comes back at once only where it should.
fn config(situation: Situation) -> ConfigBuilder {
    let mut config = if situation == Situation::Redialing { quick() } else { patient() };
    if matches!(situation, Situation::Blocked | Situation::Draining | Situation::Closing) {
        // Only the timeout ends these.
        config.close.timeout = Duration::from_millis(150);
    }
    config
}

fn close(run: &Run<'_>, situation: Situation) {
    let Scene { mut client, mut server, peer, .. } = reach(run, situation, config(situation));
    client.close();
    // Once more, which changes nothing.
    client.session().close(4000, "another").expect("a valid code");
    let mut peer = peer;
    if situation == Situation::Open {
        peer.take().expect("a peer").closes(1000);
    }
    let closed = client.closed_as_asked();
    assert_eq!((closed.code, closed.clean), (1000, situation == Situation::Open));
    client.close();
    client.session().reconnect();
    client.session().drain(None);
    assert!(client.try_send("late").is_err());
    if let Some(peer) = &mut peer {
        peer.ends_somehow();
    }
    server.relieve();
    server.is_left_alone();
}

fn drop_it(run: &Run<'_>, situation: Situation) {
    let Scene { client, mut server, peer, .. } = reach(run, situation, config(situation));
    match (situation, peer) {
        (Situation::Open, Some(peer)) => {
            // Dropped beside the peer, as the drop may wait for the end.
            std::thread::scope(|scope| {
                let dropped = scope.spawn(|| drop(client));
                peer.closes(1000);
                dropped.join().expect("it is dropped");
            });
        }
        (_, Some(mut peer)) => {
            drop(client);
            peer.ends_somehow();
        }
        (_, None) => drop(client),
    }
    server.relieve();
    server.is_left_in_the_end();
}

fn reconnect(run: &Run<'_>, situation: Situation) {
    let mut config = config(situation);
    // The drain is not to end before it is seen that it survives.
    config.close.timeout = LONG;
    let Scene { mut client, mut server, peer, tls } = reach(run, situation, config);
    client.session().reconnect();
    // By then the old transport has been dropped.
    client.until("a dial", |notice| matches!(notice, Notice::Dialing { .. }).then_some(()));
    server.relieve();
    let mut next = match tls {
        Some(tls) => server.accept().secure(&tls),
        None => server.accept(),
    };
    next.upgrade();
    client.opens();
    // The old one is gone.
    if let Some(mut peer) = peer {
        peer.ends_somehow();
    }
    if situation == Situation::Draining {
        next.hears("never handed over");
        next.closes(1000);
        client.closed_as_asked();
        return;
    }
    if situation == Situation::Blocked {
        next.hears("never handed over");
    }
    client.send("anew");
    next.hears("anew");
    next.text("indeed");
    client.hears("indeed");
    client.close();
    next.closes(1000);
    client.closed_as_asked();
    server.is_left_alone();
}

/// A script for each situation.
macro_rules! scripts {
    ($act:path: $($name:ident $situation:ident),+ $(,)?) => {
        $(pub(super) fn $name(run: &Run<'_>) {
            $act(run, Situation::$situation);
        })+
    };
}

scripts! { close:
    close_while_waiting Waiting,
    close_while_dialing Dialing,
    close_while_securing Securing,
    close_while_upgrading Upgrading,
    close_while_open Open,
    close_while_blocked Blocked,
    close_while_draining Draining,
    close_while_reconnecting Reconnecting,
    close_while_redialing Redialing,
    close_while_closing Closing,
}

scripts! { drop_it:
    drop_while_waiting Waiting,
    drop_while_dialing Dialing,
    drop_while_securing Securing,
    drop_while_upgrading Upgrading,
    drop_while_open Open,
    drop_while_blocked Blocked,
    drop_while_draining Draining,
    drop_while_reconnecting Reconnecting,
    drop_while_redialing Redialing,
    drop_while_closing Closing,
}

scripts! { reconnect:
    reconnect_while_waiting Waiting,
    reconnect_while_dialing Dialing,
    reconnect_while_securing Securing,
    reconnect_while_upgrading Upgrading,
    reconnect_while_open Open,
    reconnect_while_blocked Blocked,
    reconnect_while_draining Draining,
    reconnect_while_reconnecting Reconnecting,
    reconnect_while_redialing Redialing,
}

/// A close handshake that has begun is not finished either.
pub(super) fn reconnect_while_closing(run: &Run<'_>) {
    reconnect(run, Situation::Closing);
}
