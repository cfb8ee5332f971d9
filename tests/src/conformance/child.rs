//! A connection in a process of its own, which can be stopped as a laptop's lid stops it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child as Process, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use perennial_core::{Config, Notice};

use super::LONG;
use super::adapter::{Adapter, Plan, Received};
use super::run::Run;
use super::transcript::{Lane, Line, Story, Transcript, lane};

/// Runs a connection as its standard input says, and tells on standard output what it tells: the
/// other half of [`Adapter::process`]. Returns at its end, or when the input ends.
///
/// The first line of the input is the plan; each further line, whatever it says, closes.
pub fn child(adapter: &dyn Adapter) {
    let mut lines = BufReader::new(std::io::stdin()).lines().map_while(Result::ok);
    let Some(plan) = lines.next() else { return };
    let (url, seed, config): (String, u64, Config) =
        serde_json::from_str(&plan).expect("a plan from the script");
    let (headers, subprotocols) = (Vec::new(), Vec::new());
    let plan = Plan { url, config, seed, headers, subprotocols, trust: None };
    let mut session = adapter.connect(plan);
    let (command, commands) = channel();
    thread::spawn(move || lines.try_for_each(|_| command.send(())));
    loop {
        match commands.try_recv() {
            Ok(()) => session.close(1000, "").expect("the code is a valid one"),
            Err(std::sync::mpsc::TryRecvError::Empty) => {}
            // The script is gone.
            Err(std::sync::mpsc::TryRecvError::Disconnected) => return,
        }
        match session.recv(Duration::from_millis(20)) {
            Received::Notice(notice) => tell(&notice),
            Received::Ended => return,
            Received::TimedOut => {}
        }
    }
}

#[allow(clippy::print_stdout)]
fn tell(notice: &Notice) {
    if let Lane::Told(line) = lane(notice) {
        println!("{}", line.text(false));
    }
}

/// A connection in a process that can be stopped. What it told is noted when it is dropped, where
/// its lines are compared without the words.
pub(super) struct Child {
    process: Process,
    lines: Receiver<String>,
    told: Vec<Line>,
    transcript: Arc<Mutex<Transcript>>,
}

impl Child {
    /// Starts it, or ends the script as not run.
    pub(super) fn start(run: &Run<'_>, plan: &Plan) -> Self {
        if !cfg!(unix) {
            run.cannot("processes cannot be stopped here");
        }
        let Some(mut command) = run.adapter.process() else {
            run.cannot("the adapter has no process of its own, or it was not built");
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a process");
        let stdout = process.stdout.take().expect("its output");
        let (sender, lines) = channel();
        thread::spawn(move || {
            let all = BufReader::new(stdout).lines().map_while(Result::ok);
            all.map(|line| sender.send(line)).find(Result::is_err)
        });
        let transcript = Arc::clone(&run.transcript);
        let mut child = Self { process, lines, told: Vec::new(), transcript };
        let plan = (&plan.url, plan.seed, &plan.config);
        child.says(&serde_json::to_string(&plan).expect("a plan is made of plain values"));
        child
    }

    fn says(&mut self, line: &str) {
        let stdin = self.process.stdin.as_mut().expect("it is there until the drop");
        writeln!(stdin, "{line}").expect("it reads");
    }

    pub(super) fn close(&mut self) {
        self.says("close");
    }

    /// The first notice that has this in it; others are passed over.
    pub(super) fn tells(&mut self, part: &str) {
        loop {
            let line = self.lines.recv_timeout(LONG);
            let line =
                line.unwrap_or_else(|_| panic!("in vain waited for {part}: {:?}", self.told));
            self.told.push(Line::new(line.clone()));
            if line.contains(part) {
                return;
            }
        }
    }

    /// Stops the whole process for a while.
    pub(super) fn sleeps(&mut self, time: Duration) {
        self.signal("STOP");
        thread::sleep(time);
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot send {name}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It has ended, or it is in the way.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let told = std::mem::take(&mut self.told);
        let mut stories = self.transcript.lock().unwrap_or_else(PoisonError::into_inner);
        stories.0.push(Story { told, sent: None });
    }
}
