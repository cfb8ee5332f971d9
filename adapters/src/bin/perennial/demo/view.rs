//! What the demo shows while it runs: a line per connection in a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use perennial::State;

use super::peer::{End, Glance};
use crate::errors::{Usage, printed};
use crate::people::count;

/// How much time one mark of the timeline stands for.
const MARK: Duration = Duration::from_millis(400);

/// The picture.
pub(super) struct View {
    start: Instant,
    lines: Vec<Line>,
    /// The terminal; `None` where stdout is none.
    terminal: Option<MultiProgress>,
    told: usize,
    seen_now: usize,
    next_mark: Instant,
}

struct Line {
    name: &'static str,
    bar: ProgressBar,
    last: Option<State>,
    /// One mark per [`MARK`]: whether the connection was open throughout.
    timeline: String,
    was_down: bool,
}

impl View {
    pub(super) fn new(names: &[&'static str], start: Instant) -> Self {
        let terminal = io::stdout()
            .is_terminal()
            .then(|| MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::stdout()));
        let line_style = ProgressStyle::with_template("{msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let lines = names
            .iter()
            .map(|name| {
                let bar = ProgressBar::new_spinner().with_style(line_style.clone());
                let bar = match &terminal {
                    Some(terminal) => terminal.add(bar),
                    None => ProgressBar::hidden(),
                };
                Line { name, bar, last: None, timeline: String::new(), was_down: true }
            })
            .collect();
        Self { start, lines, terminal, told: 0, seen_now: 0, next_mark: start + MARK }
    }

    /// Says the first thing. A stdout that takes nothing is found out here, not after the whole day.
    pub(super) fn begin(&self, text: &str) -> Result<(), Usage> {
        printed(self.print(text))
    }

    /// Says something about the whole.
    pub(super) fn say(&self, text: &str) {
        // What is wrong with stdout is said at the end.
        let _ = self.print(text);
    }

    /// Says what has just happened; what was said before is not said again.
    pub(super) fn incident(&mut self, title: &'static str) {
        self.seen_now += 1;
        if self.seen_now > self.told {
            self.told = self.seen_now;
            self.say(&style(title).yellow().to_string());
        }
    }

    /// Shows a connection as it is now.
    pub(super) fn show(&mut self, index: usize, glance: &Glance) {
        self.seen_now = 0;
        let Some(line) = self.lines.get_mut(index) else { return };
        line.was_down |= glance.state != State::Open
            || glance.changes.iter().any(|change| change.to != State::Open);
        line.bar.set_message(line.text(glance));
        line.last = Some(glance.state);
        let name = line.name;
        if self.terminal.is_none() {
            for change in &glance.changes {
                let reason = change.reason.as_ref().map_or(String::new(), |r| format!(": {r}"));
                self.say(&format!("{name} {}{reason}", change.to));
            }
        }
    }

    /// Moves the timelines on.
    pub(super) fn tick(&mut self) {
        if Instant::now() < self.next_mark {
            return;
        }
        self.next_mark += MARK;
        for line in &mut self.lines {
            line.timeline.push(if line.was_down { '·' } else { '━' });
            line.was_down = line.last != Some(State::Open);
        }
    }

    /// Leaves the last picture standing.
    pub(super) fn finish(&self, ends: &[End]) {
        for line in &self.lines {
            line.bar.abandon();
        }
        for end in ends {
            let counters = &end.counters;
            self.say(&format!(
                "{} closed: {} sent, {} acknowledged, {} received, {}",
                end.name,
                end.sent,
                counters.acknowledged,
                end.seen.distinct(),
                count(counters.reconnects, "reconnect", "reconnects"),
            ));
        }
    }

    fn print(&self, text: &str) -> io::Result<()> {
        let text = format!("{:>5.1} s  {text}", self.start.elapsed().as_secs_f64());
        match &self.terminal {
            Some(terminal) => terminal.println(text),
            None => writeln!(io::stdout().lock(), "{text}"),
        }
    }
}

impl Line {
    fn text(&self, glance: &Glance) -> String {
        let state = format!("{:<12}", glance.state.as_str());
        let state = match glance.state {
            State::Open => style(state).green(),
            State::Connecting | State::Reconnecting => style(state).red(),
            State::Closed => style(state).dim(),
        };
        let rtt = glance.rtt.map_or_else(
            || "     –".to_owned(),
            |rtt| format!("{:>4.1}ms", rtt.as_secs_f64() * 1e3),
        );
        format!(
            "{:<6}{state} try {:<2} rtt {rtt}  queue {:<4} acked {:<5} got {:<5} {}",
            self.name,
            glance.attempt,
            glance.queue,
            glance.acknowledged,
            glance.received,
            self.timeline
        )
    }
}
