//! The other side: bare blocking `tungstenite`, a thread per connection.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Message, WebSocket};

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
        "sink" => sink(&mut socket, size, count),
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

/// Says when everything has arrived. It counts bytes, so that it takes little from the client.
fn sink(socket: &mut WebSocket<TcpStream>, size: usize, count: usize) -> Result<(), Fault> {
    let (mut missing, mut buffer) = (count * (header(size) + MASK + size), vec![0; 256 << 10]);
    while missing > 0 {
        let most = buffer.len().min(missing);
        match socket.get_mut().read(&mut buffer[..most])? {
            0 => return Err("closed too early".into()),
            some => missing -= some,
        }
    }
    socket.send(Message::text("done"))?;
    linger(socket)
}

/// Begins when it is told to. It sends frames that are made already.
fn source(socket: &mut WebSocket<TcpStream>, size: usize, count: usize) -> Result<(), Fault> {
    let mut frame = vec![0x81];
    match (u8::try_from(size), u16::try_from(size)) {
        (Ok(size @ 0..=125), _) => frame.push(size),
        (_, Ok(size)) => {
            frame.push(126);
            frame.extend(size.to_be_bytes());
        }
        (_, Err(_)) => {
            frame.push(127);
            frame.extend((size as u64).to_be_bytes());
        }
    }
    frame.resize(frame.len() + size, b'x');
    let together = ((256 << 10) / frame.len()).clamp(1, count);
    let frames = frame.repeat(together);
    while !socket.read()?.is_text() {}
    let mut left = count;
    while left > 0 {
        let some = together.min(left);
        socket.get_mut().write_all(&frames[..some * frame.len()])?;
        left -= some;
    }
    linger(socket)
}

/// The bytes of a client's mask (RFC 6455 §5.2).
const MASK: usize = 4;

/// The bytes before mask and payload (RFC 6455 §5.2).
fn header(size: usize) -> usize {
    match size {
        0..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    }
}

fn linger(socket: &mut WebSocket<TcpStream>) -> Result<(), Fault> {
    loop {
        socket.read()?;
    }
}
