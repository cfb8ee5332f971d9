//! Proxies, which the environment names.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use perennial::practice::{Options, Server};

use crate::process::{ADAPTERS, Finished, LIMIT, Running, command};

/// A proxy that gives this answer to every CONNECT, and where that is a success leads to `target`.
/// Tells what it was asked.
fn proxy(answer: &'static str, target: &Server) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let target = target.url().replace("ws://", "");
    let (sender, asked) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let _ = sender.send(String::from_utf8(head).unwrap());
            let _ = stream.write_all(answer.as_bytes());
            if answer.contains(" 200 ") {
                let there = TcpStream::connect(&target).unwrap();
                pass(stream.try_clone().unwrap(), there.try_clone().unwrap());
                pass(there, stream);
            }
        }
    });
    (address, asked)
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}

const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Finished {
    let mut command = command(arguments);
    command.envs(environment.iter().copied());
    let mut running = Running::spawn(&mut command);
    running.say("hello\n");
    running.end_stdin();
    running.finish()
}

#[test]
fn every_adapter_goes_through_the_proxy_that_the_environment_names() {
    let server = Server::start(Options::default()).unwrap();
    let (address, asked) = proxy(ESTABLISHED, &server);
    let variables = ["HTTPS_PROXY", "http_proxy", "ALL_PROXY", "ws_proxy"];
    for (adapter, variable) in ADAPTERS.into_iter().zip(variables) {
        let value = format!("http://user:word@{address}");
        let arguments = ["connect", "ws://target.test:81/", "--adapter", adapter, "--count", "1"];
        let finished = run(&arguments, &[(variable, &value)]);
        assert_eq!(finished.status, 0, "{finished:?}");
        assert_eq!(finished.stdout, ["hello"], "{finished:?}");
        let head = asked.recv_timeout(LIMIT).unwrap();
        assert!(head.starts_with("CONNECT target.test:81 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n"), "{head}");
    }
}

#[test]
fn loopback_is_no_exception_but_for_no_proxy() {
    let server = Server::start(Options::default()).unwrap();
    let (address, asked) = proxy(ESTABLISHED, &server);
    let arguments = ["connect", &server.url(), "--count", "1"];
    let finished = run(&arguments, &[("ALL_PROXY", &address)]);
    assert_eq!(finished.status, 0, "{finished:?}");
    assert!(asked.recv_timeout(LIMIT).unwrap().starts_with("CONNECT 127.0.0.1:"));
    let except = [("ALL_PROXY", address.as_str()), ("NO_PROXY", "localhost,127.0.0.0/8")];
    let finished = run(&arguments, &except);
    assert_eq!((finished.status, &finished.stdout[..]), (0, &["hello".to_owned()][..]));
    assert!(asked.try_recv().is_err(), "not asked");
}

#[test]
fn a_proxy_that_wants_credentials_is_a_refusal_for_good() {
    let server = Server::start(Options::default()).unwrap();
    let (address, _asked) = proxy("HTTP/1.1 407 No\r\n\r\n", &server);
    let value = format!("http://hidden:hidden@{address}");
    let finished = run(&["connect", "ws://target.test/"], &[("http_proxy", &value)]);
    assert_eq!(finished.status, 3, "{finished:?}");
    assert!(finished.stderr.contains("407") && finished.stderr.contains(&address), "{finished:?}");
    assert!(!finished.stderr.contains("hidden"), "{finished:?}");
}

#[test]
fn a_variable_that_names_no_proxy_is_a_mistake() {
    let finished =
        run(&["connect", "ws://target.test/"], &[("HTTPS_PROXY", "https://hidden:hidden@h:1")]);
    assert_eq!((finished.status, finished.stdout.len()), (2, 0), "{finished:?}");
    assert!(finished.stderr.starts_with("perennial: HTTPS_PROXY is https"), "{finished:?}");
    assert!(!finished.stderr.contains("hidden"), "{finished:?}");
}

#[test]
fn who_asks_a_cgi_program_does_not_choose_its_proxy() {
    let server = Server::start(Options::default()).unwrap();
    let (address, asked) = proxy(ESTABLISHED, &server);
    let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", address.as_str())];
    let finished = run(&["connect", &server.url(), "--count", "1"], &cgi);
    assert_eq!(finished.status, 0, "{finished:?}");
    assert!(asked.try_recv().is_err(), "not asked");
}
