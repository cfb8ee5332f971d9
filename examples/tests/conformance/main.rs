//! The conformance suite over the loop of one's own. All connections of all scripts are driven by
//! one thread.
//!
//! ```sh
//! cargo test -p perennial-examples --test conformance
//! ```

mod driver;
mod session;

use std::process::{Command, ExitCode};
use std::sync::LazyLock;

use perennial_examples::own_loop::Target;
use perennial_tests::conformance::{self, Adapter, Features, Plan, Session};

use driver::Driver;
use session::OwnSession;

struct OwnLoop;

impl Adapter for OwnLoop {
    fn name(&self) -> &'static str {
        "own-loop"
    }

    fn features(&self) -> Features {
        // TLS is left out of the example, and what failed is told in other words.
        Features { tls: false, waits: true, pauses: true, words: false }
    }

    fn connect(&self, plan: Plan) -> Box<dyn Session> {
        static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::start);
        let mut target = Target::resolve(&plan.url).expect("a URL on loopback");
        target.headers = plan.headers;
        target.subprotocols = plan.subprotocols;
        Box::new(OwnSession::connect(&DRIVER, target, plan.config, plan.seed))
    }

    fn process(&self) -> Option<Command> {
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.arg("--child");
        Some(command)
    }
}

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--child") {
        conformance::child(&OwnLoop);
        return ExitCode::SUCCESS;
    }
    if std::env::args().any(|arg| arg == "--list") {
        // Whoever asks for a list of tests would wait for all of them.
        return ExitCode::SUCCESS;
    }
    let report = conformance::check(Box::new(OwnLoop));
    println!("{report}");
    // What the driver that it is compared with does wrong is found by that one's own tests.
    let fails = report.failed.iter().any(|what| what.contains(OwnLoop.name()));
    if fails || report.passed == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
