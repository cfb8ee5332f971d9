//! The other side: bare blocking `tungstenite`, a thread per connection.

use std::net::{TcpListener, TcpStream};
use std::thread;

use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Message, Utf8Bytes, WebSocket};

use crate::Fault;

/// Starts it, and returns its address.
pub(crate) fn start() -> Result<String, Fault> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("ws://{}/", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // The client's side of a failure is what is reported.
                let _ = serve(stream);
            });
        }
    });
    Ok(url)
}

fn serve(stream: TcpStream) -> Result<(), Fault> {
    stream.set_nodelay(true)?;
    let mut path = String::new();
    #[allow(clippy::result_large_err, reason = "the trait wants it so")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        path = request.uri().path().to_owned();
        Ok(response)
    };
    let mut socket = tungstenite::accept_hdr(stream, look).map_err(|error| error.to_string())?;
    let mut parts = path.trim_matches('/').split('/');
    let work = parts.next().unwrap_or_default();
    let mut number = || parts.next().unwrap_or_default().parse::<usize>();
    let (size, count) = (number()?, number()?);
    match work {
        "echo" => echo(&mut socket),
        "sink" => sink(&mut socket, count),
        "source" => source(&mut socket, size, count),
        other => Err(format!("no such work: {other}").into()),
    }
}

fn echo(socket: &mut WebSocket<TcpStream>) -> Result<(), Fault> {
    loop {
        let message = socket.read()?;
        if message.is_text() {
            socket.send(message)?;
        }
    }
}

/// Says when everything has arrived.
fn sink(socket: &mut WebSocket<TcpStream>, count: usize) -> Result<(), Fault> {
    let mut missing = count;
    while missing > 0 {
        missing -= usize::from(socket.read()?.is_text());
    }
    socket.send(Message::text("done"))?;
    linger(socket)
}

/// Begins when it is told to.
fn source(socket: &mut WebSocket<TcpStream>, size: usize, count: usize) -> Result<(), Fault> {
    let payload = Utf8Bytes::from("x".repeat(size));
    while !socket.read()?.is_text() {}
    for _ in 0..count {
        socket.write(Message::Text(payload.clone()))?;
    }
    socket.flush()?;
    linger(socket)
}

fn linger(socket: &mut WebSocket<TcpStream>) -> Result<(), Fault> {
    loop {
        socket.read()?;
    }
}
