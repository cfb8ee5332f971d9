//! `perennial serve`: the practice server.

use std::process::ExitCode;
use std::sync::mpsc;

use perennial::practice::{CloseAfter, Faults, Options, Refusal, Server, Span};

use crate::args::ServeArgs;
use crate::errors::{Usage, complain, print};
use crate::signals;

/// Runs until a signal comes.
pub(crate) fn run(args: &ServeArgs) -> ExitCode {
    let options = match options(args) {
        Ok(options) => options,
        Err(usage) => return usage.report(),
    };
    let server = match Server::start(options) {
        Ok(server) => server,
        Err(error) => {
            complain(&format!("cannot listen on {} ({error}): use another --listen", args.listen));
            return ExitCode::FAILURE;
        }
    };
    let (signal, signalled) = mpsc::channel();
    signals::on_signal(move |_| {
        let _ = signal.send(());
    });
    // Whoever does not read the first line can still connect.
    if let Err(error) = print(&format!("listening on {}\n", server.url())) {
        return error.report();
    }
    // Fails only if signals cannot be handled; then one of them ends the process.
    if signalled.recv().is_err() {
        loop {
            std::thread::park();
        }
    }
    ExitCode::SUCCESS
}

fn options(args: &ServeArgs) -> Result<Options, Usage> {
    let close_after = match (args.close_code, args.after_messages) {
        (Some(code), messages) => {
            Some(CloseAfter { code, reason: String::new(), messages: messages.unwrap_or(0) })
        }
        (None, Some(messages)) => Some(CloseAfter { code: 1000, reason: String::new(), messages }),
        (None, None) => None,
    };
    let refuse = args.refuse.map(|status| Refusal {
        retry_after: args.retry_after,
        lasting: args.lasting,
        ..Refusal::status(status)
    });
    if !args.listen.ip().is_loopback() {
        return Err(Usage::new(
            "--listen is no loopback address",
            "use 127.0.0.1 or [::1]: the practice server is not made for a network",
        ));
    }
    Ok(Options {
        listen: args.listen,
        app: args.app.into(),
        seed: args.seed,
        faults: Faults {
            drop_every: args.drop_every.map(Span::from),
            fin_every: args.fin_every.map(Span::from),
            freeze_after: args.freeze_after.map(Span::from),
            refuse,
            duplicate: args.duplicate.unwrap_or(0.0),
            lose_acks: args.lose_acks.unwrap_or(0.0),
            slow_handshake: args.slow_handshake.map(Span::from),
            close_after,
            ..Faults::default()
        },
        ..Options::default()
    })
}
