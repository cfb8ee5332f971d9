//! `perennial replay --step`: a walk through a trace, led by lines of stdin.

use std::io::IsTerminal as _;

use perennial_core::trace::{Replay, Stepped, Trace, TraceError};

use super::describe;
use super::replay::{differs, origin, state};
use crate::errors::{Usage, print};
use crate::lines::{self, Line};

/// Longer than any command.
const LONGEST: usize = 64;

enum Command {
    Next,
    Back,
    To(usize),
    Quit,
    Unknown,
}

impl Command {
    fn read(line: &str) -> Self {
        match line.trim() {
            "" | "n" | "next" => Self::Next,
            "b" | "back" => Self::Back,
            "q" | "quit" => Self::Quit,
            other => other.parse().map_or(Self::Unknown, Self::To),
        }
    }
}

/// Walks until told to stop. Returns whether nothing differed that was seen. `broken` says what is
/// wrong with the trace.
pub(super) fn walk(
    trace: &Trace,
    mut replay: Replay<'_>,
    last: usize,
    broken: impl Fn(TraceError) -> Usage,
) -> Result<bool, Usage> {
    let mut stdin = std::io::stdin().lock();
    let asks = stdin.is_terminal();
    let mut same = true;
    let mut show = |replay: &mut Replay<'_>, number: usize| -> Result<(), Usage> {
        replay.seek(number - 1).map_err(&broken)?;
        if let Some(stepped) = replay.step().map_err(&broken)? {
            same &= stepped.difference.is_none();
            print(&shown(&stepped, trace, replay, last))?;
        }
        Ok(())
    };
    show(&mut replay, 1)?;
    loop {
        if asks {
            print("n, b, a number, q> ")?;
        }
        let line = match lines::read(&mut stdin, LONGEST) {
            Ok(Line::Whole(line)) => String::from_utf8_lossy(&line).into_owned(),
            Ok(Line::TooLong { .. }) => "?".to_owned(),
            Ok(Line::End) | Err(_) => break,
        };
        let here = replay.position();
        match Command::read(&line) {
            Command::Next if here >= last => print("this is the last event\n")?,
            Command::Next => show(&mut replay, here + 1)?,
            Command::Back if here <= 1 => print("this is the first event\n")?,
            Command::Back => show(&mut replay, here - 1)?,
            Command::To(number) if (1..=last).contains(&number) => show(&mut replay, number)?,
            Command::To(_) => print(&format!("there are events 1 to {last}\n"))?,
            Command::Quit => break,
            Command::Unknown => {
                print("n or nothing: next, b: back, a number: that event, q: quit\n")?;
            }
        }
    }
    Ok(same)
}

fn shown(stepped: &Stepped, trace: &Trace, replay: &Replay<'_>, last: usize) -> String {
    let origin = origin(trace);
    let mut text = format!(
        "event {} of {last} (line {}) at {}: {}\n",
        stepped.number,
        stepped.number + 1,
        describe::time(stepped.at, origin),
        describe::event(stepped.event.as_ref()),
    );
    if stepped.outcome != "\"done\"" {
        text.push_str(&format!("  was answered with {}\n", stepped.outcome));
    }
    for action in &stepped.actions {
        text.push_str(&format!("  -> {}\n", describe::action(action, origin)));
    }
    if let Some(difference) = &stepped.difference {
        text.push_str(&differs(difference, trace, "recorded", "replayed"));
    }
    for line in state(replay, origin).lines().take(6) {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words_letters_and_numbers() {
        assert!(matches!(Command::read(""), Command::Next));
        assert!(matches!(Command::read(" next "), Command::Next));
        assert!(matches!(Command::read("b"), Command::Back));
        assert!(matches!(Command::read("17"), Command::To(17)));
        assert!(matches!(Command::read("q"), Command::Quit));
        for other in ["x", "-1", "1.5", "999999999999999999999999"] {
            assert!(matches!(Command::read(other), Command::Unknown), "{other}");
        }
    }
}
