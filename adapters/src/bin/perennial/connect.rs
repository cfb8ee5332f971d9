//! `perennial connect`: a pipe to a WebSocket server.

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use perennial::{Builder, Error, Trust};
use perennial_core::{
    Closed, ClosedBy, Config, DialectConfig, Message, Notice, Payload, Reason, State, code,
};

use crate::adapter::{self, Client, Handle};
use crate::args::ConnectArgs;
use crate::effective;
use crate::ending::{Ending, WasOpen};
use crate::errors::{self, Usage, complain};
use crate::group;
use crate::hook::Hook;
use crate::ledger::{Ledger, Outcome};
use crate::output::{Health, Output};
use crate::people;
use crate::position::Position;
use crate::signals;
use crate::stdin::{self, Input};
use crate::trace;

/// How long what was stopped at once may still take to say so, before the process ends anyway: its
/// stdout may be blocked.
const GRACE: Duration = Duration::from_secs(2);
/// What is dialled before `--url-command` has said where; it always says so first.
const NO_URL: &str = "ws://url-command.invalid/";

/// Runs it; the exit status.
pub(crate) fn run(args: &ConnectArgs) -> ExitCode {
    match prepare(args) {
        Ok(Prepared::Printed) => ExitCode::SUCCESS,
        Ok(Prepared::Run(run)) => {
            let status = connect(args, *run);
            group::end_all();
            status
        }
        Err(usage) => usage.report(),
    }
}

enum Prepared {
    /// The config was printed; that was all.
    Printed,
    Run(Box<Run>),
}

/// Everything that a run needs.
struct Run {
    config: Config,
    builder: Builder,
    position: Option<Arc<Position>>,
    recording: Option<trace::record::Opened>,
}

fn prepare(args: &ConnectArgs) -> Result<Prepared, Usage> {
    let config = effective::config(args)?;
    if args.print_config {
        return print(&config).map(|()| Prepared::Printed);
    }
    people::be_quiet(args.quiet);
    journal(args.verbose);
    let position = args.resume.as_ref().map(|_| Arc::new(Position::default()));
    let mut builder = Builder::new(args.url.as_deref().unwrap_or(NO_URL))
        .config(started_by_hand(&config)?)
        .reports(args.events)
        .trust(match (&args.ca, args.insecure) {
            (Some(path), _) => Trust::CaFile(path.clone()),
            (None, true) => Trust::Insecure,
            (None, false) => Trust::System,
        });
    for header in &args.header {
        builder = builder.header(&header.name, &header.value);
    }
    for (index, protocol) in args.subprotocol.iter().enumerate() {
        if args.subprotocol[..index].contains(protocol) {
            return Err(Usage::new("--subprotocol names one twice", "give each once"));
        }
        builder = builder.subprotocol(protocol);
    }
    if let Some(token) = bearer(args)? {
        builder = builder.bearer(&token);
    }
    let hook = Hook {
        url_command: args.url_command.clone(),
        resume: args.resume.clone().zip(position.clone()),
        timeout: config.connect.dial_timeout / 8 * 7,
        quiet: args.quiet,
    };
    if hook.is_needed() {
        builder = builder.on_request(move |attempt| hook.build(attempt));
    }
    let mut recording = None;
    if let Some(path) = &args.record {
        let (record, opened) = trace::record::to(path);
        builder = builder.record(record);
        recording = Some(opened);
    }
    Ok(Prepared::Run(Box::new(Run { config, builder, position, recording })))
}

/// The same config without the first dial: the client must not wait for its outcome under
/// `connect.fail_fast`, or a deadline, a signal and the events would have to wait as well.
fn started_by_hand(config: &Config) -> Result<Config, Usage> {
    let mut builder = config.clone().into_builder();
    builder.connect.auto = false;
    builder.build().map_err(|error| Usage::new(error.to_string(), "correct the config"))
}

fn print(config: &Config) -> Result<(), Usage> {
    let text = serde_json::to_string_pretty(config).map_err(|error| {
        Usage::new(format!("the config cannot be printed ({error})"), "report it")
    })?;
    errors::print(&(text + "\n"))
}

/// The token of `--bearer-env`.
fn bearer(args: &ConnectArgs) -> Result<Option<String>, Usage> {
    let Some(variable) = &args.bearer_env else { return Ok(None) };
    // Someone may have given the token itself.
    let plain = variable.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !plain || variable.is_empty() {
        return Err(Usage::new(
            "--bearer-env holds no variable's name",
            "give the name of an environment variable, not the token itself",
        ));
    }
    if args.header.iter().any(|header| header.name.eq_ignore_ascii_case("authorization")) {
        return Err(Usage::new(
            "--bearer-env does not go with an Authorization in --header",
            "choose one",
        ));
    }
    match std::env::var(variable) {
        Ok(token) if token.trim().is_empty() => Err(Usage::new(
            format!("--bearer-env: the variable {variable} is empty"),
            "set it to the token",
        )),
        Ok(token) if token.trim().bytes().any(|b| !(0x21..0x7f).contains(&b)) => Err(Usage::new(
            format!("--bearer-env: the variable {variable} holds what cannot be a token"),
            "a token is printable ASCII without spaces",
        )),
        Ok(token) => Ok(Some(token.trim().to_owned())),
        Err(std::env::VarError::NotPresent) => Err(Usage::new(
            format!("--bearer-env: the variable {variable} is not set"),
            "export it with the token in it",
        )),
        Err(std::env::VarError::NotUnicode(_)) => Err(Usage::new(
            format!("--bearer-env: the variable {variable} is not UTF-8"),
            "set it to the token",
        )),
    }
}

fn journal(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => tracing_subscriber::filter::LevelFilter::INFO,
        2 => tracing_subscriber::filter::LevelFilter::DEBUG,
        _ => tracing_subscriber::filter::LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}

fn connect(args: &ConnectArgs, run: Run) -> ExitCode {
    let Run { config, builder, position, recording } = run;
    let start = Instant::now();
    let mut client = match adapter::connect(args.adapter, builder) {
        Ok(client) => client,
        Err(error) => return not_connected(&error),
    };
    // Nothing is dialled yet.
    if let Some(Err(usage)) = recording.map(|recording| recording.check()) {
        return usage.report();
    }
    let handle = client.handle();
    handle.reconnect();
    let ending = Arc::new(Ending::new(config.close.drain));
    let output = Arc::new(Output::stdout(start, args.events));
    stop_on_signals(handle.clone(), Arc::clone(&ending));
    // One past the end of time is none.
    if let Some(deadline) = args.deadline.and_then(|limit| start.checked_add(limit)) {
        stop_at(deadline, handle.clone(), Arc::clone(&ending));
    }
    read_stdin(args, &config, &handle, &output, &ending);

    let Seen { received, rtt, was_open, closed } =
        pass_on(args, &mut client, &output, position.as_deref(), &ending);
    let counters = handle.counters();
    let rtt = handle.status().rtt.or(rtt);
    let (ledger, health) =
        output.finish(|rejected| Ledger::new(&counters, rejected, received, rtt));
    let late = ending.late.load(Ordering::Relaxed);
    let failed = health == Health::Failed;
    let never_open = ending.never_open.load(Ordering::Relaxed);
    let short = failed || never_open || ending.unread.load(Ordering::Relaxed);
    let outcome = Outcome::of(&closed, &ledger, late, short);
    people::end(&closed, &ledger, outcome);
    if failed {
        people::tell("stdout cannot be written: what was received is lost");
    }
    if outcome == Outcome::Short && never_open {
        people::tell(
            "the connection never opened within --drain: check the URL, raise --drain, or use --stay",
        );
    } else if outcome == Outcome::Short
        && let Some(hint) = ending.hint(&ledger, was_open)
    {
        people::tell(hint);
    }
    ExitCode::from(outcome.status())
}

fn not_connected(error: &Error) -> ExitCode {
    match error {
        Error::Io { .. } => {
            complain(&error.to_string());
            return ExitCode::FAILURE;
        }
        Error::CaFile { .. } | Error::Trust { .. } => complain(&format!("--ca: {error}")),
        // In `user:password@host` it is the user that looks like a scheme.
        Error::Scheme { scheme } if !["http", "https"].contains(&scheme.as_str()) => {
            complain("the URL does not begin with ws:// or wss://: write it in full");
        }
        _ => complain(&error.to_string()),
    }
    ExitCode::from(2)
}

/// The first signal drains and closes, the second stops at once.
fn stop_on_signals(handle: Handle, ending: Arc<Ending>) {
    signals::on_signal(move |number| {
        if number == 1 {
            ending.begin(&handle, false);
            handle.drain(None);
        } else {
            ending.aborted.store(true, Ordering::Relaxed);
            handle.abort();
            end_anyway(Outcome::Short);
        }
    });
}

fn stop_at(deadline: Instant, handle: Handle, ending: Arc<Ending>) {
    std::thread::spawn(move || {
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        ending.late.store(true, Ordering::Relaxed);
        handle.abort();
        end_anyway(Outcome::Late);
    });
}

/// Ends the process soon. What was stopped ends it sooner, unless its stdout is blocked.
fn end_anyway(outcome: Outcome) {
    std::thread::spawn(move || {
        std::thread::sleep(GRACE);
        group::end_all();
        std::process::exit(i32::from(outcome.status()));
    });
}

fn read_stdin(
    args: &ConnectArgs,
    config: &Config,
    handle: &Handle,
    output: &Arc<Output>,
    ending: &Arc<Ending>,
) {
    let (handle, output, ending) = (handle.clone(), Arc::clone(output), Arc::clone(ending));
    let outbox = config.outbox.clone();
    let id_field = match &config.dialect {
        DialectConfig::Json(json) => Some(json.id_field.clone()),
        DialectConfig::Plain
        | DialectConfig::Text { .. }
        | DialectConfig::SocketIo(_)
        | DialectConfig::EventStream(_)
        | DialectConfig::Custom => None,
    };
    let stay = args.stay;
    std::thread::spawn(move || {
        let input = Input {
            handle: &handle,
            output: &output,
            outbox: &outbox,
            id_field: id_field.as_deref(),
            told: Cell::new(0),
        };
        if let Err(error) = input.run() {
            people::tell(&format!("stdin cannot be read: {error}"));
            ending.unread.store(true, Ordering::Relaxed);
        }
        if !stay {
            ending.begin(&handle, true);
            stdin::drain(&handle, ending.drain, &ending.never_open);
        }
    });
}

/// What was seen until the end.
struct Seen {
    received: u64,
    rtt: Option<Duration>,
    was_open: WasOpen,
    closed: Closed,
}

/// Passes on what the connection says until it is closed.
fn pass_on(
    args: &ConnectArgs,
    client: &mut Client,
    output: &Output,
    position: Option<&Position>,
    ending: &Ending,
) -> Seen {
    let handle = client.handle();
    let enough = args.count.unwrap_or(u64::MAX);
    let mut received = 0;
    let mut rtt = None;
    let mut was_open = WasOpen::Never;
    let mut stopping = false;
    loop {
        // Flushed when nothing more is at hand, not per message.
        let next = client.try_recv_stamped().or_else(|| {
            let health = output.flush();
            stop_unless_writable(health, &handle, ending, &mut stopping);
            client.recv_stamped()
        });
        let Some((at, notice)) = next else { break };
        match &notice {
            Notice::Message(message) => {
                // What comes while closing is beyond what was asked for.
                if received == enough {
                    continue;
                }
                received += 1;
                note(message, args, position);
                if received == enough {
                    ending.begin(&handle, false);
                    handle.drain(None);
                }
            }
            Notice::Dialing { transport, .. } => {
                if let Some(position) = position {
                    position.announce(*transport);
                }
            }
            Notice::Pong { rtt: measured } => rtt = Some(*measured),
            Notice::StateChanged { to: State::Open, .. } => was_open = WasOpen::AtTheEnd,
            Notice::StateChanged { from: State::Open, to: State::Reconnecting, .. } => {
                was_open = WasOpen::Before;
            }
            _ => {}
        }
        let health = output.notice(at, &notice);
        stop_unless_writable(health, &handle, ending, &mut stopping);
        people::notice(&notice);
        if matches!(notice, Notice::Retrying { .. }) {
            ending.waits(&handle);
        }
    }
    // The last notice was fetched, so there is an end.
    let closed = handle.closed().unwrap_or(Closed {
        by: ClosedBy::Policy,
        code: code::ABNORMAL,
        clean: false,
        reason: Reason::Application,
    });
    Seen { received, rtt, was_open, closed }
}

fn note(message: &Message, args: &ConnectArgs, position: Option<&Position>) {
    if let (Some(position), Some(resume), Payload::Text(text)) =
        (position, &args.resume, &message.payload)
    {
        position.observe(text, &resume.field);
    }
}

fn stop_unless_writable(health: Health, handle: &Handle, ending: &Ending, stopping: &mut bool) {
    if health != Health::Writable && !*stopping {
        *stopping = true;
        ending.begin(handle, false);
        handle.drain(None);
    }
}
